/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsing a command line against the verb tables: first the words of the path, then arguments and
 * options in any order. Must not print and must not look at anything but its parameters.
 */
#include <config.h>

#include "common/hw_call.h"

#include "common/hw_words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int usage_error(struct hw_error *error, const char *object, const char *reason,
                       const char *remedy)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, object, reason, remedy);
}

/* Does `word` match `name`, wholly or by its beginning? */
static enum hw_match match_word(const char *word, size_t length, const char *name)
{
    size_t name_length = strcspn(name, " ");

    if (length > name_length || strncmp(word, name, length) != 0)
        return HW_MATCH_NONE;
    return length == name_length ? HW_MATCH_WHOLE : HW_MATCH_BEGINNING;
}

/* Keeps the best match seen so far; several beginnings are ambiguous unless one matches wholly. */
struct best_match {
    const void *found;
    enum hw_match match;
    bool is_ambiguous;
    const char *name;
    const char *other_name;
};

static void best_match_offer(struct best_match *best, enum hw_match match, const void *candidate,
                             const char *name)
{
    if (match == HW_MATCH_NONE || best->match == HW_MATCH_WHOLE)
        return;
    if (match == HW_MATCH_BEGINNING && best->match == HW_MATCH_BEGINNING) {
        best->other_name = best->is_ambiguous ? best->other_name : name;
        best->is_ambiguous = true;
        return;
    }
    *best = (struct best_match) { .found = candidate, .match = match, .name = name };
}

static int ambiguous(struct hw_error *error, const char *word, const struct best_match *best)
{
    return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, word, "give more letters",
                         "could be %s or %s", best->name, best->other_name);
}

static int no_such_verb(const struct hw_call *call, const char *word, struct hw_error *error)
{
    char remedy[64];

    (void)snprintf(remedy, sizeof(remedy), "see %s --help", call->program->name);
    if (!call->group)
        return usage_error(error, word, "no such verb", remedy);
    return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, word, remedy, "%s %s has no such verb",
                         call->program->name, call->group->name);
}

static int find_group(struct hw_call *call, const char *word, struct hw_error *error)
{
    struct best_match best = { 0 };

    for (const struct hw_group *group = call->program->groups; group->name; group++)
        best_match_offer(&best, match_word(word, strlen(word), group->name), group, group->name);
    if (best.is_ambiguous)
        return ambiguous(error, word, &best);
    if (!best.found)
        return no_such_verb(call, word, error);
    call->group = best.found;
    return 0;
}

static int find_verb(struct hw_call *call, const char *word, struct hw_error *error)
{
    const struct hw_verb *verbs = call->group ? call->group->verbs : call->program->verbs;
    struct best_match best = { 0 };

    for (const struct hw_verb *verb = verbs; verb->path; verb++) {
        const char *name = hw_verb_name(verb);

        best_match_offer(&best, match_word(word, strlen(word), name), verb, name);
    }
    if (best.is_ambiguous)
        return ambiguous(error, word, &best);
    if (!best.found)
        return no_such_verb(call, word, error);
    call->verb = best.found;
    return 0;
}

static void offer_options(struct best_match *best, const char *word, size_t length,
                          const struct hw_option *options)
{
    for (const struct hw_option *option = options; option && option->name; option++)
        best_match_offer(best, match_word(word, length, option->name), option, option->name);
}

/* Take the option at words[*at] and its value; `*at` ends at the last word used. */
static int take_option(struct hw_call *call, int count, char *const *words, int *at,
                       struct hw_error *error)
{
    const char *word = words[*at] + 2;
    size_t length = strcspn(word, "=");
    const char *value = word[length] == '=' ? word + length + 1 : NULL;
    struct best_match best = { 0 };
    const struct hw_option *option;

    offer_options(&best, word, length, call->verb ? call->verb->options : NULL);
    offer_options(&best, word, length, call->program->common_options);
    if (best.is_ambiguous)
        return ambiguous(error, words[*at], &best);
    if (!best.found)
        return usage_error(error, words[*at], "no such option", "see --help");
    option = best.found;
    if (!option->argument && value)
        return usage_error(error, words[*at], "this option takes no value", "leave it out");
    if (option->argument && !value) {
        if (*at + 1 >= count)
            return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, words[*at], "see --help",
                                 "wants a value: %s", option->argument);
        value = words[++*at];
    }
    if (!option->repeats && hw_option_given(call, option->name) &&
        strcmp(option->name, "help") != 0)
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, words[*at], "give it once",
                             "--%s is given twice", option->name);
    if (!strcmp(option->name, "help"))
        call->wants_help = true;
    return hw_vector_push(&call->options, (struct hw_given_option) { option, value });
}

/* As --help: the words "help" and "-h", wherever a hand may have written them. */
static int ask_for_help(struct hw_call *call)
{
    const struct hw_option *help = hw_program_option(call->program, "help");

    call->wants_help = true;
    return help ? hw_vector_push(&call->options, (struct hw_given_option) { help, NULL }) : 0;
}

/* "help" where a verb could stand asks for help, unless a verb of that name is there. */
static bool asks_for_help(const struct hw_call *call, const char *word)
{
    return strcmp(word, "help") == 0 && (call->verb == NULL || hw_program_is_plain(call->program));
}

/* Take one word that is no option: of the path, or an argument. */
static int take_word(struct hw_call *call, const char *word, struct hw_error *error)
{
    if (asks_for_help(call, word) && !call->wants_help)
        return ask_for_help(call);
    if (call->verb)
        return hw_vector_push(&call->arguments, word);
    if (call->program->groups && !call->group)
        return find_group(call, word, error);
    return find_verb(call, word, error);
}

/* Are there as many arguments as the verb's table says? */
static int check_arguments(const struct hw_call *call, struct hw_error *error)
{
    struct hw_argument_range range = hw_verb_argument_range(call->verb);

    if (call->arguments.count < range.least)
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL,
                             call->verb->path[0] ? call->verb->path : call->program->name,
                             "see --help", "wants %s", call->verb->arguments);
    if (call->arguments.count > range.most)
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, call->arguments.items[range.most],
                             "see --help", "one argument too many for %s%s%s", call->program->name,
                             call->verb->path[0] ? " " : "", call->verb->path);
    return 0;
}

static int parse_words(struct hw_call *call, int count, char *const *words, struct hw_error *error)
{
    bool takes_options = true;

    for (int at = 0; at < count; at++) {
        const char *word = words[at];
        int rc;

        if (takes_options && !strcmp(word, "--")) {
            takes_options = false;
            continue;
        }
        if (takes_options && !strcmp(word, "-h"))
            rc = ask_for_help(call);
        else if (takes_options && word[0] == '-' && word[1] == '-')
            rc = take_option(call, count, words, &at, error);
        else if (takes_options && word[0] == '-' && word[1] != '\0')
            rc = usage_error(error, word, "options begin with two dashes", "see --help");
        else
            rc = take_word(call, word, error);
        if (rc < 0)
            return rc;
    }
    if (!call->verb) {
        call->wants_help = true;
        return 0;
    }
    return call->wants_help ? 0 : check_arguments(call, error);
}

int hw_call_parse(const struct hw_program *program, int count, char *const *words,
                  struct hw_call *ret_call, struct hw_error *error)
{
    struct hw_call call = { .program = program };
    int rc;

    if (hw_program_is_plain(program))
        call.verb = program->verbs;
    rc = parse_words(&call, count, words, error);
    if (rc < 0) {
        hw_call_free(&call);
        return rc == -ENOMEM ? hw_error_set(error, HW_ERROR_FAILED, ENOMEM, program->name,
                                            "no memory left", "")
                             : rc;
    }
    *ret_call = call;
    return 0;
}

void hw_call_free(struct hw_call *call)
{
    hw_vector_free(&call->arguments);
    hw_vector_free(&call->options);
}

bool hw_option_given(const struct hw_call *call, const char *name)
{
    for (size_t i = 0; i < call->options.count; i++)
        if (!strcmp(call->options.items[i].option->name, name))
            return true;
    return false;
}

const char *hw_option_value(const struct hw_call *call, const char *name, size_t n)
{
    for (size_t i = 0; i < call->options.count; i++)
        if (!strcmp(call->options.items[i].option->name, name) && n-- == 0)
            return call->options.items[i].value;
    return NULL;
}

const char *hw_argument(const struct hw_call *call, size_t n)
{
    return n < call->arguments.count ? call->arguments.items[n] : NULL;
}
