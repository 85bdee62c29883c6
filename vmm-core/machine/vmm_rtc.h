/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calendar in the registers of a real-time clock (Motorola MC146818A data sheet, "Time,
 * Calendar, and Alarm Locations"), in whichever form register B asks for: BCD or binary, 12 or 24
 * hours. The registers themselves are the time; what is done to them is to let seconds pass. Pure.
 */
#ifndef VMM_RTC_H
#define VMM_RTC_H

#include <stdbool.h>
#include <stdint.h>

enum { VMM_RTC_BYTES = 128 }; /* all that the index reaches: registers, then memory */

enum vmm_rtc_register {
    VMM_RTC_SECONDS,
    VMM_RTC_SECONDS_ALARM,
    VMM_RTC_MINUTES,
    VMM_RTC_MINUTES_ALARM,
    VMM_RTC_HOURS,
    VMM_RTC_HOURS_ALARM,
    VMM_RTC_WEEKDAY, /* 1: Sunday */
    VMM_RTC_DAY,
    VMM_RTC_MONTH,
    VMM_RTC_YEAR,
    VMM_RTC_A,
    VMM_RTC_B,
    VMM_RTC_C,
    VMM_RTC_D,
    VMM_RTC_CENTURY = 0x32, /* not the chip's; named in the FADT (ACPI 6.5, 5.2.9) */
};

enum { VMM_RTC_B_24_HOURS = 2, VMM_RTC_B_BINARY = 4 };

/* The registers show this many seconds since 1970, UTC; 0 or more, and before the year 10000. */
void vmm_rtc_set(uint8_t registers[VMM_RTC_BYTES], int64_t since_1970_s);
/*
 * So many seconds pass, or are taken back; the year after 9999 is 0. False: the registers hold no
 * date, and stay as they are. A century that is none counts as 20 and stays.
 */
bool vmm_rtc_pass(uint8_t registers[VMM_RTC_BYTES], int64_t seconds);
/* Seconds until the time next equals the alarm's, 1 to 86400; 0: it never will. */
unsigned vmm_rtc_until_alarm(const uint8_t registers[VMM_RTC_BYTES]);

#endif
