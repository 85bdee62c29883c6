/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log's inside, for its own files: core_log.c keeps the entries and what is committed,
 * core_log_term.c opens terms, core_log_receive.c takes entries and acknowledgements.
 */
#ifndef CORE_LOG_PRIV_H
#define CORE_LOG_PRIV_H

#include "clusterd/core/core_log.h"
#include "common/hw_vector.h"

enum core_log_role { CORE_LOG_FOLLOWS, CORE_LOG_OPENS, CORE_LOG_IS_LEADER };

struct core_log_peer {
    uint32_t id;
    bool known; /* its HELLO of this view has come */
    bool blank;
    bool leads;
    bool unfit;
    bool promised_me; /* this term, not blank */
    uint64_t incarnation;
    uint64_t promised;
    struct core_position position;
    uint64_t acked; /* under the adopted term */
};

struct core_log_item {
    struct core_entry entry;
    uint64_t hash;
};

struct core_log {
    uint32_t self;
    uint64_t incarnation;
    bool blank;
    bool quorate;

    struct core_position base;
    uint64_t base_hash;
    HW_VECTOR(struct core_log_item) items; /* base.index + 1, ... */
    uint64_t durable;                      /* index */
    uint64_t committed;                    /* index */
    struct core_vote_map map;              /* as of `committed` */

    struct core_view_id view;
    size_t peer_count; /* this member among them */
    struct core_log_peer peers[CORE_VOTERS_MAX];

    uint64_t promised;       /* greatest term: never less again */
    uint64_t promise_stored; /* the same, on disk */
    uint64_t led;            /* term that this process was elected for last */
    enum core_log_role role;
    uint64_t opening; /* OPENS: the term asked for */
    bool adopted;     /* an ADOPT of this view, of term `promised` */
    uint32_t leader;
    uint64_t matched; /* entries up to here are known to be the leader's; 0: none */
    bool asked;       /* a NEED is out: no other before the timer */
};

/* Add an action; more than fit is a bug. */
struct core_log_action *core_log_act(struct core_log_actions *actions,
                                     enum core_log_action_kind kind);
/* A message of this member in this view, to fill in and send. */
struct core_log_message *core_log_say(const struct core_log *log, struct core_log_actions *actions,
                                      enum core_log_message_kind kind);
/* NULL if not in the view. */
struct core_log_peer *core_log_peer(struct core_log *log, uint32_t id);
/* True if those for whom `has` says yes hold a majority of the committed map and of each change of
 * it that the log holds up to entry `to`. */
bool core_log_majority(struct core_log *log, uint64_t to, bool (*has)(void *context, uint32_t id),
                       void *context);
/* Append a copy, and have it stored. 0 or -ENOMEM. */
int core_log_append(struct core_log *log, const struct core_entry *entry,
                    struct core_log_actions *actions);
/* Drop entries above `to`. */
void core_log_truncate(struct core_log *log, uint64_t to, struct core_log_actions *actions);
/* Entries up to where this member's log is the leader's and on disk. */
uint64_t core_log_own_ack(const struct core_log *log);
/* See what is committed now. */
void core_log_advance(struct core_log *log, struct core_log_actions *actions);
/* Everything here is worthless: load anew. */
void core_log_forget(struct core_log *log);
/* Say where this log ends. */
void core_log_hello(struct core_log *log, struct core_log_actions *actions);
/* Open a term if that is for this member to do. `hurry`: even if not all have said hello. */
void core_log_consider(struct core_log *log, bool hurry, struct core_log_actions *actions);
/* Belong to no term of this view. */
void core_log_leave(struct core_log *log);
/* Follow the sender in its term, which is above all that were promised. */
void core_log_follow(struct core_log *log, const struct core_log_message *message,
                     struct core_log_actions *actions);
/* Messages of each kind, in their view. */
void core_log_take_hello(struct core_log *log, const struct core_log_message *message,
                         struct core_log_actions *actions);
void core_log_take_adopt(struct core_log *log, const struct core_log_message *message,
                         struct core_log_actions *actions);
int core_log_take_promise(struct core_log *log, const struct core_log_message *message,
                          struct core_log_actions *actions);

#endif
