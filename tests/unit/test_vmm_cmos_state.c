/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_cmos and vmm-core/machine/vmm_cmos_memory: what firmware finds in its
 * memory, a reset, its battery, and its state.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "tests/unit/cmos_case.h"
#include "tests/unit/dev_state.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { BYTES = 1 + 128 + 8 + 8 };

static void a_reset_keeps_the_time(void)
{
    begin();
    put(0x0f, 0x0a);
    put(0x0b, 0x80 | 0x02);
    put(0, 0x33);
    put(0x0b, 0x7a);
    pass(100 * MS);
    CU_ASSERT_TRUE(w.high);
    vmm_dev_reset(&w.dev);
    CU_ASSERT_FALSE(w.high);
    CU_ASSERT_EQUAL(get(0x0b), 2);
    CU_ASSERT_EQUAL(get(0x0c) & 0x80, 0);
    CU_ASSERT_EQUAL(get(0), 0x33);
    CU_ASSERT_EQUAL(get(0x0f), 0x0a);
    end();
}

/* The machine is made anew for a reset: the guest's time goes on, and its memory is there. */
static void the_battery_keeps_it(void)
{
    struct vmm_cmos_battery battery = { .charged = false };

    begin();
    cmos_battery = &battery; /* an empty one */
    put(0x0b, 0x82);
    put(9, 0x99);
    put(0x0b, 0x42);
    put(0x0f, 0x0a);
    put(0x34, 0);
    pass(1500 * MS);
    vmm_cmos_keep(w.cmos, &battery);
    end();
    begin();
    pass(10 * SECOND);
    CU_ASSERT_EQUAL(get(9), 0x99);
    CU_ASSERT_EQUAL(get(0), 0x10);
    CU_ASSERT_EQUAL(get(0x0b), 2);
    CU_ASSERT_EQUAL(get(0x0c) & 0x80, 0);
    CU_ASSERT_EQUAL(get(0x0f), 0x0a);
    CU_ASSERT_EQUAL(get(0x35), 7); /* as large as it is, whatever was written */
    CU_ASSERT_EQUAL(get(0x34), 0);
    end();
    cmos_battery = NULL;
}

static uint32_t word(uint8_t at, unsigned bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | get((uint8_t)(at + bytes));
    return value;
}

static void firmware_finds_the_machine(void)
{
    unsigned sum = 0;

    begin();
    CU_ASSERT_EQUAL(word(0x15, 2), 640);
    CU_ASSERT_EQUAL(word(0x17, 2), 65535);
    CU_ASSERT_EQUAL(word(0x30, 2), 65535);
    CU_ASSERT_EQUAL(word(0x34, 2), 112 * 16);
    CU_ASSERT_EQUAL(word(0x5b, 3), 0);
    CU_ASSERT_EQUAL(get(0x5f), 3);
    CU_ASSERT_EQUAL(get(0x3d), 0x24);
    CU_ASSERT_EQUAL(get(0x38), 0x30);
    CU_ASSERT_EQUAL(get(0x14), 2);
    CU_ASSERT_EQUAL(get(0x10), 0);
    CU_ASSERT_EQUAL(get(0x0f), 0);
    for (uint8_t i = 0x10; i < 0x2e; i++)
        sum += get(i);
    CU_ASSERT_EQUAL(get(0x2e) * 256U + get(0x2f), sum);
    end();
    w = (struct world) { .bus = vmm_bus_new(), .now_ns = START, .wake_ns = INT64_MAX };
    CU_ASSERT_EQUAL_FATAL(make_with(UINT64_C(0xc0000000), UINT64_C(61) << 30), 0);
    CU_ASSERT_EQUAL(word(0x34, 2), 0xbf00);
    CU_ASSERT_EQUAL(word(0x5b, 3), 61 << 14);
    end();
    w = (struct world) { .bus = vmm_bus_new(), .now_ns = START, .wake_ns = INT64_MAX };
    CU_ASSERT_EQUAL_FATAL(make_with(16 << 20, 0), 0);
    CU_ASSERT_EQUAL(word(0x30, 2), 15360);
    CU_ASSERT_EQUAL(word(0x34, 2), 0);
    end();
}

/* --- its state --- */

static void save(uint8_t bytes[BYTES])
{
    dev_save(&w.dev, bytes, BYTES);
    CU_ASSERT_EQUAL(w.wake_ns, INT64_MAX);
}

static int load(const uint8_t *bytes, size_t size)
{
    return dev_load(&w.dev, bytes, size);
}

static void it_comes_back(void)
{
    uint8_t bytes[BYTES], again[BYTES];

    begin();
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_CMOS);
    put(0x0b, 0x82);
    put(4, 0x12); /* the guest's clock is twelve hours ahead */
    put(0x0b, 0x12);
    put(0x7f, 0x77);
    pass(500 * MS);
    save(bytes);
    pass(SECOND);
    vmm_cmos_wake(w.cmos); /* nothing happens to what stands */
    CU_ASSERT_FALSE(w.high);
    save(again);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    end();

    begin();
    w.now_ns = START + 59 * SECOND;
    CU_ASSERT_EQUAL(load(bytes, BYTES), 0);
    save(again);
    CU_ASSERT_EQUAL(memcmp(bytes, again, BYTES), 0);
    vmm_dev_resume(&w.dev);
    CU_ASSERT_TRUE(w.high); /* what it missed */
    CU_ASSERT_EQUAL(get(0x0c) & 0x90, 0x90);
    CU_ASSERT_EQUAL(w.wake_ns, START + 60 * SECOND);
    CU_ASSERT_EQUAL(time_of_month(), 0x0101120059);
    CU_ASSERT_EQUAL(get(0x7f), 0x77);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(load(bytes, size), -EBADMSG);
    vmm_dev_pause(&w.dev);
    CU_ASSERT_EQUAL(load(bytes, BYTES), 0);
    CU_ASSERT_EQUAL(w.wake_ns, INT64_MAX); /* nothing is asked for while it stands */
    end();
}

static void a_wrong_state_is_refused(void)
{
    static const struct {
        uint8_t at, value;
    } wrong[] = { { 0, 0x80 },     { 1 + 0x0a, 0xa6 }, { 1 + 0x0c, 1 },
                  { 1 + 0x0d, 0 }, { 136, 0x40 },      { 144, 1 } };
    uint8_t bytes[BYTES];

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        begin();
        save(bytes);
        bytes[wrong[i].at] = wrong[i].value;
        CU_ASSERT_EQUAL(load(bytes, BYTES), -EBADMSG);
        vmm_dev_resume(&w.dev);
        (void)time_of_month();
        end();
    }
}

/* A target whose wall clock is a little behind: the time stands, and is not told twice. */
static void the_target_is_behind(void)
{
    uint8_t bytes[BYTES];

    begin();
    pass(10100 * MS);
    (void)get(0x0c);
    put(0x0b, 0x12);
    save(bytes);
    end();
    begin();
    w.now_ns = START + 9500 * MS;
    CU_ASSERT_EQUAL(load(bytes, BYTES), 0);
    vmm_dev_resume(&w.dev);
    CU_ASSERT_EQUAL(get(0), 0x10);
    pass(SECOND);
    CU_ASSERT_FALSE(w.high);
    CU_ASSERT_EQUAL(get(0), 0x10);
    pass(500 * MS);
    CU_ASSERT_TRUE(w.high);
    CU_ASSERT_EQUAL(get(0), 0x11);
    end();
}

static void without_memory(void)
{
    w = (struct world) { .bus = vmm_bus_new(), .now_ns = START, .wake_ns = INT64_MAX };
    (void)fail_alloc_each(make);
    CU_ASSERT_EQUAL(make(), -EEXIST);
    end();
}

const struct unit_case unit_cases[] = {
    { "a reset keeps the time", a_reset_keeps_the_time },
    { "the battery keeps time and memory", the_battery_keeps_it },
    { "firmware finds the machine", firmware_finds_the_machine },
    { "its state comes back", it_comes_back },
    { "a wrong state is refused", a_wrong_state_is_refused },
    { "the target's wall clock is behind", the_target_is_behind },
    { "without memory, or ports", without_memory },
    { 0 },
};
