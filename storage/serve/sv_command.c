/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON to orders: each key is taken by name.
 */
#include "config.h"

#include "storage/serve/sv_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_order.h"
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
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, object, reason, SV_REMEDY);
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

static int take_acquire(const char *name, const json_t *value, struct sv_command *command,
                        struct hw_error *error)
{
    uint64_t number = 0;
    int rc;

    if (strcmp(name, "generation") == 0) {
        rc = hw_order_number(value, name, 1, STO_GENERATION_MAX, SV_REMEDY, &number, error);
        command->generation = (uint32_t)number;
    } else if (strcmp(name, "takeover") == 0) {
        rc = hw_order_flag(value, name, SV_REMEDY, &command->takeover, error);
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

    if (hw_order_is_common(name))
        return 0;
    if (command->kind == SV_COMMAND_ACQUIRE)
        return take_acquire(name, value, command, error);
    if (command->kind == SV_COMMAND_HAND_OVER && strcmp(name, "node") == 0) {
        rc = hw_order_number(value, name, 0, UINT16_MAX, SV_REMEDY, &number, error);
        command->node = (uint16_t)number;
        return rc;
    }
    return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, name, SV_REMEDY, "is no word of \"%s\"",
                         sv_command_name(command->kind));
}

static int take_kind(const json_t *object, struct sv_command *command, struct hw_error *error)
{
    const char *word = hw_order_command(object);

    for (unsigned i = 0; i < SV_COMMAND_COUNT; i++) {
        if (strcmp(word, names[i]) == 0) {
            command->kind = (enum sv_command_kind)i;
            return 0;
        }
    }
    return refuse(error, word, "is no order");
}

int sv_command_parse(json_t *object, struct sv_command *ret_command, struct hw_error *error)
{
    const char *name;
    json_t *value;

    memset(ret_command, 0, sizeof(*ret_command));
    if (take_kind(object, ret_command, error) < 0)
        return -EINVAL;
    json_object_foreach(object, name, value)
    {
        if (take_word(name, value, ret_command, error) < 0)
            return -EINVAL;
    }
    if (ret_command->kind == SV_COMMAND_ACQUIRE && ret_command->generation == 0 &&
        ret_command->key == 0)
        return refuse(error, "generation", "is missing");
    return 0;
}
