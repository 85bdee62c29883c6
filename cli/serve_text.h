/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `hawser lun serve` shows: the lines that connect a QEMU, and events as sentences.
 */
#ifndef CLI_SERVE_TEXT_H
#define CLI_SERVE_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/hw_error.h"

/* The options of a QEMU, and the elements of a libvirt domain, for the disk on `socket`. */
void cli_serve_print_use(FILE *out, const char *socket);
/* A verdict on the gate of `name` (an event "gate", or a status) as a line. */
void cli_serve_print_gate(FILE *out, const char *name, const json_t *verdict);
/* That `name` is owned by `key`. */
void cli_serve_print_owned(FILE *out, const char *name, uint64_t key);
/* One event of hawser-lun about `name` as a line; nothing for those that only programs want. */
void cli_serve_print_event(FILE *out, const char *name, const json_t *event);
/* The event "refused" or "lost" about `name` as an error in `error`. `had`: it was served before:
 * who has it now took it over, and is named as far as that is known. */
void cli_serve_refusal(const char *name, const json_t *event, bool had, struct hw_error *error);
/* An exit status (cli.md) of something that may go well the next time: failed, timed out. */
bool cli_serve_may_pass(int status);

#endif
