/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the server of `lun serve` says by its control socket, and what is answered. Part of
 * serve_run, for serve_run.c and cmd_lun_serve.c only.
 */
#ifndef CLI_SERVE_HEAR_H
#define CLI_SERVE_HEAR_H

#include "cli/serve_run.h"

/* Take in what came on the control socket, without blocking; it may be closed then. */
void cli_serve_hear(struct cli_serve *serve);
/* Send an order, one line of JSON; nothing without a connection. */
void cli_serve_say(const struct cli_serve *serve, const char *order);
/* Order the release that is the server's end. */
void cli_serve_release(struct cli_serve *serve);
/* Close its control socket, if it is open. */
void cli_serve_disconnect(struct cli_serve *serve);
/* CLOCK_BOOTTIME in ms. */
int64_t cli_serve_now_ms(void);

#endif
