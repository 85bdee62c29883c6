/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the lab's owners speak: events as one JSON object a line on standard output, words by lines
 * on standard input, and the words that are for the guest.
 */
#ifndef LAB_WORDS_H
#define LAB_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "lab_guest.h"

/* {"event": "EVENT"FORMAT}: the format begins with its comma. */
void lab_say(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What a guest tells (lab_guest_init()), as events; the context is not used. */
void lab_say_guest(void *context, enum lab_guest_event event, uint64_t number, const char *why);

/* fill | flood | verify | write LBA COUNT SEQ: obeyed. False: no word for the guest. */
bool lab_words_for_guest(struct lab_guest *guest, const char *line);

struct lab_words {
    char buffer[4096]; /* longer than any word */
    size_t fill;
};

/* Whole lines of standard input, which does not block, to `obey`. False: it ended. */
bool lab_words_read(struct lab_words *words, void (*obey)(void *context, const char *line),
                    void *context);

#endif
