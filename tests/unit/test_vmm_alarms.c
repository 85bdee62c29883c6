/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_alarms: alarms that are due, not yet, no more, and more than there can be.
 */
#include <config.h>

#include "vmm-core/run/vmm_alarms.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { LONG_MS = 60000 };

static unsigned woken[2];

static void wake(void *context)
{
    (*(unsigned *)context)++;
}

/* Whether one goes off within this time. */
static bool goes_off(const struct vmm_alarms *alarms, int ms)
{
    struct pollfd poll_fd = { .fd = vmm_alarms_fd(alarms), .events = POLLIN };

    return poll(&poll_fd, 1, ms) == 1;
}

static struct vmm_alarms *make(unsigned numbers[2])
{
    struct vmm_alarms *alarms = NULL;

    woken[0] = woken[1] = 0;
    CU_ASSERT_EQUAL_FATAL(vmm_alarms_new(&alarms), 0);
    CU_ASSERT_EQUAL(vmm_alarms_add(alarms, CLOCK_REALTIME, wake, &woken[0], &numbers[0]), 0);
    CU_ASSERT_EQUAL(vmm_alarms_add(alarms, CLOCK_BOOTTIME, wake, &woken[1], &numbers[1]), 0);
    return alarms;
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec now = { 0 };

    (void)clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void each_wakes_its_own(void)
{
    unsigned numbers[2];
    struct vmm_alarms *alarms = make(numbers);
    int64_t at_ns = now_ns(CLOCK_REALTIME) + 20000000;

    CU_ASSERT_FALSE(goes_off(alarms, 0));
    vmm_alarms_fire(alarms); /* nobody's */
    vmm_alarms_set(alarms, numbers[0], at_ns);
    CU_ASSERT_TRUE(goes_off(alarms, LONG_MS));
    CU_ASSERT_TRUE(now_ns(CLOCK_REALTIME) >= at_ns);
    vmm_alarms_fire(alarms);
    CU_ASSERT_EQUAL(woken[0], 1);
    CU_ASSERT_EQUAL(woken[1], 0);
    CU_ASSERT_FALSE(goes_off(alarms, 0)); /* once */
    vmm_alarms_set(alarms, numbers[1], now_ns(CLOCK_BOOTTIME) + 1);
    CU_ASSERT_TRUE(goes_off(alarms, LONG_MS));
    vmm_alarms_fire(alarms);
    CU_ASSERT_EQUAL(woken[0], 1);
    CU_ASSERT_EQUAL(woken[1], 1);
    vmm_alarms_free(alarms);
}

static void the_past_is_now(void)
{
    static const int64_t past[] = { 1, 0, -5, INT64_MIN };
    unsigned numbers[2];
    struct vmm_alarms *alarms = make(numbers);

    for (unsigned i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
        vmm_alarms_set(alarms, numbers[1], past[i]);
        CU_ASSERT_TRUE(goes_off(alarms, LONG_MS));
        vmm_alarms_fire(alarms);
        CU_ASSERT_EQUAL(woken[1], i + 1);
    }
    vmm_alarms_free(alarms);
}

static void one_that_is_taken_back(void)
{
    unsigned numbers[2];
    struct vmm_alarms *alarms = make(numbers);

    vmm_alarms_set(alarms, numbers[0], 1);
    CU_ASSERT_TRUE(goes_off(alarms, LONG_MS));
    vmm_alarms_set(alarms, numbers[0], INT64_MAX);
    CU_ASSERT_FALSE(goes_off(alarms, 0));
    vmm_alarms_fire(alarms);
    CU_ASSERT_EQUAL(woken[0], 0);
    vmm_alarms_set(alarms, numbers[0], 1);
    vmm_alarms_set(alarms, numbers[0], INT64_MAX - 1); /* later instead */
    CU_ASSERT_FALSE(goes_off(alarms, 0));
    vmm_alarms_free(alarms);
}

static void others_are_watched(void)
{
    unsigned numbers[2], asked = 0;
    struct vmm_alarms *alarms = make(numbers);
    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    eventfd_t count;

    CU_ASSERT_EQUAL(vmm_alarms_watch(alarms, fd, wake, &asked), 0);
    CU_ASSERT_EQUAL(vmm_alarms_watch(alarms, fd, wake, &asked), -EEXIST);
    CU_ASSERT_EQUAL(vmm_alarms_watch(alarms, -1, wake, &asked), -EBADF);
    CU_ASSERT_FALSE(goes_off(alarms, 0));
    (void)eventfd_write(fd, 1);
    CU_ASSERT_TRUE(goes_off(alarms, LONG_MS));
    vmm_alarms_fire(alarms);
    CU_ASSERT_EQUAL(asked, 1);
    CU_ASSERT_EQUAL(woken[0] + woken[1], 0);
    CU_ASSERT_TRUE(goes_off(alarms, 0)); /* it was only asked */
    CU_ASSERT_EQUAL(eventfd_read(fd, &count), 0);
    CU_ASSERT_FALSE(goes_off(alarms, 0));
    vmm_alarms_free(alarms);
    close(fd);
}

static void too_many(void)
{
    struct vmm_alarms *alarms = NULL;
    unsigned number = 99;

    CU_ASSERT_EQUAL(vmm_alarms_new(&alarms), 0);
    CU_ASSERT_EQUAL(vmm_alarms_add(alarms, (clockid_t)1000, wake, woken, &number), -EINVAL);
    for (unsigned i = 0; i < VMM_ALARMS; i++) {
        CU_ASSERT_EQUAL(vmm_alarms_add(alarms, CLOCK_MONOTONIC, wake, woken, &number), 0);
        CU_ASSERT_EQUAL(number, i);
    }
    CU_ASSERT_EQUAL(vmm_alarms_add(alarms, CLOCK_MONOTONIC, wake, woken, &number), -ENOSPC);
    vmm_alarms_free(alarms);
    vmm_alarms_free(NULL);
    fail_alloc_arm(0);
    CU_ASSERT_EQUAL(vmm_alarms_new(&alarms), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
}

const struct unit_case unit_cases[] = {
    { "each wakes its own", each_wakes_its_own },
    { "the past is now", the_past_is_now },
    { "one that is taken back", one_that_is_taken_back },
    { "others are watched", others_are_watched },
    { "too many, and without memory", too_many },
    { 0 },
};
