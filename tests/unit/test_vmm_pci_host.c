/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_pci_host: what the host bridge's attribute registers say of memory below
 * 1 MiB, and when it is told.
 */
#include <config.h>

#include <string.h>

#include "tests/unit/pci_world.h"
#include "tests/unit/unit.h"

enum { BYTES = 5 + VMM_PCI_STATE_BYTES };

struct world {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    struct vmm_pci *pci;
    unsigned told;
    uint8_t segments[VMM_PCI_SHADOW_SEGMENTS];
};

static struct world w;

static void set_shadow(void *context, unsigned segment, unsigned attributes)
{
    struct world *world = context;

    world->told++;
    world->segments[segment] = (uint8_t)attributes;
}

static void begin(void)
{

    memset(&w, 0, sizeof(w));
    memset(w.segments, 0xee, sizeof(w.segments));
    w.bus = vmm_bus_new();
    CU_ASSERT_EQUAL_FATAL(pci_quiet_new(w.bus, &w.dev, &w.pci), 0);
}

static void end(void)
{
    w.dev.ops->fini(w.dev.dev);
    vmm_bus_free(w.bus);
}

/* How many segments it was told of since the last time; they are as `wanted` says, in hexadecimal,
 * from C0000h on. */
static unsigned told(const char *wanted)
{
    const unsigned count = w.told;
    char text[VMM_PCI_SHADOW_SEGMENTS + 1] = { 0 };

    for (unsigned i = 0; i < VMM_PCI_SHADOW_SEGMENTS; i++)
        text[i] = w.segments[i] < 4 ? (char)('0' + w.segments[i]) : '?';
    CU_ASSERT_STRING_EQUAL(text, wanted);
    w.told = 0;
    return count;
}

static void pam(unsigned at, unsigned bytes, uint32_t value)
{
    pci_write(w.bus, 0, 0, at, bytes, value);
}

static void tells_what_changes(void)
{
    begin();
    pam(0x5a, 1, 0x31); /* nobody is told */
    vmm_pci_set_shadow(w.pci, set_shadow, &w);
    CU_ASSERT_EQUAL(told("1300000000000000"), 16);
    pam(0x59, 1, 0x3f); /* its low half is for nothing */
    CU_ASSERT_EQUAL(told("1300000000003333"), 4);
    pam(0x5e, 1, 0x21);
    CU_ASSERT_EQUAL(told("1300000012003333"), 2);
    pam(0x5e, 1, 0xed); /* neither are the bits for caches */
    CU_ASSERT_EQUAL(told("1300000012003333"), 0);
    pam(0x5c, 4, 0x33333333);
    CU_ASSERT_EQUAL(told("1300333333333333"), 8);
    pam(0x58, 4, 0);
    CU_ASSERT_EQUAL(told("0000333333330000"), 6);
    pam(0x72, 1, 0x4a); /* another register */
    CU_ASSERT_EQUAL(told("0000333333330000"), 0);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_EQUAL(told("0000000000000000"), 8);
    vmm_pci_set_shadow(w.pci, NULL, NULL);
    pam(0x5a, 1, 0x33);
    CU_ASSERT_EQUAL(told("0000000000000000"), 0);
    end();
}

static void tells_what_is_loaded(void)
{
    uint8_t state[BYTES];

    begin();
    vmm_pci_set_shadow(w.pci, set_shadow, &w);
    pam(0x5b, 1, 0x31);
    CU_ASSERT_EQUAL(told("0013000000000000"), 18);
    dev_save(&w.dev, state, sizeof(state));
    end();
    begin();
    vmm_pci_set_shadow(w.pci, set_shadow, &w);
    CU_ASSERT_EQUAL(told("0000000000000000"), 16);
    CU_ASSERT_EQUAL(dev_load(&w.dev, state, sizeof(state)), 0);
    CU_ASSERT_EQUAL(told("0013000000000000"), 2);
    end();
}

const struct unit_case unit_cases[] = {
    { "what changes is told", tells_what_changes },
    { "what is loaded, too", tells_what_is_loaded },
    { 0 },
};
