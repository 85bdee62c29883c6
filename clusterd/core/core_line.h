/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of words, as configuration and commands are written: blanks part words, "..." keeps them
 * together (\" and \\ inside), a backslash at the end of a line continues it, # begins a comment
 * where a word could begin. Control characters are refused: what is printed is what was meant.
 */
#ifndef CORE_LINE_H
#define CORE_LINE_H

#include <stddef.h>

#include "common/hw_vector.h"

enum { CORE_LINE_WORD_MAX = 4096, CORE_LINE_WORDS_MAX = 4096 };

struct core_line {
    unsigned number;         /* of its first line in the text, from 1 */
    HW_VECTOR(char *) words; /* each owned */
};

/* Where reading goes on; begin with { text, size, 1 }. */
struct core_line_reader {
    const char *text;
    size_t left;
    unsigned number;
};

/*
 * The next line that has words. 0 with a line for core_line_free(); -ENOENT: no more; -EINVAL: a
 * quote that does not end, a control character or a stray backslash, in line reader->number;
 * -EFBIG; -ENOMEM. ret_line holds nothing on errors.
 */
int core_line_next(struct core_line_reader *reader, struct core_line *ret_line);
/* Give the words back. */
void core_line_free(struct core_line *line);

typedef HW_VECTOR(char) core_line_text; /* not ended by a zero byte */

/* Append `word` to `text`, in quotes if it needs them to be read as one word. 0 or -ENOMEM. */
int core_line_put(core_line_text *text, const char *word);
/* Append as it is. 0 or -ENOMEM. */
int core_line_put_raw(core_line_text *text, const char *bytes);

#endif
