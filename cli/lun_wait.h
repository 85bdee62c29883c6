/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling a person what a command waits for, once that takes longer than a blink; and not over and
 * over.
 */
#ifndef CLI_LUN_WAIT_H
#define CLI_LUN_WAIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cli_wait {
    pthread_t thread;
    bool started;
    int stop_fd;
    FILE *err;
    int64_t after_ms;
    char line[512];
};

/*
 * From here on something is waited for: after `after_ms` one line on `err` says that `object` waits
 * for `what`, for `most_ms` at most. `err` NULL: nothing is told. Where no thread can be had,
 * nothing is told either. `wait` stays where it is until cli_wait_end().
 */
void cli_wait_begin(struct cli_wait *wait, FILE *err, const char *object, const char *what,
                    int64_t after_ms, int64_t most_ms);
/* It came, or did not: nothing is told any more. */
void cli_wait_end(struct cli_wait *wait);

/* What was said last, and when. */
struct cli_said {
    char text[600];
    int64_t at_ms;
};

/* Was just this (cut to fit) said last, within 10 s? If not it is now. */
bool cli_said_lately(struct cli_said *said, const char *text);

#endif
