/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane runs the blocking jobs of one session in order, in one worker at a time. When the call of
 * a given-up job does not come back, the worker is left to it and the lane goes on with another.
 */
#include <config.h>

#include "storage/sto_block_priv.h"

void sto_block_lane_init(struct sto_block_lane *lane, int event_fd)
{
    lane->worker = NULL;
    lane->first = NULL;
    lane->end = &lane->first;
    lane->event_fd = event_fd;
}

static void lane_push(struct sto_block_lane *lane, struct sto_block_job *job)
{
    job->next = NULL;
    *lane->end = job;
    lane->end = &job->next;
}

static void lane_remove(struct sto_block_lane *lane, struct sto_block_job *job)
{
    for (struct sto_block_job **at = &lane->first; *at; at = &(*at)->next) {
        if (*at != job)
            continue;
        *at = job->next;
        if (!job->next)
            lane->end = at;
        return;
    }
}

int sto_block_lane_submit(struct sto_block_lane *lane, struct sto_block_job *job)
{
    if (!lane->worker) {
        int rc = sto_worker_start(lane->event_fd, &lane->worker);

        if (rc < 0)
            return rc;
    }
    lane_push(lane, job);
    sto_worker_submit(lane->worker, &job->job);
    return 0;
}

struct sto_block_job *sto_block_lane_finished(struct sto_block_lane *lane)
{
    struct sto_block_job *job =
        lane->worker ? (struct sto_block_job *)sto_worker_finished(lane->worker) : NULL;

    if (job)
        lane_remove(lane, job);
    return job;
}

bool sto_block_lane_give_up(struct sto_block_lane *lane, struct sto_block_job *job)
{
    if (lane->worker && sto_worker_cancel(lane->worker, &job->job)) {
        lane_remove(lane, job);
        job->job.free(&job->job);
        return true;
    }
    job->op = NULL;
    return false;
}

int sto_block_lane_unblock(struct sto_block_lane *lane, int64_t now_ns)
{
    struct sto_block_job *hung = lane->first;
    struct sto_worker *fresh = NULL;
    struct sto_job *behind;
    int rc;

    if (!hung || hung->op || hung->expires_ns > now_ns)
        return 0;
    rc = sto_worker_start(lane->event_fd, &fresh);
    if (rc < 0)
        return rc;
    if (!sto_worker_abandon_to(lane->worker, &hung->job, &behind)) {
        sto_worker_abandon(fresh); /* it came back after all */
        return 0;
    }
    sto_block_lane_init(lane, lane->event_fd); /* `hung` is the thread's now */
    lane->worker = fresh;
    while (behind) {
        struct sto_job *job = behind;

        behind = job->next;
        lane_push(lane, (struct sto_block_job *)job);
        sto_worker_submit(fresh, job);
    }
    return 0;
}

void sto_block_lane_close(struct sto_block_lane *lane)
{
    sto_worker_abandon(lane->worker);
    sto_block_lane_init(lane, lane->event_fd);
}
