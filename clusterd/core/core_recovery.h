/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VMs start now: what the leader proposes grants for, and for each other VM what it waits
 * for. A function of the state, the placement and when this leader saw the last failures; it
 * proposes nothing itself. Greater priority goes first, then name; so many start at a time as the
 * cluster allows. Never one that has an executor which is not revoked. One whose executors are
 * revoked and not yet proven to have stopped gets its grant: the new node prepares meanwhile, and
 * its start waits for the proof (core_executor_may_start()).
 */
#ifndef CORE_RECOVERY_H
#define CORE_RECOVERY_H

#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_placement.h"
#include "clusterd/core/core_state.h"
#include "clusterd/core/core_timing.h"

enum { CORE_RECOVERY_PARALLEL = 4 }; /* starts at a time where the cluster says nothing */

/* clang-format off */
#define CORE_WAITS(X) \
    X(NOTHING, "it is where it is wanted, or not wanted") \
    X(START, "it starts now") \
    X(REVOKE, "an earlier copy is not revoked") \
    X(NOWHERE, "no node may have it") \
    X(PAUSE, "it failed, and is tried again after a pause") \
    X(ORDER, "a VM that it starts after is not up") \
    X(PARALLEL, "as many are starting as may at a time")
/* clang-format on */
#define CORE_WAIT_ENUM(name, text) CORE_WAIT_##name,
enum core_wait { CORE_WAITS(CORE_WAIT_ENUM) CORE_WAIT_COUNT };

struct core_recovery {
    size_t vms;
    uint8_t *waits;   /* enum core_wait, by the VM's place in the state */
    uint64_t next_ms; /* when the first pause ends, by the clock of `now_ms`; UINT64_MAX: none */
};

/*
 * Decide. `failed_ms[vm]` is when the VM's last failure was seen (or when this member became the
 * leader, if it was before); it is not looked at for a VM without failures. 0 with a decision for
 * core_recovery_free(), or -ENOMEM.
 */
int core_recovery_make(const struct core_state *state, const struct core_timing *timing,
                       const struct core_placement *placement, const uint64_t *failed_ms,
                       uint64_t now_ms, struct core_recovery *ret_recovery);
/* Give the memory back. */
void core_recovery_free(struct core_recovery *recovery);
/* The words of a wait, "?" for none. */
const char *core_wait_text(uint32_t wait);

#endif
