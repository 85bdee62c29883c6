/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of the test guest: virtio-blk (virtio 1.2 5.2) with one queue and several requests under
 * way. Ring 3, the first processor.
 */
#ifndef GUEST_BLOCK_H
#define GUEST_BLOCK_H

#include "tests/guest/virtio.h"

enum { BLOCK_REQUESTS = 64, BLOCK_BUFFER_BYTES = 1 << 20, BLOCK_MOST_BYTES = 65536 };
enum block_order { BLOCK_READ = 0, BLOCK_WRITE = 1, BLOCK_FLUSH = 4 };
#define BLOCK_CAN_FLUSH (UINT64_C(1) << 9)

struct block_head {
    uint32_t order, reserved;
    uint64_t sector;
};

struct block_request {
    struct block_head head;
    volatile uint8_t status;
    bool busy;
    uint64_t number; /* the caller's */
    void *data;      /* of its own */
};

struct block {
    struct virtio virtio;
    uint64_t sectors;
    uint32_t bytes; /* of the data of a request */
    unsigned count; /* of requests */
    unsigned busy;
    struct block_request requests[BLOCK_REQUESTS + 1];
    uint8_t request_of[VIRTIO_QUEUE_SIZE]; /* a head's */
};

/* The n-th disk, with `count` requests of `bytes` each and one more without data. NULL, or why not.
 */
const char *block_begin(struct block *block, unsigned n, unsigned count, uint32_t bytes,
                        bool indirect);
void block_end(struct block *block);
/* A request that is free; NULL: none. With data, or the one without. */
struct block_request *block_free(struct block *block);
struct block_request *block_free_flush(struct block *block);
/* The device is told of it by the next block_wait(). */
void block_order(struct block *block, struct block_request *request, enum block_order order,
                 uint64_t sector, uint64_t number);
/* The device is told. */
void block_go(struct block *block);
/* One that came back: its status is set, and it is free. NULL: none within some time. */
struct block_request *block_wait(struct block *block);

#endif
