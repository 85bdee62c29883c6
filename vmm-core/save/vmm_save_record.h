/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chunk table: one record of 256 bytes for each MiB of guest memory (doc/saved-state.md). A
 * record says of each 64 KiB block how it is stored, what its content hashes to (xxh3-64 of all 64
 * KiB, with the pages of the delta area in their places), and which of its pages are not zero.
 * Pages that are zero lie nowhere. Pure: bytes in, structs out.
 */
#ifndef VMM_SAVE_RECORD_H
#define VMM_SAVE_RECORD_H

#include <stdint.h>

#include "vmm-core/save/vmm_save_geometry.h"

/* How a block is stored. Numbers on disk; 2 (lz4) and 3 (zstd) are reserved. */
enum vmm_save_codec {
    VMM_SAVE_CODEC_ZERO = 0, /* nowhere: all its pages are zero */
    VMM_SAVE_CODEC_RAW = 1,  /* its pages that are not zero lie at home, or in the delta area */
};

enum { VMM_SAVE_RECORD_BYTES = STO_STATE_CHUNK_RECORD_BYTES };

struct vmm_save_record {
    uint32_t chunk; /* its number */
    uint8_t codec[VMM_SAVE_CHUNK_BLOCKS];
    uint32_t stored_bytes[VMM_SAVE_CHUNK_BLOCKS]; /* ZERO: 0; RAW: 64 KiB */
    uint64_t hash[VMM_SAVE_CHUNK_BLOCKS];         /* ZERO: 0 */
    uint16_t nonzero[VMM_SAVE_CHUNK_BLOCKS];      /* bit i: page i of the block is not zero */
    uint64_t generation;                          /* of the save that wrote it */
};

/* What a record says of one block. */
struct vmm_save_block {
    enum vmm_save_codec codec;
    uint64_t hash;
    uint16_t nonzero;
};

/* Encode. */
void vmm_save_record_encode(const struct vmm_save_record *record,
                            uint8_t ret_bytes[VMM_SAVE_RECORD_BYTES]);
/*
 * Decode the record of `chunk`. 0; -EBADMSG: damaged, or that of another chunk; -EPROTONOSUPPORT:
 * a codec that this version does not know.
 */
int vmm_save_record_decode(const uint8_t bytes[VMM_SAVE_RECORD_BYTES], uint64_t chunk,
                           struct vmm_save_record *ret_record);

/* Set a block (0 to 15) by its hash and pages: ZERO if no page is set. */
void vmm_save_record_set(struct vmm_save_record *record, unsigned block, uint64_t hash,
                         uint16_t nonzero);
/* Block `block` of guest memory out of a table that was checked. */
struct vmm_save_block vmm_save_table_block(const uint8_t *table, uint64_t block);
/*
 * Check a table of `chunks` records. 0, or as vmm_save_record_decode(), with the first bad chunk in
 * `ret_chunk`.
 */
int vmm_save_table_check(const uint8_t *table, uint64_t chunks, uint64_t *ret_chunk);

#endif
