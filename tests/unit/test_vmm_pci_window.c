/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_pci_window: BARs are sized, placed, moved and switched off by a guest, also
 * by one that puts them over one another.
 */
#include <config.h>

#include "vmm-core/machine/vmm_pci.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/pci_world.h"
#include "tests/unit/unit.h"

enum { CARDS = 3, BAR0 = 0x10, COMMAND = 4 };

/* Tells by its answer who it is. */
struct answer {
    uint8_t name;
    uint64_t offset;
    unsigned writes;
};

struct world {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    struct vmm_pci *pci;
    struct vmm_pci_function cards[CARDS];
    struct answer answers[CARDS][VMM_PCI_WINDOWS];
};

static struct world w;

static uint64_t answer_read(void *dev, uint64_t offset, unsigned bytes)
{
    struct answer *answer = dev;

    (void)bytes;
    answer->offset = offset;
    return answer->name;
}

static void answer_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct answer *answer = dev;

    (void)bytes;
    (void)value;
    answer->offset = offset;
    answer->writes++;
}

static const struct vmm_range_ops ops = { answer_read, answer_write };

static void begin(void)
{
    const struct vmm_pci_identity identity = { .vendor = 1, .device = 2 };

    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL_FATAL(pci_quiet_new(w.bus, &w.dev, &w.pci), 0);
    for (unsigned c = 0; c < CARDS; c++) {
        vmm_pci_begin(&w.cards[c], &identity);
        for (unsigned i = 0; i < VMM_PCI_WINDOWS; i++)
            w.answers[c][i].name = (uint8_t)(0x10 * (c + 1) + i);
    }
}

static int bar(unsigned card, unsigned i, unsigned type, uint64_t bytes)
{
    return vmm_pci_add_bar(&w.cards[card], i, type, bytes, &ops, &w.answers[card][i]);
}

/* Card i goes into slot i + 1. */
static void plug(unsigned card)
{
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.cards[card], card + 1, 0), 0);
}

static void end(void)
{
    for (unsigned c = 0; c < CARDS; c++)
        vmm_pci_remove(&w.cards[c]);
    w.dev.ops->fini(w.dev.dev);
    vmm_bus_free(w.bus);
}

static uint32_t read_bar(unsigned card, unsigned i)
{
    return pci_read(w.bus, card + 1, 0, BAR0 + i * 4, 4);
}

static void write_bar(unsigned card, unsigned i, uint32_t value)
{
    pci_write(w.bus, card + 1, 0, BAR0 + i * 4, 4, value);
}

static void command(unsigned card, unsigned value)
{
    pci_write(w.bus, card + 1, 0, COMMAND, 2, value);
}

static uint8_t who(uint64_t at)
{
    return (uint8_t)vmm_bus_read(w.bus, VMM_MMIO, at, 1);
}

static uint8_t who_port(uint16_t at)
{
    return (uint8_t)vmm_bus_read(w.bus, VMM_PORTS, at, 1);
}

static void sizes_and_types(void)
{
    begin();
    CU_ASSERT_EQUAL(bar(0, 6, VMM_PCI_BAR_MEMORY, 4096), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_MEMORY, 8), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_MEMORY, 4095), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_MEMORY, UINT64_C(1) << 32), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_MEMORY, 0), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_IO, 2), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_IO, 512), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 0, 2, 4096), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_IO | VMM_PCI_BAR_PREFETCHABLE, 32), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 5, VMM_PCI_BAR_MEMORY64, 4096), -EINVAL); /* no room for its half */
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_IO, 64), 0);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_MEMORY, 4096), -EINVAL);
    CU_ASSERT_EQUAL(bar(0, 1, VMM_PCI_BAR_MEMORY64 | VMM_PCI_BAR_PREFETCHABLE, 1 << 20), 0);
    CU_ASSERT_EQUAL(bar(0, 2, VMM_PCI_BAR_MEMORY, 4096), -EINVAL); /* is the high half */
    CU_ASSERT_EQUAL(bar(0, 4, VMM_PCI_BAR_MEMORY, UINT32_C(0x80000000)), 0);
    CU_ASSERT_EQUAL(bar(0, 3, VMM_PCI_BAR_MEMORY64, 16), -EINVAL); /* its half is taken */
    CU_ASSERT_EQUAL(bar(0, 3, VMM_PCI_BAR_MEMORY, 16), 0);
    CU_ASSERT_EQUAL(bar(1, 0, VMM_PCI_BAR_MEMORY64, UINT64_C(1) << 36), 0);
    plug(0);
    plug(1);
    CU_ASSERT_EQUAL(read_bar(0, 0), 1);
    CU_ASSERT_EQUAL(read_bar(0, 1), 0xc);
    for (unsigned i = 0; i < VMM_PCI_BARS; i++)
        write_bar(0, i, 0xffffffff);
    CU_ASSERT_EQUAL(read_bar(0, 0), 0xffffffc1);
    CU_ASSERT_EQUAL(read_bar(0, 1), 0xfff0000c);
    CU_ASSERT_EQUAL(read_bar(0, 2), 0xffffffff);
    CU_ASSERT_EQUAL(read_bar(0, 3), 0xfffffff0);
    CU_ASSERT_EQUAL(read_bar(0, 4), 0x80000000);
    CU_ASSERT_EQUAL(read_bar(0, 5), 0);
    write_bar(1, 0, 0xffffffff);
    write_bar(1, 1, 0xffffffff);
    CU_ASSERT_EQUAL(read_bar(1, 0), 4);
    CU_ASSERT_EQUAL(read_bar(1, 1), 0xfffffff0);
    end();
}

static void it_answers_where_the_guest_wants_it(void)
{
    begin();
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_MEMORY, 4096), 0);
    CU_ASSERT_EQUAL(bar(0, 1, VMM_PCI_BAR_IO, 16), 0);
    CU_ASSERT_EQUAL(bar(0, 2, VMM_PCI_BAR_MEMORY64, 4096), 0);
    plug(0);
    command(0, VMM_PCI_MEMORY | VMM_PCI_IO);
    CU_ASSERT_EQUAL(who(0), 0xff); /* a BAR of 0 is none */
    command(0, 0);
    write_bar(0, 0, 0xe0000000);
    write_bar(0, 1, 0xc000);
    write_bar(0, 2, 0xe0001000);
    write_bar(0, 3, 0x12);
    CU_ASSERT_EQUAL(who(0xe0000000), 0xff);
    CU_ASSERT_EQUAL(who_port(0xc000), 0xff);
    command(0, VMM_PCI_IO);
    CU_ASSERT_EQUAL(who_port(0xc00f), 0x11);
    CU_ASSERT_EQUAL(w.answers[0][1].offset, 15);
    CU_ASSERT_EQUAL(who_port(0xc010), 0xff);
    CU_ASSERT_EQUAL(who(0xe0000000), 0xff);
    command(0, VMM_PCI_MEMORY);
    CU_ASSERT_EQUAL(who_port(0xc000), 0xff);
    CU_ASSERT_EQUAL(who(0xe0000fff), 0x10);
    CU_ASSERT_EQUAL(w.answers[0][0].offset, 4095);
    CU_ASSERT_EQUAL(who(0xe0001000), 0xff);
    CU_ASSERT_EQUAL(who(0x12e0001008), 0x12);
    vmm_bus_write(w.bus, VMM_MMIO, 0x12e0001008, 4, 1);
    CU_ASSERT_EQUAL(w.answers[0][2].writes, 1);
    write_bar(0, 0, 0xd0000000);
    CU_ASSERT_EQUAL(who(0xe0000000), 0xff);
    CU_ASSERT_EQUAL(who(0xd0000000), 0x10);
    write_bar(0, 3, 0);
    CU_ASSERT_EQUAL(who(0x12e0001000), 0xff);
    CU_ASSERT_EQUAL(who(0xe0001000), 0x12);
    write_bar(0, 0, 0xffffffff); /* being sized, with its memory on */
    CU_ASSERT_EQUAL(who(0xfffff000), 0xff);
    CU_ASSERT_EQUAL(who(0xd0000000), 0xff);
    write_bar(0, 0, 0xd0000000);
    CU_ASSERT_EQUAL(who(0xd0000000), 0x10);
    vmm_pci_reset(&w.cards[0]);
    CU_ASSERT_EQUAL(who(0xd0000000), 0xff);
    CU_ASSERT_EQUAL(read_bar(0, 0), 0);
    end();
}

/* 64 bits, all ones; and a port BAR beyond the ports. */
static void ends_of_the_spaces(void)
{
    begin();
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_MEMORY64, 4096), 0);
    CU_ASSERT_EQUAL(bar(0, 2, VMM_PCI_BAR_IO, 256), 0);
    CU_ASSERT_EQUAL(bar(0, 3, VMM_PCI_BAR_IO, 4), 0);
    plug(0);
    command(0, VMM_PCI_MEMORY | VMM_PCI_IO);
    write_bar(0, 0, 0xffffffff);
    write_bar(0, 1, 0xffffffff);
    CU_ASSERT_EQUAL(who(0xfffffffffffff000), 0xff);
    write_bar(0, 0, 0xffffe000);
    CU_ASSERT_EQUAL(who(0xffffffffffffe000), 0x10);
    write_bar(0, 3, 0xfffffff7); /* 4 ports, on a multiple of 4 */
    CU_ASSERT_EQUAL(read_bar(0, 3), 0xfffffff5);
    write_bar(0, 3, 0xc004);
    CU_ASSERT_EQUAL(who_port(0xc003), 0xff);
    CU_ASSERT_EQUAL(who_port(0xc004), 0x13);
    CU_ASSERT_EQUAL(who_port(0xc008), 0xff);
    write_bar(0, 2, 0x10000);
    CU_ASSERT_EQUAL(who_port(0), 0xff);
    write_bar(0, 2, 0xff00);
    CU_ASSERT_EQUAL(who_port(0xffff), 0x12);
    write_bar(0, 2, 0xffffff00);
    CU_ASSERT_EQUAL(who_port(0xffff), 0xff);
    end();
}

static void one_over_another(void)
{
    begin();
    for (unsigned c = 0; c < CARDS; c++) {
        CU_ASSERT_EQUAL(bar(c, 0, VMM_PCI_BAR_MEMORY, c == 1 ? 0x10000 : 0x1000), 0);
        CU_ASSERT_EQUAL(bar(c, 1, VMM_PCI_BAR_MEMORY, 0x1000), 0);
        plug(c);
        command(c, VMM_PCI_MEMORY);
    }
    write_bar(2, 0, 0xe0001000);
    write_bar(1, 0, 0xe0000000); /* over it, and before it */
    CU_ASSERT_EQUAL(who(0xe0001000), 0x20);
    write_bar(0, 0, 0xe0002000); /* before both */
    CU_ASSERT_EQUAL(who(0xe0000000), 0xff);
    CU_ASSERT_EQUAL(who(0xe0002000), 0x10);
    CU_ASSERT_EQUAL(who(0xe0001000), 0x30);
    write_bar(0, 1, 0xe0002000); /* on its own one */
    CU_ASSERT_EQUAL(who(0xe0002000), 0x10);
    write_bar(0, 0, 0xe0100000);
    CU_ASSERT_EQUAL(who(0xe0002000), 0x11);
    command(0, 0); /* whoever waited has its place */
    CU_ASSERT_EQUAL(who(0xe0002000), 0x20);
    CU_ASSERT_EQUAL(who(0xe0001000), 0x20);
    vmm_pci_remove(&w.cards[1]);
    CU_ASSERT_EQUAL(who(0xe0002000), 0xff);
    CU_ASSERT_EQUAL(who(0xe0001000), 0x30);
    end();
}

/* What the machine has at fixed places stays there. */
static void over_a_fixed_range(void)
{
    struct answer fixed = { .name = 0x77 };

    begin();
    CU_ASSERT_EQUAL(vmm_bus_add(w.bus, VMM_PORTS, 0x3f8, 8, &ops, &fixed), 0);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_IO, 256), 0);
    plug(0);
    command(0, VMM_PCI_IO);
    write_bar(0, 0, 0x300);
    CU_ASSERT_EQUAL(who_port(0x3f8), 0x77);
    CU_ASSERT_EQUAL(who_port(0x300), 0xff);
    write_bar(0, 0, 0xc00); /* over the configuration ports */
    CU_ASSERT_EQUAL(read_bar(0, 0), 0xc01);
    write_bar(0, 0, 0x400);
    CU_ASSERT_EQUAL(who_port(0x400), 0x10);
    end();
}

static void a_window_that_the_device_places(void)
{
    begin();
    vmm_pci_add_window(&w.cards[0], VMM_PORTS, 64, &ops, &w.answers[0][6]);
    CU_ASSERT_EQUAL(bar(0, 0, VMM_PCI_BAR_IO, 64), 0);
    plug(0);
    vmm_pci_move_window(&w.cards[0], 0x600);
    CU_ASSERT_EQUAL(who_port(0x63f), 0x16);
    CU_ASSERT_EQUAL(who_port(0x640), 0xff);
    vmm_pci_move_window(&w.cards[0], 0xb000);
    CU_ASSERT_EQUAL(who_port(0x600), 0xff);
    CU_ASSERT_EQUAL(who_port(0xb000), 0x16);
    command(0, VMM_PCI_IO);
    write_bar(0, 0, 0xb000);
    CU_ASSERT_EQUAL(who_port(0xb000), 0x10);
    vmm_pci_move_window(&w.cards[0], 0xb040);
    CU_ASSERT_EQUAL(who_port(0xb040), 0x16);
    vmm_pci_move_window(&w.cards[0], 0);
    CU_ASSERT_EQUAL(who_port(0xb040), 0xff);
    CU_ASSERT_EQUAL(who_port(0xb000), 0x10);
    end();
}

/* Where they are after a load is where they were. */
static void they_come_back(void)
{
    uint8_t bytes[CARDS][VMM_PCI_STATE_BYTES];

    begin();
    for (unsigned c = 0; c < CARDS; c++) {
        CU_ASSERT_EQUAL(bar(c, 0, VMM_PCI_BAR_MEMORY, 0x1000), 0);
        plug(c);
        command(c, VMM_PCI_MEMORY);
    }
    write_bar(2, 0, 0xe0000000);
    write_bar(1, 0, 0xe0000000);
    write_bar(0, 0, 0xe0001000);
    CU_ASSERT_EQUAL(who(0xe0000000), 0x20);
    for (unsigned c = 0; c < CARDS; c++) {
        CU_ASSERT_EQUAL(function_state(&w.cards[c], bytes[c], sizeof(bytes[c]), false), 0);
        vmm_pci_reset(&w.cards[c]);
    }
    CU_ASSERT_EQUAL(who(0xe0000000), 0xff);
    for (unsigned c = CARDS; c > 0; c--)
        CU_ASSERT_EQUAL(function_state(&w.cards[c - 1], bytes[c - 1], sizeof(bytes[0]), true), 0);
    CU_ASSERT_EQUAL(who(0xe0000000), 0x20);
    CU_ASSERT_EQUAL(who(0xe0001000), 0x10);
    end();
}

/* Memory is taken when a function is added, never when the guest moves its BARs. */
static void without_memory(void)
{
    for (unsigned n = 0;; n++) {
        int rc;

        begin();
        for (unsigned i = 0; i < 6; i += 2)
            CU_ASSERT_EQUAL(bar(0, i, VMM_PCI_BAR_MEMORY64, 4096), 0);
        CU_ASSERT_EQUAL(bar(1, 0, VMM_PCI_BAR_IO, 16), 0);
        fail_alloc_arm(n);
        rc = vmm_pci_add(w.pci, &w.cards[0], 1, 0);
        if (rc == 0)
            rc = vmm_pci_add(w.pci, &w.cards[1], 2, 0);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_EQUAL(pci_read(w.bus, w.cards[0].pci == NULL ? 1 : 2, 0, 0, 4), 0xffffffff);
        end();
    }
    fail_alloc_arm(0);
    command(0, VMM_PCI_MEMORY);
    command(1, VMM_PCI_IO);
    for (unsigned i = 0; i < 6; i += 2)
        write_bar(0, i, 0xe0000000 + i * 0x1000);
    write_bar(1, 0, 0xc000);
    CU_ASSERT_FALSE(fail_alloc_disarm());
    CU_ASSERT_EQUAL(who(0xe0000000), 0x10);
    CU_ASSERT_EQUAL(who(0xe0004000), 0x14);
    CU_ASSERT_EQUAL(who_port(0xc000), 0x20);
    end();
}

const struct unit_case unit_cases[] = {
    { "sizes and types", sizes_and_types },
    { "it answers where the guest wants it", it_answers_where_the_guest_wants_it },
    { "the ends of the spaces", ends_of_the_spaces },
    { "one over another", one_over_another },
    { "over a fixed range", over_a_fixed_range },
    { "a window that the device places", a_window_that_the_device_places },
    { "they come back", they_come_back },
    { "without memory", without_memory },
    { 0 },
};
