/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recording an error and putting it into one line. Texts may carry bytes from a target or a
 * client: nothing here trusts them to be short, terminated in the middle of a character, or
 * printable. Must not print, log or allocate.
 */
#include <config.h>

#include "common/hw_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char cut_mark[] = "...";

/* Cut `text` so that it ends before `limit` bytes at a character boundary, with the cut mark. */
static void cut_at(char *text, size_t limit)
{
    size_t end = limit - sizeof(cut_mark);

    /* UTF-8 continuation bytes are 10xxxxxx: step back to where a character starts */
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    memcpy(text + end, cut_mark, sizeof(cut_mark));
}

static void copy_text(char *ret_text, size_t size, const char *text)
{
    size_t length = text ? strnlen(text, size) : 0;

    if (length < size) {
        if (length > 0)
            memcpy(ret_text, text, length);
        ret_text[length] = '\0';
        return;
    }
    memcpy(ret_text, text, size);
    cut_at(ret_text, size);
}

/* What a caller gets back whether or not there is a struct to fill. */
static int result_of(int code)
{
    return code > 0 ? -code : -EIO;
}

int hw_error_set(struct hw_error *error, enum hw_error_kind kind, int code, const char *object,
                 const char *reason, const char *remedy)
{
    if (error && error->kind == HW_ERROR_NONE) {
        error->kind = kind;
        error->code = code;
        copy_text(error->object, sizeof(error->object), object);
        copy_text(error->reason, sizeof(error->reason), reason);
        copy_text(error->remedy, sizeof(error->remedy), remedy);
    }
    return result_of(code);
}

int hw_error_setf(struct hw_error *error, enum hw_error_kind kind, int code, const char *object,
                  const char *remedy, const char *reason_format, ...)
{
    char reason[HW_ERROR_TEXT_BYTES];
    va_list arguments;
    int length;

    va_start(arguments, reason_format);
    length = vsnprintf(reason, sizeof(reason), reason_format, arguments);
    va_end(arguments);
    if (length < 0)
        return hw_error_set(error, kind, code, object, "the reason could not be put in words",
                            remedy);
    if ((size_t)length >= sizeof(reason))
        cut_at(reason, sizeof(reason));
    return hw_error_set(error, kind, code, object, reason, remedy);
}

void hw_error_clear(struct hw_error *error)
{
    *error = (struct hw_error) { .kind = HW_ERROR_NONE };
}

/* Append what fits of `text` at `at`, control characters as '?'. Returns the new end. */
static size_t append(char *line, size_t size, size_t at, const char *text)
{
    for (; *text != '\0' && at + 1 < size; text++) {
        unsigned char c = (unsigned char)*text;

        line[at++] = c < 0x20 || c == 0x7f ? '?' : *text;
    }
    return at;
}

size_t hw_error_line(const struct hw_error *error, char *line, size_t size)
{
    size_t at = 0;

    if (size == 0)
        return 0;
    if (error->object[0] != '\0') {
        at = append(line, size, at, error->object);
        at = append(line, size, at, ": ");
    }
    at = append(line, size, at, error->reason);
    if (error->remedy[0] != '\0') {
        at = append(line, size, at, "; ");
        at = append(line, size, at, error->remedy);
    }
    line[at] = '\0';
    return at;
}

const char *hw_error_kind_name(enum hw_error_kind kind)
{
    static const char *const names[] = {
        [HW_ERROR_NONE] = "none",           [HW_ERROR_FAILED] = "failed",
        [HW_ERROR_USAGE] = "usage",         [HW_ERROR_REFUSED] = "refused",
        [HW_ERROR_NO_QUORUM] = "no-quorum", [HW_ERROR_TIMED_OUT] = "timed-out",
    };

    return names[kind];
}

int hw_error_exit_status(const struct hw_error *error)
{
    return (int)error->kind;
}
