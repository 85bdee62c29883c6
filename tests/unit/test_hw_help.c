/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_help and common/hw_fail: what they print, for tables of the test's own.
 */
#include <config.h>

#include "common/hw_call.h"
#include "common/hw_help.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct hw_option options[] = {
    { .name = "size", .argument = "N", .help = "how large it gets" },
    { .name = "an-option-with-a-long-name", .argument = "VALUE", .help = "below it" },
    { .name = NULL },
};

static const struct hw_verb verbs[] = {
    { .path = "tree plant",
      .arguments = "PLACE",
      .summary = "put a tree into the ground",
      .text = "One paragraph that is long enough to be wrapped at the eightieth column of the "
              "page.\n\nAnother.",
      .example = "hawser tree plant garden",
      .options = options },
    { .path = NULL },
};

static const struct hw_group groups[] = {
    { .name = "tree", .summary = "trees", .text = "About trees.", .verbs = verbs },
    { .name = NULL },
};

static const struct hw_option common_options[] = {
    { .name = "help", .help = "print this text" },
    { .name = "json", .help = "print JSON" },
    { .name = NULL },
};

static const struct hw_program program = { .name = "hawser",
                                           .section = 1,
                                           .groups = groups,
                                           .common_options = common_options,
                                           .exit_statuses = hw_exit_statuses };

struct output {
    FILE *stream;
    char *text;
    size_t size;
};

static void output_open(struct output *output)
{
    output->text = NULL;
    output->stream = open_memstream(&output->text, &output->size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(output->stream);
}

/* The text written so far; free() it. */
static char *output_close(struct output *output)
{
    CU_ASSERT_EQUAL_FATAL(fclose(output->stream), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(output->text);
    return output->text;
}

static void shows_a_verb(void)
{
    static const char beginning[] =
        "usage: hawser tree plant PLACE [OPTION...]\n"
        "\n"
        "  hawser tree plant: put a tree into the ground.\n"
        "\n"
        "  One paragraph that is long enough to be wrapped at the eightieth column of the\n"
        "  page.\n"
        "\n"
        "  Another.\n"
        "\n"
        "Options:\n"
        "  --size N                how large it gets\n"
        "  --an-option-with-a-long-name VALUE\n"
        "                          below it\n"
        "  --help                  print this text\n";
    struct output output;
    char *text;

    output_open(&output);
    hw_help_verb(output.stream, &program, &verbs[0]);
    text = output_close(&output);
    CU_ASSERT_EQUAL(strncmp(text, beginning, strlen(beginning)), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Example:\n  hawser tree plant garden\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "3 refused"));
    free(text);
}

static void shows_groups(void)
{
    static const char line[] = "  tree plant PLACE        put a tree into the ground\n";
    struct output output;
    char *text;

    output_open(&output);
    hw_help_all(output.stream, &program);
    text = output_close(&output);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "tree: trees\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
    free(text);
    output_open(&output);
    hw_help_group(output.stream, &program, &groups[0]);
    text = output_close(&output);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  About trees.\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "See hawser-tree(1).\n"));
    free(text);
}

static void shows_programs_without_groups(void)
{
    static const struct hw_verb flat_verbs[] = {
        { .path = "run", .summary = "run it", .text = "T." }, { .path = NULL }
    };
    static const struct hw_verb plain_verbs[] = {
        { .path = "", .arguments = "PLACE", .summary = "does it", .text = "T." }, { .path = NULL }
    };
    struct hw_program shaped = program;
    struct output output;
    char *text;

    shaped.name = "flat";
    shaped.groups = NULL;
    shaped.verbs = flat_verbs;
    output_open(&output);
    hw_help_all(output.stream, &shaped);
    text = output_close(&output);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "usage: flat VERB... [--json] [OPTION...]\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  run                     run it\n"));
    free(text);
    shaped.name = "plain";
    shaped.verbs = plain_verbs;
    output_open(&output);
    hw_help_verb(output.stream, &shaped, &plain_verbs[0]);
    text = output_close(&output);
    CU_ASSERT_EQUAL(strncmp(text, "usage: plain PLACE [OPTION...]\n\n  plain: does it.\n", 49), 0);
    free(text);
}

/* What hw_fail() prints for this error, with or without --json. */
static int fail_with(bool json, char **ret_out, char **ret_err)
{
    struct hw_given_option given = { .option = &(struct hw_option) { .name = "json" } };
    struct output out, err;
    struct hw_call call = { .program = &program };
    struct hw_error error = { 0 };
    int status;

    output_open(&out);
    output_open(&err);
    call.out = out.stream;
    call.err = err.stream;
    call.options.items = &given;
    call.options.count = json ? 1 : 0;
    (void)hw_error_set(&error, HW_ERROR_REFUSED, EBUSY, "lun \"a\"", "owned", "wait");
    status = hw_fail(&call, &error);
    *ret_out = output_close(&out);
    *ret_err = output_close(&err);
    return status;
}

static void failures_end_in_one_line(void)
{
    char *out, *err;

    CU_ASSERT_EQUAL(fail_with(false, &out, &err), 3);
    CU_ASSERT_STRING_EQUAL(out, "");
    CU_ASSERT_STRING_EQUAL(err, "hawser: lun \"a\": owned; wait\n");
    free(out);
    free(err);
    CU_ASSERT_EQUAL(fail_with(true, &out, &err), 3);
    CU_ASSERT_STRING_EQUAL(out, "{\"error\":{\"kind\":\"refused\",\"object\":\"lun \\\"a\\\"\","
                                "\"reason\":\"owned\",\"remedy\":\"wait\"}}\n");
    CU_ASSERT_STRING_EQUAL(err, "hawser: lun \"a\": owned; wait\n");
    free(out);
    free(err);
}

const struct unit_case unit_cases[] = {
    { "a verb's help", shows_a_verb },
    { "help of groups lists the verbs", shows_groups },
    { "programs without groups", shows_programs_without_groups },
    { "a failure ends in one line, and in JSON if asked", failures_end_in_one_line },
    { 0 },
};
