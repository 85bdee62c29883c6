/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a device reaches guest memory.
 */
#ifndef VMM_DMA_H
#define VMM_DMA_H

#include <stdbool.h>
#include <stdint.h>

struct vmm_dma {
    /*
     * Where `bytes` of the guest from `guest_at` on lie here, for reading, or with `writes` for
     * writing too (whoever keeps account of changed memory takes it as changed). NULL: not all of
     * it is memory. The guest may change them at any time: copy, then judge. Never blocks.
     */
    void *(*at)(void *context, uint64_t guest_at, uint64_t bytes, bool writes);
    void *context;
};

#endif
