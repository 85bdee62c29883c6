/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of the delta area: which page lies in which slot, and what it hashes to
 * (doc/saved-state.md). Late rounds of a live save write dirty pages into slots, side by side, and
 * not to their homes; a page has one slot at most. The index is kept in the form it has on disk, in
 * memory that the caller names, so that it is written from there. Pure but for allocation.
 */
#ifndef VMM_SAVE_DELTA_H
#define VMM_SAVE_DELTA_H

#include <stdint.h>

#include "vmm-core/save/vmm_save_geometry.h"

#define VMM_SAVE_NO_SLOT UINT32_MAX

struct vmm_save_delta {
    uint8_t *index; /* the caller's */
    uint32_t slots; /* in the delta area */
    uint32_t used;  /* entries of the index that are written: slots from here on are empty */
    uint32_t pages; /* slots that hold a page */
    uint32_t *map;  /* hash table of slots by page */
    uint32_t mask;
    uint32_t *free; /* slots below `used` that hold none */
    uint32_t free_count;
};

/*
 * Begin with no page in `slots` slots; `index` has room for all their entries. 0 or -ENOMEM; to be
 * freed with vmm_save_delta_free().
 */
int vmm_save_delta_init(struct vmm_save_delta *delta, uint8_t *index, uint32_t slots);
/*
 * Take over an index of `used` entries that was read into `index`. 0; -ENOMEM; -EBADMSG: an entry
 * names a page beyond `pages`, or a page that another one names; its number is in `ret_slot`.
 */
int vmm_save_delta_load(struct vmm_save_delta *delta, uint8_t *index, uint32_t slots, uint32_t used,
                        uint64_t pages, uint32_t *ret_slot);
/* Let go of what was allocated; harmless on a zeroed struct. */
void vmm_save_delta_free(struct vmm_save_delta *delta);

/* The slot of a page, or VMM_SAVE_NO_SLOT. */
uint32_t vmm_save_delta_find(const struct vmm_save_delta *delta, uint64_t page);
/* Give the page a slot, its own if it has one, and note its hash; VMM_SAVE_NO_SLOT: all taken. */
uint32_t vmm_save_delta_put(struct vmm_save_delta *delta, uint64_t page, uint64_t hash);
/* The page lies at home again, or is zero: its slot is free. */
void vmm_save_delta_drop(struct vmm_save_delta *delta, uint64_t page);
/* What entry `slot` says: 0, or -ENOENT if it holds no page. */
int vmm_save_delta_entry(const struct vmm_save_delta *delta, uint32_t slot, uint64_t *ret_page,
                         uint64_t *ret_hash);
/* Slots that can still be given. */
uint32_t vmm_save_delta_room(const struct vmm_save_delta *delta);

#endif
