/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small world for the ownership code as it runs in production (machine, driver, gate): nodes with
 * owners over one model target, a virtual clock, and oracles that watch every write that lands.
 */
#ifndef OWN_WORLD_H
#define OWN_WORLD_H

#include "common/hw_clock.h"
#include "common/hw_prng.h"
#include "storage/sto_model_lun.h"
#include "storage/sto_owner.h"

enum {
    WORLD_NODES = 3,
    WORLD_META_BLOCKS = STO_RECORD_AREA_BYTES / STO_MODEL_BLOCK_BYTES,
    WORLD_DATA_BLOCKS = 12,
    WORLD_RESETS = 64,
    WORLD_WHY_BYTES = 256,
    WORLD_RIGHTS = 256,
    WORLD_FORGOTTEN = 64,
};

#define WORLD_MS ((int64_t)1000000)

struct world;

/* One guest request slot: at most one request a block is out, as a guest orders its own writes. */
struct world_block {
    struct sto_request request;
    struct iovec iov;
    uint8_t data[STO_MODEL_BLOCK_BYTES];
    struct world_node *node;
    unsigned block;
    bool out, writes;
    bool abandoned;  /* its guest wants no answer any more */
    uint32_t tenure; /* of the request, as stamped */
    uint64_t number;
};

/* What a node's gate might do from a moment on. */
struct world_right {
    int64_t from_ns;
    int64_t until_ns; /* lease; INT64_MAX = none */
    bool forbidden;
};

struct world_node {
    struct world *world;
    unsigned id;   /* 1 to WORLD_NODES */
    uint64_t port; /* initiator port; the control session's is the next */
    struct sto_lun *lun;
    struct sto_owner *owner; /* NULL: the process is not there */
    unsigned incarnation;
    uint32_t process; /* number of the process, of all that were started */
    bool open;        /* OWNED was told and nothing took it back */
    bool cut;
    int64_t stalled_until_ns;
    int64_t issue_ns;            /* when its guest asks for something next */
    uint32_t grant;              /* generation of the grant it works under */
    bool forbidden;              /* by sto_owner_allow() */
    bool resets;                 /* its gate is being reset or freed: what ends may still land */
    _Atomic int64_t deadline_ns; /* of its member lease */
    unsigned right_count;
    struct world_right rights[WORLD_RIGHTS]; /* the newest; number n is at n % WORLD_RIGHTS */
    struct world_block blocks[WORLD_DATA_BLOCKS];
};

struct world_stats {
    unsigned long owned, refused, lost, suspended, handed, released, not_proven, writes, reads,
        landed, forgotten, busy, unsafe;
};

struct world {
    uint64_t seed;
    bool trace;
    struct hw_prng prng;
    int64_t now_ns;
    struct hw_clock clock;
    struct sto_model *model;
    struct sto_model_net *net;
    struct sto_model_quirks quirks;
    struct world_node nodes[WORLD_NODES];
    uint32_t next_generation;
    uint32_t processes;         /* started so far */
    bool quiet;                 /* guests ask for nothing new */
    bool given_up;              /* somebody was told to release since a gate was opened last */
    uint32_t opened;            /* greatest grant whose gate was opened */
    uint32_t opened_generation; /* greatest one whose gate was opened */
    uint32_t opener;            /* by which process */
    uint64_t turn; /* number of the last request that was asked for before that one's turn */
    unsigned slow; /* 1 in `slow` commands takes up to slow_ns inside the target; 0: none */
    int64_t slow_ns;
    uint32_t lease_ms;  /* T_store of the owners; 0: none */
    unsigned disturbed; /* 1 in `disturbed` commands is answered out of turn; 0: none */
    /* per block: last acknowledged write */
    struct {
        uint32_t tenure;
        uint64_t number;
    } acked[WORLD_DATA_BLOCKS];
    /* per block: the abandoned writes that ended last; number n is at n % WORLD_FORGOTTEN */
    uint64_t forgotten[WORLD_DATA_BLOCKS][WORLD_FORGOTTEN];
    unsigned forgotten_count[WORLD_DATA_BLOCKS];
    uint64_t numbers;
    struct sto_model_command rogue;
    struct sto_model_command resets[WORLD_RESETS];
    unsigned reset_count;
    bool broken;
    char why[WORLD_WHY_BYTES]; /* the first oracle that failed */
    struct world_stats stats;
};

/* A world for this seed; its quirks and delays are drawn from it. False: out of memory. */
bool world_init(struct world *world, uint64_t seed, bool trace);
void world_fini(struct world *world); /* end everything */

/* Let time pass up to `until_ns`; stops early when an oracle fails. */
void world_run(struct world *world, int64_t until_ns);
/* Run until `node` is open or `limit_ns` is over. */
bool world_run_until_open(struct world *world, const struct world_node *node, int64_t limit_ns);

/* Start (again) a process on `node` under the grant `generation`. */
void world_start(struct world *world, struct world_node *node, uint32_t generation, bool takeover);
/* The gate may not open (false) or may again. */
void world_allow(struct world_node *node, bool allowed);
/* The member lease ends now, or goes on for ever. */
void world_feed(struct world_node *node, bool fed);
/* Note what the node's gate may do from now on, if that changed. */
void world_note_right(struct world_node *node);
/* The process dies: no goodbye. */
void world_kill(struct world *world, struct world_node *node);
/* The next block of generations. */
uint32_t world_grant(struct world *world);
/* Guest requests on every idle block of an open node; now and then one is abandoned. */
void world_issue(struct world *world, struct world_node *node);
/* Stamp a block of data with its grant and number. */
void world_stamp(uint8_t *block, uint32_t tenure, uint64_t number);
/* An owner tells a reason: is it true in this world? */
void world_judge_reason(struct world *world, const struct world_node *node,
                        enum sto_own_reason reason);
/* Told of every write that lands (struct sto_model_config). */
void world_landed(void *context, int nexus, uint64_t lba, const uint8_t *data, size_t bytes);
/* A guest's request was answered. */
void world_request_done(struct sto_request *request);
/* The target restarts. */
void world_restart_target(struct world *world);
/* A node by chance. */
struct world_node *world_any_node(struct world *world);
/* Unit attentions for a node by chance. */
void world_attention(struct world *world);
/* A third party, or a stalled loser, resets the logical unit; it does not wait for the answer. */
void world_reset(struct world *world);
/* A zombie of an earlier grant (multipathd, a kernel's initiator): registers its old key by itself
 * and writes. Only while there is a holder: without one nothing at the target could stop it. */
void world_rogue(struct world *world);
/* An oracle fails. The first one counts. */
void world_break(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line of the trace, if it is on. */
void world_say(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
