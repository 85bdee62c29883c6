/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations inside libiscsi: handing them over, and from libiscsi's callback to a judged result.
 * Callbacks only queue results; `done` is called by the service.
 *
 * libiscsi cannot take back a PDU that it has begun to send, and reads a task's buffers while
 * Data-Out PDUs of it are queued, even after the task ended. So a task's memory is given back,
 * and a task cancelled, only when nothing is left to send; else the session goes down instead.
 */
#include "config.h"

#include "storage/sto_iscsi_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_sense.h"

/* RFC 7143 11.6.1 */
enum { TMF_COMPLETE = 0, TMF_NOT_SUPPORTED = 5, TMF_REJECTED = 255 };

bool sto_iscsi_drained(const struct sto_iscsi_session *session)
{
    return iscsi_out_queue_length(session->context) == 0 &&
           (iscsi_which_events(session->context) & POLLOUT) == 0;
}

/* --- lists of tasks --- */

static void list_add(struct sto_iscsi_tasks *list, struct sto_iscsi_task *task)
{
    task->next = NULL;
    task->previous = list->last;
    if (list->last != NULL)
        list->last->next = task;
    else
        list->first = task;
    list->last = task;
    list->count++;
}

static void list_remove(struct sto_iscsi_tasks *list, struct sto_iscsi_task *task)
{
    if (task->previous != NULL)
        task->previous->next = task->next;
    else
        list->first = task->next;
    if (task->next != NULL)
        task->next->previous = task->previous;
    else
        list->last = task->previous;
    list->count--;
}

static struct sto_iscsi_task *take_task(struct sto_iscsi_session *session)
{
    struct sto_iscsi_task *task = session->lun->spare;

    if (task != NULL) {
        session->lun->spare = task->next;
    } else {
        task = calloc(1, sizeof(*task));
        if (task == NULL)
            return NULL;
        task->iov = task->inline_iov;
        task->iov_room = STO_ISCSI_IOV;
    }
    task->session = session;
    task->op = NULL;
    task->scsi = NULL;
    task->answered = task->leased = false;
    task->asked_bytes = 0;
    return task;
}

/* Nothing of it is left to send. */
static void end_leased(struct sto_iscsi_session *session, struct sto_iscsi_task *task)
{
    session->leased -= task->leased;
    task->leased = false;
}

/* Back to the spares; nothing of libiscsi's points to it any more. */
static void give_task(struct sto_iscsi *lun, struct sto_iscsi_task *task)
{
    if (task->scsi != NULL)
        scsi_free_scsi_task(task->scsi);
    task->scsi = NULL;
    end_leased(task->session, task);
    if (task->iov != task->inline_iov) {
        free(task->iov);
        task->iov = task->inline_iov;
        task->iov_room = STO_ISCSI_IOV;
    }
    task->next = lun->spare;
    lun->spare = task;
}

/* --- from libiscsi: results --- */

static void judge_residual(const struct sto_iscsi_task *task, struct sto_op *op)
{
    const struct scsi_task *scsi = task->scsi;
    uint64_t asked = task->asked_bytes, left = scsi->residual < asked ? scsi->residual : asked;

    if (op->kind == STO_OP_DISCARD || op->kind == STO_OP_WRITE_ZEROES)
        asked = op->length_bytes; /* a parameter list or one block stands for them */
    op->result.transferred_bytes = asked;
    if (scsi->residual_status == SCSI_RESIDUAL_NO_RESIDUAL || scsi->residual == 0)
        return;
    if (scsi->residual_status == SCSI_RESIDUAL_UNDERFLOW)
        op->result.transferred_bytes = asked - left;
    /* For a plain CDB fewer bytes are usual (INQUIRY) and more are the caller's to see; a block
     * command moves what was asked, or something is wrong. */
    if (op->kind != STO_OP_SCSI && op->result.rc == STO_OK)
        op->result.rc = scsi->residual_status == SCSI_RESIDUAL_UNDERFLOW ? STO_SHORT : STO_MEDIUM;
}

static void judge_task(struct sto_iscsi_task *task, int status)
{
    struct sto_op *op = task->op;
    const struct scsi_task *scsi = task->scsi;
    const uint8_t *sense = scsi->datain.data;
    size_t sense_bytes = 0;

    if (status < 0 || status > UINT8_MAX) { /* cancelled, timed out, protocol error */
        op->result.rc = STO_UNKNOWN;
        return;
    }
    if (status == SCSI_STATUS_CHECK_CONDITION && scsi->datain.size > 2) {
        /* SenseLength, then the sense data (RFC 7143 11.4.7.2) */
        size_t told = (size_t)sense[0] << 8 | sense[1];
        size_t there = (size_t)scsi->datain.size - 2;

        sense_bytes = told < there ? told : there;
        sense += 2;
    }
    sto_sense_judge((uint8_t)status, sense, sense_bytes, &op->result);
    if (op->result.rc == STO_OK)
        judge_residual(task, op);
}

static void task_answered(struct sto_iscsi_session *session, struct sto_iscsi_task *task)
{
    task->answered = true;
    list_remove(&session->active, task);
    list_add(&session->retired, task);
}

static void command_done(struct iscsi_context *context, int status, void *data, void *private)
{
    struct sto_iscsi_task *task = private;
    struct sto_iscsi_session *session = task->session;

    (void)context;
    (void)data;
    if (session->tearing_down) /* all tasks are freed together, their operations have ended */
        return;
    if (task->op != NULL) {
        judge_task(task, status);
        if (status == (int)SCSI_STATUS_CANCELLED) {
            session->lost = true;
            snprintf(task->op->result.detail, STO_DETAIL_BYTES, "%s", "connection lost");
        } else {
            session->received_ns = hw_clock_now_ns(session->lun->lun.clock);
        }
    }
    /* A target may refuse a write before it has taken all data. What libiscsi still has queued of
     * it lies in the caller's buffers: they stay ours until that is gone. */
    if (status == SCSI_STATUS_GOOD || task->scsi->xfer_dir != SCSI_XFER_WRITE ||
        sto_iscsi_drained(session)) {
        if (task->op != NULL)
            sto_pump_end(&session->lun->pump, task->op);
        task->op = NULL;
        end_leased(session, task);
    }
    task_answered(session, task);
}

static void judge_reset(struct sto_iscsi_task *task, int status, const void *data)
{
    struct sto_iscsi_session *session = task->session;
    struct sto_result *result = &task->op->result;

    if (status == (int)SCSI_STATUS_CANCELLED) {
        result->rc = STO_UNKNOWN;
        session->lost = true;
        snprintf(result->detail, STO_DETAIL_BYTES, "%s", "connection lost");
        return;
    }
    if (status != SCSI_STATUS_GOOD || data == NULL) {
        result->rc = STO_UNSUPPORTED;
        snprintf(result->detail, STO_DETAIL_BYTES, "%s", "LUN reset rejected by the target");
        return;
    }
    result->tmf_response = (uint8_t) * (const uint32_t *)data;
    if (result->tmf_response == TMF_COMPLETE) {
        result->rc = STO_OK;
        session->clear_older = true;
        session->clear_before = task->serial;
    } else if (result->tmf_response == TMF_NOT_SUPPORTED || result->tmf_response == TMF_REJECTED) {
        result->rc = STO_UNSUPPORTED;
    } else {
        result->rc = STO_MEDIUM;
    }
}

static void reset_done(struct iscsi_context *context, int status, void *data, void *private)
{
    struct sto_iscsi_task *task = private;
    struct sto_iscsi_session *session = task->session;

    (void)context;
    if (session->tearing_down)
        return;
    if (task->op != NULL) {
        judge_reset(task, status, data);
        session->received_ns = hw_clock_now_ns(session->lun->lun.clock);
        sto_pump_end(&session->lun->pump, task->op);
        task->op = NULL;
    }
    task_answered(session, task);
}

/* --- to libiscsi --- */

/* 0, or -errno and nothing of libiscsi's points to the task. */
static int start_command(struct sto_iscsi_session *session, struct sto_iscsi_task *task,
                         const struct sto_op *op)
{
    int rc = sto_iscsi_build(session, task, op);

    if (rc == 0 && iscsi_scsi_command_async(session->context, sto_iscsi_lun_number(session->lun),
                                            task->scsi, command_done, NULL, task) != 0)
        rc = -ENOTCONN;
    return rc;
}

static int start_reset(struct sto_iscsi_session *session, struct sto_iscsi_task *task)
{
    /* Not iscsi_task_mgmt_lun_reset_async(): that forgets all tasks of the context at once, even
     * one that is half sent. What the reset cleared is ended when the target has said so. */
    if (iscsi_task_mgmt_async(session->context, sto_iscsi_lun_number(session->lun),
                              ISCSI_TM_LUN_RESET, 0xffffffff, 0, reset_done, task) != 0)
        return -ENOTCONN;
    return 0;
}

void sto_iscsi_task_start(struct sto_iscsi_session *session, struct sto_op *op)
{
    struct sto_iscsi_task *task = take_task(session);
    int rc;

    if (task == NULL) {
        sto_pump_end_with(&session->lun->pump, op, STO_NOT_SENT, "out of memory");
        return;
    }
    if (op->kind == STO_OP_LUN_RESET)
        rc = start_reset(session, task);
    else
        rc = start_command(session, task, op);
    if (rc < 0) {
        give_task(session->lun, task);
        sto_pump_end_with(&session->lun->pump, op, STO_NOT_SENT,
                          rc == -EINVAL   ? "the block size is not known or the range is too large"
                          : rc == -ENOMEM ? "out of memory"
                                          : "the session is down");
        return;
    }
    task->op = op;
    task->leased = (op->flags & STO_LEASED) != 0;
    session->leased += task->leased;
    task->serial = ++session->lun->serial;
    op->backend = task;
    op->result.sent_ns = hw_clock_now_ns(session->lun->lun.clock);
    session->sent_ns = op->result.sent_ns;
    list_add(&session->active, task);
}

/* --- ending without an answer --- */

/* Forget one task locally; libiscsi ignores a late answer. Only when drained. */
static void cancel(struct sto_iscsi_session *session, struct sto_iscsi_task *task,
                   const char *detail)
{
    if (task->op != NULL) {
        sto_pump_end_with(&session->lun->pump, task->op, STO_UNKNOWN, detail);
        task->op = NULL;
    }
    if (task->scsi != NULL) /* task management stays until it is answered */
        iscsi_scsi_cancel_task(session->context, task->scsi);
}

static int64_t expire_waiting(struct sto_iscsi_session *session, int64_t now_ns)
{
    int64_t next = INT64_MAX;
    struct sto_op *op = session->waiting.first;

    while (op != NULL) {
        struct sto_op *following = op->next;

        if (op->deadline_ns <= now_ns) {
            sto_op_list_remove(&session->waiting, op);
            sto_pump_end_with(&session->lun->pump, op, STO_UNKNOWN, "timed out before it was sent");
        } else if (op->deadline_ns < next) {
            next = op->deadline_ns;
        }
        op = following;
    }
    return next;
}

int64_t sto_iscsi_task_expire(struct sto_iscsi_session *session, int64_t now_ns)
{
    int64_t next = expire_waiting(session, now_ns);
    struct sto_iscsi_task *task = session->active.first;

    while (task != NULL) {
        struct sto_iscsi_task *following = task->next;

        if (task->op != NULL && task->op->deadline_ns <= now_ns) {
            if (!sto_iscsi_drained(session)) {
                sto_iscsi_session_down(session, "timed out with data that could not be sent", true);
                return INT64_MAX;
            }
            cancel(session, task, "timed out");
        } else if (task->op != NULL && task->op->deadline_ns < next) {
            next = task->op->deadline_ns;
        }
        task = following;
    }
    return next;
}

void sto_iscsi_task_clear_older(struct sto_iscsi_session *session)
{
    struct sto_iscsi_task *task = session->active.first;

    if (!session->clear_older || !sto_iscsi_drained(session))
        return;
    session->clear_older = false;
    while (task != NULL) {
        struct sto_iscsi_task *following = task->next;

        if (task->serial < session->clear_before)
            cancel(session, task, "cleared by the LUN reset");
        task = following;
    }
}

void sto_iscsi_task_recycle(struct sto_iscsi_session *session)
{
    if (session->retired.first == NULL || !sto_iscsi_drained(session))
        return;
    while (session->retired.first != NULL) {
        struct sto_iscsi_task *task = session->retired.first;

        list_remove(&session->retired, task);
        if (task->op != NULL)
            sto_pump_end(&session->lun->pump, task->op);
        give_task(session->lun, task);
    }
}

void sto_iscsi_task_end_all(struct sto_iscsi_session *session, const char *why)
{
    struct sto_op *op;

    for (struct sto_iscsi_task *task = session->active.first; task != NULL; task = task->next) {
        if (task->op == NULL)
            continue;
        sto_pump_end_with(&session->lun->pump, task->op, STO_UNKNOWN, why);
        task->op = NULL;
    }
    for (struct sto_iscsi_task *task = session->retired.first; task != NULL; task = task->next) {
        if (task->op != NULL) /* judged, only held back */
            sto_pump_end(&session->lun->pump, task->op);
        task->op = NULL;
    }
    while ((op = sto_op_list_take(&session->waiting)) != NULL)
        sto_pump_end_with(&session->lun->pump, op, STO_NOT_SENT, why);
}

static void free_list(struct sto_iscsi *lun, struct sto_iscsi_tasks *list)
{
    while (list->first != NULL) {
        struct sto_iscsi_task *task = list->first;

        list_remove(list, task);
        give_task(lun, task);
    }
}

void sto_iscsi_task_free_all(struct sto_iscsi_session *session)
{
    free_list(session->lun, &session->active);
    free_list(session->lun, &session->retired);
}
