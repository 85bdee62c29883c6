/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ELF, 32 and 64 bits, field by field: the two classes have the same program header in another
 * order and width.
 */
#include "config.h"

#include "vmm-core/boot/vmm_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/hw_cursor.h"

enum { NOTE_PHYS32_ENTRY = 18, NOTE_HEAD_BYTES = 12 };

/* What is wanted of a program header. */
struct part {
    uint32_t type;
    uint64_t file_at, guest_at, file_bytes, memory_bytes;
};

static uint64_t word(struct hw_reader *reader, bool wide)
{
    return wide ? hw_read_le64(reader) : hw_read_le32(reader);
}

static struct part read_part(struct hw_reader *reader, bool wide)
{
    struct part part = { .type = hw_read_le32(reader) };

    if (wide)
        hw_read_skip(reader, 4); /* flags */
    part.file_at = word(reader, wide);
    hw_read_skip(reader, wide ? 8 : 4); /* virtual address */
    part.guest_at = word(reader, wide);
    part.file_bytes = word(reader, wide);
    part.memory_bytes = word(reader, wide);
    return part;
}

static bool is_inside(const struct part *part, size_t bytes)
{
    return part->file_at <= bytes && part->file_bytes <= bytes - part->file_at;
}

static int add_segment(struct vmm_elf *elf, const uint8_t *file, const struct part *part)
{
    if (part->memory_bytes == 0)
        return 0;
    if (part->file_bytes > part->memory_bytes ||
        part->guest_at + part->memory_bytes < part->guest_at)
        return -EBADMSG;
    if (elf->count == VMM_ELF_SEGMENTS)
        return -E2BIG;
    elf->segments[elf->count++] = (struct vmm_elf_segment) { .guest_at = part->guest_at,
                                                             .memory_bytes = part->memory_bytes,
                                                             .bytes = file + part->file_at,
                                                             .file_bytes = part->file_bytes };
    return 0;
}

static size_t padded(uint32_t bytes)
{
    return ((size_t)bytes + 3) & ~(size_t)3;
}

/* The notes of one part; true when the entry is among them. */
static bool find_entry(const uint8_t *notes, size_t bytes, uint32_t *ret_entry)
{
    struct hw_reader reader = hw_reader_over(notes, bytes);

    while (hw_reader_left(&reader) >= NOTE_HEAD_BYTES) {
        const uint32_t name_bytes = hw_read_le32(&reader), value_bytes = hw_read_le32(&reader);
        const uint32_t type = hw_read_le32(&reader);
        const size_t name_at = reader.at;
        struct hw_reader value;

        hw_read_skip(&reader, padded(name_bytes));
        value = reader;
        hw_read_skip(&reader, padded(value_bytes));
        if (hw_reader_status(&reader) < 0)
            return false;
        if (type != NOTE_PHYS32_ENTRY || name_bytes != sizeof("Xen") ||
            memcmp(notes + name_at, "Xen", sizeof("Xen")) != 0 || value_bytes < 4)
            continue;
        *ret_entry = hw_read_le32(&value);
        return true;
    }
    return false;
}

struct head {
    bool wide;
    uint64_t parts_at;
    uint16_t part_bytes, part_count;
};

static int read_head(struct hw_reader *reader, struct head *ret_head)
{
    uint8_t ident[EI_NIDENT];
    uint16_t machine;

    hw_read_bytes(reader, ident, sizeof(ident));
    hw_read_skip(reader, 2); /* type */
    machine = hw_read_le16(reader);
    if (memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_DATA] != ELFDATA2LSB ||
        (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64) ||
        (machine != EM_386 && machine != EM_X86_64))
        return -ENOEXEC;
    ret_head->wide = ident[EI_CLASS] == ELFCLASS64;
    hw_read_skip(reader, 4);            /* version */
    (void)word(reader, ret_head->wide); /* the entry of long mode */
    ret_head->parts_at = word(reader, ret_head->wide);
    (void)word(reader, ret_head->wide); /* sections */
    hw_read_skip(reader, 6);            /* flags, size of this header */
    ret_head->part_bytes = hw_read_le16(reader);
    ret_head->part_count = hw_read_le16(reader);
    return hw_reader_status(reader);
}

int vmm_elf_read(const void *file, size_t bytes, struct vmm_elf *ret_elf)
{
    struct hw_reader reader = hw_reader_over(file, bytes);
    struct vmm_elf elf = { 0 };
    struct head head = { 0 };
    bool found = false;
    int rc = read_head(&reader, &head);

    for (unsigned i = 0; rc == 0 && i < head.part_count; i++) {
        struct part part;

        hw_read_seek(&reader, head.parts_at > bytes
                                  ? bytes + 1
                                  : (size_t)head.parts_at + (size_t)i * head.part_bytes);
        part = read_part(&reader, head.wide);
        rc = hw_reader_status(&reader);
        if (rc == 0 && (part.type == PT_LOAD || part.type == PT_NOTE) && !is_inside(&part, bytes))
            rc = -EBADMSG;
        if (rc == 0 && part.type == PT_LOAD)
            rc = add_segment(&elf, file, &part);
        else if (rc == 0 && part.type == PT_NOTE && !found)
            found = find_entry((const uint8_t *)file + part.file_at, part.file_bytes, &elf.entry);
    }
    if (rc < 0)
        return rc;
    if (elf.count == 0)
        return -EBADMSG;
    if (!found)
        return -EOPNOTSUPP;
    *ret_elf = elf;
    return 0;
}
