/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel as an ELF file (System V ABI, chapters 4 and 5) that says where it is entered in
 * protected mode (note "Xen" 18, PHYS32_ENTRY: PVH). Read from memory that the caller owns; nothing
 * it says is believed before it is judged. Pure.
 */
#ifndef VMM_ELF_H
#define VMM_ELF_H

#include <stddef.h>
#include <stdint.h>

enum { VMM_ELF_SEGMENTS = 32 };

/* To be copied from the file to guest memory; the rest up to `memory_bytes` is zero. */
struct vmm_elf_segment {
    uint64_t guest_at, memory_bytes;
    const uint8_t *bytes;
    uint64_t file_bytes; /* at most memory_bytes */
};

struct vmm_elf {
    uint32_t entry; /* of the note */
    unsigned count;
    struct vmm_elf_segment segments[VMM_ELF_SEGMENTS]; /* at least one; none is empty */
};

/*
 * Read `bytes` of a file. 0; -ENOEXEC: not an ELF file for x86; -EBADMSG: damaged or cut short;
 * -EOPNOTSUPP: without the note; -E2BIG: more than VMM_ELF_SEGMENTS parts.
 */
int vmm_elf_read(const void *file, size_t bytes, struct vmm_elf *ret_elf);

#endif
