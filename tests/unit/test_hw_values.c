/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_values: numbers, sizes and durations, at their limits and beyond.
 */
#include <config.h>

#include "common/hw_values.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

struct expected_value {
    const char *text;
    int rc;
    uint64_t value;
};

static void check_all(int (*parse)(const char *text, uint64_t *ret_value),
                      const struct expected_value *expected)
{
    for (; expected->text; expected++) {
        uint64_t value = 4711;

        CU_ASSERT_EQUAL(parse(expected->text, &value), expected->rc);
        CU_ASSERT_EQUAL(value, expected->rc == 0 ? expected->value : 4711);
    }
}

static void parses_numbers(void)
{
    static const struct expected_value expected[] = {
        { "0", 0, 0 },
        { "007", 0, 7 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "99999999999999999999", -ERANGE, 0 },
        { "", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "0x10", -EINVAL, 0 },
        { "1.5", -EINVAL, 0 },
        { NULL, 0, 0 },
    };

    check_all(hw_parse_number, expected);
}

static void parses_sizes(void)
{
    static const struct expected_value expected[] = {
        { "512", 0, 512 },
        { "4K", 0, 4096 },
        { "256M", 0, UINT64_C(268435456) },
        { "2G", 0, UINT64_C(2147483648) },
        { "1T", 0, UINT64_C(1099511627776) },
        { "16777215T", 0, UINT64_C(16777215) << 40 },
        { "16777216T", -ERANGE, 0 },
        { "1k", -EINVAL, 0 },
        { "1MB", -EINVAL, 0 },
        { "M", -EINVAL, 0 },
        { NULL, 0, 0 },
    };

    check_all(hw_parse_size, expected);
}

static void parses_durations(void)
{
    static const struct expected_value expected[] = {
        { "5", 0, 5000 },    { "5s", 0, 5000 },     { "500ms", 0, 500 },
        { "2m", 0, 120000 }, { "1h", 0, 3600000 },  { "1d", -EINVAL, 0 },
        { "s", -EINVAL, 0 }, { "5 s", -EINVAL, 0 }, { NULL, 0, 0 },
    };

    check_all(hw_parse_duration, expected);
}

/* A call with `--NAME text`, as the parser would make it. */
static struct hw_call call_with(const struct hw_option *option, const char *text,
                                struct hw_given_option *ret_given)
{
    *ret_given = (struct hw_given_option) { option, text };
    return (struct hw_call) { .options = { .items = ret_given, .count = 1, .capacity = 1 } };
}

static void options_have_a_range(void)
{
    static const struct hw_option node = { .name = "node", .argument = "N" };
    static const struct {
        const char *text, *message;
        uint64_t value;
    } expected[] = {
        { "1", "", 1 },
        { "65535", "", 65535 },
        { "0", "--node: 0 is not within 1 to 65535; see --help", 9 },
        { "65536", "--node: 65536 is not within 1 to 65535; see --help", 9 },
        { "n1", "--node: \"n1\" is not a number; see --help", 9 },
        { "99999999999999999999",
          "--node: 99999999999999999999 is not within 1 to 65535; see --help", 9 },
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct hw_given_option given;
        struct hw_call call = call_with(&node, expected[i].text, &given);
        struct hw_error error = { 0 };
        char line[HW_ERROR_LINE_BYTES];
        uint64_t value = 9;
        int rc = hw_option_number(&call, "node", 1, 65535, &value, &error);

        (void)hw_error_line(&error, line, sizeof(line));
        CU_ASSERT_STRING_EQUAL(line, expected[i].message);
        CU_ASSERT_EQUAL(rc, expected[i].message[0] ? -EINVAL : 0);
        CU_ASSERT_EQUAL(value, expected[i].value);
        CU_ASSERT_EQUAL(hw_error_exit_status(&error), expected[i].message[0] ? 2 : 0);
    }
}

/* The bounds as they would be typed, with their unit. */
static void ranges_have_units(void)
{
    static const struct hw_option one = { .name = "x", .argument = "N" };
    struct hw_given_option given;
    struct hw_call call = call_with(&one, "9h", &given);
    struct hw_error error = { 0 };
    uint64_t value = 0;

    CU_ASSERT_EQUAL(hw_option_duration(&call, "x", 1, 3600000, &value, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.reason, "9h is not within 1ms to 1h");
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(hw_option_duration(&call, "x", 1500, 90000, &value, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.reason, "9h is not within 1500ms to 90s");
    hw_error_clear(&error);
    call = call_with(&one, "0", &given);
    CU_ASSERT_EQUAL(hw_option_size(&call, "x", 1, UINT64_C(64) << 40, &value, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.reason, "0 is not within 1 bytes to 64T");
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(hw_option_size(&call, "x", 1 << 20, 1536 << 10, &value, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.reason, "0 is not within 1M to 1536K");
}

/* Nobody means 64 bytes. */
static void sizes_want_a_unit(void)
{
    static const struct hw_option one = { .name = "x", .argument = "N" };
    static const struct {
        const char *text, *message;
    } expected[] = {
        { "64", "--x: 64 would be 64 bytes; name a unit, e.g. 64M" },
        { "1048575", "--x: 1048575 would be 1048575 bytes; name a unit, e.g. 64M" },
        { "1048576", "" },
        { "64K", "" },
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct hw_given_option given;
        struct hw_call call = call_with(&one, expected[i].text, &given);
        struct hw_error error = { 0 };
        char line[HW_ERROR_LINE_BYTES];
        uint64_t value = 0;
        int rc = hw_option_size(&call, "x", 1, UINT64_MAX, &value, &error);

        (void)hw_error_line(&error, line, sizeof(line));
        CU_ASSERT_STRING_EQUAL(line, expected[i].message);
        CU_ASSERT_EQUAL(rc, expected[i].message[0] ? -EINVAL : 0);
    }
}

static void options_keep_their_default(void)
{
    static const struct hw_option other = { .name = "other", .argument = "N" };
    struct hw_given_option given;
    struct hw_call call = call_with(&other, "5M", &given);
    struct hw_error error = { 0 };
    uint64_t value = 77;

    CU_ASSERT_EQUAL(hw_option_number(&call, "node", 1, 9, &value, &error), 0);
    CU_ASSERT_EQUAL(hw_option_duration(&call, "timeout", 1, 9, &value, &error), 0);
    CU_ASSERT_EQUAL(value, 77);
    CU_ASSERT_EQUAL(hw_option_size(&call, "other", 1, UINT64_MAX, &value, &error), 0);
    CU_ASSERT_EQUAL(value, UINT64_C(5242880));
}

const struct unit_case unit_cases[] = {
    { "numbers", parses_numbers },
    { "sizes", parses_sizes },
    { "durations", parses_durations },
    { "an option's value has a range", options_have_a_range },
    { "a range is told with its unit", ranges_have_units },
    { "a size wants a unit", sizes_want_a_unit },
    { "an option that is not given keeps its default", options_keep_their_default },
    { 0 },
};
