/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The canonical snapshot of the replicated state: join transfer, what the store keeps, what
 * `hawser simulate` reads. Equal states give equal bytes; their hash finds divergence. Fields that
 * hold 0 or "" are left out: snapshots of older releases load, with 0 for what they did not know.
 *
 * Little-endian: magic 4, version 4, length of the body 4, CRC-32C of the body 4; body: fields of
 * core_state by ascending tag (tag 2, length 4, value). Integers 4 or 8 bytes, names and texts
 * without end, lists: count 4, then each item's length 4 and fields.
 */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_state.h"

enum { CORE_SNAPSHOT_VERSION = 1, CORE_SNAPSHOT_HEAD = 16, CORE_SNAPSHOT_MAX = 1 << 28 };
#define CORE_SNAPSHOT_MAGIC UINT32_C(0x50534348) /* "HCSP" */

/* Encode. 0 with bytes that the caller frees; -ENOMEM; -EFBIG: above CORE_SNAPSHOT_MAX. */
int core_state_encode(const struct core_state *state, uint8_t **ret_bytes, size_t *ret_size);
/*
 * Decode all of `size` bytes into `ret_state`, which the caller frees; untouched on errors. 0;
 * -EBADMSG: damaged, or not canonical; -EPROTONOSUPPORT: written by a newer release (version or a
 * field that is unknown here); -ENOMEM. Form only: references between objects are not judged.
 */
int core_state_decode(const uint8_t *bytes, size_t size, struct core_state *ret_state);
/* xxh3 of the encoding into `ret_hash`. Errors as core_state_encode(). */
int core_state_hash(const struct core_state *state, uint64_t *ret_hash);

#endif
