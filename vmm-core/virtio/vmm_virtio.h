/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device's function on the PCI bus (virtio 1.2 4.1), modern only: what all kinds of
 * devices have in common. A device is told which queue to serve, and takes chains from it. Whatever
 * the guest does in between (reset, no bus master, a broken ring), there is just no chain then.
 * All calls with the machine's lock held; none blocks.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include "storage/vhost/vh_front.h"
#include "storage/vhost/vh_mem.h"
#include "storage/vhost/vh_ring.h"
#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_pci.h"

/* A feature for struct vmm_virtio_kind (virtio 1.2 6, EVENT_IDX): who is told of what, and when, by
 * indices. A device with it takes chains until there are none, or comes back for them by itself. */
#define VMM_VIRTIO_EVENT_IDX (UINT64_C(1) << 29)

enum {
    VMM_VIRTIO_QUEUES = 64,
    VMM_VIRTIO_CONFIG_BYTES = 64,
    VMM_VIRTIO_BAR = 0,
    VMM_VIRTIO_MSIX_BAR = 1,
};

struct vmm_virtio;

/* What a device is, for ever. */
struct vmm_virtio_kind {
    uint16_t type;       /* device ID (virtio 1.2 5) */
    uint32_t class_code; /* see struct vmm_pci_identity */
    /* its own (bits 0 to 23, 29, 50 and up); with `remote` all but VERSION_1 */
    uint64_t features;
    unsigned queues;       /* 1 to VMM_VIRTIO_QUEUES */
    uint16_t queue_size;   /* the most, a power of two up to VH_QUEUE_SIZE_MAX */
    unsigned config_bytes; /* of its own configuration; 0 to VMM_VIRTIO_CONFIG_BYTES */
    /* There may be chains in `queue`: take them. Not all of a guest's forever: as many as the queue
     * holds in one call, for each new one is told of. */
    void (*serve)(void *dev, unsigned queue);
    /* What of its configuration the driver writes; 0 bytes: nothing. */
    unsigned writable_at, writable_bytes;
    /* It has written there (vmm_virtio_config()). NULL if there is nothing. Never blocks. */
    void (*configured)(void *dev);
    /* What the device knows of a driver it knows no more: the driver has reset it, or the machine
     * has, or it is just being made. Never blocks. May be NULL. */
    void (*forget)(void *dev);
    /* NULL: the device takes chains itself, with vmm_virtio_pop(). Else somebody outside does, who
     * is given rings by vmm_virtio_ring(); `serve` passes calls on. */
    const struct vmm_virtio_remote *remote;
};

/* A device whose rings are served outside is told more. Neither blocks. */
struct vmm_virtio_remote {
    /* The guest may have changed whether the rings are to be served (vmm_virtio_runs()), where it
     * calls, or how it is interrupted. */
    void (*changed)(void *dev);
    /* The driver resets the device. True: nobody has the rings any more; false: somebody will give
     * them up, and vmm_virtio_reset_done() follows. Until then nothing is written to the device. */
    bool (*reset)(void *dev);
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

/* For a kind with `remote`: its driver is there, and the function may reach memory. */
bool vmm_virtio_runs(const struct vmm_virtio *virtio);
/* The ring of queue `i`, in addresses of this process, and at which index it goes on; descriptors
 * for signals are the caller's. False: the driver has not enabled it. */
bool vmm_virtio_ring(const struct vmm_virtio *virtio, unsigned i, struct vh_front_queue *ret_queue);
/* It is given back, and goes on at this index. */
void vmm_virtio_set_next(struct vmm_virtio *virtio, unsigned i, uint16_t next);
/* The device is as no driver has touched it, from now on. */
void vmm_virtio_reset_done(struct vmm_virtio *virtio);
/* The device cannot go on; its driver is told (2.1.1, DEVICE_NEEDS_RESET). */
void vmm_virtio_break(struct vmm_virtio *virtio);
/* Chains of queue `i` were given back: interrupt the driver. */
void vmm_virtio_call(struct vmm_virtio *virtio, unsigned i);
/* The message of that interrupt, if it is one and would be sent now. */
bool vmm_virtio_message(const struct vmm_virtio *virtio, unsigned i, uint64_t *ret_address,
                        uint32_t *ret_data);
/* Where the driver writes to call for queue `i`, 2 bytes of the guest's memory space; 0: nowhere.
 */
uint64_t vmm_virtio_notify_at(const struct vmm_virtio *virtio, unsigned i);

/* The driver has agreed to this feature, and the device is in use. */
bool vmm_virtio_has(const struct vmm_virtio *virtio, uint64_t feature);
/* `count` bytes of the device's configuration from `at` on; a driver that is there is told if it is
 * a change (2.5). They must be within kind->config_bytes. */
void vmm_virtio_configure(struct vmm_virtio *virtio, unsigned at, const void *bytes,
                          unsigned count);
/* Read them, as the driver does. */
void vmm_virtio_config(const struct vmm_virtio *virtio, unsigned at, void *bytes, unsigned count);

/* The next chain of `queue`; one that is wrong has no pieces. False: none, now. */
bool vmm_virtio_pop(struct vmm_virtio *virtio, unsigned queue, struct vh_chain *chain);
/* The guest's address of a piece. */
uint64_t vmm_virtio_guest_at(const struct vmm_virtio *virtio, const void *at);
/* So many bytes of a piece were written (whoever keeps account of changed memory notes it): after
 * the writing, and before the chain is given back. */
void vmm_virtio_wrote(const struct vmm_virtio *virtio, const void *at, size_t bytes);
/* The last `count` chains taken from `queue`, none of them given back, wait there again. */
void vmm_virtio_unpop(struct vmm_virtio *virtio, unsigned queue, unsigned count);
/* Give one back, with so many bytes written to its `in` part. */
void vmm_virtio_push(struct vmm_virtio *virtio, unsigned queue, uint16_t head,
                     uint32_t written_bytes);
/* After some were given back: interrupt the driver, if it wants that. */
void vmm_virtio_signal(struct vmm_virtio *virtio, unsigned queue);

#endif
