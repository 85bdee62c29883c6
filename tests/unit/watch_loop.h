/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small poll loop for unit tests of what asks its owner to watch descriptors.
 */
#ifndef WATCH_LOOP_H
#define WATCH_LOOP_H

#include <poll.h>
#include <stdbool.h>

#include "common/hw_clock.h"

enum { WATCH_LOOP_FDS = 64, WATCH_LOOP_MS = 10000 };

struct watch_loop {
    unsigned count;
    struct {
        int fd;
        short events;
        void (*ready)(void *context, int fd, short revents);
        void *context;
    } items[WATCH_LOOP_FDS];
};

/* Watch, watch for something else, or (events 0) no more. */
static inline void watch_loop_set(struct watch_loop *loop, int fd, short events,
                                  void (*ready)(void *context, int fd, short revents),
                                  void *context)
{
    unsigned i = 0;

    while (i < loop->count && loop->items[i].fd != fd)
        i++;
    if (events == 0) {
        if (i < loop->count)
            loop->items[i] = loop->items[--loop->count];
        return;
    }
    if (i == loop->count)
        loop->count++;
    loop->items[i].fd = fd;
    loop->items[i].events = events;
    loop->items[i].ready = ready;
    loop->items[i].context = context;
}

/* One turn, waiting at most `timeout_ms`; false if nothing happened. */
static inline bool watch_loop_turn(struct watch_loop *loop, int timeout_ms)
{
    struct pollfd fds[WATCH_LOOP_FDS];
    const unsigned count = loop->count;

    for (unsigned i = 0; i < count; i++)
        fds[i] = (struct pollfd) { .fd = loop->items[i].fd, .events = loop->items[i].events };
    if (poll(fds, count, timeout_ms) <= 0)
        return false;
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; fds[i].revents != 0 && k < loop->count; k++)
            if (loop->items[k].fd == fds[i].fd) {
                loop->items[k].ready(loop->items[k].context, fds[i].fd, fds[i].revents);
                break;
            }
    return true;
}

/* Turn until it holds; false after WATCH_LOOP_MS. */
static inline bool watch_loop_until(struct watch_loop *loop, bool (*holds)(void *context),
                                    void *context)
{
    const int64_t end_ms = hw_clock_now_ms(hw_clock_boottime()) + WATCH_LOOP_MS;

    while (!holds(context)) {
        if (hw_clock_now_ms(hw_clock_boottime()) > end_ms)
            return false;
        (void)watch_loop_turn(loop, 10);
    }
    return true;
}

#endif
