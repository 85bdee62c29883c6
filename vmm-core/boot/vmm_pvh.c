/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Below 640 KiB: start info at 24 KiB, command line at 128 KiB. The kernel is where it says, at
 * 1 MiB or above; the ramdisk ends where low memory ends.
 */
#include "config.h"

#include "vmm-core/boot/vmm_pvh.h"

#include <errno.h>
#include <string.h>

#include "common/hw_cursor.h"
#include "vmm-core/boot/vmm_boot_priv.h"
#include "vmm-core/boot/vmm_elf.h"

enum {
    START_INFO_AT = 0x6000,
    START_INFO_BYTES = 56,
    MODULE_AT = START_INFO_AT + 0x80,
    MODULE_BYTES = 32,
    MAP_AT = START_INFO_AT + 0x100,
    MAP_ENTRY_BYTES = 24,
    KERNEL_FIRST = 0x100000,
    INFO_MAGIC = 0x336ec578,
    INFO_VERSION = 1,
};
#define HIGH_AT UINT64_C(0x100000000)

static int read_kernel(const struct vmm_pvh_boot *boot, struct vmm_elf *elf, struct hw_error *error)
{
    switch (vmm_elf_read(boot->kernel, boot->kernel_bytes, elf)) {
    case 0:
        return 0;
    case -ENOEXEC:
        return boot_refuse(boot, ENOEXEC, "is no kernel for x86",
                           "give a bzImage, or a vmlinux with CONFIG_PVH", error);
    case -EOPNOTSUPP:
        return boot_refuse(boot, EOPNOTSUPP, "cannot be entered directly: it has no PVH note",
                           "give a kernel with CONFIG_PVH, or boot it from a disk", error);
    case -E2BIG:
        return boot_refuse(boot, E2BIG, "has too many segments", "link it with fewer", error);
    default:
        return boot_refuse(boot, EBADMSG, "is damaged or cut short", "copy it again", error);
    }
}

/* Ends where the kernel ends; *end is moved there. */
static int place_segment(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                         const struct vmm_elf_segment *segment, uint64_t *end,
                         struct hw_error *error)
{
    uint8_t *to;

    if (segment->guest_at < KERNEL_FIRST)
        return boot_refuse(boot, EINVAL, "wants to lie below 1 MiB", "link it at 1 MiB or above",
                           error);
    to = memory->at(memory->context, segment->guest_at, segment->memory_bytes);
    if (to == NULL)
        return boot_refuse(boot, ENOMEM, "does not fit the guest's memory", "give the guest more",
                           error);
    memcpy(to, segment->bytes, segment->file_bytes);
    memset(to + segment->file_bytes, 0, segment->memory_bytes - segment->file_bytes);
    if (segment->guest_at < HIGH_AT && segment->guest_at + segment->memory_bytes > *end)
        *end = segment->guest_at + segment->memory_bytes;
    return 0;
}

static unsigned place_map(const struct vmm_pvh_memory *memory)
{
    struct hw_writer writer =
        hw_writer_over(memory->at(memory->context, MAP_AT, BOOT_MAP_ENTRIES * MAP_ENTRY_BYTES),
                       BOOT_MAP_ENTRIES * MAP_ENTRY_BYTES);
    struct boot_range map[BOOT_MAP_ENTRIES];
    const unsigned count = boot_map(memory, map);

    for (unsigned i = 0; i < count; i++) {
        hw_write_le64(&writer, map[i].at);
        hw_write_le64(&writer, map[i].bytes);
        hw_write_le32(&writer, map[i].type);
        hw_write_le32(&writer, 0);
    }
    return count;
}

static void place_start_info(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                             uint64_t initrd_at)
{
    struct hw_writer info = hw_writer_over(
        memory->at(memory->context, START_INFO_AT, START_INFO_BYTES), START_INFO_BYTES);
    struct hw_writer module =
        hw_writer_over(memory->at(memory->context, MODULE_AT, MODULE_BYTES), MODULE_BYTES);

    hw_write_le32(&info, INFO_MAGIC);
    hw_write_le32(&info, INFO_VERSION);
    hw_write_le32(&info, 0); /* flags */
    hw_write_le32(&info, initrd_at != 0 ? 1 : 0);
    hw_write_le64(&info, initrd_at != 0 ? MODULE_AT : 0);
    hw_write_le64(&info, BOOT_COMMAND_AT);
    hw_write_le64(&info, boot->rsdp_at);
    hw_write_le64(&info, MAP_AT);
    hw_write_le32(&info, place_map(memory));
    hw_write_le32(&info, 0);
    hw_write_le64(&module, initrd_at);
    hw_write_le64(&module, initrd_at != 0 ? boot->initrd_bytes : 0);
    hw_write_zeroes(&module, 16); /* no command line of its own */
}

int vmm_pvh_place(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                  struct vmm_pvh_entry *ret_entry, struct hw_error *error)
{
    uint64_t kernel_end = 0, initrd_at = 0;
    struct vmm_elf elf;
    int rc = read_kernel(boot, &elf, error);

    for (unsigned i = 0; rc == 0 && i < elf.count; i++)
        rc = place_segment(boot, memory, &elf.segments[i], &kernel_end, error);
    if (rc == 0)
        rc = boot_place_initrd(boot, memory, kernel_end, memory->low_bytes, &initrd_at, error);
    if (rc == 0)
        rc = boot_place_command(boot, memory, VMM_PVH_COMMAND_BYTES, error);
    if (rc < 0)
        return rc;
    place_start_info(boot, memory, initrd_at);
    *ret_entry = (struct vmm_pvh_entry) { .ip = elf.entry, .start_info = START_INFO_AT };
    return 0;
}
