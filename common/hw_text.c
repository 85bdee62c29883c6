/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes to text that anybody may read. Pure.
 */
#include "config.h"

#include "common/hw_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cleanup.h"

enum { SPELLED_BYTES = 4 }; /* \xNN */

/* How long the character at `at` is (RFC 3629 4); 0: it is none, or a control character. The text
 * ends with a zero byte, which continues nothing. */
static size_t character_bytes(const uint8_t *at)
{
    uint32_t code = 0, least = 0;
    size_t bytes = 0;

    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f;
    if ((at[0] & 0xe0) == 0xc0)
        bytes = 2, code = at[0] & 0x1fU, least = 0xa0; /* 80h to 9Fh are controls */
    else if ((at[0] & 0xf0) == 0xe0)
        bytes = 3, code = at[0] & 0x0fU, least = 0x800;
    else if ((at[0] & 0xf8) == 0xf0)
        bytes = 4, code = at[0] & 0x07U, least = 0x10000;
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fU);
    }
    return code >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? bytes : 0;
}

json_t *hw_text(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    hw_auto_free char *out = malloc(strlen(text) * SPELLED_BYTES + 1);
    char *end = out;

    if (out == NULL)
        return NULL;
    while (*at != '\0') {
        size_t bytes = character_bytes(at);

        if (bytes > 0) {
            memcpy(end, at, bytes);
            end += bytes;
        } else {
            end += snprintf(end, SPELLED_BYTES + 1, "\\x%02x", (unsigned)*at);
            bytes = 1;
        }
        at += bytes;
    }
    return json_stringn(out, (size_t)(end - out));
}
