/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function: its configuration space, of which a mask says what the guest may change, and what
 * follows from a change.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "common/hw_le.h"
#include "vmm-core/machine/vmm_pci_priv.h"

enum { STATUS_INTERRUPT = 8, STATUS_CAPABILITIES = 16, HEADER_MULTIFUNCTION = 128 };
enum { CAPABILITY_ALIGN_BYTES = 4, CAPABILITY_MIN_BYTES = 2, CAPABILITY_NEXT = 1 };

/* --- set up --- */

void vmm_pci_begin(struct vmm_pci_function *function, const struct vmm_pci_identity *identity)
{
    uint8_t *config = function->config;

    memset(function, 0, sizeof(*function));
    hw_le_store(config + VMM_PCI_VENDOR, 2, identity->vendor);
    hw_le_store(config + VMM_PCI_DEVICE, 2, identity->device);
    hw_le_store(config + VMM_PCI_CLASS, 3, identity->class_code);
    config[VMM_PCI_REVISION] = identity->revision;
    config[VMM_PCI_HEADER] = identity->multifunction ? HEADER_MULTIFUNCTION : 0;
    hw_le_store(config + VMM_PCI_SUBSYSTEM_VENDOR, 2, identity->subsystem_vendor);
    hw_le_store(config + VMM_PCI_SUBSYSTEM, 2, identity->subsystem);
    config[VMM_PCI_INTERRUPT_PIN] = identity->pin;
    hw_le_store(function->writable + VMM_PCI_COMMAND, 2,
                VMM_PCI_IO | VMM_PCI_MEMORY | VMM_PCI_MASTER | VMM_PCI_PARITY | VMM_PCI_SERR |
                    VMM_PCI_INTX_DISABLE);
    function->writable[VMM_PCI_CACHE_LINE] = 0xff;
    function->writable[VMM_PCI_LATENCY] = 0xff;
    function->writable[VMM_PCI_INTERRUPT_LINE] = 0xff;
    function->capabilities_end = VMM_PCI_OWN;
}

int vmm_pci_add_capability(struct vmm_pci_function *function, uint8_t id, unsigned count)
{
    const unsigned at = function->capabilities_end;
    const unsigned before = function->last_capability != 0
                                ? function->last_capability + (unsigned)CAPABILITY_NEXT
                                : (unsigned)VMM_PCI_CAPABILITIES;

    if (count < CAPABILITY_MIN_BYTES || count > VMM_PCI_CONFIG_BYTES - at)
        return -ENOSPC;
    function->config[before] = (uint8_t)at;
    function->config[at] = id;
    function->config[VMM_PCI_STATUS] |= STATUS_CAPABILITIES;
    function->last_capability = (uint8_t)at;
    function->capabilities_end =
        (at + count + CAPABILITY_ALIGN_BYTES - 1) / CAPABILITY_ALIGN_BYTES * CAPABILITY_ALIGN_BYTES;
    return (int)at;
}

int vmm_pci_add(struct vmm_pci *pci, struct vmm_pci_function *function, unsigned slot,
                unsigned number)
{
    struct vmm_pci_function **place;
    int rc;

    if (slot >= VMM_PCI_SLOTS || number >= VMM_PCI_SLOT_FUNCTIONS)
        return -EINVAL;
    place = &pci->functions[slot * VMM_PCI_SLOT_FUNCTIONS + number];
    if (*place != NULL)
        return -EEXIST;
    *place = function;
    rc = pci_reserve(pci);
    if (rc < 0) {
        *place = NULL;
        return rc;
    }
    function->pci = pci;
    function->slot = (uint8_t)slot;
    function->number = (uint8_t)number;
    memcpy(function->at_reset, function->config, sizeof(function->at_reset));
    return 0;
}

/* --- on the bus --- */

bool vmm_pci_may(const struct vmm_pci_function *function, unsigned command)
{
    return (hw_le_load(function->config + VMM_PCI_COMMAND, 2) & command) == command;
}

static void settle(struct vmm_pci_function *function, unsigned at, unsigned count)
{
    pci_map(function);
    if (function->changed != NULL)
        function->changed(function->dev, at, count);
    pci_update_pirqs(function->pci);
}

void vmm_pci_reset(struct vmm_pci_function *function)
{
    memcpy(function->config, function->at_reset, sizeof(function->config));
    function->asserted = false;
    settle(function, 0, VMM_PCI_CONFIG_BYTES);
}

void vmm_pci_assert(struct vmm_pci_function *function, bool asserted)
{
    if (function->asserted == asserted)
        return;
    function->asserted = asserted;
    pci_update_pirqs(function->pci);
}

bool vmm_pci_send_msi(const struct vmm_pci_function *function, uint64_t address, uint32_t data)
{
    const struct vmm_pci_callbacks *callbacks = &function->pci->callbacks;

    if (!vmm_pci_may(function, VMM_PCI_MASTER))
        return false;
    callbacks->send_msi(callbacks->context, address, data);
    return true;
}

uint32_t vmm_pci_config_read(const struct vmm_pci_function *function, unsigned at, unsigned bytes)
{
    uint32_t value;

    if (function->reading != NULL)
        function->reading(function->dev, at, bytes);
    value = (uint32_t)hw_le_load(function->config + at, bytes);
    if (function->asserted && at <= VMM_PCI_STATUS && at + bytes > VMM_PCI_STATUS)
        value |= (uint32_t)STATUS_INTERRUPT << ((VMM_PCI_STATUS - at) * 8);
    return value;
}

void vmm_pci_config_write(struct vmm_pci_function *function, unsigned at, unsigned bytes,
                          uint32_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        const uint8_t mask = function->writable[at + i];

        function->config[at + i] =
            (uint8_t)((function->config[at + i] & ~mask) | ((value >> (i * 8)) & mask));
    }
    settle(function, at, bytes);
}

void vmm_pci_function_state(struct vmm_pci_function *function, struct vmm_state *state)
{
    uint8_t config[VMM_PCI_CONFIG_BYTES];

    memcpy(config, function->config, sizeof(config));
    vmm_state_bytes(state, config, sizeof(config));
    for (unsigned i = 0; i < sizeof(config); i++) {
        const uint8_t mask = function->writable[i];

        vmm_state_require(state, ((config[i] ^ function->config[i]) & ~mask) == 0);
        function->config[i] = (uint8_t)((function->config[i] & ~mask) | (config[i] & mask));
    }
    vmm_state_bool(state, &function->asserted);
    vmm_state_require(state, !function->asserted || config[VMM_PCI_INTERRUPT_PIN] != 0);
    if (state->loading)
        settle(function, 0, VMM_PCI_CONFIG_BYTES);
}
