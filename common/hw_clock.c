/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's clock behind struct hw_clock. CLOCK_BOOTTIME because a lease must also run out while
 * a host is suspended. Must not be called by core files: they get the time with the event.
 */
#include <config.h>

#include "common/hw_clock.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

static int64_t boottime_now_ns(void *context)
{
    struct timespec now;

    (void)context;
    /* cannot fail on Linux since 2.6.39; a host without a clock can prove nothing, so stop */
    if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
        abort();
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const struct hw_clock *hw_clock_boottime(void)
{
    static const struct hw_clock boottime = { .now_ns = boottime_now_ns, .context = NULL };

    return &boottime;
}

int64_t hw_clock_now_ns(const struct hw_clock *clock)
{
    return clock->now_ns(clock->context);
}

int64_t hw_clock_now_ms(const struct hw_clock *clock)
{
    int64_t now_ns = clock->now_ns(clock->context);
    int64_t now_ms = now_ns / 1000000;

    /* division truncates towards zero; a test's clock may stand before 0 */
    if (now_ns % 1000000 < 0)
        now_ms--;
    return now_ms;
}
