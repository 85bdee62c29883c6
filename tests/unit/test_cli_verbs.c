/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of words (cli/verbs, cli/verbs_lun): each keeps the rules that the parser and the
 * pages rely on, and its help keeps to 80 columns.
 */
#include <config.h>

#include "cli/verbs.h"

#include "common/hw_help.h"
#include "tests/unit/unit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A line of a table: not empty, no full stop at its end, starts in lower case. */
static void check_line(const char *text)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_TRUE_FATAL(text[0] != '\0');
    CU_ASSERT_FALSE(isupper((unsigned char)text[0]) && islower((unsigned char)text[1]));
    CU_ASSERT_NOT_EQUAL(text[strlen(text) - 1], '.');
    CU_ASSERT_PTR_NULL(strchr(text, '\n'));
}

static void check_options(const struct hw_program *program, const struct hw_option *options)
{
    for (const struct hw_option *option = options; option && option->name; option++) {
        CU_ASSERT_EQUAL(strspn(option->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(option->name));
        CU_ASSERT_NOT_EQUAL(option->name[0], '-');
        check_line(option->help);
        for (const struct hw_option *other = options; other != option; other++)
            CU_ASSERT_STRING_NOT_EQUAL(option->name, other->name);
        for (const struct hw_option *c = program->common_options; c->name; c++)
            CU_ASSERT_TRUE(option->name == c->name || strcmp(option->name, c->name) != 0);
    }
}

static void check_verbs(const struct hw_program *program, const struct hw_verb *verbs)
{
    for (const struct hw_verb *verb = verbs; verb && verb->path; verb++) {
        check_line(verb->summary);
        CU_ASSERT_PTR_NOT_NULL(verb->text);
        CU_ASSERT_PTR_NOT_NULL(verb->run);
        check_options(program, verb->options);
        for (const struct hw_verb *other = verbs; other != verb; other++)
            CU_ASSERT_STRING_NOT_EQUAL(verb->path, other->path);
    }
}

static void check_program(const struct hw_program *program)
{
    check_line(program->summary);
    check_options(program, program->common_options);
    CU_ASSERT_TRUE(program->section == 1 || program->section == 8);
    CU_ASSERT_PTR_NOT_NULL(program->exit_statuses);
    CU_ASSERT_NOT_EQUAL(program->groups == NULL, program->verbs == NULL);
    check_verbs(program, program->verbs);
    for (const struct hw_group *group = program->groups; group && group->name; group++) {
        check_line(group->summary);
        CU_ASSERT_PTR_NOT_NULL(group->text);
        check_verbs(program, group->verbs);
        for (const struct hw_verb *verb = group->verbs; verb->path; verb++) {
            size_t length = strlen(group->name);

            CU_ASSERT_EQUAL(strncmp(verb->path, group->name, length), 0);
            CU_ASSERT_EQUAL(verb->path[length], ' ');
        }
    }
}

static void tables_keep_the_rules(void)
{
    check_program(&cli_program);
}

/* Every help text of a program. */
static void write_help(FILE *out, const struct hw_program *program)
{
    for (const struct hw_group *group = program->groups; group && group->name; group++) {
        hw_help_group(out, program, group);
        for (const struct hw_verb *verb = group->verbs; verb->path; verb++) {
            struct hw_verb without_example = *verb;

            without_example.example = NULL; /* a command line is never wrapped */
            hw_help_verb(out, program, &without_example);
        }
    }
    hw_help_all(out, program);
}

static void keeps_to_eighty_columns(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    write_help(out, &cli_program);
    CU_ASSERT_EQUAL_FATAL(fclose(out), 0);
    for (const char *at = text; *at != '\0'; at += strspn(at, "\n")) {
        size_t length = strcspn(at, "\n");

        CU_ASSERT_TRUE(length <= 80);
        at += length;
    }
    free(text);
}

const struct unit_case unit_cases[] = {
    { "every table keeps the rules", tables_keep_the_rules },
    { "every help text keeps to 80 columns", keeps_to_eighty_columns },
    { 0 },
};
