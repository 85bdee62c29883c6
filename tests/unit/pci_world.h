/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of PCI functions share: the guest's way to the configuration space, and a device's
 * state out and in.
 */
#ifndef PCI_WORLD_H
#define PCI_WORLD_H

#include "common/hw_cursor.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_pci.h"

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

/* The device's state into exactly `size` bytes. */
static inline void dev_save(const struct vmm_dev *dev, uint8_t *bytes, size_t size)
{
    struct hw_writer writer = hw_writer_over(bytes, size);
    struct vmm_state state = vmm_state_saving(&writer, dev->ops->version);

    dev->ops->pause(dev->dev);
    CU_ASSERT_TRUE(dev->ops->drained(dev->dev));
    dev->ops->state(dev->dev, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), 0);
    CU_ASSERT_EQUAL(writer.at, size);
}

/* And into the device, reset before: what vmm_state_end() says. */
static inline int dev_load(const struct vmm_dev *dev, const uint8_t *bytes, size_t size)
{
    struct vmm_state state = vmm_state_loading(bytes, size, dev->ops->version);

    dev->ops->reset(dev->dev);
    dev->ops->state(dev->dev, &state);
    return vmm_state_end(&state);
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
