/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of a job, each an operation of the LUN.
 */
#include "config.h"

#include "storage/serve/sv_job.h"

#include <string.h>

enum { TRIES = 32, STEP_MS = 10000 };

static void step_done(struct sto_op *op);

static void end(struct sv_job *job, enum sto_rc rc)
{
    job->running = false;
    job->done(job, rc);
}

static void issue(struct sv_job *job)
{
    const struct sv_job_step *step = &job->steps[job->at];
    int rc;

    memset(&job->op, 0, sizeof(job->op));
    job->iov = (struct iovec) { .iov_base = step->buffer, .iov_len = step->bytes };
    job->op.kind = step->kind;
    job->op.session = job->session;
    job->op.timeout_ms = STEP_MS;
    job->op.done = step_done;
    job->op.context = job;
    if (step->kind != STO_OP_FLUSH) {
        job->op.offset_bytes = step->offset_bytes;
        job->op.iov = &job->iov;
        job->op.iov_count = 1;
    }
    rc = sto_lun_submit(job->lun, &job->op);
    if (rc < 0)
        end(job, STO_ILLEGAL);
}

static bool again(enum sto_rc rc)
{
    return rc == STO_UNIT_ATTENTION || rc == STO_BUSY || rc == STO_ABORTED;
}

static void step_done(struct sto_op *op)
{
    struct sv_job *job = op->context;
    const struct sv_job_step *step = &job->steps[job->at];
    enum sto_rc rc = op->result.rc;

    if (again(rc) && ++job->tries < TRIES) {
        issue(job);
        return;
    }
    if (rc == STO_MEDIUM && step->may_fail) {
        memset(step->buffer, 0xff, step->bytes);
        rc = STO_OK;
    }
    if (rc == STO_UNSUPPORTED && step->kind == STO_OP_FLUSH)
        rc = STO_OK; /* a target without a cache */
    if (rc != STO_OK || ++job->at == job->count)
        end(job, rc);
    else
        issue(job);
}

void sv_job_start(struct sv_job *job, struct sto_lun *lun)
{
    job->lun = lun;
    job->at = job->tries = 0;
    job->running = true;
    issue(job);
}
