/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ownership record of a LUN, in the first 64 KiB of its hawser-meta area (vmm.md):
 *   0        copy A of the record, in a page of its own
 *   4 KiB    copy B
 *   8 KiB    ring of the 64 records before it, 512 bytes each; number s stands in slot s mod 64
 *   40 KiB   zeroes
 * A record fits one 512-byte sector, so that a torn write never mixes two of them; both copies
 * carry a sequence number and the newer valid one counts. Pure: bytes in, structs out.
 */
#ifndef STO_RECORD_H
#define STO_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STO_RECORD_BYTES = 512,
    STO_RECORD_PAGE_BYTES = 4096,
    STO_RECORD_RING = 64,
    STO_RECORD_RING_OFFSET = 8192,
    STO_RECORD_AREA_BYTES = STO_RECORD_RING_OFFSET + STO_RECORD_RING * STO_RECORD_BYTES,
    STO_RECORD_VERSION = 1,
    STO_WWID_BYTES = 128, /* with the terminating zero */
};

enum sto_record_state {
    STO_RECORD_FREE = 1,     /* nobody owns the LUN */
    STO_RECORD_OWNED = 2,    /* `node` owned it under `generation` when this was written */
    STO_RECORD_HANDOVER = 3, /* `node` has drained and flushed for `handover_node` */
};

struct sto_record {
    enum sto_record_state state;
    uint8_t cluster_uuid[16];
    uint8_t vm_uuid[16]; /* zero: no VM yet */
    char wwid[STO_WWID_BYTES];
    uint16_t node;
    uint16_t handover_node; /* 0: any */
    uint32_t generation;
    uint8_t boot_id[16]; /* of the writer */
    uint32_t instance;   /* of the writer: tells two processes of one boot apart; 0 = not told */
    uint64_t sequence;   /* counts every record of this LUN */
    uint64_t line; /* the same in all records while one node has the LUN, and none but hawser-lun
                      writes there; drawn anew with each change of that; 0: not told */
    uint32_t deadman_ms, store_ms; /* T_deadman and T_store in force (timing.md) */
    uint64_t written_s;            /* writer's wall clock, for people only; never compared */
};

/* "free", "owned", "handover", or "?" */
const char *sto_record_state_name(enum sto_record_state state);

/* Encode into one sector; `sector` is zero-filled behind the record. */
void sto_record_encode(const struct sto_record *record, uint8_t sector[STO_RECORD_BYTES]);

/*
 * Decode one sector. 0; -ENOENT if it is all zeroes (never written); -EPROTONOSUPPORT if it is a
 * hawser record of a newer version; -EBADMSG if it is anything else.
 */
int sto_record_decode(const uint8_t sector[STO_RECORD_BYTES], struct sto_record *ret_record);

/*
 * The record in force from the first STO_RECORD_AREA_BYTES (or at least two pages) of the meta
 * area: the newer valid copy. `ret_damaged` tells that the other copy is unreadable or differs in
 * more than age. 0, or as sto_record_decode() if neither copy is good; -EPROTONOSUPPORT if any
 * copy is of a newer version, even if the other is valid.
 */
int sto_record_choose(const uint8_t *area, size_t bytes, struct sto_record *ret_record,
                      bool *ret_damaged);

/*
 * The past records of the ring, newest first, into `records` (room for STO_RECORD_RING). Slots
 * that do not decode are left out. Returns how many.
 */
unsigned sto_record_history(const uint8_t *area, size_t bytes, struct sto_record *records);

/* Where record number `sequence` goes in the ring: offset in the meta area, in bytes. */
size_t sto_record_ring_offset(uint64_t sequence);

#endif
