/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread for calls that may block for ever. Jobs run in order, one at a time; finished ones
 * are handed back when asked for, an eventfd says when. A worker whose job hangs is abandoned:
 * the thread is never joined nor waited for, it frees itself and its job whenever the call comes
 * back. So a job must own everything it touches.
 */
#ifndef STO_WORKER_H
#define STO_WORKER_H

#include <stdbool.h>

struct sto_worker;

/* Embedded in what the caller wants done. */
struct sto_job {
    void (*run)(struct sto_job *job);  /* in the worker's thread; may block */
    void (*free)(struct sto_job *job); /* in any thread */
    struct sto_job *next;
};

/* Start a worker. `event_fd` is signalled when a job is finished; the worker keeps a duplicate.
 * 0, -ENOMEM, -EAGAIN (no thread), -EMFILE. */
int sto_worker_start(int event_fd, struct sto_worker **ret_worker);

/* Queue a job. Never fails, never blocks. */
void sto_worker_submit(struct sto_worker *worker, struct sto_job *job);

/* Take the next finished job; it is the caller's again. NULL if there is none. */
struct sto_job *sto_worker_finished(struct sto_worker *worker);

/* Take back a job that has not begun. False if it has begun or was finished. */
bool sto_worker_cancel(struct sto_worker *worker, struct sto_job *job);

/*
 * If `job` runs right now: abandon the worker to it, and get back the jobs that have not begun,
 * linked by `next`, the caller's again. False, and nothing is changed, if it does not run any
 * more. Jobs that were finished are freed.
 */
bool sto_worker_abandon_to(struct sto_worker *worker, const struct sto_job *job,
                           struct sto_job **ret_waiting);

/*
 * Let go of the worker. Jobs that were finished or have not begun are freed now; the one that runs
 * is freed by the thread when it returns. Never blocks; `worker` is gone. NULL is allowed.
 */
void sto_worker_abandon(struct sto_worker *worker);

#endif
