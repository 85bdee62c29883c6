/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save_geometry: agrees with storage's sizing for every guest, parts do not
 * overlap, the delta area holds its index and its slots, too small an area is refused with the size
 * that is needed.
 */
#include <config.h>

#include "vmm-core/save/vmm_save_geometry.h"

#include "storage/sto_layout.h"
#include "tests/unit/unit.h"

#include <errno.h>

#define MIB (UINT64_C(1) << 20)

static void check(uint64_t memory_bytes, uint32_t cpus)
{
    struct vmm_save_geometry plan;
    uint64_t bytes = 0;

    CU_ASSERT_EQUAL(sto_state_area_bytes(memory_bytes, cpus, &bytes), 0);
    CU_ASSERT_EQUAL(vmm_save_geometry_plan(memory_bytes, cpus, bytes, &plan), 0);
    CU_ASSERT_EQUAL(plan.area.total_bytes, bytes);
    CU_ASSERT_EQUAL(plan.pages * VMM_SAVE_PAGE_BYTES, memory_bytes);
    CU_ASSERT_EQUAL(plan.blocks * VMM_SAVE_BLOCK_BYTES, memory_bytes);
    CU_ASSERT_EQUAL(plan.chunks * VMM_SAVE_CHUNK_BYTES, memory_bytes);
    CU_ASSERT_TRUE(plan.delta_index_bytes >=
                   (uint64_t)plan.delta_slots * VMM_SAVE_DELTA_ENTRY_BYTES);
    CU_ASSERT_EQUAL(vmm_save_slot_offset(&plan, 0),
                    plan.area.delta_offset_bytes + plan.delta_index_bytes);
    CU_ASSERT_TRUE(vmm_save_slot_offset(&plan, plan.delta_slots) <=
                   plan.area.delta_offset_bytes + plan.area.delta_bytes);
    /* nothing is wasted: one more slot would not fit */
    CU_ASSERT_TRUE(vmm_save_slot_offset(&plan, plan.delta_slots) + 2 * 4096 >
                   plan.area.delta_offset_bytes + plan.area.delta_bytes);
    CU_ASSERT_TRUE(vmm_save_home_offset(&plan, plan.pages) <= plan.area.total_bytes);
    CU_ASSERT_EQUAL(vmm_save_home_offset(&plan, 256) - vmm_save_home_offset(&plan, 0), MIB);
    CU_ASSERT_EQUAL(vmm_save_home_offset(&plan, 0) % MIB, 0);
    CU_ASSERT_EQUAL(vmm_save_geometry_plan(memory_bytes, cpus, bytes - 1, &plan), -ENOSPC);
    CU_ASSERT_EQUAL(plan.area.total_bytes, bytes);
}

static void agrees_with_storage(void)
{
    static const uint64_t sizes_mib[] = {
        1, 16, 17, 128, 255, 256, 257, 2048, 6144, 65536, 1 << 26
    };

    for (unsigned i = 0; i < sizeof(sizes_mib) / sizeof(sizes_mib[0]); i++)
        for (uint32_t cpus = 1; cpus <= 1024; cpus *= 4)
            check(sizes_mib[i] * MIB, cpus);
}

static void is_as_documented(void)
{
    struct vmm_save_geometry plan;

    CU_ASSERT_EQUAL(vmm_save_geometry_plan(128 * MIB, 1, 150 * MIB, &plan), 0);
    CU_ASSERT_EQUAL(plan.delta_slots, 4080);
    CU_ASSERT_EQUAL(plan.delta_index_bytes, 65536);
    CU_ASSERT_EQUAL(plan.area.header_offset_bytes[1], 512 * 1024);
}

static void refuses_other_guests(void)
{
    struct vmm_save_geometry plan;

    CU_ASSERT_EQUAL(vmm_save_geometry_plan(0, 1, 150 * MIB, &plan), -EINVAL);
    CU_ASSERT_EQUAL(vmm_save_geometry_plan(128 * MIB, 0, 150 * MIB, &plan), -EINVAL);
    CU_ASSERT_EQUAL(vmm_save_geometry_plan(128 * MIB + 65536, 1, 1024 * MIB, &plan), -EINVAL);
    CU_ASSERT_EQUAL(vmm_save_geometry_plan(128 * MIB, 1025, 1024 * MIB, &plan), -ERANGE);
    CU_ASSERT_EQUAL(vmm_save_geometry_plan(MIB << 27, 1, UINT64_MAX, &plan), -ERANGE);
}

const struct unit_case unit_cases[] = {
    { "agrees with what storage reserves", agrees_with_storage },
    { "is as documented", is_as_documented },
    { "no such guest", refuses_other_guests },
    { 0 },
};
