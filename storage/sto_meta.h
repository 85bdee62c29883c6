/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The description of a LUN inside hawser-meta, beside the ownership record: which cluster and
 * which LUN this is, for how large a VM the state area was reserved, what the probe found. Written
 * by `lun init` and after a probe, never while a VM runs. One record of 512 bytes at 64 KiB of the
 * area and a copy at 128 KiB; the valid one with the higher sequence counts. Pure: bytes in,
 * structs out.
 */
#ifndef STO_META_H
#define STO_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/sto_record.h"

enum {
    STO_META_BYTES = 512,
    STO_META_VERSION = 1,
};

struct sto_meta {
    uint8_t cluster_uuid[16];
    uint8_t vm_uuid[16];       /* zero: not given to a VM yet */
    char wwid[STO_WWID_BYTES]; /* as identified when it was written; another one now: a copy */
    uint64_t max_memory_bytes;
    uint32_t max_cpus;
    uint32_t probe_bits; /* STO_PROBE_* of sto_probe.h; 0: never probed */
    uint64_t probed_s;   /* wall clock, for people only; 0: never */
    uint64_t created_s;  /* wall clock, for people only */
    uint64_t sequence;   /* counts every writing of this description, from 1 */
};

/* Encode into one sector; what follows the fields is zero. */
void sto_meta_encode(const struct sto_meta *meta, uint8_t sector[STO_META_BYTES]);

/*
 * Decode one sector. 0; -ENOENT if it is all zeroes; -EPROTONOSUPPORT if it is a description of a
 * newer version; -EBADMSG if it is anything else.
 */
int sto_meta_decode(const uint8_t sector[STO_META_BYTES], struct sto_meta *ret_meta);

/*
 * The description in force from both copies. `ret_damaged` (may be NULL): the other copy is not
 * good, or older. 0, or as sto_meta_decode() if neither is good; -EPROTONOSUPPORT if either is of
 * a newer version.
 */
int sto_meta_choose(const uint8_t copy_a[STO_META_BYTES], const uint8_t copy_b[STO_META_BYTES],
                    struct sto_meta *ret_meta, bool *ret_damaged);

#endif
