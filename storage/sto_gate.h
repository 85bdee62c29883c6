/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data gate of one LUN: the only way of guest requests to it. Open: requests pass, many in
 * flight. Held: they wait, nothing fails. A request that ended without a usable answer (session
 * lost, timed out, aborted by a reset, refused for want of the reservation) goes back to its place
 * in the queue and is issued again, in the order of arrival, when the gate opens: behind a barrier
 * that is the ownership machine's business. None is lost, none answered twice.
 */
#ifndef STO_GATE_H
#define STO_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/sto_lun.h"

struct sto_gate;
struct sto_request;

/* Why a gate tells its owner something. */
enum sto_gate_event {
    STO_GATE_CONFLICT,  /* RESERVATION CONFLICT; the gate holds already */
    STO_GATE_ATTENTION, /* unit attention of class 29h, 2Ah or 2Fh; the gate holds already */
    STO_GATE_UNKNOWN,   /* a request's outcome is unknown; the gate holds already */
    STO_GATE_DRAINED,   /* after sto_gate_drain(): nothing in flight, nothing unanswered */
    STO_GATE_EXPIRED,   /* the lease ran out before a submit; the gate holds already */
};

enum sto_gate_state { STO_GATE_HELD, STO_GATE_OPEN, STO_GATE_DRAINING, STO_GATE_DEAD };

/* One guest request. The caller fills `op` (READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES; without
 * done and context), `done` and `context`, and owns it until `done`. */
struct sto_request {
    struct sto_op op;
    /* op.result tells. From service calls; for a request that the LUN's limits refuse from inside
     * the call that would issue it. */
    void (*done)(struct sto_request *request);
    void *context;
    /* the gate's own */
    struct sto_gate *gate;
    struct sto_request *next, *previous;
    uint64_t number;
    bool flying, sent_once, abandoned;
    unsigned aborts; /* how often the target aborted it, since it was taken */
};

struct sto_gate_stats {
    uint64_t submitted, answered, reissued;
    unsigned waiting, flying;
    int64_t busy_since_ns; /* nothing but BUSY and aborts has come since then; 0: not so */
};

/* A held gate in front of `lun` (not owned). NULL: out of memory. */
struct sto_gate *sto_gate_new(struct sto_lun *lun,
                              void (*event)(void *context, enum sto_gate_event event,
                                            uint16_t asc_ascq),
                              void *context);
/* Free it. Requests that are left are not called: kill it first. NULL is allowed. */
void sto_gate_free(struct sto_gate *gate);

/* Take a request. 0, -ESHUTDOWN if the gate is dead, -EINVAL for another kind of operation. */
int sto_gate_submit(struct sto_gate *gate, struct sto_request *request);

/*
 * Nobody wants this request's answer any more, but `done` is still called: now, if it was never
 * sent (STO_NOT_SENT) or waits at an open gate to be sent again (STO_UNKNOWN); when its answer
 * comes; or, if the answer does not come, when the gate opens again behind a barrier (STO_UNKNOWN),
 * whatever the leases say. It is not issued again.
 */
void sto_gate_abandon(struct sto_gate *gate, struct sto_request *request);

/* Issue what waits, oldest first, and let requests pass. No-op when dead. */
void sto_gate_open(struct sto_gate *gate);
/* Let nothing pass; what is in flight may still be answered. No-op when dead. */
void sto_gate_hold(struct sto_gate *gate);
/* Finish what arrived before this call (`waiting` false: only what is in flight), hold the rest;
 * then STO_GATE_DRAINED, which may be told from inside this call. */
void sto_gate_drain(struct sto_gate *gate, bool waiting);
/* A new ownership begins: every request of before ends, those in flight when their sessions do;
 * none is issued again. The gate is held, also if it was dead. */
void sto_gate_reset(struct sto_gate *gate);
/* For good: waiting requests end now as STO_NOT_SENT or STO_UNKNOWN, later ones are refused.
 * Those in flight end with the LUN's sessions. */
void sto_gate_kill(struct sto_gate *gate);

/*
 * Nothing is issued at or after the time that stands here (of the LUN's clock); requests wait, and
 * go on when it stands later and sto_gate_service() is called. The place is the caller's, is read
 * at each submit, and below by the LUN (sto_lun_set_lease()), and may be written by another thread.
 * NULL (as born): no deadline.
 */
void sto_gate_set_deadline(struct sto_gate *gate, const _Atomic int64_t *until_ns);

/* No submit at or after this time of the LUN's clock; INT64_MAX (as born) = no lease. Reaching it
 * shuts the gate (STO_GATE_EXPIRED). */
void sto_gate_set_lease(struct sto_gate *gate, int64_t until_ns);
/* When sto_gate_service() wants to be called; INT64_MAX = not. */
int64_t sto_gate_next_ns(const struct sto_gate *gate);
/* Try again what a busy target refused. */
void sto_gate_service(struct sto_gate *gate);

enum sto_gate_state sto_gate_state(const struct sto_gate *gate);   /* where it is */
struct sto_gate_stats sto_gate_stats(const struct sto_gate *gate); /* counts so far */

#endif
