/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the ownership state machine, shared by its files: sto_own.c (steps, moves, emitting),
 * sto_own_decide.c (what was seen -> what to do next), sto_own_connect.c and sto_own_claim.c (the
 * way to ownership), sto_own_hold.c (steady state and disturbances), sto_own_leave.c (hand-over,
 * release, undo).
 */
#ifndef STO_OWN_PRIV_H
#define STO_OWN_PRIV_H

#include "common/hw_prng.h"
#include "storage/sto_own.h"
#include "storage/sto_sense.h"

/*
 * Deliberate faults, only ever built into test binaries: the lab and the model must turn red.
 */
#ifdef STO_MUTATE_REGISTRANTS_ONLY
#define OWN_TYPE STO_PR_WRITE_EXCLUSIVE_REGISTRANTS
#else
#define OWN_TYPE STO_PR_EXCLUSIVE_ACCESS
#endif
#ifdef STO_MUTATE_NO_BARRIER
#define OWN_USE_BARRIER false
#else
#define OWN_USE_BARRIER true
#endif
#ifdef STO_MUTATE_NO_VERIFY
#define OWN_USE_VERIFY false
#else
#define OWN_USE_VERIFY true
#endif
#ifdef STO_MUTATE_SAME_GENERATION
#define OWN_USE_ROTATE false
#else
#define OWN_USE_ROTATE true
#endif
#ifdef STO_MUTATE_NO_RECLAIM
#define OWN_USE_RECLAIM false
#else
#define OWN_USE_RECLAIM true
#endif

/* Limits before a claim gives up. They bound work, not safety. */
enum {
    OWN_ATTENTIONS_MAX = 64, /* unit attentions in a row without a command that was executed */
    OWN_BUSY_MAX = 16,       /* back-offs in a row: about 12 s */
    OWN_CHANGES_MAX = 600,   /* PERSISTENT RESERVE OUT commands of one claim */
    OWN_CONFLICTS_MAX = 30,  /* of commands that no reservation should refuse: about 25 s */
    OWN_REGISTER_MAX = 12,   /* rounds of REGISTER without a matching key: about 8 s */
    OWN_STALE_LOOKS = 8,     /* looks in a row that were too old, before that is told */
    OWN_BACKOFF_FIRST_MS = 20,
    OWN_BACKOFF_LAST_MS = 1000,
};

enum own_wish { OWN_WISH_HOLD, OWN_WISH_HAND_OVER, OWN_WISH_RELEASE };

struct own_look {
    struct sto_pr_reservation reservation;
    struct sto_pr_keys keys;
    int64_t sent_ns; /* when READ RESERVATION was sent */
};

enum own_verdict {
    OWN_DO_REGISTER,
    OWN_DO_RESERVE,
    OWN_DO_PREEMPT, /* `key` */
    OWN_DO_RAISE,   /* our own keys of this block are on the LUN: generation `generation` next */
    OWN_DO_BARRIER,
    OWN_DO_RECORD,
    OWN_DO_GIVE_UP, /* `reason`, `key` */
};

struct own_decision {
    enum own_verdict verdict;
    enum sto_own_reason reason;
    uint64_t key;
    uint32_t generation;
};

struct sto_own {
    struct sto_own_config config;
    uint16_t cluster_hash;
    enum sto_own_state state;
    struct hw_prng prng;
    int64_t now_ns;
    struct sto_own_actions *actions; /* of the step under way */

    struct sto_own_grant grant;
    bool granted;
    enum own_wish wish;
    uint16_t handover_node;

    uint32_t generation; /* of this incarnation */
    uint64_t key;
    bool key_used;         /* a REGISTER naming `key` was sent */
    bool record_written;   /* under this generation, since the holder changed last */
    unsigned conflicts;    /* see OWN_CONFLICTS_MAX */
    unsigned reconnects;   /* in a row, without a confirmation in between */
    bool may_hold;         /* the reservation may be under `key` */
    bool reclaim;          /* OWNED was reached under this grant: only our own keys are preempted */
    uint32_t tenure_first; /* first generation of this unbroken ownership */

    struct sto_own_command command; /* out, or to be sent again when the timer fires */
    bool command_out, command_waits;
    uint64_t next_id;
    unsigned attentions, busy, changes, logins, barriers, stale_looks;

    bool only_control;         /* CONNECTING: the data session is up */
    bool suspect;              /* LOOKING: was OWNED, sessions up */
    bool barrier_done;         /* since the holder changed last */
    unsigned register_try;     /* 0: RK = 0; n: n-th own key as read */
    unsigned register_refused; /* how often all tries conflicted */
    bool aptpl;
    bool record_checked; /* read before registering, while the LUN was free */
    bool released;       /* RELEASE was sent under wish RELEASE */
    struct own_look look;
    struct sto_record record;
    bool record_known;
    char wwid[STO_WWID_BYTES];
    int64_t registered_ns, verified_ns, confirmed_ns;
    enum sto_own_reason end_reason; /* of UNDOING */
    uint64_t end_key;
    uint32_t end_generation;
};

/* Reservations may have changed behind the last look (2Ah), or with a reset (29h, 2Fh): a record
 * that can be written all the same proves nothing, a LUN that nobody holds takes any write. */
static inline bool own_outdates_look(const struct sto_own_result *result)
{
    return result->rc == STO_UNIT_ATTENTION && (sto_sense_was_reset(result->asc_ascq) ||
                                                sto_sense_reservations_changed(result->asc_ascq));
}

/* --- sto_own.c --- */
void own_move(struct sto_own *own, enum sto_own_state to);
struct sto_own_action *own_emit(struct sto_own *own, enum sto_own_action_kind kind);
void own_notice(struct sto_own *own, enum sto_own_notice notice, enum sto_own_reason reason,
                uint64_t key, uint32_t generation);
/* Send own->command (kind and arguments set) under a new id. */
void own_send(struct sto_own *own);
void own_send_simple(struct sto_own *own, enum sto_own_command_kind kind, enum sto_session session);
void own_timer(struct sto_own *own, int64_t at_ns);
/* Send own->command again after a back-off of attempt `attempt`. */
void own_send_later(struct sto_own *own, unsigned attempt);
/* The target is busy: the same, and now and then a word of it. For whoever does not give up. */
void own_send_busy(struct sto_own *own);
void own_set_generation(struct sto_own *own, uint32_t generation);
uint32_t own_block_last(const struct sto_own *own);

/* --- sto_own_decide.c: pure function of what is known --- */
struct own_decision own_decide(const struct sto_own *own);
struct own_decision own_judge_record(const struct sto_own *own, const struct sto_record *record);
/* The record to write in place of the one that was read. */
struct sto_record own_next_record(const struct sto_own *own);
/* The n-th (from 1) registered key of this node with a lower generation, newest first; 0 = none. */
uint64_t own_register_candidate(const struct sto_own *own, unsigned n);
bool own_all_zero(const uint8_t uuid[16]);
bool own_is_tenure_key(const struct sto_own *own, uint64_t key);

/* --- sto_own_connect.c --- */
void own_connect(struct sto_own *own, bool only_control);
/* New sessions, next generation; -> CONNECTING, LOST or LEFT. */
void own_reincarnate(struct sto_own *own);
/* Take the unit attentions of `session`; -> SETTLING. */
void own_settle(struct sto_own *own, enum sto_session session);
void own_connecting_result(struct sto_own *own, const struct sto_own_result *result);

/* --- sto_own_claim.c --- */
void own_start_look(struct sto_own *own, bool suspect);
void own_give_up(struct sto_own *own, enum sto_own_reason reason, uint64_t key,
                 uint32_t generation);
void own_claim_result(struct sto_own *own, const struct sto_own_result *result);

/* --- sto_own_hold.c --- */
void own_enter_owned(struct sto_own *own);
/* Ask for the next steady check. */
void own_next_check(struct sto_own *own);
void own_hold_result(struct sto_own *own, const struct sto_own_result *result);
void own_hold_timer(struct sto_own *own);
/* Shut the gate and look (`reconnect` false) or reconnect. */
void own_suspend(struct sto_own *own, enum sto_own_reason reason, bool reconnect);
void own_lose(struct sto_own *own, enum sto_own_reason reason, uint64_t key, uint32_t generation);

/* --- sto_own_leave.c --- */
void own_start_drain(struct sto_own *own);
void own_drained(struct sto_own *own);
void own_leave_result(struct sto_own *own, const struct sto_own_result *result);
void own_undo(struct sto_own *own, enum sto_own_reason reason, uint64_t key, uint32_t generation);
void own_left(struct sto_own *own, enum sto_own_notice notice, enum sto_own_reason reason,
              uint64_t key, uint32_t generation);

#endif
