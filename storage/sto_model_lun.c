/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model backend: LUN operations as messages to the model target, and their ends. What happens
 * to a message on its way is sto_model_net.c's business.
 */
#include "config.h"

#include "storage/sto_model_lun_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cursor.h"

/* --- the LUN's lists --- */

static void out_remove(struct model_lun *lun, struct sto_op *op)
{
    if (op->previous != NULL)
        op->previous->next = op->next;
    else
        lun->out = op->next;
    if (op->next != NULL)
        op->next->previous = op->previous;
}

void model_end_op(struct model_lun *lun, struct sto_op *op)
{
    out_remove(lun, op);
    op->next = op->previous = NULL;
    op->backend = NULL;
    if (lun->done_last != NULL)
        lun->done_last->next = op;
    else
        lun->done_first = op;
    lun->done_last = op;
}

/* --- operations to messages --- */

static void rw_cdb(const struct sto_op *op, uint8_t cdb[16])
{
    struct hw_writer writer = hw_writer_over(cdb, 16);

    hw_write_u8(&writer, op->kind == STO_OP_READ ? 0x88 : 0x8a);
    hw_write_u8(&writer, 0);
    hw_write_be64(&writer, op->offset_bytes / STO_MODEL_BLOCK_BYTES);
    hw_write_be32(&writer, (uint32_t)(op->length_bytes / STO_MODEL_BLOCK_BYTES));
}

static int fill_command(struct wire *wire, const struct sto_op *op)
{
    struct sto_model_command *command = &wire->command;
    size_t at = 0;

    command->reset = op->kind == STO_OP_LUN_RESET;
    if (op->kind == STO_OP_READ || op->kind == STO_OP_WRITE)
        rw_cdb(op, command->cdb);
    else if (op->kind == STO_OP_FLUSH)
        command->cdb[0] = 0x35;
    else if (op->kind == STO_OP_SCSI)
        memcpy(command->cdb, op->cdb, sizeof(command->cdb));
    else if (op->kind != STO_OP_LUN_RESET && op->kind != STO_OP_LOGIN && op->kind != STO_OP_LOGOUT)
        return -EINVAL;
    command->data_bytes = (size_t)op->length_bytes;
    if (command->data_bytes == 0 || op->iov_count == 0)
        return 0;
    command->data = calloc(1, command->data_bytes);
    if (command->data == NULL)
        return -ENOMEM;
    if (op->kind == STO_OP_READ || op->direction == STO_DIRECTION_IN)
        return 0;
    for (unsigned i = 0; i < op->iov_count; i++) {
        memcpy(command->data + at, op->iov[i].iov_base, op->iov[i].iov_len);
        at += op->iov[i].iov_len;
    }
    return 0;
}

static void out_insert(struct model_lun *lun, struct sto_op *op)
{
    op->previous = NULL;
    op->next = lun->out;
    if (lun->out != NULL)
        lun->out->previous = op;
    lun->out = op;
    op->result.sent_ns = model_net_now_ns(lun->net);
}

static int model_submit_op(struct sto_lun *base, struct sto_op *op)
{
    struct model_lun *lun = (struct model_lun *)base;
    struct wire *wire;
    int rc;

    out_insert(lun, op);
    if (op->kind == STO_OP_LOGOUT || (op->kind != STO_OP_LOGIN && lun->nexus[op->session] < 0)) {
        op->result.rc = op->kind == STO_OP_LOGOUT ? STO_OK : STO_NOT_SENT;
        op->result.sent_ns = 0;
        if (op->kind == STO_OP_LOGOUT && lun->nexus[op->session] >= 0) {
            sto_model_end_session(lun->net->config.model, lun->nexus[op->session]);
            lun->nexus[op->session] = -1;
        }
        model_end_op(lun, op);
        return 0;
    }
    wire = calloc(1, sizeof(*wire));
    rc = wire == NULL ? -ENOMEM : fill_command(wire, op);
    if (rc < 0) {
        out_remove(lun, op);
        if (wire != NULL)
            model_free_wire(wire);
        return rc;
    }
    wire->net = lun->net;
    wire->lun = lun;
    wire->op = op;
    wire->session = op->session;
    wire->is_login = op->kind == STO_OP_LOGIN;
    wire->command.nexus = lun->nexus[op->session];
    op->backend = wire;
    if (op->deadline_ns == 0)
        op->deadline_ns = model_net_now_ns(lun->net) + (int64_t)5000 * 1000000;
    model_send_wire(lun, wire);
    return 0;
}

static void end_ops(struct model_lun *lun, enum sto_session session)
{
    struct sto_op *op = lun->out;

    while (op != NULL) {
        struct sto_op *next = op->next;

        if (op->session == session) {
            op->result.rc = STO_UNKNOWN;
            model_end_op(lun, op);
        }
        op = next;
    }
}

static void model_drop(struct sto_lun *base, enum sto_session session)
{
    struct model_lun *lun = (struct model_lun *)base;
    struct sto_model_net *net = lun->net;
    int64_t end_ns = model_net_now_ns(net) + 1;

    if (net->config.late_ns > 0)
        end_ns += (int64_t)hw_prng_below(net->config.prng, (uint64_t)net->config.late_ns);
    end_ops(lun, session);
    model_orphan_wires(lun, session, end_ns);
    lun->last_sent_ns[session] = 0;
    lun->tell_down[session] = false;
    if (lun->nexus[session] < 0)
        return;
    model_end_later(net, lun->nexus[session], end_ns);
    lun->nexus[session] = -1;
}

/* --- service --- */

static void expire(struct model_lun *lun)
{
    struct sto_op *op = lun->out;

    while (op != NULL) {
        struct sto_op *next = op->next;
        struct wire *wire = op->backend;

        if (op->deadline_ns <= model_net_now_ns(lun->net)) {
            if (wire != NULL)
                wire->op = NULL;
            op->result.rc = STO_UNKNOWN;
            model_end_op(lun, op);
        }
        op = next;
    }
}

static void deliver(struct model_lun *lun)
{
    while (lun->done_first != NULL) {
        struct sto_op *op = lun->done_first;

        lun->done_first = op->next;
        if (lun->done_first == NULL)
            lun->done_last = NULL;
        op->next = NULL;
        sto_lun_complete(&lun->base, op);
    }
}

static void model_service(struct sto_lun *base, short revents)
{
    struct model_lun *lun = (struct model_lun *)base;

    (void)revents;
    expire(lun);
    deliver(lun);
    for (int session = 0; session < STO_SESSIONS; session++) {
        if (lun->tell_down[session]) {
            lun->tell_down[session] = false;
            if (base->notify.session_down != NULL)
                base->notify.session_down(base->notify.context, (enum sto_session)session,
                                          "connection lost");
        }
    }
}

static void model_close(struct sto_lun *base)
{
    struct model_lun *lun = (struct model_lun *)base;

    model_drop(base, STO_SESSION_DATA);
    model_drop(base, STO_SESSION_CONTROL);
    deliver(lun);
    free(lun);
}

void sto_model_lun_break(struct sto_lun *base, enum sto_session session)
{
    struct model_lun *lun = (struct model_lun *)base;

    if (lun->nexus[session] < 0)
        return;
    model_drop(base, session);
    lun->tell_down[session] = true;
}

void sto_model_lun_target_gone(struct sto_lun *base)
{
    struct model_lun *lun = (struct model_lun *)base;

    for (int session = 0; session < STO_SESSIONS; session++) {
        bool was_up = lun->nexus[session] >= 0;

        lun->nexus[session] = -1; /* nothing of it lives on in the target */
        end_ops(lun, (enum sto_session)session);
        model_orphan_wires(lun, (enum sto_session)session, model_net_now_ns(lun->net));
        lun->last_sent_ns[session] = 0;
        lun->tell_down[session] = was_up;
    }
}

void sto_model_lun_cut(struct sto_lun *base, bool cut)
{
    ((struct model_lun *)base)->cut = cut;
}

int sto_model_lun_nexus(const struct sto_lun *base, enum sto_session session)
{
    return ((const struct model_lun *)base)->nexus[session];
}

int64_t sto_model_lun_next_ns(const struct sto_lun *base)
{
    const struct model_lun *lun = (const struct model_lun *)base;
    int64_t next = INT64_MAX;

    if (lun->done_first != NULL || lun->tell_down[STO_SESSION_DATA] ||
        lun->tell_down[STO_SESSION_CONTROL])
        return 0;
    for (const struct sto_op *op = lun->out; op != NULL; op = op->next) {
        if (op->deadline_ns < next)
            next = op->deadline_ns;
    }
    return next;
}

static int model_fd(const struct sto_lun *base)
{
    (void)base;
    return -1;
}

static short model_events(const struct sto_lun *base)
{
    (void)base;
    return 0;
}

static int model_facts(struct sto_lun *base, struct sto_facts *ret_facts, struct hw_error *error)
{
    (void)base;
    (void)ret_facts;
    (void)error;
    return -ENOTSUP; /* asked by CDB, as a SCSI backend */
}

static int model_open(const struct sto_url *url, const struct sto_lun_options *options,
                      struct sto_lun **ret_lun, struct hw_error *error)
{
    (void)url;
    (void)options;
    (void)ret_lun;
    return hw_error_set(error, HW_ERROR_REFUSED, ENOTSUP, "model", "has no URL", NULL);
}

static const struct sto_lun_ops model_ops = {
    .scheme = "model",
    .open = model_open,
    .close = model_close,
    .drop = model_drop,
    .submit = model_submit_op,
    .fd = model_fd,
    .events = model_events,
    .service = model_service,
    .hand_over = sto_lun_handed_over,
    .facts = model_facts,
};

struct sto_lun *sto_model_lun_new(struct sto_model_net *net, uint64_t port)
{
    struct model_lun *lun = calloc(1, sizeof(*lun));

    if (lun == NULL)
        return NULL;
    lun->base.ops = &model_ops;
    lun->base.clock = net->config.clock;
    lun->base.io_timeout_ms = 5000;
    lun->base.name = strdup("model:");
    if (lun->base.name == NULL) {
        free(lun);
        return NULL;
    }
    lun->net = net;
    lun->port = port;
    lun->nexus[STO_SESSION_DATA] = lun->nexus[STO_SESSION_CONTROL] = -1;
    return &lun->base;
}
