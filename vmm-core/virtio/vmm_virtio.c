/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status, features and interrupts of a virtio device, and its life.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/virtio/vmm_virtio_priv.h"

/* --- features and status --- */

uint64_t virtio_offered(const struct vmm_virtio *virtio)
{
    const uint64_t features = virtio->kind->features | FEATURE_VERSION_1;

    return virtio->kind->remote != NULL ? features
                                        : features | FEATURE_INDIRECT | FEATURE_RING_RESET;
}

bool virtio_agrees(const struct vmm_virtio *virtio)
{
    return (virtio->driver_features & ~virtio_offered(virtio)) == 0 &&
           (virtio->driver_features & FEATURE_VERSION_1) != 0;
}

bool vmm_virtio_has(const struct vmm_virtio *virtio, uint64_t feature)
{
    return (virtio->status & STATUS_FEATURES_OK) != 0 && (virtio->driver_features & feature) != 0;
}

/* What only a driver's reset does: the function's configuration space stays (2.1.2, 4.1.4.3.1). */
static void reset_device(struct vmm_virtio *virtio)
{
    virtio->device_select = virtio->driver_select = 0;
    virtio->driver_features = 0;
    virtio->config_vector = NO_VECTOR;
    virtio->queue_select = 0;
    virtio->status = 0;
    virtio->isr = 0;
    for (unsigned i = 0; i < virtio->kind->queues; i++)
        virtio_queue_reset(virtio, &virtio->queues[i]);
    if (virtio->kind->forget != NULL)
        virtio->kind->forget(virtio->dev);
}

void virtio_changed(const struct vmm_virtio *virtio)
{
    if (virtio->kind->remote != NULL)
        virtio->kind->remote->changed(virtio->dev);
}

void vmm_virtio_reset_done(struct vmm_virtio *virtio)
{
    virtio->resetting = false;
    reset_device(virtio);
    virtio_update_pin(virtio);
    virtio_changed(virtio);
}

static void begin_reset(struct vmm_virtio *virtio)
{
    if (virtio->kind->remote == NULL || virtio->kind->remote->reset(virtio->dev)) {
        vmm_virtio_reset_done(virtio);
        return;
    }
    virtio->resetting = true;
    virtio_changed(virtio);
}

/* A driver only adds to its status (2.1.1), but for the reset. */
void virtio_set_status(struct vmm_virtio *virtio, uint8_t value)
{
    const uint8_t before = virtio->status;

    if (value == 0) {
        begin_reset(virtio);
        return;
    }
    virtio->status |= value & (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FAILED);
    if ((value & STATUS_FEATURES_OK) != 0 && virtio_agrees(virtio))
        virtio->status |= STATUS_FEATURES_OK;
    if ((value & STATUS_DRIVER_OK) != 0 && (virtio->status & STATUS_FEATURES_OK) != 0)
        virtio->status |= STATUS_DRIVER_OK;
    if ((~before & virtio->status & STATUS_DRIVER_OK) != 0)
        virtio_serve_all(virtio);
    virtio_changed(virtio);
}

void vmm_virtio_break(struct vmm_virtio *virtio)
{
    virtio->status |= STATUS_NEEDS_RESET;
    if ((virtio->status & STATUS_DRIVER_OK) != 0)
        virtio_interrupt(virtio, virtio->config_vector, ISR_CONFIG);
    virtio_changed(virtio);
}

/* --- interrupts --- */

void virtio_update_pin(struct vmm_virtio *virtio)
{
    vmm_pci_assert(&virtio->function, virtio->isr != 0 && !vmm_msix_enabled(virtio->msix));
}

/* With vectors the status says changes of the configuration only (4.1.4.5.1). */
void virtio_interrupt(struct vmm_virtio *virtio, uint16_t vector, enum virtio_isr why)
{
    const bool vectors = vmm_msix_enabled(virtio->msix);

    if (!vectors || why == ISR_CONFIG)
        virtio->isr |= (uint8_t)why;
    if (vectors && vector != NO_VECTOR)
        vmm_msix_raise(virtio->msix, vector);
    virtio_update_pin(virtio);
}

void vmm_virtio_configure(struct vmm_virtio *virtio, unsigned at, const void *bytes, unsigned count)
{
    if (memcmp(virtio->config + at, bytes, count) == 0)
        return;
    memcpy(virtio->config + at, bytes, count);
    virtio->generation++;
    if ((virtio->status & STATUS_DRIVER_OK) != 0)
        virtio_interrupt(virtio, virtio->config_vector, ISR_CONFIG);
}

void vmm_virtio_config(const struct vmm_virtio *virtio, unsigned at, void *bytes, unsigned count)
{
    memcpy(bytes, virtio->config + at, count);
}

/* --- its life --- */

void vmm_virtio_reset(struct vmm_virtio *virtio)
{
    virtio->resetting = false;
    reset_device(virtio);
    virtio->generation = 0;
    vmm_pci_reset(&virtio->function);
}

void vmm_virtio_resume(struct vmm_virtio *virtio)
{
    virtio_serve_all(virtio);
}

static bool is_kind(const struct vmm_virtio_kind *kind)
{
    const uint16_t size = kind->queue_size;

    return kind->queues > 0 && kind->queues <= VMM_VIRTIO_QUEUES && size > 0 &&
           size <= VH_QUEUE_SIZE_MAX && (size & (size - 1)) == 0 &&
           kind->config_bytes <= VMM_VIRTIO_CONFIG_BYTES &&
           kind->writable_at <= kind->config_bytes &&
           kind->writable_bytes <= kind->config_bytes - kind->writable_at;
}

static int make(struct vmm_virtio *virtio, struct vmm_pci *pci, unsigned slot,
                struct vmm_dev *ret_msix)
{
    struct vmm_dev msix;
    int rc;

    virtio->queues = calloc(virtio->kind->queues, sizeof(*virtio->queues));
    if (virtio->queues == NULL)
        return -ENOMEM;
    rc = virtio_pci_describe(virtio, &msix);
    if (rc < 0)
        return rc;
    if (virtio->kind->remote != NULL)
        vmm_msix_watch(virtio->msix, virtio->kind->remote->changed, virtio->dev);
    reset_device(virtio);
    rc = vmm_pci_add(pci, &virtio->function, slot, 0);
    if (rc < 0) {
        msix.ops->fini(msix.dev);
        return rc;
    }
    *ret_msix = msix;
    return 0;
}

int vmm_virtio_new(struct vmm_pci *pci, unsigned slot, const struct vmm_virtio_kind *kind,
                   struct vh_mem *mem, void *dev, struct vmm_dev *ret_msix,
                   struct vmm_virtio **ret_virtio)
{
    struct vmm_virtio *virtio;
    int rc;

    if (!is_kind(kind))
        return -EINVAL;
    virtio = calloc(1, sizeof(*virtio));
    if (virtio == NULL)
        return -ENOMEM;
    virtio->kind = kind;
    virtio->dev = dev;
    virtio->vectors = kind->queues + 1;
    virtio->mem = vh_mem_ref(mem);
    rc = make(virtio, pci, slot, ret_msix);
    if (rc < 0) {
        vmm_virtio_free(virtio);
        return rc;
    }
    *ret_virtio = virtio;
    return 0;
}

void vmm_virtio_free(struct vmm_virtio *virtio)
{
    if (virtio == NULL)
        return;
    vmm_pci_remove(&virtio->function);
    vh_mem_unref(virtio->mem);
    free(virtio->queues);
    free(virtio);
}
