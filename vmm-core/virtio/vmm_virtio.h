/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device's function on the PCI bus (virtio 1.2 4.1), modern only: what all kinds of
 * devices have in common. A device is told which queue to serve, and takes chains from it. Whatever
 * the guest does in between (reset, no bus master, a broken ring), there is just no chain then.
 * All calls with the machine's lock held; none blocks.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include "storage/vhost/vh_mem.h"
#include "storage/vhost/vh_ring.h"
#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_pci.h"

enum {
    VMM_VIRTIO_QUEUES = 64,
    VMM_VIRTIO_CONFIG_BYTES = 64,
    VMM_VIRTIO_BAR = 0,
    VMM_VIRTIO_MSIX_BAR = 1,
};

struct vmm_virtio;

/* What a device is, for ever. */
struct vmm_virtio_kind {
    uint16_t type;         /* device ID (virtio 1.2 5) */
    uint32_t class_code;   /* see struct vmm_pci_identity */
    uint64_t features;     /* its own (bits 0 to 23, 50 and up) */
    unsigned queues;       /* 1 to VMM_VIRTIO_QUEUES */
    uint16_t queue_size;   /* the most, a power of two up to VH_QUEUE_SIZE_MAX */
    unsigned config_bytes; /* of its own configuration; 0 to VMM_VIRTIO_CONFIG_BYTES */
    /* There may be chains in `queue`: take them. Not all of a guest's forever: as many as the queue
     * holds in one call, for each new one is told of. */
    void (*serve)(void *dev, unsigned queue);
};

/*
 * A function in `slot` of `pci`; `kind` must live as long, of `mem` it takes a reference.
 * `ret_msix` is for the machine, behind the device's own. 0, -ENOMEM, -EINVAL (a kind that there
 * cannot be), or what vmm_pci_add() says.
 */
int vmm_virtio_new(struct vmm_pci *pci, unsigned slot, const struct vmm_virtio_kind *kind,
                   struct vh_mem *mem, void *dev, struct vmm_dev *ret_msix,
                   struct vmm_virtio **ret_virtio);
/* Take it off the bus and end it, after its MSI-X device. NULL is allowed. */
void vmm_virtio_free(struct vmm_virtio *virtio);

/* For the device's own struct vmm_dev_ops. */
void vmm_virtio_reset(struct vmm_virtio *virtio);
/* Its fields, between which nothing else stands; the device has given all chains back. */
void vmm_virtio_state(struct vmm_virtio *virtio, struct vmm_state *state);
/* The vCPUs are about to run: every queue is served, for a call may have come before a save. */
void vmm_virtio_resume(struct vmm_virtio *virtio);

/* The driver has agreed to this feature, and the device is in use. */
bool vmm_virtio_has(const struct vmm_virtio *virtio, uint64_t feature);
/* `count` bytes of the device's configuration from `at` on; a driver that is there is told if it is
 * a change (2.5). They must be within kind->config_bytes. */
void vmm_virtio_configure(struct vmm_virtio *virtio, unsigned at, const void *bytes,
                          unsigned count);

/* The next chain of `queue`; one that is wrong has no pieces. False: none, now. */
bool vmm_virtio_pop(struct vmm_virtio *virtio, unsigned queue, struct vh_chain *chain);
/* So many bytes of a piece were written (whoever keeps account of changed memory notes it): after
 * the writing, and before the chain is given back. */
void vmm_virtio_wrote(const struct vmm_virtio *virtio, const void *at, size_t bytes);
/* Give one back, with so many bytes written to its `in` part. */
void vmm_virtio_push(struct vmm_virtio *virtio, unsigned queue, uint16_t head,
                     uint32_t written_bytes);
/* After some were given back: interrupt the driver, if it wants that. */
void vmm_virtio_signal(struct vmm_virtio *virtio, unsigned queue);

#endif
