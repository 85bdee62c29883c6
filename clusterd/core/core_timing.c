/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Derived times, each under the timeline that justifies it. No other file of the core adds or
 * subtracts durations of this page. Sums are taken in 64 bits; the checked durations are at most a
 * day, so that none of them can overflow.
 */
#include <config.h>

#include "clusterd/core/core_timing.h"

#include "clusterd/core/core_words.h"
#include "common/hw_prng.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct core_timing core_timing_default(void)
{
    return (struct core_timing) {
        .token_ms = 1000,
        .consensus_ms = 1200,
        .beat_ms = 50,
        .adopt_ms = 500,
        .check_ms = 500,
        .store_ms = 1500,
        .margin_ms = 100,
        .takeover_ms = 100,
        .barrier_ms = 15000,
        .io_ms = 30000,
        .drain_ms = 2000,
        .grace_ms = 30000,
        .rejoin_ms = 10000,
        .abandon_ms = 600000,
        .stable_ms = 600000,
        .backoff_first_ms = 1000,
        .backoff_most_ms = 60000,
        .jitter_percent = 20,
    };
}

/*
 * One failure. 0: a member dies, or is cut off.
 *   + T_token      the token is missed, the others begin to gather
 *   + T_consensus  the dead member's silence is taken for its answer; the view without it
 * Another failure during the gather adds as much again.
 */
uint64_t core_timing_view_ms(const struct core_timing *timing)
{
    return (uint64_t)timing->token_ms + timing->consensus_ms;
}

/*
 * A healthy owner while another member dies. Its newest acknowledged beat was sent
 *   - T_beat       before the failure, at most: beats are that far apart
 *   + T_view       later the survivors have a view
 *   + T_adopt      a leader is adopted: its term is on the disks of a majority
 *   + T_beat       the first beat of the new term is sent and acknowledged
 * A feed that lasts this long freezes no healthy guest.
 */
uint64_t core_timing_deadman_ms(const struct core_timing *timing)
{
    return core_timing_view_ms(timing) + 2 * (uint64_t)timing->beat_ms + timing->adopt_ms;
}

/*
 * The owner was fed last by a beat that a majority acknowledged; each member with a majority asked
 * shares a member with that one, and processed the beat after it was sent. So
 *   - smallest age  the newest beat that can have fed was sent before this
 *   + T_deadman     the feed is over on the owner's clock
 *   + T_margin      both clocks' rates, and the lateness of the thread that freezes
 */
uint64_t core_timing_member_wait_ms(const struct core_timing *timing, uint32_t deadman_ms,
                                    uint64_t smallest_age_ms)
{
    uint64_t whole = (uint64_t)deadman_ms + timing->margin_ms;

#ifdef CORE_MUTATE_SHORT_MEMBER_PROOF
    whole /= 2;
#endif
    return whole > smallest_age_ms ? whole - smallest_age_ms : 0;
}

/*
 * The owner counts T_store from the send time of its last confirmation, which the target answered
 * before it executed our PREEMPT (or RESERVE). So, from the answer to that on,
 *   + T_store       the storage lease is over on the owner's clock
 *   + T_margin      as above
 */
uint64_t core_timing_store_wait_ms(const struct core_timing *timing, uint32_t store_ms,
                                   uint64_t since_ms)
{
    uint64_t whole = (uint64_t)store_ms + timing->margin_ms;

#ifdef CORE_MUTATE_SHORT_STORAGE_PROOF
    whole /= 2;
#endif
    return whole > since_ms ? whole - since_ms : 0;
}

/*
 * Mode c: a member that comes back before the proof is due keeps its guests only if nobody has
 * preempted it. The PREEMPT goes out no earlier than it must, to be done when the proof is:
 *   proof due - (PREEMPT and barrier, measured)
 */
uint64_t core_timing_preempt_wait_ms(const struct core_timing *timing, uint64_t proof_wait_ms)
{
    return proof_wait_ms > timing->takeover_ms ? proof_wait_ms - timing->takeover_ms : 0;
}

uint64_t core_timing_backoff_ms(const struct core_timing *timing, uint32_t failures, uint64_t seed)
{
    struct hw_prng prng = hw_prng_seeded(seed);
    uint64_t wait = timing->backoff_first_ms;

    if (failures == 0)
        return 0;
    for (uint32_t i = 1; i < failures && wait < timing->backoff_most_ms; i++)
        wait *= 2;
    if (wait > timing->backoff_most_ms)
        wait = timing->backoff_most_ms;
    return wait + hw_prng_below(&prng, wait * timing->jitter_percent / 100 + 1);
}

static int refuse(struct hw_error *error, const char *object, const char *reason,
                  const char *remedy)
{
    return hw_error_set(error, HW_ERROR_REFUSED, EINVAL, object, reason, remedy);
}

/* Every duration is there and no longer than a day. */
static int check_ranges(const struct core_timing *timing, struct hw_error *error)
{
    const struct {
        const char *name;
        uint32_t value;
    } all[] = {
        { "T_token", timing->token_ms },
        { "T_consensus", timing->consensus_ms },
        { "T_beat", timing->beat_ms },
        { "T_adopt", timing->adopt_ms },
        { "T_check", timing->check_ms },
        { "T_store", timing->store_ms },
        { "T_margin", timing->margin_ms },
        { "T_takeover", timing->takeover_ms },
        { "T_barrier", timing->barrier_ms },
        { "T_io", timing->io_ms },
        { "T_drain", timing->drain_ms },
        { "T_grace", timing->grace_ms },
        { "T_rejoin", timing->rejoin_ms },
        { "T_abandon", timing->abandon_ms },
        { "T_stable", timing->stable_ms },
        { "first back-off", timing->backoff_first_ms },
        { "most back-off", timing->backoff_most_ms },
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].value == 0 || all[i].value > CORE_TIMING_MOST_MS)
            return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, all[i].name, "give 1 ms to a day",
                                 "is %" PRIu32 " ms", all[i].value);
    }
    if (timing->jitter_percent > 100)
        return refuse(error, "jitter", "is above 100 %", "give 0 to 100");
    return 0;
}

static int check_sums(const struct core_timing *timing, struct hw_error *error)
{
    uint64_t deadman = core_timing_deadman_ms(timing);

    if ((uint64_t)timing->consensus_ms * 10 < (uint64_t)timing->token_ms * 12)
        return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, "T_consensus",
                             "raise totem.consensus in corosync.conf",
                             "%" PRIu32 " ms is below 1.2 x T_token %" PRIu32 " ms",
                             timing->consensus_ms, timing->token_ms);
    if ((uint64_t)timing->beat_ms * 4 > timing->token_ms)
        return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, "T_beat", "make beats more frequent",
                             "4 x %" PRIu32 " ms is above T_token %" PRIu32 " ms", timing->beat_ms,
                             timing->token_ms);
    /* one check may be lost or late, and the next still be in time */
    if (2 * (uint64_t)timing->check_ms + timing->margin_ms > timing->store_ms)
        return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, "T_store",
                             "raise T_store, or make checks more frequent",
                             "%" PRIu32 " ms is below 2 x T_check %" PRIu32 " + T_margin %" PRIu32
                             " ms",
                             timing->store_ms, timing->check_ms, timing->margin_ms);
    if (timing->rejoin_ms < deadman)
        return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, "T_rejoin", "raise T_rejoin",
                             "%" PRIu32 " ms is below T_deadman %" PRIu64 " ms", timing->rejoin_ms,
                             deadman);
    if (timing->abandon_ms < (uint64_t)timing->grace_ms + timing->barrier_ms)
        return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, "T_abandon", "raise T_abandon",
                             "%" PRIu32 " ms is below T_grace %" PRIu32 " + T_barrier %" PRIu32
                             " ms",
                             timing->abandon_ms, timing->grace_ms, timing->barrier_ms);
    if (timing->backoff_first_ms > timing->backoff_most_ms)
        return refuse(error, "back-off", "the first is longer than the longest", "swap them");
    return 0;
}

int core_timing_check(const struct core_timing *timing, const struct core_corosync *corosync,
                      uint32_t lease, bool witness, struct hw_error *error)
{
    const bool storage = lease == CORE_LEASE_STORAGE;
    int rc = check_ranges(timing, error);

    if (rc == 0)
        rc = check_sums(timing, error);
    if (rc < 0)
        return rc;
    if (corosync->token_coefficient_ms != 0)
        return refuse(error, "token_coefficient", "is not 0: T_token would change with each node",
                      "set totem.token_coefficient: 0 in corosync.conf");
    if (corosync->last_man_standing)
        return refuse(error, "last_man_standing", "two halves could both be quorate",
                      "remove it from corosync.conf");
    if (corosync->allow_downscale)
        return refuse(error, "allow_downscale", "two halves could both be quorate",
                      "remove it from corosync.conf");
    if (corosync->two_node && !(witness && storage))
        return refuse(error, "two_node", "both halves are quorate without a witness",
                      "set witness=LUN lease=storage on the cluster");
    if (corosync->auto_tie_breaker && !(witness && storage))
        return refuse(error, "auto_tie_breaker", "half of the votes is quorate without a witness",
                      "set witness=LUN lease=storage on the cluster");
    if (corosync->qdevice && !storage)
        return refuse(error, "qdevice", "its answer takes longer than a member lease lasts",
                      "set lease=storage on the cluster");
    return 0;
}

const char *core_timing_warning(const struct core_corosync *corosync)
{
    if (corosync->wait_for_all)
        return "wait_for_all: after each loss of quorum, and after a power cut, nothing starts "
               "until all nodes are there; to go on without one: corosync-cmapctl -s "
               "quorum.cancel_wait_for_all u8 1";
    return NULL;
}

size_t core_timing_explain(const struct core_timing *timing, char *text, size_t size)
{
    uint64_t deadman = core_timing_deadman_ms(timing);
    int length = snprintf(
        text, size,
        "detection %" PRIu64 " ms = T_token %" PRIu32 " + T_consensus %" PRIu32 "\n"
        "T_deadman %" PRIu64 " ms = T_token %" PRIu32 " + T_consensus %" PRIu32
        " + 2 x T_beat %" PRIu32 " + T_adopt %" PRIu32 "\n"
        "member lease proves %" PRIu64 " ms after the last beat = T_deadman %" PRIu64
        " + T_margin %" PRIu32 "\n"
        "storage lease proves %" PRIu64 " ms after the preempt = T_store %" PRIu32
        " + T_margin %" PRIu32 "\n",
        core_timing_view_ms(timing), timing->token_ms, timing->consensus_ms, deadman,
        timing->token_ms, timing->consensus_ms, timing->beat_ms, timing->adopt_ms,
        deadman + timing->margin_ms, deadman, timing->margin_ms,
        (uint64_t)timing->store_ms + timing->margin_ms, timing->store_ms, timing->margin_ms);

    if (length < 0 || size == 0)
        return 0;
    return (size_t)length < size ? (size_t)length : size - 1;
}
