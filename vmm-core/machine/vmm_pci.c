/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus: its ports (Intel 82441FX data sheet, 440FX PCIset), and which pin leads where.
 */
#include "config.h"

#include "vmm-core/machine/vmm_pci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"
#include "vmm-core/machine/vmm_pci_priv.h"

/* 82441FX, CONFADD and CONFDATA: ports, and offsets in them */
enum { FIRST_PORT = 0xcf8, PORT_COUNT = 8, RESET_OFFSET = 1, DATA_OFFSET = 4, DWORD = 4 };
#define ADDRESS_ENABLE UINT32_C(0x80000000)
#define ADDRESS_KEPT   UINT32_C(0x80fffffc) /* enable, bus, device, function, register */

/* 82371SB, RC, reset control: RCPU resets when it rises, SRST says how; there is one kind here */
enum { RESET_CPU = 4, RESET_KEPT = 6 };

/* --- interrupts --- */

static bool pin_active(const struct vmm_pci_function *function)
{
    return function->asserted && function->config[VMM_PCI_INTERRUPT_PIN] != 0 &&
           !vmm_pci_may(function, VMM_PCI_INTX_DISABLE);
}

void pci_update_pirqs(struct vmm_pci *pci)
{
    unsigned pirqs = 0, changed;

    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        const struct vmm_pci_function *function = pci->functions[i];

        if (function != NULL && pin_active(function))
            pirqs |= 1U << ((function->slot + function->config[VMM_PCI_INTERRUPT_PIN] + 2U) %
                            VMM_PCI_PIRQS);
    }
    changed = pirqs ^ pci->pirqs;
    pci->pirqs = pirqs;
    for (unsigned i = 0; pci->set_pirq != NULL && i < VMM_PCI_PIRQS; i++)
        if ((changed >> i & 1) != 0)
            pci->set_pirq(pci->router, i, (pirqs >> i & 1) != 0);
}

void vmm_pci_set_router(struct vmm_pci *pci,
                        void (*set_pirq)(void *context, unsigned pirq, bool active), void *context)
{
    pci->set_pirq = set_pirq;
    pci->router = context;
    pci->pirqs = 0;
    pci_update_pirqs(pci);
}

/* --- ports --- */

static struct vmm_pci_function *addressed(const struct vmm_pci *pci)
{
    const unsigned bus = pci->address >> 16 & 0xff, place = pci->address >> 8 & 0xff;

    return (pci->address & ADDRESS_ENABLE) != 0 && bus == 0 ? pci->functions[place] : NULL;
}

static unsigned config_at(const struct vmm_pci *pci, uint64_t offset)
{
    return (pci->address & 0xfc) + (unsigned)(offset - DATA_OFFSET);
}

/* A cycle on the bus is within 4 aligned bytes. */
static bool is_one_cycle(uint64_t offset, unsigned bytes)
{
    return offset / DWORD == (offset + bytes - 1) / DWORD;
}

static uint64_t port_read(void *dev, uint64_t offset, unsigned bytes)
{
    const struct vmm_pci *pci = dev;
    const struct vmm_pci_function *function = addressed(pci);
    uint64_t value = 0;

    if (!is_one_cycle(offset, bytes)) {
        for (unsigned i = 0; i < bytes; i++)
            value |= (port_read(dev, offset + i, 1) & 0xff) << (i * 8);
        return value;
    }
    if (offset == 0 && bytes == DWORD)
        return pci->address;
    if (offset == RESET_OFFSET && bytes == 1)
        return pci->reset_control;
    if (offset < DATA_OFFSET || function == NULL)
        return UINT64_MAX;
    return vmm_pci_config_read(function, config_at(pci, offset), bytes);
}

static void write_reset_control(struct vmm_pci *pci, uint8_t value)
{
    const bool rises = (value & ~pci->reset_control & RESET_CPU) != 0;

    pci->reset_control = value & RESET_KEPT;
    if (rises)
        pci->callbacks.reset(pci->callbacks.context);
}

static void port_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct vmm_pci *pci = dev;
    struct vmm_pci_function *function = addressed(pci);

    if (!is_one_cycle(offset, bytes)) {
        for (unsigned i = 0; i < bytes; i++)
            port_write(dev, offset + i, 1, value >> (i * 8) & 0xff);
        return;
    }
    if (offset == 0 && bytes == DWORD)
        pci->address = (uint32_t)value & ADDRESS_KEPT;
    else if (offset == RESET_OFFSET && bytes == 1)
        write_reset_control(pci, (uint8_t)value);
    else if (offset >= DATA_OFFSET && function != NULL)
        vmm_pci_config_write(function, config_at(pci, offset), bytes, (uint32_t)value);
}

static const struct vmm_range_ops port_ops = { port_read, port_write };

/* --- for the machine --- */

static void pci_reset(void *dev)
{
    struct vmm_pci *pci = dev;

    pci->address = 0;
    pci->reset_control = 0;
    vmm_pci_reset(&pci->host);
}

static void pci_state(void *dev, struct vmm_state *state)
{
    struct vmm_pci *pci = dev;

    vmm_state_u32(state, &pci->address);
    vmm_state_require(state, (pci->address & ~ADDRESS_KEPT) == 0);
    pci->address &= ADDRESS_KEPT;
    vmm_state_u8(state, &pci->reset_control);
    vmm_state_require(state, (pci->reset_control & ~RESET_KEPT) == 0);
    pci->reset_control &= RESET_KEPT;
    vmm_pci_function_state(&pci->host, state);
}

static void pci_fini(void *dev)
{
    struct vmm_pci *pci = dev;

    (void)vmm_bus_remove(pci->bus, VMM_PORTS, FIRST_PORT);
    free(pci);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "PCI host bridge",
    .id = VMM_DEV_PCI,
    .version = 1,
    .reset = pci_reset,
    .state = pci_state,
    .fini = pci_fini,
};

int vmm_pci_new(struct vmm_bus *bus, const struct vmm_pci_callbacks *callbacks,
                struct vmm_dev *ret_dev, struct vmm_pci **ret_pci)
{
    struct vmm_pci *pci = calloc(1, sizeof(*pci));
    int rc;

    if (pci == NULL)
        return -ENOMEM;
    pci->bus = bus;
    pci->callbacks = *callbacks;
    rc = vmm_bus_add(bus, VMM_PORTS, FIRST_PORT, PORT_COUNT, &port_ops, pci);
    if (rc < 0) {
        free(pci);
        return rc;
    }
    pci_begin_host(pci);
    (void)vmm_pci_add(pci, &pci->host, 0, 0); /* it has no windows, and an empty bus takes it */
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = pci };
    *ret_pci = pci;
    return 0;
}
