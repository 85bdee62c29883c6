/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Linux kernel as it is installed: a bzImage (Linux Documentation/arch/x86/boot.rst), whose setup
 * header says how its other part is loaded and entered in 64 bits. Read from memory that the caller
 * owns; nothing it says is believed before it is judged. Pure.
 */
#ifndef VMM_BZIMAGE_H
#define VMM_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VMM_BZIMAGE_HEADER_AT = 0x1f1,  /* in the file, and in the boot parameters */
    VMM_BZIMAGE_HEADER_END = 0x290, /* of the room for it in the boot parameters */
    VMM_BZIMAGE_ENTRY_64 = 0x200,   /* from where it is loaded */
};

struct vmm_bzimage {
    const uint8_t *header; /* from VMM_BZIMAGE_HEADER_AT on */
    size_t header_bytes;   /* at most VMM_BZIMAGE_HEADER_END - VMM_BZIMAGE_HEADER_AT */
    const uint8_t *kernel;
    size_t kernel_bytes;    /* more than VMM_BZIMAGE_ENTRY_64 */
    uint64_t load_at;       /* at least 1 MiB */
    uint64_t memory_bytes;  /* from there on, before it knows its memory; at least kernel_bytes */
    uint32_t command_bytes; /* of the longest command line, without its end */
    uint64_t initrd_end;    /* the ramdisk has to end here, or before */
};

/* Does the file say that it is one? It may be damaged or too old all the same. */
bool vmm_bzimage_is(const void *file, size_t bytes);
/*
 * Read `bytes` of a file. 0; -ENOEXEC: none; -EOPNOTSUPP: without an entry in 64 bits (protocol
 * before 2.12, or a kernel of 32 bits); -EBADMSG: damaged or cut short.
 */
int vmm_bzimage_read(const void *file, size_t bytes, struct vmm_bzimage *ret_image);

#endif
