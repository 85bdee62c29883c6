/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The replicated log of one member (timing.md, The log): terms, promises, entries chained by hash,
 * and what of them is committed. Pure: views, messages and finished writes come in, messages and
 * writes go out. Everything is repeated until it is seen, so that any message may be lost; an event
 * that fails with -ENOMEM counts as lost.
 *
 * A term is opened in two steps. ADOPT asks; a member's PROMISE is on its disk before it is sent.
 * Only with promises of a majority does the leader write the first entry of the term. (An entry
 * written before that could be of a leader that nobody followed, and its number would beat
 * committed entries of another leader later.) An entry is committed when members with a majority of
 * the vote map have it on disk under the term of this leader, and it is of this term or before one
 * that is. While a change of the vote map is not committed, both maps need their majority.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_entry.h"
#include "clusterd/core/core_log_message.h"
#include "clusterd/core/core_votes.h"

struct core_log;

/* What the store had. The snapshot's entry is (base, base_hash); entries after it follow through
 * core_log_restore(). */
struct core_log_start {
    uint32_t self;
    uint64_t incarnation;
    bool blank;        /* nothing in the store, or a transfer that was not finished */
    uint64_t promised; /* greatest term that was promised */
    struct core_position base;
    uint64_t base_hash;
    struct core_vote_map map; /* as of the base */
};

enum core_log_action_kind {
    CORE_LOG_SEND,           /* `message` to the group, the sender included */
    CORE_LOG_SEND_ENTRIES,   /* entries `from` to `to`, each by core_log_entry_message() */
    CORE_LOG_SEND_SNAPSHOT,  /* the state as of entry `to`, the committed one */
    CORE_LOG_STORE_SNAPSHOT, /* the one that was installed, in place of everything that was stored
                              * or is still to be, in order; then core_log_stored() of `to` */
    CORE_LOG_STORE_PROMISE,  /* `term`; then core_log_promise_stored() */
    CORE_LOG_STORE_ENTRIES,  /* `from` to `to`; then core_log_stored() */
    CORE_LOG_TRUNCATE,       /* forget stored entries above `to`, before what comes after */
    CORE_LOG_COMMITTED,      /* entries up to `to` may be acted on */
    CORE_LOG_WHOLE,          /* mark the store as not blank */
    CORE_LOG_DIVERGED,       /* committed entry `to` is another one here: mark the store as blank,
                              * report, make the node safe; the log loads itself anew */
};

struct core_log_action {
    enum core_log_action_kind kind;
    struct core_log_message message;
    uint64_t term;
    uint64_t from, to;
};

enum { CORE_LOG_ACTIONS_MAX = 12 };

/* To be carried out in this order. Emptied by the caller before each call. */
struct core_log_actions {
    uint32_t count;
    struct core_log_action items[CORE_LOG_ACTIONS_MAX];
};

/* A log over what the store had. 0 with a log for core_log_free(); -EINVAL; -ENOMEM. */
int core_log_new(const struct core_log_start *start, struct core_log **ret_log);
/* Give it back; NULL is allowed. */
void core_log_free(struct core_log *log);
/* The next entry of the store, before the first view; copied. 0; -EBADMSG: does not follow the one
 * before; -ENOMEM. */
int core_log_restore(struct core_log *log, const struct core_entry *entry);

/*
 * A new view: `members` (node ids, this one among them) are in the group and in the ring. `quorate`
 * is libquorum's word for this ring: it can forbid to open a term, never allow. Nothing is adopted
 * until an ADOPT of this view comes.
 */
void core_log_view(struct core_log *log, const struct core_view_id *id, bool quorate,
                   const uint32_t *members, size_t count, struct core_log_actions *actions);
/* Another word of libquorum's for the present ring. */
void core_log_quorate(struct core_log *log, bool quorate);
/* A member is hung, or answers again: one that is unfit does not lead. */
void core_log_unfit(struct core_log *log, uint32_t id, bool unfit);
/* A message of the group, in its order; what is not of this view and term is dropped. 0, or
 * -ENOMEM. */
int core_log_receive(struct core_log *log, const struct core_log_message *message,
                     struct core_log_actions *actions);
/* Time has passed (T_beat and more): say again what may have been lost; open a term even if some
 * members have said nothing yet. 0, or -ENOMEM. */
int core_log_timer(struct core_log *log, struct core_log_actions *actions);
/* The promise of `term` is on disk. 0, or -ENOMEM. */
int core_log_promise_stored(struct core_log *log, uint64_t term, struct core_log_actions *actions);
/* Entries up to `index`, whose hash was `hash` when they were handed out, are on disk. */
void core_log_stored(struct core_log *log, uint64_t index, uint64_t hash,
                     struct core_log_actions *actions);
/*
 * Append an entry of the leader's; bytes are copied. 0 with its index; -ENOTCONN: not the leader of
 * an opened term; -EBUSY: (MAP) the term's first entry or a change before is not committed;
 * -EINVAL: kind, or a map that is not one step from the present one; -EFBIG; -ENOMEM.
 */
int core_log_propose(struct core_log *log, uint16_t kind, const uint8_t *bytes, size_t size,
                     struct core_log_actions *actions, uint64_t *ret_index);
/*
 * The leader of `term` sent a snapshot as of entry `position` with hash `hash` and vote map `map`:
 * it is this log from now on, and is to be stored. 0; -ESTALE: not this term's, or of no use here.
 */
int core_log_install(struct core_log *log, uint64_t term, struct core_position position,
                     uint64_t hash, const struct core_vote_map *map,
                     struct core_log_actions *actions);
/* A snapshot as of committed and stored entry `index` is on disk: forget the entries up to it. 0
 * or -EINVAL. */
int core_log_compact(struct core_log *log, uint64_t index);

bool core_log_is_blank(const struct core_log *log);      /* this store counts for nothing */
bool core_log_leads(const struct core_log *log);         /* leader of an opened term */
uint32_t core_log_leader(const struct core_log *log);    /* adopted in this view; 0: nobody */
uint64_t core_log_term(const struct core_log *log);      /* greatest that is promised */
uint64_t core_log_committed(const struct core_log *log); /* index; entries above may vanish */
/* True if the first entry of the present term is committed: this state may feed and decide. */
bool core_log_is_current(const struct core_log *log);
/* Where the log ends. */
struct core_position core_log_last(const struct core_log *log);
/* The entry, NULL if it is not (any more) here; belongs to the log. */
const struct core_entry *core_log_entry(const struct core_log *log, uint64_t index);
/* The hash of an entry here or of the base; 0 with ret_hash, or -ENOENT. */
int core_log_hash(const struct core_log *log, uint64_t index, uint64_t *ret_hash);
/* The committed vote map; belongs to the log. */
const struct core_vote_map *core_log_map(const struct core_log *log);
/* The message that carries entry `index` now (bytes borrowed from the log). 0, -ENOENT, -ENOTCONN:
 * no leader any more. */
int core_log_entry_message(const struct core_log *log, uint64_t index,
                           struct core_log_message *ret_message);

#endif
