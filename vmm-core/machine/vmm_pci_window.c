/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Windows of the functions: where the guest's BARs, or a device, want them. One that does not fit
 * (it is being sized, or somebody else is there) answers nowhere until it does. Of two that want
 * the same place the lower function's, and then the lower one, has it: where they are follows from
 * the registers alone, and so is the same after a load.
 */
#include "config.h"

#include <errno.h>

#include "vmm-core/machine/vmm_pci_priv.h"

enum { BAR_BYTES = 4, IO_TYPE_BITS = 3, MEMORY_TYPE_BITS = 15 };
enum { OWN_WINDOW = VMM_PCI_BARS, ROM_WINDOW };
enum { ROM_ENABLE = 1, ROM_MIN_BYTES = 2048, ROM_MAX_BYTES = 1 << 24 };
enum { MEMORY_MIN_BYTES = 16, IO_MIN_BYTES = 4, IO_MAX_BYTES = 256 };
#define MEMORY_MAX_BYTES   UINT64_C(0x80000000)
#define MEMORY64_MAX_BYTES UINT64_C(0x8000000000000000)

/* --- set up --- */

static uint32_t get_register(const struct vmm_pci_function *function, unsigned offset)
{
    const uint8_t *at = function->config + offset;

    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t get_bar(const struct vmm_pci_function *function, unsigned i)
{
    return get_register(function, VMM_PCI_BAR0 + i * BAR_BYTES);
}

static void make_writable(struct vmm_pci_function *function, unsigned offset, uint32_t bits)
{
    for (unsigned byte = 0; byte < BAR_BYTES; byte++)
        function->writable[offset + byte] = (uint8_t)(bits >> (byte * 8));
}

/* Nobody's yet, nor the high half of one. */
static bool is_free(const struct vmm_pci_function *function, unsigned i)
{
    return i < VMM_PCI_BARS && function->windows[i].bytes == 0 &&
           function->writable[VMM_PCI_BAR0 + i * BAR_BYTES + BAR_BYTES - 1] == 0;
}

static bool is_size(unsigned type, uint64_t bytes)
{
    const uint64_t least = type == VMM_PCI_BAR_IO ? IO_MIN_BYTES : MEMORY_MIN_BYTES;
    uint64_t most = MEMORY_MAX_BYTES;

    if (type == VMM_PCI_BAR_IO)
        most = IO_MAX_BYTES;
    else if ((type & VMM_PCI_BAR_MEMORY64) != 0)
        most = MEMORY64_MAX_BYTES;
    return bytes >= least && bytes <= most && (bytes & (bytes - 1)) == 0;
}

int vmm_pci_add_bar(struct vmm_pci_function *function, unsigned i, unsigned type, uint64_t bytes,
                    const struct vmm_range_ops *ops, void *dev)
{
    const bool io = type == VMM_PCI_BAR_IO, wide = (type & VMM_PCI_BAR_MEMORY64) != 0;

    if (!io && (type & ~(unsigned)(VMM_PCI_BAR_MEMORY64 | VMM_PCI_BAR_PREFETCHABLE)) != 0)
        return -EINVAL;
    if (!is_size(type, bytes) || !is_free(function, i) || (wide && !is_free(function, i + 1)))
        return -EINVAL;
    function->windows[i] = (struct vmm_pci_window) {
        .space = io ? VMM_PORTS : VMM_MMIO, .bytes = bytes, .ops = ops, .dev = dev
    };
    function->config[VMM_PCI_BAR0 + i * BAR_BYTES] = (uint8_t)type;
    make_writable(function, VMM_PCI_BAR0 + i * BAR_BYTES, (uint32_t) ~(bytes - 1));
    if (wide)
        make_writable(function, VMM_PCI_BAR0 + (i + 1) * BAR_BYTES, (uint32_t)(~(bytes - 1) >> 32));
    return 0;
}

int vmm_pci_add_rom(struct vmm_pci_function *function, uint32_t bytes,
                    const struct vmm_range_ops *ops, void *dev)
{
    if (bytes < ROM_MIN_BYTES || bytes > ROM_MAX_BYTES || (bytes & (bytes - 1)) != 0 ||
        function->windows[ROM_WINDOW].bytes != 0)
        return -EINVAL;
    function->windows[ROM_WINDOW] =
        (struct vmm_pci_window) { .space = VMM_MMIO, .bytes = bytes, .ops = ops, .dev = dev };
    make_writable(function, VMM_PCI_ROM, ~(bytes - 1) | ROM_ENABLE);
    return 0;
}

void vmm_pci_add_window(struct vmm_pci_function *function, enum vmm_space space, uint64_t bytes,
                        const struct vmm_range_ops *ops, void *dev)
{
    function->windows[OWN_WINDOW] =
        (struct vmm_pci_window) { .space = space, .bytes = bytes, .ops = ops, .dev = dev };
}

int pci_reserve(struct vmm_pci *pci)
{
    size_t ranges[] = { [VMM_PORTS] = 0, [VMM_MMIO] = 0 };
    int rc;

    for (unsigned f = 0; f < PCI_FUNCTIONS; f++)
        for (unsigned i = 0; pci->functions[f] != NULL && i < VMM_PCI_WINDOWS; i++)
            ranges[pci->functions[f]->windows[i].space] += pci->functions[f]->windows[i].bytes != 0;
    rc = vmm_bus_reserve(pci->bus, VMM_PORTS, ranges[VMM_PORTS]);
    return rc < 0 ? rc : vmm_bus_reserve(pci->bus, VMM_MMIO, ranges[VMM_MMIO]);
}

/* --- where they are --- */

static uint64_t bar_address(const struct vmm_pci_function *function, unsigned i)
{
    const uint32_t low = get_bar(function, i);

    if ((low & VMM_PCI_BAR_IO) != 0)
        return low & ~(uint32_t)IO_TYPE_BITS;
    if ((low & VMM_PCI_BAR_MEMORY64) != 0)
        return (low & ~(uint32_t)MEMORY_TYPE_BITS) | (uint64_t)get_bar(function, i + 1) << 32;
    return low & ~(uint32_t)MEMORY_TYPE_BITS;
}

/* What the BAR says, or 0: it is switched off, or all ones while it is being sized. */
static uint64_t bar_wants(const struct vmm_pci_function *function, unsigned i)
{
    const struct vmm_pci_window *bar = &function->windows[i];
    const uint64_t at = bar_address(function, i), last = at + (bar->bytes - 1);

    if (!vmm_pci_may(function, bar->space == VMM_PORTS ? VMM_PCI_IO : VMM_PCI_MEMORY))
        return 0;
    return last == UINT32_MAX || last == UINT64_MAX ? 0 : at;
}

/* Likewise: the ROM has a switch of its own beside that of memory. */
static uint64_t rom_wants(const struct vmm_pci_function *function)
{
    const struct vmm_pci_window *rom = &function->windows[ROM_WINDOW];
    const uint32_t value = get_register(function, VMM_PCI_ROM);
    const uint32_t at = value & ~(uint32_t)(rom->bytes - 1);

    if ((value & ROM_ENABLE) == 0 || !vmm_pci_may(function, VMM_PCI_MEMORY))
        return 0;
    return at + (uint32_t)(rom->bytes - 1) == UINT32_MAX ? 0 : at;
}

static uint64_t wants(const struct vmm_pci_function *function, unsigned i)
{
    if (i == OWN_WINDOW)
        return function->windows[i].wanted;
    return i == ROM_WINDOW ? rom_wants(function) : bar_wants(function, i);
}

static bool anything_moves(const struct vmm_pci_function *function)
{
    for (unsigned i = 0; i < VMM_PCI_WINDOWS; i++)
        if (function->windows[i].bytes != 0 && function->windows[i].wanted != wants(function, i))
            return true;
    return false;
}

static void unmap(struct vmm_pci_function *function)
{
    for (unsigned i = 0; i < VMM_PCI_WINDOWS; i++) {
        struct vmm_pci_window *window = &function->windows[i];

        if (window->mapped)
            (void)vmm_bus_remove(function->pci->bus, window->space, window->wanted);
        window->mapped = false;
    }
}

static void map(struct vmm_pci_function *function)
{
    for (unsigned i = 0; i < VMM_PCI_WINDOWS; i++) {
        struct vmm_pci_window *window = &function->windows[i];

        if (window->bytes == 0)
            continue;
        window->wanted = wants(function, i);
        window->mapped =
            window->wanted != 0 && vmm_bus_add(function->pci->bus, window->space, window->wanted,
                                               window->bytes, window->ops, window->dev) == 0;
    }
}

static void map_all(struct vmm_pci *pci)
{
    for (unsigned f = 0; f < PCI_FUNCTIONS; f++)
        if (pci->functions[f] != NULL)
            unmap(pci->functions[f]);
    for (unsigned f = 0; f < PCI_FUNCTIONS; f++)
        if (pci->functions[f] != NULL)
            map(pci->functions[f]);
    for (unsigned f = 0; f < PCI_FUNCTIONS; f++)
        if (pci->functions[f] != NULL && pci->functions[f]->moved != NULL)
            pci->functions[f]->moved(pci->functions[f]->dev);
}

uint64_t vmm_pci_bar_at(const struct vmm_pci_function *function, unsigned i)
{
    return function->windows[i].mapped ? function->windows[i].wanted : 0;
}

void pci_map(struct vmm_pci_function *function)
{
    if (anything_moves(function))
        map_all(function->pci);
}

void vmm_pci_move_window(struct vmm_pci_function *function, uint64_t at)
{
    if (function->windows[OWN_WINDOW].wanted == at)
        return;
    unmap(function);
    function->windows[OWN_WINDOW].wanted = at;
    map_all(function->pci);
}

void vmm_pci_remove(struct vmm_pci_function *function)
{
    struct vmm_pci *pci = function->pci;

    if (pci == NULL)
        return;
    unmap(function);
    pci->functions[function->slot * VMM_PCI_SLOT_FUNCTIONS + function->number] = NULL;
    function->pci = NULL;
    function->asserted = false;
    map_all(pci); /* somebody may have waited for its place */
    pci_update_pirqs(pci);
}
