/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/vhost/vh_event: an eventfd whose other end does its worst. A test that would wait for
 * ever is ended by SIGALRM, and the case is red.
 */
#include <config.h>

#include "storage/vhost/vh_event.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/fail_syscall.h"
#include "tests/unit/unit.h"

enum { STUCK_S = 10 };

static volatile sig_atomic_t stuck;

static void alarmed(int number)
{
    (void)number;
    stuck = 1; /* and what waits ends: no SA_RESTART */
}

static void watch_out(void)
{
    const struct sigaction action = { .sa_handler = alarmed };

    stuck = 0;
    CU_ASSERT_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    (void)alarm(STUCK_S);
}

static void was_not_stuck(void)
{
    (void)alarm(0);
    CU_ASSERT_FALSE(stuck);
}

static struct vh_events *begin(void)
{
    struct vh_events *events = NULL;

    CU_ASSERT_EQUAL_FATAL(vh_events_new(&events), 0);
    watch_out();
    return events;
}

static void end(struct vh_events *events)
{
    was_not_stuck();
    vh_events_free(events);
}

/* --- cases --- */

static void counts(void)
{
    struct vh_events *events = begin();
    int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);
    eventfd_t count;

    for (unsigned i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(vh_events_signal(events, fd), 0);
    CU_ASSERT_EQUAL(eventfd_read(other, &count), -1);
    CU_ASSERT_EQUAL(eventfd_read(fd, &count), 0);
    CU_ASSERT_EQUAL(count, 1000); /* none is missing */
    close(fd);
    close(other);
    CU_ASSERT_EQUAL(vh_events_signal(events, fd), -EBADF); /* nobody's */
    end(events);
}

/* Blocking and full, as a client can make it after it was handed over. */
static void never_waits_to_signal(void)
{
    struct vh_events *events = begin();
    int fd = eventfd(0, 0);
    eventfd_t count;

    CU_ASSERT_EQUAL(eventfd_write(fd, UINT64_MAX - 1), 0);
    for (unsigned i = 0; i < 1000; i++)
        vh_events_signal(events, fd);
    CU_ASSERT_EQUAL(eventfd_read(fd, &count), 0);
    CU_ASSERT_TRUE(count >= UINT64_MAX - 1);
    vh_events_signal(events, fd); /* and works again */
    CU_ASSERT_EQUAL(eventfd_read(fd, &count), 0);
    CU_ASSERT_EQUAL(count, 1);
    close(fd);
    end(events);
}

static void never_waits_to_take(void)
{
    int fd = eventfd(3, 0);

    watch_out();
    CU_ASSERT_EQUAL(vh_event_take(fd), 0);
    CU_ASSERT_EQUAL(vh_event_take(fd), -EAGAIN);
    CU_ASSERT_EQUAL(vh_event_take(-1), -EBADF);
    was_not_stuck();
    close(fd);
}

static void knows_eventfds(void)
{
    struct vh_events *events = begin();
    int ends[2], fd = eventfd(0, EFD_NONBLOCK), semaphore = eventfd(5, EFD_SEMAPHORE);
    int others[5] = { memfd_create("unit", MFD_CLOEXEC), timerfd_create(CLOCK_MONOTONIC, 0),
                      epoll_create1(0) };
    eventfd_t count;

    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    others[3] = ends[0];
    others[4] = ends[1];
    CU_ASSERT_TRUE(vh_events_knows(events, fd));
    CU_ASSERT_TRUE(vh_events_knows(events, semaphore));
    CU_ASSERT_EQUAL(eventfd_read(fd, &count), -1); /* was not signalled */
    CU_ASSERT_FALSE(vh_events_knows(events, -1));
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_FALSE(vh_events_knows(events, others[i]));
        close(others[i]);
    }
    close(fd);
    close(semaphore);
    end(events);
}

static void lacks_memory(void)
{
    struct vh_events *events;

    fail_alloc_arm(0);
    CU_ASSERT_EQUAL(vh_events_new(&events), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
    vh_events_free(NULL);
}

/* The kernel does not take a signal, also not the second time: that is told. */
static void tells_of_a_lost_signal(void)
{
    struct vh_events *events = begin();
    int fd = eventfd(0, EFD_NONBLOCK);
    eventfd_t count;

    fail_syscall_arm(SYS_io_submit, EAGAIN);
    CU_ASSERT_EQUAL(vh_events_signal(events, fd), -EAGAIN);
    CU_ASSERT_EQUAL(fail_syscall_disarm(), 2);
    CU_ASSERT_EQUAL(eventfd_read(fd, &count), -1);
    CU_ASSERT_EQUAL(vh_events_signal(events, fd), 0);
    CU_ASSERT_EQUAL(eventfd_read(fd, &count), 0);
    close(fd);
    end(events);
}

/* A host where one of the calls does not work is told at once, with what to do about it. */
static void says_what_is_missing(void)
{
    static const struct {
        long number;
        int error, rc;
        const char *object, *remedy;
    } cases[] = {
        { SYS_io_setup, EAGAIN, -EAGAIN, "asynchronous I/O", "fs.aio-max-nr" },
        { SYS_io_setup, ENOSYS, -ENOSYS, "asynchronous I/O", "CONFIG_AIO" },
        { SYS_io_setup, EPERM, -EPERM, "asynchronous I/O", "seccomp" },
        { SYS_io_setup, ENOMEM, -ENOMEM, "memory", "" },
        { SYS_io_submit, EPERM, -EPERM, "asynchronous I/O", "io_submit" },
        { SYS_io_submit, EINVAL, -EOPNOTSUPP, "event descriptors", "5.8" }, /* no poll in it */
        { SYS_io_getevents, EPERM, -EPERM, "asynchronous I/O", "io_getevents" },
        { SYS_preadv2, EOPNOTSUPP, -EOPNOTSUPP, "event descriptors", "Linux 5.8" },
        { SYS_preadv2, EPERM, -EPERM, "asynchronous I/O", "preadv2" },
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vh_events *events = NULL;
        struct hw_error error = { 0 };
        int rc;

        fail_syscall_arm(cases[i].number, cases[i].error);
        rc = vh_events_new(&events);
        CU_ASSERT_TRUE(fail_syscall_disarm() > 0);
        CU_ASSERT_EQUAL(rc, cases[i].rc);
        CU_ASSERT_PTR_NULL_FATAL(events);
        CU_ASSERT_EQUAL(vh_events_error(rc, &error), rc);
        CU_ASSERT_STRING_EQUAL(error.object, cases[i].object);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.remedy, cases[i].remedy));
        CU_ASSERT_EQUAL(error.remedy[0] == '\0', cases[i].remedy[0] == '\0');
    }
}

const struct unit_case unit_cases[] = {
    { "each signal counts, and nobody else's", counts },
    { "a full counter that blocks does not stall who signals", never_waits_to_signal },
    { "an empty counter that blocks does not stall who takes", never_waits_to_take },
    { "an eventfd is told from all else, and not signalled", knows_eventfds },
    { "a signal that is not taken is told", tells_of_a_lost_signal },
    { "a host that cannot is told what it lacks", says_what_is_missing },
    { "without memory there is none", lacks_memory },
    { 0 },
};
