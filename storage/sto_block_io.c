/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block backend's commands: what goes by the ring, what goes to a worker, what comes back
 * from both, and what is ended at its deadline because nothing came back.
 */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { NS_PER_S = 1000000000 };

/* --- commands, transfers, resets --- */

static void gather(const struct sto_op *op, uint8_t *data, uint32_t room)
{
    for (unsigned at = 0; at < op->iov_count && op->iov[at].iov_len <= room; at++) {
        memcpy(data, op->iov[at].iov_base, op->iov[at].iov_len);
        data += op->iov[at].iov_len;
        room -= (uint32_t)op->iov[at].iov_len;
    }
}

static void scatter(const struct sto_op *op, const uint8_t *data, uint64_t bytes)
{
    for (unsigned at = 0; at < op->iov_count && bytes > 0; at++) {
        size_t part = op->iov[at].iov_len < bytes ? op->iov[at].iov_len : (size_t)bytes;

        memcpy(op->iov[at].iov_base, data, part);
        data += part;
        bytes -= part;
    }
}

/* Queue a job on the device for `op`. */
static int submit_device_job(struct sto_block *block, struct sto_block_job *job, struct sto_op *op)
{
    int rc;

    job->op = op;
    job->fd = fcntl(block->login.fd, F_DUPFD_CLOEXEC, 0);
    rc = job->fd < 0 ? -errno : 0;
    memcpy(job->disk, block->login.disk, sizeof(job->disk));
    sto_block_set_deadlines(block, job, op->deadline_ns);
    /* Before it is sent: a storage lease that counts from here is on the safe side. */
    job->result.sent_ns = hw_clock_now_ns(block->lun.clock);
    if (rc == 0)
        rc = sto_block_lane_submit(&block->lanes[op->session], job);
    if (rc < 0) {
        job->job.free(&job->job);
        return rc;
    }
    op->backend = job;
    return 0;
}

static int submit_command(struct sto_block *block, struct sto_op *op)
{
    struct sto_op_command command;
    struct sto_block_job *job;
    int rc = sto_op_command(op, block->lun.facts.block_bytes, &command);

    if (rc < 0)
        return rc;
    job = sto_block_job_new(STO_BLOCK_JOB_COMMAND, block->sys, command.data_bytes);
    if (!job)
        return -ENOMEM;
    job->command = command;
    if (command.data == STO_OP_DATA_IOV && command.direction == STO_DIRECTION_OUT)
        gather(op, job->data, command.data_bytes);
    else if (command.data == STO_OP_DATA_PARAMETERS)
        memcpy(job->data, command.parameters, sizeof(command.parameters));
    return submit_device_job(block, job, op);
}

static int submit_reset(struct sto_block *block, struct sto_op *op)
{
    struct sto_block_job *job = sto_block_job_new(STO_BLOCK_JOB_RESET, block->sys, 0);

    if (!job)
        return -ENOMEM;
    job->order = sto_uring_next_order(block->uring);
    return submit_device_job(block, job, op);
}

/* A FUA write goes as a SCSI command: whether the kernel passes FUA on rests on what it read of
 * the cache when it scanned the disk, which fails under another's reservation. */
static bool goes_by_ring(const struct sto_op *op)
{
    return op->kind == STO_OP_READ || (op->kind == STO_OP_WRITE && !(op->flags & STO_FUA));
}

int sto_block_submit_io(struct sto_block *block, struct sto_op *op)
{
    if (op->kind == STO_OP_LUN_RESET)
        return submit_reset(block, op);
    if (!goes_by_ring(op))
        return submit_command(block, op);
    sto_uring_submit(block->uring, op);
    if (!block->pump.in_service)
        sto_uring_flush(block->uring);
    sto_pump_wake_at(&block->pump, op->deadline_ns);
    return 0;
}

/* --- what comes back --- */

/* End the resets that the kernel holds no older request for. */
static void end_drained(struct sto_block *block)
{
    struct sto_block_job **at = &block->draining;

    while (*at) {
        struct sto_block_job *job = *at;

        if (sto_uring_oldest(block->uring) < job->order) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        job->op->result = job->result;
        sto_pump_end(&block->pump, job->op);
        job->job.free(&job->job);
    }
}

static void job_done(struct sto_block *block, struct sto_block_job *job)
{
    struct sto_op *op = job->op;
    bool lost = job->device_lost && op;
    char why[STO_DETAIL_BYTES];

    if (job == block->entry) {
        sto_block_login_done(block, job);
    } else if (op && job->kind == STO_BLOCK_JOB_RESET && job->result.rc == STO_OK) {
        job->next = block->draining;
        block->draining = job;
        return;
    } else if (op) {
        if (job->command.direction == STO_DIRECTION_IN)
            scatter(op, job->data, job->result.transferred_bytes);
        op->result = job->result;
        memcpy(why, job->result.detail, sizeof(why));
        sto_pump_end(&block->pump, op);
    }
    job->job.free(&job->job);
    if (lost)
        sto_block_lose_device(block, why);
}

void sto_block_judge_transfer(void *context, struct sto_op *op, int64_t moved)
{
    struct sto_block *block = context;
    bool lost;

    sto_block_judge_data(moved, op->length_bytes, &op->result, &lost);
    block->lost |= lost;
}

void sto_block_collect(struct sto_block *block)
{
    for (enum sto_session session = 0; session < STO_SESSIONS; session++) {
        struct sto_block_lane *lane = &block->lanes[session];

        for (struct sto_block_job *job = sto_block_lane_finished(lane); job;
             job = sto_block_lane_finished(lane))
            job_done(block, job);
    }
    if (!block->uring)
        return;
    sto_uring_reap(block->uring);
    if (block->lost) {
        block->lost = false;
        sto_block_lose_device(block, "the device or its session is gone");
    }
    end_drained(block);
}

/* --- deadlines --- */

static int64_t sooner(int64_t one_ns, int64_t other_ns)
{
    return one_ns < other_ns ? one_ns : other_ns;
}

/* End logins that are over their time. Returns the next deadline. */
static int64_t expire_entering(struct sto_block *block, int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;
    struct sto_op *following;

    for (struct sto_op *op = block->entering.first; op; op = following) {
        following = op->next;
        if (op->deadline_ns > now_ns) {
            next_ns = sooner(next_ns, op->deadline_ns);
            continue;
        }
        sto_op_list_remove(&block->entering, op);
        sto_pump_end_with(&block->pump, op, STO_NOT_SENT, "timed out");
    }
    return next_ns;
}

static int64_t expire_lane(struct sto_block *block, struct sto_block_lane *lane, int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;

    for (struct sto_block_job *job = lane->first, *next; job; job = next) {
        next = job->next;
        if (job->expires_ns > now_ns)
            next_ns = sooner(next_ns, job->expires_ns);
        else if (job == block->entry) /* `entering` ended with it */
            block->entry = NULL;
        else if (job->op)
            sto_block_give_up_job(block, lane, job, "timed out");
    }
    if (sto_block_lane_unblock(lane, now_ns) < 0)
        next_ns = sooner(next_ns, now_ns + NS_PER_S); /* no thread to be had: try again */
    return next_ns;
}

void sto_block_expire(struct sto_block *block)
{
    int64_t now_ns = hw_clock_now_ns(block->lun.clock), next_ns;

    if (!sto_pump_due(&block->pump))
        return;
    next_ns = expire_entering(block, now_ns);
    if (block->uring)
        next_ns = sooner(next_ns, sto_uring_expire(block->uring, now_ns));
    for (struct sto_block_job **at = &block->draining; *at;) {
        if ((*at)->expires_ns <= now_ns) {
            sto_block_give_up_draining(block, at,
                                       "requests sent before the reset are still under way");
            continue;
        }
        next_ns = sooner(next_ns, (*at)->expires_ns);
        at = &(*at)->next;
    }
    for (enum sto_session session = 0; session < STO_SESSIONS; session++)
        next_ns = sooner(next_ns, expire_lane(block, &block->lanes[session], now_ns));
    sto_pump_wake_at(&block->pump, next_ns);
}
