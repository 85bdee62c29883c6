/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ramdisk, command line and memory map, which each way of a direct boot has.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm-core/boot/vmm_boot_priv.h"

enum {
    PAGE = 4096,
    CONVENTIONAL_END = 0x9fc00, /* the extended BIOS data area is behind it */
    VIDEO_AT = 0xa0000,
    EXTENDED_AT = 0x100000,
    RAM = 1,
    RESERVED = 2,
};
#define HIGH_AT UINT64_C(0x100000000)

int boot_refuse(const struct vmm_pvh_boot *boot, int code, const char *reason, const char *remedy,
                struct hw_error *error)
{
    return hw_error_set(error, HW_ERROR_REFUSED, code, boot->name, reason, remedy);
}

int boot_place_initrd(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                      uint64_t kernel_end, uint64_t end, uint64_t *ret_at, struct hw_error *error)
{
    uint64_t at;
    void *to = NULL;

    *ret_at = 0;
    if (boot->initrd == NULL)
        return 0;
    if (end > memory->low_bytes)
        end = memory->low_bytes;
    if (boot->initrd_bytes < end) {
        at = (end - boot->initrd_bytes) & ~(uint64_t)(PAGE - 1);
        if (at >= kernel_end)
            to = memory->at(memory->context, at, boot->initrd_bytes);
    }
    if (to == NULL)
        return hw_error_set(error, HW_ERROR_REFUSED, ENOMEM, "initrd",
                            "does not fit the guest's memory beside the kernel",
                            "give the guest more");
    memcpy(to, boot->initrd, boot->initrd_bytes);
    *ret_at = at;
    return 0;
}

int boot_place_command(const struct vmm_pvh_boot *boot, const struct vmm_pvh_memory *memory,
                       size_t most, struct hw_error *error)
{
    const size_t count = strlen(boot->command);

    if (most > VMM_PVH_COMMAND_BYTES - 1)
        most = VMM_PVH_COMMAND_BYTES - 1;
    if (count > most)
        return hw_error_setf(error, HW_ERROR_USAGE, E2BIG, "command line", "shorten --append",
                             "is longer than %zu bytes", most);
    memcpy(memory->at(memory->context, BOOT_COMMAND_AT, count + 1), boot->command, count + 1);
    return 0;
}

unsigned boot_map(const struct vmm_pvh_memory *memory, struct boot_range ret_map[BOOT_MAP_ENTRIES])
{
    const struct boot_range map[BOOT_MAP_ENTRIES] = {
        { 0, CONVENTIONAL_END, RAM },
        { CONVENTIONAL_END, VIDEO_AT - CONVENTIONAL_END, RESERVED },
        { VIDEO_AT, EXTENDED_AT - VIDEO_AT, RESERVED },
        { EXTENDED_AT, memory->low_bytes - EXTENDED_AT, RAM },
        { HIGH_AT, memory->high_bytes, RAM },
    };

    memcpy(ret_map, map, sizeof(map));
    return memory->high_bytes > 0 ? BOOT_MAP_ENTRIES : BOOT_MAP_ENTRIES - 1;
}
