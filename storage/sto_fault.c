/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fault backend: every operation goes on to the LUN below as a shadow of its own, so that
 * what comes back can be kept, changed or thrown away. It invents no outcome that a real target
 * could not give.
 * over 400: the slots of a whole backend, each a few lines, around one list of shadows.
 */
#include "config.h"

#include "storage/sto_fault.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/sto_fault_rules.h"
#include "storage/sto_pump.h"
#include "storage/sto_sense.h"

enum { EVENTS = 2, TAG_BELOW = 0 };

enum held {
    HELD_NOT,     /* it is below */
    HELD_DELAYED, /* goes on at `when_ns` */
    HELD_FOREVER, /* until its deadline */
};

/* What stands for the caller's operation below. */
struct shadow {
    struct shadow *next, *previous;
    struct fault_lun *lun;
    struct sto_op *op; /* the caller's; NULL: ended already */
    enum sto_fault_action action;
    enum held held;
    int64_t when_ns;
    struct iovec *iov; /* a shorter copy for SHORT and TORN */
    struct sto_op below;
};

struct fault_lun {
    struct sto_lun lun; /* first */
    struct sto_lun *below;
    struct sto_pump pump;
    short below_events;
    struct sto_fault_rules rules;
    uint64_t fired;
    struct shadow *shadows;
    bool tell_down[STO_SESSIONS]; /* the next service tells the owner */
    bool closing;
};

static const struct sto_lun_ops fault_ops;

static struct fault_lun *fault_of(struct sto_lun *lun)
{
    return (struct fault_lun *)lun;
}

/* --- shadows --- */

static struct shadow *make_shadow(struct fault_lun *lun, struct sto_op *op,
                                  enum sto_fault_action action)
{
    struct shadow *shadow = calloc(1, sizeof(*shadow));

    if (shadow == NULL)
        return NULL;
    shadow->lun = lun;
    shadow->op = op;
    shadow->action = action;
    shadow->below = *op;
    shadow->below.context = shadow;
    shadow->next = lun->shadows;
    if (lun->shadows != NULL)
        lun->shadows->previous = shadow;
    lun->shadows = shadow;
    return shadow;
}

static void free_shadow(struct shadow *shadow)
{
    if (shadow->previous != NULL)
        shadow->previous->next = shadow->next;
    else
        shadow->lun->shadows = shadow->next;
    if (shadow->next != NULL)
        shadow->next->previous = shadow->previous;
    free(shadow->iov);
    free(shadow);
}

/* The session goes down for a reason that only the rules know. */
static void cut(struct fault_lun *lun, enum sto_session session)
{
    sto_lun_drop(lun->below, session);
    lun->tell_down[session] = true;
    if (!lun->pump.in_service)
        sto_pump_wake(&lun->pump);
}

/* Keep only the first `bytes` of the transfer. */
static int shorten(struct shadow *shadow, uint64_t bytes)
{
    struct sto_op *below = &shadow->below;
    unsigned count = 0;

    shadow->iov = calloc(below->iov_count, sizeof(*shadow->iov));
    if (shadow->iov == NULL)
        return -ENOMEM;
    for (; count < below->iov_count && bytes > 0; count++) {
        shadow->iov[count] = below->iov[count];
        if (shadow->iov[count].iov_len > bytes)
            shadow->iov[count].iov_len = (size_t)bytes;
        bytes -= shadow->iov[count].iov_len;
    }
    below->iov = shadow->iov;
    below->iov_count = count;
    return 0;
}

/* A crash point: SIGKILL to oneself is delivered before kill(2) returns. */
static void die(void)
{
    (void)kill(getpid(), SIGKILL);
}

/* --- from below --- */

static void below_done(struct sto_op *below)
{
    struct shadow *shadow = below->context;
    struct fault_lun *lun = shadow->lun;
    struct sto_op *op = shadow->op;
    bool good = below->result.rc == STO_OK;

    if (op == NULL) { /* it ended at its deadline */
        free_shadow(shadow);
        return;
    }
    if (shadow->action == STO_FAULT_KILL_AFTER)
        die();
    if (shadow->action == STO_FAULT_LOST) {
        shadow->held = HELD_FOREVER;
        return;
    }
    op->result = below->result;
    if (good && shadow->action == STO_FAULT_SHORT)
        op->result.rc = STO_SHORT;
    if (good && (shadow->action == STO_FAULT_TORN || shadow->action == STO_FAULT_DROP_AFTER)) {
        op->result.rc = STO_UNKNOWN;
        op->result.transferred_bytes = 0;
        snprintf(op->result.detail, sizeof(op->result.detail), "%s", "connection lost");
        cut(lun, op->session);
    }
    sto_pump_end(&lun->pump, op);
    free_shadow(shadow);
}

/* --- to below --- */

static int hand_on(struct shadow *shadow)
{
    struct fault_lun *lun = shadow->lun;

    lun->below->facts = lun->lun.facts;
    lun->below->facts_known = lun->lun.facts_known;
    lun->below->lease_until_ns = lun->lun.lease_until_ns;
    lun->below->expiry_ns = lun->lun.expiry_ns;
    shadow->below.done = below_done;
    return sto_lun_submit(lun->below, &shadow->below);
}

static void end_unit_attention(struct fault_lun *lun, struct sto_op *op, uint64_t asc_ascq)
{
    op->result.scsi_status = STO_STATUS_CHECK_CONDITION;
    op->result.sense_key = STO_SENSE_UNIT_ATTENTION;
    op->result.asc_ascq = (uint16_t)asc_ascq;
    sto_pump_end_with(&lun->pump, op, STO_UNIT_ATTENTION, NULL);
}

/* The outcomes that need nothing from below; false if this action is not one of them. */
static bool end_at_once(struct fault_lun *lun, struct sto_op *op, const struct sto_fault_rule *rule)
{
    switch (rule->action) {
    case STO_FAULT_FAIL:
        op->result.scsi_status = STO_STATUS_CHECK_CONDITION;
        op->result.sense_key = STO_SENSE_MEDIUM_ERROR;
        sto_pump_end_with(&lun->pump, op, STO_MEDIUM, NULL);
        return true;
    case STO_FAULT_CONFLICT:
        op->result.scsi_status = STO_STATUS_RESERVATION_CONFLICT;
        sto_pump_end_with(&lun->pump, op, STO_CONFLICT, NULL);
        return true;
    case STO_FAULT_BUSY:
        op->result.scsi_status = STO_STATUS_BUSY;
        sto_pump_end_with(&lun->pump, op, STO_BUSY, NULL);
        return true;
    case STO_FAULT_ABORT:
        op->result.scsi_status = STO_STATUS_CHECK_CONDITION;
        op->result.sense_key = STO_SENSE_ABORTED_COMMAND;
        sto_pump_end_with(&lun->pump, op, STO_ABORTED, NULL);
        return true;
    case STO_FAULT_READ_ONLY:
        sto_pump_end_with(&lun->pump, op, STO_READ_ONLY, NULL);
        return true;
    case STO_FAULT_NO_SPACE:
        sto_pump_end_with(&lun->pump, op, STO_NO_SPACE, NULL);
        return true;
    case STO_FAULT_UNIT_ATTENTION:
        end_unit_attention(lun, op, rule->argument);
        return true;
    case STO_FAULT_DROP:
        cut(lun, op->session);
        sto_pump_end_with(&lun->pump, op, STO_NOT_SENT, "connection lost");
        return true;
    default:
        return false;
    }
}

/* Bytes that SHORT and TORN let through; what is not a transfer is done whole. */
static uint64_t bytes_through(const struct fault_lun *lun, const struct sto_op *op,
                              const struct sto_fault_rule *rule)
{
    uint64_t block = lun->lun.facts.block_bytes != 0 ? lun->lun.facts.block_bytes : 1;
    uint64_t bytes = rule->action == STO_FAULT_TORN ? rule->argument : op->length_bytes / 2;

    bytes -= bytes % block;
    return bytes < op->length_bytes ? bytes : op->length_bytes;
}

static bool is_transfer(const struct sto_op *op)
{
    return op->kind == STO_OP_READ || op->kind == STO_OP_WRITE;
}

/* Apply a rule; 0, or -errno and the operation was not taken. */
static int apply(struct fault_lun *lun, struct sto_op *op, const struct sto_fault_rule *rule)
{
    struct shadow *shadow;
    int rc = 0;

    lun->fired++;
    if (rule->action == STO_FAULT_KILL)
        die();
    if (end_at_once(lun, op, rule))
        return 0;
    shadow = make_shadow(lun, op, rule->action);
    if (shadow == NULL)
        return -ENOMEM;
    if (rule->action == STO_FAULT_DELAY) {
        shadow->held = HELD_DELAYED;
        shadow->when_ns = hw_clock_now_ns(lun->lun.clock) + (int64_t)rule->argument;
        sto_pump_wake_at(&lun->pump, shadow->when_ns);
        return 0;
    }
    if (rule->action == STO_FAULT_HANG) {
        shadow->held = HELD_FOREVER;
        return 0;
    }
    if ((rule->action == STO_FAULT_SHORT || rule->action == STO_FAULT_TORN) && is_transfer(op)) {
        uint64_t bytes = bytes_through(lun, op, rule);

        if (bytes == 0) { /* nothing of it gets through */
            free_shadow(shadow);
            if (rule->action == STO_FAULT_TORN)
                cut(lun, op->session);
            sto_pump_end_with(&lun->pump, op,
                              rule->action == STO_FAULT_TORN ? STO_UNKNOWN : STO_SHORT, NULL);
            return 0;
        }
        rc = shorten(shadow, bytes);
    }
    if (rc == 0)
        rc = hand_on(shadow);
    if (rc < 0)
        free_shadow(shadow);
    return rc;
}

static int fault_submit(struct sto_lun *base, struct sto_op *op)
{
    struct fault_lun *lun = fault_of(base);
    const struct sto_fault_rule *rule;
    struct shadow *shadow;
    int rc;

    if (lun->closing)
        return -ESHUTDOWN;
    sto_pump_wake_at(&lun->pump, op->deadline_ns);
    rule = sto_fault_match(&lun->rules, op);
    if (rule != NULL)
        return apply(lun, op, rule);
    shadow = make_shadow(lun, op, STO_FAULT_NONE);
    if (shadow == NULL)
        return -ENOMEM;
    rc = hand_on(shadow);
    if (rc < 0)
        free_shadow(shadow);
    return rc;
}

/* --- service --- */

static void go_on(struct shadow *shadow)
{
    struct sto_op *op = shadow->op;
    int rc;

    shadow->held = HELD_NOT;
    rc = hand_on(shadow);
    if (rc == 0)
        return;
    sto_pump_end_with(&shadow->lun->pump, op, STO_NOT_SENT, strerror(-rc));
    free_shadow(shadow);
}

static void tick(struct fault_lun *lun)
{
    int64_t now_ns = hw_clock_now_ns(lun->lun.clock);
    struct shadow *shadow = lun->shadows;

    while (shadow != NULL) {
        struct shadow *following = shadow->next;

        if (shadow->held == HELD_DELAYED && shadow->when_ns <= now_ns) {
            go_on(shadow);
        } else if (shadow->held != HELD_NOT && shadow->op->deadline_ns <= now_ns) {
            sto_pump_end_with(&lun->pump, shadow->op, STO_UNKNOWN, "timed out");
            free_shadow(shadow);
        } else {
            if (shadow->held == HELD_DELAYED)
                sto_pump_wake_at(&lun->pump, shadow->when_ns);
            if (shadow->held != HELD_NOT)
                sto_pump_wake_at(&lun->pump, shadow->op->deadline_ns);
        }
        shadow = following;
    }
}

static void tell_down(struct fault_lun *lun)
{
    for (unsigned i = 0; i < STO_SESSIONS; i++) {
        if (!lun->tell_down[i])
            continue;
        lun->tell_down[i] = false;
        if (lun->lun.notify.session_down != NULL)
            lun->lun.notify.session_down(lun->lun.notify.context, (enum sto_session)i,
                                         "connection lost (fault rule)");
    }
}

static void watch_below(struct fault_lun *lun)
{
    short wanted = sto_lun_events(lun->below);

    if (wanted != lun->below_events &&
        sto_pump_change(&lun->pump, sto_lun_fd(lun->below), (uint32_t)wanted, TAG_BELOW) == 0)
        lun->below_events = wanted;
}

static void fault_service(struct sto_lun *base, short revents)
{
    struct fault_lun *lun = fault_of(base);
    struct epoll_event events[EVENTS];
    int count;

    (void)revents;
    sto_pump_begin(&lun->pump);
    count = sto_pump_events(&lun->pump, events, EVENTS);
    sto_lun_service(lun->below, count > 0 ? (short)events[0].events : 0);
    if (sto_pump_due(&lun->pump))
        tick(lun);
    tell_down(lun);
    sto_pump_deliver(&lun->pump);
    watch_below(lun);
    sto_pump_end_service(&lun->pump);
}

/* --- the other slots --- */

/* End what is held here; what is below ends there. */
static void end_held(struct fault_lun *lun, const enum sto_session *session, const char *why)
{
    struct shadow *shadow = lun->shadows;

    while (shadow != NULL) {
        struct shadow *following = shadow->next;

        if (shadow->held != HELD_NOT && (session == NULL || shadow->op->session == *session)) {
            sto_pump_end_with(&lun->pump, shadow->op,
                              shadow->held == HELD_DELAYED ? STO_NOT_SENT : STO_UNKNOWN, why);
            free_shadow(shadow);
        }
        shadow = following;
    }
}

static void fault_drop(struct sto_lun *base, enum sto_session session)
{
    struct fault_lun *lun = fault_of(base);

    sto_lun_drop(lun->below, session);
    end_held(lun, &session, "session dropped");
}

static void fault_close(struct sto_lun *base)
{
    struct fault_lun *lun = fault_of(base);

    lun->closing = true;
    sto_lun_close(lun->below);
    end_held(lun, NULL, "closed");
    sto_pump_deliver_all(&lun->pump);
    sto_pump_close(&lun->pump);
    free(lun);
}

static int fault_fd(const struct sto_lun *base)
{
    return ((const struct fault_lun *)base)->pump.epoll_fd;
}

static short fault_events(const struct sto_lun *base)
{
    (void)base;
    return POLLIN;
}

static int fault_facts(struct sto_lun *base, struct sto_facts *ret_facts, struct hw_error *error)
{
    struct sto_lun *below = fault_of(base)->below;

    return below->ops->facts(below, ret_facts, error);
}

static int fault_open(const struct sto_url *url, const struct sto_lun_options *options,
                      struct sto_lun **ret_lun, struct hw_error *error)
{
    (void)options;
    (void)ret_lun;
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, url->path,
                        "the fault backend stands on another one", "use ?fault= in its URL");
}

static const struct sto_lun_ops fault_ops = {
    .scheme = "fault",
    .open = fault_open,
    .close = fault_close,
    .drop = fault_drop,
    .submit = fault_submit,
    .fd = fault_fd,
    .events = fault_events,
    .service = fault_service,
    .hand_over = sto_lun_handed_over,
    .facts = fault_facts,
};

/* --- wrapping --- */

static int set_up(struct fault_lun *lun, struct sto_lun *below)
{
    int rc;

    lun->lun.ops = &fault_ops;
    lun->lun.clock = below->clock;
    lun->lun.notify = below->notify;
    lun->lun.facts = below->facts;
    lun->lun.facts_known = below->facts_known;
    lun->lun.read_only = below->read_only;
    lun->lun.io_timeout_ms = below->io_timeout_ms;
    lun->lun.connect_ms = below->connect_ms;
    lun->below = below;
    lun->below_events = sto_lun_events(below);
    rc = sto_pump_open(&lun->pump, &lun->lun);
    if (rc < 0)
        return rc;
    rc = sto_pump_watch(&lun->pump, sto_lun_fd(below), (uint32_t)lun->below_events, TAG_BELOW);
    if (rc == 0) {
        lun->lun.name = strdup(below->name);
        rc = lun->lun.name != NULL ? 0 : -ENOMEM;
    }
    if (rc < 0)
        sto_pump_close(&lun->pump);
    return rc;
}

int sto_fault_wrap(struct sto_lun *lun, const char *rules, struct sto_lun **ret_lun,
                   struct hw_error *error)
{
    struct sto_fault_rules parsed;
    struct fault_lun *fault;
    int rc = sto_fault_parse(rules, &parsed, error);

    if (rc < 0)
        return rc;
    fault = calloc(1, sizeof(*fault));
    rc = fault != NULL ? set_up(fault, lun) : -ENOMEM;
    if (rc < 0) {
        free(fault);
        return hw_error_set(error, HW_ERROR_FAILED, -rc, lun->name, "cannot be wrapped", NULL);
    }
    fault->rules = parsed;
    *ret_lun = &fault->lun;
    return 0;
}

int sto_fault_set(struct sto_lun *lun, const char *rules, struct hw_error *error)
{
    if (lun->ops != &fault_ops)
        return -ENOTTY;
    return sto_fault_parse(rules, &fault_of(lun)->rules, error);
}

uint64_t sto_fault_fired(const struct sto_lun *lun)
{
    return lun->ops == &fault_ops ? ((const struct fault_lun *)lun)->fired : 0;
}
