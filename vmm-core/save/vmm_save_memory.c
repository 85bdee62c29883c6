/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory by page, the division of the private part, zero scan and hashes. Pure. */
#include "config.h"

#include "vmm-core/save/vmm_save_memory.h"

#include <stdbool.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the state of a hash on the stack */
#include <xxhash.h>

uint64_t vmm_save_memory_bytes(const struct vmm_save_memory *memory)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < memory->count; i++)
        if (memory->ranges[i].bytes % VMM_SAVE_CHUNK_BYTES != 0 ||
            __builtin_add_overflow(bytes, memory->ranges[i].bytes, &bytes))
            return 0;
    return bytes;
}

uint8_t *vmm_save_memory_page(const struct vmm_save_memory *memory, uint64_t page)
{
    for (unsigned i = 0; i < memory->count; i++) {
        uint64_t pages = memory->ranges[i].bytes / VMM_SAVE_PAGE_BYTES;

        if (page < pages)
            return memory->ranges[i].address + page * VMM_SAVE_PAGE_BYTES;
        page -= pages;
    }
    return NULL;
}

int vmm_save_all_data(void *context, uint64_t page, uint64_t *ret_first, uint64_t *ret_count)
{
    (void)context;
    *ret_first = page;
    *ret_count = UINT64_MAX - page;
    return 0;
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + VMM_SAVE_PAGE_BYTES - 1) / VMM_SAVE_PAGE_BYTES * VMM_SAVE_PAGE_BYTES;
}

enum { FIXED_BYTES = 3 * VMM_SAVE_PAGE_BYTES + 2 * VMM_SAVE_BLOCK_BYTES };

uint64_t vmm_save_private_bytes(const struct vmm_save_geometry *geometry)
{
    return FIXED_BYTES + whole_pages(geometry->area.table_bytes) + geometry->delta_index_bytes +
           whole_pages(geometry->area.section_bytes);
}

void vmm_save_private_over(const struct vmm_save_geometry *geometry, uint8_t *memory,
                           struct vmm_save_private *ret_private)
{
    struct vmm_save_private part;

    part.slot[0] = memory;
    part.slot[1] = memory + VMM_SAVE_PAGE_BYTES;
    part.header = memory + 2 * VMM_SAVE_PAGE_BYTES;
    part.zero = memory + 3 * VMM_SAVE_PAGE_BYTES;
    part.waste = part.zero + VMM_SAVE_BLOCK_BYTES;
    part.table = memory + FIXED_BYTES;
    part.delta_index = part.table + whole_pages(geometry->area.table_bytes);
    part.sections = part.delta_index + geometry->delta_index_bytes;
    *ret_private = part;
}

uint64_t vmm_save_hash_page(const uint8_t *page)
{
    return XXH3_64bits(page, VMM_SAVE_PAGE_BYTES);
}

uint64_t vmm_save_hash_block(const uint8_t *block, uint16_t nonzero)
{
    static const uint8_t zeroes[VMM_SAVE_PAGE_BYTES];
    XXH3_state_t state;

    if (nonzero == UINT16_MAX)
        return XXH3_64bits(block, VMM_SAVE_BLOCK_BYTES);
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset(&state);
    for (unsigned i = 0; i < VMM_SAVE_BLOCK_PAGES; i++)
        XXH3_64bits_update(&state,
                           nonzero & 1u << i ? block + (size_t)i * VMM_SAVE_PAGE_BYTES : zeroes,
                           VMM_SAVE_PAGE_BYTES);
    return XXH3_64bits_digest(&state);
}

static bool is_zero(const uint8_t *page)
{
    uint64_t words[8];

    for (size_t at = 0; at < VMM_SAVE_PAGE_BYTES; at += sizeof(words)) {
        memcpy(words, page + at, sizeof(words));
        if ((words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] |
             words[7]) != 0)
            return false;
    }
    return true;
}

uint16_t vmm_save_scan_block(const uint8_t *block, uint16_t look)
{
    uint16_t nonzero = 0;

    for (unsigned i = 0; i < VMM_SAVE_BLOCK_PAGES; i++)
        if (look & 1u << i && !is_zero(block + (size_t)i * VMM_SAVE_PAGE_BYTES))
            nonzero = (uint16_t)(nonzero | 1u << i);
    return nonzero;
}
