/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's own few reads and writes of a LUN, one after the other: its partition table, the
 * header slots of the saved state. They go beside the guest's gate, on the data session while the
 * LUN is owned, or on the control session before. Unit attentions, a busy target and aborts are
 * asked again, within limits; whatever else happens ends the job.
 */
#ifndef SV_JOB_H
#define SV_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/sto_lun.h"

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
    enum sto_session session;
    /* called once, from sto_lun_service() or sto_lun_close() (or from the start); the job may be
     * started again inside. op.result says how the last step ended */
    void (*done)(struct sv_job *job, enum sto_rc rc);
    void *context;
    /* the job's own */
    struct sto_lun *lun;
    unsigned at, tries;
    struct sto_op op;
    struct iovec iov;
    bool running;
};

/* Begin; the caller filled steps, count, session, done and context. The job stays where it is until
 * done. */
void sv_job_start(struct sv_job *job, struct sto_lun *lun);

#endif
