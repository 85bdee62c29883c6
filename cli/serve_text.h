/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `hawser lun serve` shows: the lines that connect a QEMU, and events as sentences.
 */
#ifndef CLI_SERVE_TEXT_H
#define CLI_SERVE_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* The options of a QEMU, and the elements of a libvirt domain, for the disk on `socket`. */
void cli_serve_print_use(FILE *out, const char *socket);
/* One event of hawser-lun about `name` as a line; nothing for those that only programs want. */
void cli_serve_print_event(FILE *out, const char *name, const json_t *event);

#endif
