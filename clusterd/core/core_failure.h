/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Failures of a VM on its nodes: a start that failed, a guest or VMM that died there. They are
 * counted in the replicated state, so that every leader decides alike; when they happened is not:
 * the leader that proposes to forget or to forgive them waits by its own clock. A node is left
 * alone after more than `restarts` failures in a row. A VM that has failed everywhere is forgiven
 * after the longest pause and tried again: no count is a state that only a human can end.
 */
#ifndef CORE_FAILURE_H
#define CORE_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "clusterd/core/core_state.h"
#include "clusterd/core/core_timing.h"

/* One more failure of `vm` on the node named `node`. 0, -ENOSPC or -ENOMEM; then nothing changed.
 */
int core_failure_add(struct core_vm *vm, const char *node);
/* How many in a row. */
uint32_t core_failure_count(const struct core_vm *vm, const char *node);
/* More than it may: the VM is tried elsewhere. */
bool core_failure_too_often(const struct core_vm *vm, const char *node);
/* A stable time there, or `vm cleanup`: forget those on `node`, or all of them (NULL). */
void core_failure_clear(struct core_vm *vm, const char *node);
/* Nowhere is left: every node that failed too often may be tried once more. True if one did. */
bool core_failure_forgive(struct core_vm *vm);
/*
 * The pause before the next start on `node`, in ms from the last failure; 0 without failures. All
 * members agree: the jitter follows from the VM's number, its generation and the count alone.
 */
uint64_t core_failure_pause_ms(const struct core_timing *timing, const struct core_vm *vm,
                               const char *node);

#endif
