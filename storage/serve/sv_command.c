/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON to orders. jansson reads, with duplicates refused; each key is taken by name.
 */
#include "config.h"

#include "storage/serve/sv_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_pr.h"

static const char *const names[] = {
#define SV_COMMAND_NAME(name, word) word,
    SV_COMMANDS(SV_COMMAND_NAME)
#undef SV_COMMAND_NAME
};

const char *sv_command_name(enum sv_command_kind kind)
{
    return (unsigned)kind < SV_COMMAND_COUNT ? names[kind] : "?";
}

static int refuse(struct hw_error *error, const char *object, const char *reason)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, object, reason, "see hawser-lun(8)");
}

static int take_number(const json_t *value, const char *key, uint64_t least, uint64_t most,
                       uint64_t *ret_number, struct hw_error *error)
{
    const json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || (uint64_t)number < least ||
        (uint64_t)number > most)
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, key, "see hawser-lun(8)",
                             "is no number from %llu to %llu", (unsigned long long)least,
                             (unsigned long long)most);
    *ret_number = (uint64_t)number;
    return 0;
}

/* A key is a text, "0x" and up to 16 digits: JSON's numbers end at 2^53 for most who write them. */
static int take_key(const json_t *value, const char *name, uint64_t *ret_key,
                    struct hw_error *error)
{
    const char *text = json_string_value(value);
    char *end;

    if (text != NULL && strncmp(text, "0x", 2) == 0 && text[2] != '\0' && strlen(text) <= 18 &&
        strspn(text + 2, "0123456789abcdefABCDEF") == strlen(text + 2)) {
        *ret_key = strtoull(text + 2, &end, 16);
        return 0;
    }
    return refuse(error, name, "is no key such as \"0xc700000200000010\"");
}

static int take_flag(const json_t *value, const char *name, bool *ret_flag, struct hw_error *error)
{
    if (!json_is_boolean(value))
        return refuse(error, name, "is neither true nor false");
    *ret_flag = json_is_true(value);
    return 0;
}

static int take_acquire(const char *name, const json_t *value, struct sv_command *command,
                        struct hw_error *error)
{
    uint64_t number = 0;
    int rc;

    if (strcmp(name, "generation") == 0) {
        rc = take_number(value, name, 1, STO_GENERATION_MAX, &number, error);
        command->generation = (uint32_t)number;
    } else if (strcmp(name, "takeover") == 0) {
        rc = take_flag(value, name, &command->takeover, error);
    } else if (strcmp(name, "expected") == 0) {
        command->expected_set = true;
        rc = json_is_null(value) ? 0 : take_key(value, name, &command->expected, error);
    } else if (strcmp(name, "key") == 0) {
        rc = take_key(value, name, &command->key, error);
    } else {
        rc = refuse(error, name, "is no word of \"acquire\"");
    }
    return rc;
}

static int take_word(const char *name, const json_t *value, struct sv_command *command,
                     struct hw_error *error)
{
    uint64_t number = 0;
    int rc;

    if (strcmp(name, "command") == 0 || strcmp(name, "id") == 0)
        return 0;
    if (command->kind == SV_COMMAND_ACQUIRE)
        return take_acquire(name, value, command, error);
    if (command->kind == SV_COMMAND_HAND_OVER && strcmp(name, "node") == 0) {
        rc = take_number(value, name, 0, UINT16_MAX, &number, error);
        command->node = (uint16_t)number;
        return rc;
    }
    return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, name, "see hawser-lun(8)",
                         "is no word of \"%s\"", sv_command_name(command->kind));
}

static int take_kind(const json_t *object, struct sv_command *command, struct hw_error *error)
{
    const char *word = json_string_value(json_object_get(object, "command"));

    for (unsigned i = 0; word != NULL && i < SV_COMMAND_COUNT; i++) {
        if (strcmp(word, names[i]) == 0) {
            command->kind = (enum sv_command_kind)i;
            return 0;
        }
    }
    return refuse(error, word == NULL ? "command" : word,
                  word == NULL ? "is missing" : "is no order");
}

static int take_object(json_t *object, struct sv_command *command, struct hw_error *error)
{
    json_t *id = json_object_get(object, "id");
    const char *name;
    json_t *value;

    if (json_is_string(id) || json_is_integer(id))
        command->id = json_incref(id);
    else if (id != NULL)
        return refuse(error, "id", "is neither a text nor a whole number");
    if (take_kind(object, command, error) < 0)
        return -EINVAL;
    json_object_foreach(object, name, value)
    {
        if (take_word(name, value, command, error) < 0)
            return -EINVAL;
    }
    if (command->kind == SV_COMMAND_ACQUIRE && command->generation == 0 && command->key == 0)
        return refuse(error, "generation", "is missing");
    return 0;
}

int sv_command_parse(const char *line, size_t bytes, struct sv_command *ret_command,
                     struct hw_error *error)
{
    json_error_t where;
    json_t *object = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &where);
    int rc;

    memset(ret_command, 0, sizeof(*ret_command));
    if (!json_is_object(object))
        rc = hw_error_setf(error, HW_ERROR_USAGE, EINVAL, "order", "see hawser-lun(8)",
                           "is no JSON object on one line%s%s", object == NULL ? ": " : "",
                           object == NULL ? where.text : "");
    else
        rc = take_object(object, ret_command, error);
    json_decref(object);
    return rc;
}

void sv_command_clear(struct sv_command *command)
{
    json_decref(command->id);
    command->id = NULL;
}
