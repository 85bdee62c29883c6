/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The common configuration structure (virtio 1.2 4.1.4.3). A driver reads it in any way, and writes
 * each field whole, an address in halves too (4.1.3.1); any other write means nothing.
 */
#include "config.h"

#include <string.h>

#include "common/hw_le.h"
#include "vmm-core/virtio/vmm_virtio_priv.h"

enum common_field {
    DEVICE_SELECT = 0,
    DEVICE_FEATURES = 4,
    DRIVER_SELECT = 8,
    DRIVER_FEATURES = 12,
    CONFIG_VECTOR = 16,
    QUEUE_COUNT = 18,
    DEVICE_STATUS = 20,
    GENERATION = 21,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_VECTOR = 26,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY_OFF = 30,
    QUEUE_ADDRESSES = 32, /* descriptors, driver area, device area: 8 bytes each */
    QUEUE_NOTIFY_DATA = 56,
    QUEUE_RESET = 58,
};

enum { ADDRESS_BYTES = 8, HALF_BYTES = 4, HALF_BITS = 32, HALVES = 2 };

/* The queue that is chosen; NULL: there is no such one. */
static struct virtio_queue *chosen(const struct vmm_virtio *virtio)
{
    return virtio->queue_select < virtio->kind->queues ? &virtio->queues[virtio->queue_select]
                                                       : NULL;
}

/* --- reads --- */

static uint32_t half(uint64_t features, uint32_t select)
{
    return select < HALVES ? (uint32_t)(features >> (select * HALF_BITS)) : 0;
}

/* queue_reset is done within its write, and so reads 0, like what belongs to features that are not
 * offered. */
static void render(const struct vmm_virtio *virtio, uint8_t out[COMMON_BYTES])
{
    const struct virtio_queue *queue = chosen(virtio);

    memset(out, 0, COMMON_BYTES);
    hw_le_store(out + DEVICE_SELECT, 4, virtio->device_select);
    hw_le_store(out + DEVICE_FEATURES, 4, half(virtio_offered(virtio), virtio->device_select));
    hw_le_store(out + DRIVER_SELECT, 4, virtio->driver_select);
    hw_le_store(out + DRIVER_FEATURES, 4, half(virtio->driver_features, virtio->driver_select));
    hw_le_store(out + CONFIG_VECTOR, 2, virtio->config_vector);
    hw_le_store(out + QUEUE_COUNT, 2, virtio->kind->queues);
    out[DEVICE_STATUS] = virtio->status;
    out[GENERATION] = virtio->generation;
    hw_le_store(out + QUEUE_SELECT, 2, virtio->queue_select);
    if (queue == NULL)
        return;
    hw_le_store(out + QUEUE_SIZE, 2, queue->size);
    hw_le_store(out + QUEUE_VECTOR, 2, queue->vector);
    hw_le_store(out + QUEUE_ENABLE, 2, queue->enabled);
    hw_le_store(out + QUEUE_NOTIFY_OFF, 2, virtio->queue_select);
    for (size_t i = 0; i < QUEUE_PARTS; i++)
        hw_le_store(out + QUEUE_ADDRESSES + i * ADDRESS_BYTES, ADDRESS_BYTES, queue->parts[i]);
}

uint64_t virtio_common_read(const struct vmm_virtio *virtio, unsigned at, unsigned bytes)
{
    uint8_t all[COMMON_BYTES];

    if (at >= COMMON_BYTES || bytes > COMMON_BYTES - at)
        return 0;
    render(virtio, all);
    return hw_le_load(all + at, bytes);
}

/* --- writes --- */

/* Once they are agreed to they stay (3.1.1). */
static void write_features(struct vmm_virtio *virtio, uint32_t value)
{
    const unsigned shift = virtio->driver_select * HALF_BITS;

    if ((virtio->status & STATUS_FEATURES_OK) != 0 || virtio->driver_select >= HALVES)
        return;
    virtio->driver_features &= ~((uint64_t)UINT32_MAX << shift);
    virtio->driver_features |= (uint64_t)value << shift;
}

static void write_address(struct vmm_virtio *virtio, unsigned at, unsigned bytes, uint64_t value)
{
    struct virtio_queue *queue = chosen(virtio);
    const unsigned within = at % ADDRESS_BYTES, shift = within * 8;
    uint64_t *part;

    if (queue == NULL || queue->enabled)
        return;
    part = &queue->parts[(at - QUEUE_ADDRESSES) / ADDRESS_BYTES];
    if (bytes == ADDRESS_BYTES && within == 0)
        *part = value;
    else if (bytes == HALF_BYTES && within % HALF_BYTES == 0)
        *part = (*part & ~((uint64_t)UINT32_MAX << shift)) | (value & UINT32_MAX) << shift;
}

static uint16_t vector_of(const struct vmm_virtio *virtio, uint16_t value)
{
    return value < virtio->vectors ? value : NO_VECTOR; /* 4.1.5.1.2.1 */
}

static void write_queue(struct vmm_virtio *virtio, struct virtio_queue *queue, unsigned at,
                        uint16_t value)
{
    switch (at) {
    case QUEUE_SIZE:
        if (!queue->enabled && virtio_queue_is_size(virtio, value))
            queue->size = value;
        break;
    case QUEUE_VECTOR:
        queue->vector = vector_of(virtio, value);
        break;
    case QUEUE_ENABLE:
        if (value == 1 && !queue->enabled && virtio_queue_enable(virtio, queue) < 0)
            vmm_virtio_break(virtio);
        break;
    case QUEUE_RESET:
        if (value == 1 && vmm_virtio_has(virtio, FEATURE_RING_RESET))
            virtio_queue_reset(virtio, queue);
        break;
    default:
        break;
    }
    if (at == QUEUE_VECTOR || at == QUEUE_ENABLE)
        virtio_changed(virtio);
}

static void write_16(struct vmm_virtio *virtio, unsigned at, uint16_t value)
{
    struct virtio_queue *queue = chosen(virtio);

    if (at == CONFIG_VECTOR)
        virtio->config_vector = vector_of(virtio, value);
    else if (at == QUEUE_SELECT)
        virtio->queue_select = value;
    else if (queue != NULL)
        write_queue(virtio, queue, at, value);
}

static void write_32(struct vmm_virtio *virtio, unsigned at, uint32_t value)
{
    if (at == DEVICE_SELECT)
        virtio->device_select = value;
    else if (at == DRIVER_SELECT)
        virtio->driver_select = value;
    else if (at == DRIVER_FEATURES)
        write_features(virtio, value);
}

void virtio_common_write(struct vmm_virtio *virtio, unsigned at, unsigned bytes, uint64_t value)
{
    if (virtio->resetting)
        return; /* a driver waits until it is done (2.1.2) */
    if (at >= QUEUE_ADDRESSES && at < QUEUE_NOTIFY_DATA)
        write_address(virtio, at, bytes, value);
    else if (bytes == 4)
        write_32(virtio, at, (uint32_t)value);
    else if (bytes == 2)
        write_16(virtio, at, (uint16_t)value);
    else if (bytes == 1 && at == DEVICE_STATUS)
        virtio_set_status(virtio, (uint8_t)value);
}
