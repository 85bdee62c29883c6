/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio memory balloon (virtio 1.2 5.5): pages that the guest gives up until it wants them
 * back, at the host's wish, pages that it does not use for the time being, by itself (free page
 * reporting), and what it says of its memory. It takes pages back by touching them.
 */
#ifndef VMM_VIRTIO_BALLOON_H
#define VMM_VIRTIO_BALLOON_H

#include "vmm-core/virtio/vmm_virtio.h"

enum {
    VMM_VIRTIO_BALLOON_QUEUE_SIZE = 128,
    VMM_VIRTIO_BALLOON_PAGE_BYTES = 4096,
    VMM_VIRTIO_BALLOON_STATS = 10,
    /* the most that one call of the guest can give up: more takes it more calls */
    VMM_VIRTIO_BALLOON_TURN_PAGES = 4096,
    VMM_VIRTIO_BALLOON_TURN_BYTES = 128 << 20,
};

/* What a guest tells of its memory (5.5.6.3): all in bytes, or counted. */
enum vmm_virtio_balloon_stat {
    VMM_VIRTIO_BALLOON_SWAP_IN,
    VMM_VIRTIO_BALLOON_SWAP_OUT,
    VMM_VIRTIO_BALLOON_MAJOR_FAULTS,
    VMM_VIRTIO_BALLOON_MINOR_FAULTS,
    VMM_VIRTIO_BALLOON_FREE,
    VMM_VIRTIO_BALLOON_TOTAL,
    VMM_VIRTIO_BALLOON_AVAILABLE,
    VMM_VIRTIO_BALLOON_CACHES,
};

struct vmm_virtio_balloon_status {
    uint64_t target_bytes; /* that the guest is asked to give up */
    uint64_t actual_bytes; /* that it says it has given up */
    unsigned known;        /* bit i: stats[i] is what the guest said last */
    uint64_t stats[VMM_VIRTIO_BALLOON_STATS];
};

struct vmm_virtio_balloon;

/* Where pages go. With the machine's lock held, from any thread; it does not call the machine. */
struct vmm_virtio_balloon_port {
    /* The guest does not need what is in these bytes of its memory, whole pages; they read as zero
     * from now on, if all of them are memory. */
    void (*drop)(void *context, uint64_t guest_at, uint64_t bytes);
    void *context;
};

/*
 * One in `slot` of `pci`, for buffers in `mem`. `ret_dev` and `ret_msix` are for the machine, in
 * this order; `ret_balloon` is for the calls below and ends with the device. 0 or what
 * vmm_virtio_new() says.
 */
int vmm_virtio_balloon_new(struct vmm_pci *pci, unsigned slot, struct vh_mem *mem,
                           const struct vmm_virtio_balloon_port *port, struct vmm_dev *ret_dev,
                           struct vmm_dev *ret_msix, struct vmm_virtio_balloon **ret_balloon);

/* Ask the guest to give up so much, in whole pages; it does as far as it can. */
void vmm_virtio_balloon_set_target(struct vmm_virtio_balloon *balloon, uint64_t bytes);
/* Ask it for new statistics; they come when it likes. */
void vmm_virtio_balloon_ask(struct vmm_virtio_balloon *balloon);
/* How it stands. */
void vmm_virtio_balloon_status(const struct vmm_virtio_balloon *balloon,
                               struct vmm_virtio_balloon_status *ret_status);

#endif
