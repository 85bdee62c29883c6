/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_cmos: its time under a wall clock of ours, and its interrupts.
 */
#include <config.h>

#include "tests/unit/cmos_case.h"
#include "tests/unit/unit.h"

static void it_shows_the_time(void)
{
    begin();
    CU_ASSERT_EQUAL(get(0x32), 0x20);
    CU_ASSERT_EQUAL(get(9), 0x26);
    CU_ASSERT_EQUAL(get(6), 5);
    CU_ASSERT_EQUAL(time_of_month(), 0x0101000000);
    CU_ASSERT_EQUAL(get(0x0b), 2);
    CU_ASSERT_EQUAL(get(0x0d), 0x80);
    pass(3661 * SECOND);
    CU_ASSERT_EQUAL(time_of_month(), 0x0101010101);
    CU_ASSERT_EQUAL(get(0x80), 1);                    /* the bit of NMI */
    CU_ASSERT_EQUAL(w.wake_ns, INT64_MAX);            /* nobody wants an interrupt */
    vmm_bus_write(w.bus, VMM_PORTS, 0x70, 2, 0xab34); /* index and value at once */
    CU_ASSERT_EQUAL(get(0x34), 0xab);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x70, 2), 0xabff);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x70, 1), 0xff);
    end();
}

/* From 2.228 ms before an update until it is done; never on the way into one that was read. */
static void an_update_is_announced(void)
{
    begin();
    CU_ASSERT_EQUAL(get(0x0a), 0x26);
    pass(SECOND - 2229000);
    CU_ASSERT_EQUAL(get(0x0a), 0x26);
    pass(1000);
    CU_ASSERT_EQUAL(get(0x0a), 0xa6);
    CU_ASSERT_EQUAL(get(0), 0);
    put(0x0b, 0x82);
    CU_ASSERT_EQUAL(get(0x0a), 0x26);
    put(0x0b, 2);
    CU_ASSERT_EQUAL(get(0x0a), 0xa6);
    put(0x0a, 0xa6); /* it cannot be written */
    pass(2228000);
    CU_ASSERT_EQUAL(get(0x0a), 0x26);
    CU_ASSERT_EQUAL(get(0), 1);
    end();
}

/* As a BIOS sets it: SET, fields in any order, SET off. */
static void the_guest_sets_the_time(void)
{
    begin();
    pass(300 * MS);
    put(0x0b, 0x92);
    CU_ASSERT_EQUAL(get(0x0b), 0x82); /* SET going up takes UIE away */
    put(8, 0x02);
    put(7, 0x28);
    put(4, 0x23);
    put(2, 0x59);
    put(0, 0x58);
    pass(5 * SECOND);
    CU_ASSERT_EQUAL(time_of_month(), 0x0228235958);
    CU_ASSERT_EQUAL(get(0x0c) & 0x10, 0);
    put(0x0b, 2);
    pass(699 * MS);
    CU_ASSERT_EQUAL(time_of_month(), 0x0228235958);
    pass(1 * MS); /* the divider went on */
    CU_ASSERT_EQUAL(time_of_month(), 0x0228235959);
    pass(SECOND);
    CU_ASSERT_EQUAL(time_of_month(), 0x0301000000);
    CU_ASSERT_EQUAL(get(0x0c), 0x70); /* update, ticks, and the alarm at midnight */
    end();
}

/* As Linux sets it: the divider is reset, and begins in the middle of a second. */
static void the_divider_is_reset(void)
{
    begin();
    pass(900 * MS);
    put(0x0a, 0x76);
    (void)get(0x0c);
    pass(10 * SECOND);
    CU_ASSERT_EQUAL(get(0), 0);
    CU_ASSERT_EQUAL(get(0x0c), 0);
    CU_ASSERT_EQUAL(get(0x0a), 0x76);
    put(0x0a, 0x26);
    pass(499 * MS);
    CU_ASSERT_EQUAL(get(0), 0);
    pass(1 * MS);
    CU_ASSERT_EQUAL(get(0), 1);
    end();
}

static void other_forms(void)
{
    begin();
    put(0x0b, 0x84); /* binary, twelve hours */
    put(4, 0x8c);    /* noon */
    put(2, 59);
    put(0, 59);
    put(8, 12);
    put(7, 31);
    put(9, 26);
    put(0x32, 20);
    put(0x0b, 4);
    pass(SECOND);
    CU_ASSERT_EQUAL(get(4), 0x81);
    pass(11 * 3600 * SECOND);
    CU_ASSERT_EQUAL(get(4), 12);
    CU_ASSERT_EQUAL(get(9), 27);
    CU_ASSERT_EQUAL(get(8), 1);
    end();
}

static void it_interrupts_each_second(void)
{
    begin();
    pass(250 * MS);
    put(0x0b, 0x12);
    CU_ASSERT_EQUAL(w.wake_ns, START + SECOND);
    pass(749 * MS);
    CU_ASSERT_FALSE(w.high);
    pass(1 * MS);
    CU_ASSERT_TRUE(w.high);
    CU_ASSERT_EQUAL(w.wake_ns, INT64_MAX); /* it is told already */
    pass(10 * SECOND);
    CU_ASSERT_EQUAL(get(0x0c) & 0xb0, 0x90);
    CU_ASSERT_FALSE(w.high);
    CU_ASSERT_EQUAL(get(0x0c), 0);
    pass(SECOND);
    CU_ASSERT_TRUE(w.high);
    put(0x0b, 2);
    CU_ASSERT_FALSE(w.high);
    CU_ASSERT_EQUAL(get(0x0c) & 0x90, 0x10); /* its flag is set still */
    end();
}

static void it_ticks(void)
{
    static const struct {
        uint8_t rate;
        unsigned hz;
    } rates[] = { { 1, 256 }, { 2, 128 }, { 3, 8192 }, { 6, 1024 }, { 9, 128 }, { 15, 2 } };

    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        unsigned count = 0;

        begin();
        put(0x0a, (uint8_t)(0x20 | rates[i].rate));
        (void)get(0x0c);
        put(0x0b, 0x42);
        while (w.wake_ns <= START + 2 * SECOND) {
            pass(w.wake_ns - w.now_ns);
            CU_ASSERT_TRUE(w.high);
            CU_ASSERT_EQUAL(get(0x0c) & 0xc0, 0xc0);
            count++;
        }
        CU_ASSERT_EQUAL(count, 2 * rates[i].hz);
        put(0x0a, 0x20);
        CU_ASSERT_EQUAL(w.wake_ns, INT64_MAX);
        end();
    }
}

/* Also where nobody wants to be interrupted, and however late it is looked at. */
static void ticks_are_flagged(void)
{
    begin();
    put(0x0a, 0x2f);
    (void)get(0x0c);
    pass(499 * MS);
    CU_ASSERT_EQUAL(get(0x0c), 0);
    pass(1 * MS);
    CU_ASSERT_EQUAL(get(0x0c), 0x40);
    CU_ASSERT_EQUAL(get(0x0c), 0);
    pass(86400 * SECOND);
    CU_ASSERT_EQUAL(get(0x0c), 0x70); /* the alarm is at midnight */
    put(0x0a, 0x20);
    pass(SECOND);
    CU_ASSERT_EQUAL(get(0x0c), 0x10);
    end();
}

static void an_alarm_goes_off(void)
{
    begin();
    put(1, 0x30);
    put(3, 0x01);
    put(5, 0xff);
    put(0x0b, 0x22);
    CU_ASSERT_EQUAL(w.wake_ns, START + 90 * SECOND);
    pass(90 * SECOND - 1);
    CU_ASSERT_FALSE(w.high);
    pass(1);
    CU_ASSERT_TRUE(w.high);
    CU_ASSERT_EQUAL(get(0x0c) & 0xa0, 0xa0);
    CU_ASSERT_EQUAL(w.wake_ns, START + (90 + 3600) * SECOND); /* at any hour */
    put(0x0b, 0xa2);
    CU_ASSERT_EQUAL(w.wake_ns, INT64_MAX);
    end();
}

static void the_wall_clock_is_set(void)
{
    begin();
    pass(10 * SECOND);
    CU_ASSERT_EQUAL(get(0), 0x10);
    w.now_ns -= 1999 * MS;
    CU_ASSERT_EQUAL(get(0), 0x10); /* stands */
    w.now_ns += 2999 * MS;
    CU_ASSERT_EQUAL(get(0), 0x11);
    w.now_ns -= 5 * SECOND;
    CU_ASSERT_EQUAL(get(0), 0x06); /* follows */
    w.now_ns += 3600 * SECOND;
    CU_ASSERT_EQUAL(time_of_month(), 0x0101010006);
    w.now_ns -= 86400 * SECOND;
    CU_ASSERT_EQUAL(time_of_month(), 0x1231010006);
    CU_ASSERT_EQUAL(get(9), 0x25);
    end();
}

const struct unit_case unit_cases[] = {
    { "it shows the time", it_shows_the_time },
    { "an update is announced", an_update_is_announced },
    { "the guest sets the time", the_guest_sets_the_time },
    { "the divider is reset", the_divider_is_reset },
    { "binary, and twelve hours", other_forms },
    { "it interrupts each second", it_interrupts_each_second },
    { "it ticks at any rate", it_ticks },
    { "ticks are flagged for whoever polls", ticks_are_flagged },
    { "an alarm goes off", an_alarm_goes_off },
    { "the wall clock is set", the_wall_clock_is_set },
    { 0 },
};
