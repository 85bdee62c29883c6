/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading and matching of fault rules.
 */
#include "config.h"

#include "storage/sto_fault_rules.h"

#include <errno.h>
#include <string.h>

enum { WORDS = 4, NS_PER_MS = 1000000, NS_PER_S = 1000000000, UA_DEFAULT = 0x2900 };

struct name {
    const char *text;
    int value;
};

static const struct name actions[] = {
    { "fail", STO_FAULT_FAIL },
    { "conflict", STO_FAULT_CONFLICT },
    { "busy", STO_FAULT_BUSY },
    { "abort", STO_FAULT_ABORT },
    { "readonly", STO_FAULT_READ_ONLY },
    { "nospace", STO_FAULT_NO_SPACE },
    { "ua", STO_FAULT_UNIT_ATTENTION },
    { "delay", STO_FAULT_DELAY },
    { "short", STO_FAULT_SHORT },
    { "torn", STO_FAULT_TORN },
    { "hang", STO_FAULT_HANG },
    { "lost", STO_FAULT_LOST },
    { "drop", STO_FAULT_DROP },
    { "dropafter", STO_FAULT_DROP_AFTER },
    { "kill", STO_FAULT_KILL },
    { "killafter", STO_FAULT_KILL_AFTER },
    { NULL, 0 },
};

static const struct name kinds[] = {
    { "login", STO_OP_LOGIN },
    { "logout", STO_OP_LOGOUT },
    { "read", STO_OP_READ },
    { "write", STO_OP_WRITE },
    { "flush", STO_OP_FLUSH },
    { "discard", STO_OP_DISCARD },
    { "zeroes", STO_OP_WRITE_ZEROES },
    { "caw", STO_OP_COMPARE_AND_WRITE },
    { "scsi", STO_OP_SCSI },
    { "lun-reset", STO_OP_LUN_RESET },
    { NULL, 0 },
};

struct word {
    const char *at;
    size_t size;
};

static bool word_is(struct word word, const char *text)
{
    return word.size == strlen(text) && memcmp(word.at, text, word.size) == 0;
}

static bool find(const struct name *names, struct word word, int *ret_value)
{
    for (; names->text != NULL; names++)
        if (word_is(word, names->text)) {
            *ret_value = names->value;
            return true;
        }
    return false;
}

/* Digits in `base` from the start of the word; false if there are none, or too many. */
static bool take_number(struct word *word, unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t at = 0;

    for (; at < word->size; at++) {
        char c = word->at[at];
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (base == 16 && c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else
            break;
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    if (at == 0)
        return false;
    word->at += at;
    word->size -= at;
    *ret_value = value;
    return true;
}

static bool parse_duration(struct word word, uint64_t *ret_ns)
{
    uint64_t value;
    uint64_t unit;

    if (!take_number(&word, 10, &value))
        return false;
    if (word_is(word, "ms"))
        unit = NS_PER_MS;
    else if (word_is(word, "s"))
        unit = NS_PER_S;
    else
        return false;
    return !__builtin_mul_overflow(value, unit, ret_ns) && *ret_ns <= INT64_MAX / 2;
}

/* `*`, `N`, `N-` or `N-M` */
static bool parse_which(struct word word, struct sto_fault_rule *rule)
{
    rule->first = 1;
    rule->last = UINT64_MAX;
    if (word_is(word, "*"))
        return true;
    if (!take_number(&word, 10, &rule->first) || rule->first == 0)
        return false;
    if (word.size == 0) {
        rule->last = rule->first;
        return true;
    }
    if (word.at[0] != '-')
        return false;
    word.at++;
    word.size--;
    if (word.size == 0)
        return true;
    return take_number(&word, 10, &rule->last) && word.size == 0 && rule->last >= rule->first;
}

static bool parse_argument(struct word word, struct sto_fault_rule *rule)
{
    switch (rule->action) {
    case STO_FAULT_DELAY:
        return parse_duration(word, &rule->argument);
    case STO_FAULT_TORN:
        return take_number(&word, 10, &rule->argument) && word.size == 0;
    case STO_FAULT_UNIT_ATTENTION:
        return word.size == 4 && take_number(&word, 16, &rule->argument) && word.size == 0;
    default:
        return false;
    }
}

static const char *parse_rule(const struct word *words, unsigned count, struct sto_fault_rule *rule)
{
    uint64_t duration;
    int value;

    memset(rule, 0, sizeof(*rule));
    if (!find(actions, words[0], &value))
        return "starts with no known action";
    rule->action = (enum sto_fault_action)value;
    rule->any_kind = count > 1 && (word_is(words[1], "any") || word_is(words[1], "*"));
    if (count < 2 || (!rule->any_kind && !find(kinds, words[1], &value)))
        return "names no known operation";
    if (!rule->any_kind)
        rule->kind = (enum sto_op_kind)value;
    rule->first = 1;
    rule->last = UINT64_MAX;
    rule->argument = rule->action == STO_FAULT_UNIT_ATTENTION ? UA_DEFAULT : 0;
    if (count == 3 && rule->action == STO_FAULT_DELAY && parse_duration(words[2], &duration)) {
        rule->argument = duration;
        return NULL;
    }
    if (count > 2 && !parse_which(words[2], rule))
        return "names the operations otherwise than by N, N-, N-M or *";
    if (count > 3 && !parse_argument(words[3], rule))
        return "has a wrong argument, or one too many";
    if (rule->argument == 0 && (rule->action == STO_FAULT_DELAY || rule->action == STO_FAULT_TORN))
        return "needs an argument";
    return NULL;
}

static const char *parse_text(struct word text, struct sto_fault_rule *rule)
{
    struct word words[WORDS];
    unsigned count = 0;

    for (;;) {
        const char *colon = memchr(text.at, ':', text.size);

        if (count == WORDS)
            return "has too many words";
        words[count].at = text.at;
        words[count].size = colon != NULL ? (size_t)(colon - text.at) : text.size;
        count++;
        if (colon == NULL)
            return parse_rule(words, count, rule);
        text.size -= (size_t)(colon + 1 - text.at);
        text.at = colon + 1;
    }
}

int sto_fault_parse(const char *text, struct sto_fault_rules *ret_rules, struct hw_error *error)
{
    struct sto_fault_rules rules = { 0 };

    while (*text != '\0') {
        struct word rule = { text, strcspn(text, "+") };
        const char *wrong = "is one rule too many";

        if (rules.count < STO_FAULT_RULES)
            wrong = parse_text(rule, &rules.rules[rules.count]);
        if (wrong != NULL)
            return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, "fault rules",
                                 "write ACTION:KIND[:WHICH[:ARGUMENT]], such as fail:write:3",
                                 "`%.*s` %s", (int)rule.size, rule.at, wrong);
        rules.count++;
        text += rule.size;
        if (*text == '+')
            text++;
    }
    *ret_rules = rules;
    return 0;
}

const struct sto_fault_rule *sto_fault_match(struct sto_fault_rules *rules, const struct sto_op *op)
{
    const struct sto_fault_rule *found = NULL;

    for (unsigned i = 0; i < rules->count; i++) {
        struct sto_fault_rule *rule = &rules->rules[i];

        if (!rule->any_kind && rule->kind != op->kind)
            continue;
        rule->seen++;
        if (found == NULL && rule->seen >= rule->first && rule->seen <= rule->last)
            found = rule;
    }
    return found;
}
