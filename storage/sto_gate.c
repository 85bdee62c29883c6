/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data gate: two lists of requests, waiting and flying, both in order of arrival. It decides
 * nothing about ownership: whatever smells of lost ownership shuts it at once and is told to its
 * owner.
 */
#include "config.h"

#include "storage/sto_gate.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_sense.h"

/* Deliberate faults, only ever built into test binaries: the simulator must turn red. */
#ifdef STO_MUTATE_LEASE_NOT_IN_DRAIN
#define GATE_LEASE_COUNTS (gate->state == STO_GATE_OPEN)
#else
#define GATE_LEASE_COUNTS true
#endif
#ifdef STO_MUTATE_FORGET_AT_ONCE
#define GATE_ASKS_IF_SENT false
#else
#define GATE_ASKS_IF_SENT true
#endif
#ifdef STO_MUTATE_NO_DEADLINE
#define GATE_DEADLINE_COUNTS false
#else
#define GATE_DEADLINE_COUNTS true
#endif

enum { BUSY_WAIT_NS = 10 * 1000 * 1000 };

struct list {
    struct sto_request *first, *last;
    unsigned count;
};

struct sto_gate {
    struct sto_lun *lun;
    void (*event)(void *context, enum sto_gate_event event, uint16_t asc_ascq);
    void *context;
    enum sto_gate_state state;
    struct list waiting, flying;
    uint64_t last_number;
    uint64_t reset_number; /* up to and with this one nothing is issued again */
    uint64_t drain_number; /* DRAINING: up to and with this one */
    int64_t lease_until_ns;
    const _Atomic int64_t *deadline_ns; /* NULL: none */
    int64_t busy_until_ns;              /* 0: not busy */
    bool pumping;
    struct sto_gate_stats stats;
};

static void list_remove(struct list *list, struct sto_request *request)
{
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        list->first = request->next;
    if (request->next != NULL)
        request->next->previous = request->previous;
    else
        list->last = request->previous;
    request->next = request->previous = NULL;
    list->count--;
}

/* Into its place by number; new ones go to the end at once. */
static void list_insert(struct list *list, struct sto_request *request)
{
    struct sto_request *before = list->last;

    while (before != NULL && before->number > request->number)
        before = before->previous;
    request->previous = before;
    request->next = before == NULL ? list->first : before->next;
    if (request->next != NULL)
        request->next->previous = request;
    else
        list->last = request;
    if (before != NULL)
        before->next = request;
    else
        list->first = request;
    list->count++;
}

struct sto_gate *sto_gate_new(struct sto_lun *lun,
                              void (*event)(void *context, enum sto_gate_event event,
                                            uint16_t asc_ascq),
                              void *context)
{
    struct sto_gate *gate = calloc(1, sizeof(*gate));

    if (gate == NULL)
        return NULL;
    *gate = (struct sto_gate) {
        .lun = lun, .event = event, .context = context, .lease_until_ns = INT64_MAX
    };
    gate->state = STO_GATE_HELD;
    return gate;
}

void sto_gate_free(struct sto_gate *gate)
{
    free(gate);
}

static void finish(struct sto_gate *gate, struct sto_request *request)
{
    gate->stats.answered++;
    request->done(request);
}

static void shut(struct sto_gate *gate, enum sto_gate_event event, uint16_t asc_ascq)
{
    if (gate->state == STO_GATE_OPEN || gate->state == STO_GATE_DRAINING)
        gate->state = STO_GATE_HELD;
    gate->stats.busy_since_ns = 0;
    gate->event(gate->context, event, asc_ascq);
}

static void check_drained(struct sto_gate *gate)
{
    if (gate->state != STO_GATE_DRAINING || gate->flying.count > 0)
        return;
    if (gate->waiting.first != NULL && gate->waiting.first->number <= gate->drain_number)
        return;
    gate->state = STO_GATE_HELD;
    gate->event(gate->context, STO_GATE_DRAINED, 0);
}

static void pump(struct sto_gate *gate);

/* Reservations changed, or a reset: commands of ours may be gone without an answer. */
static bool attention_matters(uint16_t asc_ascq)
{
    return sto_sense_was_reset(asc_ascq) || sto_sense_reservations_changed(asc_ascq);
}

/* A waiting request that nobody wants an answer of. */
static void forget(struct sto_gate *gate, struct sto_request *request)
{
    list_remove(&gate->waiting, request);
    if (gate->waiting.first == NULL && gate->flying.first == NULL)
        gate->stats.busy_since_ns = 0;
    request->op.result.rc = request->sent_once ? STO_UNKNOWN : STO_NOT_SENT;
    finish(gate, request);
}

static bool may_pass(const struct sto_gate *gate, const struct sto_request *request)
{
    return gate->state == STO_GATE_OPEN ||
           (gate->state == STO_GATE_DRAINING && request->number <= gate->drain_number);
}

/* Those among the waiting whose outcome is known now: none of them is issued again. */
static void forget_abandoned(struct sto_gate *gate)
{
    struct sto_request *request = gate->waiting.first;

    while (request != NULL) {
        if (request->abandoned && may_pass(gate, request)) {
            forget(gate, request);
            request = gate->waiting.first; /* whoever was told may have changed the line */
        } else {
            request = request->next;
        }
    }
}

/* It takes nothing now: again a little later. */
static void wait_for_target(struct sto_gate *gate)
{
    int64_t now_ns = hw_clock_now_ns(sto_lun_clock(gate->lun));

    gate->busy_until_ns = now_ns + BUSY_WAIT_NS;
    if (gate->stats.busy_since_ns == 0)
        gate->stats.busy_since_ns = now_ns;
}

static void take_back(struct sto_gate *gate, struct sto_request *request)
{
    const struct sto_result result = request->op.result;

    if (gate->state == STO_GATE_DEAD || request->number <= gate->reset_number) {
        finish(gate, request);
        return;
    }
    list_insert(&gate->waiting, request);
    if (result.rc == STO_CONFLICT)
        shut(gate, STO_GATE_CONFLICT, 0);
    else if (result.rc == STO_BUSY || result.rc == STO_ABORTED)
        wait_for_target(gate);
    else if (result.rc != STO_UNIT_ATTENTION && result.rc != STO_WITHHELD)
        shut(gate, STO_GATE_UNKNOWN, 0);
    else if (result.rc == STO_UNIT_ATTENTION && attention_matters(result.asc_ascq))
        shut(gate, STO_GATE_ATTENTION, result.asc_ascq);
    forget_abandoned(gate);
}

static void op_done(struct sto_op *op)
{
    struct sto_request *request =
        (struct sto_request *)((char *)op - offsetof(struct sto_request, op));
    struct sto_gate *gate = request->gate;

    list_remove(&gate->flying, request);
    request->flying = false;
    if (op->result.rc != STO_BUSY && op->result.rc != STO_ABORTED)
        gate->stats.busy_since_ns = 0;
    /* aborted: "may be able to recover by trying the command again" (SPC-4 table 41) */
    if (sto_rc_unsettled(op->result.rc) ||
        (op->result.rc == STO_ABORTED && ++request->aborts < STO_ABORTS_MAX))
        take_back(gate, request);
    else /* executed, or refused for a reason that the guest must see */
        finish(gate, request);
    pump(gate);
}

/* Hand one request to the LUN. False: try no more now. */
static bool issue(struct sto_gate *gate, struct sto_request *request)
{
    int rc;

    memset(&request->op.result, 0, sizeof(request->op.result));
    request->op.session = STO_SESSION_DATA;
    request->op.flags |= STO_LEASED;
    request->op.done = op_done;
    list_remove(&gate->waiting, request);
    rc = sto_lun_submit(gate->lun, &request->op);
    if (rc == -ENOMEM || rc == -EAGAIN) {
        list_insert(&gate->waiting, request);
        gate->busy_until_ns = hw_clock_now_ns(sto_lun_clock(gate->lun)) + BUSY_WAIT_NS;
        return false;
    }
    if (rc < 0) { /* out of range, misaligned, read-only: the guest's own fault */
        request->op.result.rc = rc == -EROFS ? STO_READ_ONLY : STO_ILLEGAL;
        finish(gate, request);
        return true;
    }
    list_insert(&gate->flying, request);
    request->flying = true;
    if (request->sent_once)
        gate->stats.reissued++;
    request->sent_once = true;
    return true;
}

static void pump(struct sto_gate *gate)
{
    if (gate->pumping)
        return;
    gate->pumping = true;
    while (gate->waiting.first != NULL && may_pass(gate, gate->waiting.first)) {
        int64_t now_ns = hw_clock_now_ns(sto_lun_clock(gate->lun));

        if (now_ns < gate->busy_until_ns)
            break;
        gate->busy_until_ns = 0;
        if (GATE_DEADLINE_COUNTS && gate->deadline_ns != NULL &&
            now_ns >= atomic_load(gate->deadline_ns))
            break;
        if (GATE_LEASE_COUNTS && now_ns >= gate->lease_until_ns) { /* at each submit (timing.md) */
            shut(gate, STO_GATE_EXPIRED, 0);
            break;
        }
        if (!issue(gate, gate->waiting.first))
            break;
    }
    gate->pumping = false;
    check_drained(gate);
}

int sto_gate_submit(struct sto_gate *gate, struct sto_request *request)
{
    if (gate->state == STO_GATE_DEAD)
        return -ESHUTDOWN;
    if (request->op.kind < STO_OP_READ || request->op.kind > STO_OP_WRITE_ZEROES)
        return -EINVAL;
    request->gate = gate;
    request->number = ++gate->last_number;
    request->flying = request->sent_once = request->abandoned = false;
    request->aborts = 0;
    request->next = request->previous = NULL;
    gate->stats.submitted++;
    list_insert(&gate->waiting, request);
    pump(gate);
    return 0;
}

void sto_gate_abandon(struct sto_gate *gate, struct sto_request *request)
{
    request->abandoned = true;
    /* what waits at an open gate was not executed, or a barrier lies behind it */
    if (request->flying || (GATE_ASKS_IF_SENT && request->sent_once && !may_pass(gate, request)))
        return;
    forget(gate, request);
    check_drained(gate);
}

void sto_gate_open(struct sto_gate *gate)
{
    if (gate->state == STO_GATE_DEAD)
        return;
    gate->state = STO_GATE_OPEN;
    forget_abandoned(gate);
    pump(gate);
}

void sto_gate_hold(struct sto_gate *gate)
{
    if (gate->state != STO_GATE_DEAD)
        gate->state = STO_GATE_HELD;
    gate->stats.busy_since_ns = 0;
}

void sto_gate_drain(struct sto_gate *gate, bool waiting)
{
    if (gate->state == STO_GATE_DEAD)
        return;
    gate->state = STO_GATE_DRAINING;
    gate->drain_number = waiting ? gate->last_number : 0;
    forget_abandoned(gate);
    pump(gate);
}

static void end_waiting(struct sto_gate *gate)
{
    while (gate->waiting.first != NULL)
        forget(gate, gate->waiting.first);
}

void sto_gate_kill(struct sto_gate *gate)
{
    gate->state = STO_GATE_DEAD;
    end_waiting(gate);
}

void sto_gate_reset(struct sto_gate *gate)
{
    gate->state = STO_GATE_HELD;
    gate->reset_number = gate->last_number;
    end_waiting(gate);
}

void sto_gate_set_deadline(struct sto_gate *gate, const _Atomic int64_t *until_ns)
{
    gate->deadline_ns = until_ns;
    sto_lun_set_lease(gate->lun, until_ns);
}

void sto_gate_set_lease(struct sto_gate *gate, int64_t until_ns)
{
    gate->lease_until_ns = until_ns;
    sto_lun_set_expiry(gate->lun, until_ns);
}

int64_t sto_gate_next_ns(const struct sto_gate *gate)
{
    bool waits = gate->waiting.first != NULL && may_pass(gate, gate->waiting.first);

    return waits && gate->busy_until_ns != 0 ? gate->busy_until_ns : INT64_MAX;
}

void sto_gate_service(struct sto_gate *gate)
{
    pump(gate);
}

enum sto_gate_state sto_gate_state(const struct sto_gate *gate)
{
    return gate->state;
}

struct sto_gate_stats sto_gate_stats(const struct sto_gate *gate)
{
    struct sto_gate_stats stats = gate->stats;

    stats.waiting = gate->waiting.count, stats.flying = gate->flying.count;
    return stats;
}
