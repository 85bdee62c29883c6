/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_own: steps, names, revocation and stop at any moment. The parts have tests of their
 * own; storage/sto_own_leave is tested with storage/sto_own_hold.
 */
#include <config.h>

#include "storage/sto_own_priv.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/own_machine.h"

static struct machine m;

static void start(bool takeover)
{
    CU_ASSERT_EQUAL(machine_start(&m, 17, takeover), 0);
}

static void names_everything(void)
{
    for (unsigned i = 0; i < STO_OWN_STATE_COUNT; i++)
        CU_ASSERT_STRING_NOT_EQUAL(sto_own_state_name((enum sto_own_state)i), "?");
    CU_ASSERT_STRING_EQUAL(sto_own_state_name(STO_OWN_STATE_COUNT), "?");
    CU_ASSERT_STRING_EQUAL(sto_own_state_name(STO_OWN_OWNED), "owned");
    for (unsigned i = 1; i < STO_OWN_REASON_COUNT; i++) {
        CU_ASSERT_TRUE(strlen(sto_own_reason_name((enum sto_own_reason)i)) > 1);
        CU_ASSERT_TRUE(strlen(sto_own_reason_text((enum sto_own_reason)i)) > 1);
    }
    CU_ASSERT_STRING_EQUAL(sto_own_reason_name(STO_OWN_REASON_COUNT), "?");
    CU_ASSERT_STRING_EQUAL(sto_own_reason_text(STO_OWN_REASON_COUNT), "?");
}

static void refuses_bad_grants(void)
{
    machine_init(&m);
    CU_ASSERT_EQUAL(machine_start(&m, 0, false), -ERANGE);
    CU_ASSERT_EQUAL(machine_start(&m, STO_GENERATION_MAX + 1, false), -ERANGE);
    CU_ASSERT_EQUAL(sto_own_state(m.own), STO_OWN_LEFT);
    start(false);
    CU_ASSERT_EQUAL(machine_start(&m, 33, false), -EALREADY);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_tell(&m, STO_OWN_EVENT_STOP);
    CU_ASSERT_EQUAL(machine_start(&m, 17, false), -ERANGE); /* a grant is for once */
    CU_ASSERT_EQUAL(machine_start(&m, 33, false), 0);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);
}

static void ends_at_the_last_generation(void)
{
    machine_init(&m);
    CU_ASSERT_EQUAL(machine_start(&m, STO_GENERATION_MAX, false), 0);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_tell(&m, STO_OWN_EVENT_DATA_UNKNOWN);
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LOST, STO_OWN_REASON_GENERATIONS_USED));
    machine_fini(&m);
}

/* --- at any moment --- */

enum moment { CLAIM, RECLAIM, HANDING_OVER, RELEASING, MOMENTS };

static void into(enum moment moment)
{
    machine_init(&m);
    m.config.steady_check = false;
    machine_held_by(&m, machine_key(MACHINE_OTHER, 5));
    start(true);
    if (moment == CLAIM)
        return;
    machine_run(&m);
    if (moment == RECLAIM)
        machine_tell(&m, STO_OWN_EVENT_DATA_UNKNOWN);
    else
        machine_tell(&m, moment == RELEASING ? STO_OWN_EVENT_RELEASE : STO_OWN_EVENT_HAND_OVER);
}

static bool over(void)
{
    enum sto_own_state state = sto_own_state(m.own);

    return state == STO_OWN_LEFT || state == STO_OWN_LOST || state == STO_OWN_HANDED ||
           state == STO_OWN_OWNED;
}

static bool revoke_after(enum moment moment, unsigned n)
{
    into(moment);
    while (n > 0 && !over() && machine_next(&m))
        n--;
    if (over()) {
        machine_fini(&m);
        return false;
    }
    machine_tell(&m, STO_OWN_EVENT_REVOKE);
    CU_ASSERT_FALSE(m.open);
    while (machine_next(&m))
        CU_ASSERT_FALSE(m.open);
    CU_ASSERT_TRUE(machine_ended(&m, moment == CLAIM ? STO_OWN_NOTICE_REFUSED : STO_OWN_NOTICE_LOST,
                                 STO_OWN_REASON_REVOKED));
    machine_fini(&m);
    return true;
}

static void is_revoked_at_any_moment(void)
{
    for (unsigned moment = 0; moment < MOMENTS; moment++) {
        unsigned n = 0;

        while (revoke_after((enum moment)moment, n))
            n++;
        CU_ASSERT_TRUE(n >= 3);
    }
}

static bool stop_after(enum moment moment, unsigned n)
{
    into(moment);
    while (n > 0 && !over() && machine_next(&m))
        n--;
    if (over()) {
        machine_fini(&m);
        return false;
    }
    machine_tell(&m, STO_OWN_EVENT_STOP);
    CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_STOPPED));
    CU_ASSERT_FALSE(m.out);
    m.drains = false;
    while (machine_next(&m)) /* a timer of before */
        CU_ASSERT_FALSE(m.out || m.open);
    CU_ASSERT_EQUAL(machine_start(&m, 49, true), 0); /* and again */
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);
    return true;
}

static void is_stopped_at_any_moment(void)
{
    for (unsigned moment = 0; moment < MOMENTS; moment++) {
        unsigned n = 0;

        while (stop_after((enum moment)moment, n))
            n++;
        CU_ASSERT_TRUE(n >= 3);
    }
}

/* Granted anew while it is owned (`steps` 0) or so many steps into the way back to that. */
static bool granted_again_after(unsigned steps, bool overtaken)
{
    into(CLAIM);
    machine_run(&m);
    if (steps > 0)
        machine_tell(&m, STO_OWN_EVENT_DATA_UNKNOWN);
    while (steps > 1 && !over() && machine_next(&m))
        steps--;
    if (steps > 1 || (steps == 1 && over())) {
        machine_fini(&m);
        return false;
    }
    if (overtaken) {
        machine_clear(&m);
        machine_held_by(&m, machine_key(MACHINE_OTHER, 33));
    }
    CU_ASSERT_EQUAL(machine_start(&m, 49, true), 0);
    CU_ASSERT_FALSE(m.open);
    CU_ASSERT_EQUAL(m.resets, 0);
    machine_run(&m);
    if (overtaken)
        CU_ASSERT_TRUE(machine_ended(&m, STO_OWN_NOTICE_LOST, STO_OWN_REASON_CONFLICTED));
    if (!overtaken) {
        CU_ASSERT_TRUE(machine_is_sound(&m));
        CU_ASSERT_EQUAL(sto_own_generation(m.own), 49);
    }
    machine_fini(&m);
    return true;
}

static void goes_on_under_another_grant(void)
{
    for (unsigned overtaken = 0; overtaken < 2; overtaken++) {
        unsigned steps = 0;

        while (granted_again_after(steps, overtaken == 1))
            steps++;
        CU_ASSERT_TRUE(steps >= 4);
    }
}

/* Events that mean nothing at this moment, and answers that nobody waits for. */
static void ignores_what_means_nothing(void)
{
    static const enum sto_own_event_kind kinds[] = {
        STO_OWN_EVENT_TIMER,        STO_OWN_EVENT_DATA_CONFLICT, STO_OWN_EVENT_DATA_ATTENTION,
        STO_OWN_EVENT_DATA_UNKNOWN, STO_OWN_EVENT_DRAINED,       STO_OWN_EVENT_SESSION_DOWN,
        STO_OWN_EVENT_RESULT,
    };

    into(CLAIM);
    while (!over()) {
        for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            if (!m.out)
                break;
            machine_tell(&m, kinds[i]);
            CU_ASSERT_EQUAL(m.actions.count, 0);
        }
        CU_ASSERT_TRUE_FATAL(machine_next(&m));
    }
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_tell(&m, STO_OWN_EVENT_STOP);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        machine_tell(&m, kinds[i]);
        CU_ASSERT_EQUAL(m.actions.count, 0);
    }
    machine_fini(&m);
}

/* A session that goes down while nothing is out but a timer. */
static void notices_a_loss_while_it_waits(void)
{
    into(CLAIM);
    CU_ASSERT_TRUE(machine_until(&m, STO_OWN_READ_KEYS));
    machine_answer(&m, &(struct machine_answer) { .rc = STO_BUSY });
    machine_tell(&m, STO_OWN_EVENT_SESSION_DOWN);
    CU_ASSERT_EQUAL(m.drops, 2); /* one at the start */
    CU_ASSERT_EQUAL(m.command.kind, STO_OWN_LOGIN);
    machine_run(&m);
    CU_ASSERT_TRUE(machine_is_sound(&m));
    machine_fini(&m);
}

static void without_memory(void)
{
    machine_init(&m);
    for (unsigned n = 0;; n++) {
        struct sto_own *own;

        fail_alloc_arm(n);
        own = sto_own_new(&m.config);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_PTR_NOT_NULL(own);
            sto_own_free(own);
            break;
        }
        CU_ASSERT_PTR_NULL(own);
    }
    sto_own_free(NULL);
}

const struct unit_case unit_cases[] = {
    { "names of states and reasons", names_everything },
    { "grants that are refused", refuses_bad_grants },
    { "the last generation", ends_at_the_last_generation },
    { "revoked at any moment", is_revoked_at_any_moment },
    { "stopped at any moment", is_stopped_at_any_moment },
    { "another grant while it is owned, or on its way back", goes_on_under_another_grant },
    { "events that mean nothing", ignores_what_means_nothing },
    { "a session goes down while a timer runs", notices_a_loss_while_it_waits },
    { "without memory", without_memory },
    { 0 },
};
