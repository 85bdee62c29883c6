/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_msix: vectors are sent, masked and pending, as a guest's driver does it and
 * as none would.
 */
#include <config.h>

#include "vmm-core/machine/vmm_msix.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/pci_world.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { SLOT = 3, VECTORS = 5, BYTES = 2 + VECTORS * 16 + 16, AT = 0x40 };
enum { ENABLE = 0x8000, FUNCTION_MASK = 0x4000, MESSAGES = 32 };
#define BAR UINT32_C(0xfe000000)

struct world {
    struct vmm_bus *bus;
    struct vmm_dev pci_dev, dev;
    struct vmm_pci *pci;
    struct vmm_pci_function function;
    struct vmm_msix *msix;
    unsigned count;
    struct {
        uint64_t address;
        uint32_t data;
    } messages[MESSAGES];
};

static struct world w;

static void send_msi(void *context, uint64_t address, uint32_t data)
{
    struct world *world = context;

    CU_ASSERT_FATAL(world->count < MESSAGES);
    world->messages[world->count].address = address;
    world->messages[world->count++].data = data;
}

static void reset(void *context)
{
    (void)context;
}

static void changed(void *dev, unsigned at, unsigned count)
{
    (void)at;
    (void)count;
    vmm_msix_changed(((struct world *)dev)->msix);
}

static void begin_function(void)
{
    const struct vmm_pci_callbacks callbacks = { send_msi, reset, &w };
    const struct vmm_pci_identity identity = { .vendor = 0x1af4, .device = 0x1044 };

    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL_FATAL(vmm_pci_new(w.bus, &callbacks, &w.pci_dev, &w.pci), 0);
    vmm_pci_begin(&w.function, &identity);
}

static void control(unsigned value)
{
    pci_write(w.bus, SLOT, 0, AT + 2, 2, value);
}

static void begin(void)
{
    begin_function();
    CU_ASSERT_EQUAL_FATAL(vmm_msix_new(&w.function, 1, VECTORS, &w.dev, &w.msix), 0);
    w.function.changed = changed;
    w.function.dev = &w;
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.function, SLOT, 0), 0);
    pci_write(w.bus, SLOT, 0, 0x14, 4, BAR);
    pci_write(w.bus, SLOT, 0, 4, 2, VMM_PCI_MEMORY | VMM_PCI_MASTER);
    control(ENABLE);
}

static void end(void)
{
    vmm_pci_remove(&w.function);
    w.dev.ops->fini(w.dev.dev);
    w.pci_dev.ops->fini(w.pci_dev.dev);
    vmm_bus_free(w.bus);
}

static void table(unsigned vector, unsigned field, unsigned bytes, uint64_t value)
{
    vmm_bus_write(w.bus, VMM_MMIO, BAR + vector * 16 + field, bytes, value);
}

/* As a driver does: the message, then its mask away. */
static void use(unsigned vector)
{
    table(vector, 0, 4, 0xfee01000);
    table(vector, 4, 4, vector);
    table(vector, 8, 4, 0x4000 + vector);
    table(vector, 12, 4, 0);
}

static uint64_t pending(void)
{
    return vmm_bus_read(w.bus, VMM_MMIO, BAR + 2048, 8);
}

static void a_driver_uses_it(void)
{
    begin();
    CU_ASSERT_EQUAL(pci_read(w.bus, SLOT, 0, 0x34, 1), AT);
    CU_ASSERT_EQUAL(pci_read(w.bus, SLOT, 0, AT, 4), 0x80040011);
    CU_ASSERT_EQUAL(pci_read(w.bus, SLOT, 0, AT + 4, 4), 1);
    CU_ASSERT_EQUAL(pci_read(w.bus, SLOT, 0, AT + 8, 4), 2049);
    CU_ASSERT_TRUE(vmm_msix_enabled(w.msix));
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + 12, 4), 1); /* masked at reset */
    use(2);
    vmm_msix_raise(w.msix, 2);
    vmm_msix_raise(w.msix, 2);
    CU_ASSERT_EQUAL(w.count, 2);
    CU_ASSERT_EQUAL(w.messages[1].address, 0x2fee01000);
    CU_ASSERT_EQUAL(w.messages[1].data, 0x4002);
    CU_ASSERT_EQUAL(pending(), 0);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + 32, 8), 0x2fee01000);
    end();
}

static void a_masked_vector_waits(void)
{
    begin();
    use(4);
    table(4, 12, 4, 1);
    vmm_msix_raise(w.msix, 4);
    vmm_msix_raise(w.msix, 4);
    vmm_msix_raise(w.msix, 0);
    CU_ASSERT_EQUAL(w.count, 0);
    CU_ASSERT_EQUAL(pending(), 0x11);
    table(4, 8, 8, 0x4444); /* data and control at once: goes with the data of now */
    CU_ASSERT_EQUAL(w.count, 1);
    CU_ASSERT_EQUAL(w.messages[0].data, 0x4444);
    CU_ASSERT_EQUAL(pending(), 1);
    table(4, 12, 4, 1);
    table(4, 12, 4, 0);
    CU_ASSERT_EQUAL(w.count, 1);
    end();
}

static void the_whole_function_waits(void)
{
    begin();
    use(0);
    use(1);
    control(ENABLE | FUNCTION_MASK);
    vmm_msix_raise(w.msix, 0);
    vmm_msix_raise(w.msix, 1);
    vmm_msix_raise(w.msix, 3);
    CU_ASSERT_EQUAL(w.count, 0);
    CU_ASSERT_EQUAL(pending(), 0xb);
    control(ENABLE);
    CU_ASSERT_EQUAL(w.count, 2);
    CU_ASSERT_EQUAL(w.messages[0].data, 0x4000);
    CU_ASSERT_EQUAL(w.messages[1].data, 0x4001);
    CU_ASSERT_EQUAL(pending(), 8);
    pci_write(w.bus, SLOT, 0, 4, 2, VMM_PCI_MEMORY); /* no bus master */
    vmm_msix_raise(w.msix, 1);
    CU_ASSERT_EQUAL(pending(), 0xa);
    pci_write(w.bus, SLOT, 0, 4, 2, VMM_PCI_MEMORY | VMM_PCI_MASTER);
    CU_ASSERT_EQUAL(w.count, 3);
    CU_ASSERT_EQUAL(pending(), 8);
    control(0);
    CU_ASSERT_FALSE(vmm_msix_enabled(w.msix));
    vmm_msix_raise(w.msix, 0); /* is the pin's now */
    vmm_msix_raise(w.msix, 2);
    CU_ASSERT_EQUAL(w.count, 3);
    CU_ASSERT_EQUAL(pending(), 8);
    end();
}

static void what_a_guest_cannot_change(void)
{
    begin();
    for (unsigned at = 0; at < 4096; at += 8)
        vmm_bus_write(w.bus, VMM_MMIO, BAR + at, 8, UINT64_MAX);
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + vector * 16, 8), UINT64_MAX);
        CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + vector * 16 + 8, 8), 0x1ffffffff);
    }
    for (unsigned at = VECTORS * 16; at < 4096; at += 8)
        CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + at, 8), 0);
    vmm_bus_write(w.bus, VMM_MMIO, BAR + VECTORS * 16 - 4, 8, 0); /* beyond the last one */
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + VECTORS * 16 - 4, 8), 0);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + 4092, 4), 0);
    vmm_msix_raise(w.msix, VECTORS);
    vmm_msix_raise(w.msix, 127);
    vmm_msix_raise(w.msix, UINT32_MAX);
    CU_ASSERT_EQUAL(pending(), 0);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + 2056, 8), 0);
    pci_write(w.bus, SLOT, 0, AT, 4, 0xffffffff);
    CU_ASSERT_EQUAL(pci_read(w.bus, SLOT, 0, AT, 4), 0xc0040011);
    end();
}

static void as_many_as_there_can_be(void)
{
    begin_function();
    CU_ASSERT_EQUAL(vmm_msix_new(&w.function, 0, 0, &w.dev, &w.msix), -EINVAL);
    CU_ASSERT_EQUAL(vmm_msix_new(&w.function, 0, 129, &w.dev, &w.msix), -EINVAL);
    CU_ASSERT_EQUAL(vmm_msix_new(&w.function, 6, 1, &w.dev, &w.msix), -EINVAL);
    w.function.capabilities_end = 248;
    CU_ASSERT_EQUAL(vmm_msix_new(&w.function, 5, 1, &w.dev, &w.msix), -ENOSPC);
    w.function.capabilities_end = AT;
    CU_ASSERT_EQUAL(vmm_msix_new(&w.function, 0, 128, &w.dev, &w.msix), 0);
    CU_ASSERT_EQUAL(vmm_pci_add(w.pci, &w.function, SLOT, 0), 0);
    CU_ASSERT_EQUAL(pci_read(w.bus, SLOT, 0, AT + 2, 2), 127);
    pci_write(w.bus, SLOT, 0, 0x10, 4, BAR);
    pci_write(w.bus, SLOT, 0, 4, 2, VMM_PCI_MEMORY);
    control(ENABLE);
    vmm_msix_raise(w.msix, 127);
    vmm_msix_raise(w.msix, 64);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + 2056, 8), UINT64_C(0x8000000000000001));
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_MMIO, BAR + 2044, 4), 1); /* the last vector's mask */
    end();
}

/* --- state --- */

static void it_comes_back(void)
{
    uint8_t bytes[BYTES], again[BYTES], config[VMM_PCI_STATE_BYTES];

    begin();
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_MSIX);
    use(1);
    use(3);
    table(3, 12, 4, 1);
    vmm_msix_raise(w.msix, 3);
    dev_save(&w.dev, bytes, BYTES);
    CU_ASSERT_EQUAL(function_state(&w.function, config, sizeof(config), false), 0);
    end();
    begin();
    CU_ASSERT_EQUAL(function_state(&w.function, config, sizeof(config), true), 0);
    CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), 0);
    vmm_dev_resume(&w.dev);
    dev_save(&w.dev, again, BYTES);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    CU_ASSERT_EQUAL(w.count, 0);
    vmm_msix_raise(w.msix, 1);
    table(3, 12, 4, 0);
    CU_ASSERT_EQUAL(w.count, 2);
    CU_ASSERT_EQUAL(w.messages[0].data, 0x4001);
    CU_ASSERT_EQUAL(w.messages[1].data, 0x4003);
    bytes[2 + 16 + 12] = 1; /* vector 1 is masked, and 3 pending without a mask */
    bytes[2 + 3 * 16 + 12] = 0;
    CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), 0);
    CU_ASSERT_EQUAL(w.count, 2);
    vmm_dev_resume(&w.dev);
    CU_ASSERT_EQUAL(w.count, 3);
    end();
}

static void a_wrong_state_is_refused(void)
{
    static const struct {
        unsigned at;
        uint8_t bits;
    } wrong[] = {
        { 0, 1 },                 /* vectors */
        { 1, 1 },                 /* likewise */
        { 2 + 12, 2 },            /* control word of vector 0 */
        { 2 + 4 * 16 + 15, 1 },   /* and of the last */
        { 2 + VECTORS * 16, 32 }, /* a vector that there is not is pending */
        { BYTES - 1, 128 },
    };
    uint8_t bytes[BYTES];

    begin();
    dev_save(&w.dev, bytes, BYTES);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, size), -EBADMSG);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bytes[wrong[i].at] ^= wrong[i].bits;
        CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), -EBADMSG);
        bytes[wrong[i].at] ^= wrong[i].bits;
    }
    CU_ASSERT_EQUAL(dev_load(&w.dev, bytes, BYTES), 0);
    end();
}

static void without_memory(void)
{
    begin_function();
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = vmm_msix_new(&w.function, 0, 1, &w.dev, &w.msix);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    end();
}

const struct unit_case unit_cases[] = {
    { "a driver uses it", a_driver_uses_it },
    { "a masked vector waits", a_masked_vector_waits },
    { "the whole function waits", the_whole_function_waits },
    { "what a guest cannot change", what_a_guest_cannot_change },
    { "as many as there can be", as_many_as_there_can_be },
    { "it comes back", it_comes_back },
    { "a wrong state is refused", a_wrong_state_is_refused },
    { "without memory", without_memory },
    { 0 },
};
