/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker thread. The struct is freed by the thread, after the owner has let go of it, so that
 * the owner never waits.
 */
#include <config.h>

#include "storage/sto_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { STACK_BYTES = 256 * 1024 };

struct job_list {
    struct sto_job *first, **end;
};

struct sto_worker {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job_list waiting, finished; /* under the lock */
    const struct sto_job *running;     /* under the lock */
    bool abandoned;                    /* under the lock */
    int event_fd;
};

static void list_init(struct job_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_push(struct job_list *list, struct sto_job *job)
{
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static struct sto_job *list_pop(struct job_list *list)
{
    struct sto_job *job = list->first;

    if (job) {
        list->first = job->next;
        if (!list->first)
            list->end = &list->first;
        job->next = NULL;
    }
    return job;
}

static void list_free(struct job_list *list)
{
    for (struct sto_job *job = list_pop(list); job; job = list_pop(list))
        job->free(job);
}

static void worker_free(struct sto_worker *worker)
{
    list_free(&worker->waiting);
    list_free(&worker->finished);
    close(worker->event_fd);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

static void signal_owner(const struct sto_worker *worker)
{
    uint64_t one = 1;

    /* It can only fail where the counter is full, and then it is readable already. */
    while (write(worker->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* Under the lock: run what waits, until the owner has let go. */
static void work(struct sto_worker *worker)
{
    while (!worker->abandoned) {
        struct sto_job *job = list_pop(&worker->waiting);

        if (!job) {
            pthread_cond_wait(&worker->wake, &worker->lock);
            continue;
        }
        worker->running = job;
        pthread_mutex_unlock(&worker->lock);
        job->run(job);
        pthread_mutex_lock(&worker->lock);
        worker->running = NULL;
        list_push(&worker->finished, job);
        signal_owner(worker);
    }
}

static void *thread_main(void *context)
{
    struct sto_worker *worker = context;

    pthread_mutex_lock(&worker->lock);
    work(worker);
    pthread_mutex_unlock(&worker->lock);
    worker_free(worker);
    return NULL;
}

/* A detached thread that takes no signals: they are the event loop's. */
static int start_thread(struct sto_worker *worker)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int rc = pthread_attr_init(&attributes);

    if (rc != 0)
        return -rc;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, &attributes, thread_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -rc;
}

int sto_worker_start(int event_fd, struct sto_worker **ret_worker)
{
    struct sto_worker *worker = calloc(1, sizeof(*worker));
    int rc;

    if (!worker)
        return -ENOMEM;
    list_init(&worker->waiting);
    list_init(&worker->finished);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    worker->event_fd = fcntl(event_fd, F_DUPFD_CLOEXEC, 0);
    rc = worker->event_fd < 0 ? -errno : start_thread(worker);
    if (rc < 0) {
        if (worker->event_fd >= 0)
            close(worker->event_fd);
        pthread_cond_destroy(&worker->wake);
        pthread_mutex_destroy(&worker->lock);
        free(worker);
        return rc;
    }
    *ret_worker = worker;
    return 0;
}

void sto_worker_submit(struct sto_worker *worker, struct sto_job *job)
{
    pthread_mutex_lock(&worker->lock);
    list_push(&worker->waiting, job);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

struct sto_job *sto_worker_finished(struct sto_worker *worker)
{
    struct sto_job *job;

    pthread_mutex_lock(&worker->lock);
    job = list_pop(&worker->finished);
    pthread_mutex_unlock(&worker->lock);
    return job;
}

bool sto_worker_cancel(struct sto_worker *worker, struct sto_job *job)
{
    struct job_list kept;
    bool found = false;

    list_init(&kept);
    pthread_mutex_lock(&worker->lock);
    for (struct sto_job *at = list_pop(&worker->waiting); at; at = list_pop(&worker->waiting)) {
        if (at == job)
            found = true;
        else
            list_push(&kept, at);
    }
    if (kept.first)
        worker->waiting = kept;
    pthread_mutex_unlock(&worker->lock);
    return found;
}

/* Under the lock. The thread frees the struct once it sees this. */
static void let_go(struct sto_worker *worker)
{
    list_free(&worker->waiting);
    list_free(&worker->finished);
    worker->abandoned = true;
    pthread_cond_signal(&worker->wake);
}

bool sto_worker_abandon_to(struct sto_worker *worker, const struct sto_job *job,
                           struct sto_job **ret_waiting)
{
    bool runs;

    pthread_mutex_lock(&worker->lock);
    runs = worker->running == job;
    if (runs) {
        *ret_waiting = worker->waiting.first;
        list_init(&worker->waiting);
        let_go(worker);
    }
    pthread_mutex_unlock(&worker->lock);
    return runs;
}

void sto_worker_abandon(struct sto_worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    let_go(worker);
    pthread_mutex_unlock(&worker->lock);
}
