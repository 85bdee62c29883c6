/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli/words and the verb tables themselves (cli/verbs, cli/verbs_lun): ranges of arguments, and
 * that each table keeps the rules the parser and the pages rely on.
 */
#include <config.h>

#include "cli/words.h"

#include "tests/unit/unit.h"

#include <ctype.h>
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
        struct cli_verb verb = { .path = "a b", .arguments = expected[i].arguments };
        struct cli_argument_range range = cli_verb_argument_range(&verb);

        CU_ASSERT_EQUAL(range.least, expected[i].least);
        CU_ASSERT_EQUAL(range.most, expected[i].most);
    }
}

static void names_a_verb(void)
{
    struct cli_verb verb = { .path = "lun claim" };

    CU_ASSERT_STRING_EQUAL(cli_verb_name(&verb), "claim");
    verb.path = "status";
    CU_ASSERT_STRING_EQUAL(cli_verb_name(&verb), "status");
}

/* A line of a table: not empty, no full stop at its end, starts in lower case. */
static void check_line(const char *text)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_TRUE_FATAL(text[0] != '\0');
    CU_ASSERT_FALSE(isupper((unsigned char)text[0]) && islower((unsigned char)text[1]));
    CU_ASSERT_NOT_EQUAL(text[strlen(text) - 1], '.');
    CU_ASSERT_PTR_NULL(strchr(text, '\n'));
}

static void check_options(const struct cli_option *options)
{
    for (const struct cli_option *option = options; option && option->name; option++) {
        CU_ASSERT_EQUAL(strspn(option->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(option->name));
        CU_ASSERT_NOT_EQUAL(option->name[0], '-');
        check_line(option->help);
        for (const struct cli_option *other = options; other != option; other++)
            CU_ASSERT_STRING_NOT_EQUAL(option->name, other->name);
        for (const struct cli_option *c = cli_common_options; c->name; c++)
            CU_ASSERT_TRUE(option->name == c->name || strcmp(option->name, c->name) != 0);
    }
}

static void tables_keep_the_rules(void)
{
    check_options(cli_common_options);
    for (const struct cli_group *group = cli_groups; group->name; group++) {
        check_line(group->summary);
        CU_ASSERT_PTR_NOT_NULL(group->text);
        for (const struct cli_verb *verb = group->verbs; verb->path; verb++) {
            size_t length = strlen(group->name);

            CU_ASSERT_EQUAL(strncmp(verb->path, group->name, length), 0);
            CU_ASSERT_EQUAL(verb->path[length], ' ');
            check_line(verb->summary);
            CU_ASSERT_PTR_NOT_NULL(verb->text);
            CU_ASSERT_PTR_NOT_NULL(verb->run);
            check_options(verb->options);
            for (const struct cli_verb *other = group->verbs; other != verb; other++)
                CU_ASSERT_STRING_NOT_EQUAL(verb->path, other->path);
        }
    }
}

static void exit_statuses_are_all_there(void)
{
    int expected = 0;

    for (const struct cli_exit_status *exit = cli_exit_statuses; exit->status >= 0; exit++)
        CU_ASSERT_EQUAL(exit->status, expected++);
    CU_ASSERT_EQUAL(expected, 6);
}

const struct unit_case unit_cases[] = {
    { "ranges of arguments", reads_argument_ranges },
    { "a verb's own name is its last word", names_a_verb },
    { "every table keeps the rules", tables_keep_the_rules },
    { "exit statuses 0 to 5 are all there", exit_statuses_are_all_there },
    { 0 },
};
