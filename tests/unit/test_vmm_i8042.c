/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_i8042: what firmware and kernels ask of it, and its state.
 */
#include <config.h>

#include "vmm-core/machine/vmm_i8042.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/dev_state.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { BYTES = 32 + 7 + 16 };

struct world {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    bool high;
    unsigned resets, changes; /* of the line */
};

static struct world w;

static void set(void *context, unsigned number, bool high)
{
    CU_ASSERT_EQUAL(number, 1);
    CU_ASSERT_NOT_EQUAL(w.high, high); /* told only when it changes */
    ((struct world *)context)->high = high;
    w.changes++;
}

static void reset(void *context)
{
    ((struct world *)context)->resets++;
}

static int make(void)
{
    const struct vmm_line line = { set, &w, 1 };

    return vmm_i8042_new(w.bus, &line, reset, &w, &w.dev);
}

static void begin(void)
{
    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL_FATAL(make(), 0);
}

static void end(void)
{
    w.dev.ops->fini(w.dev.dev);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x64, 1), 0xff);
    vmm_bus_free(w.bus);
}

static uint8_t status(void)
{
    return (uint8_t)vmm_bus_read(w.bus, VMM_PORTS, 0x64, 1);
}

static void command(uint8_t byte)
{
    vmm_bus_write(w.bus, VMM_PORTS, 0x64, 1, byte);
}

static void data(uint8_t byte)
{
    vmm_bus_write(w.bus, VMM_PORTS, 0x60, 1, byte);
}

/* The next byte to read, or -1 if there is none. */
static int next(void)
{
    if ((status() & 1) == 0)
        return -1;
    return (int)vmm_bus_read(w.bus, VMM_PORTS, 0x60, 1);
}

/* As SeaBIOS sets it up: flush, self test, interface test, keyboard reset, command byte. */
static void firmware_sets_it_up(void)
{
    begin();
    CU_ASSERT_EQUAL(next(), -1);
    command(0xaa);
    CU_ASSERT_EQUAL(next(), 0x55);
    CU_ASSERT_EQUAL(status() & 4, 4);
    command(0xab);
    CU_ASSERT_EQUAL(next(), 0);
    command(0xae);
    data(0xff);
    CU_ASSERT_EQUAL(next(), 0xfa);
    CU_ASSERT_EQUAL(next(), 0xaa);
    data(0xf5);
    CU_ASSERT_EQUAL(next(), 0xfa);
    data(0xf0);
    CU_ASSERT_EQUAL(next(), 0xfa);
    data(2);
    CU_ASSERT_EQUAL(next(), 0xfa);
    CU_ASSERT_FALSE(w.high);
    command(0x60);
    data(0x61); /* interrupt, translation */
    data(0xf4);
    CU_ASSERT_TRUE(w.high);
    CU_ASSERT_EQUAL(next(), 0xfa);
    CU_ASSERT_FALSE(w.high);
    command(0x20);
    CU_ASSERT_EQUAL(next(), 0x61);
    CU_ASSERT_EQUAL(next(), -1);
    end();
}

static void a_kernel_identifies_the_keyboard(void)
{
    begin();
    command(0x60);
    data(0);
    data(0xf2);
    CU_ASSERT_EQUAL(next(), 0xfa);
    CU_ASSERT_EQUAL(next(), 0xab);
    CU_ASSERT_EQUAL(next(), 0x83);
    command(0x60);
    data(0x40);
    data(0xf2);
    CU_ASSERT_EQUAL(next(), 0xfa);
    CU_ASSERT_EQUAL(next(), 0xab);
    CU_ASSERT_EQUAL(next(), 0x41);
    data(0xed); /* lights */
    CU_ASSERT_EQUAL(next(), 0xfa);
    data(7);
    CU_ASSERT_EQUAL(next(), 0xfa);
    data(0xf0); /* which scan codes? */
    (void)next();
    data(0);
    CU_ASSERT_EQUAL(next(), 0xfa);
    CU_ASSERT_EQUAL(next(), 2);
    data(0xf0);
    (void)next();
    data(9); /* there is no such set */
    CU_ASSERT_EQUAL(next(), 0xfe);
    data(0xee);
    CU_ASSERT_EQUAL(next(), 0xee);
    data(0xfe); /* again */
    CU_ASSERT_EQUAL(next(), 0xee);
    data(0x42);
    CU_ASSERT_EQUAL(next(), 0xfe);
    data(0xf3);
    (void)next();
    data(0xf4); /* a command instead of the argument */
    CU_ASSERT_EQUAL(next(), 0xfa);
    data(0xf6);
    CU_ASSERT_EQUAL(next(), 0xfa);
    end();
}

static void there_is_no_mouse(void)
{
    begin();
    command(0xa9);
    CU_ASSERT_EQUAL(next(), 1);
    command(0xd4);
    data(0xff);
    CU_ASSERT_EQUAL(next(), -1);
    command(0xd3);
    data(0x5a);
    CU_ASSERT_EQUAL(status() & 0x21, 1); /* not the auxiliary device's */
    CU_ASSERT_EQUAL(next(), 0x5a);
    command(0xa8);
    command(0x20);
    CU_ASSERT_EQUAL(next() & 0x20, 0);
    command(0xa7);
    command(0x20);
    CU_ASSERT_EQUAL(next() & 0x20, 0x20);
    end();
}

static void ports_and_memory(void)
{
    begin();
    command(0x7f);
    data(0x77);
    command(0x3f);
    CU_ASSERT_EQUAL(next(), 0x77);
    command(0xc0);
    CU_ASSERT_EQUAL(next(), 0x80);
    command(0xd0);
    CU_ASSERT_EQUAL(next(), 0xcf);
    command(0xd1);
    data(0xdd); /* A20 off: kept, not done */
    command(0xd0);
    CU_ASSERT_EQUAL(next(), 0xdd);
    command(0xd2);
    data(0x1c);
    CU_ASSERT_EQUAL(status() & 8, 0);
    CU_ASSERT_EQUAL(next(), 0x1c);
    command(0xad);
    command(0x20);
    CU_ASSERT_EQUAL(next() & 0x10, 0x10);
    CU_ASSERT_EQUAL(status() & 8, 8);
    command(0x99); /* nothing */
    CU_ASSERT_EQUAL(next(), -1);
    CU_ASSERT_EQUAL(w.resets, 0);
    end();
}

/* A line costs a call into the kernel: accesses that leave it as it is cost none. */
static void its_line_is_told_when_it_changes(void)
{
    begin();
    for (unsigned i = 0; i < 8; i++) {
        command(0xaa);
        CU_ASSERT_EQUAL(next(), 0x55);
    }
    CU_ASSERT_EQUAL(w.changes, 0);
    command(0x60);
    data(1); /* it may interrupt */
    CU_ASSERT_EQUAL(w.changes, 0);
    data(0xee);
    data(0xee);
    CU_ASSERT_EQUAL(w.changes, 1);
    CU_ASSERT_EQUAL(next(), 0xee);
    CU_ASSERT_EQUAL(w.changes, 1);
    CU_ASSERT_EQUAL(next(), 0xee);
    CU_ASSERT_EQUAL(w.changes, 2);
    data(0xee);
    vmm_dev_reset(&w.dev);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_EQUAL(w.changes, 4);
    CU_ASSERT_FALSE(w.high);
    end();
}

static void it_resets_the_machine(void)
{
    begin();
    command(0xff); /* no line is pulled */
    CU_ASSERT_EQUAL(w.resets, 0);
    command(0xfe);
    CU_ASSERT_EQUAL(w.resets, 1);
    command(0xd1);
    data(0xde);
    CU_ASSERT_EQUAL(w.resets, 2);
    end();
}

static void nobody_reads(void)
{
    begin();
    for (unsigned i = 0; i < 100; i++)
        data(0xee);
    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(next(), 0xee);
    CU_ASSERT_EQUAL(next(), -1);
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
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_I8042);
    command(0x60);
    data(1);
    data(0xf2);
    command(0xd1); /* waits for its byte */
    save(bytes);
    end();
    begin();
    CU_ASSERT_EQUAL(load(bytes, BYTES), 0);
    vmm_dev_resume(&w.dev);
    save(again);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    CU_ASSERT_TRUE(w.high);
    data(0xfe);
    CU_ASSERT_EQUAL(w.resets, 1);
    CU_ASSERT_EQUAL(next(), 0xfa);
    CU_ASSERT_EQUAL(next(), 0xab);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(load(bytes, size), -EBADMSG);
    bytes[38] = 17; /* more than the queue holds */
    CU_ASSERT_EQUAL(load(bytes, BYTES), -EBADMSG);
    CU_ASSERT_EQUAL(next(), -1);
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
    { "firmware sets it up", firmware_sets_it_up },
    { "a kernel identifies the keyboard", a_kernel_identifies_the_keyboard },
    { "there is no mouse", there_is_no_mouse },
    { "ports and memory", ports_and_memory },
    { "it resets the machine", it_resets_the_machine },
    { "its line is told when it changes", its_line_is_told_when_it_changes },
    { "nobody reads", nobody_reads },
    { "its state comes back, or is refused", it_comes_back },
    { "without memory, or ports", without_memory },
    { 0 },
};
