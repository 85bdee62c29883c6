/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON to orders. jansson reads, with duplicates refused.
 */
#include "config.h"

#include "common/hw_order.h"

#include <errno.h>
#include <string.h>

static int refuse(struct hw_error *error, const char *object, const char *reason,
                  const char *remedy)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, object, reason, remedy);
}

static int check(const json_t *object, const char *remedy, json_t **ret_id, struct hw_error *error)
{
    json_t *id = json_object_get(object, "id");

    if (json_is_string(id) || json_is_integer(id))
        *ret_id = json_incref(id);
    else if (id != NULL)
        return refuse(error, "id", "is neither a text nor a whole number", remedy);
    if (hw_order_command(object) == NULL)
        return refuse(error, "command", "is missing", remedy);
    return 0;
}

int hw_order_read(const char *line, size_t bytes, const char *remedy, json_t **ret_object,
                  json_t **ret_id, struct hw_error *error)
{
    json_error_t where;
    json_t *object = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &where);
    int rc;

    *ret_id = NULL;
    if (!json_is_object(object))
        rc = hw_error_setf(error, HW_ERROR_USAGE, EINVAL, "order", remedy,
                           "is no JSON object on one line%s%s", object == NULL ? ": " : "",
                           object == NULL ? where.text : "");
    else
        rc = check(object, remedy, ret_id, error);
    if (rc < 0)
        json_decref(object);
    else
        *ret_object = object;
    return rc;
}

const char *hw_order_command(const json_t *object)
{
    return json_string_value(json_object_get(object, "command"));
}

bool hw_order_is_common(const char *key)
{
    return strcmp(key, "command") == 0 || strcmp(key, "id") == 0;
}

int hw_order_number(const json_t *value, const char *key, uint64_t least, uint64_t most,
                    const char *remedy, uint64_t *ret_number, struct hw_error *error)
{
    const json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || (uint64_t)number < least ||
        (uint64_t)number > most)
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, key, remedy,
                             "is no number from %llu to %llu", (unsigned long long)least,
                             (unsigned long long)most);
    *ret_number = (uint64_t)number;
    return 0;
}

int hw_order_flag(const json_t *value, const char *key, const char *remedy, bool *ret_flag,
                  struct hw_error *error)
{
    if (!json_is_boolean(value))
        return refuse(error, key, "is neither true nor false", remedy);
    *ret_flag = json_is_true(value);
    return 0;
}
