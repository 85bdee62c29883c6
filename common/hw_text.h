/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts of others (targets, paths, front ends) for JSON and for people. JSON is UTF-8 (RFC 8259
 * 8.1), and a terminal obeys control characters: what is neither is spelled.
 */
#ifndef HW_TEXT_H
#define HW_TEXT_H

#include <jansson.h>

/*
 * A JSON string of `text`: each byte of it that is no part of valid UTF-8, or a control character,
 * becomes \xNN. NULL: no memory. The caller's.
 */
json_t *hw_text(const char *text);

#endif
