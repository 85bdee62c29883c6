/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct boot by PVH (Xen's public header arch-x86/hvm/start_info.h): kernel, initial ramdisk and
 * command line into guest memory, and the start info that tells the kernel where they are and what
 * memory there is. Pure: guest memory is reached through a function of the caller's.
 */
#ifndef VMM_PVH_H
#define VMM_PVH_H

#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"

enum { VMM_PVH_COMMAND_BYTES = 4096 };

/* Guest memory: from 0 to `low_bytes`, and `high_bytes` from 4 GiB on. */
struct vmm_pvh_memory {
    uint64_t low_bytes, high_bytes;
    /* Where these bytes lie here, or NULL if not all of them are memory. */
    void *(*at)(void *context, uint64_t guest_at, uint64_t bytes);
    void *context;
};

struct vmm_pvh_boot {
    const char *name; /* of the kernel's file, for messages */
    const void *kernel;
    size_t kernel_bytes;
    const void *initrd; /* may be NULL */
    size_t initrd_bytes;
    const char *command; /* may be "" */
    uint64_t rsdp_at;    /* of the ACPI tables; 0: none */
};

struct vmm_pvh_entry {
    uint32_t ip;         /* in protected mode, without paging */
    uint32_t start_info; /* for EBX */
};

/* Place everything. 0 or -errno with the error; then what is in guest memory means nothing. */
int vmm_pvh_place(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                  struct vmm_pvh_entry *ret_entry, struct hw_error *error);

#endif
