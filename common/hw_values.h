/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of options as people write them: numbers, sizes, durations. The text comes from a user:
 * anything but exactly what is described is refused, with the option's name in the message.
 */
#ifndef HW_VALUES_H
#define HW_VALUES_H

#include "common/hw_call.h"
#include "common/hw_error.h"

#include <stdint.h>

/* "17": decimal digits only. -EINVAL for another text, -ERANGE if it does not fit. */
int hw_parse_number(const char *text, uint64_t *ret_value);
/* "4096", "256K", "256M", "2G", "1T" (powers of 1024) in bytes. -EINVAL or -ERANGE. */
int hw_parse_size(const char *text, uint64_t *ret_bytes);
/* "500ms", "5s", "2m", "1h" in milliseconds; a number alone is seconds. -EINVAL or -ERANGE. */
int hw_parse_duration(const char *text, uint64_t *ret_ms);

/*
 * The path in "unix:PATH", 1 to 107 bytes (unix(7)), for as long as `text` lives. -EINVAL with a
 * message of kind HW_ERROR_USAGE that names `option`.
 */
int hw_parse_socket(const char *text, const char *option, const char **ret_path,
                    struct hw_error *error);

/*
 * The value of option `name`, from `least` to `most`. Where the option is not given, ret_value
 * keeps what the caller put there. -EINVAL with a message of kind HW_ERROR_USAGE.
 */
int hw_option_number(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                     uint64_t *ret_value, struct hw_error *error);
/* As hw_option_number(), a size in bytes. A number without a unit that is below 1 MiB is refused:
 * the unit was forgotten. */
int hw_option_size(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                   uint64_t *ret_bytes, struct hw_error *error);
/* As hw_option_number(), a duration in milliseconds. */
int hw_option_duration(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                       uint64_t *ret_ms, struct hw_error *error);

#endif
