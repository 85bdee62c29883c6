/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timerfd for each alarm, all in one epoll.
 */
#include "config.h"

#include "vmm-core/run/vmm_alarms.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

struct alarm {
    int fd;
    int flags; /* of timerfd_settime() */
    void (*wake)(void *context);
    void *context;
};

struct watched {
    void (*ready)(void *context);
    void *context;
};

struct vmm_alarms {
    int fd;
    unsigned count;
    struct alarm alarms[VMM_ALARMS];
    unsigned watched_count;
    struct watched watched[VMM_ALARMS_WATCHED];
};

int vmm_alarms_new(struct vmm_alarms **ret_alarms)
{
    struct vmm_alarms *alarms = calloc(1, sizeof(*alarms));

    if (alarms == NULL)
        return -ENOMEM;
    alarms->fd = epoll_create1(EPOLL_CLOEXEC);
    if (alarms->fd < 0) {
        const int code = errno;

        free(alarms);
        return -code;
    }
    *ret_alarms = alarms;
    return 0;
}

void vmm_alarms_free(struct vmm_alarms *alarms)
{
    if (alarms == NULL)
        return;
    for (unsigned i = 0; i < alarms->count; i++)
        (void)close(alarms->alarms[i].fd);
    (void)close(alarms->fd);
    free(alarms);
}

int vmm_alarms_add(struct vmm_alarms *alarms, clockid_t clock, void (*wake)(void *context),
                   void *context, unsigned *ret_number)
{
    struct epoll_event event = { .events = EPOLLIN };
    struct alarm alarm = { .flags = TFD_TIMER_ABSTIME, .wake = wake, .context = context };

    if (alarms->count == VMM_ALARMS)
        return -ENOSPC;
    if (clock == CLOCK_REALTIME)
        alarm.flags |= TFD_TIMER_CANCEL_ON_SET;
    alarm.fd = timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK);
    if (alarm.fd < 0)
        return -errno;
    if (epoll_ctl(alarms->fd, EPOLL_CTL_ADD, alarm.fd, &event) < 0) {
        const int code = errno;

        (void)close(alarm.fd);
        return -code;
    }
    *ret_number = alarms->count;
    alarms->alarms[alarms->count++] = alarm;
    return 0;
}

int vmm_alarms_watch(struct vmm_alarms *alarms, int fd, void (*ready)(void *context), void *context)
{
    struct epoll_event event = { .events = EPOLLIN };

    if (alarms->watched_count == VMM_ALARMS_WATCHED)
        return -ENOSPC;
    if (epoll_ctl(alarms->fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    alarms->watched[alarms->watched_count++] = (struct watched) { ready, context };
    return 0;
}

/* A time of 0 would mean never. */
void vmm_alarms_set(struct vmm_alarms *alarms, unsigned number, int64_t at_ns)
{
    const struct alarm *alarm = &alarms->alarms[number];
    struct itimerspec at = { 0 };

    if (at_ns != INT64_MAX) {
        at.it_value.tv_sec = at_ns > 0 ? at_ns / SECOND : 0;
        at.it_value.tv_nsec = at_ns > 0 ? at_ns % SECOND : 1;
    }
    (void)timerfd_settime(alarm->fd, alarm->flags, &at, NULL);
}

int vmm_alarms_fd(const struct vmm_alarms *alarms)
{
    return alarms->fd;
}

void vmm_alarms_fire(struct vmm_alarms *alarms)
{
    for (unsigned i = 0; i < alarms->count; i++) {
        const struct alarm *alarm = &alarms->alarms[i];
        uint64_t times;

        if (read(alarm->fd, &times, sizeof(times)) == sizeof(times) || errno == ECANCELED)
            alarm->wake(alarm->context);
    }
    for (unsigned i = 0; i < alarms->watched_count; i++)
        alarms->watched[i].ready(alarms->watched[i].context);
}
