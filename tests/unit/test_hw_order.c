/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_order: lines that are orders, lines that are none, and values.
 */
#include <config.h>

#include "common/hw_order.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static json_t *object, *id;
static struct hw_error error;

static int parse(const char *line)
{
    object = NULL;
    hw_error_clear(&error);
    return hw_order_read(line, strlen(line), "see x(8)", &object, &id, &error);
}

static void forget(void)
{
    json_decref(object);
    json_decref(id);
}

static void reads_orders(void)
{
    CU_ASSERT_EQUAL(parse("{\"command\":\"quit\",\"id\":7,\"more\":[1]}"), 0);
    CU_ASSERT_STRING_EQUAL(hw_order_command(object), "quit");
    CU_ASSERT_EQUAL(json_integer_value(id), 7);
    CU_ASSERT_PTR_NOT_NULL(json_object_get(object, "more"));
    forget();
    CU_ASSERT_EQUAL(parse("{\"command\":\"quit\",\"id\":\"seven\"}"), 0);
    CU_ASSERT_STRING_EQUAL(json_string_value(id), "seven");
    forget();
    CU_ASSERT_EQUAL(parse("{\"command\":\"\"}"), 0);
    CU_ASSERT_PTR_NULL(id);
    forget();
    CU_ASSERT_TRUE(hw_order_is_common("id") && hw_order_is_common("command"));
    CU_ASSERT_FALSE(hw_order_is_common("node"));
}

static void refuses_what_is_none(void)
{
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "{}",
        "\"quit\"",
        "{\"command\":7}",
        "{\"command\":\"status\",\"command\":\"quit\"}",
        "{\"command\":\"status\",\"id\":[]}",
        "{\"command\":\"status\",\"id\":1.5}",
        "{\"command\":\"status\"} {\"command\":\"quit\"}",
        "{\"command\":\"\xff\"}",
    };

    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        CU_ASSERT_EQUAL(parse(lines[i]), -EINVAL);
        CU_ASSERT_EQUAL(error.kind, HW_ERROR_USAGE);
        CU_ASSERT_STRING_EQUAL(error.remedy, "see x(8)");
        CU_ASSERT_PTR_NULL(object);
        CU_ASSERT_PTR_NULL(id);
    }
    CU_ASSERT_EQUAL(parse("{\"id\":5}"), -EINVAL);
    CU_ASSERT_EQUAL(json_integer_value(id), 5); /* the answer finds its asker */
    forget();
}

static void reads_values(void)
{
    json_t *values = json_pack("[i, b, s, i, f]", 7, 1, "7", -1, 7.0);
    uint64_t number = 99;
    bool flag = false;

    CU_ASSERT_EQUAL(hw_order_number(json_array_get(values, 0), "n", 7, 7, "", &number, NULL), 0);
    CU_ASSERT_EQUAL(number, 7);
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(hw_order_number(json_array_get(values, 0), "n", 8, 9, "", &number, &error),
                    -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.reason, "is no number from 8 to 9");
    CU_ASSERT_EQUAL(hw_order_number(json_array_get(values, 0), "n", 0, 6, "", &number, NULL),
                    -EINVAL);
    for (unsigned i = 1; i < 5; i++)
        CU_ASSERT_EQUAL(
            hw_order_number(json_array_get(values, i), "n", 0, UINT64_MAX, "", &number, NULL),
            -EINVAL);
    CU_ASSERT_EQUAL(hw_order_flag(json_array_get(values, 1), "f", "", &flag, NULL), 0);
    CU_ASSERT_TRUE(flag);
    CU_ASSERT_EQUAL(hw_order_flag(json_array_get(values, 0), "f", "", &flag, NULL), -EINVAL);
    json_decref(values);
}

const struct unit_case unit_cases[] = {
    { "orders are read", reads_orders },
    { "what is no order is refused", refuses_what_is_none },
    { "values are what they are", reads_values },
    { 0 },
};
