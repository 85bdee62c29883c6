/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Index of the delta area, and an open hash table over it (linear probing, removal by moving back
 * what probed past the gap). No I/O.
 */
#include "config.h"

#include "vmm-core/save/vmm_save_delta.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cursor.h"

#define NO_PAGE UINT64_MAX

static uint64_t field(const struct vmm_save_delta *delta, uint32_t slot, size_t at)
{
    struct hw_reader reader =
        hw_reader_over(delta->index + (size_t)slot * VMM_SAVE_DELTA_ENTRY_BYTES + at, 8);

    return hw_read_le64(&reader);
}

static uint64_t page_of(const struct vmm_save_delta *delta, uint32_t slot)
{
    return field(delta, slot, 0);
}

static void write_entry(struct vmm_save_delta *delta, uint32_t slot, uint64_t page, uint64_t hash)
{
    struct hw_writer writer = hw_writer_over(
        delta->index + (size_t)slot * VMM_SAVE_DELTA_ENTRY_BYTES, VMM_SAVE_DELTA_ENTRY_BYTES);

    hw_write_le64(&writer, page);
    hw_write_le64(&writer, hash);
}

static uint32_t hash_of(const struct vmm_save_delta *delta, uint64_t page)
{
    return (uint32_t)(page * UINT64_C(0x9e3779b97f4a7c15) >> 32) & delta->mask;
}

/* The place in the map of this page, or the empty one where it would be put. */
static uint32_t place_of(const struct vmm_save_delta *delta, uint64_t page)
{
    uint32_t at = hash_of(delta, page);

    while (delta->map[at] != VMM_SAVE_NO_SLOT && page_of(delta, delta->map[at]) != page)
        at = (at + 1) & delta->mask;
    return at;
}

int vmm_save_delta_init(struct vmm_save_delta *delta, uint8_t *index, uint32_t slots)
{
    uint64_t places = 16;

    while (places < (uint64_t)slots * 2)
        places *= 2;
    if (places > UINT32_MAX)
        return -ENOMEM;
    *delta = (struct vmm_save_delta) { .index = index, .slots = slots };
    delta->mask = (uint32_t)(places - 1);
    delta->map = malloc((size_t)places * sizeof(*delta->map));
    delta->free = malloc(((size_t)slots + 1) * sizeof(*delta->free));
    if (delta->map == NULL || delta->free == NULL) {
        vmm_save_delta_free(delta);
        return -ENOMEM;
    }
    memset(delta->map, 0xff, (size_t)places * sizeof(*delta->map));
    return 0;
}

void vmm_save_delta_free(struct vmm_save_delta *delta)
{
    free(delta->map);
    free(delta->free);
    *delta = (struct vmm_save_delta) { 0 };
}

int vmm_save_delta_load(struct vmm_save_delta *delta, uint8_t *index, uint32_t slots, uint32_t used,
                        uint64_t pages, uint32_t *ret_slot)
{
    int rc = used > slots ? -EBADMSG : vmm_save_delta_init(delta, index, slots);

    *ret_slot = 0;
    if (rc < 0)
        return rc;
    delta->used = used;
    for (uint32_t slot = 0; slot < used; slot++) {
        uint64_t page = page_of(delta, slot);
        uint32_t at;

        if (page == NO_PAGE) {
            delta->free[delta->free_count++] = slot;
            continue;
        }
        at = place_of(delta, page);
        if (page >= pages || delta->map[at] != VMM_SAVE_NO_SLOT) {
            vmm_save_delta_free(delta);
            *ret_slot = slot;
            return -EBADMSG;
        }
        delta->map[at] = slot;
        delta->pages++;
    }
    return 0;
}

uint32_t vmm_save_delta_find(const struct vmm_save_delta *delta, uint64_t page)
{
    return delta->pages == 0 ? VMM_SAVE_NO_SLOT : delta->map[place_of(delta, page)];
}

uint32_t vmm_save_delta_room(const struct vmm_save_delta *delta)
{
    return delta->slots - delta->pages;
}

uint32_t vmm_save_delta_put(struct vmm_save_delta *delta, uint64_t page, uint64_t hash)
{
    uint32_t at = place_of(delta, page);
    uint32_t slot = delta->map[at];

    if (slot == VMM_SAVE_NO_SLOT) {
        if (delta->pages == delta->slots)
            return VMM_SAVE_NO_SLOT;
        slot = delta->used < delta->slots ? delta->used++ : delta->free[--delta->free_count];
        delta->map[at] = slot;
        delta->pages++;
    }
    write_entry(delta, slot, page, hash);
    return slot;
}

void vmm_save_delta_drop(struct vmm_save_delta *delta, uint64_t page)
{
    uint32_t gap = place_of(delta, page);
    uint32_t slot = delta->map[gap];

    if (slot == VMM_SAVE_NO_SLOT)
        return;
    delta->map[gap] = VMM_SAVE_NO_SLOT;
    for (uint32_t at = (gap + 1) & delta->mask; delta->map[at] != VMM_SAVE_NO_SLOT;
         at = (at + 1) & delta->mask) {
        uint32_t wanted = hash_of(delta, page_of(delta, delta->map[at]));

        /* it may move back if the gap is on its way from where it wanted to be */
        if (((at - wanted) & delta->mask) >= ((at - gap) & delta->mask)) {
            delta->map[gap] = delta->map[at];
            delta->map[at] = VMM_SAVE_NO_SLOT;
            gap = at;
        }
    }
    write_entry(delta, slot, NO_PAGE, 0);
    delta->free[delta->free_count++] = slot;
    delta->pages--;
}

int vmm_save_delta_entry(const struct vmm_save_delta *delta, uint32_t slot, uint64_t *ret_page,
                         uint64_t *ret_hash)
{
    if (slot >= delta->used || page_of(delta, slot) == NO_PAGE)
        return -ENOENT;
    *ret_page = page_of(delta, slot);
    *ret_hash = field(delta, slot, 8);
    return 0;
}
