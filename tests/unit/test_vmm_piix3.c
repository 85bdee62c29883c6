/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_piix3: pins lead to the lines that the guest names, and share them with one
 * another and with the SCI.
 */
#include <config.h>

#include "vmm-core/machine/vmm_piix3.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/pci_world.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { PIRQRC = 0x60, GSIS = 16, CARDS = 4, BYTES = VMM_PCI_STATE_BYTES };

struct world {
    struct vmm_bus *bus;
    struct vmm_dev pci_dev, dev;
    struct vmm_pci *pci;
    struct vmm_piix3 *piix3;
    struct vmm_pci_function cards[CARDS]; /* in slots 1.1, 2, 3, 4, pin INTA#: PIRQA# to PIRQD# */
    bool gsis[GSIS];
    unsigned sets;
};

static struct world w;

static void set_gsi(void *context, unsigned gsi, bool high)
{
    struct world *world = context;

    CU_ASSERT_FATAL(gsi < GSIS);
    CU_ASSERT_NOT_EQUAL(world->gsis[gsi], high); /* changes only */
    world->gsis[gsi] = high;
    world->sets++;
}

static int make(void)
{
    return vmm_piix3_new(w.pci, set_gsi, &w, &w.dev, &w.piix3);
}

static void begin_bus(void)
{
    const struct vmm_pci_identity identity = { .vendor = 1, .device = 2, .pin = 1 };

    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL_FATAL(pci_quiet_new(w.bus, &w.pci_dev, &w.pci), 0);
    for (unsigned i = 0; i < CARDS; i++) {
        vmm_pci_begin(&w.cards[i], &identity);
        CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.cards[i], i + 1, i == 0), 0);
    }
}

static void begin(void)
{
    begin_bus();
    CU_ASSERT_EQUAL_FATAL(make(), 0);
}

static void end(void)
{
    vmm_pci_assert(&w.cards[0], true); /* is told to nobody when it goes away */
    w.dev.ops->fini(w.dev.dev);
    for (unsigned i = 0; i < CARDS; i++)
        vmm_pci_remove(&w.cards[i]);
    w.pci_dev.ops->fini(w.pci_dev.dev);
    vmm_bus_free(w.bus);
}

static void route(unsigned pirq, uint8_t value)
{
    pci_write(w.bus, 1, 0, PIRQRC + pirq, 1, value);
}

/* Bit for each line that is high. */
static unsigned high(void)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < GSIS; i++)
        bits |= (unsigned)w.gsis[i] << i;
    return bits;
}

static void a_guest_sees_it(void)
{
    begin();
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 0, 4), 0x70008086);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 8, 4), 0x06010000);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 0x0e, 1), 0x80); /* look for 1.1 */
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, PIRQRC, 4), 0x80808080);
    for (unsigned at = 0; at < 256; at += 4)
        pci_write(w.bus, 1, 0, at, 4, 0xffffffff);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, PIRQRC, 4), 0x8f8f8f8f);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 4, 2), 0x0107);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 0x3c, 4), 0);
    CU_ASSERT_EQUAL(pci_read(w.bus, 1, 0, 0x10, 4), 0);
    end();
}

static void pins_lead_where_the_guest_says(void)
{
    begin();
    vmm_pci_assert(&w.cards[0], true);
    vmm_pci_assert(&w.cards[3], true);
    CU_ASSERT_EQUAL(high(), 0); /* nowhere yet */
    route(0, 10);
    CU_ASSERT_EQUAL(high(), 1U << 10);
    route(3, 11);
    CU_ASSERT_EQUAL(high(), 1U << 10 | 1U << 11);
    route(0, 5); /* moves while it is high */
    CU_ASSERT_EQUAL(high(), 1U << 5 | 1U << 11);
    route(0, 0x85);
    CU_ASSERT_EQUAL(high(), 1U << 11);
    vmm_pci_assert(&w.cards[3], false);
    CU_ASSERT_EQUAL(high(), 0);
    for (unsigned line = 0; line < GSIS; line++) {
        const bool reserved = line < 3 || line == 8 || line == 13;

        route(0, (uint8_t)(0x70 | line)); /* bits that are not there do not matter */
        CU_ASSERT_EQUAL(high(), reserved ? 0 : 1U << line);
    }
    end();
}

static void two_share_a_line(void)
{
    begin();
    route(1, 11);
    route(2, 11);
    vmm_pci_assert(&w.cards[1], true);
    vmm_pci_assert(&w.cards[2], true);
    CU_ASSERT_EQUAL(w.sets, 1);
    vmm_pci_assert(&w.cards[1], false);
    CU_ASSERT_EQUAL(high(), 1U << 11);
    vmm_pci_assert(&w.cards[2], false);
    CU_ASSERT_EQUAL(high(), 0);
    CU_ASSERT_EQUAL(w.sets, 2);
    end();
}

static void one_shares_with_the_sci(void)
{
    struct vmm_line sci;

    begin();
    sci = vmm_piix3_sci(w.piix3);
    CU_ASSERT_EQUAL(sci.number, 9);
    vmm_line_set(&sci, true);
    CU_ASSERT_EQUAL(high(), 1U << 9);
    route(0, 9);
    vmm_pci_assert(&w.cards[0], true);
    vmm_line_set(&sci, false);
    CU_ASSERT_EQUAL(high(), 1U << 9);
    vmm_line_set(&sci, true);
    vmm_pci_assert(&w.cards[0], false);
    CU_ASSERT_EQUAL(high(), 1U << 9);
    CU_ASSERT_EQUAL(w.sets, 1);
    vmm_dev_reset(&w.dev); /* the SCI is the power management's */
    CU_ASSERT_EQUAL(high(), 1U << 9);
    vmm_line_set(&sci, false);
    CU_ASSERT_EQUAL(high(), 0);
    end();
}

static void it_comes_back(void)
{
    uint8_t bytes[BYTES], again[BYTES];

    begin();
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_PIIX3);
    route(0, 10);
    route(2, 7);
    dev_save(&w.dev, bytes, BYTES);
    end();
    begin();
    vmm_pci_assert(&w.cards[0], true); /* is loaded before it */
    CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), 0);
    vmm_dev_resume(&w.dev);
    CU_ASSERT_EQUAL(high(), 1U << 10);
    vmm_pci_assert(&w.cards[2], true); /* or behind it */
    CU_ASSERT_EQUAL(high(), 1U << 10 | 1U << 7);
    dev_save(&w.dev, again, BYTES);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_EQUAL(high(), 0);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, size), -EBADMSG);
    bytes[PIRQRC] |= 0x10;
    CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), -EBADMSG);
    end();
}

static void without_memory(void)
{
    begin_bus();
    (void)fail_alloc_each(make);
    CU_ASSERT_EQUAL(make(), -EEXIST);
    end();
}

const struct unit_case unit_cases[] = {
    { "a guest sees it", a_guest_sees_it },
    { "pins lead where the guest says", pins_lead_where_the_guest_says },
    { "two share a line", two_share_a_line },
    { "one shares with the SCI", one_shares_with_the_sci },
    { "it comes back, or is refused", it_comes_back },
    { "without memory, or a place", without_memory },
    { 0 },
};
