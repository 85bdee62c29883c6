/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk. The memory of requests is here; there is one disk in use at a time.
 */
#include "tests/guest/block.h"

#include "tests/guest/program.h"

enum { CAPACITY_AT = 0, NOT_ANSWERED = 0xff, WAIT_US = 100000 };

static struct virtio_rings rings;
static uint8_t buffers[BLOCK_BUFFER_BYTES] __attribute__((aligned(4096)));

const char *block_begin(struct block *block, unsigned n, unsigned count, uint32_t bytes,
                        bool indirect)
{
    const char *why;

    memset(block, 0, sizeof(*block));
    if (count == 0 || count > BLOCK_REQUESTS || bytes == 0 || bytes > BLOCK_MOST_BYTES ||
        bytes % 512 != 0 || count * bytes > BLOCK_BUFFER_BYTES)
        return "too-much";
    why = virtio_begin(&block->virtio, VIRTIO_BLOCK, n,
                       BLOCK_CAN_FLUSH | (indirect ? VIRTIO_INDIRECT : 0));
    if (why == NULL)
        why = virtio_add_queue(&block->virtio, &rings, 0);
    if (why == NULL && block->virtio.config == NULL)
        why = "no-configuration";
    if (why != NULL)
        return why;
    virtio_ready(&block->virtio);
    block->sectors = ((const volatile uint32_t *)(block->virtio.config + CAPACITY_AT))[0] |
                     (uint64_t)((const volatile uint32_t *)(block->virtio.config + CAPACITY_AT))[1]
                         << 32;
    block->bytes = bytes;
    block->count = count;
    for (unsigned i = 0; i < count; i++)
        block->requests[i].data = buffers + (size_t)i * bytes;
    return NULL;
}

void block_end(struct block *block)
{
    virtio_end(&block->virtio);
}

struct block_request *block_free(struct block *block)
{
    for (unsigned i = 0; i < block->count; i++)
        if (!block->requests[i].busy)
            return &block->requests[i];
    return NULL;
}

struct block_request *block_free_flush(struct block *block)
{
    struct block_request *request = &block->requests[block->count];

    return request->busy ? NULL : request;
}

void block_order(struct block *block, struct block_request *request, enum block_order order,
                 uint64_t sector, uint64_t number)
{
    const struct virtio_piece head = { &request->head, sizeof(request->head) };
    const struct virtio_piece data = { request->data, block->bytes };
    const struct virtio_piece status = { &request->status, 1 };
    struct virtio_piece pieces[VIRTIO_PIECES] = { head, data, status };
    int at;

    request->head = (struct block_head) { .order = order, .sector = sector };
    request->status = NOT_ANSWERED;
    request->number = number;
    if (order == BLOCK_FLUSH) {
        pieces[1] = status;
        at = virtio_offer(&block->virtio.queues[0], pieces, 1, 1);
    } else if (order == BLOCK_WRITE) {
        at = virtio_offer(&block->virtio.queues[0], pieces, 2, 1);
    } else {
        at = virtio_offer(&block->virtio.queues[0], pieces, 1, 2);
    }
    if (at < 0)
        return; /* no room: it stays free, and is tried again */
    request->busy = true;
    block->request_of[at] = (uint8_t)(request - block->requests);
    block->busy++;
}

void block_go(struct block *block)
{
    virtio_notify(&block->virtio.queues[0]);
}

struct block_request *block_wait(struct block *block)
{
    struct virtio_queue *queue = &block->virtio.queues[0];
    struct block_request *request;
    uint32_t bytes;
    int head = virtio_take(queue, &bytes);

    if (head < 0) {
        virtio_wait(queue, tsc_read() + tsc_of_us(WAIT_US));
        head = virtio_take(queue, &bytes);
    }
    if (head < 0)
        return NULL;
    request = &block->requests[block->request_of[head]];
    if (!request->busy)
        return NULL; /* answered twice */
    request->busy = false;
    block->busy--;
    return request;
}
