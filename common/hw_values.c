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

enum { BARE_BYTES_LEAST = 1024 * 1024, SOCKET_BYTES_MOST = 107 };

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

static const struct unit number_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit size_units[] = {
    { "", 1 },
    { "K", UINT64_C(1) << 10 },
    { "M", UINT64_C(1) << 20 },
    { "G", UINT64_C(1) << 30 },
    { "T", UINT64_C(1) << 40 },
    { NULL, 0 },
};
static const struct unit duration_units[] = {
    { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 },
};

int hw_parse_number(const char *text, uint64_t *ret_value)
{
    return parse_with_unit(text, number_units, ret_value);
}

int hw_parse_size(const char *text, uint64_t *ret_bytes)
{
    return parse_with_unit(text, size_units, ret_bytes);
}

int hw_parse_duration(const char *text, uint64_t *ret_ms)
{
    return parse_with_unit(text, duration_units, ret_ms);
}

/* One kind of value: how it is read, and how a bound of it is written. */
struct kind {
    int (*parse)(const char *text, uint64_t *ret_value);
    const struct unit *units;
    const char *looks_like, *alone; /* `alone` follows a bound that has no suffix */
    uint64_t unit_below;            /* a lesser number without a unit is a slip; 0: none is */
};

/* As it would be typed, in the largest unit that leaves no fraction. */
static const char *bound_text(uint64_t value, const struct kind *kind, char text[32])
{
    const struct unit *best = NULL;

    for (const struct unit *unit = kind->units; unit->suffix; unit++)
        if (unit->suffix[0] != '\0' && value >= unit->factor && value % unit->factor == 0 &&
            (best == NULL || unit->factor > best->factor))
            best = unit;
    (void)snprintf(text, 32, "%" PRIu64 "%s", best != NULL ? value / best->factor : value,
                   best != NULL ? best->suffix : kind->alone);
    return text;
}

static int take_value(const struct hw_call *call, const char *name, const struct kind *kind,
                      const uint64_t range[2], uint64_t *ret_value, struct hw_error *error)
{
    const char *text = hw_option_value(call, name, 0);
    char object[64], least[32], most[32];
    uint64_t value;
    int rc;

    if (!text)
        return 0;
    (void)snprintf(object, sizeof(object), "--%s", name);
    rc = kind->parse(text, &value);
    if (rc == -EINVAL)
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, object, "see --help",
                             "\"%s\" is not %s", text, kind->looks_like);
    if (rc == 0 && value > 0 && value < kind->unit_below &&
        text[strspn(text, "0123456789")] == '\0')
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, object, "name a unit, e.g. 64M",
                             "%s would be %" PRIu64 " bytes", text, value);
    if (rc < 0 || value < range[0] || value > range[1])
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, object, "see --help",
                             "%s is not within %s to %s", text, bound_text(range[0], kind, least),
                             bound_text(range[1], kind, most));
    *ret_value = value;
    return 0;
}

int hw_parse_socket(const char *text, const char *option, const char **ret_path,
                    struct hw_error *error)
{
    static const char prefix[] = "unix:";
    const char *path = text + sizeof(prefix) - 1;

    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, option, "is no unix:PATH",
                            "write unix: and the socket's path");
    if (path[0] == '\0' || strlen(path) > SOCKET_BYTES_MOST)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, option, "is no path of a unix socket",
                            "give one of 1 to 107 bytes, such as /run/web1.sock");
    *ret_path = path;
    return 0;
}

int hw_option_number(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                     uint64_t *ret_value, struct hw_error *error)
{
    static const struct kind kind = { hw_parse_number, number_units, "a number", "", 0 };

    return take_value(call, name, &kind, (uint64_t[2]) { least, most }, ret_value, error);
}

int hw_option_size(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                   uint64_t *ret_bytes, struct hw_error *error)
{
    static const struct kind kind = { hw_parse_size, size_units, "a size such as 256M", " bytes",
                                      BARE_BYTES_LEAST };

    return take_value(call, name, &kind, (uint64_t[2]) { least, most }, ret_bytes, error);
}

int hw_option_duration(const struct hw_call *call, const char *name, uint64_t least, uint64_t most,
                       uint64_t *ret_ms, struct hw_error *error)
{
    static const struct kind kind = { hw_parse_duration, duration_units,
                                      "a time such as 5s or 500ms", "ms", 0 };

    return take_value(call, name, &kind, (uint64_t[2]) { least, most }, ret_ms, error);
}
