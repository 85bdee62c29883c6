/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict on a VM's disks. Its order is that of what an admin has to hear first.
 */
#include "config.h"

#include "storage/serve/sv_gate.h"

#include <stddef.h>

const char *sv_gate_state_name(enum sv_gate_state state)
{
    static const char *const names[] = { "hold", "open", "dead" };

    return names[state];
}

const char *sv_reason_name(enum sv_reason reason)
{
    static const char *const names[] = {
        [SV_REASON_NONE] = "none",
        [SV_REASON_LOST] = "lost",
        [SV_REASON_STARTING] = "starting",
        [SV_REASON_NOT_OWNED] = "not-owned",
        [SV_REASON_SUSPENDED] = "suspended",
        [SV_REASON_LEASE] = "lease",
        [SV_REASON_FOREIGN_STATE] = "foreign-state",
        [SV_REASON_SAVED_STATE] = "saved-state",
        [SV_REASON_UNSETTLED_STATE] = "unsettled-state",
        [SV_REASON_UNREADABLE_STATE] = "unreadable-state",
        [SV_REASON_ORDERED] = "ordered",
    };

    return (unsigned)reason < SV_REASON_COUNT ? names[reason] : "?";
}

const char *sv_reason_text(enum sv_reason reason)
{
    static const char *const texts[] = {
#define SV_REASON_TEXT(name, text) text,
        SV_REASONS(SV_REASON_TEXT)
#undef SV_REASON_TEXT
    };

    return (unsigned)reason < SV_REASON_COUNT ? texts[reason] : "?";
}

/* What the header slots say; NONE: nothing against running. */
static enum sv_reason judge_saved(const struct sv_gate_facts *facts)
{
    if (!facts->has_state)
        return SV_REASON_NONE;
    if (facts->shut)
        return SV_REASON_SAVED_STATE;
    switch (facts->saved) {
    case STO_SAVED_CLEAN:
        return SV_REASON_NONE;
    case STO_SAVED_WAITS:
        return SV_REASON_SAVED_STATE;
    case STO_SAVED_UNSETTLED:
        return facts->saving ? SV_REASON_NONE : SV_REASON_UNSETTLED_STATE;
    case STO_SAVED_FOREIGN:
        break;
    }
    return SV_REASON_FOREIGN_STATE;
}

/* Why nothing is known of layout and saved state. What is read bears the lease, too. */
static enum sv_reason judge_start(const struct sv_gate_facts *facts)
{
    if (facts->lease_over)
        return SV_REASON_LEASE;
    return facts->unreadable ? SV_REASON_UNREADABLE_STATE : SV_REASON_STARTING;
}

struct sv_gate_verdict sv_gate_judge(const struct sv_gate_facts *facts)
{
    enum sv_reason saved = facts->ready ? judge_saved(facts) : SV_REASON_NONE;
    struct sv_gate_verdict verdict = {
        .state = SV_GATE_HOLD,
        .disks_wait = !facts->owned || !facts->ready || saved != SV_REASON_NONE || facts->ordered,
        .state_waits = !facts->owned || !facts->ready,
        .state_again = facts->owned && !facts->lost && facts->ready,
    };

    verdict.disks_again = verdict.state_again && saved == SV_REASON_NONE;
    if (facts->lost) {
        verdict.state = SV_GATE_DEAD;
        verdict.reason = SV_REASON_LOST;
    } else if (!facts->owned) {
        verdict.reason = SV_REASON_NOT_OWNED;
    } else if (facts->suspended) {
        verdict.reason = SV_REASON_SUSPENDED;
    } else if (!facts->ready) {
        verdict.reason = judge_start(facts);
    } else if (saved != SV_REASON_NONE) {
        verdict.reason = saved;
    } else if (facts->ordered) {
        verdict.reason = SV_REASON_ORDERED;
    } else if (facts->lease_over) {
        verdict.reason = SV_REASON_LEASE;
    } else {
        verdict.state = SV_GATE_OPEN;
    }
    return verdict;
}
