/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keeps a VM's disks shut, in one place: from everything that is known of LUNs, leases, saved
 * state and orders to the one verdict that the shared page, the status and the disks' queues show.
 * Ownership and leases are enforced below, in each LUN's own gate (sto_gate.h); this says why.
 * Pure.
 */
#ifndef SV_GATE_H
#define SV_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/sto_saved.h"

/* open: requests pass; hold: they wait, none fails; dead: they wait for good, since what became of
 * the last ones is the new owner's to know, and end with the process */
enum sv_gate_state { SV_GATE_HOLD = 0, SV_GATE_OPEN = 1, SV_GATE_DEAD = 2 };

/* Why, the strongest first. Name and words for people. */
#define SV_REASONS(X)                                                              \
    X(NONE, "")                                                                    \
    X(LOST, "the LUNs were lost to another owner")                                 \
    X(STARTING, "the LUNs are not known yet")                                      \
    X(NOT_OWNED, "the LUNs are not owned")                                         \
    X(SUSPENDED, "ownership has to be proven again")                               \
    X(LEASE, "the lease is over: no feed or no confirmation came in time")         \
    X(FOREIGN_STATE, "a saved state of a newer version of hawser is on the LUN")   \
    X(SAVED_STATE, "a saved state on the LUN waits to be restored or discarded")   \
    X(UNSETTLED_STATE, "a saved-state header is damaged or left over: discard it") \
    X(UNREADABLE_STATE, "the saved state cannot be read: it is tried again")       \
    X(ORDERED, "held by order")

enum sv_reason {
#define SV_REASON_ENUM(name, text) SV_REASON_##name,
    SV_REASONS(SV_REASON_ENUM)
#undef SV_REASON_ENUM
        SV_REASON_COUNT
};

/* "open", "hold", "dead" */
const char *sv_gate_state_name(enum sv_gate_state state);
/* "saved-state" and so on, for JSON; "none" for NONE. */
const char *sv_reason_name(enum sv_reason reason);
/* Words for people, "" for NONE. */
const char *sv_reason_text(enum sv_reason reason);

struct sv_gate_facts {
    bool lost;       /* some LUN was owned and is another's now */
    bool ready;      /* every LUN answered, its layout is read, saved state judged */
    bool owned;      /* all LUNs are owned (or have no owner) */
    bool suspended;  /* one of them proves its ownership again */
    bool lease_over; /* of the feeds, or of the LUNs' confirmations: server_lease_end_ns() */
    bool has_state;  /* there is a saved-state area */
    bool unreadable; /* whose headers could not be read, or written, when that was tried last */
    enum sto_saved_verdict saved;
    bool saving;  /* sto_saved_look.saving */
    bool shut;    /* sv_saved.shut: a header that forbids to write may be on its way */
    bool ordered; /* "hold" */
};

struct sv_gate_verdict {
    enum sv_gate_state state; /* of the disks */
    enum sv_reason reason;
    bool disks_wait;  /* hand no request of a disk to its LUN: nothing below would stop it */
    bool state_waits; /* the same for the saved-state area */
    /* A request of before that ended without an outcome may go out again; an ordered hold is none
     * of its business: whoever drains waits for it. */
    bool disks_again, state_again;
};

/* The verdict on these facts. */
struct sv_gate_verdict sv_gate_judge(const struct sv_gate_facts *facts);

#endif
