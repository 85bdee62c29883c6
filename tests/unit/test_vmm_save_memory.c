/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save_memory: pages across ranges, the division of the private part, zero scan
 * and hashes that look at nothing but the pages they are told.
 */
#include <config.h>

#include "vmm-core/save/vmm_save_memory.h"

#include "tests/unit/unit.h"

#include <string.h>
#include <xxhash.h>

static uint8_t block[VMM_SAVE_BLOCK_BYTES];

static void finds_pages(void)
{
    const struct vmm_save_range ranges[] = { { block, 1 << 20, 0 },
                                             { block + 7, 2 << 20, 1 << 20 } };
    struct vmm_save_memory memory = { .ranges = ranges, .count = 2 };
    struct vmm_save_range odd = { block, 4096, 0 };
    uint64_t first, count;

    CU_ASSERT_EQUAL(vmm_save_memory_bytes(&memory), 3 << 20);
    CU_ASSERT_PTR_EQUAL(vmm_save_memory_page(&memory, 5), block + 5 * 4096);
    CU_ASSERT_PTR_EQUAL(vmm_save_memory_page(&memory, 256), block + 7);
    CU_ASSERT_PTR_EQUAL(vmm_save_memory_page(&memory, 767), block + 7 + 511 * 4096);
    CU_ASSERT_PTR_NULL(vmm_save_memory_page(&memory, 768));
    CU_ASSERT_EQUAL(vmm_save_all_data(NULL, 9, &first, &count), 0);
    CU_ASSERT_TRUE(first == 9 && count > 1u << 30);
    memory.ranges = &odd;
    memory.count = 1;
    CU_ASSERT_EQUAL(vmm_save_memory_bytes(&memory), 0);
    memory.count = 0;
    CU_ASSERT_EQUAL(vmm_save_memory_bytes(&memory), 0);
}

static void divides_the_private_part(void)
{
    static const uint64_t sizes_mib[] = { 1, 16, 17, 128, 65536 };

    for (unsigned i = 0; i < sizeof(sizes_mib) / sizeof(sizes_mib[0]); i++) {
        struct vmm_save_geometry geometry;
        struct vmm_save_private part;
        uint8_t *start = (uint8_t *)4096;

        CU_ASSERT_EQUAL(vmm_save_geometry_plan(sizes_mib[i] << 20, 16, UINT64_MAX, &geometry), 0);
        vmm_save_private_over(&geometry, start, &part);
        CU_ASSERT_TRUE(part.slot[0] == start && part.slot[1] >= part.slot[0] + 4096);
        CU_ASSERT_TRUE(part.header >= part.slot[1] + 4096 && part.zero >= part.header + 4096);
        CU_ASSERT_TRUE(part.waste >= part.zero + 65536 && part.table >= part.waste + 65536);
        CU_ASSERT_TRUE(part.delta_index >= part.table + geometry.area.table_bytes);
        CU_ASSERT_TRUE(part.sections >= part.delta_index + geometry.delta_index_bytes);
        CU_ASSERT_TRUE(start + vmm_save_private_bytes(&geometry) >=
                       part.sections + geometry.area.section_bytes);
        CU_ASSERT_EQUAL((uintptr_t)part.sections % 4096, 0);
        CU_ASSERT_EQUAL((uintptr_t)part.table % 4096, 0);
    }
}

static void scans_and_hashes(void)
{
    memset(block, 0, sizeof(block));
    CU_ASSERT_EQUAL(vmm_save_scan_block(block, 0xffff), 0);
    for (unsigned page = 0; page < 16; page++)
        for (unsigned at = 0; at < 4096; at += 511) {
            block[page * 4096 + at] = 1;
            CU_ASSERT_EQUAL(vmm_save_scan_block(block, 0xffff), 1u << page);
            CU_ASSERT_EQUAL(vmm_save_scan_block(block, (uint16_t) ~(1u << page)), 0);
            CU_ASSERT_EQUAL(vmm_save_hash_block(block, (uint16_t)(1u << page)),
                            XXH3_64bits(block, sizeof(block)));
            CU_ASSERT_NOT_EQUAL(vmm_save_hash_block(block, (uint16_t) ~(1u << page)),
                                XXH3_64bits(block, sizeof(block)));
            block[page * 4096 + at] = 0;
        }
    memset(block, 0x5a, sizeof(block));
    CU_ASSERT_EQUAL(vmm_save_scan_block(block, 0x8421), 0x8421);
    CU_ASSERT_EQUAL(vmm_save_hash_block(block, 0xffff), XXH3_64bits(block, sizeof(block)));
    CU_ASSERT_EQUAL(vmm_save_hash_page(block + 4096), XXH3_64bits(block, 4096));
}

const struct unit_case unit_cases[] = {
    { "pages across ranges", finds_pages },
    { "the private part", divides_the_private_part },
    { "zero scan and hashes", scans_and_hashes },
    { 0 },
};
