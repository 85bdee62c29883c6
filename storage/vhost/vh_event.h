/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Eventfds that are shared with somebody who is not trusted. O_NONBLOCK belongs to the open file,
 * which both ends share: the other one can clear it at any moment and fill or empty the counter, so
 * that write(2) or read(2) waits for ever, whatever was looked at before. Nothing here can wait:
 * - A signal is left to the kernel, as the eventfd of a completed operation of Linux AIO
 * (io_submit, IOCB_FLAG_RESFD): it adds 1 and never waits; a full counter stays full. (eventfd(2)
 * takes no RWF_NOWAIT for writing.) An aio_resfd that is no eventfd is refused.
 * - What came is taken by preadv2(2) with RWF_NOWAIT (Linux 5.8).
 */
#ifndef VH_EVENT_H
#define VH_EVENT_H

#include <stdbool.h>

#include "common/hw_error.h"

/* What signals are sent through; for one thread. System calls from then on: io_submit,
 * io_getevents, preadv2, at the end io_destroy. */
struct vh_events;

/*
 * Makes them and tries each of the system calls on an eventfd of its own. 0; -ENOMEM; -EAGAIN: the
 * host's fs.aio-max-nr is used up (it takes 32 of it); -ENOSYS: no Linux AIO; -EOPNOTSUPP: no
 * RWF_NOWAIT of an eventfd, or no IOCB_CMD_POLL; -EPERM: a filter refuses a call; or -errno.
 */
int vh_events_new(struct vh_events **ret_events);
/* What a failed vh_events_new() means, and what to do about it. Returns `rc`, which is below 0. */
int vh_events_error(int rc, struct hw_error *error);
/* Takes some milliseconds. NULL is allowed. */
void vh_events_free(struct vh_events *events);

/* Is this descriptor an eventfd? It is not signalled. */
bool vh_events_knows(struct vh_events *events, int fd);
/* Add 1 to this eventfd, unless it is full. 0 or -errno: the kernel did not take it, nobody was
 * told, and it is to be tried again: see vh_retry_new(). Never blocks. */
int vh_events_signal(struct vh_events *events, int fd);
/* Take the count of an eventfd. 0; -EAGAIN: it had none; or -errno. Never blocks. */
int vh_event_take(int fd);

/* How long after a signal that failed it is tried again. */
enum { VH_RETRY_MS = 10 };

/* A timer to come back with, off at first: a descriptor, the caller's, or -errno. */
int vh_retry_new(void);
/* Let it be readable VH_RETRY_MS from now. */
void vh_retry_arm(int fd);
/* It was: no more, until it is armed again. */
void vh_retry_take(int fd);

#endif
