/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Below 640 KiB: descriptors at 20 KiB, boot parameters at 28 KiB, page tables at 36 KiB, command
 * line at 128 KiB. The kernel is where it likes to be, so that it need not move itself.
 */
#include "config.h"

#include "vmm-core/boot/vmm_linux.h"

#include <errno.h>
#include <string.h>

#include "common/hw_cursor.h"
#include "common/hw_le.h"
#include "vmm-core/boot/vmm_boot_priv.h"
#include "vmm-core/boot/vmm_bzimage.h"

enum {
    GDT_AT = 0x5000,
    GDT_ENTRIES = 4,
    PARAMETERS_AT = 0x7000,
    TABLES_AT = 0x9000, /* one of the fourth level, one of the third, one of the second each GiB */
    TABLES = 6,
    TABLE_BYTES = 4096,
    TABLE_ENTRIES = 512,
    GIBS = 4,
};
/* Fields of the boot parameters (zero-page.rst); the setup header lies where it is in the file. */
enum {
    RSDP_AT = 0x070,
    MAP_COUNT = 0x1e8,
    LOADER = 0x210,
    INITRD_AT = 0x218,
    INITRD_BYTES = 0x21c,
    COMMAND_POINTER = 0x228,
    MAP = 0x2d0,
    PARAMETERS_BYTES = 4096,
    LOADER_UNKNOWN = 0xff,
};
/* Bits of page table entries (Intel SDM 3A 4.5): present, writable; a page of 2 MiB. */
enum { PRESENT_WRITABLE = 3, LARGE = 0x80 };
#define PAGE_2M UINT64_C(0x200000)
/* Descriptors (Intel SDM 3A 3.4.5): flat, accessed; code of 64 bits. */
#define CODE_64 UINT64_C(0x00af9b000000ffff)
#define DATA    UINT64_C(0x00cf93000000ffff)

static int read_kernel(const struct vmm_pvh_boot *boot, struct vmm_bzimage *image,
                       struct hw_error *error)
{
    switch (vmm_bzimage_read(boot->kernel, boot->kernel_bytes, image)) {
    case 0:
        return 0;
    case -EOPNOTSUPP:
        return boot_refuse(boot, EOPNOTSUPP, "has no entry in 64 bits",
                           "give a kernel for x86-64, Linux 3.8 or later", error);
    default:
        return boot_refuse(boot, EBADMSG, "is damaged or cut short", "copy it again", error);
    }
}

static int place_kernel(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                        const struct vmm_bzimage *image, struct hw_error *error)
{
    uint8_t *to = memory->at(memory->context, image->load_at, image->memory_bytes);

    if (to == NULL || image->load_at + image->memory_bytes > memory->low_bytes)
        return boot_refuse(boot, ENOMEM, "does not fit the guest's memory", "give the guest more",
                           error);
    memcpy(to, image->kernel, image->kernel_bytes);
    return 0;
}

static void place_parameters(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                             const struct vmm_bzimage *image, uint64_t initrd_at)
{
    uint8_t *parameters = memory->at(memory->context, PARAMETERS_AT, PARAMETERS_BYTES);
    struct boot_range map[BOOT_MAP_ENTRIES];
    const unsigned count = boot_map(memory, map);
    struct hw_writer writer = hw_writer_over(parameters + MAP, PARAMETERS_BYTES - MAP);

    memset(parameters, 0, PARAMETERS_BYTES);
    memcpy(parameters + VMM_BZIMAGE_HEADER_AT, image->header, image->header_bytes);
    hw_le_store(parameters + LOADER, 1, LOADER_UNKNOWN);
    hw_le_store(parameters + INITRD_AT, 4, initrd_at);
    hw_le_store(parameters + INITRD_BYTES, 4, initrd_at != 0 ? boot->initrd_bytes : 0);
    hw_le_store(parameters + COMMAND_POINTER, 4, BOOT_COMMAND_AT);
    hw_le_store(parameters + RSDP_AT, 8, boot->rsdp_at);
    hw_le_store(parameters + MAP_COUNT, 1, count);
    for (unsigned i = 0; i < count; i++) {
        hw_write_le64(&writer, map[i].at);
        hw_write_le64(&writer, map[i].bytes);
        hw_write_le32(&writer, map[i].type);
    }
}

static void place_gdt(const struct vmm_pvh_memory *memory)
{
    static const uint64_t gdt[GDT_ENTRIES] = { 0, 0, CODE_64, DATA };
    struct hw_writer writer =
        hw_writer_over(memory->at(memory->context, GDT_AT, sizeof(gdt)), sizeof(gdt));

    for (unsigned i = 0; i < GDT_ENTRIES; i++)
        hw_write_le64(&writer, gdt[i]);
}

static void place_tables(const struct vmm_pvh_memory *memory)
{
    const size_t bytes = (size_t)TABLES * TABLE_BYTES;
    uint8_t *tables = memory->at(memory->context, TABLES_AT, bytes);
    struct hw_writer writer = hw_writer_over(tables, bytes);

    memset(tables, 0, bytes);
    hw_write_le64(&writer, (TABLES_AT + TABLE_BYTES) | PRESENT_WRITABLE);
    hw_write_zeroes(&writer, TABLE_BYTES - 8);
    for (unsigned i = 0; i < GIBS; i++)
        hw_write_le64(&writer, (TABLES_AT + (2 + i) * TABLE_BYTES) | PRESENT_WRITABLE);
    hw_write_zeroes(&writer, TABLE_BYTES - 8 * GIBS);
    for (unsigned i = 0; i < GIBS * TABLE_ENTRIES; i++)
        hw_write_le64(&writer, i * PAGE_2M | PRESENT_WRITABLE | LARGE);
}

int vmm_linux_place(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                    struct vmm_linux_entry *ret_entry, struct hw_error *error)
{
    struct vmm_bzimage image;
    uint64_t initrd_at = 0;
    int rc = read_kernel(boot, &image, error);

    if (rc == 0)
        rc = place_kernel(boot, memory, &image, error);
    if (rc == 0)
        rc = boot_place_initrd(boot, memory, image.load_at + image.memory_bytes, image.initrd_end,
                               &initrd_at, error);
    if (rc == 0)
        rc = boot_place_command(boot, memory, image.command_bytes, error);
    if (rc < 0)
        return rc;
    place_parameters(boot, memory, &image, initrd_at);
    place_gdt(memory);
    place_tables(memory);
    *ret_entry = (struct vmm_linux_entry) { .ip = image.load_at + VMM_BZIMAGE_ENTRY_64,
                                            .parameters = PARAMETERS_AT,
                                            .page_tables = TABLES_AT,
                                            .gdt = GDT_AT,
                                            .gdt_bytes = GDT_ENTRIES * 8 };
    return 0;
}
