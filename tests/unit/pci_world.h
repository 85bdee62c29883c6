/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of PCI functions share: the guest's way to the configuration space, and a function's
 * state out and in.
 */
#ifndef PCI_WORLD_H
#define PCI_WORLD_H

#include "tests/unit/dev_state.h"
#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_pci.h"

/* What comes of the bus: nothing that the test asks for. */
static inline void pci_no_msi(void *context, uint64_t address, uint32_t data)
{
    (void)context;
    (void)address;
    (void)data;
}

/* Likewise. */
static inline void pci_no_reset(void *context)
{
    (void)context;
}

/* A bus that nobody listens to. */
static inline int pci_quiet_new(struct vmm_bus *bus, struct vmm_dev *ret_dev,
                                struct vmm_pci **ret_pci)
{
    const struct vmm_pci_callbacks callbacks = { pci_no_msi, pci_no_reset, NULL };

    return vmm_pci_new(bus, &callbacks, ret_dev, ret_pci);
}

/* Let the data port name register `at` of this function of bus 0. */
static inline void pci_address(struct vmm_bus *bus, unsigned slot, unsigned number, unsigned at)
{
    vmm_bus_write(bus, VMM_PORTS, 0xcf8, 4,
                  UINT32_C(0x80000000) | slot << 11 | number << 8 | (at & 0xfcU));
}

/* Read 1, 2 or 4 bytes at `at`. */
static inline uint32_t pci_read(struct vmm_bus *bus, unsigned slot, unsigned number, unsigned at,
                                unsigned bytes)
{
    pci_address(bus, slot, number, at);
    return (uint32_t)vmm_bus_read(bus, VMM_PORTS, 0xcfc + at % 4, bytes);
}

/* Write them. */
static inline void pci_write(struct vmm_bus *bus, unsigned slot, unsigned number, unsigned at,
                             unsigned bytes, uint32_t value)
{
    pci_address(bus, slot, number, at);
    vmm_bus_write(bus, VMM_PORTS, 0xcfc + at % 4, bytes, value);
}

/* A function's own state, out or in. */
static inline int function_state(struct vmm_pci_function *function, uint8_t *bytes, size_t size,
                                 bool load)
{
    struct hw_writer writer = hw_writer_over(bytes, size);
    struct vmm_state state =
        load ? vmm_state_loading(bytes, size, 1) : vmm_state_saving(&writer, 1);

    vmm_pci_function_state(function, &state);
    return vmm_state_end(&state);
}

#endif
