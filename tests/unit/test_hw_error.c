/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_error: the first message wins, long texts are cut at a character, the line is safe to
 * print, and the exit status is the command line's.
 */
#include <config.h>

#include "common/hw_error.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void makes_one_line(void)
{
    struct hw_error error = { 0 };
    char line[HW_ERROR_LINE_BYTES];
    size_t length;

    CU_ASSERT_EQUAL(hw_error_set(&error, HW_ERROR_REFUSED, EBUSY, "lun l1", "owned by node 2",
                                 "stop node 2 first"),
                    -EBUSY);
    length = hw_error_line(&error, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "lun l1: owned by node 2; stop node 2 first");
    CU_ASSERT_EQUAL(length, strlen(line));
}

static void leaves_out_what_is_empty(void)
{
    struct hw_error error = { 0 };
    char line[HW_ERROR_LINE_BYTES];

    (void)hw_error_set(&error, HW_ERROR_FAILED, EIO, NULL, "no answer", NULL);
    (void)hw_error_line(&error, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "no answer");
}

static void first_message_wins(void)
{
    struct hw_error error = { 0 };

    (void)hw_error_set(&error, HW_ERROR_REFUSED, EBUSY, "inner", "cause", "");
    CU_ASSERT_EQUAL(hw_error_setf(&error, HW_ERROR_FAILED, EIO, "outer", "", "%s", "effect"), -EIO);
    CU_ASSERT_STRING_EQUAL(error.object, "inner");
    CU_ASSERT_STRING_EQUAL(error.reason, "cause");
    CU_ASSERT_EQUAL(error.code, EBUSY);
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_NONE);
    (void)hw_error_setf(&error, HW_ERROR_FAILED, EIO, "outer", "", "%s %d", "effect", 7);
    CU_ASSERT_STRING_EQUAL(error.object, "outer");
    CU_ASSERT_STRING_EQUAL(error.reason, "effect 7");
}

static void works_without_a_struct(void)
{
    CU_ASSERT_EQUAL(hw_error_set(NULL, HW_ERROR_FAILED, ENOMEM, "o", "r", ""), -ENOMEM);
    CU_ASSERT_EQUAL(hw_error_setf(NULL, HW_ERROR_FAILED, 0, "o", "", "%s", "r"), -EIO);
}

/* The longest text that fits is kept, one byte more is cut. */
static void cuts_what_is_too_long(void)
{
    struct hw_error error = { 0 };
    char text[2 * HW_ERROR_TEXT_BYTES];

    memset(text, 'x', sizeof(text));
    text[HW_ERROR_TEXT_BYTES - 1] = '\0';
    (void)hw_error_set(&error, HW_ERROR_FAILED, EIO, text, text, text);
    CU_ASSERT_STRING_EQUAL(error.reason, text);
    CU_ASSERT_EQUAL(strlen(error.object), HW_ERROR_OBJECT_BYTES - 1);
    CU_ASSERT_STRING_EQUAL(error.object + HW_ERROR_OBJECT_BYTES - 4, "...");
    text[HW_ERROR_TEXT_BYTES - 1] = 'x';
    text[HW_ERROR_TEXT_BYTES] = '\0';
    hw_error_clear(&error);
    (void)hw_error_setf(&error, HW_ERROR_FAILED, EIO, "o", text, "%s", text);
    CU_ASSERT_EQUAL(strlen(error.reason), HW_ERROR_TEXT_BYTES - 1);
    CU_ASSERT_STRING_EQUAL(error.reason + HW_ERROR_TEXT_BYTES - 4, "...");
    CU_ASSERT_STRING_EQUAL(error.remedy + HW_ERROR_TEXT_BYTES - 4, "...");
}

/* Whatever the alignment of two-byte characters, none is cut in half. */
static void cuts_at_a_character(void)
{
    for (size_t shift = 0; shift < 2; shift++) {
        struct hw_error error = { 0 };
        char text[2 * HW_ERROR_TEXT_BYTES] = "x";
        size_t at = shift, end;

        for (; at + 2 < sizeof(text); at += 2)
            memcpy(text + at, "\xc3\xa9", 3);
        (void)hw_error_set(&error, HW_ERROR_FAILED, EIO, "o", text, "");
        end = strlen(error.reason) - 3;
        CU_ASSERT_STRING_EQUAL(error.reason + end, "...");
        CU_ASSERT_EQUAL((end - shift) % 2, 0);
        CU_ASSERT_EQUAL(memcmp(error.reason, text, end), 0);
    }
}

static void shows_control_characters(void)
{
    struct hw_error error = { 0 };
    char line[HW_ERROR_LINE_BYTES];

    (void)hw_error_set(&error, HW_ERROR_FAILED, EIO, "a\nb", "\x1b[31mred\x7f", "caf\xc3\xa9");
    (void)hw_error_line(&error, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "a?b: ?[31mred?; caf\xc3\xa9");
}

static void fits_any_line(void)
{
    struct hw_error error = { 0 };
    char whole[HW_ERROR_LINE_BYTES], line[64];
    size_t length;

    (void)hw_error_set(&error, HW_ERROR_FAILED, EIO, "object", "reason", "remedy");
    length = hw_error_line(&error, whole, sizeof(whole));
    for (size_t size = 0; size <= sizeof(line); size++) {
        size_t expected = size == 0 ? 0 : size - 1 < length ? size - 1 : length;

        memset(line, '#', sizeof(line));
        CU_ASSERT_EQUAL(hw_error_line(&error, line, size), expected);
        CU_ASSERT_EQUAL(memcmp(line, whole, expected), 0);
        if (size > 0)
            CU_ASSERT_EQUAL(line[expected], '\0');
        if (size < sizeof(line))
            CU_ASSERT_EQUAL(line[size], '#');
    }
}

static void exit_status_by_kind(void)
{
    static const struct {
        enum hw_error_kind kind;
        int status;
    } expected[] = {
        { HW_ERROR_NONE, 0 },    { HW_ERROR_FAILED, 1 },    { HW_ERROR_USAGE, 2 },
        { HW_ERROR_REFUSED, 3 }, { HW_ERROR_NO_QUORUM, 4 }, { HW_ERROR_TIMED_OUT, 5 },
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct hw_error error = { .kind = expected[i].kind };

        CU_ASSERT_EQUAL(hw_error_exit_status(&error), expected[i].status);
    }
}

const struct unit_case unit_cases[] = {
    { "object, reason and remedy make one line", makes_one_line },
    { "empty parts are left out", leaves_out_what_is_empty },
    { "the first message wins until cleared", first_message_wins },
    { "without a struct the code comes back", works_without_a_struct },
    { "long texts are cut and marked", cuts_what_is_too_long },
    { "texts are cut at a character boundary", cuts_at_a_character },
    { "control characters are shown as ?", shows_control_characters },
    { "a line of any size is terminated and not overrun", fits_any_line },
    { "exit status by kind", exit_status_by_kind },
    { 0 },
};
