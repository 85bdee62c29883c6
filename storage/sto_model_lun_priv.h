/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the model backend: sto_model_lun.c (operations of a LUN) and sto_model_net.c (what is
 * under way between hosts and target). */
#ifndef STO_MODEL_LUN_PRIV_H
#define STO_MODEL_LUN_PRIV_H

#include "storage/sto_lun_priv.h"
#include "storage/sto_model_lun.h"

enum wire_state { ON_ITS_WAY, AT_TARGET, COMING_BACK };

struct model_lun;

/* One command between host and target. */
struct wire {
    struct wire *next;
    struct sto_model_net *net;
    struct model_lun *lun; /* NULL: the session was dropped, nobody waits */
    struct sto_op *op;     /* NULL: timed out, nobody waits */
    enum sto_session session;
    enum wire_state state;
    bool is_login;
    int64_t due_ns;
    struct sto_model_command command;
    struct sto_model_reply reply;
};

/* A session of the target that its host has dropped; it ends when the target notices. */
struct orphan {
    struct orphan *next;
    int nexus;
    int64_t end_ns;
};

struct sto_model_net {
    struct sto_model_net_config config;
    struct wire *wires;
    struct orphan *orphans;
};

struct model_lun {
    struct sto_lun base;
    struct sto_model_net *net;
    uint64_t port;
    bool cut;
    int nexus[STO_SESSIONS]; /* -1: down */
    bool tell_down[STO_SESSIONS];
    int64_t last_sent_ns[STO_SESSIONS];
    struct sto_op *done_first, *done_last; /* to be completed in service */
    struct sto_op *out;                    /* submitted, not done */
};

/* Now, by the harness's clock. */
int64_t model_net_now_ns(const struct sto_model_net *net);
/* Put a message on its way; those of one session stay in order. */
void model_send_wire(struct model_lun *lun, struct wire *wire);
/* Free a message and its data. */
void model_free_wire(struct wire *wire);
/* Nobody waits for this session's messages any more; what was sent may still arrive, late but in
 * order, before `end_ns`. */
void model_orphan_wires(struct model_lun *lun, enum sto_session session, int64_t end_ns);
/* The target notices at `end_ns` that this session's host is gone. */
void model_end_later(struct sto_model_net *net, int nexus, int64_t end_ns);
/* An operation is over, its result set; it is completed in the next service call. */
void model_end_op(struct model_lun *lun, struct sto_op *op);

#endif
