/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small ELF file with one segment and a PVH note, made for a test.
 */
#ifndef ELF_IMAGE_H
#define ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "common/hw_cursor.h"

enum {
    ELF_IMAGE_BYTES = 4096,
    ELF_IMAGE_NOTE_AT = 0x200,
    ELF_IMAGE_CODE_AT = 0x400,
    ELF_IMAGE_ENTRY = 0x100010,
    ELF_IMAGE_GUEST_AT = 0x100000,
};

static inline void elf_word(struct hw_writer *writer, bool wide, uint64_t value)
{
    if (wide)
        hw_write_le64(writer, value);
    else
        hw_write_le32(writer, (uint32_t)value);
}

static inline void elf_part(struct hw_writer *writer, bool wide, uint32_t type, uint64_t at,
                            uint64_t bytes, uint64_t memory_bytes)
{
    hw_write_le32(writer, type);
    if (wide)
        hw_write_le32(writer, 5);
    elf_word(writer, wide, at);
    elf_word(writer, wide, 0);
    elf_word(writer, wide, ELF_IMAGE_GUEST_AT);
    elf_word(writer, wide, bytes);
    elf_word(writer, wide, memory_bytes);
    if (!wide)
        hw_write_le32(writer, 5);
    elf_word(writer, wide, 4);
}

/* `code` at 1 MiB, with as much memory behind it again; entered at ELF_IMAGE_ENTRY. */
static inline void elf_image(uint8_t image[ELF_IMAGE_BYTES], bool wide, const void *code,
                             size_t bytes)
{
    static const uint8_t ident[EI_NIDENT] = { 0x7f, 'E', 'L', 'F', 0, ELFDATA2LSB, EV_CURRENT };
    struct hw_writer writer = hw_writer_over(image, ELF_IMAGE_BYTES);
    struct hw_writer note = hw_writer_over(image + ELF_IMAGE_NOTE_AT, 0x100);

    memset(image, 0, ELF_IMAGE_BYTES);
    hw_write_bytes(&writer, ident, sizeof(ident));
    image[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
    hw_write_le16(&writer, ET_EXEC);
    hw_write_le16(&writer, wide ? EM_X86_64 : EM_386);
    hw_write_le32(&writer, EV_CURRENT);
    elf_word(&writer, wide, 0);
    elf_word(&writer, wide, wide ? 64 : 52);
    elf_word(&writer, wide, 0);
    hw_write_le32(&writer, 0);
    hw_write_le16(&writer, wide ? 64 : 52);
    hw_write_le16(&writer, wide ? 56 : 32);
    hw_write_le16(&writer, 2);
    hw_write_zeroes(&writer, 6);
    elf_part(&writer, wide, PT_LOAD, ELF_IMAGE_CODE_AT, bytes, 2 * bytes);
    elf_part(&writer, wide, PT_NOTE, ELF_IMAGE_NOTE_AT, 44, 44);
    hw_write_le32(&note, 4); /* another one before it */
    hw_write_le32(&note, 8);
    hw_write_le32(&note, 1);
    hw_write_bytes(&note, "GNU", 4);
    hw_write_zeroes(&note, 8);
    hw_write_le32(&note, 4);
    hw_write_le32(&note, 4);
    hw_write_le32(&note, 18);
    hw_write_bytes(&note, "Xen", 4);
    hw_write_le32(&note, ELF_IMAGE_ENTRY);
    memcpy(image + ELF_IMAGE_CODE_AT, code, bytes);
}

#endif
