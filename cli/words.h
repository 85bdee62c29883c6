/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small readings of the verb tables that the parser, the help text and the page generator share.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "cli/verb.h"

#include <stddef.h>

enum cli_match { CLI_MATCH_NONE, CLI_MATCH_BEGINNING, CLI_MATCH_WHOLE };

/* How many arguments a verb takes; `most` is SIZE_MAX for "...". */
struct cli_argument_range {
    size_t least;
    size_t most;
};

/* The last word of a verb's path: "claim" of "lun claim". */
const char *cli_verb_name(const struct cli_verb *verb);

/* Read the range from the verb's arguments text: "URL [FILE]" is 1 to 2. */
struct cli_argument_range cli_verb_argument_range(const struct cli_verb *verb);

#endif
