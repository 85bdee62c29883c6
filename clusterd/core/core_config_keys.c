/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the configuration language: tables, reading and printing of values.
 */
#include <config.h>

#include "clusterd/core/core_config_priv.h"

#include "common/hw_values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MIB_SHIFT = 20, MEMORY_MOST_MB = 1 << 30 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS(array)         \
    {                       \
        array, COUNT(array) \
    }
#define NUMBER(key, type, field, initial, least, most)                                        \
    {                                                                                         \
        key, CORE_KEY_NUMBER, offsetof(struct type, field), initial, least, most, NULL, false \
    }
#define SIZE(key, type, field, required)                                                       \
    {                                                                                          \
        key, CORE_KEY_SIZE, offsetof(struct type, field), 0, 1, MEMORY_MOST_MB, NULL, required \
    }
#define WORD(key, type, field, least, count, word)                                         \
    {                                                                                      \
        key, CORE_KEY_WORD, offsetof(struct type, field), 0, least, (count)-1, word, false \
    }
#define NAMED(key, kind, type, field, required)                          \
    {                                                                    \
        key, kind, offsetof(struct type, field), 0, 0, 0, NULL, required \
    }

static const struct core_key cluster_keys[] = {
    WORD("lease", core_cluster, lease, 0, CORE_LEASE_COUNT, core_lease_word),
    NUMBER("losses", core_cluster, losses, 0, 0, 64),
    WORD("failback", core_cluster, failback, CORE_CHOICE_ON, CORE_CHOICE_COUNT, core_choice_word),
    NAMED("witness", CORE_KEY_NAME, core_cluster, witness, false),
    NUMBER("parallel", core_cluster, parallel, 0, 0, 1000),
};
static const struct core_key node_keys[] = {
    { "id", CORE_KEY_NUMBER, offsetof(struct core_node, id), 0, 1, CORE_NODE_ID_MAX, NULL, true },
    NAMED("address", CORE_KEY_TEXT, core_node, address, false),
    NUMBER("votes", core_node, votes, 1, 0, 1000),
    SIZE("memory", core_node, memory_mb, true),
    NUMBER("cpus", core_node, cpus, 1, 1, 65536),
};
static const struct core_key lun_keys[] = {
    NAMED("url", CORE_KEY_TEXT, core_lun, url, true),
    NAMED("secret-file", CORE_KEY_TEXT, core_lun, secret_file, false),
    NAMED("wwid", CORE_KEY_TEXT, core_lun, wwid, false),
    SIZE("max-memory", core_lun, max_memory_mb, false),
};
static const struct core_key vm_keys[] = {
    NAMED("disk", CORE_KEY_NAMES, core_vm, disks, true),
    SIZE("memory", core_vm, memory_mb, true),
    SIZE("max-memory", core_vm, max_memory_mb, false),
    NUMBER("cpus", core_vm, cpus, 1, 1, 4096),
    WORD("wanted", core_vm, wanted, 0, CORE_WANT_COUNT, core_vm_want_word),
    { "priority", CORE_KEY_SIGNED, offsetof(struct core_vm, priority), 0, 0, 1000000, NULL, false },
    WORD("on-drain", core_vm, on_drain, 0, CORE_ON_DRAIN_COUNT, core_on_drain_word),
    NUMBER("restarts", core_vm, restarts, 3, 0, 1000),
    WORD("failback", core_vm, failback, CORE_CHOICE_ON, CORE_CHOICE_COUNT, core_choice_word),
    NAMED("firmware", CORE_KEY_TEXT, core_vm, firmware, false),
    NAMED("kernel", CORE_KEY_TEXT, core_vm, kernel, false),
    NAMED("initrd", CORE_KEY_TEXT, core_vm, initrd, false),
    NAMED("append", CORE_KEY_TEXT, core_vm, append, false),
    NAMED("net", CORE_KEY_TEXT, core_vm, net, false),
};
static const struct core_key fence_keys[] = {
    NAMED("agent", CORE_KEY_TEXT, core_fence, agent, true),
    NAMED("nodes", CORE_KEY_NAMES, core_fence, nodes, true),
    NUMBER("level", core_fence, level, 1, 1, 9),
};

const struct core_keys core_cluster_keys = KEYS(cluster_keys), core_node_keys = KEYS(node_keys),
                       core_lun_keys = KEYS(lun_keys), core_vm_keys = KEYS(vm_keys),
                       core_fence_keys = KEYS(fence_keys);

static bool is_text(const struct core_key *key)
{
    return key->kind == CORE_KEY_NAME || key->kind == CORE_KEY_NAMES || key->kind == CORE_KEY_TEXT;
}

static void put_number(const struct core_key *key, void *object, uint64_t value)
{
    uint32_t narrow = (uint32_t)value;

    if (key->kind == CORE_KEY_SIZE)
        memcpy((char *)object + key->offset, &value, sizeof(value));
    else
        memcpy((char *)object + key->offset, &narrow, sizeof(narrow));
}

static uint64_t get_number(const struct core_key *key, const void *object)
{
    uint64_t value = 0;
    uint32_t narrow;

    if (key->kind == CORE_KEY_SIZE) {
        memcpy(&value, (const char *)object + key->offset, sizeof(value));
        return value;
    }
    memcpy(&narrow, (const char *)object + key->offset, sizeof(narrow));
    return narrow;
}

void core_keys_reset(const struct core_keys *keys, void *object)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (!is_text(&keys->items[i]))
            put_number(&keys->items[i], object, keys->items[i].initial);
    }
}

const struct core_key *core_key_find(const struct core_keys *keys, const char *name, size_t length)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strlen(keys->items[i].name) == length && memcmp(keys->items[i].name, name, length) == 0)
            return &keys->items[i];
    }
    return NULL;
}

static int read_names(core_names *names, const char *value)
{
    while (*value != '\0') {
        size_t length = strcspn(value, ",");
        struct core_name name = { "" };
        int rc;

        if (length == 0 || length >= sizeof(name.text))
            return -EINVAL;
        memcpy(name.text, value, length);
        if (core_name_check(name.text) < 0)
            return -EINVAL;
        for (size_t i = 0; i < names->count; i++) {
            if (strcmp(names->items[i].text, name.text) == 0)
                return -EINVAL; /* twice */
        }
        rc = hw_vector_push(names, name);
        if (rc < 0)
            return rc;
        value += length;
        if (*value == ',' && *++value == '\0')
            return -EINVAL;
    }
    return names->count > 0 ? 0 : -EINVAL;
}

static int read_text(const struct core_key *key, void *object, const char *value)
{
    char *place = (char *)object + key->offset, *text;
    core_names names;
    int rc;

    if (value[0] == '\0')
        return -EINVAL;
    if (key->kind == CORE_KEY_NAME)
        return core_name_set(place, value);
    if (key->kind == CORE_KEY_TEXT) {
        memcpy(&text, place, sizeof(text));
        rc = core_text_set(&text, value);
        memcpy(place, &text, sizeof(text));
        return rc;
    }
    memcpy(&names, place, sizeof(names));
    rc = read_names(&names, value);
    memcpy(place, &names, sizeof(names)); /* the object's, whatever came of it */
    return rc;
}

static int read_signed(const struct core_key *key, void *object, const char *value)
{
    bool negative = value[0] == '-';
    uint64_t number;
    int rc = hw_parse_number(value + negative, &number);

    if (rc < 0)
        return rc;
    if (number > key->most)
        return -ERANGE;
    if (negative && number == 0)
        return -EINVAL;
    put_number(key, object, negative ? (uint64_t) - (int64_t)number : number);
    return 0;
}

int core_key_read(const struct core_key *key, void *object, const char *value)
{
    uint64_t number;
    uint32_t word;
    int rc;

    if (is_text(key))
        return read_text(key, object, value);
    if (key->kind == CORE_KEY_SIGNED)
        return read_signed(key, object, value);
    if (key->kind == CORE_KEY_WORD) {
        rc = core_word_find(key->word, (uint32_t)key->most + 1, value, &word);
        if (rc < 0 || word < key->least)
            return -EINVAL;
        put_number(key, object, word);
        return 0;
    }
    rc = key->kind == CORE_KEY_SIZE ? hw_parse_size(value, &number)
                                    : hw_parse_number(value, &number);
    if (rc < 0)
        return rc;
    if (key->kind == CORE_KEY_SIZE) {
        if ((number & ((1u << MIB_SHIFT) - 1)) != 0)
            return -EINVAL; /* whole MiB */
        number >>= MIB_SHIFT;
    }
    if (number < key->least || number > key->most)
        return -ERANGE;
    put_number(key, object, number);
    return 0;
}

static int print_names(const core_names *names, core_line_text *text)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < names->count; i++) {
        if (i > 0)
            rc = core_line_put_raw(text, ",");
        if (rc == 0)
            rc = core_line_put_raw(text, names->items[i].text);
    }
    return rc;
}

static int print_value(const struct core_key *key, const void *object, core_line_text *text)
{
    const char *place = (const char *)object + key->offset;
    char number[32];
    char *owned;

    switch (key->kind) {
    case CORE_KEY_NAME:
        return core_line_put(text, place);
    case CORE_KEY_TEXT:
        memcpy(&owned, place, sizeof(owned));
        return core_line_put(text, owned);
    case CORE_KEY_NAMES:
        return print_names((const core_names *)(const void *)place, text);
    case CORE_KEY_WORD:
        return core_line_put_raw(text, key->word((uint32_t)get_number(key, object)));
    case CORE_KEY_SIGNED:
        (void)snprintf(number, sizeof(number), "%" PRId32, (int32_t)get_number(key, object));
        return core_line_put_raw(text, number);
    default:
        (void)snprintf(number, sizeof(number), "%" PRIu64 "%s", get_number(key, object),
                       key->kind == CORE_KEY_SIZE ? "M" : "");
        return core_line_put_raw(text, number);
    }
}

static bool is_initial(const struct core_key *key, const void *object)
{
    const char *place = (const char *)object + key->offset;
    char *owned;

    if (key->kind == CORE_KEY_NAME)
        return place[0] == '\0';
    if (key->kind == CORE_KEY_NAMES)
        return ((const core_names *)(const void *)place)->count == 0;
    if (key->kind == CORE_KEY_TEXT) {
        memcpy(&owned, place, sizeof(owned));
        return owned == NULL || owned[0] == '\0';
    }
    return get_number(key, object) == key->initial;
}

int core_keys_print(const struct core_keys *keys, const void *object, core_line_text *text)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < keys->count; i++) {
        const struct core_key *key = &keys->items[i];

        if (is_initial(key, object))
            continue;
        rc = core_line_put_raw(text, " ");
        if (rc == 0)
            rc = core_line_put_raw(text, key->name);
        if (rc == 0)
            rc = core_line_put_raw(text, "=");
        if (rc == 0)
            rc = print_value(key, object, text);
    }
    return rc;
}
