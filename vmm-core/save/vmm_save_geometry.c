/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places of a saved state: storage's division, and the delta area's own. Pure. */
#include "config.h"

#include "vmm-core/save/vmm_save_geometry.h"

#include <errno.h>

_Static_assert((unsigned)VMM_SAVE_CHUNK_BYTES == (unsigned)STO_STATE_CHUNK_BYTES, "one chunk");

static uint64_t index_bytes(uint64_t slots)
{
    const uint64_t unit = STO_STATE_PART_BYTES;

    return (slots * VMM_SAVE_DELTA_ENTRY_BYTES + unit - 1) / unit * unit;
}

/* As many slots as fit together with their index. delta_bytes is at most 4 TiB. */
static uint64_t count_slots(uint64_t delta_bytes)
{
    uint64_t slots = delta_bytes / (VMM_SAVE_PAGE_BYTES + VMM_SAVE_DELTA_ENTRY_BYTES);

    while (slots > 0 && index_bytes(slots) + slots * VMM_SAVE_PAGE_BYTES > delta_bytes)
        slots--;
    return slots;
}

int vmm_save_geometry_plan(uint64_t memory_bytes, uint32_t cpus, uint64_t area_bytes,
                           struct vmm_save_geometry *ret_geometry)
{
    struct vmm_save_geometry plan = { .memory_bytes = memory_bytes, .cpus = cpus };
    int rc;

    if (memory_bytes % VMM_SAVE_CHUNK_BYTES != 0)
        return -EINVAL;
    rc = sto_state_area_plan(memory_bytes, cpus, &plan.area);
    if (rc < 0)
        return rc;
    plan.pages = memory_bytes / VMM_SAVE_PAGE_BYTES;
    plan.blocks = memory_bytes / VMM_SAVE_BLOCK_BYTES;
    plan.chunks = plan.area.chunk_count;
    plan.delta_slots = (uint32_t)count_slots(plan.area.delta_bytes);
    plan.delta_index_bytes = index_bytes(plan.delta_slots);
    plan.delta_data_offset_bytes = plan.area.delta_offset_bytes + plan.delta_index_bytes;
    *ret_geometry = plan;
    return area_bytes < plan.area.total_bytes ? -ENOSPC : 0;
}

uint64_t vmm_save_home_offset(const struct vmm_save_geometry *geometry, uint64_t page)
{
    return geometry->area.memory_offset_bytes + page * VMM_SAVE_PAGE_BYTES;
}

uint64_t vmm_save_slot_offset(const struct vmm_save_geometry *geometry, uint32_t slot)
{
    return geometry->delta_data_offset_bytes + (uint64_t)slot * VMM_SAVE_PAGE_BYTES;
}
