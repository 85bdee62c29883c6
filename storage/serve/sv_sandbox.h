/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How hawser-lun locks itself in: the written list of what it may still do. */
#ifndef SV_SANDBOX_H
#define SV_SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/hw_sandbox.h"

/* The tables of system calls, ended by NULL. */
extern const struct hw_sandbox_call *const sv_sandbox_tables[];

/*
 * User and paths: everything but the list of calls, which comes behind the last thread's start
 * (sv_sandbox_calls()). TCP goes to `ports` only. `ret_reach` (may be NULL): what the kernel
 * enforces. 0 or -errno with the message.
 */
int sv_sandbox_enter(uid_t uid, const uint16_t *ports, size_t count,
                     struct hw_sandbox_reach *ret_reach, struct hw_error *error);
/* The list of calls, for all threads. 0 or -errno with the message. */
int sv_sandbox_calls(struct hw_error *error);

#endif
