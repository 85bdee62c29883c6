/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_call: a command line is parsed against tables of the test's own, of each shape; what is
 * wrong is refused as wrong usage; no memory is a failure that leaks nothing.
 */
#include <config.h>

#include "common/hw_call.h"

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static const struct hw_option tree_options[] = {
    { .name = "size", .argument = "N", .help = "size" },
    { .name = "side", .argument = "S", .help = "side" },
    { .name = "leaf", .argument = "L", .help = "leaf", .repeats = true },
    { .name = "dry", .help = "dry" },
    { .name = NULL },
};

static const struct hw_verb tree_verbs[] = {
    { .path = "tree plant", .arguments = "PLACE [NAME]", .options = tree_options },
    { .path = "tree prune", .arguments = "NAME..." },
    { .path = "tree pl" },
    { .path = NULL },
};

static const struct hw_verb train_verbs[] = { { .path = "train run" }, { .path = NULL } };

static const struct hw_group groups[] = {
    { .name = "tree", .verbs = tree_verbs },
    { .name = "train", .verbs = train_verbs },
    { .name = NULL },
};

static const struct hw_option common_options[] = {
    { .name = "help", .help = "help" },
    { .name = "json", .help = "json" },
    { .name = NULL },
};

static const struct hw_program grouped = { .name = "grow",
                                           .groups = groups,
                                           .common_options = common_options };
static const struct hw_verb flat_verbs[] = { { .path = "run", .arguments = "WHAT" },
                                             { .path = "rest" },
                                             { .path = NULL } };
static const struct hw_program flat = { .name = "flat",
                                        .verbs = flat_verbs,
                                        .common_options = common_options };
static const struct hw_verb plain_verbs[] = {
    { .path = "", .arguments = "[WHERE]", .options = tree_options }, { .path = NULL }
};
static const struct hw_program plain = { .name = "plain",
                                         .verbs = plain_verbs,
                                         .common_options = common_options };

enum { MOST_WORDS = 12 };

/* Parse a line of words parted by single spaces; `buffer` holds the words while call lives. */
static int parse_for(const struct hw_program *program, const char *line, char buffer[256],
                     struct hw_call *call, struct hw_error *error)
{
    char *words[MOST_WORDS];
    int count = 0;
    char *rest = NULL;

    (void)snprintf(buffer, 256, "%s", line);
    for (char *w = strtok_r(buffer, " ", &rest); w && count < MOST_WORDS;
         w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    return hw_call_parse(program, count, words, call, error);
}

static int parse(const char *line, char buffer[256], struct hw_call *call, struct hw_error *error)
{
    return parse_for(&grouped, line, buffer, call, error);
}

static void finds_verbs_without_groups(void)
{
    struct hw_call call = { 0 };
    struct hw_error error = { 0 };
    char buffer[256];

    CU_ASSERT_EQUAL(parse_for(&flat, "ru it --json", buffer, &call, &error), 0);
    CU_ASSERT_PTR_EQUAL(call.verb, &flat_verbs[0]);
    CU_ASSERT_STRING_EQUAL(hw_argument(&call, 0), "it");
    CU_ASSERT_TRUE(hw_option_given(&call, "json"));
    hw_call_free(&call);
    CU_ASSERT_EQUAL(parse_for(&flat, "r it", buffer, &call, &error), -EINVAL);
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(parse_for(&flat, "walk", buffer, &call, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.remedy, "see flat --help");
    CU_ASSERT_EQUAL(parse_for(&flat, "", buffer, &call, &error), 0);
    CU_ASSERT_TRUE(call.wants_help);
    hw_call_free(&call);
}

static void takes_programs_of_one_thing(void)
{
    struct hw_call call = { 0 };
    struct hw_error error = { 0 };
    char buffer[256];

    CU_ASSERT_EQUAL(parse_for(&plain, "", buffer, &call, &error), 0);
    CU_ASSERT_PTR_EQUAL(call.verb, &plain_verbs[0]);
    CU_ASSERT_FALSE(call.wants_help);
    hw_call_free(&call);
    CU_ASSERT_EQUAL(parse_for(&plain, "here --size 3", buffer, &call, &error), 0);
    CU_ASSERT_STRING_EQUAL(hw_option_value(&call, "size", 0), "3");
    CU_ASSERT_STRING_EQUAL(hw_argument(&call, 0), "here");
    hw_call_free(&call);
    CU_ASSERT_EQUAL(parse_for(&plain, "here there", buffer, &call, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.reason, "one argument too many for plain");
    CU_ASSERT_EQUAL(parse_for(&plain, "--help", buffer, &call, &error), 0);
    CU_ASSERT_TRUE(call.wants_help);
    hw_call_free(&call);
}

static void finds_verbs(void)
{
    static const struct {
        const char *line, *path;
    } expected[] = {
        { "tree plant here", "tree plant" },
        { "tre pla here", "tree plant" },
        { "tree pl", "tree pl" }, /* a whole word wins over a beginning */
        { "tra r", "train run" },
        { "tree pr x y z", "tree prune" },
        { "tree --dry plant here", NULL }, /* options of a verb come after it */
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct hw_call call = { 0 };
        struct hw_error error = { 0 };
        char buffer[256];
        int rc = parse(expected[i].line, buffer, &call, &error);

        CU_ASSERT_EQUAL(rc, expected[i].path ? 0 : -EINVAL);
        if (rc == 0 && expected[i].path) {
            CU_ASSERT_PTR_NOT_NULL_FATAL(call.verb);
            CU_ASSERT_STRING_EQUAL(call.verb->path, expected[i].path);
        }
        hw_call_free(&call);
    }
}

static void takes_arguments_and_options(void)
{
    struct hw_call call = { 0 };
    struct hw_error error = { 0 };
    char buffer[256];

    CU_ASSERT_EQUAL_FATAL(
        parse("tree plant --size 7 here --leaf=a --le b --js -- --dry", buffer, &call, &error), 0);
    CU_ASSERT_STRING_EQUAL(hw_option_value(&call, "size", 0), "7");
    CU_ASSERT_STRING_EQUAL(hw_option_value(&call, "leaf", 0), "a");
    CU_ASSERT_STRING_EQUAL(hw_option_value(&call, "leaf", 1), "b");
    CU_ASSERT_PTR_NULL(hw_option_value(&call, "leaf", 2));
    CU_ASSERT_PTR_NULL(hw_option_value(&call, "side", 0));
    CU_ASSERT_TRUE(hw_option_given(&call, "json"));
    CU_ASSERT_FALSE(hw_option_given(&call, "dry"));
    CU_ASSERT_STRING_EQUAL(hw_argument(&call, 0), "here");
    CU_ASSERT_STRING_EQUAL(hw_argument(&call, 1), "--dry");
    CU_ASSERT_PTR_NULL(hw_argument(&call, 2));
    hw_call_free(&call);
}

static void stops_for_help(void)
{
    static const struct {
        const char *line;
        bool has_group, has_verb, asked;
    } expected[] = {
        { "", false, false, false },
        { "--help", false, false, true },
        { "tree", true, false, false },
        { "tree --help", true, false, true },
        { "tree plant --help", true, true, true },
        { "-h", false, false, true },
        { "help", false, false, true },
        { "help tree", true, false, true },
        { "help tree plant", true, true, true },
        { "tree help", true, false, true },
        { "tree help plant", true, true, true },
        { "tree plant -h", true, true, true },
        { "help --help", false, false, true },
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct hw_call call = { 0 };
        struct hw_error error = { 0 };
        char buffer[256];

        CU_ASSERT_EQUAL_FATAL(parse(expected[i].line, buffer, &call, &error), 0);
        CU_ASSERT_TRUE(call.wants_help);
        CU_ASSERT_EQUAL(call.group != NULL, expected[i].has_group);
        CU_ASSERT_EQUAL(call.verb != NULL, expected[i].has_verb);
        CU_ASSERT_EQUAL(hw_option_given(&call, "help"), expected[i].asked);
        hw_call_free(&call);
    }
}

/* Behind a verb "help" may be a file's name; of a program that is one verb it is asked for. */
static void tells_help_from_a_name(void)
{
    struct hw_call call = { 0 };
    struct hw_error error = { 0 };
    char buffer[256];

    CU_ASSERT_EQUAL_FATAL(parse("tree plant help", buffer, &call, &error), 0);
    CU_ASSERT_FALSE(call.wants_help);
    CU_ASSERT_STRING_EQUAL(hw_argument(&call, 0), "help");
    hw_call_free(&call);
    CU_ASSERT_EQUAL_FATAL(parse("tree plant -- -h", buffer, &call, &error), 0);
    CU_ASSERT_FALSE(call.wants_help);
    hw_call_free(&call);
    CU_ASSERT_EQUAL_FATAL(parse_for(&plain, "help", buffer, &call, &error), 0);
    CU_ASSERT_TRUE(call.wants_help);
    hw_call_free(&call);
}

static void refuses_what_is_wrong(void)
{
    static const struct {
        const char *line, *message;
    } expected[] = {
        { "bush", "bush: no such verb; see grow --help" },
        { "tr", "tr: could be tree or train; give more letters" },
        { "tree p", "p: could be plant or prune; give more letters" },
        { "tree dance", "dance: grow tree has no such verb; see grow --help" },
        { "tree plant", "tree plant: wants PLACE [NAME]; see --help" },
        { "tree plant a b c", "c: one argument too many for grow tree plant; see --help" },
        { "tree plant a --si 1", "--si: could be size or side; give more letters" },
        { "tree plant a --root", "--root: no such option; see --help" },
        { "tree prune a --dry", "--dry: no such option; see --help" },
        { "tree plant a --size", "--size: wants a value: N; see --help" },
        { "tree plant a --dry=1", "--dry=1: this option takes no value; leave it out" },
        { "tree plant a --dry --dry", "--dry: --dry is given twice; give it once" },
        { "tree plant a -d", "-d: options begin with two dashes; see --help" },
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct hw_call call = { 0 };
        struct hw_error error = { 0 };
        char buffer[256], line[HW_ERROR_LINE_BYTES];

        CU_ASSERT_EQUAL(parse(expected[i].line, buffer, &call, &error), -EINVAL);
        (void)hw_error_line(&error, line, sizeof(line));
        CU_ASSERT_STRING_EQUAL(line, expected[i].message);
        CU_ASSERT_EQUAL(hw_error_exit_status(&error), 2);
        CU_ASSERT_PTR_NULL(call.arguments.items); /* nothing handed out */
    }
}

static void survives_failed_allocations(void)
{
    for (unsigned n = 0;; n++) {
        struct hw_call call = { 0 };
        struct hw_error error = { 0 };
        char buffer[256];
        int rc;

        fail_alloc_arm(n);
        rc = parse("tree plant a b --size 1 --dry", buffer, &call, &error);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT_TRUE(n >= 2);
            hw_call_free(&call);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_EQUAL(hw_error_exit_status(&error), 1);
        CU_ASSERT_PTR_NULL(call.arguments.items);
    }
}

const struct unit_case unit_cases[] = {
    { "verbs are found by word or beginning", finds_verbs },
    { "arguments and options in any order", takes_arguments_and_options },
    { "help is asked for, or words stop early", stops_for_help },
    { "help, or a name", tells_help_from_a_name },
    { "wrong usage is refused with one clear line", refuses_what_is_wrong },
    { "no memory is a failure that leaves nothing", survives_failed_allocations },
    { "a program whose verbs have no groups", finds_verbs_without_groups },
    { "a program that does one thing", takes_programs_of_one_thing },
    { 0 },
};
