/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paths are those of QEMU's machine, which firmware knows.
 */
#include "config.h"

#include "vmm-core/machine/vmm_boot_order.h"

#include <stdio.h>

static size_t put(const struct vmm_boot_device *device, char *text, size_t size)
{
    const int bytes =
        snprintf(text, size, "/pci@i0cf8/%s@%x/%s\n", device->network ? "ethernet" : "scsi",
                 device->slot & 31, device->network ? "ethernet-phy@0" : "disk@0,0");

    return bytes < 0 ? 0 : (size_t)bytes;
}

size_t vmm_boot_order(const struct vmm_boot_device *devices, unsigned count, bool network_first,
                      char ret_text[VMM_BOOT_ORDER_BYTES])
{
    size_t at = 0;

    ret_text[0] = '\0';
    if (count > VMM_BOOT_DEVICES)
        count = VMM_BOOT_DEVICES;
    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned i = 0; i < count; i++)
            if (devices[i].network == (turn == 0 ? network_first : !network_first))
                at += put(&devices[i], ret_text + at, VMM_BOOT_ORDER_BYTES - at);
    return at;
}
