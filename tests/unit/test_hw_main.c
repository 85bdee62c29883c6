/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_main: version, help, wrong usage, the verb's own status, output that did not arrive.
 */
#include <config.h>

#include "common/hw_main.h"

#include "common/hw_call.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int speak(struct hw_call *call)
{
    (void)fprintf(call->out, "spoken\n");
    return (int)strtol(hw_argument(call, 0), NULL, 10);
}

static const struct hw_verb verbs[] = { { .path = "speak",
                                          .arguments = "STATUS",
                                          .summary = "say something",
                                          .text = "It speaks.",
                                          .run = speak },
                                        { .path = NULL } };
static const struct hw_option common_options[] = { { .name = "help", .help = "help" },
                                                   { .name = "json", .help = "JSON" },
                                                   { .name = NULL } };
static const struct hw_program program = { .name = "speaker",
                                           .section = 1,
                                           .verbs = verbs,
                                           .common_options = common_options,
                                           .exit_statuses = hw_exit_statuses };

static char output[4096];

/* Run it in a process of its own with these words; its status. Output to `out`, or into `output`.
 */
static int run(const char *out, const char *one, const char *two)
{
    char *argv[] = { (char *)(uintptr_t) "speaker", (char *)(uintptr_t)one, (char *)(uintptr_t)two,
                     NULL };
    int argc = one == NULL ? 1 : two == NULL ? 2 : 3, fds[2], status;
    size_t fill = 0;
    ssize_t got;
    pid_t child;

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        int fd = out != NULL ? open(out, O_WRONLY) : fds[1];

        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fds[1], STDERR_FILENO);
        (void)close(fds[0]);
        _exit(hw_main(&program, argc, argv));
    }
    (void)close(fds[1]);
    while ((got = read(fds[0], output + fill, sizeof(output) - 1 - fill)) > 0)
        fill += (size_t)got;
    output[fill] = '\0';
    (void)close(fds[0]);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void runs(void)
{
    CU_ASSERT_EQUAL(run(NULL, "speak", "0"), 0);
    CU_ASSERT_STRING_EQUAL(output, "spoken\n");
    CU_ASSERT_EQUAL(run(NULL, "speak", "3"), 3);
    CU_ASSERT_EQUAL(run(NULL, "--version", NULL), 0);
    CU_ASSERT_STRING_EQUAL(output, "speaker " PACKAGE_VERSION "\n");
}

static void tells_how_it_is_used(void)
{
    CU_ASSERT_EQUAL(run(NULL, "--help", NULL), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "usage: speaker VERB"));
    CU_ASSERT_EQUAL(run(NULL, "speak", "--help"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "usage: speaker speak STATUS"));
    CU_ASSERT_EQUAL(run(NULL, NULL, NULL), 2);
    CU_ASSERT_EQUAL(run(NULL, "sing", NULL), 2);
    CU_ASSERT_STRING_EQUAL(output, "speaker: sing: no such verb; see speaker --help\n");
}

/* Whoever reads JSON gets JSON, wherever the option stands among the wrong words. */
static void fails_in_json_too(void)
{
    static const char wanted[] = "{\"error\":{\"kind\":\"usage\",\"object\":\"sing\"";

    CU_ASSERT_EQUAL(run(NULL, "sing", "--json"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, wanted));
    CU_ASSERT_EQUAL(run(NULL, "--json", "sing"), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, wanted));
    CU_ASSERT_EQUAL(run(NULL, "sing", "--jsonx"), 2);
    CU_ASSERT_PTR_NULL(strstr(output, "{"));
}

static void notices_lost_output(void)
{
    CU_ASSERT_EQUAL(run("/dev/full", "speak", "0"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "speaker: standard output: could not be written"));
    CU_ASSERT_EQUAL(run("/dev/full", "speak", "3"), 3);
}

const struct unit_case unit_cases[] = {
    { "a verb's status is the program's", runs },
    { "help and wrong usage", tells_how_it_is_used },
    { "wrong usage in JSON", fails_in_json_too },
    { "output that did not arrive", notices_lost_output },
    { 0 },
};
