/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of items. Files get their numbers in the order they come in; the directory is made anew
 * whenever one is added.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "vmm-core/machine/vmm_fwcfg_priv.h"

static bool is_file_key(uint16_t key)
{
    return key >= VMM_FWCFG_FILE_FIRST && key < VMM_FWCFG_FILE_FIRST + VMM_FWCFG_FILES;
}

static const struct fwcfg_item *find(const struct fwcfg_items *items, uint16_t key)
{
    for (unsigned i = 0; i < items->count; i++)
        if (items->items[i].key == key)
            return &items->items[i];
    return NULL;
}

bool fwcfg_items_find(const struct fwcfg_items *items, uint16_t key, const uint8_t **ret_bytes,
                      uint32_t *ret_count)
{
    const struct fwcfg_item *item = find(items, key);

    if (key == VMM_FWCFG_DIRECTORY) {
        *ret_bytes = items->directory;
        *ret_count = (uint32_t)items->directory_bytes;
        return true;
    }
    if (item == NULL)
        return false;
    *ret_bytes = item->bytes;
    *ret_count = item->count;
    return true;
}

/* Big-endian (fw_cfg.rst, "File Directory"). */
static void make_directory(struct fwcfg_items *items)
{
    struct hw_writer writer = hw_writer_over(items->directory, sizeof(items->directory));
    uint32_t files = 0;

    for (unsigned i = 0; i < items->count; i++)
        files += items->items[i].name[0] != '\0';
    hw_write_be32(&writer, files);
    for (unsigned i = 0; i < items->count; i++) {
        const struct fwcfg_item *item = &items->items[i];

        if (item->name[0] == '\0')
            continue;
        hw_write_be32(&writer, item->count);
        hw_write_be16(&writer, item->key);
        hw_write_be16(&writer, 0);
        hw_write_bytes(&writer, item->name, sizeof(item->name));
    }
    items->directory_bytes = writer.at;
}

/* The number of the next file, after `name` was looked at. 0 or -errno. */
static int next_file(const struct fwcfg_items *items, const char *name, uint16_t *ret_key)
{
    uint16_t key = VMM_FWCFG_FILE_FIRST;

    if (name[0] == '\0' || strlen(name) >= VMM_FWCFG_NAME_BYTES)
        return -EINVAL;
    for (unsigned i = 0; i < items->count; i++) {
        if (strcmp(items->items[i].name, name) == 0)
            return -EEXIST;
        if (is_file_key(items->items[i].key) && items->items[i].key >= key)
            key = (uint16_t)(items->items[i].key + 1);
    }
    *ret_key = key;
    return is_file_key(key) ? 0 : -ENOSPC;
}

static int check(const struct fwcfg_items *items, size_t count, bool lend)
{
    if (items->count == VMM_FWCFG_ITEMS || count > UINT32_MAX ||
        (!lend && count > VMM_FWCFG_KEPT_BYTES - items->kept_bytes))
        return -ENOSPC;
    return 0;
}

/* Its own copy. A malloc() of nothing may be NULL. */
static int copy(struct fwcfg_item *item, const void *bytes, size_t count)
{
    item->own = malloc(count > 0 ? count : 1);
    if (item->own == NULL)
        return -ENOMEM;
    if (count > 0)
        memcpy(item->own, bytes, count);
    item->bytes = item->own;
    return 0;
}

int fwcfg_items_add(struct fwcfg_items *items, uint16_t key, const char *name, const void *bytes,
                    size_t count, bool lend)
{
    struct fwcfg_item item = { .key = key, .count = (uint32_t)count, .lent = lend, .bytes = bytes };
    int rc = 0;

    if (name != NULL)
        rc = next_file(items, name, &item.key);
    else if (is_file_key(key) || key == VMM_FWCFG_DIRECTORY)
        rc = -EINVAL;
    else if (find(items, key) != NULL)
        rc = -EEXIST;
    if (rc == 0)
        rc = check(items, count, lend);
    if (rc == 0 && !lend)
        rc = copy(&item, bytes, count);
    if (rc < 0)
        return rc;
    if (name != NULL)
        memcpy(item.name, name, strlen(name));
    items->items[items->count++] = item;
    items->kept_bytes += lend ? 0 : count;
    make_directory(items);
    return 0;
}

void fwcfg_items_free(struct fwcfg_items *items)
{
    for (unsigned i = 0; i < items->count; i++)
        free(items->items[i].own);
    items->count = 0;
}

/* --- their state --- */

static void hash(struct fwcfg_item *item)
{
    if (!item->hashed)
        item->hash = XXH3_64bits(item->bytes, item->count);
    item->hashed = true;
}

/* What of its head is the same for both kinds, judged as far as it can be. */
static void head_state(struct fwcfg_item *item, struct vmm_state *state)
{
    vmm_state_u16(state, &item->key);
    vmm_state_bytes(state, item->name, sizeof(item->name));
    vmm_state_bool(state, &item->lent);
    vmm_state_u32(state, &item->count);
    vmm_state_require(state, item->key != VMM_FWCFG_DIRECTORY &&
                                 is_file_key(item->key) == (item->name[0] != '\0') &&
                                 memchr(item->name, '\0', sizeof(item->name)) != NULL);
}

static void save_item(struct fwcfg_item *item, struct vmm_state *state)
{
    head_state(item, state);
    if (item->lent) {
        hash(item);
        vmm_state_u64(state, &item->hash);
    } else {
        vmm_state_bytes(state, item->own, item->count);
    }
}

/* The same that was lent here, if it was. */
static void find_lent(struct fwcfg_item *item, struct fwcfg_items *here)
{
    for (unsigned i = 0; i < here->count; i++) {
        struct fwcfg_item *other = &here->items[i];

        if (other->key != item->key || !other->lent || other->count != item->count)
            continue;
        hash(other);
        if (other->hash == item->hash)
            item->bytes = other->bytes;
    }
}

static bool load_item(struct fwcfg_items *loaded, struct fwcfg_items *here, struct vmm_state *state)
{
    struct fwcfg_item item = { 0 };

    head_state(&item, state);
    if (item.lent) {
        vmm_state_u64(state, &item.hash);
        item.hashed = true;
        find_lent(&item, here);
    }
    vmm_state_require(state, find(loaded, item.key) == NULL &&
                                 check(loaded, item.count, item.lent) == 0 &&
                                 (item.lent || item.count <= hw_reader_left(&state->reader)));
    if (state->wrong || hw_reader_status(&state->reader) < 0)
        return false;
    if (!item.lent && copy(&item, state->reader.data + state->reader.at, item.count) < 0) {
        vmm_state_require(state, false); /* no memory: not usable either */
        return false;
    }
    hw_read_skip(&state->reader, item.lent ? 0 : item.count);
    loaded->kept_bytes += item.lent ? 0 : item.count;
    loaded->items[loaded->count++] = item;
    return true;
}

static void load_items(struct fwcfg_items *items, unsigned count, struct vmm_state *state)
{
    struct fwcfg_items loaded = { 0 };
    bool good = true;

    for (unsigned i = 0; good && i < count; i++)
        good = load_item(&loaded, items, state);
    if (!good) {
        fwcfg_items_free(&loaded);
        return;
    }
    fwcfg_items_free(items);
    *items = loaded;
    make_directory(items);
}

void fwcfg_items_state(struct fwcfg_items *items, struct vmm_state *state)
{
    uint16_t count = (uint16_t)items->count;

    vmm_state_u16(state, &count);
    vmm_state_require(state, count <= VMM_FWCFG_ITEMS);
    if (state->loading) {
        load_items(items, count, state);
        return;
    }
    for (unsigned i = 0; i < items->count; i++)
        save_item(&items->items[i], state);
}
