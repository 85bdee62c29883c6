/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_own_claim and storage/sto_own_connect: the way to ownership step by step, and every
 * kind of answer to each of its commands. over 400: one way, tested in one place.
 */
#include <config.h>

#include "storage/sto_own_priv.h"

#include <errno.h>

#include "tests/unit/own_machine.h"

static struct machine m;

static void begin(void)
{
    machine_init(&m);
}

/* The commands of a claim of a free LUN, in order. */
static void claims_a_free_lun(void)
{
    static const enum sto_own_command_kind way[] = {
        STO_OWN_LOGIN,
        STO_OWN_LOGIN,
        STO_OWN_IDENTIFY,
        STO_OWN_TEST_UNIT,
        STO_OWN_TEST_UNIT,
        STO_OWN_READ_RESERVATION,
        STO_OWN_READ_KEYS,
        STO_OWN_READ_RECORD,
        STO_OWN_READ_RESERVATION,
        STO_OWN_READ_KEYS,
        STO_OWN_PR_OUT,
        STO_OWN_READ_RESERVATION,
        STO_OWN_READ_KEYS,
        STO_OWN_PR_OUT,
        STO_OWN_READ_RESERVATION,
        STO_OWN_READ_KEYS,
        STO_OWN_LUN_RESET,
        STO_OWN_TEST_UNIT,
        STO_OWN_TEST_UNIT,
        STO_OWN_READ_RESERVATION,
        STO_OWN_READ_KEYS,
        STO_OWN_READ_RECORD,
        STO_OWN_WRITE_RECORD,
    };

    begin();
    m.config.deadman_ms = 6000;
    m.config.store_ms = 7000;
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_EQUAL(sto_own_registered_ns(m.own), 0);
    for (unsigned i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
        CU_ASSERT_TRUE_FATAL(m.out);
        CU_ASSERT_EQUAL(m.command.kind, way[i]);
        CU_ASSERT_FALSE(m.open);
        CU_ASSERT_EQUAL(m.command.timeout_ms, way[i] == STO_OWN_LUN_RESET ? 15000 : 5000);
        (void)machine_next(&m);
    }
    CU_ASSERT_TRUE(machine_is_sound(&m));
    CU_ASSERT_EQUAL(sto_own_key(m.own), machine_key(MACHINE_NODE, 17));
    CU_ASSERT_TRUE(sto_own_registered_ns(m.own) > 0);
    CU_ASSERT_TRUE(sto_own_verified_ns(m.own) > sto_own_registered_ns(m.own));
    CU_ASSERT_EQUAL(m.record.sequence, 2);
    CU_ASSERT_EQUAL(m.record.deadman_ms, 6000);
    CU_ASSERT_EQUAL(m.record.store_ms, 7000);
    CU_ASSERT_STRING_EQUAL(m.record.wwid, "naa.1");
    CU_ASSERT_EQUAL(sto_own_record(m.own)->sequence, 2);
    machine_fini(&m);
}

static void takes_over(void)
{
    begin();
    machine_held_by(&m, machine_key(MACHINE_OTHER, 5));
    CU_ASSERT_EQUAL(machine_start(&m, 17, true), 0);
    CU_ASSERT_TRUE(machine_until_pr(&m, STO_PR_PREEMPT));
    CU_ASSERT_EQUAL(m.command.request.service_key, machine_key(MACHINE_OTHER, 5));
    CU_ASSERT_EQUAL(m.command.request.key, machine_key(MACHINE_NODE, 17));
    CU_ASSERT_EQUAL(m.command.request.type, STO_PR_EXCLUSIVE_ACCESS);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    CU_ASSERT_EQUAL(m.other_count, 0);
    machine_fini(&m);
}

static void works_without_a_record(void)
{
    begin();
    m.config.use_record = m.config.steady_check = false;
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_FALSE(machine_until(&m, STO_OWN_READ_RECORD));
    CU_ASSERT_TRUE(machine_is_sound(&m));
    CU_ASSERT_PTR_NULL(sto_own_record(m.own));
    machine_fini(&m);
}

/* --- every kind of answer to each command --- */

enum outcome { GOES_ON, GOES_ON_OR_REFUSED, REFUSED };

static const struct {
    struct machine_answer answer;
    unsigned times; /* in a row */
    enum outcome outcome;
} answers[] = {
    { { .rc = STO_CONFLICT }, 1, GOES_ON },
    { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2900 }, 1, GOES_ON },
    { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2903 }, 1, GOES_ON },
    { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2907 }, 3, GOES_ON },
    { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2a03 }, 1, GOES_ON },
    { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2a04 }, 1, GOES_ON },
    { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2a05 }, 9, GOES_ON },
    { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2f00 }, 1, GOES_ON },
    { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x3f0e }, 16, GOES_ON },
    { { .rc = STO_BUSY }, 1, GOES_ON },
    { { .rc = STO_BUSY }, 5, GOES_ON },
    { { .rc = STO_UNKNOWN }, 1, GOES_ON },
    { { .rc = STO_UNKNOWN, .executed = true }, 1, GOES_ON },
    { { .rc = STO_UNKNOWN, .executed = true }, 3, GOES_ON },
    { { .rc = STO_NOT_SENT }, 1, GOES_ON },
    { { .rc = STO_ILLEGAL }, 1, GOES_ON_OR_REFUSED },
    { { .rc = STO_UNSUPPORTED }, 1, GOES_ON_OR_REFUSED },
    { { .rc = STO_MEDIUM }, 1, GOES_ON_OR_REFUSED },
    { { .rc = STO_READ_ONLY }, 1, GOES_ON_OR_REFUSED },
    { { .rc = STO_LOGIN_REFUSED }, 1, GOES_ON_OR_REFUSED },
};

/* A look, or the record, that cannot be had is no reason to go on. */
static bool must_refuse(enum sto_own_command_kind kind)
{
    return kind == STO_OWN_READ_RESERVATION || kind == STO_OWN_READ_KEYS ||
           kind == STO_OWN_READ_RECORD || kind == STO_OWN_WRITE_RECORD;
}

/* One claim or takeover whose n-th command is answered so. False: it has fewer commands. */
static bool answer_nth(unsigned n, unsigned row, bool takeover)
{
    enum sto_own_command_kind kind;
    bool reached = true;

    begin();
    if (takeover)
        machine_held_by(&m, machine_key(MACHINE_OTHER, 5));
    CU_ASSERT_EQUAL(machine_start(&m, 17, takeover), 0);
    for (unsigned i = 0; i < n && reached; i++)
        reached = sto_own_state(m.own) != STO_OWN_OWNED && machine_next(&m);
    reached = reached && m.out && sto_own_state(m.own) != STO_OWN_OWNED;
    kind = m.command.kind;
    for (unsigned i = 0; reached && i < answers[row].times; i++) {
        while (!m.out && machine_next(&m))
            ;
        if (!m.out)
            break;
        machine_answer(&m, &answers[row].answer);
        CU_ASSERT_FALSE(m.open);
    }
    machine_run(&m);
    if (!machine_is_sound(&m)) {
        CU_ASSERT_EQUAL(sto_own_state(m.own), STO_OWN_LEFT);
        CU_ASSERT_EQUAL(m.last.notice, STO_OWN_NOTICE_REFUSED);
        CU_ASSERT_FALSE(m.open);
        CU_ASSERT_NOT_EQUAL(answers[row].outcome, GOES_ON);
    } else if (reached && answers[row].outcome == GOES_ON_OR_REFUSED) {
        CU_ASSERT_FALSE(must_refuse(kind));
    }
    machine_fini(&m);
    return reached;
}

static void takes_every_answer(void)
{
    for (unsigned row = 0; row < sizeof(answers) / sizeof(answers[0]); row++) {
        for (int takeover = 0; takeover <= 1; takeover++) {
            unsigned n = 0;

            while (answer_nth(n, row, takeover != 0))
                n++;
            CU_ASSERT_TRUE(n >= 20);
        }
    }
}

static void does_not_guess(void)
{
    static const struct {
        enum sto_own_command_kind kind;
        int decode;
        enum sto_own_reason reason;
    } rows[] = {
        { STO_OWN_READ_RESERVATION, -EBADMSG, STO_OWN_REASON_BAD_ANSWER },
        { STO_OWN_READ_KEYS, -EBADMSG, STO_OWN_REASON_BAD_ANSWER },
        { STO_OWN_READ_KEYS, -E2BIG, STO_OWN_REASON_BAD_ANSWER },
        { STO_OWN_READ_RECORD, -EBADMSG, STO_OWN_REASON_BAD_RECORD },
        { STO_OWN_READ_RECORD, -ENOENT, STO_OWN_REASON_NO_RECORD },
        { STO_OWN_READ_RECORD, -EPROTONOSUPPORT, STO_OWN_REASON_NEWER_RECORD },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned nth = 0;; nth++) { /* the first, second ... command of this kind */
            bool there;

            begin();
            m.config.steady_check = false;
            CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
            there = machine_until(&m, rows[i].kind);
            for (unsigned skip = 0; there && skip < nth; skip++)
                there = machine_next(&m) && sto_own_state(m.own) != STO_OWN_OWNED &&
                        machine_until(&m, rows[i].kind) && sto_own_state(m.own) != STO_OWN_OWNED;
            if (!there) {
                machine_fini(&m);
                CU_ASSERT_TRUE(nth >= 2);
                break;
            }
            machine_answer(&m,
                           &(struct machine_answer) { .decode = rows[i].decode, .executed = true });
            machine_run(&m);
            CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_REFUSED, rows[i].reason));
            machine_fini(&m);
        }
    }
}

/* What fails is named. `nth`: how many commands of this kind go through before. */
static void names_what_failed(void)
{
    static const struct {
        enum sto_own_command_kind kind;
        unsigned nth;
        enum sto_rc rc;
        enum sto_own_reason reason;
    } rows[] = {
        { STO_OWN_READ_RESERVATION, 0, STO_MEDIUM, STO_OWN_REASON_BAD_ANSWER },
        { STO_OWN_READ_RECORD, 0, STO_MEDIUM, STO_OWN_REASON_BAD_RECORD },
        { STO_OWN_READ_RECORD, 1, STO_MEDIUM, STO_OWN_REASON_BAD_RECORD },
        { STO_OWN_WRITE_RECORD, 0, STO_MEDIUM, STO_OWN_REASON_REFUSED_BY_TARGET },
        { STO_OWN_WRITE_RECORD, 0, STO_NO_SPACE, STO_OWN_REASON_REFUSED_BY_TARGET },
        { STO_OWN_WRITE_RECORD, 0, STO_READ_ONLY, STO_OWN_REASON_READ_ONLY },
        { STO_OWN_PR_OUT, 0, STO_MEDIUM, STO_OWN_REASON_REFUSED_BY_TARGET },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin();
        CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
        for (unsigned n = 0; n < rows[i].nth; n++)
            CU_ASSERT_TRUE(machine_until(&m, rows[i].kind) && machine_next(&m));
        CU_ASSERT_TRUE(machine_until(&m, rows[i].kind));
        machine_answer(&m, &(struct machine_answer) { .rc = rows[i].rc });
        machine_run(&m);
        CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_REFUSED, rows[i].reason));
        machine_fini(&m);
    }
}

/* --- attentions, busy, APTPL --- */

static void takes_queued_attentions(void)
{
    begin();
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_TEST_UNIT));
    for (unsigned i = 0; i < OWN_ATTENTIONS_MAX; i++)
        machine_answer(&m, &(struct machine_answer) { .rc = STO_UNIT_ATTENTION,
                                                      .asc_ascq = i % 2 ? 0x2900 : 0x2a05 });
    CU_ASSERT_TRUE(m.out);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);

    begin();
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_TEST_UNIT));
    for (unsigned i = 0; i <= OWN_ATTENTIONS_MAX; i++)
        machine_answer(&m,
                       &(struct machine_answer) { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2900 });
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_UNSETTLED));
    machine_fini(&m);
}

/* Reservations changed between the last look and the record: what was seen counts no more. */
static void looks_again_before_it_opens(void)
{
    static const uint16_t codes[] = { 0x2a03, 0x2a04, 0x2a05, 0x2900, 0x2f00 };

    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        begin();
        m.config.steady_check = false;
        CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
        CU_ASSERT_TRUE(machine_until(&m, STO_OWN_WRITE_RECORD));
        machine_clear(&m); /* by a stranger; the LUN is free and takes writes of anybody */
        machine_answer(&m,
                       &(struct machine_answer) { .rc = STO_UNIT_ATTENTION, .asc_ascq = codes[i] });
        CU_ASSERT_EQUAL(m.command.kind, STO_OWN_READ_RESERVATION);
        machine_run(&m); /* the gate's own check: not open without being the holder */
        CU_ASSERT_TRUE(machine_is_sound(&m));
        machine_fini(&m);
    }
}

static void backs_off_from_a_busy_target(void)
{
    int64_t last_ns = 0;

    begin();
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_READ_KEYS));
    for (unsigned i = 0; i < OWN_BUSY_MAX; i++) {
        int64_t wait_ns;

        machine_answer(&m, &(struct machine_answer) { .rc = STO_BUSY });
        CU_ASSERT_FALSE(m.out);
        wait_ns = m.timer_ns - m.now_ns;
        CU_ASSERT_TRUE(wait_ns >= OWN_BACKOFF_FIRST_MS * 1000000LL);
        CU_ASSERT_TRUE(wait_ns <= OWN_BACKOFF_LAST_MS * 1000000LL * 6 / 5);
        CU_ASSERT_TRUE(i >= 5 || wait_ns > last_ns);
        last_ns = wait_ns;
        CU_ASSERT_TRUE(machine_next(&m));
        CU_ASSERT_EQUAL(m.command.kind, STO_OWN_READ_KEYS);
    }
    machine_answer(&m, &(struct machine_answer) { .rc = STO_BUSY });
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_BUSY));
    machine_fini(&m);
}

static void does_without_aptpl(void)
{
    begin();
    m.no_aptpl = true;
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_TRUE(machine_until_pr(&m, STO_PR_REGISTER));
    CU_ASSERT_TRUE(m.command.request.aptpl);
    (void)machine_next(&m);
    CU_ASSERT_EQUAL(m.command.request.action, STO_PR_REGISTER);
    CU_ASSERT_FALSE(m.command.request.aptpl);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);
}

/* --- the barrier --- */

static void needs_the_barrier(void)
{
    begin();
    machine_held_by(&m, machine_key(MACHINE_OTHER, 5));
    CU_ASSERT_EQUAL(machine_start(&m, 17, true), 0);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_LUN_RESET));
    CU_ASSERT_EQUAL(m.command.session, STO_SESSION_CONTROL);
    machine_answer(&m, &(struct machine_answer) { .rc = STO_UNSUPPORTED });
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_NOT_PROVEN));
    CU_ASSERT_TRUE(m.held); /* the reservation stays: it keeps the old owner out */
    CU_ASSERT_EQUAL(m.notices[STO_OWN_NOTICE_OWNED], 0);
    machine_fini(&m);
}

static void repeats_the_barrier(void)
{
    begin();
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    for (unsigned i = 1; i <= 10; i++) {
        CU_ASSERT_TRUE(machine_until(&m, STO_OWN_LUN_RESET));
        machine_answer(&m, &(struct machine_answer) { .rc = STO_UNKNOWN, .executed = i % 2 });
        CU_ASSERT_EQUAL(m.last.notice, STO_OWN_NOTICE_HELD_UP);
        CU_ASSERT_EQUAL(m.last.reason, STO_OWN_REASON_NOT_PROVEN);
        CU_ASSERT_EQUAL(m.control_drops, i);
        CU_ASSERT_FALSE(m.out);
    }
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_LOGIN));
    CU_ASSERT_EQUAL(m.command.session, STO_SESSION_CONTROL);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    CU_ASSERT_EQUAL(sto_own_generation(m.own), 17); /* the data session stood all the time */
    machine_fini(&m);
}

static void gives_the_barrier_up(void)
{
    begin();
    m.config.barrier_attempts = 4;
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    for (unsigned i = 1; i <= 2; i++) { /* two resets time out, each login after one fails */
        CU_ASSERT_TRUE(machine_until(&m, STO_OWN_LUN_RESET));
        machine_answer(&m, &(struct machine_answer) { .rc = STO_UNKNOWN });
        CU_ASSERT_TRUE(machine_until(&m, STO_OWN_LOGIN));
        machine_answer(&m, &(struct machine_answer) { .rc = STO_UNKNOWN });
    }
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_NOT_PROVEN));
    machine_fini(&m);
}

/* --- connecting --- */

static void keeps_trying_to_connect(void)
{
    begin();
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    for (unsigned i = 0; i < 50; i++) {
        CU_ASSERT_TRUE(machine_until(&m, STO_OWN_LOGIN));
        machine_answer(&m, &(struct machine_answer) { .rc = STO_UNKNOWN });
        CU_ASSERT_EQUAL(m.last.notice, STO_OWN_NOTICE_HELD_UP);
        CU_ASSERT_EQUAL(m.last.reason, STO_OWN_REASON_UNREACHABLE);
    }
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    CU_ASSERT_EQUAL(sto_own_generation(m.own), 17);
    machine_fini(&m);

    begin();
    m.config.login_attempts = 3;
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(machine_until(&m, STO_OWN_LOGIN));
        machine_answer(&m, &(struct machine_answer) { .rc = STO_UNKNOWN });
    }
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_UNREACHABLE));
    machine_fini(&m);
}

const struct unit_case unit_cases[] = {
    { "a free LUN is claimed step by step", claims_a_free_lun },
    { "a holder is preempted by the key as read", takes_over },
    { "without record", works_without_a_record },
    { "every answer to each command", takes_every_answer },
    { "answers that cannot be decoded", does_not_guess },
    { "what failed is named", names_what_failed },
    { "queued unit attentions", takes_queued_attentions },
    { "reservations that change behind the last look", looks_again_before_it_opens },
    { "busy", backs_off_from_a_busy_target },
    { "no persistence through power loss", does_without_aptpl },
    { "no barrier, no ownership", needs_the_barrier },
    { "a barrier that times out is repeated", repeats_the_barrier },
    { "a barrier that never comes", gives_the_barrier_up },
    { "logins are repeated", keeps_trying_to_connect },
    { 0 },
};
