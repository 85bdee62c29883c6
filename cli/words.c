/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Readings of the verb tables. Constants in, facts out.
 */
#include "cli/words.h"

#include <stdint.h>
#include <string.h>

const char *cli_verb_name(const struct cli_verb *verb)
{
    const char *space = strrchr(verb->path, ' ');

    return space ? space + 1 : verb->path;
}

struct cli_argument_range cli_verb_argument_range(const struct cli_verb *verb)
{
    struct cli_argument_range range = { 0, 0 };
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
