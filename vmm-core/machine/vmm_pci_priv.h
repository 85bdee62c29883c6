/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the PCI bus.
 */
#ifndef VMM_PCI_PRIV_H
#define VMM_PCI_PRIV_H

#include "vmm-core/machine/vmm_pci.h"

enum { PCI_FUNCTIONS = VMM_PCI_SLOTS * VMM_PCI_SLOT_FUNCTIONS };

struct vmm_pci {
    struct vmm_bus *bus;
    struct vmm_pci_callbacks callbacks;
    void (*set_pirq)(void *context, unsigned pirq, bool active);
    void *router;
    struct vmm_pci_function *functions[PCI_FUNCTIONS]; /* by slot, then number */
    struct vmm_pci_function host;
    uint32_t address;      /* CF8h */
    uint8_t reset_control; /* CF9h */
    unsigned pirqs;        /* bit for each, as the router was told last */
    void (*set_shadow)(void *context, unsigned segment, unsigned attributes);
    void *shadow_context;
    uint8_t shadow[VMM_PCI_SHADOW_SEGMENTS]; /* as it was told last */
};

/* The host bridge, before it is on the bus. */
void pci_begin_host(struct vmm_pci *pci);
/* Tell the router, after a pin or its owner has changed. */
void pci_update_pirqs(struct vmm_pci *pci);
/* Put the windows where they belong, after the function's registers have changed. */
void pci_map(struct vmm_pci_function *function);
/* So that pci_map() needs no memory for the functions of now. 0 or -ENOMEM. */
int pci_reserve(struct vmm_pci *pci);

#endif
