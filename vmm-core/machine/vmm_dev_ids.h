/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers by which a saved state knows what its sections are of (doc/saved-state.md). A number
 * is never used again for something else; from 256 on they are vmm_save.h's.
 */
#ifndef VMM_DEV_IDS_H
#define VMM_DEV_IDS_H

enum vmm_dev_id {
    VMM_DEV_UART = 1,
    VMM_DEV_I8042 = 2,
    VMM_DEV_CMOS = 3,
    VMM_DEV_PORTS = 4,
    VMM_DEV_FWCFG = 5,
    VMM_DEV_FIRMWARE = 6,
    VMM_DEV_PCI_ROM = 7,
    VMM_DEV_PCI = 16,
    VMM_DEV_PIIX3 = 17,
    VMM_DEV_PM = 18,
    VMM_DEV_MSIX = 19,
    VMM_DEV_VIRTIO_RNG = 20,
    VMM_DEV_VIRTIO_BLK = 21,
    VMM_DEV_VIRTIO_CONSOLE = 22,
    VMM_DEV_VIRTIO_NET = 23,
    VMM_DEV_VIRTIO_BALLOON = 24,
    VMM_DEV_VM = 32, /* what KVM keeps of the VM */
    VMM_DEV_VCPU = 33,
};

#endif
