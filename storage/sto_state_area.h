/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the saved-state area of a LUN is divided (doc/lun-layout.md, "hawser-state") and how large
 * it has to be for a VM. This is the one place that knows: the tool that reserves the space, the
 * one that prints it and the VMM that fills it all ask here. Pure arithmetic, all of it checked.
 */
#ifndef STO_STATE_AREA_H
#define STO_STATE_AREA_H

#include <stdint.h>

enum {
    STO_STATE_CPUS_MAX = 1024,
    STO_STATE_HEADER_BYTES = 512 * 1024,   /* room of one header slot */
    STO_STATE_SECTION_BYTES = 2048 * 1024, /* of a state section, before its vCPUs */
    STO_STATE_SECTION_CPU_BYTES = 64 * 1024,
    STO_STATE_CHUNK_BYTES = 1024 * 1024, /* guest memory goes in chunks of this */
    STO_STATE_CHUNK_RECORD_BYTES = 256,
    STO_STATE_PART_BYTES = 4096, /* every part starts on a multiple of this */
    STO_STATE_COPIES = 2,        /* of headers, sections and chunk tables */
};

#define STO_STATE_MEMORY_MAX_BYTES (UINT64_C(1) << 46) /* 64 TiB */

/* Places within the area, in bytes from its start. */
struct sto_state_area {
    uint64_t header_offset_bytes[STO_STATE_COPIES];
    uint64_t section_offset_bytes[STO_STATE_COPIES];
    uint64_t section_bytes; /* of each */
    uint64_t table_offset_bytes[STO_STATE_COPIES];
    uint64_t table_bytes; /* of each, a multiple of STO_STATE_PART_BYTES */
    uint64_t delta_offset_bytes;
    uint64_t delta_bytes;
    uint64_t memory_offset_bytes; /* a multiple of 1 MiB; chunk i lies at + i MiB */
    uint64_t chunk_count;
    uint64_t total_bytes; /* a multiple of 1 MiB */
};

/*
 * Divide an area for a guest of `memory_bytes` and `cpus`. 0, -EINVAL (either is 0) or -ERANGE
 * (more than STO_STATE_MEMORY_MAX_BYTES or STO_STATE_CPUS_MAX).
 */
int sto_state_area_plan(uint64_t memory_bytes, unsigned cpus, struct sto_state_area *ret_area);

/* The size of that area alone: sto_state_area_plan()'s total_bytes, and its errors. */
int sto_state_area_bytes(uint64_t max_memory_bytes, unsigned max_cpus, uint64_t *ret_bytes);

#endif
