/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PIIX3 ISA bridge 00:01.0, 8086:7000 (Intel 82371SB data sheet): it leads the interrupt pins
 * of the PCI bus to the lines that the guest names. PIC, timer and what else the chip holds are
 * devices of their own. Pure.
 */
#ifndef VMM_PIIX3_H
#define VMM_PIIX3_H

#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_pci.h"

enum { VMM_PIIX3_SCI_GSI = 9 };

struct vmm_piix3;

/*
 * The bridge on `pci`, which must live longer. `set_gsi` raises and lowers a global system
 * interrupt (0 to 15) with `context`; it never blocks. `ret_dev` is for the machine; `ret_piix3`
 * lives as long. 0, -ENOMEM, or what vmm_pci_add() says.
 */
int vmm_piix3_new(struct vmm_pci *pci, void (*set_gsi)(void *context, unsigned gsi, bool high),
                  void *context, struct vmm_dev *ret_dev, struct vmm_piix3 **ret_piix3);
/*
 * The line of the power management's system control interrupt: VMM_PIIX3_SCI_GSI, which is high
 * while that or a PIRQ that the guest leads there is (ACPI 2.0, 5.2.9: SCI_INT is shareable).
 */
struct vmm_line vmm_piix3_sci(struct vmm_piix3 *piix3);

#endif
