/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network of the model backend: messages to the model target and back. Messages of one
 * session stay in order, as in TCP. A message outlives its operation and its LUN: that is how a
 * write of yesterday arrives today. It decides nothing about operations.
 */
#include "config.h"

#include "storage/sto_model_lun_priv.h"

#include <stdlib.h>
#include <string.h>

#include "storage/sto_sense.h"

int64_t model_net_now_ns(const struct sto_model_net *net)
{
    return hw_clock_now_ns(net->config.clock);
}

static int64_t travel_ns(struct sto_model_net *net)
{
    int64_t base = net->config.latency_ns;

    return base + (int64_t)hw_prng_below(net->config.prng, (uint64_t)base + 1);
}

struct sto_model_net *sto_model_net_new(const struct sto_model_net_config *config)
{
    struct sto_model_net *net = calloc(1, sizeof(*net));

    if (net != NULL)
        net->config = *config;
    return net;
}

void model_free_wire(struct wire *wire)
{
    free(wire->command.data);
    free(wire);
}

void sto_model_net_free(struct sto_model_net *net)
{
    if (net == NULL)
        return;
    while (net->wires != NULL) {
        struct wire *wire = net->wires;

        net->wires = wire->next;
        model_free_wire(wire);
    }
    while (net->orphans != NULL) {
        struct orphan *orphan = net->orphans;

        net->orphans = orphan->next;
        free(orphan);
    }
    free(net);
}

static void scatter(struct sto_op *op, const uint8_t *data, size_t bytes)
{
    size_t at = 0;

    for (unsigned i = 0; i < op->iov_count && at < bytes; i++) {
        size_t part = op->iov[i].iov_len < bytes - at ? op->iov[i].iov_len : bytes - at;

        memcpy(op->iov[i].iov_base, data + at, part);
        at += part;
    }
}

/* The answer arrived at the host. */
static void answer(struct wire *wire)
{
    struct sto_op *op = wire->op;
    const struct sto_model_reply *reply = &wire->reply;

    if (wire->is_login) {
        op->result.rc = STO_OK;
    } else if (wire->command.reset) {
        op->result.tmf_response = reply->tmf_response;
        op->result.rc = reply->tmf_response == 0 ? STO_OK : STO_UNSUPPORTED;
    } else {
        uint8_t sense[18] = { 0x70, 0, reply->sense_key, 0, 0, 0, 0, 10 };

        sense[12] = (uint8_t)(reply->asc_ascq >> 8);
        sense[13] = (uint8_t)reply->asc_ascq;
        sto_sense_judge(reply->status, reply->status == 0x02 ? sense : NULL,
                        reply->status == 0x02 ? sizeof(sense) : 0, &op->result);
        if (op->result.rc == STO_OK && reply->data_in_bytes > 0)
            scatter(op, wire->command.data, reply->data_in_bytes);
        op->result.transferred_bytes = reply->data_in_bytes;
    }
    model_end_op(wire->lun, op);
}

/* --- the way there and back --- */

static void replied(struct sto_model_command *command, const struct sto_model_reply *reply)
{
    struct wire *wire = command->context;

    wire->reply = *reply;
    wire->state = COMING_BACK;
    wire->due_ns = model_net_now_ns(wire->net) + travel_ns(wire->net);
}

static void log_in(struct wire *wire)
{
    struct model_lun *lun = wire->lun;
    int nexus;

    wire->state = COMING_BACK;
    wire->due_ns = model_net_now_ns(wire->net) + travel_ns(wire->net);
    if (lun == NULL || wire->op == NULL)
        return;
    nexus = sto_model_login(wire->net->config.model, lun->port + wire->session);
    if (nexus >= 0)
        lun->nexus[wire->session] = nexus;
}

/* False: the wire is over. */
static bool arrive(struct wire *wire)
{
    if (wire->state == COMING_BACK) {
        if (wire->lun != NULL && wire->op != NULL)
            answer(wire);
        return false;
    }
    if (wire->is_login) {
        log_in(wire);
        return true;
    }
    wire->state = AT_TARGET;
    wire->due_ns = INT64_MAX;
    wire->command.done = replied;
    wire->command.context = wire;
    if (!wire->command.reset)
        wire->command.takes_ns =
            wire->net->config.takes_ns(wire->net->config.context, wire->command.cdb, false);
    return sto_model_submit(wire->net->config.model, model_net_now_ns(wire->net), &wire->command) ==
           0;
}

static bool held_by_cut(const struct wire *wire)
{
    return wire->lun != NULL && wire->lun->cut && wire->state != AT_TARGET;
}

void sto_model_net_advance(struct sto_model_net *net)
{
    struct wire **link = &net->wires;
    struct orphan **orphan = &net->orphans;

    sto_model_advance(net->config.model, model_net_now_ns(net));
    while (*link != NULL) {
        struct wire *wire = *link;
        bool lives = true;

        if (wire->due_ns <= model_net_now_ns(net) && !held_by_cut(wire))
            lives = arrive(wire);
        if (lives) {
            link = &wire->next;
        } else {
            *link = wire->next;
            if (wire->op != NULL && wire->op->backend == wire)
                wire->op->backend = NULL; /* not taken by the target: it times out */
            model_free_wire(wire);
        }
    }
    while (*orphan != NULL) {
        struct orphan *gone = *orphan;

        if (gone->end_ns > model_net_now_ns(net)) {
            orphan = &gone->next;
            continue;
        }
        sto_model_end_session(net->config.model, gone->nexus);
        *orphan = gone->next;
        free(gone);
    }
    sto_model_advance(net->config.model, model_net_now_ns(net));
}

int64_t sto_model_net_next_ns(const struct sto_model_net *net)
{
    int64_t next = sto_model_next_ns(net->config.model);

    for (const struct wire *wire = net->wires; wire != NULL; wire = wire->next) {
        if (wire->due_ns < next && !held_by_cut(wire))
            next = wire->due_ns;
    }
    for (const struct orphan *orphan = net->orphans; orphan != NULL; orphan = orphan->next) {
        if (orphan->end_ns < next)
            next = orphan->end_ns;
    }
    return next;
}

void model_send_wire(struct model_lun *lun, struct wire *wire)
{
    struct sto_model_net *net = lun->net;
    struct wire **link = &net->wires;
    int64_t due = model_net_now_ns(net) + travel_ns(net);

    if (due < lun->last_sent_ns[wire->session])
        due = lun->last_sent_ns[wire->session];
    lun->last_sent_ns[wire->session] = due;
    wire->due_ns = due;
    while (*link != NULL)
        link = &(*link)->next;
    *link = wire;
}

void model_orphan_wires(struct model_lun *lun, enum sto_session session, int64_t end_ns)
{
    struct sto_model_net *net = lun->net;
    bool arrives = hw_prng_chance(net->config.prng, 1, 2);

    for (struct wire *wire = net->wires; wire != NULL; wire = wire->next) {
        if (wire->lun != lun || wire->session != session)
            continue;
        wire->lun = NULL;
        wire->op = NULL;
        if (wire->state == ON_ITS_WAY && !wire->is_login && arrives)
            wire->due_ns = end_ns - 1;
        else if (wire->state == ON_ITS_WAY)
            wire->command.nexus = -1; /* lost: the target will not take it */
    }
}

void model_end_later(struct sto_model_net *net, int nexus, int64_t end_ns)
{
    struct orphan *orphan = calloc(1, sizeof(*orphan));

    if (orphan == NULL) {
        sto_model_end_session(net->config.model, nexus);
        return;
    }
    orphan->nexus = nexus;
    orphan->end_ns = end_ns;
    orphan->next = net->orphans;
    net->orphans = orphan;
}
