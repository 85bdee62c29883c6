/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct boot by Linux's own protocol, entered in 64 bits (Linux Documentation/arch/x86/boot.rst,
 * "64-bit Boot Protocol"; zero-page.rst): kernel, initial ramdisk and command line into guest
 * memory, the boot parameters that tell the kernel where they are, and the first page tables. Pure.
 */
#ifndef VMM_LINUX_H
#define VMM_LINUX_H

#include "vmm-core/boot/vmm_pvh.h"

struct vmm_linux_entry {
    uint64_t ip;          /* in 64 bits, with paging */
    uint32_t parameters;  /* for RSI */
    uint32_t page_tables; /* for CR3; the first 4 GiB are where they are */
    uint32_t gdt;         /* its selectors 10h and 18h are code and data */
    uint16_t gdt_bytes;
};

/* Place everything; the kernel is a bzImage. 0 or -errno with the error; then what is in guest
 * memory means nothing. */
int vmm_linux_place(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                    struct vmm_linux_entry *ret_entry, struct hw_error *error);

#endif
