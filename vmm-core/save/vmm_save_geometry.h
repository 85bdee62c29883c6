/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where everything of a saved state lies in hawser-state (vmm.md, "Saved state on the LUN";
 * doc/saved-state.md). The division itself is storage/sto_state_area's, so that what was reserved
 * and what is written never differ; this adds how the delta area is divided. Pure arithmetic.
 */
#ifndef VMM_SAVE_GEOMETRY_H
#define VMM_SAVE_GEOMETRY_H

#include <stdint.h>

#include "storage/sto_state_area.h"

enum {
    VMM_SAVE_PAGE_BYTES = 4096,
    VMM_SAVE_BLOCK_PAGES = 16, /* a block is what one hash covers: 64 KiB */
    VMM_SAVE_BLOCK_BYTES = VMM_SAVE_BLOCK_PAGES * VMM_SAVE_PAGE_BYTES,
    VMM_SAVE_CHUNK_BLOCKS = 16, /* a chunk has one record in the table: 1 MiB */
    VMM_SAVE_CHUNK_PAGES = VMM_SAVE_CHUNK_BLOCKS * VMM_SAVE_BLOCK_PAGES,
    VMM_SAVE_CHUNK_BYTES = VMM_SAVE_CHUNK_PAGES * VMM_SAVE_PAGE_BYTES,
    VMM_SAVE_DELTA_ENTRY_BYTES = 16,
};

struct vmm_save_geometry {
    struct sto_state_area area; /* places in bytes from the start of hawser-state */
    uint64_t memory_bytes;
    uint32_t cpus;
    uint64_t pages, blocks, chunks; /* of guest memory */
    /* the delta area: an index of all slots, then the slots, a page each */
    uint32_t delta_slots;
    uint64_t delta_index_bytes; /* room of the index, a multiple of 4 KiB, at delta_offset_bytes */
    uint64_t delta_data_offset_bytes;
};

/*
 * Plan for a guest of `memory_bytes` (a multiple of 1 MiB) and `cpus` in a hawser-state of
 * `area_bytes`. 0; -EINVAL, -ERANGE: no such guest; -ENOSPC: the area is too small, then
 * ret_geometry->area.total_bytes says what is needed.
 */
int vmm_save_geometry_plan(uint64_t memory_bytes, uint32_t cpus, uint64_t area_bytes,
                           struct vmm_save_geometry *ret_geometry);

/* Where a page lies at home. */
uint64_t vmm_save_home_offset(const struct vmm_save_geometry *geometry, uint64_t page);
/* Where a slot of the delta area lies. */
uint64_t vmm_save_slot_offset(const struct vmm_save_geometry *geometry, uint32_t slot);

#endif
