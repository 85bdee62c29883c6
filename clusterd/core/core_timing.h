/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every duration that ownership, fencing and recovery rest on, and everything derived from them.
 * The timelines that justify the sums stand in core_timing.c above each of them. Durations are
 * milliseconds; nothing here knows what time it is.
 */
#ifndef CORE_TIMING_H
#define CORE_TIMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_error.h"

enum { CORE_TIMING_MOST_MS = 24 * 3600 * 1000, CORE_TIMING_TEXT_BYTES = 2048 };

/* timing.md, Durations */
struct core_timing {
    uint32_t token_ms;     /* corosync: totem.token, coefficient included */
    uint32_t consensus_ms; /* corosync: totem.consensus */
    uint32_t beat_ms;
    uint32_t adopt_ms;
    uint32_t check_ms;
    uint32_t store_ms;
    uint32_t margin_ms;
    uint32_t takeover_ms; /* measured: PREEMPT and barrier, on this cluster's targets */
    uint32_t barrier_ms;
    uint32_t io_ms;
    uint32_t drain_ms;
    uint32_t grace_ms;
    uint32_t rejoin_ms;
    uint32_t abandon_ms;
    uint32_t stable_ms;
    uint32_t backoff_first_ms;
    uint32_t backoff_most_ms;
    uint32_t jitter_percent;
};

/* What corosync says of itself (cmap), as far as the sums and the vote map rest on it. */
struct core_corosync {
    uint32_t token_coefficient_ms;
    bool two_node;
    bool last_man_standing;
    bool allow_downscale;
    bool auto_tie_breaker;
    bool wait_for_all;
    bool qdevice;
};

/* The defaults of timing.md. */
struct core_timing core_timing_default(void);

/* Detection: from a crash or a cut to the view without the member, for one failure. */
uint64_t core_timing_view_ms(const struct core_timing *timing);
/* T_deadman: how long a feed lasts, from the send time of the newest acknowledged beat. */
uint64_t core_timing_deadman_ms(const struct core_timing *timing);

/*
 * Proof (c): how long to wait from now on, when members with a majority have answered and
 * `smallest_age_ms` is the least of their answers; `deadman_ms` is the longest that was in force
 * while the executor could be fed. 0: proven.
 */
uint64_t core_timing_member_wait_ms(const struct core_timing *timing, uint32_t deadman_ms,
                                    uint64_t smallest_age_ms);
/*
 * Proof (d): likewise, `since_ms` after the PREEMPT's (or RESERVE's) good answer; `store_ms` is
 * the longest T_store that was in force. 0: proven.
 */
uint64_t core_timing_store_wait_ms(const struct core_timing *timing, uint32_t store_ms,
                                   uint64_t since_ms);
/* When the PREEMPT goes out in mode c, in ms from now, if the proof is due in `proof_wait_ms`. */
uint64_t core_timing_preempt_wait_ms(const struct core_timing *timing, uint64_t proof_wait_ms);
/*
 * The pause before try number `failures` + 1 (0 for none so far): doubling, with a jitter that
 * `seed` alone decides, so that all members who know the seed agree.
 */
uint64_t core_timing_backoff_ms(const struct core_timing *timing, uint32_t failures, uint64_t seed);

/*
 * Judge durations and corosync's settings, for a lease mode (enum core_lease) and with or without
 * a witness. 0; -EINVAL with a message of kind HW_ERROR_REFUSED that spells the sum out. A setting
 * that only deserves a warning passes: core_timing_warning().
 */
int core_timing_check(const struct core_timing *timing, const struct core_corosync *corosync,
                      uint32_t lease, bool witness, struct hw_error *error);
/* What `hawser verify` warns of, with its remedy; NULL if of nothing. A literal. */
const char *core_timing_warning(const struct core_corosync *corosync);
/* All sums in words, a line each, into `text` (always ended). Returns the length written. */
size_t core_timing_explain(const struct core_timing *timing, char *text, size_t size);

#endif
