/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world under the replicated log (clusterd/core/core_log): members, each with a store that can
 * lose what was not synced, in groups that model CPG: one order for all that stay together, a
 * sender that sees its own message first, holes when a view ends, messages that come in a later
 * ring. The oracle: what is committed once is committed for ever, and the same everywhere.
 */
#ifndef LOG_WORLD_H
#define LOG_WORLD_H

#include "clusterd/core/core_log.h"
#include "common/hw_prng.h"
#include "common/hw_vector.h"

enum { LOG_NODES_MAX = 5, LOG_WORLD_TEXT = 160 };

struct log_packet {
    uint32_t from;
    uint8_t *bytes; /* a log message */
    size_t size;
    bool snapshot; /* the rest instead: not through the codec, it is the store's business */
    uint64_t term, hash;
    struct core_position position;
    struct core_vote_map map;
};

struct log_view { /* one group of members that stay together */
    struct core_view_id id;
    uint32_t members[LOG_NODES_MAX];
    size_t count;
    HW_VECTOR(struct log_packet) packets;
};

struct log_write { /* handed to the store, not yet on disk */
    enum core_log_action_kind kind;
    uint64_t term, to, hash;
    struct core_entry entry;    /* STORE_ENTRIES */
    struct log_packet snapshot; /* STORE_SNAPSHOT */
};

struct log_store {
    bool blank;
    uint64_t promised;
    struct core_position base;
    uint64_t base_hash;
    struct core_vote_map map;
    HW_VECTOR(struct core_entry) entries;
};

struct log_node {
    uint32_t id;
    struct core_log *log; /* NULL: down */
    struct log_store store;
    HW_VECTOR(struct log_write) writes;
    size_t view; /* of world->views */
    size_t next; /* packet of the view to be delivered */
    uint64_t incarnation;
    uint64_t seen; /* committed, as told */
};

struct log_world {
    struct hw_prng prng;
    bool trace;
    bool maps; /* vote maps change, and no store is lost */
    struct log_node nodes[LOG_NODES_MAX];
    size_t count;
    HW_VECTOR(struct log_view) views;
    HW_VECTOR(uint64_t) committed; /* hash of entry index i + 1 */
    uint64_t next_ring;
    char broken[LOG_WORLD_TEXT]; /* by whom an oracle was violated; "" so far */
    uint64_t proposed, faults;
};

/* `count` members, ids 1 to count with one vote each, stores with the same first entry, all down.
 */
void log_world_make(struct log_world *world, size_t count, uint64_t seed);
/* Give everything back. */
void log_world_end(struct log_world *world);
/* Start a member from its store; it is in no group then. */
void log_world_start(struct log_world *world, uint32_t id);
/* Crash: what is not on disk is lost. */
void log_world_crash(struct log_world *world, uint32_t id);
/* The store's disk is replaced by an empty one (down members only). */
void log_world_lose_store(struct log_world *world, uint32_t id);
/*
 * A new view of these members, `ids` ended by 0; those who are down are left out. What they had not
 * delivered of their views before is delivered or, by chance where `holes`, skipped.
 */
void log_world_view(struct log_world *world, const uint32_t *ids, bool holes);
/* One step: deliver the next packet to `id`, or write its next write; false if there is none. */
bool log_world_deliver(struct log_world *world, uint32_t id);
bool log_world_write(struct log_world *world, uint32_t id);
/* The member's timer. */
void log_world_timer(struct log_world *world, uint32_t id);
/* Deliver and write everything, timers included, for some rounds. */
void log_world_settle(struct log_world *world, unsigned rounds);
/* Propose at `id`. core_log_propose()'s return. */
int log_world_propose(struct log_world *world, uint32_t id, uint16_t kind, const void *bytes,
                      size_t size);
/* Put a packet of an earlier view behind the packets of the present view of `id`. */
void log_world_replay(struct log_world *world, uint32_t id);
/* Compact the log of `id` up to what is committed. */
void log_world_compact(struct log_world *world, uint32_t id);
/* The member that leads now, in the view of most members; 0: nobody. */
uint32_t log_world_leader(const struct log_world *world);
/* The node of this id. */
struct log_node *log_world_node(struct log_world *world, uint32_t id);

#endif
