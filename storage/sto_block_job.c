/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The jobs of the block backend that speak to the device: one SCSI command, one LUN reset. They
 * run in a worker thread and may block there for as long as the kernel likes.
 */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/hw_clock.h"

enum { NS_PER_MS = 1000000 };

static void run_job(struct sto_job *base)
{
    struct sto_block_job *job = (struct sto_block_job *)base;

    switch (job->kind) {
    case STO_BLOCK_JOB_LOGIN:
        sto_block_run_login(job);
        break;
    case STO_BLOCK_JOB_LOGOUT:
        sto_block_run_logout(job);
        break;
    case STO_BLOCK_JOB_COMMAND:
        sto_block_run_command(job);
        break;
    case STO_BLOCK_JOB_RESET:
        sto_block_run_reset(job);
        break;
    }
}

static void free_job(struct sto_job *base)
{
    struct sto_block_job *job = (struct sto_block_job *)base;

    if (job->fd >= 0)
        close(job->fd);
    if (job->login.fd >= 0)
        close(job->login.fd);
    free(job->place);
    free(job);
}

struct sto_block_job *sto_block_job_new(enum sto_block_job_kind kind,
                                        const struct sto_block_sys *sys, uint32_t data_bytes)
{
    struct sto_block_job *job = calloc(1, sizeof(*job) + data_bytes);

    if (!job)
        return NULL;
    job->job.run = run_job;
    job->job.free = free_job;
    job->kind = kind;
    job->sys = sys;
    job->fd = -1;
    job->login.fd = -1;
    return job;
}

/* What is left of the job's time, in ms; at least 1. */
static uint32_t left_ms(const struct sto_block_job *job)
{
    int64_t left_ns = job->deadline_ns - hw_clock_now_ns(hw_clock_boottime());

    return left_ns < NS_PER_MS ? 1 : (uint32_t)(left_ns / NS_PER_MS);
}

void sto_block_run_command(struct sto_block_job *job)
{
    struct sto_sg sg = {
        .cdb = job->command.cdb,
        .cdb_bytes = job->command.cdb_bytes,
        .direction = job->command.direction,
        .data = job->command.data_bytes > 0 ? job->data : NULL,
        .data_bytes = job->command.data_bytes,
        .timeout_ms = left_ms(job),
    };
    int rc;

    rc = job->sys->sg_io(job->sys->context, job->fd, &sg);
    sto_block_judge_command(rc, &sg, &job->result, &job->device_lost);
    if (rc == 0 && sg.residual_bytes <= sg.data_bytes)
        job->result.transferred_bytes = sg.data_bytes - sg.residual_bytes;
}

void sto_block_run_reset(struct sto_block_job *job)
{
    uint64_t size = 0;
    int rc;

    rc = job->sys->lun_reset(job->sys->context, job->fd);
    sto_block_judge_reset(rc, &job->result, &job->device_lost);
    /* A disk that was scanned while another held exclusive access has no size. */
    if (rc == 0 && job->sys->size(job->sys->context, job->fd, &size) == 0 && size == 0)
        sto_block_sysfs_rescan(job->sys->sysfs, job->disk);
}
