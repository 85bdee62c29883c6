/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A LUN backend over the model target, with a network between: commands and answers take time,
 * wait while the link is cut, and what a dropped session had sent may still arrive later. Time is
 * the harness's virtual clock; there is no descriptor: the harness calls sto_model_net_advance()
 * and then services each LUN that runs.
 */
#ifndef STO_MODEL_LUN_H
#define STO_MODEL_LUN_H

#include "common/hw_clock.h"
#include "common/hw_prng.h"
#include "storage/sto_lun.h"
#include "storage/sto_model.h"

struct sto_model_net;

struct sto_model_net_config {
    struct sto_model *model;
    const struct hw_clock *clock; /* the virtual clock; not owned */
    struct hw_prng *prng;         /* not owned */
    /* Time a command takes inside the target, by CDB; may use the prng. */
    int64_t (*takes_ns)(void *context, const uint8_t cdb[16], bool reset);
    void *context;
    int64_t latency_ns; /* one way; each message takes this to twice this */
    int64_t late_ns;    /* what a dropped session had sent arrives up to this much later */
};

/* A network. NULL: out of memory. The caller frees it, after all its LUNs. */
struct sto_model_net *sto_model_net_new(const struct sto_model_net_config *config);
void sto_model_net_free(struct sto_model_net *net); /* NULL is allowed */

/*
 * A LUN of one host; `port` is its initiator port (the control session uses port + 1). Its
 * sessions start down. NULL: out of memory. Closed by sto_lun_close().
 */
struct sto_lun *sto_model_lun_new(struct sto_model_net *net, uint64_t port);

/* The host's link: while cut, messages wait in both directions. */
void sto_model_lun_cut(struct sto_lun *lun, bool cut);
/* One session goes down by itself, as after a reset by something on the way. */
void sto_model_lun_break(struct sto_lun *lun, enum sto_session session);
/* All sessions of this LUN are gone (the target restarted). */
void sto_model_lun_target_gone(struct sto_lun *lun);
/* The nexus of a session, or -1. */
int sto_model_lun_nexus(const struct sto_lun *lun, enum sto_session session);

/* Deliver what is due up to now. */
void sto_model_net_advance(struct sto_model_net *net);
/* When something is due next; INT64_MAX = nothing. */
int64_t sto_model_net_next_ns(const struct sto_model_net *net);
/* When this LUN wants service next (a deadline, an answer); INT64_MAX = not. */
int64_t sto_model_lun_next_ns(const struct sto_lun *lun);

#endif
