/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server under the care of `lun serve`. The owner fills in the first part; the rest is the
 * loop's.
 */
#ifndef CLI_SERVE_RUN_H
#define CLI_SERVE_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/lun_wait.h"
#include "cli/serve_child.h"
#include "common/hw_call.h"
#include "common/hw_error.h"

enum { CLI_SERVE_LINE_BYTES = 16384 };

/* What was told of the server that runs now, so that it is told once. */
struct cli_serve_told {
    char gate[16], reason[32]; /* the last verdict; "" = none yet */
    uint32_t generation;       /* owned under it; 0 = not yet */
    unsigned clients;          /* QEMUs attached to the disk */
    bool owns, gives;          /* it owns the LUN; and was asked to release it */
    struct cli_said held_up;   /* of the lines that repeat themselves */
};

struct cli_serve {
    struct hw_call *call;
    const char *name;
    struct cli_serve_wish wish;
    struct cli_serve_paths paths;
    struct cli_serve_command command;
    bool made_directory, json;
    bool shown, stopping, released, over;
    bool once_more;   /* the last server was started to release the LUN */
    bool refused;     /* the LUN is not to be had: `error` says why */
    bool again;       /* it is for now: the server ends, and is started again */
    int signal_fd;    /* of SIGINT, SIGTERM and SIGCHLD, which are blocked */
    int directory_fd; /* locked: nobody else serves there */
    int control_fd;   /* -1: not connected */
    pid_t child;
    int64_t opened_ms, restart_at_ms, stop_at_ms, hint_at_ms; /* 0: no */
    bool opened_before; /* the server before this one passed requests */
    int64_t restart_ms;
    int status;
    struct hw_error error;
    struct cli_serve_told told;
    struct hw_error lost; /* since when the server lives on without the LUN; NONE: it is ours */
    char line[CLI_SERVE_LINE_BYTES];
    size_t have;
};

/*
 * Start the server and stay until it is stopped by a signal, refuses, or cannot go on: `status` is
 * the exit status, `error` the message if there is one to tell. A server that dies is started again
 * with the same words; once it has served also if it cannot go on for now, as without its target,
 * until it can.
 */
void cli_serve_run(struct cli_serve *serve);
#endif
