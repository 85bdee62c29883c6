/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver's side of virtio over PCI, modern only (virtio 1.2 2.7, 3.1, 4.1), with a vector of
 * MSI-X for each queue. Ring 3, one processor at a time.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "tests/guest/guest.h"

enum { VIRTIO_BLOCK = 2, VIRTIO_NET = 1, VIRTIO_ENTROPY = 4 };
enum { VIRTIO_QUEUE_SIZE = 256, VIRTIO_QUEUES = 4, VIRTIO_PIECES = 3 };
#define VIRTIO_INDIRECT (UINT64_C(1) << 28)
#define VIRTIO_MODERN   (UINT64_C(1) << 32) /* VERSION_1 */

/* A descriptor (2.7.5) and an element of the used ring (2.7.8). */
struct virtio_descriptor {
    uint64_t at;
    uint32_t bytes;
    uint16_t flags, next;
};

struct virtio_used {
    uint32_t head, bytes;
};

/* The rings' memory as the device sees it. */
struct virtio_rings {
    struct virtio_descriptor descriptors[VIRTIO_QUEUE_SIZE] __attribute__((aligned(4096)));
    volatile uint16_t offer_flags, offer_index, offers[VIRTIO_QUEUE_SIZE + 1];
    volatile uint16_t used_flags __attribute__((aligned(4))), used_index;
    volatile struct virtio_used used[VIRTIO_QUEUE_SIZE + 1];
    struct virtio_descriptor tables[VIRTIO_QUEUE_SIZE][VIRTIO_PIECES] __attribute__((aligned(16)));
};

struct virtio_queue {
    struct virtio_rings *rings;
    volatile uint16_t *notify;
    uint16_t index, size;
    uint16_t free_head, free_count;
    uint16_t seen; /* of the used ring */
    unsigned vector;
    uint32_t interrupts; /* that had come when there was no answer last */
    bool indirect;
    uint64_t late; /* answers that came without an interrupt */
};

struct virtio {
    unsigned where; /* pci.h */
    volatile uint8_t *common, *notify, *config;
    uint32_t notify_step;
    volatile uint32_t *vectors;
    uint64_t features;
    unsigned queue_count;
    struct virtio_queue queues[VIRTIO_QUEUES];
};

/* Memory that the device reads or writes. */
struct virtio_piece {
    const volatile void *at;
    uint32_t bytes;
};

/*
 * The n-th device (from 0) of this type is reset, and agrees to those of `features` that it has.
 * NULL, or why that cannot be.
 */
const char *virtio_begin(struct virtio *virtio, unsigned type, unsigned n, uint64_t features);
/* Its next queue, as long as it may be, at most `size` (a power of two up to VIRTIO_QUEUE_SIZE; 0:
 * that) entries. NULL, or why that cannot be. */
const char *virtio_add_queue(struct virtio *virtio, struct virtio_rings *rings, unsigned size);
/* Its interrupts stay away, as if they were lost. */
void virtio_mask(struct virtio *virtio, unsigned queue);
/* The device is in use from now on. */
void virtio_ready(struct virtio *virtio);
/* It is not any more, and touches no memory of ours. */
void virtio_end(struct virtio *virtio);

/*
 * A chain of `out` pieces that the device reads and then `in` that it writes, at most
 * VIRTIO_PIECES. Its head, or -1: there is no room. Not seen by the device before virtio_notify().
 */
int virtio_offer(struct virtio_queue *queue, const struct virtio_piece *pieces, unsigned out,
                 unsigned in);
void virtio_notify(struct virtio_queue *queue);
/* A chain that came back, and how much was written to it; -1: none. */
int virtio_take(struct virtio_queue *queue, uint32_t *ret_bytes);
/* Until one may have come back, or the counter `until_tsc` is reached. An answer without an
 * interrupt is counted. */
void virtio_wait(struct virtio_queue *queue, uint64_t until_tsc);

#endif
