/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of a split virtqueue (virtio 1.2 2.7) in a front end's memory. Descriptors are
 * copied once and judged; a chain that is wrong costs the driver that request, an index that is
 * wrong its queue, nothing costs us more. Used indices move after the data and the dirty log.
 * Nothing here waits, signals, or does I/O.
 */
#ifndef VH_RING_H
#define VH_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "storage/vhost/vh_inflight.h"
#include "storage/vhost/vh_log.h"
#include "storage/vhost/vh_mem.h"

enum { VH_SEGMENTS = 256 }; /* pieces of memory in one chain */

/* One chain: what the driver gives (out) stands before what the device fills (in). */
struct vh_chain {
    uint16_t head;
    unsigned out_count, in_count;
    struct iovec pieces[VH_SEGMENTS];
};

struct vh_ring {
    /* set by the owner before vh_ring_place() */
    uint16_t size; /* a power of two, up to VH_QUEUE_SIZE_MAX */
    bool event_idx, indirect;
    struct vh_inflight_queue *inflight; /* NULL: none */
    const struct vh_log *log;           /* NULL: nothing is logged */
    bool log_used;                      /* the used ring too, */
    uint64_t log_addr;                  /* at this guest address */
    /* the ring's own */
    struct vh_mem *mem;
    const uint8_t *desc;
    uint8_t *avail, *used;
    uint16_t last_avail, used_idx, signalled_used;
    bool signalled_valid, broken;
    unsigned in_use; /* chains taken and not pushed back */
    uint64_t counter;
    unsigned again_count, again_at; /* heads left by a back end that died */
    uint16_t again[VH_QUEUE_SIZE_MAX];
};

/*
 * Find the parts of the ring in `mem` by addresses of the front end. 0; -EFAULT if a part is not
 * wholly there, -EINVAL for a wrong size or alignment. The table is not kept from going away: its
 * owner sees to that. May be called again for another table.
 */
int vh_ring_place(struct vh_ring *ring, struct vh_mem *mem, uint64_t desc_addr, uint64_t avail_addr,
                  uint64_t used_addr);
/*
 * Begin at available index `base`. Where an in-flight region is there, it says more: what was taken
 * and not answered comes first, in its order.
 */
void vh_ring_start(struct vh_ring *ring, uint16_t base);

/*
 * The next chain. 1: `chain` is filled; 0: there is none; -EBADMSG: a chain that cannot be served:
 * its head is in `chain`, to be pushed back with 0 bytes; -EPROTO: the ring is broken, for good.
 */
int vh_ring_pop(struct vh_ring *ring, struct vh_chain *chain);
/* The last `count` chains that were taken, none of them given back: as if they had not been. For a
 * ring without an in-flight region. */
void vh_ring_unpop(struct vh_ring *ring, unsigned count);
/* Would vh_ring_pop() find something? */
bool vh_ring_has_more(const struct vh_ring *ring);
/* Give a chain back with so many bytes written to its `in` part. */
void vh_ring_push(struct vh_ring *ring, uint16_t head, uint32_t written_bytes);
/* Does the driver want to be told of what was pushed since it was asked last? (2.7.10) */
bool vh_ring_wants_signal(struct vh_ring *ring);
/* Ask the driver to tell of new chains, or not to. After asking, look again. */
void vh_ring_want_kicks(struct vh_ring *ring, bool wanted);

#endif
