/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues of a virtio device: storage/vhost's rings in guest memory. A ring is read only while the
 * driver is there (DRIVER_OK) and the function may reach memory.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm-core/virtio/vmm_virtio_priv.h"

enum { DESCRIPTORS, DRIVER_AREA, DEVICE_AREA };

void virtio_queue_reset(const struct vmm_virtio *virtio, struct virtio_queue *queue)
{
    memset(queue, 0, sizeof(*queue));
    queue->size = virtio->kind->queue_size;
    queue->vector = NO_VECTOR;
}

bool virtio_queue_is_size(const struct vmm_virtio *virtio, uint16_t size)
{
    return size > 0 && size <= virtio->kind->queue_size && (size & (size - 1)) == 0;
}

/* Guest addresses stand for the front end's: there is none but the guest. */
int virtio_queue_enable(const struct vmm_virtio *virtio, struct virtio_queue *queue)
{
    int rc;

    queue->ring.size = queue->size;
    queue->ring.log = vh_mem_log(virtio->mem);
    queue->ring.log_used = true;
    queue->ring.log_addr = queue->parts[DEVICE_AREA];
    rc = vh_ring_place(&queue->ring, virtio->mem, queue->parts[DESCRIPTORS],
                       queue->parts[DRIVER_AREA], queue->parts[DEVICE_AREA]);
    queue->enabled = rc == 0;
    return rc;
}

uint16_t virtio_queue_next(const struct virtio_queue *queue)
{
    return queue->started ? queue->ring.last_avail : queue->next;
}

/* Not before it is needed: memory is there only when all of a saved state is. */
static void start(const struct vmm_virtio *virtio, struct virtio_queue *queue)
{
    if (queue->started)
        return;
    queue->ring.indirect = vmm_virtio_has(virtio, FEATURE_INDIRECT);
    queue->ring.event_idx = vmm_virtio_has(virtio, VMM_VIRTIO_EVENT_IDX);
    vh_ring_start(&queue->ring, queue->next);
    queue->started = true;
}

bool vmm_virtio_runs(const struct vmm_virtio *virtio)
{
    return (virtio->status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) == STATUS_DRIVER_OK &&
           !virtio->resetting && vmm_pci_may(&virtio->function, VMM_PCI_MASTER);
}

static bool may_serve(const struct vmm_virtio *virtio, unsigned i)
{
    return i < virtio->kind->queues && virtio->queues[i].enabled && vmm_virtio_runs(virtio);
}

void virtio_serve(struct vmm_virtio *virtio, unsigned i)
{
    if (may_serve(virtio, i))
        virtio->kind->serve(virtio->dev, i);
}

void virtio_serve_all(struct vmm_virtio *virtio)
{
    for (unsigned i = 0; i < virtio->kind->queues; i++)
        virtio_serve(virtio, i);
}

/* --- for the device --- */

/* The driver tells of what comes behind the last chain; what came before it knew that is found. */
static int pop(struct vh_ring *ring, struct vh_chain *chain)
{
    const int rc = vh_ring_pop(ring, chain);

    if (rc != 0 || !ring->event_idx)
        return rc;
    vh_ring_want_kicks(ring, true);
    return vh_ring_pop(ring, chain);
}

bool vmm_virtio_pop(struct vmm_virtio *virtio, unsigned i, struct vh_chain *chain)
{
    struct virtio_queue *queue = &virtio->queues[i];
    int rc;

    if (!may_serve(virtio, i))
        return false;
    start(virtio, queue);
    rc = pop(&queue->ring, chain);
    if (rc == -EPROTO)
        vmm_virtio_break(virtio);
    if (rc == -EBADMSG)
        chain->out_count = chain->in_count = 0;
    return rc == 1 || rc == -EBADMSG;
}

uint64_t vmm_virtio_guest_at(const struct vmm_virtio *virtio, const void *at)
{
    return vh_mem_guest_addr(virtio->mem, at);
}

void vmm_virtio_wrote(const struct vmm_virtio *virtio, const void *at, size_t bytes)
{
    if (vh_mem_log(virtio->mem) != NULL)
        vh_log_mark(vh_mem_log(virtio->mem), vh_mem_guest_addr(virtio->mem, at), bytes);
}

void vmm_virtio_unpop(struct vmm_virtio *virtio, unsigned i, unsigned count)
{
    vh_ring_unpop(&virtio->queues[i].ring, count);
}

void vmm_virtio_push(struct vmm_virtio *virtio, unsigned i, uint16_t head, uint32_t written_bytes)
{
    vh_ring_push(&virtio->queues[i].ring, head, written_bytes);
}

void vmm_virtio_signal(struct vmm_virtio *virtio, unsigned i)
{
    struct virtio_queue *queue = &virtio->queues[i];

    if (vh_ring_wants_signal(&queue->ring))
        virtio_interrupt(virtio, queue->vector, ISR_QUEUE);
}

/* --- for a device whose rings are served outside --- */

bool vmm_virtio_ring(const struct vmm_virtio *virtio, unsigned i, struct vh_front_queue *ret_queue)
{
    const struct virtio_queue *queue = &virtio->queues[i];

    if (!queue->enabled)
        return false;
    *ret_queue = (struct vh_front_queue) { .size = queue->size,
                                           .base = queue->next,
                                           .desc_addr = (uintptr_t)queue->ring.desc,
                                           .avail_addr = (uintptr_t)queue->ring.avail,
                                           .used_addr = (uintptr_t)queue->ring.used,
                                           .used_guest_addr = queue->parts[DEVICE_AREA],
                                           .kick_fd = -1,
                                           .call_fd = -1 };
    return true;
}

void vmm_virtio_set_next(struct vmm_virtio *virtio, unsigned i, uint16_t next)
{
    virtio->queues[i].next = next;
}

void vmm_virtio_call(struct vmm_virtio *virtio, unsigned i)
{
    if (virtio->queues[i].enabled && !virtio->resetting)
        virtio_interrupt(virtio, virtio->queues[i].vector, ISR_QUEUE);
}

bool vmm_virtio_message(const struct vmm_virtio *virtio, unsigned i, uint64_t *ret_address,
                        uint32_t *ret_data)
{
    const uint16_t vector = virtio->queues[i].vector;

    return vector != NO_VECTOR && vmm_msix_message(virtio->msix, vector, ret_address, ret_data);
}
