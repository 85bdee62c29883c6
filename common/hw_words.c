/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Readings of the verb tables. Constants in, facts out.
 */
#include "common/hw_words.h"

#include <stdint.h>
#include <string.h>

const struct hw_exit_status hw_exit_statuses[] = {
    { 0, "done" },        { 1, "failed" },
    { 2, "wrong usage" }, { 3, "refused, for safety or by policy" },
    { 4, "not quorate" }, { 5, "timed out" },
    { -1, NULL },
};

const struct hw_option *hw_program_option(const struct hw_program *program, const char *name)
{
    for (const struct hw_option *option = program->common_options; option->name; option++)
        if (!strcmp(option->name, name))
            return option;
    return NULL;
}

const char *hw_verb_name(const struct hw_verb *verb)
{
    const char *space = strrchr(verb->path, ' ');

    return space ? space + 1 : verb->path;
}

struct hw_argument_range hw_verb_argument_range(const struct hw_verb *verb)
{
    struct hw_argument_range range = { 0, 0 };
    const char *at = verb->arguments ? verb->arguments : "";

    for (;;) {
        size_t length;

        at += strspn(at, " ");
        length = strcspn(at, " ");
        if (length == 0)
            return range;
        range.least += at[0] == '[' ? 0 : 1;
        if (range.most < SIZE_MAX)
            range.most++;
        for (size_t i = 0; i + 2 < length; i++)
            if (!strncmp(at + i, "...", 3))
                range.most = SIZE_MAX;
        at += length;
    }
}
