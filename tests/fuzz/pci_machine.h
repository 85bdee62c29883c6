/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for fuzz_vmm_pci.c: PCI bus, PIIX3, power management, and two cards with BARs of all
 * kinds and MSI-X.
 */
#ifndef PCI_MACHINE_H
#define PCI_MACHINE_H

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vmm-core/machine/vmm_msix.h"
#include "vmm-core/machine/vmm_pci.h"
#include "vmm-core/machine/vmm_piix3.h"
#include "vmm-core/machine/vmm_pm.h"

enum { CARDS = 2, DEVICES = 3 + CARDS, GSIS = 16, VECTORS = 9 };
enum { FIRST_SLOT = 2, MSIX_BAR = 1 };

/* A card has ports, vectors, memory of 64 bits, memory of 32, and a ROM. */
struct card {
    struct vmm_pci_function function;
    struct vmm_msix *msix;
};

struct world {
    struct vmm_bus *bus;
    struct vmm_pci *pci;
    struct vmm_piix3 *piix3;
    struct vmm_pm *pm;
    struct vmm_line sci_line;
    struct card cards[CARDS];
    struct vmm_dev devices[DEVICES];
    unsigned gsis; /* bit for each line that is high */
    bool sci;
    uint64_t now_ns;
};

/* --- what the devices call --- */

static inline void send_msi(void *context, uint64_t address, uint32_t data)
{
    (void)context;
    (void)address;
    (void)data;
}

static inline void reset_or_off(void *context)
{
    (void)context;
}

static inline void set_gsi(void *context, unsigned gsi, bool high)
{
    struct world *world = context;

    fuzz_require(gsi < GSIS && (world->gsis >> gsi & 1) != high);
    world->gsis ^= 1U << gsi;
}

static inline void set_sci(void *context, unsigned number, bool high)
{
    struct world *world = context;

    fuzz_require(number == VMM_PIIX3_SCI_GSI);
    world->sci = high;
    vmm_line_set(&world->sci_line, high);
}

static inline uint64_t now_ns(void *context)
{
    return ((struct world *)context)->now_ns;
}

static inline void wake_at(void *context, uint64_t at_ns)
{
    (void)context;
    (void)at_ns;
}

static inline void card_changed(void *dev, unsigned at, unsigned count)
{
    struct card *card = dev;

    fuzz_require(at + count <= VMM_PCI_CONFIG_BYTES);
    vmm_msix_changed(card->msix);
}

static inline uint64_t card_read(void *dev, uint64_t offset, unsigned bytes)
{
    (void)dev;
    fuzz_require(offset + bytes <= 1 << 20);
    return offset;
}

static inline void card_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    (void)dev;
    (void)value;
    fuzz_require(offset + bytes <= 1 << 20);
}

static const struct vmm_range_ops card_ops = { card_read, card_write };

/* --- the machine --- */

static inline void add_card(struct world *world, unsigned i)
{
    const struct vmm_pci_identity identity = { .vendor = 0x1af4,
                                               .device = (uint16_t)(0x1040 + i),
                                               .pin = (uint8_t)(i + 1) };
    struct card *card = &world->cards[i];
    struct vmm_pci_function *function = &card->function;

    vmm_pci_begin(function, &identity);
    fuzz_require(
        vmm_pci_add_bar(function, 0, VMM_PCI_BAR_IO, 64, &card_ops, card) == 0 &&
        vmm_msix_new(function, MSIX_BAR, VECTORS, &world->devices[3 + i], &card->msix) == 0 &&
        vmm_pci_add_bar(function, 2, VMM_PCI_BAR_MEMORY64, 1 << 20, &card_ops, card) == 0 &&
        vmm_pci_add_bar(function, 4, VMM_PCI_BAR_MEMORY, 16, &card_ops, card) == 0 &&
        vmm_pci_add_rom(function, 1 << 16, &card_ops, card) == 0);
    function->changed = card_changed;
    function->dev = card;
    fuzz_require(vmm_pci_add(world->pci, function, FIRST_SLOT + i, i) == 0);
}

static inline void begin(struct world *world, uint64_t at_ns)
{
    const struct vmm_pci_callbacks callbacks = { send_msi, reset_or_off, world };
    const struct vmm_pm_callbacks pm = { now_ns, wake_at, reset_or_off, world };
    const struct vmm_line sci = { set_sci, world, VMM_PIIX3_SCI_GSI };

    memset(world, 0, sizeof(*world));
    world->now_ns = at_ns;
    world->bus = vmm_bus_new();
    fuzz_require(world->bus != NULL);
    fuzz_require(vmm_pci_new(world->bus, &callbacks, &world->devices[0], &world->pci) == 0 &&
                 vmm_piix3_new(world->pci, set_gsi, world, &world->devices[1], &world->piix3) == 0);
    world->sci_line = vmm_piix3_sci(world->piix3);
    fuzz_require(vmm_pm_new(world->pci, &sci, &pm, &world->devices[2], &world->pm) == 0);
    for (unsigned i = 0; i < CARDS; i++)
        add_card(world, i);
}

static inline void end(struct world *world)
{
    for (unsigned i = 0; i < CARDS; i++)
        vmm_pci_remove(&world->cards[i].function);
    for (unsigned i = DEVICES; i > 0; i--)
        world->devices[i - 1].ops->fini(world->devices[i - 1].dev);
    vmm_bus_free(world->bus);
}

#endif
