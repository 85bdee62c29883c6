/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * READ RESERVATION of one LUN after the other. What says nothing about the reservation (another
 * unit attention, a busy target, an abort) is asked again, within limits.
 */
#include "config.h"

#include "storage/serve/sv_verify.h"

#include <errno.h>
#include <string.h>

#include "storage/sto_owner.h"

enum { TRIES = 32, ANSWER_MS = 5000 };

static void ask(struct sv_verify *verify);

/* What speaks against it; 0: nothing. */
static int judge(struct sv_verify *verify, struct hw_error *error)
{
    const char *name = sto_lun_name(verify->luns[verify->at]);
    struct sto_pr_reservation held = { 0 };
    char key[STO_KEY_TEXT_BYTES];
    int rc = sto_owner_decode_reservation(&verify->op.result, verify->answer, &held);

    if (rc < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, -rc, name, "see its events",
                             "its reservation cannot be read: %s",
                             rc == -EBADMSG ? "the answer makes no sense"
                                            : sto_rc_name(verify->op.result.rc));
    if (!held.held || held.key != verify->key(verify->context, verify->at))
        return hw_error_setf(error, HW_ERROR_REFUSED, EPERM, name, "see 'hawser lun show'",
                             "is held by %s", held.held ? sto_key_text(held.key, key) : "nobody");
    if (held.type != STO_PR_EXCLUSIVE_ACCESS)
        return hw_error_setf(error, HW_ERROR_REFUSED, EPERM, name, "see 'hawser lun show'",
                             "is held with type %u instead of exclusive access", held.type);
    return 0;
}

static void answered(struct sto_op *op)
{
    struct sv_verify *verify = op->context;
    struct hw_error error = { 0 };

    if (sto_rc_passes(op->result.rc) && ++verify->tries < TRIES) {
        ask(verify);
        return;
    }
    if (judge(verify, &error) < 0) {
        verify->done(verify->context, &error);
        return;
    }
    verify->at++;
    verify->tries = 0;
    if (verify->at == verify->count)
        verify->done(verify->context, NULL);
    else
        ask(verify);
}

static void ask(struct sv_verify *verify)
{
    struct sto_lun *lun = verify->luns[verify->at];
    struct sto_op *op = &verify->op;
    struct hw_error error = { 0 };
    int rc;

    memset(op, 0, sizeof(*op));
    verify->iov = (struct iovec) { verify->answer, sizeof(verify->answer) };
    op->kind = STO_OP_SCSI;
    op->session = STO_SESSION_CONTROL;
    op->direction = STO_DIRECTION_IN;
    op->iov = &verify->iov;
    op->iov_count = 1;
    op->cdb_bytes = sto_pr_in_cdb(STO_PR_READ_RESERVATION, sizeof(verify->answer), op->cdb);
    op->timeout_ms = ANSWER_MS;
    op->done = answered;
    op->context = verify;
    rc = sto_lun_submit(lun, op);
    if (rc == 0)
        return;
    (void)hw_error_set(&error, HW_ERROR_FAILED, -rc, sto_lun_name(lun), strerror(-rc), "try again");
    verify->done(verify->context, &error);
}

void sv_verify_start(struct sv_verify *verify)
{
    verify->at = verify->tries = 0;
    ask(verify);
}
