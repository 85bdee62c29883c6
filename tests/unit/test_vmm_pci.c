/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_pci and vmm-core/machine/vmm_pci_function: configuration access, the host
 * bridge, the reset control register, interrupt pins, messages, and their state.
 */
#include <config.h>

#include "vmm-core/machine/vmm_pci.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/pci_world.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { BYTES = 5 + VMM_PCI_STATE_BYTES };

struct world {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    struct vmm_pci *pci;
    unsigned resets, messages, changes, changed_at, changed_count;
    uint64_t address;
    uint32_t data;
    bool pirqs[VMM_PCI_PIRQS];
    struct vmm_pci_function card;
};

static struct world w;

static void send_msi(void *context, uint64_t address, uint32_t data)
{
    struct world *world = context;

    world->messages++;
    world->address = address;
    world->data = data;
}

static void reset(void *context)
{
    ((struct world *)context)->resets++;
}

static void set_pirq(void *context, unsigned pirq, bool active)
{
    bool *pirqs = ((struct world *)context)->pirqs;

    CU_ASSERT_FATAL(pirq < VMM_PCI_PIRQS);
    CU_ASSERT_NOT_EQUAL(pirqs[pirq], active); /* changes only */
    pirqs[pirq] = active;
}

static void changed(void *dev, unsigned at, unsigned count)
{
    struct world *world = dev;

    world->changes++;
    world->changed_at = at;
    world->changed_count = count;
}

static int make(void)
{
    const struct vmm_pci_callbacks callbacks = { send_msi, reset, &w };

    return vmm_pci_new(w.bus, &callbacks, &w.dev, &w.pci);
}

static void begin(void)
{
    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL_FATAL(make(), 0);
    vmm_pci_set_router(w.pci, set_pirq, &w);
}

static void begin_card(struct vmm_pci_function *card, uint8_t pin)
{
    const struct vmm_pci_identity identity = { .vendor = 0x1af4,
                                               .device = 0x1042,
                                               .subsystem_vendor = 0x1111,
                                               .subsystem = 0x2222,
                                               .class_code = 0x018055,
                                               .revision = 7,
                                               .multifunction = true,
                                               .pin = pin };

    vmm_pci_begin(card, &identity);
    card->changed = changed;
    card->dev = &w;
}

static void end(void)
{
    vmm_pci_remove(&w.card);
    w.dev.ops->fini(w.dev.dev);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcf8, 4), 0xffffffff);
    vmm_bus_free(w.bus);
}

/* As Linux looks for mechanism #1. */
static void a_kernel_finds_the_bus(void)
{
    begin();
    vmm_bus_write(w.bus, VMM_PORTS, 0xcfb, 1, 1); /* no double word: not the address */
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcf8, 4), 0);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcf8, 2), 0xffff);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf8, 4, 0xffffffff);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcf8, 4), 0x80fffffc);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcfc, 4), 0xffffffff); /* bus 255 */
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 0, 4), 0x12378086);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 8, 4), 0x06000002);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 0x2c, 4), 0x11001af4);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 0x0e, 1), 0);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 4, 2), 6);
    for (unsigned slot = 1; slot < 32; slot++)
        CU_ASSERT_EQUAL(pci_read(w.bus, slot, 0, 0, 4), 0xffffffff);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 1, 0, 4), 0xffffffff);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf8, 4, 0x00000000); /* not enabled */
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcfc, 4), 0xffffffff);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf8, 4, 0x80010000); /* bus 1 */
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcfc, 4), 0xffffffff);
    end();
}

static void accesses_of_all_sizes(void)
{
    begin();
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 1, 1), 0x80);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 2, 2), 0x1237);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 1, 2), 0x3780);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 3, 1), 0x12);
    pci_write(w.bus, 0, 0, 0x59, 1, 0x30); /* PAM0 */
    pci_write(w.bus, 0, 0, 0x5a, 2, 0x2211);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 0x58, 4), 0x22113000);
    pci_write(w.bus, 0, 0, 0x58, 4, 0xffffffff);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 0x58, 4), 0xffffff00); /* 58h is not its */
    /* across CFBh and CFCh, and across the end */
    pci_address(w.bus, 0, 0, 0x5c);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcfa, 4, 0x44332211);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcfa, 4), 0x4433ffff);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcfc, 4), 0x00004433);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcff, 4, 0x55);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcfe, 4), 0xffff5500);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcf8, 8), 0x55004433ffff00ff); /* by bytes */
    end();
}

/* Any value at any register, in any size: what is the bus's stays. */
static void what_a_guest_cannot_change(void)
{
    static const uint32_t values[] = { 0xffffffff, 0, 0xa5a5a5a5, 0x5a5a5a5a };
    uint8_t host[VMM_PCI_CONFIG_BYTES], card[VMM_PCI_CONFIG_BYTES];

    begin();
    begin_card(&w.card, 1);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.card, 31, 7), 0);
    for (unsigned i = 0; i < 256; i++) {
        host[i] = (uint8_t)pci_read(w.bus, 0, 0, i, 1);
        card[i] = (uint8_t)pci_read(w.bus, 31, 7, i, 1);
    }
    for (unsigned round = 0; round < 4; round++)
        for (unsigned at = 0; at < 256; at += 4)
            for (unsigned bytes = 4; bytes > 0; bytes /= 2) {
                pci_write(w.bus, 0, 0, at, bytes, values[round]);
                pci_write(w.bus, 31, 7, at, bytes, values[round]);
            }
    for (unsigned i = 0; i < 256; i++) {
        const bool own = (i >= 0x59 && i < 0x60) || i == 0x72;
        const bool free = i == 4 || i == 5 || i == 0x0c || i == 0x0d || i == 0x3c;

        if (!own && !free)
            CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, i, 1), host[i]);
        if (!free)
            CU_ASSERT_EQUAL(pci_read(w.bus, 31, 7, i, 1), card[i]);
    }
    pci_write(w.bus, 31, 7, 4, 4, 0xffffffff);
    CU_ASSERT_EQUAL(pci_read(w.bus, 31, 7, 4, 4), 0x0547);
    pci_write(w.bus, 0, 0, 4, 4, 0xffffffff);
    CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 4, 4), 0x0146);
    end();
}

static void a_card_in_a_slot(void)
{
    begin();
    begin_card(&w.card, 0);
    CU_ASSERT_EQUAL(vmm_pci_add_capability(&w.card, 0x09, 13), 0x40);
    CU_ASSERT_EQUAL(vmm_pci_add_capability(&w.card, 0x11, 12), 0x50);
    CU_ASSERT_EQUAL(vmm_pci_add_capability(&w.card, 0x05, 1), -ENOSPC);
    CU_ASSERT_EQUAL(vmm_pci_add_capability(&w.card, 0x05, 256 - 0x5c + 1), -ENOSPC);
    CU_ASSERT_EQUAL(vmm_pci_add_capability(&w.card, 0x05, 256 - 0x5c), 0x5c);
    CU_ASSERT_EQUAL(vmm_pci_add_capability(&w.card, 0x05, 2), -ENOSPC);
    w.card.writable[0x43] = 0x0f;
    w.card.config[0x43] = 0x31;
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.card, 32, 0), -EINVAL);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.card, 0, 8), -EINVAL);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.card, 0, 0), -EEXIST);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.card, 5, 0), 0);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0, 4), 0x10421af4);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 8, 4), 0x01805507);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0x2c, 4), 0x22221111);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0x0e, 1), 0x80);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 6, 2), 0x10);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0x34, 1), 0x40);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0x40, 2), 0x5009);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0x50, 2), 0x5c11);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0x5c, 2), 0x0005);
    pci_write(w.bus, 5, 0, 0x42, 2, 0xee00);
    CU_ASSERT_EQUAL(w.changes, 1);
    CU_ASSERT_EQUAL(w.changed_at, 0x42);
    CU_ASSERT_EQUAL(w.changed_count, 2);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0x40, 4), 0x3e005009);
    vmm_pci_reset(&w.card);
    CU_ASSERT_EQUAL(w.changes, 2);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0x40, 4), 0x31005009);
    vmm_pci_remove(&w.card);
    CU_ASSERT_EQUAL(pci_read(w.bus, 5, 0, 0, 4), 0xffffffff);
    end();
}

static void it_resets_the_machine(void)
{
    begin();
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf9, 1, 0x02);
    CU_ASSERT_EQUAL(w.resets, 0);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcf9, 1), 0x02);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf9, 1, 0xfe);
    CU_ASSERT_EQUAL(w.resets, 1);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcf9, 1), 0x06);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf9, 1, 0x06); /* high already */
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf9, 1, 0x00);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf8, 4, 0x80000600); /* the address, not this */
    CU_ASSERT_EQUAL(w.resets, 1);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf9, 1, 0x04);
    CU_ASSERT_EQUAL(w.resets, 2);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcf9, 1), 0);
    end();
}

static void pins_lead_to_pirqs(void)
{
    struct vmm_pci_function other, third;

    begin();
    begin_card(&w.card, 1);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.card, 1, 0), 0);
    begin_card(&other, 4);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &other, 2, 3), 0); /* INTD# of slot 2: the same */
    begin_card(&third, 2);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &third, 3, 0), 0);
    vmm_pci_assert(&w.card, true);
    CU_ASSERT_TRUE(w.pirqs[0]);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 6, 2), 8);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 4, 4), 0x00080000);
    vmm_pci_assert(&other, true);
    vmm_pci_assert(&w.card, false);
    CU_ASSERT_TRUE(w.pirqs[0]);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 6, 2), 0);
    pci_write(w.bus, 2, 3, 4, 2, VMM_PCI_INTX_DISABLE);
    CU_ASSERT_FALSE(w.pirqs[0]);
    CU_ASSERT_EQUAL(pci_read(w.bus, 2, 3, 6, 2), 8); /* its status says so all the same */
    pci_write(w.bus, 2, 3, 4, 2, 0);
    CU_ASSERT_TRUE(w.pirqs[0]);
    vmm_pci_assert(&third, true);
    CU_ASSERT_TRUE(w.pirqs[3]);
    vmm_pci_set_router(w.pci, NULL, NULL);
    vmm_pci_reset(&other); /* nobody is told */
    memset(w.pirqs, 0, sizeof(w.pirqs));
    vmm_pci_set_router(w.pci, set_pirq, &w);
    CU_ASSERT_FALSE(w.pirqs[0]);
    CU_ASSERT_TRUE(w.pirqs[3]);
    vmm_pci_remove(&third);
    CU_ASSERT_FALSE(w.pirqs[3]);
    vmm_pci_remove(&other);
    begin_card(&other, 0); /* without a pin */
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &other, 2, 3), 0);
    vmm_pci_assert(&other, true);
    for (unsigned i = 0; i < VMM_PCI_PIRQS; i++)
        CU_ASSERT_FALSE(w.pirqs[i]);
    vmm_pci_remove(&other);
    end();
}

static void messages_need_a_bus_master(void)
{
    begin();
    begin_card(&w.card, 1);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.card, 4, 0), 0);
    CU_ASSERT_FALSE(vmm_pci_send_msi(&w.card, 0xfee00000, 0x31));
    CU_ASSERT_EQUAL(w.messages, 0);
    pci_write(w.bus, 4, 0, 4, 2, VMM_PCI_MASTER | VMM_PCI_IO);
    CU_ASSERT_TRUE(vmm_pci_may(&w.card, VMM_PCI_MASTER));
    CU_ASSERT_FALSE(vmm_pci_may(&w.card, VMM_PCI_MASTER | VMM_PCI_MEMORY));
    CU_ASSERT_TRUE(vmm_pci_send_msi(&w.card, 0x1fee00000, 0x31));
    CU_ASSERT_EQUAL(w.messages, 1);
    CU_ASSERT_EQUAL(w.address, 0x1fee00000);
    CU_ASSERT_EQUAL(w.data, 0x31);
    end();
}

/* --- state --- */

static void the_bus_comes_back(void)
{
    uint8_t bytes[BYTES], again[BYTES];

    begin();
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_PCI);
    pci_write(w.bus, 0, 0, 0x5d, 1, 0x33);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf9, 1, 2);
    dev_save(&w.dev, bytes, BYTES);
    end();
    begin();
    CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), 0);
    vmm_dev_resume(&w.dev);
    dev_save(&w.dev, again, BYTES);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xcfd, 1), 0x33);
    vmm_bus_write(w.bus, VMM_PORTS, 0xcf9, 1, 4);
    CU_ASSERT_EQUAL(w.resets, 1);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, size), -EBADMSG);
    for (unsigned i = 0; i < BYTES; i++) {
        static const uint8_t wrong[] = {
            [0] = 1, [3] = 0x7f, [4] = 1, [5] = 1, [5 + 0x0e] = 0x80, [BYTES - 1] = 1
        };

        bytes[i] ^= wrong[i];
        CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), wrong[i] != 0 ? -EBADMSG : 0);
        CU_ASSERT_EQUAL(pci_read(w.bus, 0, 0, 0, 4), 0x12378086);
        bytes[i] ^= wrong[i];
    }
    end();
}

static void a_function_comes_back(void)
{
    uint8_t bytes[VMM_PCI_STATE_BYTES];

    begin();
    begin_card(&w.card, 1);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.card, 1, 0), 0);
    pci_write(w.bus, 1, 0, 4, 2, VMM_PCI_MASTER);
    pci_write(w.bus, 1, 0, 0x3c, 1, 11);
    vmm_pci_assert(&w.card, true);
    CU_ASSERT_EQUAL(function_state(&w.card, bytes, sizeof(bytes), false), 0);
    vmm_pci_reset(&w.card);
    CU_ASSERT_FALSE(w.pirqs[0]);
    w.changes = 0;
    CU_ASSERT_EQUAL(function_state(&w.card, bytes, sizeof(bytes), true), 0);
    CU_ASSERT_EQUAL(w.changes, 1);
    CU_ASSERT_EQUAL(w.changed_at, 0);
    CU_ASSERT_EQUAL(w.changed_count, VMM_PCI_CONFIG_BYTES);
    CU_ASSERT_TRUE(w.pirqs[0]);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 4, 2), VMM_PCI_MASTER);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 0x3c, 2), 0x010b);
    bytes[VMM_PCI_CONFIG_BYTES] = 2; /* neither asserted nor not */
    CU_ASSERT_EQUAL(function_state(&w.card, bytes, sizeof(bytes), true), -EBADMSG);
    bytes[VMM_PCI_CONFIG_BYTES] = 0;
    bytes[2] ^= 1; /* of another device */
    CU_ASSERT_EQUAL(function_state(&w.card, bytes, sizeof(bytes), true), -EBADMSG);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 0, 4), 0x10421af4);
    end();
}

static void without_memory(void)
{
    w = (struct world) { .bus = vmm_bus_new() };
    (void)fail_alloc_each(make);
    CU_ASSERT_EQUAL(make(), -EEXIST);
    end();
}

const struct unit_case unit_cases[] = {
    { "a kernel finds the bus", a_kernel_finds_the_bus },
    { "accesses of all sizes", accesses_of_all_sizes },
    { "what a guest cannot change", what_a_guest_cannot_change },
    { "a card in a slot", a_card_in_a_slot },
    { "it resets the machine", it_resets_the_machine },
    { "pins lead to PIRQs", pins_lead_to_pirqs },
    { "messages need a bus master", messages_need_a_bus_master },
    { "the bus comes back, or is refused", the_bus_comes_back },
    { "a function comes back, or is refused", a_function_comes_back },
    { "without memory, or ports", without_memory },
    { 0 },
};
