/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of a job, each an operation of the LUN.
 */
#include "config.h"

#include "storage/serve/sv_job.h"

#include <errno.h>
#include <string.h>

enum { TRIES = 8 };

static void step_done(struct sto_request *request);

static void end(struct sv_job *job, enum sto_rc rc)
{
    job->running = false;
    job->done(job, rc);
}

static void issue(struct sv_job *job)
{
    const struct sv_job_step *step = &job->steps[job->at];
    int rc;

    memset(&job->request, 0, sizeof(job->request));
    job->iov = (struct iovec) { .iov_base = step->buffer, .iov_len = step->bytes };
    job->request.op.kind = step->kind;
    job->request.done = step_done;
    job->request.context = job;
    if (step->kind != STO_OP_FLUSH) {
        job->request.op.offset_bytes = step->offset_bytes;
        job->request.op.iov = &job->iov;
        job->request.op.iov_count = 1;
    }
    rc = job->submit(job->to, &job->request);
    if (rc < 0)
        end(job, rc == -ESHUTDOWN ? STO_NOT_SENT : STO_ILLEGAL);
}

static void step_done(struct sto_request *request)
{
    struct sv_job *job = request->context;
    const struct sv_job_step *step = &job->steps[job->at];
    enum sto_rc rc = request->op.result.rc;

    /* without a gate before it, which does the same with more patience */
    if (sto_rc_passes(rc) && ++job->tries < TRIES) {
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

void sv_job_start(struct sv_job *job)
{
    job->at = job->tries = 0;
    job->running = true;
    issue(job);
}
