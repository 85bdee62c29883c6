/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real-time clock under a wall clock that stands until it is told to go on, for the tests of it.
 */
#ifndef CMOS_CASE_H
#define CMOS_CASE_H

#include "vmm-core/machine/vmm_cmos.h"

#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)
#define START  (INT64_C(1767225600) * SECOND) /* Thursday 2026-01-01T00:00:00Z */

struct world {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    struct vmm_cmos *cmos;
    bool high;
    int64_t now_ns, wake_ns;
};

extern struct world w;
extern const struct vmm_cmos_battery *cmos_battery; /* of the device that is made; NULL: none */

/* The device of a machine with this memory, at START. 0 or -errno. */
int make_with(uint64_t low_bytes, uint64_t high_bytes);
int make(void); /* with 128 MiB */
void begin(void);
/* It leaves its ports, and wants no more wake-ups. */
void end(void);
/* A register of it. */
uint8_t get(uint8_t at);
void put(uint8_t at, uint8_t value);
/* Month to seconds, as BCD. */
uint64_t time_of_month(void);
/* The wall clock goes on; whoever asked to be woken in between is. */
void pass(int64_t ns);

#endif
