/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_state_area: parts follow one another without overlap, sizes are those of the format,
 * and what cannot be is refused.
 */
#include <config.h>

#include "storage/sto_state_area.h"

#include "tests/unit/unit.h"

#include <errno.h>

#include "common/hw_prng.h"

#define MIB (UINT64_C(1) << 20)

/* Each part ends where or before the next one starts, and starts where it must. */
static void judge(uint64_t memory, unsigned cpus)
{
    struct sto_state_area area;

    CU_ASSERT_EQUAL_FATAL(sto_state_area_plan(memory, cpus, &area), 0);
    CU_ASSERT_EQUAL(area.header_offset_bytes[0], 0);
    CU_ASSERT_EQUAL(area.header_offset_bytes[1], 512 * 1024);
    CU_ASSERT_EQUAL(area.section_offset_bytes[0], MIB);
    CU_ASSERT_EQUAL(area.section_bytes, 2 * MIB + cpus * UINT64_C(65536));
    CU_ASSERT_EQUAL(area.section_offset_bytes[1], MIB + area.section_bytes);
    CU_ASSERT_EQUAL(area.table_offset_bytes[0], area.section_offset_bytes[1] + area.section_bytes);
    CU_ASSERT(area.chunk_count * MIB >= memory && (area.chunk_count - 1) * MIB < memory);
    CU_ASSERT(area.table_bytes >= area.chunk_count * 256 &&
              area.table_bytes - area.chunk_count * 256 < 4096);
    CU_ASSERT_EQUAL(area.table_offset_bytes[1], area.table_offset_bytes[0] + area.table_bytes);
    CU_ASSERT_EQUAL(area.delta_offset_bytes, area.table_offset_bytes[1] + area.table_bytes);
    CU_ASSERT(area.delta_bytes >= 16 * MIB && area.delta_bytes >= memory / 16);
    CU_ASSERT_EQUAL(area.delta_offset_bytes % 4096, 0);
    CU_ASSERT_EQUAL(area.memory_offset_bytes % MIB, 0);
    CU_ASSERT(area.memory_offset_bytes >= area.delta_offset_bytes + area.delta_bytes);
    CU_ASSERT_EQUAL(area.total_bytes, area.memory_offset_bytes + area.chunk_count * MIB);
}

static void divides_without_overlap(void)
{
    struct hw_prng prng = hw_prng_seeded(7);

    judge(1, 1);
    judge(MIB, 1);
    judge(MIB + 1, 1);
    judge(STO_STATE_MEMORY_MAX_BYTES, STO_STATE_CPUS_MAX);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t memory = 1 + (hw_prng_next(&prng) >> (18 + hw_prng_below(&prng, 40)));

        judge(memory, 1 + (unsigned)hw_prng_below(&prng, STO_STATE_CPUS_MAX));
    }
}

/* Reckoned by hand: 1 + 2 * 2 1/16 + 2 * 1/32 + 16 MiB, up to 22; then the memory. */
static void known_size(void)
{
    uint64_t bytes = 0;

    CU_ASSERT_EQUAL(sto_state_area_bytes(128 * MIB, 1, &bytes), 0);
    CU_ASSERT_EQUAL(bytes, 150 * MIB);
}

static void grows_with_the_vm(void)
{
    uint64_t smaller = 0, larger = 0;

    for (uint64_t memory = MIB; memory < STO_STATE_MEMORY_MAX_BYTES; memory *= 2) {
        CU_ASSERT_EQUAL(sto_state_area_bytes(memory, 1, &smaller), 0);
        CU_ASSERT_EQUAL(sto_state_area_bytes(memory + MIB, 1, &larger), 0);
        CU_ASSERT(larger > smaller);
        CU_ASSERT_EQUAL(sto_state_area_bytes(memory, 64, &larger), 0);
        CU_ASSERT(larger > smaller);
    }
}

static void refuses_what_cannot_be(void)
{
    uint64_t bytes = 77;

    CU_ASSERT_EQUAL(sto_state_area_bytes(0, 1, &bytes), -EINVAL);
    CU_ASSERT_EQUAL(sto_state_area_bytes(MIB, 0, &bytes), -EINVAL);
    CU_ASSERT_EQUAL(sto_state_area_bytes(MIB, STO_STATE_CPUS_MAX + 1, &bytes), -ERANGE);
    CU_ASSERT_EQUAL(sto_state_area_bytes(STO_STATE_MEMORY_MAX_BYTES + 1, 1, &bytes), -ERANGE);
    CU_ASSERT_EQUAL(sto_state_area_bytes(UINT64_MAX, 1, &bytes), -ERANGE);
    CU_ASSERT_EQUAL(bytes, 77);
}

const struct unit_case unit_cases[] = {
    { "parts follow one another without overlap", divides_without_overlap },
    { "a size reckoned by hand", known_size },
    { "more memory or vCPUs need more space", grows_with_the_vm },
    { "what cannot be is refused", refuses_what_cannot_be },
    { 0 },
};
