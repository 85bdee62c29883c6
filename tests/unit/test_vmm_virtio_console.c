/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio_console: bytes go both ways, as fast as the slower side takes them,
 * and none is lost or doubled on the way to another host.
 */
#include <config.h>

#include "vmm-core/virtio/vmm_virtio_console.h"

#include <errno.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/virtio_world.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { SIZE = 8, RECEIVE = 0, TRANSMIT = 1, STATE_BYTES = 8 + VMM_PCI_STATE_BYTES + 25 + 2 * 31 };
enum { SENT = QUEUE_STEP + USED + 2, GOT = USED + 2 };

struct port {
    struct virtio_world world;
    struct vmm_virtio_console *console;
    char text[256];
    size_t count, room;
    unsigned asked;
};

static struct port p;
static struct virtio_world *const w = &p.world;

static size_t write_port(void *context, const void *bytes, size_t count)
{
    struct port *port = context;
    const size_t taken = count < port->room ? count : port->room;

    memcpy(port->text + port->count, bytes, taken);
    port->count += taken;
    port->room -= taken;
    return taken;
}

static void has_room(void *context)
{
    ((struct port *)context)->asked++;
}

static int make(void)
{
    const struct vmm_virtio_console_port port = { write_port, has_room, &p };

    return vmm_virtio_console_new(w->pci, VIRTIO_SLOT, w->mem, &port, &w->dev, &w->msix,
                                  &p.console);
}

static void begin(void)
{
    memset(&p, 0, sizeof(p));
    virtio_world_begin(w);
    p.room = sizeof(p.text);
    CU_ASSERT_EQUAL_FATAL(make(), 0);
    virtio_drive(w, VERSION_1, 2, SIZE);
    p.asked = 0;
}

static void end(void)
{
    w->msix.ops->fini(w->msix.dev);
    w->dev.ops->fini(w->dev.dev);
    virtio_world_end(w);
}

/* Piece `i` of a chain of `queue`, at DATA + at. */
static void piece(unsigned queue, unsigned i, unsigned at, unsigned bytes, unsigned flags)
{
    const struct vh_desc desc = { DATA + at, bytes, (uint16_t)flags, (uint16_t)(i + 1) };

    descriptor(w, queue * QUEUE_STEP, i, &desc);
}

/* "hello, " and "world" in one chain. */
static void say_hello(void)
{
    memcpy(w->memory + DATA, "hello, ", 7);
    memcpy(w->memory + DATA + 64, "world", 5);
    piece(TRANSMIT, 0, 0, 7, VH_DESC_F_NEXT);
    piece(TRANSMIT, 1, 64, 5, 0);
    offer(w, TRANSMIT, SIZE, 0);
}

static void said(const char *text)
{
    CU_ASSERT_EQUAL(p.count, strlen(text));
    CU_ASSERT_EQUAL(memcmp(p.text, text, strlen(text)), 0);
}

static void it_is_found(void)
{
    begin();
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 0, 4), 0x10431af4);
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 10, 2), 0x0780);
    CU_ASSERT_EQUAL(reg(w, QUEUE_COUNT, 2), 2);
    CU_ASSERT_EQUAL(w->dev.ops->id, VMM_DEV_VIRTIO_CONSOLE);
    end();
}

static void a_guest_speaks(void)
{
    begin();
    say_hello();
    kick(w, TRANSMIT);
    said("hello, world");
    CU_ASSERT_EQUAL(word(w, SENT), 1);
    CU_ASSERT_EQUAL(word(w, QUEUE_STEP + USED + 8), 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    kick(w, TRANSMIT);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0);
    piece(TRANSMIT, 0, 0, 7, VH_DESC_F_WRITE); /* nothing to be read */
    offer(w, TRANSMIT, SIZE, 0);
    kick(w, TRANSMIT);
    CU_ASSERT_EQUAL(word(w, SENT), 2);
    said("hello, world");
    end();
}

/* It is not called again for what waits, and what went out goes out once. */
static void it_waits_until_it_is_taken(void)
{
    begin();
    p.room = 3;
    say_hello();
    kick(w, TRANSMIT);
    said("hel");
    CU_ASSERT_EQUAL(word(w, SENT), 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0);
    vmm_virtio_console_has_room(p.console);
    p.room = 4;
    vmm_virtio_console_has_room(p.console);
    said("hello, ");
    p.room = 2;
    kick(w, TRANSMIT);
    said("hello, wo");
    p.room = 200;
    offer(w, TRANSMIT, SIZE, 1); /* one more: "world" */
    vmm_virtio_console_has_room(p.console);
    said("hello, worldworld");
    CU_ASSERT_EQUAL(word(w, SENT), 2);
    end();
}

static void a_reset_begins_anew(void)
{
    begin();
    p.room = 3;
    say_hello();
    kick(w, TRANSMIT);
    memset(w->memory, 0, DATA);
    virtio_drive(w, VERSION_1, 2, SIZE);
    p.room = 200;
    say_hello();
    kick(w, TRANSMIT);
    said("helhello, world");
    end();
}

static void a_guest_hears(void)
{
    begin();
    CU_ASSERT_EQUAL(vmm_virtio_console_receive(p.console, (const uint8_t *)"abc", 3), 0);
    piece(RECEIVE, 0, 0, 4, VH_DESC_F_NEXT); /* not to be written */
    piece(RECEIVE, 1, 64, 2, VH_DESC_F_NEXT | VH_DESC_F_WRITE);
    piece(RECEIVE, 2, 128, 4, VH_DESC_F_WRITE);
    piece(RECEIVE, 3, 192, 4, VH_DESC_F_WRITE);
    offer(w, RECEIVE, SIZE, 0);
    offer(w, RECEIVE, SIZE, 3);
    kick(w, RECEIVE);
    CU_ASSERT_EQUAL(p.asked, 1);
    CU_ASSERT_EQUAL(vmm_virtio_console_receive(p.console, (const uint8_t *)"abc", 3), 3);
    CU_ASSERT_EQUAL(word(w, GOT), 1);
    CU_ASSERT_EQUAL(word(w, USED + 8), 3);
    CU_ASSERT_EQUAL(memcmp(w->memory + DATA + 64, "ab\0", 3), 0);
    CU_ASSERT_EQUAL(memcmp(w->memory + DATA + 128, "c\0", 2), 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    CU_ASSERT_EQUAL(vmm_virtio_console_receive(p.console, (const uint8_t *)"defghi", 6), 4);
    CU_ASSERT_EQUAL(memcmp(w->memory + DATA + 192, "defg\0", 5), 0);
    CU_ASSERT_EQUAL(memcmp(w->memory + DATA, "\0\0\0", 4), 0);
    CU_ASSERT_EQUAL(vmm_virtio_console_receive(p.console, (const uint8_t *)"x", 1), 0);
    end();
}

/* Before there are queues, and whatever else is written there. */
static void a_guest_in_trouble(void)
{
    begin();
    set(w, DEVICE_STATUS, 1, 0);
    set(w, CONFIG_PAGE + 8, 4, 'x');
    set(w, CONFIG_PAGE, 4, 'y');
    said("x");
    p.room = 0;
    set(w, CONFIG_PAGE + 8, 4, 'z');
    said("x");
    CU_ASSERT_EQUAL(reg(w, DEVICE_FEATURES, 4) & 7, 4);
    end();
}

static void it_goes_on_elsewhere(void)
{
    uint8_t bytes[STATE_BYTES], again[STATE_BYTES];

    begin();
    p.room = 8;
    say_hello();
    kick(w, TRANSMIT);
    piece(RECEIVE, 0, 256, 8, VH_DESC_F_WRITE);
    offer(w, RECEIVE, SIZE, 0);
    dev_save(&w->dev, bytes, sizeof(bytes));
    p.room = 200;
    vmm_virtio_console_has_room(p.console); /* it stands */
    CU_ASSERT_EQUAL(vmm_virtio_console_receive(p.console, (const uint8_t *)"abc", 3), 0);
    said("hello, w");
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes) - 1), -EBADMSG);
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes)), 0);
    dev_save(&w->dev, again, sizeof(again));
    CU_ASSERT_EQUAL(memcmp(bytes, again, sizeof(bytes)), 0);
    vmm_dev_resume(&w->dev);
    said("hello, world");
    CU_ASSERT_EQUAL(p.asked, 1);
    CU_ASSERT_EQUAL(vmm_virtio_console_receive(p.console, (const uint8_t *)"abc", 3), 3);
    vmm_dev_reset(&w->dev);
    virtio_map(w);
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1), 0);
    end();
}

static void without_memory(void)
{
    memset(&p, 0, sizeof(p));
    virtio_world_begin(w);
    (void)fail_alloc_each(make);
    end();
}

const struct unit_case unit_cases[] = {
    { "it is found", it_is_found },
    { "a guest speaks", a_guest_speaks },
    { "it waits until it is taken", it_waits_until_it_is_taken },
    { "a reset begins anew", a_reset_begins_anew },
    { "a guest hears", a_guest_hears },
    { "a guest in trouble", a_guest_in_trouble },
    { "it goes on elsewhere", it_goes_on_elsewhere },
    { "without memory", without_memory },
    { 0 },
};
