/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-flight region ("Inflight I/O tracking" in the vhost-user protocol): shared memory that the
 * front end keeps while a back end dies and comes back. It says which heads of each split queue
 * were taken and not answered, and in which order. The front end gives it back to the next back
 * end, which does those again, first. Whoever holds the other end of it can only harm its own
 * queues: heads are judged again when they are read.
 */
#ifndef VH_INFLIGHT_H
#define VH_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/vhost/vh_shared.h"

struct vh_inflight_entry {
    uint8_t inflight;
    uint8_t padding[5];
    uint16_t next;
    uint64_t counter;
};

/* Of one queue. Version 1 is ours. */
struct vh_inflight_queue {
    uint64_t features;
    uint16_t version;
    uint16_t desc_num;
    uint16_t last_batch_head;
    uint16_t used_idx;
    struct vh_inflight_entry entries[];
};

/*
 * Behind the queues of a region that this server made: on which LUN the guest ran, and in which
 * line of the LUN's ownership records. All zero: it never ran. For hawser-lun alone; the protocol
 * knows nothing of it, and a region without room for it has none.
 */
struct vh_inflight_origin {
    uint64_t magic; /* VH_INFLIGHT_ORIGIN_MAGIC, written last */
    uint64_t lun;   /* a hash of its name */
    uint64_t line;
};

#define VH_INFLIGHT_ORIGIN_MAGIC UINT64_C(0x326e696769724f77)

struct vh_inflight {
    struct vh_shared shared;           /* map NULL: none */
    struct vh_inflight_origin *origin; /* NULL: there is no room */
    unsigned queues;
    uint16_t queue_size;
};

/* Bytes for `queues` queues of `queue_size` entries, and for their origin. */
uint64_t vh_inflight_bytes(unsigned queues, uint16_t queue_size);
/* Fresh memory for them, zeroed and sealed against shrinking. A descriptor that is the caller's, or
 * -errno. */
int vh_inflight_create(unsigned queues, uint16_t queue_size);
/* Map it as the front end handed it over; `fd` stays the caller's. 0; -EINVAL if it is too small
 * for that many queues (their origin may be missing); or -errno of vh_shared_map(). */
int vh_inflight_map(struct vh_inflight *inflight, int fd, uint64_t offset, uint64_t bytes,
                    unsigned queues, uint16_t queue_size);
/*
 * Nothing of what is noted there was ever taken; the origin stays. 0; -ENOTSUP: it has none, so
 * that it is not known what is noted there; or -errno of vh_inflight_map().
 */
int vh_inflight_clear(int fd, uint64_t offset, uint64_t bytes, unsigned queues,
                      uint16_t queue_size);
/* Unmap. */
void vh_inflight_unmap(struct vh_inflight *inflight);
/* The part of queue `i`, or NULL. */
struct vh_inflight_queue *vh_inflight_queue(const struct vh_inflight *inflight, unsigned i);

/*
 * Did the guest run on this LUN and in this line (see vh_back_set_origin())? True as well if it
 * never ran (`runs`: it does now, and that is kept there), and for a region without room for it.
 */
bool vh_inflight_goes_on(const struct vh_inflight *inflight, uint64_t lun, uint64_t line,
                         bool runs);

/* A head was taken; `counter` counts them, in order. */
void vh_inflight_take(struct vh_inflight_queue *queue, uint16_t head, uint64_t counter);
/* Around the used index's move: before it, and behind it. */
void vh_inflight_answer(struct vh_inflight_queue *queue, uint16_t head);
void vh_inflight_answered(struct vh_inflight_queue *queue, uint16_t head, uint16_t used_idx);
/*
 * A new back end: what the last one left. `used_idx` is the ring's. Heads into `ret_heads` (room
 * for `size`), oldest first; returns how many. `ret_counter`: the greatest counter seen.
 */
unsigned vh_inflight_recover(struct vh_inflight_queue *queue, uint16_t size, uint16_t used_idx,
                             uint16_t *ret_heads, uint64_t *ret_counter);

#endif
