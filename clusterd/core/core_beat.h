/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second small machine, which runs in the real-time thread (timing.md, Feed and freeze): beats,
 * their acknowledgements, ages of other members' beats, and until when this node's VMs are fed. It
 * knows nothing of the log but a table that the core gives it at each commit. It allocates nothing,
 * and nothing in it waits.
 *
 * Times are CLOCK_BOOTTIME in ns on this host; no time of another host's clock means anything here.
 */
#ifndef CORE_BEAT_H
#define CORE_BEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_votes.h"

enum {
    CORE_BEAT_VERSION = 1,
    CORE_BEAT_BOOT_BYTES = 16,
    CORE_BEAT_HEAD = 80,
    CORE_BEAT_ACK_BYTES = 40,
    CORE_BEAT_BYTES_MAX = CORE_BEAT_HEAD + CORE_VOTERS_MAX * CORE_BEAT_ACK_BYTES,
    CORE_BEAT_HISTORY = 1024, /* own beats whose send times are kept: 51 s of 50 ms */
};
#define CORE_BEAT_MAGIC UINT32_C(0x54424348) /* "HCBT" */

/* Which life of a clusterd: one that was started again counts its beats anew. */
struct core_life {
    uint8_t boot_id[CORE_BEAT_BOOT_BYTES];
    uint64_t incarnation;
};

struct core_beat_ack { /* the newest beat of `id` that the sender acknowledges */
    uint32_t id;
    uint32_t age_ms; /* since it was processed, when this was sent; cut at the greatest number */
    struct core_life life;
    uint64_t number;
};

/*
 * On the wire, little-endian: magic 4, version 4, from 4, count 4, boot id 16, incarnation 8, term
 * 8, applied index 8, number 8, T_deadman 4, T_store 4, age of the unheard in ms 4, CRC-32C of
 * everything with 0 here 4; then for each acknowledgement id 4, age in ms 4, boot id 16,
 * incarnation 8, number 8.
 */
struct core_beat {
    uint32_t from;
    uint32_t count;
    struct core_life life;
    uint64_t term;    /* that the sender's committed state is of; 0: not of the present one */
    uint64_t applied; /* index of the last entry in the state that the sender feeds by */
    uint64_t number;  /* from 1, in this life */
    uint32_t deadman_ms, store_ms; /* in force at the sender */
    uint32_t unheard_ms;           /* the age of every member that is not in `acks` */
    struct core_beat_ack acks[CORE_VOTERS_MAX];
};

/* This node may execute `vm` (its number) under the block of generations that begins so. */
struct core_beat_feed {
    uint32_t vm;
    uint32_t generation;
};

/* Entry `index` took something from node `id`: what it sends before it has applied that is not
 * acknowledged, or it could feed on what is not its own any more. */
struct core_beat_bar {
    uint32_t id;
    uint64_t index;
};

/* What the core tells at each commit. */
struct core_beat_table {
    bool current; /* the term's first entry is committed, in this view */
    uint64_t term;
    uint64_t index; /* of the last entry that is in this table */
    uint32_t deadman_ms, store_ms;
    struct core_vote_map map;
    uint32_t bar_count;
    struct core_beat_bar bars[CORE_VOTERS_MAX];
    const struct core_beat_feed *feeds; /* sorted by vm; the caller's, until the next table */
    size_t feed_count;
};

struct core_beat_peer {
    uint32_t id;
    bool member;                  /* of the group, as far as was told */
    bool heard;                   /* some beat of it has come */
    bool answered;                /* some beat of it is acknowledged */
    struct core_life newest_life; /* of the newest beat */
    uint64_t newest;              /* number of the newest beat */
    int64_t heard_ns;             /* when that was */
    struct core_life life;        /* of the newest beat that is acknowledged */
    uint64_t number;              /* of that */
    int64_t processed_ns;         /* when that was */
    uint64_t acked; /* newest own beat of this term that it acknowledges in this term */
};

struct core_beat_machine {
    uint32_t self;
    struct core_life life;
    int64_t started_ns;
    int64_t forgotten_ns; /* no peer that was forgotten was heard later than this */
    struct core_beat_table table;
    uint64_t number;        /* of the newest own beat */
    uint64_t first_of_term; /* own beats from here on count */
    int64_t sent_ns[CORE_BEAT_HISTORY];
    uint32_t peer_count;
    struct core_beat_peer peers[CORE_VOTERS_MAX];
};

/* A machine that has heard nobody and feeds nobody. */
void core_beat_start(struct core_beat_machine *machine, uint32_t self, const struct core_life *life,
                     int64_t now_ns);
/* A table from the core; its feeds stay the caller's. In another term, or one that is not current,
 * all acknowledgements are forgotten. */
void core_beat_set_table(struct core_beat_machine *machine, const struct core_beat_table *table);
/*
 * The members of the group, this one among them or not: what others have acknowledged is nothing
 * any more, and they make room for new ones. Of those that were forgotten only the time is kept
 * before which they were all heard: their age is never told greater than it is.
 */
void core_beat_members(struct core_beat_machine *machine, const uint32_t *ids, size_t count);
/* The next own beat, sent at `now_ns`: the time is taken before it is handed to the group. */
void core_beat_send(struct core_beat_machine *machine, int64_t now_ns, struct core_beat *ret_beat);
/*
 * A beat of the group, processed at `now_ns`. 0; -ESTALE: of an earlier life, or no newer than one
 * that was processed; -EPERM: heard, but barred: not acknowledged; -ENOSPC: more than
 * CORE_VOTERS_MAX members. Own beats are told apart by `from`.
 */
int core_beat_receive(struct core_beat_machine *machine, const struct core_beat *beat,
                      int64_t now_ns);
/*
 * Send time of the newest own beat of this term that members with a majority of the vote map have
 * acknowledged in this term: what the VMs of the table may be fed with. 0; -EAGAIN: there is none.
 */
int core_beat_fed(const struct core_beat_machine *machine, int64_t *ret_sent_ns);
/* True if the table names this VM with this generation: what core_beat_fed() gives is for it. */
bool core_beat_feeds(const struct core_beat_machine *machine, uint32_t vm, uint32_t generation);
/* How old the newest beat is that was acknowledged to `id`; never more than this machine's age. To
 * be asked after the REVOKE was delivered here. */
uint64_t core_beat_age_ms(const struct core_beat_machine *machine, uint32_t id, int64_t now_ns);
/* True if `id` has been silent for `deadman_ms`, and this machine is older than that: unfit. */
bool core_beat_silent(const struct core_beat_machine *machine, uint32_t id, uint32_t deadman_ms,
                      int64_t now_ns);

/* Bytes that core_beat_encode() writes. */
size_t core_beat_size(const struct core_beat *beat);
/* Encode into `room` of core_beat_size() bytes. */
void core_beat_encode(const struct core_beat *beat, uint8_t *room);
/* Decode all of `size` bytes. 0; -EBADMSG; -EPROTONOSUPPORT. ret_beat is then undefined. */
int core_beat_decode(const uint8_t *bytes, size_t size, struct core_beat *ret_beat);

#endif
