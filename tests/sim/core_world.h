/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world under the decision core (clusterd/core/core_step): hosts with a clusterd (its main thread
 * with a core, its real-time thread with a machine of beats), a store that loses what was not
 * synced, processes of VMs with their leases, LUNs whose reservation has one holder, and a group
 * that models CPG: one order for all that stay together, a sender that sees its own message first
 * and perhaps alone, views that come late, holes where a view ends, messages that go out in a later
 * ring. One virtual clock in steps of 10 ms; each host's own begins somewhere else.
 *
 * The oracle, at every step: no VM executes on two hosts; members that have applied equally many
 * entries have equal states; what was acknowledged to an admin is in every later state.
 */
#ifndef CORE_WORLD_H
#define CORE_WORLD_H

#include "clusterd/core/core_step.h"
#include "common/hw_prng.h"
#include "common/hw_vector.h"

enum { CORE_NODES_MAX = 5, CORE_VMS = 4, CORE_TICK_MS = 10, CORE_WORLD_TEXT = 200 };

struct core_packet { /* in flight to one host, or there and not taken by its clusterd */
    enum { CORE_PACKET_VIEW, CORE_PACKET_BYTES, CORE_PACKET_SNAPSHOT } what;
    int64_t at_ms;
    struct core_view_id view; /* VIEW */
    uint32_t members[CORE_NODES_MAX], ring[CORE_NODES_MAX];
    size_t count, ring_count;
    bool quorate;
    uint8_t *bytes; /* BYTES; SNAPSHOT: the state */
    size_t size;
    uint64_t term, hash; /* SNAPSHOT */
    struct core_position position;
    struct core_vote_map map;
};
typedef HW_VECTOR(struct core_packet) core_packets;

struct core_write { /* handed to the store, not yet on disk */
    enum core_log_action_kind kind;
    bool is_state; /* CORE_ACTION_STORE_STATE */
    uint64_t term, to, hash;
    struct core_entry entry;
    struct core_position position;
    struct core_vote_map map;
    uint8_t *bytes; /* of a state */
    size_t size;
    int64_t at_ms;
};

struct core_store {
    bool blank;
    uint64_t promised;
    struct core_position base;
    uint64_t base_hash;
    struct core_vote_map map;
    struct core_state state;
    HW_VECTOR(struct core_entry) entries;
};

struct core_process { /* one generation of a VM on one host; survives its clusterd */
    uint32_t vm, generation;
    uint32_t run; /* enum core_run */
    uint32_t goal;
    int64_t goal_ms; /* when it is reached */
    uint32_t stop;
    uint32_t lease, deadman_ms, store_ms;
    int64_t fed_ns;       /* host's clock; 0: never */
    int64_t confirmed_ms; /* send time of the last confirmation; host's clock; 0: never */
    int64_t asked_ms;     /* of the one under way; 0: none */
    int64_t answer_ms;
    bool executes;
};

struct core_host {
    uint32_t id;
    bool up;           /* powered */
    struct core *core; /* NULL: no clusterd */
    struct core_beat_machine beats;
    struct core_beat_table table; /* of the machine */
    struct core_beat_feed *feeds;
    struct core_store store;
    HW_VECTOR(struct core_write) writes;
    core_packets stream;      /* to the real-time thread */
    core_packets inbox;       /* from there to the main thread */
    struct core_packet last;  /* sent, and perhaps again in a later ring */
    struct core_view_id view; /* that corosync has; 0: none */
    int64_t clock_ms;         /* host's clock at world time 0 */
    int64_t stalled_ms;       /* until then nothing of it runs */
    int64_t hung_ms;          /* until then its main thread does not */
    int64_t timer_ms, beat_ms, post_ms;
    bool san;
    uint64_t lives;
    uint64_t commands;
    HW_VECTOR(struct core_process) processes;
};

struct core_agent { /* a fence agent that runs */
    uint32_t node;  /* whose power it cuts */
    uint64_t order;
    uint32_t by;   /* host */
    uint64_t life; /* of its clusterd */
    int64_t end_ms;
    bool works;
};

struct core_world {
    struct hw_prng prng;
    struct core_timing timing;
    bool trace;
    int64_t now_ms;
    struct core_host hosts[CORE_NODES_MAX];
    size_t count;
    uint32_t part[CORE_NODES_MAX]; /* hosts of one number reach each other */
    int64_t view_due_ms;           /* when the rings follow; 0: they have */
    uint64_t next_ring;
    uint32_t fail_agents;                /* of 100 */
    HW_VECTOR(struct core_agent) agents; /* that run now */
    uint64_t fenced;                     /* that were off in the end */
    uint32_t fail_saves;                 /* of 100 */
    bool saved[CORE_VMS + 1];            /* a saved state is on the LUN, by VM number */
    uint64_t saves, restores;
    uint32_t holder[CORE_VMS + 1];      /* generation that holds the reservation, by VM number */
    HW_VECTOR(uint64_t) hashes;         /* of the state, by index; 0: nobody was there */
    uint64_t told_revision, told_index; /* of the configuration that was acknowledged last */
    uint64_t starts, faults, steps;
    void (*before_step)(struct core_world *world); /* around each core_step(); NULL: nothing */
    void (*after_step)(struct core_world *world, int rc);
    int last_rc;            /* of core_step() */
    int told_result;        /* of the last command that was answered */
    uint64_t told_commands; /* how many were */
    char broken[CORE_WORLD_TEXT];
};

/* `count` hosts, with fence agents or without, 4 VMs, `lease`; durations are drawn; all down. */
void core_world_make(struct core_world *world, size_t count, bool agents, uint32_t lease,
                     uint64_t seed);
/* Give everything back. */
void core_world_end(struct core_world *world);
/* Power a host on, with its clusterd; off. Start its clusterd; kill it (its VMs go on). */
void core_world_power(struct core_world *world, uint32_t id, bool on);
void core_world_clusterd(struct core_world *world, uint32_t id, bool on);
/* Who reaches whom: hosts with equal numbers. Rings follow after a while. */
void core_world_partition(struct core_world *world, const uint32_t part[CORE_NODES_MAX]);
/* An admin's order at a host; nothing if it has no clusterd. */
void core_world_command(struct core_world *world, uint32_t id, const struct core_order *order);
/* Let so much time pass, or until something is broken. */
void core_world_run(struct core_world *world, int64_t ms);
/* The host of this id. */
struct core_host *core_world_host(struct core_world *world, uint32_t id);
/* The host whose core leads, with a current state; NULL: none. */
struct core_host *core_world_leader(struct core_world *world);
/* Hosts on which VM number `vm` executes now. */
size_t core_world_executing(const struct core_world *world, uint32_t vm);
/* Its process crashes, or its guest shuts down, wherever it executes. */
void core_world_guest(struct core_world *world, uint32_t vm, enum core_stop stop);

/* Between the world's own files. core_world_post(): to all members of the host's view. */
void core_world_require(bool condition);
void core_world_break(struct core_world *world, uint32_t id, const char *what, uint64_t number);
void core_world_post(struct core_world *world, struct core_host *host, struct core_packet *packet);
void core_world_event(struct core_world *world, struct core_host *host,
                      const struct core_event *event);
void core_world_packet_free(struct core_packet *packet);
int64_t core_world_clock(const struct core_world *world, const struct core_host *host);
bool core_world_take_write(struct core_world *world, struct core_host *host);
void core_world_queue(struct core_world *world, struct core_host *host,
                      const struct core_action *action);
void core_world_store_free(struct core_host *host);
void core_world_load(struct core_world *world, struct core_host *host);
void core_world_processes(struct core_world *world, struct core_host *host);
void core_world_order(struct core_world *world, struct core_host *host,
                      const struct core_action *action);
void core_world_dispatch(struct core_world *world, struct core_host *host);
void core_world_work(struct core_world *world, struct core_host *host);
void core_world_fence(struct core_world *world, const struct core_host *host, uint32_t node,
                      uint64_t order);
void core_world_inventory(struct core_world *world, struct core_host *host);

#endif
