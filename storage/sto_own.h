/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership of one LUN: the state machine of timing.md, "Keys and takeover". Pure: an event in
 * (with its time), commands and notices out; no I/O, clock, log or allocation. The same object
 * code runs in production and against the model target.
 *
 * The way to ownership is a loop of looking (READ RESERVATION, READ KEYS) and one step decided
 * from what was seen, never from what was sent: REGISTER, RESERVE or PREEMPT of the key as read,
 * until the LUN says "us and nobody else"; then the barrier (LUN RESET, response 0); then the
 * same look again; then the ownership record. Any command whose outcome is unknown ends the
 * nexus: new sessions, next generation, look again. One command is out at a time.
 */
#ifndef STO_OWN_H
#define STO_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/sto_lun.h"
#include "storage/sto_pr.h"
#include "storage/sto_record.h"

struct sto_own;

/* clang-format off */
/* Name, and the legal moves. LEFT: ended without or after ownership, a new grant starts again.
 * LOST: only used-up generations go on under a new grant; any other loss is stopped first. What is
 * owned, or on its way back to that, goes on under a newer grant, too. */
#define STO_OWN_STATES(X) \
    X(LEFT,       TO(CONNECTING)) \
    X(CONNECTING, TO(SETTLING) | TO(CONNECTING) | TO(LOST) | TO(LEFT)) \
    X(SETTLING,   TO(LOOKING) | TO(CONNECTING) | TO(UNDOING) | TO(LOST) | TO(LEFT)) \
    X(LOOKING,    TO(CHANGING) | TO(BARRIER) | TO(RECORDING) | TO(OWNED) | TO(DRAINING) | \
                  TO(CONNECTING) | TO(UNDOING) | TO(LOST) | TO(LEFT)) \
    X(CHANGING,   TO(LOOKING) | TO(BARRIER) | TO(CONNECTING) | TO(UNDOING) | TO(LOST) | TO(LEFT)) \
    X(BARRIER,    TO(SETTLING) | TO(CONNECTING) | TO(UNDOING) | TO(LOST) | TO(LEFT)) \
    X(RECORDING,  TO(OWNED) | TO(DRAINING) | TO(LOOKING) | TO(CONNECTING) | TO(UNDOING) | \
                  TO(LOST) | TO(LEFT)) \
    X(OWNED,      TO(DRAINING) | TO(LOOKING) | TO(CONNECTING) | TO(LOST) | TO(LEFT)) \
    X(DRAINING,   TO(HANDING) | TO(RELEASING) | TO(LOOKING) | TO(CONNECTING) | TO(LOST) | \
                  TO(LEFT)) \
    X(HANDING,    TO(HANDED) | TO(LOOKING) | TO(CONNECTING) | TO(LOST) | TO(LEFT)) \
    X(HANDED,     TO(CONNECTING) | TO(LEFT)) \
    X(RELEASING,  TO(LOOKING) | TO(CONNECTING) | TO(LOST) | TO(LEFT)) \
    X(UNDOING,    TO(LEFT)) \
    X(LOST,       TO(CONNECTING) | TO(LEFT))
/* clang-format on */

enum sto_own_state {
#define STO_OWN_STATE_ENUM(name, moves) STO_OWN_##name,
    STO_OWN_STATES(STO_OWN_STATE_ENUM)
#undef STO_OWN_STATE_ENUM
        STO_OWN_STATE_COUNT
};

/* "looking" and so on. */
const char *sto_own_state_name(enum sto_own_state state);

/* Why ownership was refused, lost, or left. Name, and words for an admin. */
#define STO_OWN_REASONS(X)                                                                     \
    X(NONE, "")                                                                                \
    X(RELEASED, "released")                                                                    \
    X(STOPPED, "stopped by request")                                                           \
    X(REVOKED, "the grant was revoked")                                                        \
    X(STALE, "a newer generation is on the LUN: this grant is stale")                          \
    X(HELD, "another node owns the LUN")                                                       \
    X(UNEXPECTED, "the holder is not the expected one")                                        \
    X(FOREIGN_KEY, "a key that is not this cluster's is registered")                           \
    X(FOREIGN_RECORD, "the ownership record is another cluster's")                             \
    X(WRONG_VM, "the LUN belongs to another VM")                                               \
    X(COPY, "not the LUN that it was: its WWID is not the one that is known of it")            \
    X(NO_RECORD, "the LUN has no ownership record")                                            \
    X(BAD_RECORD, "no copy of the ownership record can be read")                               \
    X(NEWER_RECORD, "the ownership record was written by a newer version of hawser")           \
    X(NO_RESERVATIONS, "the target does not offer persistent reservations")                    \
    X(UNREACHABLE, "the target cannot be reached")                                             \
    X(LOGIN_REFUSED, "the target refused the login")                                           \
    X(NOT_PROVEN, "the barrier was not proven: old writes may still be under way")             \
    X(GENERATIONS_USED, "all generations of the grant are used up")                            \
    X(CONFLICTED, "the LUN's reservation was taken away")                                      \
    X(BUSY, "the target stayed busy")                                                          \
    X(UNSETTLED, "the LUN's reservations keep changing or its unit attentions do not end")     \
    X(BAD_ANSWER, "the target's answer cannot be understood")                                  \
    X(REFUSED_BY_TARGET, "the target refused a command that ownership needs")                  \
    X(REGISTERED_ELSEHOW, "this initiator is already registered with a key that is not known") \
    X(READ_ONLY, "the LUN is read-only")

enum sto_own_reason {
#define STO_OWN_REASON_ENUM(name, text) STO_OWN_REASON_##name,
    STO_OWN_REASONS(STO_OWN_REASON_ENUM)
#undef STO_OWN_REASON_ENUM
        STO_OWN_REASON_COUNT
};

/* "stale" and so on, for JSON; and the words for people. */
const char *sto_own_reason_name(enum sto_own_reason reason);
const char *sto_own_reason_text(enum sto_own_reason reason);
/* The same as an error of `object` (the LUN's name), with `key` unless it is 0, `detail` (what the
 * target said, may be empty), and what to do about it. Returns the error's negative errno. */
int sto_own_reason_error(const char *object, enum sto_own_reason reason, uint64_t key,
                         const char *detail, struct hw_error *error);

struct sto_own_config {
    uint8_t cluster_uuid[16];
    uint8_t vm_uuid[16]; /* zero: whatever the record says */
    uint8_t boot_id[16];
    uint64_t line;     /* a random number: what new lines of records are made of (sto_record.line);
                          sto_owner_new() draws one for 0 */
    bool new_line;     /* a tool: what it writes no guest of before knows of */
    uint32_t instance; /* of this process, into the record; sto_owner_new() draws one for 0 */
    uint16_t node;
    bool use_record;           /* false: raw LUN without layout (tests, bench) */
    bool steady_check;         /* READ RESERVATION every check_ms while OWNED (storage lease) */
    uint32_t check_ms;         /* T_check; 0 = 500 */
    uint32_t barrier_ms;       /* T_barrier; 0 = 15000 */
    uint32_t command_ms;       /* one command; 0 = 5000 */
    uint32_t barrier_attempts; /* 0: without limit, each failure is reported */
    uint32_t fresh_ms;         /* the gate opens at most this long after the last look; 0 = 1500 */
    uint32_t login_attempts;   /* of the first connect; 0: without limit */
    uint32_t deadman_ms, store_ms; /* written into the record */
    uint64_t seed;                 /* jitter of back-offs */
};

struct sto_own_grant {
    uint32_t generation; /* first of a block of STO_GENERATION_BLOCK */
    bool takeover;       /* a lower generation of another node may be preempted */
    bool force_foreign;  /* foreign keys may be preempted, a foreign record overwritten */
    bool expected_set;
    uint64_t expected_key; /* with expected_set: the holder must be this; 0 = none */
};

/* --- commands: what the driver does for the machine, one at a time --- */

enum sto_own_command_kind {
    STO_OWN_LOGIN,            /* `session` */
    STO_OWN_IDENTIFY,         /* facts into the result */
    STO_OWN_TEST_UNIT,        /* TEST UNIT READY on `session` */
    STO_OWN_READ_KEYS,        /* on `session` */
    STO_OWN_READ_RESERVATION, /* on `session` */
    STO_OWN_PR_OUT,           /* `request`, data session */
    STO_OWN_LUN_RESET,        /* control session, deadline barrier_ms */
    STO_OWN_READ_RECORD,      /* sto_record_choose() of the meta area */
    STO_OWN_WRITE_RECORD,     /* `record`: ring and copy A, flush, copy B, flush, read both back */
    STO_OWN_FLUSH,            /* SYNCHRONIZE CACHE */
    STO_OWN_LOGOUT,           /* both sessions, in order */
};

struct sto_own_command {
    enum sto_own_command_kind kind;
    uint64_t id;
    enum sto_session session;
    uint32_t timeout_ms;
    struct sto_pr_out_request request;
    struct sto_record record;
};

struct sto_own_result {
    uint64_t id;
    enum sto_rc rc;
    uint16_t asc_ascq; /* with STO_UNIT_ATTENTION */
    int64_t sent_ns;
    int decode; /* READ_*: 0, or -errno of the decoder (answer or record not understood) */
    bool reservations, aptpl, read_only; /* IDENTIFY */
    const char *wwid;                    /* IDENTIFY */
    const struct sto_pr_keys *keys;
    const struct sto_pr_reservation *reservation;
    const struct sto_record *record;
    bool record_damaged; /* one copy is bad */
};

/* --- events --- */

enum sto_own_event_kind {
    STO_OWN_EVENT_START,          /* `grant`: anew, or in place of the one that it is owned by */
    STO_OWN_EVENT_REVOKE,         /* the grant is no longer current */
    STO_OWN_EVENT_RESULT,         /* of a command */
    STO_OWN_EVENT_TIMER,          /* the time asked for has come */
    STO_OWN_EVENT_SESSION_DOWN,   /* `session` went down by itself */
    STO_OWN_EVENT_DATA_CONFLICT,  /* a gated request got RESERVATION CONFLICT */
    STO_OWN_EVENT_DATA_ATTENTION, /* a gated request got a unit attention, `asc_ascq` */
    STO_OWN_EVENT_DATA_UNKNOWN,   /* a gated request ended with unknown outcome or timed out */
    STO_OWN_EVENT_DRAINED,        /* the gate has nothing in flight and nothing unanswered */
    STO_OWN_EVENT_HAND_OVER,      /* for `node` (0 = any) */
    STO_OWN_EVENT_RELEASE,
    STO_OWN_EVENT_STOP, /* drop everything at once, release nothing */
};

struct sto_own_event {
    enum sto_own_event_kind kind;
    int64_t now_ns; /* the only clock */
    union {
        struct sto_own_grant grant;
        struct sto_own_result result;
        enum sto_session session;
        uint16_t asc_ascq;
        uint16_t node;
    };
};

/* --- actions --- */

enum sto_own_action_kind {
    STO_OWN_ACTION_COMMAND,
    STO_OWN_ACTION_DROP, /* both sessions hard; the command that is out is forgotten */
    STO_OWN_ACTION_DROP_CONTROL,
    STO_OWN_ACTION_GATE_OPEN,  /* re-issue what is unanswered, in order, then let requests pass */
    STO_OWN_ACTION_GATE_RESET, /* a new ownership begins: what is left of an older one ends */
    STO_OWN_ACTION_GATE_HOLD,  /* nothing more is submitted; nothing fails */
    STO_OWN_ACTION_DRAIN,      /* tell when the gate is drained (DRAINED), once */
    STO_OWN_ACTION_CONFIRMED,  /* the LUN said "us": at_ns = when that was asked */
    STO_OWN_ACTION_NOTICE,     /* something to tell: state, reason, key */
    STO_OWN_ACTION_TIMER,      /* at_ns; replaces the one before */
};

enum sto_own_notice {
    STO_OWN_NOTICE_OWNED,     /* the gate opens; `generation` */
    STO_OWN_NOTICE_REFUSED,   /* not owned, nothing more is tried; `reason`, `key` */
    STO_OWN_NOTICE_LOST,      /* was owned; gate shut for good; `reason`, `key` */
    STO_OWN_NOTICE_HANDED,    /* drained, flushed, record says HANDOVER */
    STO_OWN_NOTICE_LEFT,      /* released or stopped; `reason` */
    STO_OWN_NOTICE_HELD_UP,   /* still trying: `reason` (barrier, busy, unreachable ...) */
    STO_OWN_NOTICE_SUSPENDED, /* was owned, gate held while it looks or reconnects; `reason` */
};

struct sto_own_action {
    enum sto_own_action_kind kind;
    struct sto_own_command command;
    int64_t at_ns;
    enum sto_own_notice notice;
    enum sto_own_reason reason;
    uint64_t key;        /* whom the notice is about, or 0 */
    uint32_t generation; /* ours, or the record's for STALE found there */
};

enum { STO_OWN_ACTIONS = 8 };

struct sto_own_actions {
    unsigned count;
    struct sto_own_action items[STO_OWN_ACTIONS];
};

/* --- the machine --- */

/* A machine in state LEFT. NULL: out of memory. The caller frees it with sto_own_free(). */
struct sto_own *sto_own_new(const struct sto_own_config *config);
/* Free it; NULL is allowed. */
void sto_own_free(struct sto_own *own);

/*
 * One step. `actions` is emptied first and holds what to do, in order. An event that makes no
 * sense in this state is ignored (0), but START from another state than it may come in is -EALREADY
 * and a grant with a bad generation is -ERANGE.
 */
int sto_own_step(struct sto_own *own, const struct sto_own_event *event,
                 struct sto_own_actions *actions);

enum sto_own_state sto_own_state(const struct sto_own *own); /* where it is */
uint64_t sto_own_key(const struct sto_own *own);             /* the key of this incarnation, or 0 */
uint32_t sto_own_generation(const struct sto_own *own);      /* its generation */
const struct sto_record *sto_own_record(
    const struct sto_own *own); /* last read or written, or NULL */
/* When the first REGISTER of this grant was sent and when verification ended; 0 = not yet. */
int64_t sto_own_registered_ns(const struct sto_own *own);
int64_t sto_own_verified_ns(const struct sto_own *own);

#endif
