/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ways of a direct boot share.
 */
#ifndef VMM_BOOT_PRIV_H
#define VMM_BOOT_PRIV_H

#include "vmm-core/boot/vmm_pvh.h"

enum { BOOT_COMMAND_AT = 0x20000, BOOT_MAP_ENTRIES = 5 };

/* A part of the memory map, of a type as ACPI 6.5, 15.1 numbers them. */
struct boot_range {
    uint64_t at, bytes;
    uint32_t type;
};

/* The kernel's file is refused: -code, with the error. */
int boot_refuse(const struct vmm_pvh_boot *boot, int code, const char *reason, const char *remedy,
                struct hw_error *error);
/* The ramdisk, as high as it can be between the kernel's end and `end`; its address, 0 for none. 0
 * or -errno with the error. */
int boot_place_initrd(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                      uint64_t kernel_end, uint64_t end, uint64_t *ret_at, struct hw_error *error);
/* The command line of at most `most` bytes, without its end, at BOOT_COMMAND_AT. 0 or -errno with
 * the error. */
int boot_place_command(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                       size_t most, struct hw_error *error);
/* The memory map; how many parts it has. */
unsigned boot_map(const struct vmm_pvh_memory *memory, struct boot_range ret_map[BOOT_MAP_ENTRIES]);

#endif
