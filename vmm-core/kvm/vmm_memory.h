/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's memory: one memfd, which its disks' server maps too, seen by the guest from 0 to 3 GiB
 * and from 4 GiB on; the gap is for devices and firmware. A page that nobody wrote takes no memory.
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"

#define VMM_MEMORY_MIN_BYTES UINT64_C(0x1000000)    /* 16 MiB */
#define VMM_MEMORY_MAX_BYTES UINT64_C(0x1000000000) /* 64 GiB */
#define VMM_MEMORY_GAP_AT    UINT64_C(0xc0000000)
#define VMM_MEMORY_HIGH_AT   UINT64_C(0x100000000)

/* A part that is contiguous in the guest, here and in the memfd. */
struct vmm_memory_range {
    uint64_t guest_at, bytes, file_offset_bytes;
    uint8_t *address;
};

struct vmm_memory {
    int fd;
    uint64_t bytes;
    unsigned count;
    struct vmm_memory_range ranges[2];
};

/* Memory of `bytes`, a multiple of 1 MiB, all zero. 0 or -errno with the error. */
int vmm_memory_new(uint64_t bytes, struct vmm_memory *ret_memory, struct hw_error *error);
/* Unmap and close; of one that was never made, or twice, nothing happens. */
void vmm_memory_free(struct vmm_memory *memory);
/* All of it zero again, and nothing allocated. 0 or -errno. */
int vmm_memory_clear(const struct vmm_memory *memory);
/* Whole pages of the guest's are zero from now on and take no memory, for whoever else has mapped
 * them, too. 0; -EFAULT: not all of it is memory, -EINVAL: not whole pages, and nothing happens; or
 * -errno. */
int vmm_memory_drop(const struct vmm_memory *memory, uint64_t guest_at, uint64_t bytes);
/* Where `bytes` of the guest from `guest_at` on lie here. NULL: not all of it is memory. */
void *vmm_memory_at(const struct vmm_memory *memory, uint64_t guest_at, uint64_t bytes);

#endif
