/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_own_hold and storage/sto_own_leave: the steady check, what disturbs an owner, own
 * reconnects, hand-over and release. over 400: one owner, and each thing that may happen to it.
 */
#include <config.h>

#include "storage/sto_own_priv.h"

#include <errno.h>

#include "tests/unit/own_machine.h"

static struct machine m;

static void own_it(void)
{
    machine_init(&m);
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    machine_run(&m);
    CU_ASSERT_TRUE_FATAL(machine_is_sound(&m));
}

/* Owned, and the steady check is out. */
static void check_it(void)
{
    own_it();
    CU_ASSERT_TRUE(machine_next(&m));
    CU_ASSERT_TRUE_FATAL(m.out);
    CU_ASSERT_EQUAL(m.command.kind, STO_OWN_READ_RESERVATION);
}

static void disturb(enum sto_own_event_kind kind, uint16_t asc_ascq)
{
    struct sto_own_event event = { .kind = kind };

    if (kind == STO_OWN_EVENT_SESSION_DOWN)
        event.session = STO_SESSION_DATA;
    else
        event.asc_ascq = asc_ascq;
    CU_ASSERT_EQUAL(machine_event(&m, event), 0);
}

static void confirms_steadily(void)
{
    int64_t before_ns;

    own_it();
    for (unsigned i = 0; i < 5; i++) {
        before_ns = m.confirmed_ns;
        CU_ASSERT_EQUAL(m.timer_ns - m.now_ns, 500 * 1000000);
        CU_ASSERT_TRUE(machine_next(&m)); /* the timer */
        CU_ASSERT_TRUE(m.out);
        CU_ASSERT_TRUE(machine_next(&m));
        CU_ASSERT_TRUE(m.confirmed_ns > before_ns);
        CU_ASSERT_TRUE(m.open);
    }
    machine_fini(&m);
}

static void checks_with_every_answer(void)
{
    static const struct {
        struct machine_answer answer;
        bool suspends;
        uint32_t generation; /* in the end */
    } rows[] = {
        { { .rc = STO_BUSY }, false, 17 },
        { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x3f0e }, false, 17 },
        { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2a01 }, false, 17 },
        { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2a03 }, true, 18 },
        { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2900 }, true, 18 },
        { { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2f00 }, true, 18 },
        { { .rc = STO_UNKNOWN }, true, 18 },
        { { .rc = STO_NOT_SENT }, true, 18 },
        { { .rc = STO_ILLEGAL }, true, 18 },
        { { .rc = STO_CONFLICT }, true, 18 },
        { { .decode = -EBADMSG, .executed = true }, true, 18 },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_it();
        machine_answer(&m, &rows[i].answer);
        CU_ASSERT_EQUAL(m.open, !rows[i].suspends);
        CU_ASSERT_EQUAL(m.notices[STO_OWN_NOTICE_SUSPENDED], rows[i].suspends);
        machine_run(&m);
        CU_ASSERT_TRUE(machine_is_sound(&m));
        CU_ASSERT_EQUAL(sto_own_generation(m.own), rows[i].generation);
        CU_ASSERT_EQUAL(m.other_count, 0);
        machine_fini(&m);
    }
}

/* What goes wrong on the data path while nothing happened to the reservation. */
static void survives_disturbances(void)
{
    static const struct {
        enum sto_own_event_kind kind;
        uint16_t asc_ascq;
    } rows[] = {
        { STO_OWN_EVENT_SESSION_DOWN, 0 },        { STO_OWN_EVENT_DATA_UNKNOWN, 0 },
        { STO_OWN_EVENT_DATA_CONFLICT, 0 },       { STO_OWN_EVENT_DATA_ATTENTION, 0x2a03 },
        { STO_OWN_EVENT_DATA_ATTENTION, 0x2900 }, { STO_OWN_EVENT_DATA_ATTENTION, 0x2f00 },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        own_it();
        disturb(rows[i].kind, rows[i].asc_ascq);
        CU_ASSERT_FALSE(m.open);
        CU_ASSERT_EQUAL(m.last.notice, STO_OWN_NOTICE_SUSPENDED);
        CU_ASSERT_TRUE(machine_until(&m, STO_OWN_LUN_RESET)); /* no opening without a barrier */
        disturb(rows[i].kind, rows[i].asc_ascq); /* nothing new while the gate is shut */
        machine_run(&m);
        CU_ASSERT_TRUE(machine_is_sound(&m));
        CU_ASSERT_EQUAL(sto_own_generation(m.own), 18);
        CU_ASSERT_EQUAL(m.notices[STO_OWN_NOTICE_OWNED], 2);
        machine_fini(&m);
    }
}

/* The control session is needed for the next barrier only. */
static void does_without_the_control_session(void)
{
    own_it();
    CU_ASSERT_EQUAL(machine_event(&m, (struct sto_own_event) { .kind = STO_OWN_EVENT_SESSION_DOWN,
                                                               .session = STO_SESSION_CONTROL }),
                    0);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);
}

/* Another node took it: lost, never claimed again by itself. */
static void loses_to_another_node(void)
{
    static const enum sto_own_event_kind kinds[] = { STO_OWN_EVENT_DATA_CONFLICT,
                                                     STO_OWN_EVENT_DATA_UNKNOWN };

    for (unsigned i = 0; i < 2; i++) {
        own_it();
        machine_clear(&m);
        machine_held_by(&m, machine_key(MACHINE_OTHER, 33));
        disturb(kinds[i], 0);
        machine_run(&m);
        CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LOST,
                                     i == 0 ? STO_OWN_REASON_CONFLICTED : STO_OWN_REASON_STALE));
        CU_ASSERT_EQUAL(m.last.key, machine_key(MACHINE_OTHER, 33));
        CU_ASSERT_FALSE(machine_next(&m));
        CU_ASSERT_EQUAL(machine_start(&m, 49, true), -EALREADY);
        machine_fini(&m);
    }

    own_it(); /* a lower key, by somebody who does not keep to the generations */
    machine_clear(&m);
    machine_held_by(&m, machine_key(MACHINE_OTHER, 5));
    disturb(STO_OWN_EVENT_DATA_UNKNOWN, 0);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LOST, STO_OWN_REASON_CONFLICTED));
    machine_fini(&m);
}

/* The target lost its reservations with its sessions: nobody else was there, claimed again. */
static void survives_a_restart_of_the_target(void)
{
    own_it();
    machine_clear(&m);
    disturb(STO_OWN_EVENT_SESSION_DOWN, 0);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    CU_ASSERT_EQUAL(sto_own_generation(m.own), 18);
    machine_fini(&m);
}

/* Another LUN answers at this address, or one that does not say which it is. */
static void knows_its_lun_again(void)
{
    static const char *const names[] = { "naa.2", "", NULL };

    for (unsigned i = 0; i < 3; i++) {
        own_it();
        m.wwid = names[i];
        disturb(STO_OWN_EVENT_SESSION_DOWN, 0);
        machine_run(&m);
        CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LOST, STO_OWN_REASON_COPY));
        machine_fini(&m);
    }
}

static void uses_its_generations_up(void)
{
    own_it();
    for (unsigned i = 1; i < STO_GENERATION_BLOCK; i++) {
        disturb(STO_OWN_EVENT_SESSION_DOWN, 0);
        machine_run(&m);
        CU_ASSERT_TRUE(machine_is_sound(&m));
        CU_ASSERT_EQUAL(sto_own_generation(m.own), 17 + i);
    }
    disturb(STO_OWN_EVENT_SESSION_DOWN, 0);
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LOST, STO_OWN_REASON_GENERATIONS_USED));
    CU_ASSERT_EQUAL(machine_start(&m, 32, false), -ERANGE);
    CU_ASSERT_EQUAL(machine_start(&m, 33, false), 0); /* goes on: it is still the holder */
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    CU_ASSERT_EQUAL(sto_own_generation(m.own), 33);
    machine_fini(&m);
}

/* A new grant may go on only if nobody else owned it meanwhile. */
static void does_not_go_on_behind_another(void)
{
    own_it();
    for (unsigned i = 0; i < STO_GENERATION_BLOCK; i++) {
        disturb(STO_OWN_EVENT_SESSION_DOWN, 0);
        machine_run(&m);
    }
    CU_ASSERT_EQUAL(sto_own_state(m.own), STO_OWN_LOST);
    machine_clear(&m);
    machine_held_by(&m, machine_key(MACHINE_OTHER, 33));
    CU_ASSERT_EQUAL(machine_start(&m, 49, true), 0);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LOST, STO_OWN_REASON_CONFLICTED));
    machine_fini(&m);
}

/* It stood still between its last look and opening: looks again. */
static void opens_only_freshly(void)
{
    machine_init(&m);
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_WRITE_RECORD));
    m.now_ns += 1501 * 1000000LL;
    (void)machine_next(&m);
    CU_ASSERT_FALSE(m.open);
    CU_ASSERT_EQUAL(m.command.kind, STO_OWN_READ_RESERVATION);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);
}

/* The command that is out is answered so, again and again; how often that is told. */
static unsigned told_of(enum sto_rc rc, enum sto_own_reason reason, unsigned times)
{
    unsigned told = 0;

    for (unsigned i = 0; i < times; i++) {
        unsigned before = m.notices[STO_OWN_NOTICE_HELD_UP];

        while (!m.out)
            CU_ASSERT_TRUE_FATAL(machine_next(&m));
        machine_answer(&m, &(struct machine_answer) { .rc = rc, .asc_ascq = 0x3f0e });
        if (m.notices[STO_OWN_NOTICE_HELD_UP] == before)
            continue;
        CU_ASSERT_EQUAL(m.last.reason, reason);
        told++;
    }
    return told;
}

/* Whoever owns tries on for ever, but not without a word. */
static void tells_what_holds_it_up(void)
{
    unsigned told;

    check_it(); /* the steady check */
    told = told_of(STO_BUSY, STO_OWN_REASON_BUSY, 48);
    CU_ASSERT_TRUE(told >= 2 && told <= 4);
    CU_ASSERT_TRUE(m.open);
    machine_fini(&m);

    own_it(); /* a reconnect */
    disturb(STO_OWN_EVENT_SESSION_DOWN, 0);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_READ_KEYS));
    told = told_of(STO_BUSY, STO_OWN_REASON_BUSY, 48);
    CU_ASSERT_TRUE(told >= 2 && told <= 4);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);

    own_it();
    disturb(STO_OWN_EVENT_SESSION_DOWN, 0);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_TEST_UNIT));
    told = told_of(STO_UNIT_ATTENTION, STO_OWN_REASON_UNSETTLED, 200);
    CU_ASSERT_TRUE(told >= 2 && told <= 4);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);

    own_it(); /* on the way out */
    machine_tell(&m, STO_OWN_EVENT_RELEASE);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_FLUSH));
    told = told_of(STO_BUSY, STO_OWN_REASON_BUSY, 48);
    CU_ASSERT_TRUE(told >= 2 && told <= 4);
    machine_fini(&m);
}

/* A target that answers late: by then its answers prove nothing. */
static void tells_of_a_slow_target(void)
{
    machine_init(&m);
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    for (unsigned i = 0; i < 200; i++) {
        m.now_ns += 1600 * 1000000LL; /* the machine stamps a command as it answers it */
        CU_ASSERT_TRUE_FATAL(machine_next(&m));
        CU_ASSERT_FALSE(m.open);
    }
    CU_ASSERT_TRUE(m.notices[STO_OWN_NOTICE_HELD_UP] >= 2);
    CU_ASSERT_TRUE(m.notices[STO_OWN_NOTICE_HELD_UP] <= 50);
    CU_ASSERT_EQUAL(m.last.reason, STO_OWN_REASON_BUSY);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);
}

/* --- leaving --- */

static void hands_over(void)
{
    own_it();
    CU_ASSERT_EQUAL(machine_event(&m, (struct sto_own_event) { .kind = STO_OWN_EVENT_HAND_OVER,
                                                               .node = MACHINE_OTHER }),
                    0);
    CU_ASSERT_EQUAL(sto_own_state(m.own), STO_OWN_DRAINING);
    CU_ASSERT_FALSE(m.open);
    machine_tell(&m, STO_OWN_EVENT_RELEASE); /* one way out at a time */
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_FLUSH));
    m.timer_ns = 0;
    while (machine_next(&m))
        ;
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_HANDED, STO_OWN_REASON_NONE));
    CU_ASSERT_EQUAL(m.record.state, STO_RECORD_HANDOVER);
    CU_ASSERT_EQUAL(m.record.handover_node, MACHINE_OTHER);
    CU_ASSERT_TRUE(m.held && m.holds); /* until the next owner preempts it */
    CU_ASSERT_EQUAL(machine_start(&m, 33, false), 0);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);
}

static void releases(void)
{
    static const enum sto_own_command_kind way[] = { STO_OWN_FLUSH, STO_OWN_WRITE_RECORD,
                                                     STO_OWN_PR_OUT, STO_OWN_PR_OUT,
                                                     STO_OWN_LOGOUT };

    own_it();
    machine_tell(&m, STO_OWN_EVENT_RELEASE);
    CU_ASSERT_TRUE(machine_next(&m)); /* drained */
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_TRUE_FATAL(m.out);
        CU_ASSERT_EQUAL(m.command.kind, way[i]);
        (void)machine_next(&m);
    }
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED));
    CU_ASSERT_EQUAL(m.record.state, STO_RECORD_FREE);
    CU_ASSERT_FALSE(m.held);
    CU_ASSERT_EQUAL(m.other_count, 0);
    machine_fini(&m);
}

/* A claim that is told to hand over or release before it is through does so at its end. */
static void leaves_a_claim(void)
{
    machine_init(&m);
    m.config.steady_check = false;
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), 0);
    machine_tell(&m, STO_OWN_EVENT_RELEASE);
    while (machine_next(&m))
        ;
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED));
    CU_ASSERT_EQUAL(m.notices[STO_OWN_NOTICE_OWNED], 0);
    CU_ASSERT_FALSE(m.held);
    machine_fini(&m);
}

/* Each command of leaving, answered in every way. */
static bool leave_with(unsigned n, const struct machine_answer *answer, bool release)
{
    bool reached = true;

    own_it();
    m.timer_ns = 0;
    machine_tell(&m, release ? STO_OWN_EVENT_RELEASE : STO_OWN_EVENT_HAND_OVER);
    CU_ASSERT_TRUE(machine_next(&m));
    for (unsigned i = 0; i < n && reached; i++)
        reached = machine_next(&m) && m.out;
    if (reached)
        machine_answer(&m, answer);
    CU_ASSERT_FALSE(m.open);
    while (machine_next(&m))
        CU_ASSERT_FALSE(m.open); /* nothing new passes on the way out */
    if (release) {
        CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED));
        CU_ASSERT_FALSE(m.held);
    } else {
        CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_HANDED, STO_OWN_REASON_NONE));
        CU_ASSERT_EQUAL(m.record.state, STO_RECORD_HANDOVER);
        CU_ASSERT_TRUE(m.held && m.holds);
    }
    machine_fini(&m);
    return reached;
}

static void leaves_with_every_answer(void)
{
    static const struct machine_answer answers[] = {
        { .rc = STO_BUSY },
        { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2900 },
        { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2a03 },
        { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2f00 },
        { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x3f0e },
        { .rc = STO_UNKNOWN },
        { .rc = STO_UNKNOWN, .executed = true },
        { .rc = STO_NOT_SENT },
        { .rc = STO_CONFLICT },
    };

    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        for (int release = 0; release <= 1; release++) {
            unsigned n = 0;

            while (leave_with(n, &answers[i], release != 0))
                n++;
            CU_ASSERT_EQUAL(n, release ? 5 : 2);
        }
    }
}

/* The reservation is released, and the next owner removes our key before we do. */
static void has_released_though_preempted(void)
{
    static const struct machine_answer answers[] = {
        { .rc = STO_CONFLICT },
        { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2a05 },
    };

    for (unsigned i = 0; i < 2; i++) {
        own_it();
        m.timer_ns = 0;
        machine_tell(&m, STO_OWN_EVENT_RELEASE);
        CU_ASSERT_TRUE(machine_until_pr(&m, STO_PR_REGISTER));
        machine_clear(&m);
        machine_held_by(&m, machine_key(MACHINE_OTHER, 33));
        machine_answer(&m, &answers[i]);
        while (machine_next(&m))
            ;
        CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED));
        machine_fini(&m);
    }
}

const struct unit_case unit_cases[] = {
    { "the steady check confirms", confirms_steadily },
    { "every answer to the steady check", checks_with_every_answer },
    { "disturbances lead through a reconnect", survives_disturbances },
    { "the control session goes down", does_without_the_control_session },
    { "another node took it", loses_to_another_node },
    { "the target lost its reservations", survives_a_restart_of_the_target },
    { "another LUN at its address", knows_its_lun_again },
    { "generations used up, a new grant goes on", uses_its_generations_up },
    { "a new grant does not go on behind another owner", does_not_go_on_behind_another },
    { "the gate opens only behind a fresh look", opens_only_freshly },
    { "what holds it up is told", tells_what_holds_it_up },
    { "a target that answers too late is told of", tells_of_a_slow_target },
    { "hand-over", hands_over },
    { "release", releases },
    { "release during a claim", leaves_a_claim },
    { "every answer while leaving", leaves_with_every_answer },
    { "released, then preempted", has_released_though_preempted },
    { 0 },
};
