/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making, copying and freeing objects of the state by their tables.
 */
#include <config.h>

#include "clusterd/core/core_object_priv.h"

#include "clusterd/core/core_state.h"

#include <errno.h>
#include <string.h>

static char *text_get(const char *field)
{
    char *text;

    memcpy(&text, field, sizeof(text));
    return text;
}

static int text_put(char *field, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return -ENOMEM;
    memcpy(field, &copy, sizeof(copy));
    return 0;
}

struct core_list core_list_get(const void *field)
{
    struct core_list list;

    memcpy(&list, field, sizeof(list));
    return list;
}

void core_list_put(void *field, const struct core_list *list)
{
    memcpy(field, list, sizeof(*list));
}

void core_object_free(const struct core_type *type, void *object)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct core_field *field = &type->fields[i];
        char *place = (char *)object + field->offset;

        if (field->kind == CORE_KIND_TEXT) {
            free(text_get(place));
        } else if (field->kind == CORE_KIND_ITEM) {
            core_object_free(field->type, place);
        } else if (field->kind == CORE_KIND_LIST) {
            struct core_list list = core_list_get(place);

            for (size_t k = 0; k < list.count; k++)
                core_object_free(field->type, list.items + k * field->type->bytes);
            free(list.items);
        }
    }
    memset(object, 0, type->bytes);
}

static int init_fields(const struct core_type *type, void *object)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < type->count; i++) {
        const struct core_field *field = &type->fields[i];
        char *place = (char *)object + field->offset;

        if (field->kind == CORE_KIND_TEXT)
            rc = text_put(place, "");
        else if (field->kind == CORE_KIND_ITEM)
            rc = init_fields(field->type, place);
    }
    return rc;
}

int core_object_init(const struct core_type *type, void *object)
{
    int rc;

    memset(object, 0, type->bytes);
    rc = init_fields(type, object);
    if (rc < 0)
        core_object_free(type, object);
    return rc;
}

int core_list_grow(const struct core_type *type, void *field, void **ret_item)
{
    struct core_list list = core_list_get(field);
    void *items = list.items;
    int rc;

    if (list.count >= CORE_LIST_MAX)
        return -ENOSPC;
    rc = hw_vector_reserve_raw(&items, &list.capacity, list.count + 1, type->bytes);
    list.items = items;
    core_list_put(field, &list);
    if (rc < 0)
        return rc;
    *ret_item = list.items + list.count * type->bytes;
    rc = core_object_init(type, *ret_item);
    if (rc < 0)
        return rc;
    list.count++;
    core_list_put(field, &list);
    return 0;
}

/* Replace the pointers in a copy of the struct's bytes by copies of what they point to. */
static int copy_fields(const struct core_type *type, const void *object, void *copy)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < type->count; i++) {
        const struct core_field *field = &type->fields[i];
        const char *from = (const char *)object + field->offset;
        char *to = (char *)copy + field->offset;

        if (field->kind == CORE_KIND_TEXT) {
            rc = text_put(to, text_get(from));
        } else if (field->kind == CORE_KIND_ITEM) {
            rc = copy_fields(field->type, from, to);
        } else if (field->kind == CORE_KIND_LIST) {
            struct core_list list = core_list_get(from);

            for (size_t k = 0; rc == 0 && k < list.count; k++) {
                struct core_list grown = core_list_get(to);
                void *items = grown.items;

                rc = hw_vector_reserve_raw(&items, &grown.capacity, list.count, field->type->bytes);
                grown.items = items;
                core_list_put(to, &grown);
                if (rc < 0)
                    break;
                rc = core_object_copy(field->type, list.items + k * field->type->bytes,
                                      grown.items + k * field->type->bytes);
                grown.count += rc == 0 ? 1 : 0;
                core_list_put(to, &grown);
            }
        } else {
            size_t bytes = field->kind == CORE_KIND_NAME   ? (size_t)CORE_NAME_BYTES
                           : field->kind == CORE_KIND_UUID ? (size_t)CORE_UUID_BYTES
                           : field->kind == CORE_KIND_U64  ? 8
                                                           : 4;

            memcpy(to, from, bytes);
        }
    }
    return rc;
}

int core_object_copy(const struct core_type *type, const void *object, void *ret_copy)
{
    int rc;

    memset(ret_copy, 0, type->bytes);
    rc = copy_fields(type, object, ret_copy);
    if (rc < 0)
        core_object_free(type, ret_copy);
    return rc;
}
