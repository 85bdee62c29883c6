/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The owners' lines, in and out.
 */
#include "config.h"

#include "lab_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void lab_say(const char *event, const char *format, ...)
{
    va_list arguments;

    (void)printf("{\"event\": \"%s\"", event);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("}\n");
    (void)fflush(stdout);
}

void lab_say_guest(void *context, enum lab_guest_event event, uint64_t number, const char *why)
{
    (void)context;
    switch (event) {
    case LAB_GUEST_WRITTEN:
        lab_say("written", ", \"seq\": %" PRIu64, number);
        break;
    case LAB_GUEST_FILLED:
        lab_say("filled", ", \"blocks\": %" PRIu64, number);
        break;
    case LAB_GUEST_VERIFIED:
        lab_say("verified", ", \"foreign\": %" PRIu64, number);
        break;
    case LAB_GUEST_FAILED:
        lab_say("failed", ", \"seq\": %" PRIu64 ", \"reason\": \"%s\"", number, why);
        break;
    }
}

bool lab_words_for_guest(struct lab_guest *guest, const char *line)
{
    uint64_t lba, count, sequence;

    if (strcmp(line, "fill") == 0)
        lab_guest_fill(guest);
    else if (strcmp(line, "flood") == 0)
        lab_guest_flood(guest);
    else if (strcmp(line, "verify") == 0)
        lab_guest_verify(guest);
    else if (sscanf(line, "write %" SCNu64 " %" SCNu64 " %" SCNu64, &lba, &count, &sequence) == 3)
        lab_guest_write(guest, lba, count, sequence);
    else
        return false;
    return true;
}

bool lab_words_read(struct lab_words *words, void (*obey)(void *context, const char *line),
                    void *context)
{
    ssize_t got =
        read(STDIN_FILENO, words->buffer + words->fill, sizeof(words->buffer) - 1 - words->fill);
    char *newline;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0)
        return false;
    words->fill += (size_t)got;
    words->buffer[words->fill] = '\0';
    while ((newline = memchr(words->buffer, '\n', words->fill)) != NULL) {
        size_t taken = (size_t)(newline - words->buffer) + 1;

        *newline = '\0';
        obey(context, words->buffer);
        memmove(words->buffer, words->buffer + taken, words->fill - taken);
        words->fill -= taken;
    }
    if (words->fill == sizeof(words->buffer) - 1)
        words->fill = 0; /* no command is that long */
    return true;
}
