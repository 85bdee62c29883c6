/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_rtc: the calendar against the C library's, in all four forms, and alarms
 * against a clock that is watched second by second.
 */
#include <config.h>

#include "vmm-core/machine/vmm_rtc.h"

#include <string.h>
#include <time.h>

#include "common/hw_prng.h"
#include "tests/unit/unit.h"

enum { DAY = 86400 };

static const uint8_t forms[] = { 0, VMM_RTC_B_24_HOURS, VMM_RTC_B_BINARY,
                                 VMM_RTC_B_24_HOURS | VMM_RTC_B_BINARY };
enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

static uint8_t ram[VMM_RTC_BYTES];

static void begin(uint8_t form, int64_t since_1970_s)
{
    memset(ram, 0, sizeof(ram));
    ram[VMM_RTC_B] = form;
    vmm_rtc_set(ram, since_1970_s);
}

static uint8_t in_form(int value)
{
    return (uint8_t)((ram[VMM_RTC_B] & VMM_RTC_B_BINARY) != 0 ? value
                                                              : value / 10 * 16 + value % 10);
}

static uint8_t hour_in_form(int hour)
{
    const int half = hour > 12 ? hour - 12 : hour == 0 ? 12 : hour;

    return (ram[VMM_RTC_B] & VMM_RTC_B_24_HOURS) != 0
               ? in_form(hour)
               : (uint8_t)(in_form(half) + (hour > 11 ? 0x80 : 0));
}

/* Whether the registers show this time of UTC. */
static bool shows(int64_t since_1970_s)
{
    const time_t at = since_1970_s;
    struct tm tm;

    (void)gmtime_r(&at, &tm);
    return ram[VMM_RTC_SECONDS] == in_form(tm.tm_sec) &&
           ram[VMM_RTC_MINUTES] == in_form(tm.tm_min) &&
           ram[VMM_RTC_HOURS] == hour_in_form(tm.tm_hour) &&
           ram[VMM_RTC_WEEKDAY] == tm.tm_wday + 1 && ram[VMM_RTC_DAY] == in_form(tm.tm_mday) &&
           ram[VMM_RTC_MONTH] == in_form(tm.tm_mon + 1) &&
           ram[VMM_RTC_YEAR] == in_form(tm.tm_year % 100) &&
           ram[VMM_RTC_CENTURY] == in_form((tm.tm_year + 1900) / 100);
}

/* 2000-02-28T23:59:59 */
#define LEAP_DAY INT64_C(951782399)

static void known_dates(void)
{
    begin(VMM_RTC_B_24_HOURS, LEAP_DAY);
    CU_ASSERT_EQUAL(memcmp(ram, "\x59\0\x59\0\x23\0\x02\x28\x02\0", 10), 0); /* a Monday */
    CU_ASSERT_EQUAL(ram[VMM_RTC_CENTURY], 0x20);
    CU_ASSERT_TRUE(vmm_rtc_pass(ram, 1));
    CU_ASSERT_EQUAL(memcmp(ram, "\0\0\0\0\0\0\x03\x29\x02\0", 10), 0);
    CU_ASSERT_TRUE(vmm_rtc_pass(ram, -1));
    CU_ASSERT_TRUE(shows(LEAP_DAY));
    begin(0, 12 * 3600);
    CU_ASSERT_EQUAL(ram[VMM_RTC_HOURS], 0x92);
    CU_ASSERT_TRUE(vmm_rtc_pass(ram, 12 * 3600));
    CU_ASSERT_EQUAL(ram[VMM_RTC_HOURS], 0x12);
}

static void as_the_library_has_it(void)
{
    struct hw_prng prng = hw_prng_seeded(7);

    for (unsigned i = 0; i < 4000; i++) {
        const int64_t from = (int64_t)hw_prng_below(&prng, INT64_C(250000000000));
        const int64_t to = i % 2 == 0 ? (int64_t)hw_prng_below(&prng, INT64_C(250000000000))
                                      : from + (int64_t)hw_prng_below(&prng, 3 * DAY);
        bool good;

        begin(forms[i % FORMS], from);
        good = shows(from) && vmm_rtc_pass(ram, to - from) && shows(to);
        CU_ASSERT_TRUE(good);
    }
}

static void the_last_year_is_followed_by_the_first(void)
{
    begin(VMM_RTC_B_24_HOURS, INT64_C(253402300799)); /* 9999-12-31T23:59:59 */
    CU_ASSERT_EQUAL(memcmp(ram, "\x59\0\x59\0\x23\0\x06\x31\x12\x99", 10), 0);
    CU_ASSERT_TRUE(vmm_rtc_pass(ram, 1));
    CU_ASSERT_EQUAL(memcmp(ram, "\0\0\0\0\0\0\x07\x01\x01\0", 10), 0);
    CU_ASSERT_EQUAL(ram[VMM_RTC_CENTURY], 0);
    CU_ASSERT_TRUE(vmm_rtc_pass(ram, -1));
    CU_ASSERT_EQUAL(ram[VMM_RTC_CENTURY], 0x99);
}

/* What the guest wrote there is none: nothing moves; a weekday or century that is none stays. */
static void what_is_no_date(void)
{
    static const struct {
        uint8_t at, value;
    } wrong[] = { { VMM_RTC_SECONDS, 0x60 }, { VMM_RTC_MINUTES, 0x5a }, { VMM_RTC_HOURS, 0x24 },
                  { VMM_RTC_HOURS, 0x92 },   { VMM_RTC_DAY, 0 },        { VMM_RTC_DAY, 0x32 },
                  { VMM_RTC_MONTH, 0x13 },   { VMM_RTC_MONTH, 0 },      { VMM_RTC_YEAR, 0xa0 } };
    uint8_t before[VMM_RTC_BYTES];

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        begin(VMM_RTC_B_24_HOURS, LEAP_DAY);
        ram[wrong[i].at] = wrong[i].value;
        memcpy(before, ram, sizeof(ram));
        CU_ASSERT_FALSE(vmm_rtc_pass(ram, 1));
        CU_ASSERT_EQUAL(memcmp(before, ram, sizeof(ram)), 0);
    }
    begin(0, LEAP_DAY);
    ram[VMM_RTC_HOURS] = 0x80; /* no such hour of twelve */
    CU_ASSERT_FALSE(vmm_rtc_pass(ram, 1));
    begin(VMM_RTC_B_24_HOURS, LEAP_DAY);
    ram[VMM_RTC_CENTURY] = 0xff;
    ram[VMM_RTC_WEEKDAY] = 9;
    CU_ASSERT_TRUE(vmm_rtc_pass(ram, 1));
    CU_ASSERT_EQUAL(ram[VMM_RTC_DAY], 0x29);
    CU_ASSERT_EQUAL(ram[VMM_RTC_CENTURY], 0xff);
    CU_ASSERT_EQUAL(ram[VMM_RTC_WEEKDAY], 9);
}

/* By stepping; 0: not within a day. */
static unsigned watched(void)
{
    uint8_t watch[VMM_RTC_BYTES];

    memcpy(watch, ram, sizeof(watch));
    for (unsigned i = 1; i <= DAY; i++) {
        bool equal = vmm_rtc_pass(watch, 1);

        for (unsigned at = 0; at <= VMM_RTC_HOURS; at += 2)
            equal = equal && (watch[at] == watch[at + 1] || watch[at + 1] >= 0xc0);
        if (equal)
            return i;
    }
    return 0;
}

static void alarms(void)
{
    struct hw_prng prng = hw_prng_seeded(11);

    for (unsigned i = 0; i < 120; i++) {
        begin(forms[i % FORMS], (int64_t)hw_prng_below(&prng, 30 * DAY));
        ram[VMM_RTC_SECONDS_ALARM] = in_form((int)hw_prng_below(&prng, 60));
        ram[VMM_RTC_MINUTES_ALARM] = in_form((int)hw_prng_below(&prng, 60));
        ram[VMM_RTC_HOURS_ALARM] = hour_in_form((int)hw_prng_below(&prng, 24));
        for (unsigned at = 1; at <= VMM_RTC_HOURS_ALARM; at += 2)
            if (hw_prng_below(&prng, 3) == 0)
                ram[at] = (uint8_t)(0xc0 + hw_prng_below(&prng, 64));
        CU_ASSERT_EQUAL(vmm_rtc_until_alarm(ram), watched());
        CU_ASSERT_NOT_EQUAL(vmm_rtc_until_alarm(ram), 0);
    }
}

static void alarms_at_the_edge(void)
{
    begin(VMM_RTC_B_24_HOURS, DAY - 1);
    CU_ASSERT_EQUAL(vmm_rtc_until_alarm(ram), 1);
    begin(VMM_RTC_B_24_HOURS, 0);
    CU_ASSERT_EQUAL(vmm_rtc_until_alarm(ram), DAY);
    begin(VMM_RTC_B_24_HOURS, DAY - 1);
    for (unsigned at = 0; at <= VMM_RTC_HOURS; at += 2)
        ram[at + 1] = ram[at];
    CU_ASSERT_EQUAL(vmm_rtc_until_alarm(ram), DAY);
    for (unsigned at = 1; at <= VMM_RTC_HOURS_ALARM; at += 2) {
        begin(VMM_RTC_B_24_HOURS, 0);
        ram[at] = 0xbf;
        CU_ASSERT_EQUAL(vmm_rtc_until_alarm(ram), 0);
    }
    begin(VMM_RTC_B_24_HOURS, 0);
    ram[VMM_RTC_MINUTES] = 0xff;
    CU_ASSERT_EQUAL(vmm_rtc_until_alarm(ram), 0);
}

const struct unit_case unit_cases[] = {
    { "known dates", known_dates },
    { "any date, as the C library has it", as_the_library_has_it },
    { "the year after 9999", the_last_year_is_followed_by_the_first },
    { "what is no date stands", what_is_no_date },
    { "alarms, as a watch sees them", alarms },
    { "alarms at midnight, and never", alarms_at_the_edge },
    { 0 },
};
