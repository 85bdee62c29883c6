/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_uart: as a driver sees it, and as the machine does.
 */
#include <config.h>

#include "vmm-core/machine/vmm_uart.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/dev_state.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { PORT = 0x3f8, IRQ = 4 };

struct world {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    struct vmm_uart *uart;
    bool high, full;
    unsigned sent, reads, changes; /* of the line */
    uint8_t out[64];
};

static struct world w;

static void set(void *context, unsigned number, bool high)
{
    CU_ASSERT_EQUAL(number, IRQ);
    CU_ASSERT_NOT_EQUAL(w.high, high); /* told only when it changes */
    ((struct world *)context)->high = high;
    w.changes++;
}

static bool transmit(void *context, uint8_t byte)
{
    struct world *world = context;

    if (world->full)
        return false;
    world->out[world->sent++ % sizeof(world->out)] = byte;
    return true;
}

static void received(void *context)
{
    ((struct world *)context)->reads++;
}

static int make(void)
{
    const struct vmm_line line = { set, &w, IRQ };
    const struct vmm_uart_callbacks callbacks = { transmit, received, &w };

    return vmm_uart_new(w.bus, PORT, &line, &callbacks, &w.dev, &w.uart);
}

static void begin(void)
{
    memset(&w, 0, sizeof(w));
    w.bus = vmm_bus_new();
    CU_ASSERT_EQUAL_FATAL(make(), 0);
}

static void end(void)
{
    w.dev.ops->fini(w.dev.dev);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, PORT + 7, 1), 0xff);
    vmm_bus_free(w.bus);
}

static uint8_t in(unsigned at)
{
    return (uint8_t)vmm_bus_read(w.bus, VMM_PORTS, PORT + at, 1);
}

static void out(unsigned at, uint8_t value)
{
    vmm_bus_write(w.bus, VMM_PORTS, PORT + at, 1, value);
}

static void a_driver_finds_it(void)
{
    begin();
    out(7, 0x5a);
    CU_ASSERT_EQUAL(in(7), 0x5a);
    out(3, 0x83); /* the divisor */
    out(0, 1);
    out(1, 2);
    CU_ASSERT_EQUAL(in(0), 1);
    CU_ASSERT_EQUAL(in(1), 2);
    out(3, 0x03);
    CU_ASSERT_EQUAL(in(1), 0);
    CU_ASSERT_EQUAL(in(3), 3);
    CU_ASSERT_EQUAL(in(2), 1); /* no interrupt, no FIFO */
    out(2, 0xc7);
    CU_ASSERT_EQUAL(in(2), 0xc1); /* a 16550A */
    out(1, 0xff);
    CU_ASSERT_EQUAL(in(1), 0x0f);
    CU_ASSERT_EQUAL(in(6), 0xb0); /* somebody is there */
    out(5, 0xff);                 /* read only */
    CU_ASSERT_EQUAL(in(5), 0x60);
    end();
}

static void it_sends(void)
{
    begin();
    out(0, 'a');
    out(0, 'b');
    CU_ASSERT_EQUAL(w.sent, 2);
    CU_ASSERT_EQUAL(memcmp(w.out, "ab", 2), 0);
    CU_ASSERT_FALSE(w.high);
    out(1, 2); /* empty, and now it may say so */
    CU_ASSERT_TRUE(w.high);
    CU_ASSERT_EQUAL(in(2), 2);
    CU_ASSERT_FALSE(w.high); /* told once */
    CU_ASSERT_EQUAL(in(2), 1);
    out(0, 'c');
    CU_ASSERT_TRUE(w.high);
    end();
}

/* Whoever takes the bytes is slow: none is lost for as long as there is room, and the guest waits.
 */
static void it_waits_for_room(void)
{
    begin();
    out(2, 1);
    out(1, 2);
    (void)in(2);
    w.full = true;
    for (unsigned i = 0; i < VMM_UART_FIFO_BYTES; i++)
        out(0, (uint8_t)('a' + i));
    CU_ASSERT_EQUAL(in(5) & 0x60, 0);
    CU_ASSERT_FALSE(w.high);
    out(0, 'z'); /* the guest did not wait */
    w.full = false;
    vmm_uart_has_room(w.uart);
    CU_ASSERT_EQUAL(w.sent, VMM_UART_FIFO_BYTES);
    CU_ASSERT_EQUAL(memcmp(w.out, "abcdefghijklmnop", 16), 0);
    CU_ASSERT_TRUE(w.high);
    CU_ASSERT_EQUAL(in(5) & 0x60, 0x60);
    w.full = true;
    out(0, 'q');
    out(2, 5); /* the guest throws it away */
    w.full = false;
    vmm_uart_has_room(w.uart);
    CU_ASSERT_EQUAL(w.sent, VMM_UART_FIFO_BYTES);
    CU_ASSERT_EQUAL(in(5) & 0x60, 0x60);
    end();
}

static void it_receives(void)
{
    begin();
    CU_ASSERT_EQUAL(vmm_uart_receive(w.uart, (const uint8_t *)"xy", 2), 1); /* no FIFO: one */
    out(1, 1);
    CU_ASSERT_TRUE(w.high);
    CU_ASSERT_EQUAL(in(2), 4);
    CU_ASSERT_EQUAL(in(5) & 1, 1);
    CU_ASSERT_EQUAL(in(0), 'x');
    CU_ASSERT_EQUAL(w.reads, 1);
    CU_ASSERT_FALSE(w.high);
    CU_ASSERT_EQUAL(in(0), 0);
    out(2, 0x81); /* FIFO, told from 8 on */
    CU_ASSERT_EQUAL(vmm_uart_receive(w.uart, (const uint8_t *)"0123456", 7), 7);
    CU_ASSERT_EQUAL(in(2), 0xcc); /* fewer: by time */
    CU_ASSERT_EQUAL(vmm_uart_receive(w.uart, (const uint8_t *)"7890123456789", 13), 9);
    CU_ASSERT_EQUAL(in(2), 0xc4);
    for (unsigned i = 0; i < VMM_UART_FIFO_BYTES; i++)
        CU_ASSERT_EQUAL(in(0), '0' + i % 10);
    CU_ASSERT_EQUAL(in(5) & 1, 0);
    CU_ASSERT_EQUAL(vmm_uart_receive(w.uart, (const uint8_t *)"a", 1), 1);
    out(2, 3);
    CU_ASSERT_EQUAL(in(5) & 1, 0); /* thrown away */
    end();
}

static void it_talks_to_itself(void)
{
    begin();
    (void)in(6);
    out(4, 0x1f);
    CU_ASSERT_EQUAL(in(6), 0xf4); /* the ring line changed */
    CU_ASSERT_EQUAL(in(6), 0xf0);
    out(4, 0x1a); /* RTS and OUT2: Linux' test */
    CU_ASSERT_EQUAL(in(6) & 0xf0, 0x90);
    out(1, 5);
    out(0, 0x77);
    CU_ASSERT_EQUAL(w.sent, 0);
    CU_ASSERT_EQUAL(vmm_uart_receive(w.uart, (const uint8_t *)"a", 1), 0);
    CU_ASSERT_EQUAL(in(2), 4);
    out(0, 0x78); /* one too many */
    CU_ASSERT_EQUAL(in(2), 6);
    CU_ASSERT_EQUAL(in(5) & 2, 2);
    CU_ASSERT_EQUAL(in(5) & 2, 0);
    CU_ASSERT_EQUAL(in(0), 0x77);
    out(1, 8);
    out(4, 0);
    CU_ASSERT_TRUE(w.high);
    CU_ASSERT_EQUAL(in(2), 0);
    (void)in(6);
    CU_ASSERT_FALSE(w.high);
    end();
}

/* A line costs a call into the kernel: accesses that leave it as it is cost none. */
static void its_line_is_told_when_it_changes(void)
{
    begin();
    for (unsigned i = 0; i < 8; i++)
        out(0, 'x'), (void)in(5), (void)in(2), out(7, 1);
    CU_ASSERT_EQUAL(w.changes, 0);
    out(1, 2);
    out(1, 2);
    (void)in(5);
    CU_ASSERT_EQUAL(w.changes, 1);
    (void)in(2);
    (void)in(2);
    CU_ASSERT_EQUAL(w.changes, 2);
    out(0, 'y');
    CU_ASSERT_EQUAL(w.changes, 3);
    vmm_dev_reset(&w.dev);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_EQUAL(w.changes, 4);
    CU_ASSERT_FALSE(w.high);
    end();
}

/* --- its state --- */

enum { BYTES = 8 + 2 + 2 * 17 };

static void save(uint8_t bytes[BYTES])
{
    dev_save(&w.dev, bytes, BYTES);
}

static int load(const uint8_t *bytes, size_t size)
{
    return dev_load(&w.dev, bytes, size);
}

static void it_comes_back(void)
{
    uint8_t bytes[BYTES], again[BYTES];

    begin();
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_UART);
    out(2, 1);
    out(1, 3);
    out(3, 3);
    out(7, 0x42);
    (void)vmm_uart_receive(w.uart, (const uint8_t *)"in", 2);
    w.full = true;
    out(0, 'o');
    out(0, 'k');
    vmm_dev_pause(&w.dev);
    save(bytes);
    end();
    begin();
    CU_ASSERT_EQUAL(load(bytes, BYTES), 0);
    CU_ASSERT_TRUE(w.high); /* something to read */
    save(again);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    vmm_dev_resume(&w.dev); /* what waited goes out */
    CU_ASSERT_EQUAL(w.sent, 2);
    CU_ASSERT_EQUAL(memcmp(w.out, "ok", 2), 0);
    CU_ASSERT_EQUAL(in(0), 'i');
    CU_ASSERT_EQUAL(in(0), 'n');
    CU_ASSERT_EQUAL(in(7), 0x42);
    end();
}

static void it_refuses_what_cannot_be(void)
{
    uint8_t bytes[BYTES];

    begin();
    save(bytes);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(load(bytes, size), -EBADMSG);
    for (unsigned at = 0; at < BYTES; at++) {
        save(bytes);
        bytes[at] = 0xff;
        (void)load(bytes, BYTES); /* whatever it says, it can be used */
        for (unsigned i = 0; i < 40; i++)
            out(0, 'x'), (void)in(0), (void)in(2), (void)in(5);
        vmm_dev_reset(&w.dev);
    }
    bytes[10] = 17; /* more than the FIFO holds */
    CU_ASSERT_EQUAL(load(bytes, BYTES), -EBADMSG);
    end();
}

static void without_memory(void)
{
    w = (struct world) { .bus = vmm_bus_new() };
    (void)fail_alloc_each(make);
    CU_ASSERT_EQUAL(make(), -EEXIST); /* its ports are taken */
    end();
}

const struct unit_case unit_cases[] = {
    { "a driver finds it", a_driver_finds_it },
    { "it sends", it_sends },
    { "it waits for room", it_waits_for_room },
    { "it receives", it_receives },
    { "it talks to itself", it_talks_to_itself },
    { "its line is told when it changes", its_line_is_told_when_it_changes },
    { "its state comes back", it_comes_back },
    { "a state that cannot be", it_refuses_what_cannot_be },
    { "without memory, or ports", without_memory },
    { 0 },
};
