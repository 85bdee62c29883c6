/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a virtio function (doc/saved-state.md). What no guest could have brought about is
 * refused.
 */
#include "config.h"

#include "vmm-core/virtio/vmm_virtio_priv.h"

static bool is_vector(const struct vmm_virtio *virtio, uint16_t vector)
{
    return vector < virtio->vectors || vector == NO_VECTOR;
}

static bool is_status(const struct vmm_virtio *virtio)
{
    const uint8_t status = virtio->status;

    return (status & ~STATUS_ALL) == 0 &&
           ((status & STATUS_DRIVER_OK) == 0 || (status & STATUS_FEATURES_OK) != 0) &&
           ((status & STATUS_FEATURES_OK) == 0 || virtio_agrees(virtio));
}

static void queue_state(struct vmm_virtio *virtio, struct virtio_queue *queue,
                        struct vmm_state *state)
{
    uint16_t next = virtio_queue_next(queue);
    bool enabled = queue->enabled;

    vmm_state_u16(state, &queue->size);
    vmm_state_require(state, virtio_queue_is_size(virtio, queue->size));
    vmm_state_u16(state, &queue->vector);
    vmm_state_require(state, is_vector(virtio, queue->vector));
    vmm_state_bool(state, &enabled);
    for (unsigned i = 0; i < QUEUE_PARTS; i++)
        vmm_state_u64(state, &queue->parts[i]);
    vmm_state_u16(state, &next);
    vmm_state_require(state, enabled || next == 0);
    if (!state->loading || state->wrong)
        return;
    queue->next = next;
    vmm_state_require(state, !enabled || virtio_queue_enable(virtio, queue) == 0);
}

static void fields(struct vmm_virtio *virtio, struct vmm_state *state)
{
    uint16_t queues = (uint16_t)virtio->kind->queues;

    vmm_state_u32(state, &virtio->device_select);
    vmm_state_u32(state, &virtio->driver_select);
    vmm_state_u64(state, &virtio->driver_features);
    vmm_state_u16(state, &virtio->config_vector);
    vmm_state_require(state, is_vector(virtio, virtio->config_vector));
    vmm_state_u8(state, &virtio->status);
    vmm_state_require(state, is_status(virtio));
    vmm_state_u8(state, &virtio->generation);
    vmm_state_u8(state, &virtio->isr);
    vmm_state_require(state, (virtio->isr & ~ISR_ALL) == 0);
    vmm_state_u16(state, &virtio->queue_select);
    vmm_state_u16(state, &queues);
    vmm_state_require(state, queues == virtio->kind->queues);
    for (unsigned i = 0; i < virtio->kind->queues; i++)
        queue_state(virtio, &virtio->queues[i], state);
}

void vmm_virtio_state(struct vmm_virtio *virtio, struct vmm_state *state)
{
    vmm_pci_function_state(&virtio->function, state);
    fields(virtio, state);
    if (!state->loading)
        return;
    if (vmm_state_end(state) < 0)
        vmm_virtio_reset(virtio); /* nothing of it is used */
    else
        virtio_update_pin(virtio);
}
