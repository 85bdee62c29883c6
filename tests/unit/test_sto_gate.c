/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_gate over a LUN whose every answer is the test's: what passes when, what goes back
 * into its place, that nothing is lost and nothing answered twice.
 * over 400: one gate, one stand-in for a LUN, and each way a request can end.
 */
#include <config.h>

#include "storage/sto_gate.h"

#include <errno.h>
#include <string.h>

#include "storage/sto_lun_priv.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { REQUESTS = 8, EVENTS = 16 };

static struct {
    struct sto_lun lun;
    struct hw_clock clock;
    int64_t now_ns;
    struct sto_op *out[REQUESTS * 4]; /* in order of submission */
    unsigned out_count;
    int refuse; /* of the next submit */
    struct sto_gate *gate;
    struct sto_request requests[REQUESTS];
    enum sto_rc answers[REQUESTS];
    unsigned answered[REQUESTS];
    enum sto_gate_event events[EVENTS];
    unsigned event_count;
    uint16_t asc_ascq;
} t;

static int64_t now(void *context)
{
    (void)context;
    return t.now_ns;
}

static int take(struct sto_lun *lun, struct sto_op *op)
{
    int rc = t.refuse;

    (void)lun;
    t.refuse = 0;
    if (rc == 0)
        t.out[t.out_count++] = op;
    return rc;
}

static const struct sto_lun_ops lun_ops = { .scheme = "test", .submit = take };

static void event(void *context, enum sto_gate_event kind, uint16_t asc_ascq)
{
    CU_ASSERT_PTR_EQUAL(context, &t);
    CU_ASSERT_FATAL(t.event_count < EVENTS);
    t.events[t.event_count++] = kind;
    t.asc_ascq = asc_ascq;
}

static void begin(void)
{
    memset(&t, 0, sizeof(t));
    t.clock = (struct hw_clock) { .now_ns = now };
    t.now_ns = 1000;
    t.lun.ops = &lun_ops;
    t.lun.clock = &t.clock;
    t.lun.io_timeout_ms = 1000;
    t.gate = sto_gate_new(&t.lun, event, &t);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t.gate);
}

static void finish(void)
{
    sto_gate_kill(t.gate);
    while (t.out_count > 0) {
        struct sto_op *op = t.out[--t.out_count];

        op->result.rc = STO_UNKNOWN;
        sto_lun_complete(&t.lun, op);
    }
    for (unsigned i = 0; i < REQUESTS; i++) /* each that was taken is answered, once */
        CU_ASSERT_EQUAL(t.answered[i], t.requests[i].gate != NULL);
    sto_gate_free(t.gate);
}

static void done(struct sto_request *request)
{
    t.answered[request - t.requests]++;
    t.answers[request - t.requests] = request->op.result.rc;
}

static void submit(unsigned i)
{
    t.requests[i].op.kind = STO_OP_FLUSH;
    t.requests[i].done = done;
    CU_ASSERT_EQUAL(sto_gate_submit(t.gate, &t.requests[i]), 0);
}

/* The operation at place `i` of those out ends so. */
static void answer(unsigned i, enum sto_rc rc, uint16_t asc_ascq)
{
    struct sto_op *op = t.out[i];

    CU_ASSERT_FATAL(i < t.out_count);
    memmove(&t.out[i], &t.out[i + 1], (--t.out_count - i) * sizeof(t.out[0]));
    op->result.rc = rc;
    op->result.asc_ascq = asc_ascq;
    sto_lun_complete(&t.lun, op);
}

static bool out_is(unsigned place, unsigned request)
{
    return place < t.out_count && t.out[place] == &t.requests[request].op;
}

static void passes_when_open(void)
{
    begin();
    submit(0);
    submit(1);
    CU_ASSERT_EQUAL(t.out_count, 0);
    CU_ASSERT_EQUAL(sto_gate_state(t.gate), STO_GATE_HELD);
    sto_gate_open(t.gate);
    submit(2);
    CU_ASSERT_TRUE(out_is(0, 0) && out_is(1, 1) && out_is(2, 2));
    CU_ASSERT_EQUAL(t.requests[0].op.session, STO_SESSION_DATA);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).flying, 3);
    answer(1, STO_OK, 0);
    CU_ASSERT_EQUAL(t.answered[1], 1);
    sto_gate_hold(t.gate);
    submit(3);
    CU_ASSERT_EQUAL(t.out_count, 2);
    answer(0, STO_OK, 0); /* what is in flight may still be answered */
    CU_ASSERT_EQUAL(t.answered[0], 1);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).waiting, 1);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).submitted, 4);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).answered, 2);
    finish();
}

/* How an operation ends: told to the guest, or taken back and with which event. */
static void takes_back_what_has_no_answer(void)
{
    static const struct {
        enum sto_rc rc;
        uint16_t asc_ascq;
        int event; /* -1: none, -2: the guest's */
    } rows[] = {
        { STO_OK, 0, -2 },
        { STO_MEDIUM, 0, -2 },
        { STO_ILLEGAL, 0, -2 },
        { STO_READ_ONLY, 0, -2 },
        { STO_NO_SPACE, 0, -2 },
        { STO_SHORT, 0, -2 },
        { STO_UNSUPPORTED, 0, -2 },
        { STO_MISCOMPARE, 0, -2 },
        { STO_BUSY, 0, -1 },
        { STO_WITHHELD, 0, -1 },
        { STO_ABORTED, 0, -1 },
        { STO_UNKNOWN, 0, STO_GATE_UNKNOWN },
        { STO_NOT_SENT, 0, STO_GATE_UNKNOWN },
        { STO_LOGIN_REFUSED, 0, STO_GATE_UNKNOWN },
        { STO_CONFLICT, 0, STO_GATE_CONFLICT },
        { STO_UNIT_ATTENTION, 0x2900, STO_GATE_ATTENTION },
        { STO_UNIT_ATTENTION, 0x2903, STO_GATE_ATTENTION },
        { STO_UNIT_ATTENTION, 0x2a03, STO_GATE_ATTENTION },
        { STO_UNIT_ATTENTION, 0x2a04, STO_GATE_ATTENTION },
        { STO_UNIT_ATTENTION, 0x2a05, STO_GATE_ATTENTION },
        { STO_UNIT_ATTENTION, 0x2f00, STO_GATE_ATTENTION },
        { STO_UNIT_ATTENTION, 0x2a01, -1 },
        { STO_UNIT_ATTENTION, 0x3f0e, -1 },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool shuts = rows[i].event >= 0;

        begin();
        sto_gate_open(t.gate);
        submit(0);
        answer(0, rows[i].rc, rows[i].asc_ascq);
        CU_ASSERT_EQUAL(t.answered[0], rows[i].event == -2);
        CU_ASSERT_EQUAL(t.event_count, shuts);
        CU_ASSERT_EQUAL(sto_gate_state(t.gate), shuts ? STO_GATE_HELD : STO_GATE_OPEN);
        if (shuts) {
            CU_ASSERT_EQUAL(t.events[0], (enum sto_gate_event)rows[i].event);
            CU_ASSERT_EQUAL(t.asc_ascq, rows[i].asc_ascq);
            CU_ASSERT_EQUAL(t.out_count, 0); /* not issued again by itself */
            sto_gate_open(t.gate);
            CU_ASSERT_TRUE(out_is(0, 0));
            CU_ASSERT_EQUAL(sto_gate_stats(t.gate).reissued, 1);
        }
        finish();
    }
}

static void keeps_the_order(void)
{
    begin();
    sto_gate_open(t.gate);
    for (unsigned i = 0; i < 4; i++)
        submit(i);
    answer(2, STO_UNKNOWN, 0); /* shut; the others end in any order */
    answer(0, STO_UNKNOWN, 0);
    submit(4);
    answer(1, STO_UNKNOWN, 0);
    answer(0, STO_OK, 0); /* request 1 got through */
    CU_ASSERT_EQUAL(t.answered[1], 1);
    CU_ASSERT_EQUAL(t.out_count, 0);
    sto_gate_open(t.gate);
    CU_ASSERT_EQUAL(t.out_count, 4);
    CU_ASSERT_TRUE(out_is(0, 0) && out_is(1, 2) && out_is(2, 3) && out_is(3, 4));
    finish();
}

static void drains(void)
{
    begin();
    sto_gate_drain(t.gate, true); /* nothing there: told at once */
    CU_ASSERT_TRUE(t.event_count == 1 && t.events[0] == STO_GATE_DRAINED);
    CU_ASSERT_EQUAL(sto_gate_state(t.gate), STO_GATE_HELD);
    submit(0); /* waits while held, is let through by the drain */
    submit(1);
    sto_gate_drain(t.gate, true);
    submit(2); /* came after */
    CU_ASSERT_TRUE(t.out_count == 2 && out_is(0, 0) && out_is(1, 1));
    answer(0, STO_OK, 0);
    CU_ASSERT_EQUAL(t.event_count, 1);
    answer(0, STO_OK, 0);
    CU_ASSERT_TRUE(t.event_count == 2 && t.events[1] == STO_GATE_DRAINED);
    CU_ASSERT_EQUAL(t.out_count, 0);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).waiting, 1);
    finish();

    begin(); /* a drain that is disturbed is over; the next one goes on */
    sto_gate_open(t.gate);
    submit(0);
    sto_gate_drain(t.gate, true);
    answer(0, STO_UNKNOWN, 0);
    CU_ASSERT_TRUE(t.event_count == 1 && t.events[0] == STO_GATE_UNKNOWN);
    CU_ASSERT_EQUAL(sto_gate_state(t.gate), STO_GATE_HELD);
    sto_gate_drain(t.gate, true);
    CU_ASSERT_TRUE(out_is(0, 0));
    answer(0, STO_OK, 0);
    CU_ASSERT_EQUAL(t.events[t.event_count - 1], STO_GATE_DRAINED);
    finish();
}

/* A drain that may not let more out any longer: only what is in flight counts. */
static void drains_less(void)
{
    begin();
    sto_gate_open(t.gate);
    submit(0);
    submit(1);
    answer(1, STO_BUSY, 0); /* goes back in line */
    sto_gate_drain(t.gate, true);
    sto_gate_drain(t.gate, false);
    t.now_ns = INT64_MAX / 2;
    sto_gate_service(t.gate);
    CU_ASSERT_TRUE(t.out_count == 1 && out_is(0, 0));
    answer(0, STO_OK, 0);
    CU_ASSERT_TRUE(t.event_count == 1 && t.events[0] == STO_GATE_DRAINED);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).waiting, 1);
    finish();
}

static void waits_for_a_busy_target(void)
{
    begin();
    sto_gate_open(t.gate);
    CU_ASSERT_EQUAL(sto_gate_next_ns(t.gate), INT64_MAX);
    submit(0);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).busy_since_ns, 0);
    answer(0, STO_BUSY, 0);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).busy_since_ns, t.now_ns);
    submit(1); /* behind the first, not past it */
    CU_ASSERT_EQUAL(t.out_count, 0);
    CU_ASSERT_TRUE(sto_gate_next_ns(t.gate) > t.now_ns);
    sto_gate_service(t.gate);
    CU_ASSERT_EQUAL(t.out_count, 0);
    t.now_ns = sto_gate_next_ns(t.gate);
    sto_gate_service(t.gate);
    CU_ASSERT_TRUE(out_is(0, 0) && out_is(1, 1));
    CU_ASSERT_EQUAL(sto_gate_next_ns(t.gate), INT64_MAX);
    answer(1, STO_ABORTED, 0);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).busy_since_ns, 1000); /* since the first */
    answer(0, STO_OK, 0);
    CU_ASSERT_EQUAL(sto_gate_stats(t.gate).busy_since_ns, 0);
    finish();

    for (unsigned i = 0; i < 3; i++) { /* nobody waits for it any more */
        begin();
        sto_gate_open(t.gate);
        submit(0);
        submit(1);
        answer(1, STO_BUSY, 0);
        if (i == 0) {
            sto_gate_hold(t.gate);
        } else if (i == 1) {
            answer(0, STO_UNKNOWN, 0);
        } else { /* nobody is left */
            answer(0, STO_BUSY, 0);
            sto_gate_abandon(t.gate, &t.requests[0]);
            sto_gate_abandon(t.gate, &t.requests[1]);
            sto_gate_service(t.gate);
        }
        CU_ASSERT_EQUAL(sto_gate_stats(t.gate).busy_since_ns, 0);
        finish();
    }
}

/* The target may abort a command now and then; a guest hears of it when it does so every time. */
static void tries_aborted_requests_again(void)
{
    unsigned tries = 0;

    begin();
    sto_gate_open(t.gate);
    submit(0);
    while (t.answered[0] == 0) {
        CU_ASSERT_TRUE_FATAL(out_is(0, 0) && tries < 100);
        tries++;
        answer(0, STO_ABORTED, 0x4b00);
        if (t.answered[0] == 0)
            t.now_ns = sto_gate_next_ns(t.gate);
        sto_gate_service(t.gate);
    }
    CU_ASSERT_TRUE(tries > 1 && tries < 10);
    CU_ASSERT_EQUAL(t.answers[0], STO_ABORTED);
    CU_ASSERT_EQUAL(t.event_count, 0);
    finish();

    begin(); /* counted for each request anew */
    sto_gate_open(t.gate);
    submit(0);
    answer(0, STO_ABORTED, 0);
    t.now_ns = sto_gate_next_ns(t.gate);
    sto_gate_service(t.gate);
    CU_ASSERT_TRUE(out_is(0, 0));
    answer(0, STO_OK, 0);
    CU_ASSERT_TRUE(t.answered[0] == 1 && t.answers[0] == STO_OK);
    finish();
}

static void judges_what_cannot_be_sent(void)
{
    begin();
    sto_gate_open(t.gate);
    t.refuse = -ENOMEM; /* later */
    submit(0);
    CU_ASSERT_EQUAL(t.answered[0], 0);
    t.now_ns = sto_gate_next_ns(t.gate);
    sto_gate_service(t.gate);
    CU_ASSERT_TRUE(out_is(0, 0));
    t.refuse = -EROFS;
    submit(1);
    CU_ASSERT_TRUE(t.answered[1] == 1 && t.answers[1] == STO_READ_ONLY);
    t.refuse = -EINVAL;
    submit(2);
    CU_ASSERT_TRUE(t.answered[2] == 1 && t.answers[2] == STO_ILLEGAL);
    t.requests[3].op.kind = STO_OP_LUN_RESET;
    CU_ASSERT_EQUAL(sto_gate_submit(t.gate, &t.requests[3]), -EINVAL);
    t.requests[3].op.kind = STO_OP_SCSI;
    CU_ASSERT_EQUAL(sto_gate_submit(t.gate, &t.requests[3]), -EINVAL);
    finish();
}

static void is_killed_for_good(void)
{
    begin();
    sto_gate_open(t.gate);
    submit(0);
    submit(1);
    answer(0, STO_UNKNOWN, 0);
    submit(2);
    sto_gate_kill(t.gate);
    CU_ASSERT_TRUE(t.answered[0] == 1 && t.answers[0] == STO_UNKNOWN);
    CU_ASSERT_TRUE(t.answered[2] == 1 && t.answers[2] == STO_NOT_SENT);
    CU_ASSERT_EQUAL(t.answered[1], 0); /* in flight: ends with the session */
    t.requests[3].op.kind = STO_OP_FLUSH;
    CU_ASSERT_EQUAL(sto_gate_submit(t.gate, &t.requests[3]), -ESHUTDOWN);
    sto_gate_open(t.gate);
    sto_gate_drain(t.gate, true);
    sto_gate_hold(t.gate);
    CU_ASSERT_EQUAL(sto_gate_state(t.gate), STO_GATE_DEAD);
    answer(0, STO_CONFLICT, 0);
    CU_ASSERT_TRUE(t.answered[1] == 1 && t.answers[1] == STO_CONFLICT);
    finish();
}

static void keeps_to_its_lease(void)
{
    begin();
    sto_gate_open(t.gate);
    sto_gate_set_lease(t.gate, t.now_ns + 100);
    submit(0);
    CU_ASSERT_TRUE(out_is(0, 0));
    t.now_ns += 99;
    submit(1);
    CU_ASSERT_TRUE(out_is(1, 1));
    t.now_ns += 1; /* at this time: no more */
    submit(2);
    CU_ASSERT_EQUAL(t.out_count, 2);
    CU_ASSERT_TRUE(t.event_count == 1 && t.events[0] == STO_GATE_EXPIRED);
    CU_ASSERT_EQUAL(sto_gate_state(t.gate), STO_GATE_HELD);
    sto_gate_set_lease(t.gate, t.now_ns + 100);
    sto_gate_open(t.gate);
    CU_ASSERT_TRUE(out_is(2, 2));
    finish();
}

static void waits_behind_a_deadline(void)
{
    _Atomic int64_t until_ns = 0;

    begin();
    until_ns = t.now_ns;
    sto_gate_set_deadline(t.gate, &until_ns);
    sto_gate_open(t.gate);
    submit(0); /* at this time: no more; and nobody is told */
    CU_ASSERT_TRUE(t.out_count == 0 && t.event_count == 0);
    CU_ASSERT_EQUAL(sto_gate_state(t.gate), STO_GATE_OPEN);
    until_ns = t.now_ns + 10;
    sto_gate_service(t.gate);
    CU_ASSERT_TRUE(out_is(0, 0));
    t.now_ns += 10;
    submit(1);
    answer(0, STO_OK, 0); /* what is in flight may be answered */
    CU_ASSERT_TRUE(t.answered[0] == 1 && t.out_count == 0);
    sto_gate_drain(t.gate, true); /* a drain waits, too */
    CU_ASSERT_TRUE(t.out_count == 0 && t.event_count == 0);
    until_ns = INT64_MAX;
    sto_gate_service(t.gate);
    CU_ASSERT_TRUE(out_is(0, 1));
    answer(0, STO_OK, 0);
    CU_ASSERT_TRUE(t.event_count == 1 && t.events[0] == STO_GATE_DRAINED);
    finish();
}

static void forgets_what_nobody_wants(void)
{
    _Atomic int64_t until_ns = INT64_MAX;

    begin();
    sto_gate_open(t.gate);
    submit(0);
    submit(1);
    submit(2);
    answer(1, STO_UNKNOWN, 0); /* 1 waits to be issued again, 0 and 2 are in flight */
    submit(3);
    sto_gate_abandon(t.gate, &t.requests[3]); /* never sent: at once */
    CU_ASSERT_TRUE(t.answered[3] == 1 && t.answers[3] == STO_NOT_SENT);
    sto_gate_abandon(t.gate, &t.requests[0]);
    sto_gate_abandon(t.gate, &t.requests[1]);
    sto_gate_abandon(t.gate, &t.requests[2]);
    CU_ASSERT_TRUE(t.answered[0] + t.answered[1] + t.answered[2] == 0);
    answer(0, STO_OK, 0); /* its own answer */
    CU_ASSERT_TRUE(t.answered[0] == 1 && t.answers[0] == STO_OK);
    answer(0, STO_UNKNOWN, 0); /* no answer: not before the gate opens behind a barrier */
    CU_ASSERT_EQUAL(t.answered[2], 0);
    sto_gate_open(t.gate);
    CU_ASSERT_TRUE(t.answered[1] == 1 && t.answers[1] == STO_UNKNOWN);
    CU_ASSERT_TRUE(t.answered[2] == 1 && t.answers[2] == STO_UNKNOWN);
    CU_ASSERT_EQUAL(t.out_count, 0); /* and not issued again */
    finish();

    begin(); /* nor, in an open gate, for the deadline: what is known not to be executed has ended
              */
    sto_gate_set_deadline(t.gate, &until_ns);
    sto_gate_open(t.gate);
    submit(0);
    answer(0, STO_BUSY, 0);
    until_ns = t.now_ns;
    t.now_ns = INT64_MAX / 2;
    sto_gate_abandon(t.gate, &t.requests[0]);
    CU_ASSERT_TRUE(t.answered[0] == 1 && t.answers[0] == STO_UNKNOWN);
    CU_ASSERT_EQUAL(t.out_count, 0);
    finish();

    until_ns = INT64_MAX; /* also behind one that waits for it */
    begin();
    sto_gate_set_deadline(t.gate, &until_ns);
    sto_gate_open(t.gate);
    submit(0);
    submit(1);
    submit(2);
    sto_gate_abandon(t.gate, &t.requests[1]);
    until_ns = t.now_ns;
    answer(0, STO_BUSY, 0);
    answer(0, STO_BUSY, 0); /* the abandoned one */
    CU_ASSERT_TRUE(t.answered[1] == 1 && t.answers[1] == STO_UNKNOWN);
    answer(0, STO_UNKNOWN, 0);
    sto_gate_abandon(t.gate, &t.requests[2]);
    CU_ASSERT_EQUAL(t.answered[2], 0);
    sto_gate_open(t.gate);
    CU_ASSERT_TRUE(t.answered[2] == 1 && t.answers[2] == STO_UNKNOWN);
    CU_ASSERT_TRUE(t.answered[0] == 0 && t.out_count == 0);
    finish();

    begin(); /* a drain does not wait for what was forgotten */
    sto_gate_open(t.gate);
    submit(0);
    answer(0, STO_BUSY, 0);
    submit(1);
    sto_gate_drain(t.gate, true);
    sto_gate_abandon(t.gate, &t.requests[1]);
    CU_ASSERT_EQUAL(t.answered[1], 1);
    CU_ASSERT_EQUAL(t.event_count, 0); /* 0 was sent once */
    t.now_ns = INT64_MAX / 2;
    sto_gate_service(t.gate);
    answer(0, STO_OK, 0);
    CU_ASSERT_TRUE(t.event_count == 1 && t.events[0] == STO_GATE_DRAINED);
    finish();
}

static void without_memory(void)
{
    for (unsigned n = 0;; n++) {
        struct sto_gate *gate;

        fail_alloc_arm(n);
        gate = sto_gate_new(&t.lun, event, &t);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_PTR_NOT_NULL(gate);
            sto_gate_free(gate);
            break;
        }
        CU_ASSERT_PTR_NULL(gate);
    }
    sto_gate_free(NULL);
}

const struct unit_case unit_cases[] = {
    { "requests pass while it is open", passes_when_open },
    { "every end of an operation", takes_back_what_has_no_answer },
    { "issued again in the order of arrival", keeps_the_order },
    { "drain", drains },
    { "a drain of what is in flight alone", drains_less },
    { "a busy target is asked again later", waits_for_a_busy_target },
    { "an aborted request is tried again, not for ever", tries_aborted_requests_again },
    { "what the LUN does not take", judges_what_cannot_be_sent },
    { "kill", is_killed_for_good },
    { "lease", keeps_to_its_lease },
    { "a deadline that another thread sets", waits_behind_a_deadline },
    { "what nobody wants an answer of", forgets_what_nobody_wants },
    { "without memory", without_memory },
    { 0 },
};
