/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expansion ROM of a function (PCI Local Bus Specification 3.0, 6.2.5.2 and 6.3): code that
 * firmware copies and runs, such as a NIC's network boot. A device of its own, for its image is
 * part of the saved state: a guest finds the same one on another host. Pure.
 */
#ifndef VMM_PCI_ROM_H
#define VMM_PCI_ROM_H

#include <stddef.h>

#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_pci.h"

enum { VMM_PCI_ROM_BYTES = 256 << 10 }; /* at most, and what each one takes of the bus */

/* Do these bytes begin with an image whose length is within them (6.3.1.1)? */
bool vmm_pci_rom_is(const void *image, size_t bytes);
/*
 * Give `function`, which is not on the bus yet, this ROM; it lives as long. The bytes are copied.
 * `ret_dev` is for the machine. 0; -EINVAL: it is none, or too large; -ENOMEM.
 */
int vmm_pci_rom_new(struct vmm_pci_function *function, const void *image, size_t bytes,
                    struct vmm_dev *ret_dev);

#endif
