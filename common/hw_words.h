/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small readings of the verb tables that the parser, the help text and the page generator share.
 */
#ifndef HW_WORDS_H
#define HW_WORDS_H

#include "common/hw_verb.h"

#include <stddef.h>

enum hw_match { HW_MATCH_NONE, HW_MATCH_BEGINNING, HW_MATCH_WHOLE };

/* How many arguments a verb takes; `most` is SIZE_MAX for "...". */
struct hw_argument_range {
    size_t least;
    size_t most;
};

/* The option `name` of every verb of the program, or NULL. */
const struct hw_option *hw_program_option(const struct hw_program *program, const char *name);

/* The last word of a verb's path: "claim" of "lun claim". */
const char *hw_verb_name(const struct hw_verb *verb);

/* Read the range from the verb's arguments text: "URL [FILE]" is 1 to 2. */
struct hw_argument_range hw_verb_argument_range(const struct hw_verb *verb);

#endif
