/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_ports: each port, the bounds of what firmware may say, and its state.
 */
#include <config.h>

#include "vmm-core/machine/vmm_ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/dev_state.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { BYTES = 3 + 4 };

struct world {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    unsigned resets, reports, lines;
    unsigned events; /* of the last report */
    size_t said;
    char text[VMM_PORTS_LINE_BYTES];
};

static struct world w;

static void reset(void *context)
{
    ((struct world *)context)->resets++;
}

static void event(void *context, unsigned events)
{
    ((struct world *)context)->reports++;
    ((struct world *)context)->events = events;
}

static void line(void *context, const char *text)
{
    struct world *world = context;

    world->lines++;
    world->said += strlen(text);
    (void)snprintf(world->text, sizeof(world->text), "%s", text);
}

static int make(void)
{
    const struct vmm_ports_callbacks callbacks = { reset, event, line, &w };

    return vmm_ports_new(w.bus, &callbacks, &w.dev);
}

static void begin(void)
{
    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL_FATAL(make(), 0);
}

static uint8_t get(uint16_t port)
{
    return (uint8_t)vmm_bus_read(w.bus, VMM_PORTS, port, 1);
}

static void put(uint16_t port, uint8_t value)
{
    vmm_bus_write(w.bus, VMM_PORTS, port, 1, value);
}

static void end(void)
{
    static const uint16_t ports[] = { 0x92, 0xb2, 0xb3, 0x402, 0x505 };

    w.dev.ops->fini(w.dev.dev);
    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        CU_ASSERT_EQUAL(get(ports[i]), 0xff);
    vmm_bus_free(w.bus);
}

static void say(const char *text)
{
    for (; *text != '\0'; text++)
        put(0x402, (uint8_t)*text);
}

static void control_port_a(void)
{
    begin();
    CU_ASSERT_EQUAL(get(0x92), 2);
    put(0x92, 0);
    CU_ASSERT_EQUAL(get(0x92), 0);
    put(0x92, 0xc2);
    CU_ASSERT_EQUAL(get(0x92), 0xc2);
    CU_ASSERT_EQUAL(w.resets, 0);
    put(0x92, 3);
    CU_ASSERT_EQUAL(w.resets, 1);
    put(0x92, 1); /* only as it rises */
    CU_ASSERT_EQUAL(w.resets, 1);
    put(0x92, 0);
    put(0x92, 1);
    CU_ASSERT_EQUAL(w.resets, 2);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_EQUAL(get(0x92), 2);
    end();
}

static void apm(void)
{
    begin();
    CU_ASSERT_EQUAL(get(0xb2), 0);
    put(0xb2, 0xf1);
    put(0xb3, 0x5a);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0xb2, 2), 0x5af1);
    vmm_bus_write(w.bus, VMM_PORTS, 0xb2, 2, 0x1234);
    CU_ASSERT_EQUAL(get(0xb2), 0x34);
    CU_ASSERT_EQUAL(get(0xb3), 0x12);
    end();
}

static void firmware_speaks(void)
{
    begin();
    CU_ASSERT_EQUAL(get(0x402), 0xe9);
    say("SeaBIOS\n\n\x1b[31m\x80 end\n");
    CU_ASSERT_EQUAL(w.lines, 2);
    CU_ASSERT_STRING_EQUAL(w.text, "?[31m? end");
    say("no end");
    CU_ASSERT_EQUAL(w.lines, 2);
    vmm_dev_pause(&w.dev);
    CU_ASSERT_STRING_EQUAL(w.text, "no end");
    for (unsigned i = 0; i < VMM_PORTS_LINE_BYTES; i++)
        say("x");
    CU_ASSERT_EQUAL(w.lines, 4);
    CU_ASSERT_EQUAL(strlen(w.text), VMM_PORTS_LINE_BYTES - 1);
    say("\n");
    CU_ASSERT_STRING_EQUAL(w.text, "x");
    say("last");
    end();
    CU_ASSERT_STRING_EQUAL(w.text, "last");
}

static void it_never_ends(void)
{
    begin();
    for (unsigned i = 0; i < 3 * VMM_PORTS_LINES_BYTES; i++)
        put(0x402, i % 100 == 99 ? '\n' : 'y');
    CU_ASSERT_EQUAL(w.said, VMM_PORTS_LINES_BYTES / 99 * 99);
    say("\n");
    w.lines = 0;
    vmm_dev_reset(&w.dev);
    say("again\n");
    CU_ASSERT_EQUAL(w.lines, 1);
    end();
}

static void a_guest_panics(void)
{
    begin();
    CU_ASSERT_EQUAL(get(0x505), 7);
    put(0x505, 0xf8); /* none that it knows */
    CU_ASSERT_EQUAL(w.reports, 0);
    put(0x505, 0x81);
    CU_ASSERT_EQUAL(w.reports, 1);
    CU_ASSERT_EQUAL(w.events, VMM_PORTS_PANIC);
    put(0x505, 6);
    CU_ASSERT_EQUAL(w.events, VMM_PORTS_CRASH | VMM_PORTS_SHUTDOWN);
    end();
}

/* --- its state --- */

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
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_PORTS);
    put(0x92, 1);
    put(0xb2, 0x11);
    put(0xb3, 0x22);
    say("half a line");
    save(bytes);
    CU_ASSERT_STRING_EQUAL(w.text, "half a line");
    end();
    begin();
    CU_ASSERT_EQUAL(load(bytes, BYTES), 0);
    vmm_dev_resume(&w.dev);
    save(again);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    CU_ASSERT_EQUAL(memcmp(bytes, "\x01\x11\x22\x0b\0\0\0", BYTES), 0);
    put(0x92, 1); /* it was up already */
    CU_ASSERT_EQUAL(w.resets, 0);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(load(bytes, size), -EBADMSG);
    memset(bytes + 3, 0xff, 4);
    CU_ASSERT_EQUAL(load(bytes, BYTES), -EBADMSG);
    say("not any more\n");
    CU_ASSERT_EQUAL(w.lines, 0);
    end();
}

static void without_memory(void)
{
    const struct vmm_range_ops ops = { 0 };

    w = (struct world) { .bus = vmm_bus_new() };
    (void)fail_alloc_each(make);
    end();
    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL(vmm_bus_add(w.bus, VMM_PORTS, 0x505, 1, &ops, NULL), 0);
    CU_ASSERT_EQUAL(make(), -EEXIST);
    CU_ASSERT_EQUAL(get(0x92), 0xff); /* nothing is left behind */
    vmm_bus_free(w.bus);
}

const struct unit_case unit_cases[] = {
    { "control port A", control_port_a },
    { "APM", apm },
    { "firmware speaks", firmware_speaks },
    { "it never ends", it_never_ends },
    { "a guest panics", a_guest_panics },
    { "its state comes back, or is refused", it_comes_back },
    { "without memory, or ports", without_memory },
    { 0 },
};
