/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of the test guest. Everything above the guest itself is for the programs, but for the page
 * tables of what is beyond 4 GiB and for a number a page, which are taken from its beginning.
 */
#include "tests/guest/kernel.h"

#include "tests/guest/base.h"

enum { MAP_RAM = 1, LARGE_PRESENT = 0x87, TABLE_PRESENT = 7 };
#define GIB  UINT64_C(0x40000000)
#define FOUR (4 * GIB)
#define MOST (512 * GIB) /* of one table of directories */

extern uint8_t _end[]; /* of the linker */

struct map_entry {
    uint64_t at, bytes;
    uint32_t type, reserved;
};

static uint64_t up(uint64_t value)
{
    return (value + GUEST_PAGE - 1) & ~(uint64_t)(GUEST_PAGE - 1);
}

static void add_range(const struct map_entry *entry)
{
    const uint64_t first = up((uint64_t)_end);
    uint64_t at = up(entry->at), end = (entry->at + entry->bytes) & ~(uint64_t)(GUEST_PAGE - 1);

    if (entry->type != MAP_RAM)
        return;
    guest.memory_bytes += entry->bytes;
    if (entry->at >= FOUR)
        guest.high_bytes += entry->bytes;
    if (at < first)
        at = first;
    if (end > MOST)
        end = MOST;
    if (at < end && guest.range_count < GUEST_RANGES)
        guest.ranges[guest.range_count++] = (struct range) { at, end - at };
}

/* From the first range that has so much; below 4 GiB, since the guest is. What is in it stays. */
static void *take(uint64_t bytes)
{
    bytes = up(bytes);
    for (unsigned i = 0; i < guest.range_count; i++) {
        struct range *range = &guest.ranges[i];

        if (range->bytes < bytes || range->at + bytes > FOUR)
            continue;
        range->at += bytes;
        range->bytes -= bytes;
        return (void *)(range->at - bytes);
    }
    kernel_fatal("not enough memory for tables", NULL);
}

static void map_up_to(uint64_t end)
{
    for (uint64_t at = FOUR; at < end; at += GIB) {
        uint64_t *directory = take(GUEST_PAGE);

        for (unsigned i = 0; i < 512; i++)
            directory[i] = (at + i * (GIB / 512)) | LARGE_PRESENT;
        page_directories[at / GIB] = (uint64_t)directory | TABLE_PRESENT;
    }
}

void kernel_memory(uint64_t map_at, unsigned entries)
{
    const struct map_entry *map = (const struct map_entry *)map_at;
    uint64_t end = 0;

    for (unsigned i = 0; i < entries; i++)
        add_range(&map[i]);
    for (unsigned i = 0; i < guest.range_count; i++) {
        guest.pages += guest.ranges[i].bytes / GUEST_PAGE;
        if (guest.ranges[i].at + guest.ranges[i].bytes > end)
            end = guest.ranges[i].at + guest.ranges[i].bytes;
    }
    map_up_to(end);
    guest.generations = take(guest.pages * sizeof(*guest.generations));
    guest.pages = 0;
    for (unsigned i = 0; i < guest.range_count; i++)
        guest.pages += guest.ranges[i].bytes / GUEST_PAGE;
}
