/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_pci_rom: an expansion ROM is sized, switched on, read, and moves with its
 * guest.
 */
#include <config.h>

#include "vmm-core/machine/vmm_pci_rom.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/pci_world.h"
#include "tests/unit/unit.h"

enum { SLOT = 3, IMAGE_BYTES = 1024, STATE_BYTES = VMM_PCI_ROM_BYTES + 64 };
enum { ROM = 0x30, COMMAND = 4, BAR0 = 0x10 };
#define AT UINT32_C(0xfe000000)

struct world {
    struct vmm_bus *bus;
    struct vmm_dev bus_dev, dev;
    struct vmm_pci *pci;
    struct vmm_pci_function card;
};

static uint64_t bar_read(void *dev, uint64_t offset, unsigned bytes)
{
    (void)dev;
    (void)offset;
    (void)bytes;
    return 0xba;
}

static void bar_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    (void)dev;
    (void)offset;
    (void)bytes;
    (void)value;
}

static const struct vmm_range_ops bar_ops = { bar_read, bar_write };

static void make_image(uint8_t image[IMAGE_BYTES], uint8_t fill)
{
    memset(image, fill, IMAGE_BYTES);
    memcpy(image, "\x55\xaa\x02", 3);
}

static void begin(struct world *world, uint8_t fill)
{
    const struct vmm_pci_identity identity = { .vendor = 0x1af4, .device = 0x1041 };
    uint8_t image[IMAGE_BYTES];

    memset(world, 0, sizeof(*world));
    world->bus = vmm_bus_new();
    CU_ASSERT_EQUAL_FATAL(pci_quiet_new(world->bus, &world->bus_dev, &world->pci), 0);
    make_image(image, fill);
    vmm_pci_begin(&world->card, &identity);
    CU_ASSERT_EQUAL_FATAL(
        vmm_pci_add_bar(&world->card, 0, VMM_PCI_BAR_MEMORY, 4096, &bar_ops, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_pci_rom_new(&world->card, image, sizeof(image), &world->dev), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_pci_add(world->pci, &world->card, SLOT, 0), 0);
}

static void end(struct world *world)
{
    vmm_pci_remove(&world->card);
    world->dev.ops->fini(world->dev.dev);
    world->bus_dev.ops->fini(world->bus_dev.dev);
    vmm_bus_free(world->bus);
}

static uint64_t look(const struct world *world, uint64_t at, unsigned bytes)
{
    return vmm_bus_read(world->bus, VMM_MMIO, at, bytes);
}

static void it_is_sized_and_read(void)
{
    struct world w;

    begin(&w, 0x77);
    pci_write(w.bus, SLOT, 0, COMMAND, 2, VMM_PCI_MEMORY);
    pci_write(w.bus, SLOT, 0, ROM, 4, 0xfffffffe);
    CU_ASSERT_EQUAL(pci_read(w.bus, SLOT, 0, ROM, 4), (uint32_t)-VMM_PCI_ROM_BYTES);
    pci_write(w.bus, SLOT, 0, ROM, 4, 0xffffffff);
    CU_ASSERT_EQUAL(pci_read(w.bus, SLOT, 0, ROM, 4), (uint32_t)-VMM_PCI_ROM_BYTES | 1);
    CU_ASSERT_EQUAL(look(&w, 0xfffffff0, 4), UINT32_MAX);
    pci_write(w.bus, SLOT, 0, ROM, 4, AT);
    CU_ASSERT_EQUAL(look(&w, AT, 4), UINT32_MAX); /* not switched on */
    pci_write(w.bus, SLOT, 0, ROM, 4, AT | 1);
    CU_ASSERT_EQUAL(look(&w, AT, 4), 0x7702aa55);
    CU_ASSERT_EQUAL(look(&w, AT + 1, 1), 0xaa);
    vmm_bus_write(w.bus, VMM_MMIO, AT, 4, 0);
    CU_ASSERT_EQUAL(look(&w, AT, 8), 0x777777777702aa55);
    CU_ASSERT_EQUAL(look(&w, AT + IMAGE_BYTES - 2, 4), 0xffff7777);
    CU_ASSERT_EQUAL(look(&w, AT + VMM_PCI_ROM_BYTES - 8, 8), UINT64_MAX);
    pci_write(w.bus, SLOT, 0, COMMAND, 2, 0);
    CU_ASSERT_EQUAL(look(&w, AT, 4), UINT32_MAX);
    end(&w);
}

/* Of two windows at one place the lower has it, until it goes. */
static void it_gives_way_to_a_bar(void)
{
    struct world w;

    begin(&w, 0x77);
    pci_write(w.bus, SLOT, 0, ROM, 4, AT | 1);
    pci_write(w.bus, SLOT, 0, BAR0, 4, AT + 0x1000);
    pci_write(w.bus, SLOT, 0, COMMAND, 2, VMM_PCI_MEMORY);
    CU_ASSERT_EQUAL(look(&w, AT, 1), 0xff);
    CU_ASSERT_EQUAL(look(&w, AT + 0x1000, 1), 0xba);
    pci_write(w.bus, SLOT, 0, BAR0, 4, AT + 0x1000000);
    CU_ASSERT_EQUAL(look(&w, AT, 1), 0x55);
    end(&w);
}

static size_t save(const struct vmm_dev *dev, uint8_t *bytes)
{
    struct hw_writer writer = hw_writer_over(bytes, STATE_BYTES);
    struct vmm_state state = vmm_state_saving(&writer, 1);

    dev->ops->state(dev->dev, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), 0);
    return writer.at;
}

static void it_moves(void)
{
    uint8_t *state = calloc(1, STATE_BYTES), function[VMM_PCI_STATE_BYTES];
    struct world from, to;
    size_t bytes;

    begin(&from, 0x77);
    begin(&to, 0x88);
    pci_write(from.bus, SLOT, 0, COMMAND, 2, VMM_PCI_MEMORY);
    pci_write(from.bus, SLOT, 0, ROM, 4, AT | 1);
    bytes = save(&from.dev, state);
    CU_ASSERT_EQUAL(bytes, 4 + IMAGE_BYTES);
    CU_ASSERT_EQUAL(function_state(&from.card, function, sizeof(function), false), 0);
    CU_ASSERT_EQUAL(function_state(&to.card, function, sizeof(function), true), 0);
    CU_ASSERT_EQUAL(look(&to, AT, 4), 0x8802aa55);
    CU_ASSERT_EQUAL(dev_load(&to.dev, state, bytes), 0);
    CU_ASSERT_EQUAL(look(&to, AT, 4), 0x7702aa55);
    CU_ASSERT_EQUAL(look(&to, AT + IMAGE_BYTES, 1), 0xff);
    CU_ASSERT_EQUAL(dev_load(&to.dev, state, bytes - 1), -EBADMSG);
    memset(state, 0, 4);
    CU_ASSERT_EQUAL(dev_load(&to.dev, state, 4), -EBADMSG);
    memset(state, 0xff, 4);
    CU_ASSERT_EQUAL(dev_load(&to.dev, state, STATE_BYTES), -EBADMSG);
    end(&to);
    end(&from);
    free(state);
}

static void what_is_none(void)
{
    uint8_t image[IMAGE_BYTES];
    uint8_t *large = calloc(1, VMM_PCI_ROM_BYTES + 1);
    struct vmm_pci_function card = { 0 };
    struct vmm_dev dev;

    make_image(image, 0);
    memcpy(large, image, 3);
    CU_ASSERT_TRUE(vmm_pci_rom_is(image, sizeof(image)));
    CU_ASSERT_TRUE(vmm_pci_rom_is(large, VMM_PCI_ROM_BYTES));
    CU_ASSERT_FALSE(vmm_pci_rom_is(large, VMM_PCI_ROM_BYTES + 1));
    CU_ASSERT_FALSE(vmm_pci_rom_is(image, sizeof(image) - 1));
    CU_ASSERT_FALSE(vmm_pci_rom_is(image, 2));
    image[2] = 0;
    CU_ASSERT_EQUAL(vmm_pci_rom_new(&card, image, sizeof(image), &dev), -EINVAL);
    image[2] = 1;
    image[1] = 0x55;
    CU_ASSERT_FALSE(vmm_pci_rom_is(image, sizeof(image)));
    image[1] = 0xaa;
    fail_alloc_arm(0);
    CU_ASSERT_EQUAL(vmm_pci_rom_new(&card, image, sizeof(image), &dev), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
    CU_ASSERT_EQUAL(vmm_pci_add_rom(&card, 1024, &bar_ops, NULL), -EINVAL);
    CU_ASSERT_EQUAL(vmm_pci_add_rom(&card, 3 << 20, &bar_ops, NULL), -EINVAL);
    CU_ASSERT_EQUAL(vmm_pci_add_rom(&card, 1 << 25, &bar_ops, NULL), -EINVAL);
    CU_ASSERT_EQUAL(vmm_pci_add_rom(&card, 1 << 24, &bar_ops, NULL), 0);
    CU_ASSERT_EQUAL(vmm_pci_rom_new(&card, image, sizeof(image), &dev), -EINVAL); /* there is one */
    free(large);
}

const struct unit_case unit_cases[] = {
    { "it is sized and read", it_is_sized_and_read },
    { "it gives way to a BAR", it_gives_way_to_a_bar },
    { "it moves with its guest", it_moves },
    { "what is none", what_is_none },
    { 0 },
};
