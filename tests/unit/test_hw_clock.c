/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_clock: the host's clock is CLOCK_BOOTTIME and a test's own clock takes its place.
 */
#include <config.h>

#include "common/hw_clock.h"

#include "tests/unit/unit.h"

#include <stdbool.h>
#include <time.h>

static int64_t boottime_ns(void)
{
    struct timespec now = { 0 };

    CU_ASSERT_EQUAL_FATAL(clock_gettime(CLOCK_BOOTTIME, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void is_boottime(void)
{
    int64_t before = boottime_ns();
    int64_t now = hw_clock_now_ns(hw_clock_boottime());
    int64_t after = boottime_ns();

    CU_ASSERT_TRUE(before <= now);
    CU_ASSERT_TRUE(now <= after);
}

static void never_goes_back(void)
{
    int64_t last = hw_clock_now_ns(hw_clock_boottime());

    for (unsigned i = 0; i < 10000; i++) {
        int64_t now = hw_clock_now_ns(hw_clock_boottime());

        CU_ASSERT_TRUE_FATAL(now >= last);
        last = now;
    }
}

static int64_t fixed_now_ns(void *context)
{
    return *(int64_t *)context;
}

static void can_be_replaced(void)
{
    int64_t now_ns = 0;
    struct hw_clock clock = { .now_ns = fixed_now_ns, .context = &now_ns };
    static const struct {
        int64_t ns, ms;
    } expected[] = {
        { 0, 0 }, { 999999, 0 }, { 1000000, 1 }, { 1999999, 1 }, { -1, -1 }, { -1000000, -1 },
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        now_ns = expected[i].ns;
        CU_ASSERT_EQUAL(hw_clock_now_ns(&clock), expected[i].ns);
        CU_ASSERT_EQUAL(hw_clock_now_ms(&clock), expected[i].ms);
    }
}

const struct unit_case unit_cases[] = {
    { "the host's clock is CLOCK_BOOTTIME", is_boottime },
    { "the host's clock never goes back", never_goes_back },
    { "a test's clock takes its place, milliseconds round down", can_be_replaced },
    { 0 },
};
