/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers to a count of seconds since the first day of year 0 and back. The calendar is the
 * Gregorian one all the way down; its 400 years repeat.
 */
#include "config.h"

#include "vmm-core/machine/vmm_rtc.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, MONTHS = 12, WEEKDAYS = 7 };
enum { YEARS = 10000, YEARS_DAYS = 3652425, CYCLE_YEARS = 400, CYCLE_DAYS = 146097 };
enum { DAYS_TO_1970 = 719528, WEEKDAY_OF_1970 = 4, CENTURY_IF_NONE = 20 };
enum { PM = 0x80, ANY = 0xc0, NONE = -1 };

/* --- one register --- */

static uint8_t encode(const uint8_t *registers, int value)
{
    if ((registers[VMM_RTC_B] & VMM_RTC_B_BINARY) != 0)
        return (uint8_t)value;
    return (uint8_t)(value / 10 << 4 | value % 10);
}

static uint8_t encode_hour(const uint8_t *registers, int hour)
{
    const int half = hour % 12 == 0 ? 12 : hour % 12;

    if ((registers[VMM_RTC_B] & VMM_RTC_B_24_HOURS) != 0)
        return encode(registers, hour);
    return (uint8_t)(encode(registers, half) | (hour >= 12 ? PM : 0));
}

/* From `least` to `most`, or NONE. */
static int decode(const uint8_t *registers, uint8_t byte, int least, int most)
{
    int value = byte;

    if ((registers[VMM_RTC_B] & VMM_RTC_B_BINARY) == 0) {
        if ((byte & 15) > 9 || byte >> 4 > 9)
            return NONE;
        value = (byte >> 4) * 10 + (byte & 15);
    }
    return value >= least && value <= most ? value : NONE;
}

static int decode_hour(const uint8_t *registers, uint8_t byte)
{
    int half;

    if ((registers[VMM_RTC_B] & VMM_RTC_B_24_HOURS) != 0)
        return decode(registers, byte, 0, 23);
    half = decode(registers, byte & (uint8_t)~PM, 1, 12);
    return half == NONE ? NONE : half % 12 + ((byte & PM) != 0 ? 12 : 0);
}

/* Seconds since midnight, or NONE. */
static int decode_time(const uint8_t *registers)
{
    const int hour = decode_hour(registers, registers[VMM_RTC_HOURS]);
    const int minute = decode(registers, registers[VMM_RTC_MINUTES], 0, 59);
    const int second = decode(registers, registers[VMM_RTC_SECONDS], 0, 59);

    if (hour == NONE || minute == NONE || second == NONE)
        return NONE;
    return hour * HOUR + minute * MINUTE + second;
}

/* --- the calendar --- */

static bool leaps(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Year 0 is a leap year. */
static int days_before_year(int year)
{
    return year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

/* `month` from 1. */
static int days_of_month(int year, int month)
{
    if (month == 2)
        return leaps(year) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Days since the first of year 0, or NONE. */
static int decode_date(const uint8_t *registers)
{
    const int century = decode(registers, registers[VMM_RTC_CENTURY], 0, 99);
    const int year_of = decode(registers, registers[VMM_RTC_YEAR], 0, 99);
    const int year = (century == NONE ? CENTURY_IF_NONE : century) * 100 + year_of;
    const int month = decode(registers, registers[VMM_RTC_MONTH], 1, MONTHS);
    const int day = decode(registers, registers[VMM_RTC_DAY], 1, 31);
    int days;

    if (year_of == NONE || month == NONE || day == NONE)
        return NONE;
    days = days_before_year(year) + day - 1;
    for (int i = 1; i < month; i++)
        days += days_of_month(year, i);
    return days;
}

static void encode_date(uint8_t *registers, int days)
{
    int year = (int)((int64_t)days * CYCLE_YEARS / CYCLE_DAYS);
    int month = 1;

    while (days < days_before_year(year))
        year--;
    while (days >= days_before_year(year + 1))
        year++;
    days -= days_before_year(year);
    while (days >= days_of_month(year, month))
        days -= days_of_month(year, month++);
    if (decode(registers, registers[VMM_RTC_CENTURY], 0, 99) != NONE)
        registers[VMM_RTC_CENTURY] = encode(registers, year / 100);
    registers[VMM_RTC_YEAR] = encode(registers, year % 100);
    registers[VMM_RTC_MONTH] = encode(registers, month);
    registers[VMM_RTC_DAY] = encode(registers, days + 1);
}

static void encode_time(uint8_t *registers, int time)
{
    registers[VMM_RTC_HOURS] = encode_hour(registers, time / HOUR);
    registers[VMM_RTC_MINUTES] = encode(registers, time % HOUR / MINUTE);
    registers[VMM_RTC_SECONDS] = encode(registers, time % MINUTE);
}

/* A weekday counts by itself, from wherever it was set. */
static void pass_weekdays(uint8_t *registers, int64_t days)
{
    const int weekday = decode(registers, registers[VMM_RTC_WEEKDAY], 1, WEEKDAYS);
    const int passed = (int)(days % WEEKDAYS) + WEEKDAYS;

    if (weekday != NONE)
        registers[VMM_RTC_WEEKDAY] = (uint8_t)((weekday - 1 + passed) % WEEKDAYS + 1);
}

/* Rounded down, also below 0. */
static int64_t whole(int64_t value, int64_t unit)
{
    return value / unit - (value % unit < 0 ? 1 : 0);
}

void vmm_rtc_set(uint8_t registers[VMM_RTC_BYTES], int64_t since_1970_s)
{
    const int64_t days = since_1970_s / DAY;

    registers[VMM_RTC_CENTURY] = encode(registers, CENTURY_IF_NONE);
    encode_date(registers, (int)(DAYS_TO_1970 + days));
    encode_time(registers, (int)(since_1970_s % DAY));
    registers[VMM_RTC_WEEKDAY] = (uint8_t)((WEEKDAY_OF_1970 + days) % WEEKDAYS + 1);
}

bool vmm_rtc_pass(uint8_t registers[VMM_RTC_BYTES], int64_t seconds)
{
    const int date = decode_date(registers), time = decode_time(registers);
    int64_t days;

    if (date == NONE || time == NONE)
        return false;
    days = whole(seconds + time, DAY);
    encode_time(registers, (int)(seconds + time - days * DAY));
    pass_weekdays(registers, days);
    days = (date + days) % YEARS_DAYS;
    encode_date(registers, (int)(days < 0 ? days + YEARS_DAYS : days));
    return true;
}

/* --- the alarm --- */

/* The first value from `from` on that the alarm's byte stands for; `end`: none. */
static int first_match(const uint8_t *registers, enum vmm_rtc_register alarm, int from, int end)
{
    const uint8_t byte = registers[alarm];

    while (from < end && (byte & ANY) != ANY &&
           byte != (alarm == VMM_RTC_HOURS_ALARM ? encode_hour(registers, from)
                                                 : encode(registers, from)))
        from++;
    return from;
}

/* The first second of the day from `time` on at which it goes off; DAY: none. */
static int first_alarm(const uint8_t *registers, int time)
{
    const int from_hour = time / HOUR, from_minute = time / MINUTE;

    for (int hour = first_match(registers, VMM_RTC_HOURS_ALARM, from_hour, 24); hour < 24;
         hour = first_match(registers, VMM_RTC_HOURS_ALARM, hour + 1, 24)) {
        int minute = hour == from_hour ? from_minute % 60 : 0;

        while ((minute = first_match(registers, VMM_RTC_MINUTES_ALARM, minute, 60)) < 60) {
            const int start = hour * 60 + minute == from_minute ? time % MINUTE : 0;
            const int second = first_match(registers, VMM_RTC_SECONDS_ALARM, start, 60);

            if (second < 60)
                return hour * HOUR + minute * MINUTE + second;
            minute++;
        }
    }
    return DAY;
}

unsigned vmm_rtc_until_alarm(const uint8_t registers[VMM_RTC_BYTES])
{
    const int time = decode_time(registers);
    int at;

    if (time == NONE || first_match(registers, VMM_RTC_SECONDS_ALARM, 0, 60) == 60)
        return 0; /* also spares the search below its worst case */
    at = first_alarm(registers, (time + 1) % DAY);
    if (at < DAY)
        return (unsigned)(at > time ? at - time : at + DAY - time);
    at = first_alarm(registers, 0);
    return at < DAY ? (unsigned)(at + DAY - time) : 0;
}
