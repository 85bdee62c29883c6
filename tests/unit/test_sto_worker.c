/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs in a worker thread: order, taking back, and a job that hangs. */
#include <config.h>

#include "storage/sto_worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { WAIT_MS = 20000 };

struct test_job {
    struct sto_job job; /* first */
    sem_t *started, *go;
    sem_t *freed;
    unsigned ran;
};

static void run_job(struct sto_job *base)
{
    struct test_job *job = (struct test_job *)base;

    job->ran++;
    if (job->started)
        sem_post(job->started);
    if (job->go)
        sem_wait(job->go);
}

static void free_job(struct sto_job *base)
{
    sem_post(((struct test_job *)base)->freed);
}

static void make_job(struct test_job *job, sem_t *freed)
{
    *job = (struct test_job) { .job = { .run = run_job, .free = free_job }, .freed = freed };
}

static struct sto_job *wait_finished(struct sto_worker *worker, int event_fd)
{
    struct sto_job *job;

    while (!(job = sto_worker_finished(worker))) {
        struct pollfd event = { .fd = event_fd, .events = POLLIN };
        uint64_t count;

        if (poll(&event, 1, WAIT_MS) <= 0 || read(event_fd, &count, sizeof(count)) < 0)
            return NULL;
    }
    return job;
}

static void runs_in_order(void)
{
    int event_fd = eventfd(0, EFD_CLOEXEC);
    struct sto_worker *worker = NULL;
    struct test_job jobs[3];
    sem_t freed;

    sem_init(&freed, 0, 0);
    CU_ASSERT_EQUAL_FATAL(sto_worker_start(event_fd, &worker), 0);
    for (unsigned at = 0; at < 3; at++) {
        make_job(&jobs[at], &freed);
        sto_worker_submit(worker, &jobs[at].job);
    }
    for (unsigned at = 0; at < 3; at++) {
        CU_ASSERT_PTR_EQUAL(wait_finished(worker, event_fd), &jobs[at].job);
        CU_ASSERT_EQUAL(jobs[at].ran, 1);
    }
    CU_ASSERT_PTR_NULL(sto_worker_finished(worker));
    sto_worker_abandon(worker);
    sto_worker_abandon(NULL);
    close(event_fd);
    sem_destroy(&freed);
}

/* One job that hangs until `go`, one behind it. */
struct hung {
    int event_fd;
    struct sto_worker *worker;
    struct test_job first, second;
    sem_t started, go, freed;
};

static void begin_hung(struct hung *hung)
{
    sem_init(&hung->started, 0, 0);
    sem_init(&hung->go, 0, 0);
    sem_init(&hung->freed, 0, 0);
    hung->event_fd = eventfd(0, EFD_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(sto_worker_start(hung->event_fd, &hung->worker), 0);
    make_job(&hung->first, &hung->freed);
    make_job(&hung->second, &hung->freed);
    hung->first.started = &hung->started;
    hung->first.go = &hung->go;
    sto_worker_submit(hung->worker, &hung->first.job);
    sto_worker_submit(hung->worker, &hung->second.job);
    sem_wait(&hung->started);
}

static void end_hung(struct hung *hung)
{
    close(hung->event_fd);
    sem_destroy(&hung->started);
    sem_destroy(&hung->go);
    sem_destroy(&hung->freed);
}

static void takes_back(void)
{
    struct hung hung;

    begin_hung(&hung);
    CU_ASSERT_FALSE(sto_worker_cancel(hung.worker, &hung.first.job));
    CU_ASSERT_TRUE(sto_worker_cancel(hung.worker, &hung.second.job));
    CU_ASSERT_FALSE(sto_worker_cancel(hung.worker, &hung.second.job));
    sem_post(&hung.go);
    CU_ASSERT_PTR_EQUAL(wait_finished(hung.worker, hung.event_fd), &hung.first.job);
    CU_ASSERT_EQUAL(hung.second.ran, 0);
    sto_worker_abandon(hung.worker);
    end_hung(&hung);
}

static void abandons(void)
{
    struct hung hung;

    begin_hung(&hung);
    sto_worker_abandon(hung.worker);
    sem_wait(&hung.freed); /* the second, at once */
    CU_ASSERT_EQUAL(hung.second.ran, 0);
    CU_ASSERT_EQUAL(sem_trywait(&hung.freed), -1);
    sem_post(&hung.go);
    sem_wait(&hung.freed); /* the first, by its thread */
    end_hung(&hung);
}

static void abandons_to(void)
{
    struct sto_job *waiting = NULL;
    struct sto_worker *fresh = NULL;
    struct hung hung;

    begin_hung(&hung);
    CU_ASSERT_FALSE(sto_worker_abandon_to(hung.worker, &hung.second.job, &waiting));
    CU_ASSERT_TRUE(sto_worker_abandon_to(hung.worker, &hung.first.job, &waiting));
    CU_ASSERT_PTR_EQUAL_FATAL(waiting, &hung.second.job);
    CU_ASSERT_PTR_NULL(waiting->next);
    CU_ASSERT_EQUAL_FATAL(sto_worker_start(hung.event_fd, &fresh), 0);
    sto_worker_submit(fresh, waiting);
    CU_ASSERT_PTR_EQUAL(wait_finished(fresh, hung.event_fd), &hung.second.job);
    sto_worker_abandon(fresh);
    sem_post(&hung.go);
    sem_wait(&hung.freed);
    end_hung(&hung);
}

static void no_memory(void)
{
    int event_fd = eventfd(0, EFD_CLOEXEC);
    struct sto_worker *worker = NULL;

    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = sto_worker_start(event_fd, &worker);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    sto_worker_abandon(worker);
    CU_ASSERT_EQUAL(sto_worker_start(-1, &worker), -EBADF);
    close(event_fd);
}

const struct unit_case unit_cases[] = { { "jobs run in order", runs_in_order },
                                        { "a job that has not begun is taken back", takes_back },
                                        { "a hanging worker is let go", abandons },
                                        { "jobs behind a hanging one go elsewhere", abandons_to },
                                        { "starting fails cleanly", no_memory },
                                        { 0 } };
