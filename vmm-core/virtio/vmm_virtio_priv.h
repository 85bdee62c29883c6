/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a virtio function.
 */
#ifndef VMM_VIRTIO_PRIV_H
#define VMM_VIRTIO_PRIV_H

#include "vmm-core/machine/vmm_msix.h"
#include "vmm-core/virtio/vmm_virtio.h"

/* Device status (virtio 1.2 2.1). */
enum virtio_status {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,
    STATUS_NEEDS_RESET = 64,
    STATUS_FAILED = 128,
    STATUS_ALL = 207,
};

/* Interrupt status (4.1.4.5). */
enum virtio_isr { ISR_QUEUE = 1, ISR_CONFIG = 2, ISR_ALL = 3 };

/* Reserved features (6). */
#define FEATURE_INDIRECT   (UINT64_C(1) << 28)
#define FEATURE_VERSION_1  (UINT64_C(1) << 32)
#define FEATURE_RING_RESET (UINT64_C(1) << 40)

enum { NO_VECTOR = 0xffff, QUEUE_PARTS = 3 };
/* Of the BAR. */
enum virtio_page { COMMON_PAGE, ISR_PAGE, DEVICE_PAGE, NOTIFY_PAGE };
enum { PAGE_BYTES = 4096, BAR_BYTES = 4 * PAGE_BYTES };
enum { COMMON_BYTES = 60, NOTIFY_BYTES = 4 /* of each queue */ };

struct virtio_queue {
    uint16_t size, vector;
    bool enabled, started;       /* started: `ring` knows where it is */
    uint64_t parts[QUEUE_PARTS]; /* addresses of descriptors, driver area, device area */
    uint16_t next;               /* available index to start at */
    struct vh_ring ring;
};

struct vmm_virtio {
    const struct vmm_virtio_kind *kind;
    void *dev;
    struct vh_mem *mem;
    struct vmm_pci_function function;
    struct vmm_msix *msix;
    unsigned vectors;
    unsigned access; /* where the capability of configuration access is */
    uint32_t device_select, driver_select;
    uint64_t driver_features;
    uint16_t config_vector, queue_select;
    uint8_t status, generation, isr;
    bool resetting; /* somebody outside has the rings still */
    uint8_t config[VMM_VIRTIO_CONFIG_BYTES];
    struct virtio_queue *queues;
};

/* Features offered. */
uint64_t virtio_offered(const struct vmm_virtio *virtio);
/* The driver's features can be agreed to (2.2.2). */
bool virtio_agrees(const struct vmm_virtio *virtio);
/* The driver writes the device status. */
void virtio_set_status(struct vmm_virtio *virtio, uint8_t value);
/* Something that a kind with `remote` has to know has changed. */
void virtio_changed(const struct vmm_virtio *virtio);
/* Tell the driver, by `vector` or the pin. */
void virtio_interrupt(struct vmm_virtio *virtio, uint16_t vector, enum virtio_isr why);
/* The pin shows what the interrupt status says. */
void virtio_update_pin(struct vmm_virtio *virtio);
/* Let the device serve that queue, or all, if it may now. */
void virtio_serve(struct vmm_virtio *virtio, unsigned queue);
void virtio_serve_all(struct vmm_virtio *virtio);

/* As no driver has touched it. */
void virtio_queue_reset(const struct vmm_virtio *virtio, struct virtio_queue *queue);
/* A size that the queue may have. */
bool virtio_queue_is_size(const struct vmm_virtio *virtio, uint16_t size);
/* Find its ring and enable it; -errno of vh_ring_place(). */
int virtio_queue_enable(const struct vmm_virtio *virtio, struct virtio_queue *queue);
/* The available index that it goes on with. */
uint16_t virtio_queue_next(const struct virtio_queue *queue);

/* The common configuration (4.1.4.3), 1 to 8 bytes at `at`. */
uint64_t virtio_common_read(const struct vmm_virtio *virtio, unsigned at, unsigned bytes);
void virtio_common_write(struct vmm_virtio *virtio, unsigned at, unsigned bytes, uint64_t value);

/* BARs and capabilities of a function that is not on the bus yet, with its MSI-X device. 0 or what
 * vmm_pci_add_*() and vmm_msix_new() say. */
int virtio_pci_describe(struct vmm_virtio *virtio, struct vmm_dev *ret_msix);

#endif
