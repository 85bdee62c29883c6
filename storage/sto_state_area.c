/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The division of the saved-state area. Pure: no I/O, no allocation. The limits on memory and
 * vCPUs keep every sum far below 2^64, and the sums are checked all the same.
 */
#include "config.h"

#include "storage/sto_state_area.h"

#include <errno.h>
#include <stdbool.h>

enum { MIB = 1024 * 1024 };

/* A place in the area under construction: takes `bytes`, rounded up to `unit`, at the end. */
struct cursor {
    uint64_t at;
    bool overflow;
};

static uint64_t round_up(struct cursor *cursor, uint64_t value, uint64_t unit)
{
    uint64_t raised;

    if (__builtin_add_overflow(value, unit - 1, &raised)) {
        cursor->overflow = true;
        return 0;
    }
    return raised / unit * unit;
}

static uint64_t take(struct cursor *cursor, uint64_t bytes)
{
    uint64_t place = cursor->at;

    if (__builtin_add_overflow(cursor->at, round_up(cursor, bytes, STO_STATE_PART_BYTES),
                               &cursor->at))
        cursor->overflow = true;
    return place;
}

static uint64_t times(struct cursor *cursor, uint64_t count, uint64_t bytes)
{
    uint64_t product;

    if (__builtin_mul_overflow(count, bytes, &product)) {
        cursor->overflow = true;
        return 0;
    }
    return product;
}

int sto_state_area_plan(uint64_t memory_bytes, unsigned cpus, struct sto_state_area *ret_area)
{
    struct sto_state_area area = { 0 };
    struct cursor end = { 0 };

    if (memory_bytes == 0 || cpus == 0)
        return -EINVAL;
    if (memory_bytes > STO_STATE_MEMORY_MAX_BYTES || cpus > STO_STATE_CPUS_MAX)
        return -ERANGE;
    area.chunk_count = round_up(&end, memory_bytes, STO_STATE_CHUNK_BYTES) / STO_STATE_CHUNK_BYTES;
    area.section_bytes = STO_STATE_SECTION_BYTES + times(&end, cpus, STO_STATE_SECTION_CPU_BYTES);
    area.table_bytes = round_up(&end, times(&end, area.chunk_count, STO_STATE_CHUNK_RECORD_BYTES),
                                STO_STATE_PART_BYTES);
    area.delta_bytes = memory_bytes / 16;
    if (area.delta_bytes < 16 * MIB)
        area.delta_bytes = 16 * MIB;
    area.delta_bytes = round_up(&end, area.delta_bytes, STO_STATE_PART_BYTES);

    for (unsigned i = 0; i < STO_STATE_COPIES; i++)
        area.header_offset_bytes[i] = take(&end, STO_STATE_HEADER_BYTES);
    for (unsigned i = 0; i < STO_STATE_COPIES; i++)
        area.section_offset_bytes[i] = take(&end, area.section_bytes);
    for (unsigned i = 0; i < STO_STATE_COPIES; i++)
        area.table_offset_bytes[i] = take(&end, area.table_bytes);
    area.delta_offset_bytes = take(&end, area.delta_bytes);
    end.at = round_up(&end, end.at, MIB);
    area.memory_offset_bytes = take(&end, times(&end, area.chunk_count, STO_STATE_CHUNK_BYTES));
    area.total_bytes = round_up(&end, end.at, MIB);
    if (end.overflow)
        return -ERANGE;
    *ret_area = area;
    return 0;
}

int sto_state_area_bytes(uint64_t max_memory_bytes, unsigned max_cpus, uint64_t *ret_bytes)
{
    struct sto_state_area area;
    int rc = sto_state_area_plan(max_memory_bytes, max_cpus, &area);

    if (rc == 0)
        *ret_bytes = area.total_bytes;
    return rc;
}
