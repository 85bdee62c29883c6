/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hawser command: finds the verb, shows help or runs it. What verbs do is in cmd_*.c.
 */
#include <config.h>

#include "cli/call.h"
#include "cli/help.h"

#include <signal.h>
#include <string.h>

/* Help was asked for, or the words stop before a verb: the second is wrong usage. */
static int show_help(const struct cli_call *call)
{
    bool asked = cli_option_given(call, "help");
    FILE *out = asked ? call->out : call->err;

    if (call->verb)
        cli_help_verb(out, call->verb);
    else if (call->group)
        cli_help_group(out, call->group);
    else
        cli_help_all(out, cli_groups);
    return asked ? 0 : HW_ERROR_USAGE;
}

/* Output that did not arrive is a failure: `hawser lun list >/dev/full` must not say 0. */
static int finish(const struct cli_call *call, int status)
{
    struct hw_error error = { 0 };

    if (fflush(call->out) == 0 && !ferror(call->out))
        return status;
    if (status != 0)
        return status;
    (void)hw_error_set(&error, HW_ERROR_FAILED, 0, "standard output", "could not be written",
                       "see where it goes to");
    return cli_fail(call, &error);
}

int main(int argc, char **argv)
{
    struct cli_call call = { .out = stdout, .err = stderr };
    struct hw_error error = { 0 };
    int status;

    /* a connection or pipe that the other end closed is an error to report, not a death */
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        (void)puts(PACKAGE_STRING);
        return finish(&call, 0);
    }
    if (cli_call_parse(cli_groups, argc > 0 ? argc - 1 : 0, argv + 1, &call, &error) < 0)
        return cli_fail(&call, &error);
    status = call.wants_help ? show_help(&call) : call.verb->run(&call);
    status = finish(&call, status);
    cli_call_free(&call);
    return status;
}
