/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt routing. A line is high while any of what leads to it is active; it is told when it
 * changes only.
 */
#include "config.h"

#include "vmm-core/machine/vmm_piix3.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"

enum { SLOT = 1, GSIS = 16 };

/* 82371SB, PIRQRC[A:D], PIRQx route control: bit 7 switches off, bits 3 to 0 are the line */
enum { PIRQRC = 0x60, PIRQRC_OFF = 0x80, PIRQRC_LINE = 0x0f };
enum { LINES_ALLOWED = 0xdef8 }; /* 3 to 7, 9 to 12, 14, 15; the others are reserved */

static const struct vmm_pci_identity identity = {
    .vendor = 0x8086,
    .device = 0x7000,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x060100,
    .multifunction = true,
};

struct vmm_piix3 {
    struct vmm_pci *pci;
    struct vmm_pci_function function;
    void (*set_gsi)(void *context, unsigned gsi, bool high);
    void *context;
    unsigned pirqs; /* bit for each that is active */
    bool sci;
    unsigned high; /* bit for each line, as it was told last */
};

/* --- lines --- */

static void update(struct vmm_piix3 *piix3)
{
    unsigned high = piix3->sci ? 1U << VMM_PIIX3_SCI_GSI : 0, changed;

    for (unsigned pirq = 0; pirq < VMM_PCI_PIRQS; pirq++) {
        const uint8_t route = piix3->function.config[PIRQRC + pirq];

        if ((piix3->pirqs >> pirq & 1) != 0 && (route & PIRQRC_OFF) == 0)
            high |= (1U << (route & PIRQRC_LINE)) & LINES_ALLOWED;
    }
    changed = high ^ piix3->high;
    piix3->high = high;
    for (unsigned gsi = 0; gsi < GSIS; gsi++)
        if ((changed >> gsi & 1) != 0)
            piix3->set_gsi(piix3->context, gsi, (high >> gsi & 1) != 0);
}

static void set_pirq(void *context, unsigned pirq, bool active)
{
    struct vmm_piix3 *piix3 = context;

    piix3->pirqs &= ~(1U << pirq);
    piix3->pirqs |= (unsigned)active << pirq;
    update(piix3);
}

static void set_sci(void *context, unsigned number, bool high)
{
    struct vmm_piix3 *piix3 = context;

    (void)number;
    piix3->sci = high;
    update(piix3);
}

struct vmm_line vmm_piix3_sci(struct vmm_piix3 *piix3)
{
    return (struct vmm_line) { set_sci, piix3, VMM_PIIX3_SCI_GSI };
}

static void changed(void *dev, unsigned at, unsigned count)
{
    (void)at;
    (void)count;
    update(dev);
}

/* --- for the machine --- */

static void piix3_reset(void *dev)
{
    struct vmm_piix3 *piix3 = dev;

    vmm_pci_reset(&piix3->function);
}

/* What leads to it is told by its owners, when they are loaded. */
static void piix3_state(void *dev, struct vmm_state *state)
{
    struct vmm_piix3 *piix3 = dev;

    vmm_pci_function_state(&piix3->function, state);
}

static void piix3_fini(void *dev)
{
    struct vmm_piix3 *piix3 = dev;

    vmm_pci_set_router(piix3->pci, NULL, NULL);
    vmm_pci_remove(&piix3->function);
    free(piix3);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "PIIX3",
    .id = VMM_DEV_PIIX3,
    .version = 1,
    .reset = piix3_reset,
    .state = piix3_state,
    .fini = piix3_fini,
};

static void begin_function(struct vmm_piix3 *piix3)
{
    struct vmm_pci_function *function = &piix3->function;

    vmm_pci_begin(function, &identity);
    /* 82371SB, PCICMD: ports, memory and master are always on */
    function->config[VMM_PCI_COMMAND] = VMM_PCI_IO | VMM_PCI_MEMORY | VMM_PCI_MASTER;
    memset(function->writable, 0, sizeof(function->writable));
    function->writable[VMM_PCI_COMMAND + 1] = VMM_PCI_SERR >> 8;
    memset(function->config + PIRQRC, PIRQRC_OFF, VMM_PCI_PIRQS);
    memset(function->writable + PIRQRC, PIRQRC_OFF | PIRQRC_LINE, VMM_PCI_PIRQS);
    function->changed = changed;
    function->dev = piix3;
}

int vmm_piix3_new(struct vmm_pci *pci, void (*set_gsi)(void *context, unsigned gsi, bool high),
                  void *context, struct vmm_dev *ret_dev, struct vmm_piix3 **ret_piix3)
{
    struct vmm_piix3 *piix3 = calloc(1, sizeof(*piix3));
    int rc;

    if (piix3 == NULL)
        return -ENOMEM;
    piix3->pci = pci;
    piix3->set_gsi = set_gsi;
    piix3->context = context;
    begin_function(piix3);
    rc = vmm_pci_add(pci, &piix3->function, SLOT, 0);
    if (rc < 0) {
        free(piix3);
        return rc;
    }
    vmm_pci_set_router(pci, set_pirq, piix3);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = piix3 };
    *ret_piix3 = piix3;
    return 0;
}
