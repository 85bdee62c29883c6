/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The descriptor, the timer and the queue of ended operations that backends share. Knows nothing
 * of what an operation means.
 */
#include "config.h"

#include "storage/sto_pump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };
#define TAG_TIMER UINT32_MAX

/* --- lists --- */

void sto_op_list_add(struct sto_op_list *list, struct sto_op *op)
{
    op->next = NULL;
    op->previous = list->last;
    if (list->last != NULL)
        list->last->next = op;
    else
        list->first = op;
    list->last = op;
}

void sto_op_list_push(struct sto_op_list *list, struct sto_op *op)
{
    op->next = list->first;
    op->previous = NULL;
    if (list->first != NULL)
        list->first->previous = op;
    else
        list->last = op;
    list->first = op;
}

void sto_op_list_remove(struct sto_op_list *list, struct sto_op *op)
{
    if (op->previous != NULL)
        op->previous->next = op->next;
    else
        list->first = op->next;
    if (op->next != NULL)
        op->next->previous = op->previous;
    else
        list->last = op->previous;
    op->next = op->previous = NULL;
}

struct sto_op *sto_op_list_take(struct sto_op_list *list)
{
    struct sto_op *op = list->first;

    if (op != NULL)
        sto_op_list_remove(list, op);
    return op;
}

/* --- the descriptor --- */

int sto_pump_open(struct sto_pump *pump, struct sto_lun *lun)
{
    int rc;

    pump->lun = lun;
    pump->timer_ns = 0;
    pump->in_service = false;
    pump->ended.first = pump->ended.last = NULL;
    pump->timer_fd = -1;
    pump->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (pump->epoll_fd < 0)
        return -errno;
    pump->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    rc = pump->timer_fd < 0 ? -errno : sto_pump_watch(pump, pump->timer_fd, EPOLLIN, TAG_TIMER);
    if (rc < 0)
        sto_pump_close(pump);
    return rc;
}

void sto_pump_close(struct sto_pump *pump)
{
    if (pump->timer_fd >= 0)
        close(pump->timer_fd);
    if (pump->epoll_fd >= 0)
        close(pump->epoll_fd);
    pump->timer_fd = pump->epoll_fd = -1;
}

static int control(struct sto_pump *pump, int how, int fd, uint32_t events, uint32_t tag)
{
    struct epoll_event event = { .events = events, .data.u32 = tag };

    return epoll_ctl(pump->epoll_fd, how, fd, &event) < 0 ? -errno : 0;
}

int sto_pump_watch(struct sto_pump *pump, int fd, uint32_t events, uint32_t tag)
{
    return control(pump, EPOLL_CTL_ADD, fd, events, tag);
}

int sto_pump_change(struct sto_pump *pump, int fd, uint32_t events, uint32_t tag)
{
    return control(pump, EPOLL_CTL_MOD, fd, events, tag);
}

void sto_pump_forget(struct sto_pump *pump, int fd)
{
    (void)control(pump, EPOLL_CTL_DEL, fd, 0, 0);
}

void sto_pump_wake_at(struct sto_pump *pump, int64_t when_ns)
{
    struct itimerspec spec = { 0 };
    int64_t wait_ns;

    if (when_ns == INT64_MAX || (pump->timer_ns != 0 && pump->timer_ns <= when_ns))
        return;
    wait_ns = when_ns - hw_clock_now_ns(pump->lun->clock);
    if (wait_ns < 1)
        wait_ns = 1; /* 0 would disarm */
    spec.it_value.tv_sec = wait_ns / NS_PER_S;
    spec.it_value.tv_nsec = wait_ns % NS_PER_S;
    (void)timerfd_settime(pump->timer_fd, 0, &spec, NULL);
    pump->timer_ns = when_ns > 0 ? when_ns : 1;
}

void sto_pump_wake(struct sto_pump *pump)
{
    sto_pump_wake_at(pump, 1);
}

/* --- results --- */

void sto_pump_end(struct sto_pump *pump, struct sto_op *op)
{
    if (!pump->in_service && pump->ended.first == NULL)
        sto_pump_wake(pump);
    sto_op_list_add(&pump->ended, op);
}

void sto_pump_end_with(struct sto_pump *pump, struct sto_op *op, enum sto_rc rc, const char *detail)
{
    size_t bytes;

    op->result.rc = rc;
    if (detail != NULL) {
        snprintf(op->result.detail, sizeof(op->result.detail), "%s", detail);
        bytes = strlen(op->result.detail);
        while (bytes > 0 && strchr(" \t\r\n", op->result.detail[bytes - 1]) != NULL)
            op->result.detail[--bytes] = '\0'; /* libiscsi's words end in a line feed */
    }
    sto_pump_end(pump, op);
}

/* --- a service --- */

void sto_pump_begin(struct sto_pump *pump)
{
    pump->in_service = true;
}

int sto_pump_events(struct sto_pump *pump, struct epoll_event *events, int room)
{
    int count = epoll_wait(pump->epoll_fd, events, room, 0);
    int kept = 0;

    for (int i = 0; i < count; i++) {
        uint64_t expirations;

        if (events[i].data.u32 != TAG_TIMER)
            events[kept++] = events[i];
        else if (read(pump->timer_fd, &expirations, sizeof(expirations)) > 0)
            pump->timer_ns = 0;
    }
    return kept;
}

bool sto_pump_due(const struct sto_pump *pump)
{
    return pump->timer_ns == 0;
}

void sto_pump_deliver(struct sto_pump *pump)
{
    struct sto_op *last = pump->ended.last;
    struct sto_op *op;

    while ((op = sto_op_list_take(&pump->ended)) != NULL) {
        bool end = op == last;

        sto_lun_complete(pump->lun, op);
        if (end)
            break;
    }
}

void sto_pump_end_service(struct sto_pump *pump)
{
    pump->in_service = false;
    if (pump->ended.first != NULL)
        sto_pump_wake(pump);
}

void sto_pump_deliver_all(struct sto_pump *pump)
{
    pump->in_service = true;
    while (pump->ended.first != NULL)
        sto_pump_deliver(pump);
    pump->in_service = false;
}
