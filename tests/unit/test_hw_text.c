/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_text: what is no text is spelled.
 */
#include <config.h>

#include "common/hw_text.h"

#include "tests/unit/unit.h"

static void spells_what_is_no_text(void)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        { "", "" },
        { "a \\ \" b", "a \\ \" b" },
        { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
          "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
        { "a\xff"
          "b",
          "a\\xffb" },
        { "\xc3", "\\xc3" }, /* cut */
        { "\xe2\x82", "\\xe2\\x82" },
        { "\x80", "\\x80" },          /* continues nothing */
        { "\xc0\xaf", "\\xc0\\xaf" }, /* longer than it may be */
        { "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
        { "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* a surrogate */
        { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond the last */
        { "\xfb\xbf\xbf\xbf\xbf", "\\xfb\\xbf\\xbf\\xbf\\xbf" },
        { "\x1b[2J\n\x7f", "\\x1b[2J\\x0a\\x7f" },
        { "\xc2\x9b"
          "2J",
          "\\xc2\\x9b2J" }, /* the same in one character */
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *text = hw_text(cases[i].bytes);

        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT_STRING_EQUAL(json_string_value(text), cases[i].text);
        json_decref(text);
    }
}

const struct unit_case unit_cases[] = {
    { "what is no text is spelled", spells_what_is_no_text },
    { 0 },
};
