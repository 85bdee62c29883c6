/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware's part in a direct boot: the files of the script are copied into the segments that every
 * memory map keeps for firmware, and what the script says is done to them there.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "common/hw_le.h"
#include "vmm-core/machine/vmm_acpi_priv.h"

enum { FILES = 2, RSDP = 0, TABLES = 1 };
#define HIGH_AT  UINT64_C(0xe0000) /* stands for memory high up: 64 KiB are enough */
#define FSEG_AT  UINT64_C(0xf0000)
#define FSEG_END UINT64_C(0x100000)

struct file {
    const char *name;
    const uint8_t *bytes;
    size_t count;
    uint64_t guest_at; /* 0: not placed yet */
    uint8_t *at;
};

struct place {
    const struct vmm_dma *dma;
    struct file files[FILES];
    uint64_t next[2]; /* free in each zone */
};

/* The file of this name that has been placed, or is to be; NULL: none. */
static struct file *find(struct place *place, struct hw_reader *entry, bool placed)
{
    char name[ACPI_LOADER_NAME_BYTES];

    hw_read_bytes(entry, name, sizeof(name));
    for (unsigned i = 0; i < FILES; i++)
        if (strncmp(name, place->files[i].name, sizeof(name)) == 0 &&
            (place->files[i].guest_at != 0) == placed)
            return &place->files[i];
    return NULL;
}

static int allocate(struct place *place, struct hw_reader *entry)
{
    struct file *file = find(place, entry, false);
    const uint32_t align = hw_read_le32(entry);
    const uint8_t zone = hw_read_u8(entry);
    uint64_t *next, end;

    if (file == NULL || align == 0 || align > FSEG_END - FSEG_AT || (align & (align - 1)) != 0 ||
        (zone != ACPI_LOADER_HIGH && zone != ACPI_LOADER_FSEG))
        return -EBADMSG;
    next = &place->next[zone == ACPI_LOADER_FSEG];
    end = zone == ACPI_LOADER_FSEG ? FSEG_END : FSEG_AT;
    *next = (*next + align - 1) & ~(uint64_t)(align - 1);
    if (*next > end || file->count > end - *next)
        return -ENOMEM;
    file->at = place->dma->at(place->dma->context, *next, file->count, true);
    if (file->at == NULL)
        return -EFAULT;
    memcpy(file->at, file->bytes, file->count);
    file->guest_at = *next;
    *next += file->count;
    return 0;
}

static int add_pointer(struct place *place, struct hw_reader *entry)
{
    struct file *file = find(place, entry, true), *other = find(place, entry, true);
    const uint32_t at = hw_read_le32(entry);
    const uint8_t bytes = hw_read_u8(entry);

    if (file == NULL || other == NULL || (bytes != 4 && bytes != 8) || at > file->count ||
        bytes > file->count - at)
        return -EBADMSG;
    hw_le_store(file->at + at, bytes, hw_le_load(file->at + at, bytes) + other->guest_at);
    return 0;
}

static int add_checksum(struct place *place, struct hw_reader *entry)
{
    struct file *file = find(place, entry, true);
    const uint32_t at = hw_read_le32(entry);
    const uint32_t first = hw_read_le32(entry);
    const uint32_t count = hw_read_le32(entry);
    uint8_t sum = 0;

    if (file == NULL || at >= file->count || first > file->count || count > file->count - first)
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++)
        sum = (uint8_t)(sum + file->at[first + i]);
    file->at[at] = (uint8_t)(file->at[at] - sum);
    return 0;
}

static int run(struct place *place, const uint8_t *bytes)
{
    struct hw_reader entry = hw_reader_over(bytes, ACPI_LOADER_ENTRY_BYTES);

    switch (hw_read_le32(&entry)) {
    case ACPI_LOADER_ALLOCATE:
        return allocate(place, &entry);
    case ACPI_LOADER_ADD_POINTER:
        return add_pointer(place, &entry);
    case ACPI_LOADER_ADD_CHECKSUM:
        return add_checksum(place, &entry);
    default:
        return -EBADMSG;
    }
}

int vmm_acpi_place(const struct vmm_acpi_tables *tables, const struct vmm_dma *dma,
                   uint64_t *ret_rsdp_at)
{
    struct place place = {
        .dma = dma,
        .files = { [RSDP] = { .name = ACPI_RSDP_FILE,
                              .bytes = tables->rsdp,
                              .count = sizeof(tables->rsdp) },
                   [TABLES] = { .name = ACPI_TABLES_FILE,
                                .bytes = tables->tables,
                                .count = tables->tables_bytes } },
        .next = { HIGH_AT, FSEG_AT },
    };
    int rc = tables->loader_bytes % ACPI_LOADER_ENTRY_BYTES == 0 ? 0 : -EBADMSG;

    for (size_t at = 0; rc == 0 && at < tables->loader_bytes; at += ACPI_LOADER_ENTRY_BYTES)
        rc = run(&place, tables->loader + at);
    if (rc == 0 && place.files[RSDP].guest_at == 0)
        rc = -EBADMSG;
    if (rc == 0)
        *ret_rsdp_at = place.files[RSDP].guest_at;
    return rc;
}

int vmm_acpi_offer(const struct vmm_acpi_tables *tables, struct vmm_fwcfg *fwcfg)
{
    int rc = vmm_fwcfg_add_file(fwcfg, ACPI_TABLES_FILE, tables->tables, tables->tables_bytes);

    if (rc == 0)
        rc = vmm_fwcfg_add_file(fwcfg, ACPI_RSDP_FILE, tables->rsdp, sizeof(tables->rsdp));
    return rc < 0 ? rc
                  : vmm_fwcfg_add_file(fwcfg, "etc/table-loader", tables->loader,
                                       tables->loader_bytes);
}
