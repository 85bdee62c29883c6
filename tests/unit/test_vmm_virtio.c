/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio, vmm-core/virtio/vmm_virtio_common, vmm-core/virtio/vmm_virtio_pci: a
 * driver finds a device and agrees with it, by registers and through the configuration space, and
 * another writes what it likes.
 */
#include <config.h>

#include "vmm-core/virtio/vmm_virtio.h"

#include <errno.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/virtio_card.h"

enum { ACCESS_AT = 0x84 };

static struct card card;
static struct virtio_world *const w = &card.world;

static uint32_t config(unsigned at, unsigned bytes)
{
    return pci_read(w->bus, VIRTIO_SLOT, 0, at, bytes);
}

/* --- found --- */

static void a_driver_finds_it(void)
{
    static const struct {
        uint8_t type, bytes;
        uint32_t offset, length;
    } wanted[] = { { 1, 16, 0, 60 },
                   { 3, 16, 4096, 1 },
                   { 4, 16, 8192, 12 },
                   { 2, 20, 12288, 8 },
                   { 5, 20, 0, 0 } };
    unsigned at;

    card_begin(&card);
    CU_ASSERT_EQUAL(config(0, 4), 0x10491af4);
    CU_ASSERT_EQUAL(config(8, 4), 0x00ff0001); /* revision 1: modern (4.1.2.1) */
    CU_ASSERT_EQUAL(config(0x2c, 4), 0x11001af4);
    CU_ASSERT_EQUAL(config(VMM_PCI_INTERRUPT_PIN, 1), 1);
    at = config(VMM_PCI_CAPABILITIES, 1);
    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        CU_ASSERT_EQUAL(config(at, 1), 9);
        CU_ASSERT_EQUAL(config(at + 2, 1), wanted[i].bytes);
        CU_ASSERT_EQUAL(config(at + 3, 1), wanted[i].type);
        CU_ASSERT_EQUAL(config(at + 4, 1), 0);
        CU_ASSERT_EQUAL(config(at + 8, 4), wanted[i].offset);
        CU_ASSERT_EQUAL(config(at + 12, 4), wanted[i].length);
        if (wanted[i].type == 2)
            CU_ASSERT_EQUAL(config(at + 16, 4), 4);
        if (wanted[i].type == 5)
            CU_ASSERT_EQUAL(at, ACCESS_AT);
        at = config(at + 1, 1);
    }
    CU_ASSERT_EQUAL(at, MSIX_AT);
    CU_ASSERT_EQUAL(config(at, 1), 0x11);
    CU_ASSERT_EQUAL(config(at + 2, 2), CARD_QUEUES); /* one more vector, less one */
    card_end(&card);
}

static void it_begins(void)
{
    card_begin(&card);
    virtio_map(w);
    CU_ASSERT_EQUAL(reg(w, DEVICE_FEATURES, 4), INDIRECT | CARD_FEATURE);
    set(w, DEVICE_SELECT, 4, 1);
    CU_ASSERT_EQUAL(reg(w, DEVICE_FEATURES, 4), (VERSION_1 | RESETS) >> 32);
    set(w, DEVICE_SELECT, 4, 2);
    CU_ASSERT_EQUAL(reg(w, DEVICE_FEATURES, 4), 0);
    CU_ASSERT_EQUAL(reg(w, DEVICE_SELECT, 4), 2);
    CU_ASSERT_EQUAL(reg(w, CONFIG_VECTOR, 2), 0xffff);
    CU_ASSERT_EQUAL(reg(w, QUEUE_COUNT, 2), CARD_QUEUES);
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1), 0);
    for (unsigned i = 0; i <= CARD_QUEUES; i++) {
        const bool there = i < CARD_QUEUES;

        set(w, QUEUE_SELECT, 2, i);
        CU_ASSERT_EQUAL(reg(w, QUEUE_SIZE, 2), there ? CARD_SIZE : 0);
        CU_ASSERT_EQUAL(reg(w, QUEUE_VECTOR, 2), there ? 0xffff : 0);
        CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 0);
        CU_ASSERT_EQUAL(reg(w, NOTIFY_OFF, 2), there ? i : 0);
        CU_ASSERT_EQUAL(reg(w, QUEUE_PARTS, 8), 0);
    }
    CU_ASSERT_EQUAL(reg(w, 54, 8), 0); /* over the end */
    CU_ASSERT_EQUAL(reg(w, 60, 1), 0);
    card_end(&card);
}

/* --- status --- */

static void status(unsigned value, unsigned wanted)
{
    set(w, DEVICE_STATUS, 1, value);
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1), wanted);
}

static void they_agree(void)
{
    card_begin(&card);
    virtio_map(w);
    status(1, 1);
    status(3, 3);
    status(7, 3);                    /* features come first */
    status(11, 3);                   /* no VERSION_1 */
    virtio_accept(w, VERSION_1 | 1); /* never offered */
    status(15, 3);
    virtio_accept(w, VERSION_1 | CARD_FEATURE);
    set(w, DRIVER_SELECT, 4, 2);
    set(w, DRIVER_FEATURES, 4, UINT32_MAX); /* there are none */
    CU_ASSERT_EQUAL(reg(w, DRIVER_FEATURES, 4), 0);
    CU_ASSERT_FALSE(vmm_virtio_has(card.virtio, CARD_FEATURE));
    status(11, 11);
    CU_ASSERT_TRUE(vmm_virtio_has(card.virtio, CARD_FEATURE));
    virtio_accept(w, VERSION_1);
    CU_ASSERT_TRUE(vmm_virtio_has(card.virtio, CARD_FEATURE));
    status(15, 15);
    status(1, 15);  /* nothing is taken back */
    status(64, 15); /* the device's own */
    status(128, 143);
    status(0, 0);
    CU_ASSERT_FALSE(vmm_virtio_has(card.virtio, CARD_FEATURE));
    set(w, DRIVER_SELECT, 4, 1);
    CU_ASSERT_EQUAL(reg(w, DRIVER_FEATURES, 4), 0);
    card_end(&card);
}

/* --- queues' registers --- */

static void queues_are_set_up(void)
{
    static const unsigned sizes[] = { 0, 3, CARD_SIZE * 2, 0x8000 };

    card_begin(&card);
    virtio_map(w);
    set(w, QUEUE_SELECT, 2, 1);
    set(w, QUEUE_SIZE, 2, 4);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        set(w, QUEUE_SIZE, 2, sizes[i]);
    CU_ASSERT_EQUAL(reg(w, QUEUE_SIZE, 2), 4);
    set(w, QUEUE_VECTOR, 2, CARD_QUEUES);
    CU_ASSERT_EQUAL(reg(w, QUEUE_VECTOR, 2), CARD_QUEUES);
    set(w, QUEUE_VECTOR, 2, CARD_QUEUES + 1);
    CU_ASSERT_EQUAL(reg(w, QUEUE_VECTOR, 2), 0xffff);
    set(w, QUEUE_PARTS, 4, 0x2000);
    set(w, QUEUE_PARTS + 8, 8, 0x3000);
    set(w, QUEUE_PARTS + 16, 4, 0x4000);
    set(w, QUEUE_PARTS + 4, 4, 1);
    CU_ASSERT_EQUAL(reg(w, QUEUE_PARTS, 8), 0x100002000);
    set(w, QUEUE_PARTS + 4, 4, 0);
    set(w, QUEUE_PARTS + 2, 4, 0xff); /* over two halves, or less than one: nothing */
    set(w, QUEUE_PARTS + 4, 8, 0xff);
    set(w, QUEUE_PARTS, 2, 0xff);
    CU_ASSERT_EQUAL(reg(w, QUEUE_PARTS, 8), 0x2000);
    CU_ASSERT_EQUAL(reg(w, QUEUE_PARTS + 8, 8), 0x3000);
    set(w, QUEUE_ENABLE, 2, 2);
    CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 0);
    set(w, QUEUE_ENABLE, 2, 1);
    CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 1);
    set(w, QUEUE_ENABLE, 2, 0); /* from now on it stays as it is */
    set(w, QUEUE_SIZE, 2, 8);
    set(w, QUEUE_PARTS, 8, 0);
    CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 1);
    CU_ASSERT_EQUAL(reg(w, QUEUE_SIZE, 2), 4);
    CU_ASSERT_EQUAL(reg(w, QUEUE_PARTS, 8), 0x2000);
    set(w, QUEUE_SELECT, 2, 0);
    CU_ASSERT_EQUAL(reg(w, QUEUE_ENABLE, 2), 0);
    CU_ASSERT_EQUAL(reg(w, QUEUE_SIZE, 2), CARD_SIZE);
    card_end(&card);
}

/* --- its configuration --- */

static void its_configuration_changes(void)
{
    static const uint8_t bytes[] = { 1, 2, 3, 4 };

    card_begin(&card);
    virtio_map(w);
    vmm_virtio_configure(card.virtio, 8, bytes, 4);
    CU_ASSERT_EQUAL(reg(w, GENERATION, 1), 1);
    CU_ASSERT_EQUAL(w->pirqs, 0); /* there is no driver yet */
    virtio_drive(w, VERSION_1, 0, 0);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE + 8, 4), 0x04030201);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE + 10, 4), 0x0403); /* and its end */
    set(w, CONFIG_PAGE + 8, 4, 0);
    vmm_virtio_configure(card.virtio, 8, bytes, 4); /* no change */
    CU_ASSERT_EQUAL(reg(w, GENERATION, 1), 1);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    vmm_virtio_configure(card.virtio, 0, bytes, 1);
    CU_ASSERT_EQUAL(reg(w, GENERATION, 1), 2);
    CU_ASSERT_EQUAL(w->pirqs, 1);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 2);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    set(w, CONFIG_VECTOR, 2, 2);
    virtio_use_vectors(w, 3);
    vmm_virtio_configure(card.virtio, 1, bytes, 1);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    CU_ASSERT_EQUAL(w->count, 1);
    CU_ASSERT_EQUAL(w->messages[0], 2);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 2); /* it says so with vectors, too */
    card_end(&card);
}

/* --- the window through the configuration space --- */

static void aim(unsigned bar, unsigned offset, unsigned bytes)
{
    pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 4, 1, bar);
    pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 8, 4, offset);
    pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 12, 4, bytes);
}

static void through_the_configuration_space(void)
{
    static const uint8_t byte = 1;

    card_begin(&card); /* its BARs are nowhere */
    aim(0, DEVICE_STATUS, 1);
    pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 16, 4, 0xffffff03);
    CU_ASSERT_EQUAL(config(ACCESS_AT + 16, 1), 3);
    aim(0, DRIVER_SELECT, 4);
    pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 16, 4, 0x12345678);
    pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 8, 4, DEVICE_STATUS & ~3U);
    CU_ASSERT_EQUAL(config(ACCESS_AT + 16, 4), 3);
    pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 8, 4, DRIVER_SELECT);
    CU_ASSERT_EQUAL(config(ACCESS_AT + 18, 2), 0x1234);
    aim(1, 12, 4); /* a vector's mask */
    CU_ASSERT_EQUAL(config(ACCESS_AT + 16, 4), 1);
    pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 16, 4, 0);
    CU_ASSERT_EQUAL(config(ACCESS_AT + 16, 4), 0);
    virtio_drive(w, VERSION_1, 0, 0);
    vmm_virtio_configure(card.virtio, 0, &byte, 1);
    aim(0, ISR_PAGE, 1);
    CU_ASSERT_EQUAL(w->pirqs, 1);
    CU_ASSERT_EQUAL(config(ACCESS_AT + 12, 4), 1); /* beside the data: nothing is read */
    CU_ASSERT_EQUAL(w->pirqs, 1);
    CU_ASSERT_EQUAL(config(ACCESS_AT + 16, 1), 2);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    card_end(&card);
}

static void it_leads_nowhere_else(void)
{
    static const struct {
        unsigned bar, offset, bytes;
    } wrong[] = {
        { 2, 0, 1 },    { 6, 0, 1 }, { 255, 0, 1 },        { 0, 16384, 4 },
        { 0, 0, 0 },    { 0, 0, 3 }, { 0, 0, 8 },          { 0, DEVICE_STATUS + 1, 2 },
        { 1, 4096, 1 }, { 1, 2, 4 }, { 0, 0xfffffffc, 4 }, { 0, 0, 0x10001 },
    };

    card_begin(&card);
    virtio_map(w);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        aim(wrong[i].bar, wrong[i].offset, wrong[i].bytes);
        pci_write(w->bus, VIRTIO_SLOT, 0, ACCESS_AT + 16, 4, 0xa5a5a5a5);
        CU_ASSERT_EQUAL(config(ACCESS_AT + 16, 4), 0xa5a5a5a5);
    }
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1), 0);
    CU_ASSERT_EQUAL(reg(w, DEVICE_SELECT, 4), 0);
    card_end(&card);
}

/* --- anything --- */

/* Every place in every width; it is still what it was. */
static void a_guest_writes_what_it_likes(void)
{
    static const uint64_t values[] = { 1, 0x8, 0xff, UINT64_C(0x8000000000000001), UINT64_MAX };

    card_begin(&card);
    virtio_drive(w, VERSION_1, 1, 4);
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        for (unsigned at = 0; at < 80; at++)
            for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
                set(w, QUEUE_SELECT, 2, at % 4);
                set(w, at, bytes, values[i]);
                set(w, ISR_PAGE + at, bytes, values[i]);
                set(w, CONFIG_PAGE + at, bytes, values[i]);
                set(w, NOTIFY_PAGE - 7 + at, bytes, values[i]);
                (void)reg(w, NOTIFY_PAGE - 7 + at, bytes);
                (void)reg(w, at, bytes);
            }
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1) & 15, 15);
    CU_ASSERT_EQUAL(reg(w, QUEUE_COUNT, 2), CARD_QUEUES);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE, 8), 0);
    CU_ASSERT_EQUAL(config(0, 4), 0x10491af4);
    set(w, QUEUE_SELECT, 2, 0);
    CU_ASSERT_EQUAL(reg(w, QUEUE_SIZE, 2), 4);
    card_end(&card);
}

/* --- made, or not --- */

static void kinds_that_cannot_be(void)
{
    struct vmm_virtio_kind wrong[6];

    card_begin(&card);
    for (unsigned i = 0; i < 6; i++)
        wrong[i] = card_kind;
    wrong[0].queues = 0;
    wrong[1].queues = VMM_VIRTIO_QUEUES + 1;
    wrong[2].queue_size = 0;
    wrong[3].queue_size = 12;
    wrong[4].queue_size = VH_QUEUE_SIZE_MAX * 2;
    wrong[5].config_bytes = VMM_VIRTIO_CONFIG_BYTES + 1;
    for (unsigned i = 0; i < 6; i++) {
        struct vmm_virtio *virtio;
        struct vmm_dev msix;

        CU_ASSERT_EQUAL(vmm_virtio_new(w->pci, 2, &wrong[i], w->mem, &card, &msix, &virtio),
                        -EINVAL);
    }
    card_end(&card);
}

static void without_memory(void)
{
    struct vmm_virtio *virtio;
    struct vmm_dev msix;

    card_begin(&card);
    CU_ASSERT_EQUAL(vmm_virtio_new(w->pci, VIRTIO_SLOT, &card_kind, w->mem, &card, &msix, &virtio),
                    -EEXIST);
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = vmm_virtio_new(w->pci, 2, &card_kind, w->mem, &card, &msix, &virtio);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_EQUAL(pci_read(w->bus, 2, 0, 0, 4), UINT32_MAX);
    }
    msix.ops->fini(msix.dev);
    vmm_virtio_free(virtio);
    vmm_virtio_free(NULL);
    card_end(&card);
}

const struct unit_case unit_cases[] = {
    { "a driver finds it", a_driver_finds_it },
    { "it begins", it_begins },
    { "they agree", they_agree },
    { "queues are set up", queues_are_set_up },
    { "its configuration changes", its_configuration_changes },
    { "through the configuration space", through_the_configuration_space },
    { "it leads nowhere else", it_leads_nowhere_else },
    { "a guest writes what it likes", a_guest_writes_what_it_likes },
    { "kinds that cannot be", kinds_that_cannot_be },
    { "without memory", without_memory },
    { 0 },
};
