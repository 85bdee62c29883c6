/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk (virtio 1.2 5.2) whose rings another process serves straight from the guest's memory
 * (vmm_vhost.h). Here are its function on the PCI bus, and who wakes whom: where KVM can, the
 * guest's calls go to the server and the server's to the guest without this process.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include "vmm-core/virtio/vmm_vhost.h"
#include "vmm-core/virtio/vmm_virtio.h"

enum { VMM_VIRTIO_BLK_QUEUE_SIZE = 256 };

struct vmm_virtio_blk;

/* Guest memory, as its server is given it. */
struct vmm_virtio_blk_memory {
    unsigned count;
    struct vh_region regions[VH_REGIONS]; /* user_addr: where it lies here */
    int fds[VH_REGIONS];                  /* the caller's */
};

/* Signals past this process (KVM). None blocks; each may fail, and then they come here. */
struct vmm_virtio_wires {
    /* The guest's write of 2 bytes to `at` signals `fd`, or no more. 0 or -errno. */
    int (*kick)(void *context, int fd, uint64_t at, bool on);
    /* A signal of `fd` sends that message. 0 with a number for it, or -errno. */
    int (*call)(void *context, int fd, uint64_t address, uint32_t data, unsigned *ret_number);
    /* No more; when it returns none is on its way. */
    void (*end_call)(void *context, int fd, unsigned number);
    void *context;
};

/* What it tells its machine; with the machine's lock held. */
struct vmm_virtio_blk_callbacks {
    void (*lost)(void *context, const char *text); /* see struct vmm_vhost_callbacks */
    void (*tell)(void *context, const char *text);
    void *context;
};

/*
 * One in `slot` of `pci`, with rings in `mem`, which is `memory`, and served through `link`, which
 * must live as long. `wires` NULL: no signal goes past this process. `ret_dev` and `ret_msix` are
 * for the machine, in this order. 0 or what vmm_virtio_new() says.
 */
int vmm_virtio_blk_new(struct vmm_pci *pci, unsigned slot, struct vmm_vhost *link,
                       struct vh_mem *mem, const struct vmm_virtio_blk_memory *memory,
                       const struct vmm_virtio_wires *wires,
                       const struct vmm_virtio_blk_callbacks *callbacks, struct vmm_dev *ret_dev,
                       struct vmm_dev *ret_msix);

#endif
