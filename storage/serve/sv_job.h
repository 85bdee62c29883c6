/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's own few reads and writes of a LUN, one after the other: its partition table, the
 * header slots of the saved state, the flush of a drain. They go where the job's `submit` sends
 * them: through the LUN's gate once it is claimed, like a guest's requests. So they bear its
 * leases, wait while ownership has to be proven, are issued again behind the barrier and as long as
 * the target is busy; and an outcome that nobody knows makes the owner prove itself. What the gate
 * still ends without an outcome ends the job: the LUN is lost, or claimed anew.
 */
#ifndef SV_JOB_H
#define SV_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/sto_gate.h"

enum { SV_JOB_STEPS = 4 };

struct sv_job_step {
    enum sto_op_kind kind; /* STO_OP_READ, STO_OP_WRITE, STO_OP_FLUSH */
    uint64_t offset_bytes;
    void *buffer; /* page-aligned; the caller's until the job is done */
    size_t bytes;
    bool may_fail; /* a read that the medium refuses fills the buffer with ffh and goes on */
};

struct sv_job {
    struct sv_job_step steps[SV_JOB_STEPS];
    unsigned count;
    /* takes each step: 0, or -errno and `request` is not called (-ESHUTDOWN: the LUN is lost) */
    int (*submit)(void *to, struct sto_request *request);
    void *to;
    /* called once, from service calls, when the LUN is closed, or from the start; the job may be
     * started again inside. sto_rc_unsettled(): the LUN is lost, or claimed anew */
    void (*done)(struct sv_job *job, enum sto_rc rc);
    void *context;
    /* the job's own */
    unsigned at, tries;
    struct sto_request request;
    struct iovec iov;
    bool running;
};

/* Begin; the caller filled steps, count, submit, to, done and context. The job stays where it is
 * until done. */
void sv_job_start(struct sv_job *job);

#endif
