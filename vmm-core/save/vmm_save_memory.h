/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that the machines of this folder work on: the guest's, as a list of ranges of one
 * memfd, and their own private part, in which headers, table, index and sections lie while they are
 * read and written (the queue knows both as regions). Numbers only; nothing here allocates.
 */
#ifndef VMM_SAVE_MEMORY_H
#define VMM_SAVE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "vmm-core/save/vmm_save_geometry.h"

/* A part of guest memory, a multiple of 1 MiB. */
struct vmm_save_range {
    uint8_t *address; /* where the machine reads and fills it */
    uint64_t bytes;
    uint64_t file_offset_bytes; /* in the memfd */
};

struct vmm_save_memory {
    const struct vmm_save_range *ranges; /* in the order in which guest memory is counted */
    unsigned count;
    /*
     * The first run of pages from `page` on that the memfd has data for: its first page, and how
     * many. What lies between is zero and is not looked at, since that would allocate it. 0;
     * -ENOENT: none; -errno. Never blocks.
     */
    int (*next_data)(void *context, uint64_t page, uint64_t *ret_first, uint64_t *ret_count);
    void *context;
};

/* The size of all ranges; 0 if one is not a multiple of 1 MiB, or there is none. */
uint64_t vmm_save_memory_bytes(const struct vmm_save_memory *memory);
/* Where a page is; the other pages of its chunk lie beside it. NULL: there is no such page. */
uint8_t *vmm_save_memory_page(const struct vmm_save_memory *memory, uint64_t page);

/* A next_data() for memory of which nothing is known: it all may hold data. */
int vmm_save_all_data(void *context, uint64_t page, uint64_t *ret_first, uint64_t *ret_count);

/* The private part. Each piece is a multiple of 4 KiB at a multiple of 4 KiB. */
struct vmm_save_private {
    uint8_t *slot[STO_STATE_COPIES]; /* 4 KiB each: header slots as read */
    uint8_t *header;                 /* 4 KiB: the header that is written */
    uint8_t *zero;                   /* 64 KiB, stays zero */
    uint8_t *waste;                  /* 64 KiB: what is read and not wanted */
    uint8_t *table, *delta_index, *sections;
};

/* How large the private part has to be. */
uint64_t vmm_save_private_bytes(const struct vmm_save_geometry *geometry);
/* Divide `memory` of that size, page-aligned and zeroed. */
void vmm_save_private_over(const struct vmm_save_geometry *geometry, uint8_t *memory,
                           struct vmm_save_private *ret_private);

/* The hash of a page, and of a block whose pages that are not in `nonzero` count as zero. */
uint64_t vmm_save_hash_page(const uint8_t *page);
uint64_t vmm_save_hash_block(const uint8_t *block, uint16_t nonzero);
/* Which of the pages in `look` are not zero; the others of the block are not touched. */
uint16_t vmm_save_scan_block(const uint8_t *block, uint16_t look);

#endif
