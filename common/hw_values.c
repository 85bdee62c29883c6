/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsing of option values. No sign, no space, no fraction, no other base; overflow is checked at
 * each step.
 */
#include <config.h>

#include "common/hw_values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* Read digits; `*text` ends behind them. */
static int parse_digits(const char **text, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *at = *text;

    if (*at < '0' || *at > '9')
        return -EINVAL;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return -ERANGE;
    *text = at;
    *ret_value = value;
    return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, uint64_t *ret_value)
{
    uint64_t value;
    int rc = parse_digits(&text, &value);

    if (rc < 0)
        return rc;
    for (; units->suffix; units++) {
        if (strcmp(text, units->suffix) != 0)
            continue;
        if (__builtin_mul_overflow(value, units->factor, &value))
            return -ERANGE;
        *ret_value = value;
        return 0;
    }
    return -EINVAL;
}

int hw_parse_number(const char *text, uint64_t *ret_value)
{
    static const struct unit units[] = { { "", 1 }, { NULL, 0 } };

    return parse_with_unit(text, units, ret_value);
}

int hw_parse_size(const char *text, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        { "", 1 },
        { "K", UINT64_C(1) << 10 },
        { "M", UINT64_C(1) << 20 },
        { "G", UINT64_C(1) << 30 },
        { "T", UINT64_C(1) << 40 },
        { NULL, 0 },
    };

    return parse_with_unit(text, units, ret_bytes);
}

int hw_parse_duration(const char *text, uint64_t *ret_ms)
{
    static const struct unit units[] = {
        { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 },
    };

    return parse_with_unit(text, units, ret_ms);
}

static int take_value(const struct hw_call *call, const char *name,
                      int (*parse)(const char *text, uint64_t *ret_value), const char *looks_like,
                      const uint64_t range[2], uint64_t *ret_value, struct hw_error *error)
{
    const char *text = hw_option_value(call, name, 0);
    char object[64];
    uint64_t value;
    int rc;

    if (!text)
        return 0;
    (void)snprintf(object, sizeof(object), "--%s", name);
    rc = parse(text, &value);
    if (rc == -EINVAL)
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, object, "see --help",
                             "\"%s\" is not %s", text, looks_like);
    if (rc < 0 || value < range[0] || value > range[1])
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, object, "see --help",
                             "%s is not within %" PRIu64 " to %" PRIu64, text, range[0], range[1]);
    *ret_value = value;
    return 0;
}

int hw_option_number(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                     uint64_t *ret_value, struct hw_error *error)
{
    return take_value(call, name, hw_parse_number, "a number", (uint64_t[2]) { least, most },
                      ret_value, error);
}

int hw_option_size(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                   uint64_t *ret_bytes, struct hw_error *error)
{
    return take_value(call, name, hw_parse_size, "a size such as 256M",
                      (uint64_t[2]) { least, most }, ret_bytes, error);
}

int hw_option_duration(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                       uint64_t *ret_ms, struct hw_error *error)
{
    return take_value(call, name, hw_parse_duration, "a time such as 5s or 500ms",
                      (uint64_t[2]) { least, most }, ret_ms, error);
}
