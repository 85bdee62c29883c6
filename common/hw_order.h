/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An order on a control socket: one JSON object a line, with "command" and, if its answer shall be
 * told from others, "id". Values that are not exactly what is wanted are refused by name, so that a
 * misspelt order never half works.
 */
#ifndef HW_ORDER_H
#define HW_ORDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"

enum { HW_ORDER_BYTES = 4096 }; /* a longer line is refused */

/*
 * Read one line (without its end); `remedy` is what a message of kind HW_ERROR_USAGE says to do,
 * such as "see hawser-lun(8)". 0 with the object, the caller's, whose "command" is a text; or
 * -EINVAL. `ret_id` is the id, the caller's too, or NULL; it is set in either case.
 */
int hw_order_read(const char *line, size_t bytes, const char *remedy, json_t **ret_object,
                  json_t **ret_id, struct hw_error *error);
/* The "command" of an object that was read. */
const char *hw_order_command(const json_t *object);
/* Is this key "command" or "id", which every order may have? */
bool hw_order_is_common(const char *key);

/* The number, from `least` to `most`, that `key` has. 0 or -EINVAL with the message. */
int hw_order_number(const json_t *value, const char *key, uint64_t least, uint64_t most,
                    const char *remedy, uint64_t *ret_number, struct hw_error *error);
/* The same of true or false. */
int hw_order_flag(const json_t *value, const char *key, const char *remedy, bool *ret_flag,
                  struct hw_error *error);

#endif
