/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monotonic time that counts suspend (CLOCK_BOOTTIME), handed about as an object so that tests
 * can replace it. Never wall-clock time; never compared between hosts.
 */
#ifndef HW_CLOCK_H
#define HW_CLOCK_H

#include <stdint.h>

/* A source of time. `now_ns` never blocks and never goes back. */
struct hw_clock {
    int64_t (*now_ns)(void *context);
    void *context;
};

/* The host's CLOCK_BOOTTIME, in nanoseconds. */
const struct hw_clock *hw_clock_boottime(void);
/* Now, in nanoseconds. */
int64_t hw_clock_now_ns(const struct hw_clock *clock);
/* Now, in milliseconds, rounded down. */
int64_t hw_clock_now_ms(const struct hw_clock *clock);

#endif
