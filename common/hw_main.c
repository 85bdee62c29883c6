/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program from its arguments to its exit status. What verbs do is their own business.
 */
#include <config.h>

#include "common/hw_main.h"

#include "common/hw_call.h"
#include "common/hw_help.h"
#include "common/hw_words.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Help was asked for, or the words stop before a verb: the second is wrong usage. */
static int show_help(const struct hw_call *call)
{
    bool asked = hw_option_given(call, "help");
    FILE *out = asked ? call->out : call->err;

    if (call->verb)
        hw_help_verb(out, call->program, call->verb);
    else if (call->group)
        hw_help_group(out, call->program, call->group);
    else
        hw_help_all(out, call->program);
    return asked ? 0 : HW_ERROR_USAGE;
}

/* Output that did not arrive is a failure: `hawser lun list >/dev/full` must not say 0. */
static int finish(const struct hw_call *call, int status)
{
    struct hw_error error = { 0 };

    if (fflush(call->out) == 0 && !ferror(call->out))
        return status;
    if (status != 0)
        return status;
    (void)hw_error_set(&error, HW_ERROR_FAILED, 0, "standard output", "could not be written",
                       "see where it goes to");
    return hw_fail(call, &error);
}

/* Words that could not be parsed: was JSON asked for all the same? */
static void find_json(struct hw_call *call, int argc, char **argv)
{
    const struct hw_option *json = hw_program_option(call->program, "json");

    for (int i = 1; json && i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") != 0)
            continue;
        (void)hw_vector_push(&call->options, (struct hw_given_option) { json, NULL });
        return;
    }
}

int hw_main(const struct hw_program *program, int argc, char **argv)
{
    struct hw_call call = { .program = program, .out = stdout, .err = stderr };
    struct hw_error error = { 0 };
    int status;

    /* a connection or pipe that the other end closed is an error to report, not a death */
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        (void)printf("%s %s\n", program->name, PACKAGE_VERSION);
        return finish(&call, 0);
    }
    if (hw_call_parse(program, argc > 0 ? argc - 1 : 0, argv + 1, &call, &error) < 0) {
        find_json(&call, argc, argv);
        status = hw_fail(&call, &error);
        hw_call_free(&call);
        return status;
    }
    call.out = stdout;
    call.err = stderr;
    status = call.wants_help ? show_help(&call) : call.verb->run(&call);
    status = finish(&call, status);
    hw_call_free(&call);
    return status;
}
