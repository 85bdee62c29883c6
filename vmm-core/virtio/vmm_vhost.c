/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has the rings, and what follows from what the device wants and the server does. The front end
 * is driven from vmm_vhost_service() alone, whoever wants something leaves it in `wanted` and
 * `resetting`; each event, and each call, brings the link one step further (advance()).
 */
#include "config.h"

#include "vmm-core/virtio/vmm_vhost_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { RECONNECT_MS = 50, EVENTS = VH_QUEUES + 3, COMPLAINTS = 4 };

/* --- people, timer --- */

static void tell(struct vmm_vhost *link, const char *what, const char *then)
{
    char line[VMM_VHOST_TEXT_BYTES];

    (void)snprintf(line, sizeof(line), "%s: %s%s", link->path, what, then);
    if (link->attached)
        link->callbacks.tell(link->callbacks.context, line);
}

/* Not the same thing again at each try, nor many things. */
static void complain(struct vmm_vhost *link, const char *text)
{
    if (link->complaints == COMPLAINTS || strcmp(link->told, text) == 0)
        return;
    link->complaints++;
    (void)snprintf(link->told, sizeof(link->told), "%s", text);
    tell(link, text, link->away ? "" : "; the guest waits until it is back");
    link->away = true;
}

static void come_back(struct vmm_vhost *link)
{
    if (link->away)
        tell(link, "is back", "");
    link->away = false;
    link->complaints = 0;
    link->told[0] = '\0';
}

static void come_again(struct vmm_vhost *link, long in_ms)
{
    const struct itimerspec at = { .it_value = { .tv_nsec = in_ms * 1000000L } };

    (void)timerfd_settime(link->timer_fd, 0, &at, NULL);
}

void link_poke(struct vmm_vhost *link)
{
    (void)eventfd_write(link->poke_fd, 1);
}

/* --- signals --- */

void vmm_vhost_kick(struct vmm_vhost *link, unsigned i)
{
    if (vh_events_signal(link->events, link->kick_fds[i]) == 0)
        return;
    link->rekick = true;
    come_again(link, VH_RETRY_MS);
}

static void kick_all(struct vmm_vhost *link)
{
    for (unsigned i = 0; i < link->queues; i++)
        vmm_vhost_kick(link, i);
}

static void take_call(struct vmm_vhost *link, unsigned i)
{
    if (link->takes_calls[i] && vh_event_take(link->call_fds[i]) == 0 && link->attached)
        link->callbacks.called(link->callbacks.context, i);
}

void vmm_vhost_take_calls(struct vmm_vhost *link, unsigned i, bool on)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };

    if (link->takes_calls[i] == on)
        return;
    (void)epoll_ctl(link->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, link->call_fds[i], &event);
    link->takes_calls[i] = on;
}

int vmm_vhost_kick_fd(const struct vmm_vhost *link, unsigned i)
{
    return link->kick_fds[i];
}

int vmm_vhost_call_fd(const struct vmm_vhost *link, unsigned i)
{
    return link->call_fds[i];
}

/* --- the server comes and goes --- */

int link_connect(struct vmm_vhost *link)
{
    const int rc = vh_front_connect(link->front, link->path);

    link->connected = rc == 0;
    return rc;
}

/* The connection has ended. */
static void lose(struct vmm_vhost *link, const char *text)
{
    link->connected = link->known = false;
    link->log.settled = false;
    if (!link->opened) {
        (void)snprintf(link->told, sizeof(link->told), "%s", text);
        return;
    }
    if (link->state != LINK_IDLE && !vh_front_has_record(link->front) &&
        !vh_front_keeps_records(link->front)) {
        char why[VMM_VHOST_TEXT_BYTES];

        link->over = true;
        (void)snprintf(why, sizeof(why),
                       "the server of disk %s is lost, and kept no record of its "
                       "requests (%s)",
                       link->path, text);
        link->callbacks.lost(link->callbacks.context, why);
        return;
    }
    if (link->state != LINK_IDLE)
        link->state = LINK_STARTING;
    come_again(link, RECONNECT_MS);
    complain(link, text);
}

static void finish_reset(struct vmm_vhost *link)
{
    link->state = LINK_IDLE;
    link->resetting = false;
    (void)vh_front_forget(link->front, true); /* nobody has the rings: it cannot fail */
    link->callbacks.was_reset(link->callbacks.context);
}

static void known(struct vmm_vhost *link)
{
    const char *text = "";
    bool larger = false;

    if (!link_judge(link, &text, &larger)) {
        vh_front_disconnect(link->front);
        lose(link, text);
        return;
    }
    link->known = link->opened = true;
    if (larger && link->attached)
        link->callbacks.configured(link->callbacks.context);
    if (link->resetting)
        finish_reset(link);
    if (link->state == LINK_IDLE)
        come_back(link);
}

static void runs(struct vmm_vhost *link)
{
    link->state = LINK_RUNNING;
    link->log.settled = link->log.told; /* it was set up with the rings */
    come_back(link);
    kick_all(link);
    link->callbacks.running(link->callbacks.context);
}

static void stopped(struct vmm_vhost *link)
{
    link->state = LINK_IDLE;
    for (unsigned i = 0; i < link->queues; i++)
        take_call(link, i);
    if (link->resetting)
        finish_reset(link);
    else
        link->callbacks.stopped(link->callbacks.context);
}

void link_event(void *context, enum vh_front_event event, const char *text)
{
    struct vmm_vhost *link = context;

    switch (event) {
    case VH_FRONT_KNOWN:
        known(link);
        break;
    case VH_FRONT_RUNNING:
        runs(link);
        break;
    case VH_FRONT_STOPPED:
        stopped(link);
        break;
    case VH_FRONT_LOGGING:
        link->log.settled = link->log.told;
        break;
    case VH_FRONT_LOST:
        lose(link, text);
        break;
    }
}

void link_watch(void *context, int fd, short events)
{
    const struct vmm_vhost *link = context;
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = LINK_FRONT | (uint64_t)fd << 32 };

    (void)epoll_ctl(link->epoll_fd, events != 0 ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
}

/* --- one step further --- */

/* A call failed: then there is no event of it. */
static void give_up(struct vmm_vhost *link, int rc)
{
    vh_front_disconnect(link->front);
    lose(link, strerror(-rc));
}

static void start(struct vmm_vhost *link)
{
    struct vh_front_setup setup = { 0 };
    int rc;

    if (!link->callbacks.setup(link->callbacks.context, &setup))
        return;
    for (unsigned i = 0; i < setup.queue_count; i++) {
        setup.queues[i].kick_fd = link->kick_fds[i];
        setup.queues[i].call_fd = link->call_fds[i];
    }
    link->state = LINK_STARTING; /* it may be running before the call returns */
    rc = vh_front_start(link->front, &setup);
    if (rc == -EALREADY || rc == -ENOTSUP)
        link->state = LINK_IDLE; /* not now; or it lacks what it had */
    if (rc < 0 && rc != -EALREADY)
        give_up(link, rc);
}

static void stop(struct vmm_vhost *link)
{
    const int rc = vh_front_stop(link->front);

    if (rc == 0)
        link->state = LINK_STOPPING;
    else if (rc != -EALREADY)
        give_up(link, rc);
}

static void advance(struct vmm_vhost *link)
{
    int rc;

    if (!link->known || link->over)
        return;
    rc = link_advance_log(link);
    if (rc < 0)
        give_up(link, rc);
    else if (link->state == LINK_IDLE && link->wanted && link->attached)
        start(link);
    else if (link->state == LINK_RUNNING && (!link->wanted || link->resetting))
        stop(link);
}

static void time_has_come(struct vmm_vhost *link)
{
    vh_retry_take(link->timer_fd);
    if (link->rekick) {
        link->rekick = false;
        kick_all(link);
    }
    if (!link->connected && link->opened && !link->over && link_connect(link) < 0)
        come_again(link, RECONNECT_MS);
}

void vmm_vhost_service(struct vmm_vhost *link)
{
    struct epoll_event events[EVENTS];
    const int count = epoll_wait(link->epoll_fd, events, EVENTS, 0);

    for (int i = 0; i < count; i++) {
        const uint32_t source = (uint32_t)events[i].data.u64;
        eventfd_t pokes;

        if (source < VH_QUEUES)
            take_call(link, source);
        else if (source == LINK_TIMER)
            time_has_come(link);
        else if (source == LINK_POKE)
            (void)eventfd_read(link->poke_fd, &pokes);
        else
            vh_front_service(link->front, (int)(events[i].data.u64 >> 32), POLLIN);
    }
    advance(link);
}

/* --- what the device wants --- */

void vmm_vhost_start(struct vmm_vhost *link)
{
    link->wanted = true;
    link_poke(link);
}

void vmm_vhost_stop(struct vmm_vhost *link)
{
    link->wanted = false;
    link_poke(link);
}

bool vmm_vhost_reset(struct vmm_vhost *link)
{
    link->wanted = false;
    if (link->state == LINK_IDLE) {
        (void)vh_front_forget(link->front, true);
        return true;
    }
    link->resetting = true;
    link_poke(link);
    return false;
}

bool vmm_vhost_idle(const struct vmm_vhost *link)
{
    return link->state == LINK_IDLE && !link->wanted;
}

uint16_t vmm_vhost_base(const struct vmm_vhost *link, unsigned i)
{
    return vh_front_base(link->front, i);
}

void vmm_vhost_attach(struct vmm_vhost *link, const struct vmm_vhost_callbacks *callbacks)
{
    vmm_vhost_log_end(link);
    if (link->state != LINK_IDLE) {
        vh_front_disconnect(link->front);
        link->connected = link->known = false;
        come_again(link, 1);
    }
    link->state = LINK_IDLE;
    link->wanted = link->resetting = link->over = false;
    (void)vh_front_forget(link->front, false);
    for (unsigned i = 0; i < link->most_queues; i++) {
        vmm_vhost_take_calls(link, i, true);
        (void)vh_event_take(link->call_fds[i]);
        (void)vh_event_take(link->kick_fds[i]);
    }
    link->attached = callbacks != NULL;
    if (callbacks != NULL)
        link->callbacks = *callbacks;
}
