/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_words: ranges of arguments, names of verbs, exit statuses.
 */
#include <config.h>

#include "common/hw_words.h"

#include "tests/unit/unit.h"

#include <stdint.h>
#include <string.h>

static void reads_argument_ranges(void)
{
    static const struct {
        const char *arguments;
        size_t least, most;
    } expected[] = {
        { NULL, 0, 0 },
        { "", 0, 0 },
        { "URL", 1, 1 },
        { "URL FILE", 2, 2 },
        { "URL [FILE]", 1, 2 },
        { "[URL]  [FILE]", 0, 2 },
        { "URL...", 1, SIZE_MAX },
        { "URL [NAME...]", 1, SIZE_MAX },
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct hw_verb verb = { .path = "a b", .arguments = expected[i].arguments };
        struct hw_argument_range range = hw_verb_argument_range(&verb);

        CU_ASSERT_EQUAL(range.least, expected[i].least);
        CU_ASSERT_EQUAL(range.most, expected[i].most);
    }
}

static void names_a_verb(void)
{
    struct hw_verb verb = { .path = "lun claim" };

    CU_ASSERT_STRING_EQUAL(hw_verb_name(&verb), "claim");
    verb.path = "status";
    CU_ASSERT_STRING_EQUAL(hw_verb_name(&verb), "status");
}

static void finds_an_option_of_every_verb(void)
{
    static const struct hw_option options[] = { { .name = "help" }, { .name = "json" }, { 0 } };
    static const struct hw_program program = { .common_options = options };

    CU_ASSERT_PTR_EQUAL(hw_program_option(&program, "json"), &options[1]);
    CU_ASSERT_PTR_NULL(hw_program_option(&program, "js"));
}

static void exit_statuses_are_all_there(void)
{
    int expected = 0;

    for (const struct hw_exit_status *exit = hw_exit_statuses; exit->status >= 0; exit++)
        CU_ASSERT_EQUAL(exit->status, expected++);
    CU_ASSERT_EQUAL(expected, 6);
}

const struct unit_case unit_cases[] = {
    { "ranges of arguments", reads_argument_ranges },
    { "a verb's own name is its last word", names_a_verb },
    { "an option of every verb is found by its name", finds_an_option_of_every_verb },
    { "exit statuses 0 to 5 are all there", exit_statuses_are_all_there },
    { 0 },
};
