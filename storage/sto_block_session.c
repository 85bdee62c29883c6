/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block backend's sessions: logging in and out, losing the device, and how operations end
 * when a session goes down. One kernel session, or none, stands behind both sessions of the LUN.
 */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_cleanup.h"

enum { NS_PER_MS = 1000000 };

/* --- ending operations --- */

void sto_block_give_up_job(struct sto_block *block, struct sto_block_lane *lane,
                           struct sto_block_job *job, const char *why)
{
    struct sto_op *op = job->op;
    bool unsent = sto_block_lane_give_up(lane, job);

    sto_pump_end_with(&block->pump, op, unsent ? STO_NOT_SENT : STO_UNKNOWN, why);
}

void sto_block_give_up_draining(struct sto_block *block, struct sto_block_job **at, const char *why)
{
    struct sto_block_job *job = *at;

    *at = job->next;
    job->op->result = job->result;
    job->op->result.tmf_response = UINT8_MAX;
    sto_pump_end_with(&block->pump, job->op, STO_UNKNOWN, why);
    job->job.free(&job->job);
}

void sto_block_end_session(struct sto_block *block, enum sto_session session, const char *why)
{
    if (session == STO_SESSION_DATA && block->uring)
        sto_uring_drop(block->uring, why);
    for (struct sto_block_job *job = block->lanes[session].first, *next; job; job = next) {
        next = job->next;
        if (job->op)
            sto_block_give_up_job(block, &block->lanes[session], job, why);
    }
    while (session == STO_SESSION_CONTROL && block->draining)
        sto_block_give_up_draining(block, &block->draining, why);
}

void sto_block_close_device(struct sto_block *block)
{
    if (block->login.fd >= 0)
        close(hw_take_fd(&block->login.fd));
}

void sto_block_lose_device(struct sto_block *block, const char *why)
{
    for (enum sto_session session = 0; session < STO_SESSIONS; session++) {
        bool was_up = block->up[session];

        block->up[session] = false;
        sto_block_end_session(block, session, why);
        if (was_up && block->lun.notify.session_down)
            block->lun.notify.session_down(block->lun.notify.context, session, why);
    }
    sto_block_close_device(block);
}

/* --- login and logout --- */

void sto_block_set_deadlines(struct sto_block *block, struct sto_block_job *job, int64_t expires_ns)
{
    int64_t left_ns = expires_ns - hw_clock_now_ns(block->lun.clock);

    job->expires_ns = expires_ns;
    /* a little sooner, so that the job's own words come in time */
    job->deadline_ns = hw_clock_now_ns(hw_clock_boottime()) + left_ns - left_ns / 16;
    sto_pump_wake_at(&block->pump, expires_ns);
}

/* A job with a copy of the LUN's place. */
static struct sto_block_job *entry_job(struct sto_block *block, enum sto_block_job_kind kind)
{
    struct sto_block_job *job = sto_block_job_new(kind, block->sys, 0);

    if (!job)
        return NULL;
    job->place = malloc(sizeof(*job->place));
    if (!job->place) {
        job->job.free(&job->job);
        return NULL;
    }
    *job->place = block->place;
    return job;
}

int sto_block_submit_login(struct sto_block *block, struct sto_op *op)
{
    struct sto_block_job *job;
    int rc;

    if (op->deadline_ns == 0)
        op->deadline_ns =
            hw_clock_now_ns(block->lun.clock) + (int64_t)block->connect_ms * NS_PER_MS;
    if (block->login.fd >= 0) {
        block->up[op->session] = true;
        sto_pump_end_with(&block->pump, op, STO_OK, "");
        return 0;
    }
    if (!block->entry) {
        job = entry_job(block, STO_BLOCK_JOB_LOGIN);
        if (!job)
            return -ENOMEM;
        sto_block_set_deadlines(block, job, op->deadline_ns);
        rc = sto_block_lane_submit(&block->lanes[STO_SESSION_CONTROL], job);
        if (rc < 0) {
            job->job.free(&job->job);
            return rc;
        }
        block->entry = job;
    }
    sto_pump_wake_at(&block->pump, op->deadline_ns);
    sto_op_list_add(&block->entering, op);
    return 0;
}

/* Have the ring use the device that a login found. */
static int use_device(struct sto_block *block, int fd)
{
    static const struct sto_uring_align align = { .memory_bytes = 512, .length_bytes = 512 };
    int rc;

    if (block->uring) {
        sto_uring_use(block->uring, fd);
        return 0;
    }
    rc = sto_uring_open(&block->pump, fd, &align, STO_BLOCK_TAG_RING, &block->uring);
    if (rc == 0)
        sto_uring_judge_with(block->uring, sto_block_judge_transfer, block);
    return rc;
}

void sto_block_login_done(struct sto_block *block, struct sto_block_job *job)
{
    int rc = 0;

    block->entry = NULL;
    if (job->result.rc == STO_OK)
        rc = use_device(block, job->login.fd);
    if (rc < 0) {
        job->result.rc = STO_NOT_SENT;
        snprintf(job->result.detail, sizeof(job->result.detail), "io_uring: %s",
                 strerrordesc_np(-rc));
    }
    if (job->result.rc == STO_OK && block->entering.first) {
        bool ours = job->login.logged_in_here || block->login.logged_in_here;

        block->login = job->login;
        block->login.logged_in_here = ours;
        job->login.fd = -1;
    }
    for (struct sto_op *op = sto_op_list_take(&block->entering); op;
         op = sto_op_list_take(&block->entering)) {
        if (job->result.rc == STO_OK)
            block->up[op->session] = true;
        sto_pump_end_with(&block->pump, op, job->result.rc, job->result.detail);
    }
}

int sto_block_submit_logout(struct sto_block *block, struct sto_op *op)
{
    struct sto_block_job *job;
    int rc;

    block->up[op->session] = false;
    sto_block_end_session(block, op->session, "logged out");
    if (block->up[STO_SESSION_DATA] || block->up[STO_SESSION_CONTROL] || block->login.fd < 0) {
        sto_pump_end_with(&block->pump, op, STO_OK, "");
        return 0;
    }
    job = entry_job(block, STO_BLOCK_JOB_LOGOUT);
    if (!job)
        return -ENOMEM;
    job->op = op;
    job->login = block->login;
    block->login.fd = -1;
    block->login.logged_in_here = false;
    sto_block_set_deadlines(block, job, op->deadline_ns);
    rc = sto_block_lane_submit(&block->lanes[op->session], job);
    if (rc < 0) {
        job->job.free(&job->job); /* closes the device */
        return rc;
    }
    op->backend = job;
    return 0;
}
