/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command line, parsed: which verb, its arguments, its options. Parsing is done against the
 * tables alone; it reads no file, no environment and no clock, and prints nothing.
 */
#ifndef CLI_CALL_H
#define CLI_CALL_H

#include "cli/verb.h"
#include "common/hw_error.h"
#include "common/hw_vector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli_given_option {
    const struct cli_option *option;
    const char *value; /* NULL for a flag */
};

/* What a verb's code gets. Texts point into the caller's argv. */
struct cli_call {
    const struct cli_verb *verb;   /* NULL if the words name no verb (then see group, wants_help) */
    const struct cli_group *group; /* the group named, or NULL */
    bool wants_help;               /* --help, or words that stop at a group */
    HW_VECTOR(const char *) arguments;
    HW_VECTOR(struct cli_given_option) options;
    FILE *out; /* results; never NULL */
    FILE *err; /* the last line of an error */
};

/*
 * Parse `count` words (without the program's name) against `groups`. Words of a path and options
 * may be shortened as long as one alone fits. On success `call` must be freed with
 * cli_call_free(); out and err are stdout and stderr. -EINVAL with a message of kind
 * HW_ERROR_USAGE, or -ENOMEM.
 */
int cli_call_parse(const struct cli_group *groups, int count, char *const *words,
                   struct cli_call *ret_call, struct hw_error *error);

/* Give back what parsing allocated; the call may be all zero. */
void cli_call_free(struct cli_call *call);

/* Is this option given? `name` must be in the verb's table or be common. */
bool cli_option_given(const struct cli_call *call, const char *name);

/* The option's value (the n-th of a repeated one, from 0), or NULL. */
const char *cli_option_value(const struct cli_call *call, const char *name, size_t n);

/* The n-th argument, or NULL. */
const char *cli_argument(const struct cli_call *call, size_t n);

/*
 * Print the error as the last line, "hawser: object: reason; remedy", to call->err, and with --json
 * also {"error": {"kind", "object", "reason", "remedy"}} to call->out. Returns the exit status.
 */
int cli_fail(const struct cli_call *call, const struct hw_error *error);

#endif
