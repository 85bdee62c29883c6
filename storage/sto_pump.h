/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every backend needs to keep the contract of sto_lun.h, for implementers: one descriptor
 * that stays the same (an epoll over whatever the backend watches, and a timer), and a queue of
 * ended operations, so that `done` is called from the service only. The backend's service is
 *   sto_pump_begin(); take events with sto_pump_events(); if sto_pump_due() do what is due and
 *   sto_pump_wake_at() for the next; sto_pump_deliver(); hand on what was submitted meanwhile;
 *   sto_pump_end_service().
 */
#ifndef STO_PUMP_H
#define STO_PUMP_H

#include <sys/epoll.h>

#include "storage/sto_lun_priv.h"

struct sto_op_list {
    struct sto_op *first, *last;
};

/* Append; the operation's `next` and `previous` are used. */
void sto_op_list_add(struct sto_op_list *list, struct sto_op *op);
/* The same at the front. */
void sto_op_list_push(struct sto_op_list *list, struct sto_op *op);
void sto_op_list_remove(struct sto_op_list *list, struct sto_op *op);
/* Take the first, NULL if there is none. */
struct sto_op *sto_op_list_take(struct sto_op_list *list);

struct sto_pump {
    struct sto_lun *lun;
    int epoll_fd;
    int timer_fd;
    int64_t timer_ns; /* when the timer fires; 0 = not set */
    bool in_service;
    struct sto_op_list ended; /* results are in, `done` not called yet */
};

/* Make the descriptor; `lun` must have its clock. 0 or -errno (nothing is left open). */
int sto_pump_open(struct sto_pump *pump, struct sto_lun *lun);
/* Close the descriptor. Operations that ended must have been delivered. */
void sto_pump_close(struct sto_pump *pump);

/* Watch, change or forget a descriptor; `tag` comes back with its events. 0 or -errno. */
int sto_pump_watch(struct sto_pump *pump, int fd, uint32_t events, uint32_t tag);
int sto_pump_change(struct sto_pump *pump, int fd, uint32_t events, uint32_t tag);
void sto_pump_forget(struct sto_pump *pump, int fd);

/* Have the descriptor readable at `when_ns` at the latest (INT64_MAX: no wish; a time that has
 * passed: at once). */
void sto_pump_wake_at(struct sto_pump *pump, int64_t when_ns);
/* The same, at once. */
void sto_pump_wake(struct sto_pump *pump);

/* The operation's result is in: queue it for delivery. May be called at any time. */
void sto_pump_end(struct sto_pump *pump, struct sto_op *op);
/* The same with this rc and these words (may be NULL). */
void sto_pump_end_with(struct sto_pump *pump, struct sto_op *op, enum sto_rc rc,
                       const char *detail);

/* Start a service. */
void sto_pump_begin(struct sto_pump *pump);
/* Events of watched descriptors, without the timer's. Returns their number. Never blocks. */
int sto_pump_events(struct sto_pump *pump, struct epoll_event *events, int room);
/* True if no timer is set: it fired, or nothing asked for one yet. */
bool sto_pump_due(const struct sto_pump *pump);
/* Call `done` of what has ended by now; what ends meanwhile waits for the next service, so that
 * a caller who submits from `done` to a dead session does not keep us here. */
void sto_pump_deliver(struct sto_pump *pump);
/* End a service: wakes soon if more has ended. */
void sto_pump_end_service(struct sto_pump *pump);
/* For the close: call `done` of all, also of what ends meanwhile. */
void sto_pump_deliver_all(struct sto_pump *pump);

#endif
