/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The replicated state as sorted lists of objects: find, add, remove, copy, free.
 */
#include <config.h>

#include "clusterd/core/core_state.h"

#include "clusterd/core/core_object_priv.h"

#include <errno.h>
#include <string.h>

void core_state_init(struct core_state *state)
{
    memset(state, 0, sizeof(*state));
}

void core_state_free(struct core_state *state)
{
    core_object_free(&core_state_type, state);
}

int core_state_copy(const struct core_state *state, struct core_state *ret_copy)
{
    return core_object_copy(&core_state_type, state, ret_copy);
}

int core_name_check(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
    size_t length = strspn(text, allowed);

    return length > 0 && length < CORE_NAME_BYTES && text[length] == '\0' ? 0 : -EINVAL;
}

int core_name_set(char field[CORE_NAME_BYTES], const char *text)
{
    if (text[0] != '\0' && core_name_check(text) < 0)
        return -EINVAL;
    /* to the field's end, so that equal states are equal bytes */
    memmove(field, text, strlen(text) + 1);
    memset(field + strlen(field), 0, CORE_NAME_BYTES - strlen(field));
    return 0;
}

int core_text_set(char **field, const char *text)
{
    char *copy;

    if (strlen(text) > CORE_TEXT_MAX)
        return -EINVAL;
    copy = strdup(text);
    if (copy == NULL)
        return -ENOMEM;
    free(*field);
    *field = copy;
    return 0;
}

/* The first place whose name is not less than `name`. */
static size_t lower_bound(const struct core_list *list, size_t bytes, const char *name)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(list->items + middle * bytes, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void *find(const void *field, size_t bytes, const char *name)
{
    struct core_list list = core_list_get(field);
    size_t at = lower_bound(&list, bytes, name);
    char *item = at < list.count ? list.items + at * bytes : NULL;

    return item != NULL && strcmp(item, name) == 0 ? item : NULL;
}

static int add(const struct core_type *type, void *field, const char *name, void **ret_new)
{
    struct core_list list;
    size_t at;
    void *item;
    char *last, *place;
    int rc;

    if (core_name_check(name) < 0)
        return -EINVAL;
    if (find(field, type->bytes, name) != NULL)
        return -EEXIST;
    rc = core_list_grow(type, field, &item);
    if (rc < 0)
        return rc;
    list = core_list_get(field);
    list.count--;
    at = lower_bound(&list, type->bytes, name);
    place = list.items + at * type->bytes;
    last = item;
    if (place != last) {
        /* what core_object_init() made is bytes: swap it forward one object at a time */
        for (char *here = last; here > place; here -= type->bytes) {
            char *before = here - type->bytes;

            for (size_t i = 0; i < type->bytes; i++) {
                char byte = here[i];

                here[i] = before[i];
                before[i] = byte;
            }
        }
    }
    memcpy(place, name, strlen(name) + 1);
    *ret_new = place;
    return 0;
}

static int remove_named(const struct core_type *type, void *field, const char *name)
{
    struct core_list list = core_list_get(field);
    char *item = find(field, type->bytes, name);
    size_t after;

    if (item == NULL)
        return -ENOENT;
    core_object_free(type, item);
    after = (size_t)(list.items + list.count * type->bytes - (item + type->bytes));
    memmove(item, item + type->bytes, after);
    list.count--;
    core_list_put(field, &list);
    return 0;
}

#define NAMED(kind, list)                                                                    \
    struct core_##kind *core_##kind##_find(const struct core_state *state, const char *name) \
    {                                                                                        \
        return find(&state->list, sizeof(struct core_##kind), name);                         \
    }                                                                                        \
    int core_##kind##_add(struct core_state *state, const char *name,                        \
                          struct core_##kind **ret_new)                                      \
    {                                                                                        \
        void *item = NULL;                                                                   \
        int rc = add(&core_##kind##_type, &state->list, name, &item);                        \
        if (rc == 0)                                                                         \
            *ret_new = item;                                                                 \
        return rc;                                                                           \
    }                                                                                        \
    int core_##kind##_remove(struct core_state *state, const char *name)                     \
    {                                                                                        \
        return remove_named(&core_##kind##_type, &state->list, name);                        \
    }

NAMED(node, nodes)
NAMED(vm, vms)
NAMED(lun, luns)
NAMED(rule, rules)
NAMED(fence, fences)

struct core_node *core_node_by_id(const struct core_state *state, uint32_t id)
{
    for (size_t i = 0; i < state->nodes.count; i++) {
        if (state->nodes.items[i].id == id)
            return &state->nodes.items[i];
    }
    return NULL;
}

int core_transaction_add(struct core_state *state, uint64_t number,
                         struct core_transaction **ret_new)
{
    size_t count = state->transactions.count;
    void *item;
    int rc;

    if (number == 0 || (count > 0 && state->transactions.items[count - 1].number >= number))
        return -EINVAL;
    rc = core_list_grow(&core_transaction_type, &state->transactions, &item);
    if (rc < 0)
        return rc;
    *ret_new = item;
    (*ret_new)->number = number;
    return 0;
}
