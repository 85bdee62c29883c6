/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What firmware tries to boot from, in order, as it reads it (SeaBIOS docs/Runtime_config.md,
 * "bootorder"): paths of devices as OpenFirmware writes them, one a line. Pure.
 */
#ifndef VMM_BOOT_ORDER_H
#define VMM_BOOT_ORDER_H

#include <stdbool.h>
#include <stddef.h>

enum { VMM_BOOT_DEVICES = 32, VMM_BOOT_ORDER_BYTES = VMM_BOOT_DEVICES * 40 };

/* A device of virtio's on PCI bus 0, function 0 of its slot (0 to 31). */
struct vmm_boot_device {
    bool network; /* else a disk */
    unsigned slot;
};

/*
 * The devices in the order given, those of the kind that is wanted first before the others;
 * VMM_BOOT_ORDER_BYTES are enough for VMM_BOOT_DEVICES, what is behind is left out. Returns the
 * length.
 */
size_t vmm_boot_order(const struct vmm_boot_device *devices, unsigned count, bool network_first,
                      char ret_text[VMM_BOOT_ORDER_BYTES]);

#endif
