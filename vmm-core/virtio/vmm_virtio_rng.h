/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio entropy device (virtio 1.2 5.4).
 */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

#include "vmm-core/virtio/vmm_virtio.h"

enum {
    VMM_VIRTIO_RNG_QUEUE_SIZE = 8,
    VMM_VIRTIO_RNG_CHAIN_BYTES = 4096, /* the most that one request gets */
};

/* Where its bytes come from. */
struct vmm_entropy {
    /* `count` random bytes (1 to VMM_VIRTIO_RNG_CHAIN_BYTES); how many there were. Never blocks. */
    size_t (*fill)(void *context, void *bytes, size_t count);
    void *context;
};

/*
 * One in `slot` of `pci`, for requests in `mem`. `ret_dev` and `ret_msix` are for the machine, in
 * this order. 0 or what vmm_virtio_new() says.
 */
int vmm_virtio_rng_new(struct vmm_pci *pci, unsigned slot, struct vh_mem *mem,
                       const struct vmm_entropy *entropy, struct vmm_dev *ret_dev,
                       struct vmm_dev *ret_msix);

#endif
