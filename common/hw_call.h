/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command line, parsed: which verb, its arguments, its options. Parsing is done against the
 * tables alone; it reads no file, no environment and no clock, and prints nothing.
 */
#ifndef HW_CALL_H
#define HW_CALL_H

#include "common/hw_error.h"
#include "common/hw_vector.h"
#include "common/hw_verb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct hw_given_option {
    const struct hw_option *option;
    const char *value; /* NULL for a flag */
};

/* What a verb's code gets. Texts point into the caller's argv. */
struct hw_call {
    const struct hw_program *program;
    const struct hw_verb *verb;   /* NULL if the words name no verb (then see group, wants_help) */
    const struct hw_group *group; /* the group named, or NULL */
    bool wants_help;              /* --help, or words that stop at a group */
    HW_VECTOR(const char *) arguments;
    HW_VECTOR(struct hw_given_option) options;
    FILE *out; /* results */
    FILE *err; /* the last line of an error */
};

/*
 * Parse `count` words (without the program's name) against the tables of `program`. Words of a path
 * and options may be shortened as long as one alone fits. On success `call` must be freed with
 * hw_call_free(), and out and err are the caller's to set. -EINVAL with a message of kind
 * HW_ERROR_USAGE, or -ENOMEM.
 */
int hw_call_parse(const struct hw_program *program, int count, char *const *words,
                  struct hw_call *ret_call, struct hw_error *error);

/* Give back what parsing allocated; the call may be all zero. */
void hw_call_free(struct hw_call *call);

/* Is this option given? `name` must be in the verb's table or be common. */
bool hw_option_given(const struct hw_call *call, const char *name);

/* The option's value (the n-th of a repeated one, from 0), or NULL. */
const char *hw_option_value(const struct hw_call *call, const char *name, size_t n);

/* The n-th argument, or NULL. */
const char *hw_argument(const struct hw_call *call, size_t n);

/*
 * Print the error as the last line, "PROGRAM: object: reason; remedy", to call->err, and with
 * --json also {"error": {"kind", "object", "reason", "remedy"}} to call->out. Returns the exit
 * status.
 */
int hw_fail(const struct hw_call *call, const struct hw_error *error);

#endif
