/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_timing: the sums of timing.md, and which settings are refused.
 */
#include <config.h>

#include "clusterd/core/core_timing.h"

#include "clusterd/core/core_words.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static void sums_of_the_defaults(void)
{
    struct core_timing timing = core_timing_default();
    char text[CORE_TIMING_TEXT_BYTES], little[10];

    CU_ASSERT_EQUAL(core_timing_view_ms(&timing), 2200);
    CU_ASSERT_EQUAL(core_timing_deadman_ms(&timing), 2800);
    CU_ASSERT_EQUAL(core_timing_member_wait_ms(&timing, 2800, 0), 2900);
    CU_ASSERT_EQUAL(core_timing_member_wait_ms(&timing, 2800, 2250), 650);
    CU_ASSERT_EQUAL(core_timing_member_wait_ms(&timing, 2800, 2899), 1);
    CU_ASSERT_EQUAL(core_timing_member_wait_ms(&timing, 2800, 2900), 0);
    CU_ASSERT_EQUAL(core_timing_member_wait_ms(&timing, 2800, UINT64_MAX), 0);
    CU_ASSERT_EQUAL(core_timing_member_wait_ms(&timing, UINT32_MAX, 0), 4294967395u);
    CU_ASSERT_EQUAL(core_timing_store_wait_ms(&timing, 1500, 0), 1600);
    CU_ASSERT_EQUAL(core_timing_store_wait_ms(&timing, 1500, 1600), 0);
    CU_ASSERT_EQUAL(core_timing_preempt_wait_ms(&timing, 650), 550);
    CU_ASSERT_EQUAL(core_timing_preempt_wait_ms(&timing, 50), 0);
    CU_ASSERT_EQUAL(core_timing_explain(&timing, text, sizeof(text)), strlen(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text, "T_deadman 2800 ms = T_token 1000 + T_consensus 1200 + 2 x T_beat 50 + T_adopt 500"));
    CU_ASSERT_EQUAL(core_timing_explain(&timing, little, sizeof(little)), 9);
    CU_ASSERT_EQUAL(strlen(little), 9);
}

/* A healthy owner is not frozen by one failure at the worst moment: the timeline, added up. */
static void one_failure_freezes_nobody(void)
{
    struct core_timing timing = core_timing_default();

    for (uint32_t beat = 10; beat <= 200; beat += 10) {
        uint64_t sent_before, acknowledged;

        timing.beat_ms = beat;
        sent_before = beat; /* just before its next beat would have been sent */
        acknowledged = core_timing_view_ms(&timing) + timing.adopt_ms + beat;
        CU_ASSERT(sent_before + acknowledged <= core_timing_deadman_ms(&timing));
    }
}

/* Whatever the ages are, the wait ends no earlier than the feed that they allow. */
static void no_proof_before_the_feed_is_over(void)
{
    struct core_timing timing = core_timing_default();
    uint32_t deadman = (uint32_t)core_timing_deadman_ms(&timing);

    for (uint64_t age = 0; age < 4000; age += 7) {
        uint64_t fed_until = deadman > age ? deadman - age : 0; /* from now */

        CU_ASSERT(core_timing_member_wait_ms(&timing, deadman, age) >=
                  (fed_until > 0 ? fed_until + timing.margin_ms : 0));
    }
}

static void back_off(void)
{
    struct core_timing timing = core_timing_default();
    static const uint64_t least[] = { 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
    bool differs = false;

    for (uint32_t failures = 0; failures < 9; failures++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            uint64_t wait = core_timing_backoff_ms(&timing, failures, seed);

            CU_ASSERT(wait >= least[failures] && wait <= least[failures] * 12 / 10);
            CU_ASSERT_EQUAL(wait, core_timing_backoff_ms(&timing, failures, seed));
            differs = differs || wait != least[failures];
        }
    }
    CU_ASSERT(differs);
    CU_ASSERT(core_timing_backoff_ms(&timing, UINT32_MAX, 1) <= 72000);
}

static int check(const struct core_timing *timing, const struct core_corosync *corosync,
                 uint32_t lease, bool witness, struct hw_error *error)
{
    hw_error_clear(error);
    return core_timing_check(timing, corosync, lease, witness, error);
}

static void refuses_sums_that_do_not_hold(void)
{
    static const struct {
        size_t field;
        uint32_t value;
        const char *object;
    } bad[] = {
        { offsetof(struct core_timing, consensus_ms), 1199, "T_consensus" },
        { offsetof(struct core_timing, beat_ms), 251, "T_beat" },
        { offsetof(struct core_timing, store_ms), 1099, "T_store" },
        { offsetof(struct core_timing, rejoin_ms), 2799, "T_rejoin" },
        { offsetof(struct core_timing, abandon_ms), 44999, "T_abandon" },
        { offsetof(struct core_timing, backoff_first_ms), 60001, "back-off" },
        { offsetof(struct core_timing, jitter_percent), 101, "jitter" },
        { offsetof(struct core_timing, margin_ms), 0, "T_margin" },
        { offsetof(struct core_timing, token_ms), UINT32_MAX, "T_token" },
    };
    const struct core_corosync corosync = { 0 };
    struct core_timing timing = core_timing_default();
    struct hw_error error;

    CU_ASSERT_EQUAL(check(&timing, &corosync, CORE_LEASE_MEMBER, false, &error), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        timing = core_timing_default();
        memcpy((char *)&timing + bad[i].field, &bad[i].value, sizeof(bad[i].value));
        CU_ASSERT_EQUAL(check(&timing, &corosync, CORE_LEASE_MEMBER, false, &error), -EINVAL);
        CU_ASSERT_STRING_EQUAL(error.object, bad[i].object);
        CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
        CU_ASSERT(error.remedy[0] != '\0');
    }
}

/* The holes A4, A9 and H2 of the protocol's review. */
static void refuses_quorums_that_two_halves_can_have(void)
{
    const struct core_timing timing = core_timing_default();
    const struct core_corosync always[] = {
        { .last_man_standing = true },
        { .allow_downscale = true },
        { .token_coefficient_ms = 650 },
    };
    const struct core_corosync with_witness[] = { { .two_node = true },
                                                  { .auto_tie_breaker = true } };
    const struct core_corosync qdevice = { .qdevice = true }, waits = { .wait_for_all = true };
    struct hw_error error;

    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(check(&timing, &always[i], CORE_LEASE_MEMBER, false, &error), -EINVAL);
        CU_ASSERT_EQUAL(check(&timing, &always[i], CORE_LEASE_STORAGE, true, &error), -EINVAL);
    }
    for (size_t i = 0; i < 2; i++) {
        const struct core_corosync *half = &with_witness[i];

        CU_ASSERT_EQUAL(check(&timing, half, CORE_LEASE_MEMBER, true, &error), -EINVAL);
        CU_ASSERT_EQUAL(check(&timing, half, CORE_LEASE_STORAGE, false, &error), -EINVAL);
        CU_ASSERT_EQUAL(check(&timing, half, CORE_LEASE_STORAGE, true, &error), 0);
    }
    CU_ASSERT_EQUAL(check(&timing, &qdevice, CORE_LEASE_MEMBER, false, &error), -EINVAL);
    CU_ASSERT_EQUAL(check(&timing, &qdevice, CORE_LEASE_STORAGE, false, &error), 0);
    CU_ASSERT_EQUAL(check(&timing, &waits, CORE_LEASE_MEMBER, false, &error), 0);
    CU_ASSERT_PTR_NOT_NULL(core_timing_warning(&waits));
    CU_ASSERT_PTR_NULL(core_timing_warning(&qdevice));
}

const struct unit_case unit_cases[] = {
    { "the sums of the defaults", sums_of_the_defaults },
    { "one failure freezes no healthy guest", one_failure_freezes_nobody },
    { "no proof before the feed is over", no_proof_before_the_feed_is_over },
    { "back-off doubles, with a jitter that the seed decides", back_off },
    { "sums that do not hold are refused", refuses_sums_that_do_not_hold },
    { "quorums that two halves can have are refused", refuses_quorums_that_two_halves_can_have },
    { NULL, NULL },
};
