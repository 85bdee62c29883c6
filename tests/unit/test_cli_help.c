/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli/help and cli/fail: what they print, for tables of the test's own and for hawser's.
 */
#include <config.h>

#include "cli/call.h"
#include "cli/help.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option options[] = {
    { .name = "size", .argument = "N", .help = "how large it gets" },
    { .name = "an-option-with-a-long-name", .argument = "VALUE", .help = "below it" },
    { .name = NULL },
};

static const struct cli_verb verbs[] = {
    { .path = "tree plant",
      .arguments = "PLACE",
      .summary = "put a tree into the ground",
      .text = "One paragraph that is long enough to be wrapped at the eightieth column of the "
              "page.\n\nAnother.",
      .example = "hawser tree plant garden",
      .options = options },
    { .path = NULL },
};

static const struct cli_group groups[] = {
    { .name = "tree", .summary = "trees", .text = "About trees.", .verbs = verbs },
    { .name = NULL },
};

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
    cli_help_verb(output.stream, &verbs[0]);
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
    cli_help_all(output.stream, groups);
    text = output_close(&output);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "tree: trees\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
    free(text);
    output_open(&output);
    cli_help_group(output.stream, &groups[0]);
    text = output_close(&output);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  About trees.\n"));
    free(text);
}

static void keeps_to_eighty_columns(void)
{
    struct output output;
    char *text;

    output_open(&output);
    for (const struct cli_group *group = cli_groups; group->name; group++) {
        cli_help_group(output.stream, group);
        for (const struct cli_verb *verb = group->verbs; verb->path; verb++) {
            struct cli_verb without_example = *verb;

            without_example.example = NULL; /* a command line is never wrapped */
            cli_help_verb(output.stream, &without_example);
        }
    }
    cli_help_all(output.stream, cli_groups);
    text = output_close(&output);
    for (const char *at = text; *at != '\0'; at += strspn(at, "\n")) {
        size_t length = strcspn(at, "\n");

        CU_ASSERT_TRUE(length <= 80);
        at += length;
    }
    free(text);
}

/* What cli_fail() prints for this error, with or without --json. */
static int fail_with(bool json, char **ret_out, char **ret_err)
{
    struct cli_given_option given = { .option = &(struct cli_option) { .name = "json" } };
    struct output out, err;
    struct cli_call call = { 0 };
    struct hw_error error = { 0 };
    int status;

    output_open(&out);
    output_open(&err);
    call.out = out.stream;
    call.err = err.stream;
    call.options.items = &given;
    call.options.count = json ? 1 : 0;
    (void)hw_error_set(&error, HW_ERROR_REFUSED, EBUSY, "lun \"a\"", "owned", "wait");
    status = cli_fail(&call, &error);
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
    { "every help text keeps to 80 columns", keeps_to_eighty_columns },
    { "a failure ends in one line, and in JSON if asked", failures_end_in_one_line },
    { 0 },
};
