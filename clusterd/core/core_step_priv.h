/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core's inside, for its own files: core_step.c is the step, core_step_event.c takes what comes
 * in, core_step_log.c follows the log, core_step_local.c has this node's VMs, core_lead.c and
 * core_lead_vm.c propose.
 */
#ifndef CORE_STEP_PRIV_H
#define CORE_STEP_PRIV_H

#include "clusterd/core/core_step.h"

enum {
    CORE_REQUESTS_MAX = 64,
    CORE_REPORT_TICKS = 10, /* a report that says nothing new comes every so many timers */
    CORE_PLAN_TICKS = 20,   /* VMs are looked at again without news after so many */
    CORE_KEEP_ENTRIES = 1000,
};

struct core_peer { /* a member, or a node that was one */
    uint32_t id;
    bool in_group;
    bool in_ring;
    bool unfit;         /* as the log was told */
    uint64_t absent_ms; /* since when it is not in the group */
    uint64_t beat_ms;   /* when its last beat came, or it came into the group */
    uint64_t report_ms; /* likewise its last report, of whatever term */
    bool has_beat;
    struct core_beat beat;
    bool has_report;      /* of the present view and term */
    uint64_t current_ms;  /* when one came last that had applied the term's first entry */
    uint64_t incarnation; /* of the report, as the next two */
    uint64_t applied;
    HW_VECTOR(struct core_report_item) items; /* sorted by vm, generation */
    uint64_t fence_ms;                        /* no other order to fence before; the leader's */
};

struct core_local { /* one generation of a VM here */
    uint32_t vm, generation;
    uint32_t run;
    uint32_t stop;
    uint32_t seen;
    uint64_t claimed_ms;
    uint64_t moved; /* the MOVE that it was told to save for */
};

struct core_asked { /* a command that waits */
    uint64_t number;
    struct core_order order; /* its text owned */
};

struct core {
    uint32_t self;
    struct core_life life;
    struct core_timing timing;
    struct core_log *log;
    struct core_state state;
    uint64_t opened;  /* index of the first entry of the state's term; or of a snapshot behind it */
    uint64_t joined;  /* the same, when this life was current first; 0: never yet */
    uint64_t mapped;  /* index of the last vote map; or of a snapshot behind it */
    uint64_t storing; /* index of the state that is being stored; 0: none */
    bool diverged;    /* the log was; everything here ends */

    struct core_view_id view;
    bool seen_view;
    uint64_t view_ms, first_ms; /* of this view, of the first */
    uint64_t last_ms, awake_ms; /* last event; since when events come in time */
    HW_VECTOR(struct core_peer) peers;

    HW_VECTOR(struct core_local) locals; /* sorted by vm, generation */
    HW_VECTOR(struct core_report_item) report;
    uint64_t ran; /* index of the state that orders were given by */
    bool report_news;
    uint32_t report_ticks;
    HW_VECTOR(struct core_asked) asked;
    uint64_t last_number;

    struct core_beat_table table;
    HW_VECTOR(struct core_beat_feed) feeds;

    uint64_t led_term; /* that the fields below are for */
    uint64_t led_ms;
    uint64_t decided;                /* index of the state that was decided upon last */
    uint64_t planned, plan_ms;       /* likewise for VMs; when they are looked at again */
    HW_VECTOR(uint64_t) failed_ms;   /* by VM number: the last failure that was seen */
    HW_VECTOR(uint64_t) running_ms;  /* by VM number: since when it runs, as far as seen */
    HW_VECTOR(uint64_t) move_ms;     /* by VM number: no other move before */
    HW_VECTOR(uint64_t) fence_given; /* orders to fence that were given to the shell */
};

/* Append an action of this type; NULL: no memory. It stays valid until the next. */
struct core_action *core_act(core_actions *actions, enum core_action_type type);
/* The peer of this id, NULL if there is none. core_peer_make(): add it; NULL: no memory. */
struct core_peer *core_peer_find(const struct core *core, uint32_t id);
struct core_peer *core_peer_make(struct core *core, uint32_t id);

/* Give an event to the part that it is for. 0, -ENOMEM, or what core_step() says of a COMMAND. */
int core_take(struct core *core, const struct core_event *event, core_actions *actions);

/* Room for what one call of the log's gives; 0 or -ENOMEM. To be called before it. */
int core_log_room(core_actions *actions);
/* Hand on what the log wants done. */
void core_log_pass(struct core *core, const struct core_log_actions *from, core_actions *actions);
/* Apply what is committed. 0, -ENOMEM, -EPROTONOSUPPORT. */
int core_catch_up(struct core *core, uint64_t now_ms, core_actions *actions);
/* Have the state stored if enough has come since. 0 or -ENOMEM. */
int core_keep_state(struct core *core, core_actions *actions);

/* What the shell says of a VM's process. 0 or -ENOMEM. */
int core_local_told(struct core *core, const struct core_event *event);
/* Give orders to this node as the committed state wants them; then table and report. 0, -ENOMEM. */
int core_local_run(struct core *core, core_actions *actions);
int core_local_table(struct core *core, core_actions *actions);
int core_local_report(struct core *core, uint64_t now_ms, bool timer, core_actions *actions);

/* True if this member leads, and all that it proposed is applied: another decision may be made. */
bool core_may_decide(const struct core *core);
/* Propose an order. 0, -ENOMEM, or as core_log_propose(). */
int core_propose(struct core *core, const struct core_order *order, core_actions *actions);
/* What an admin may ask for. */
bool core_is_command(uint32_t kind);
/* A beat has not come for T_deadman, or no report for T_rejoin: its clusterd hangs. */
bool core_is_silent(const struct core *core, const struct core_peer *peer, uint64_t now_ms);
/* The agent of an order to fence has ended. 0 or -ENOMEM. */
int core_take_fenced(struct core *core, const struct core_event *event, core_actions *actions);
/* Decide what is next. 0 or -ENOMEM. */
int core_lead(struct core *core, uint64_t now_ms, core_actions *actions);
/* The parts: each returns 0, 1 (something was proposed: the rest waits for it), or -errno. */
int core_lead_proofs(struct core *core, uint64_t now_ms, core_actions *actions);
int core_lead_vms(struct core *core, uint64_t now_ms, core_actions *actions);
/* The report of `node` on a generation of a VM, of the present view and term; NULL: none. */
const struct core_report_item *core_reported(const struct core *core, uint32_t node, uint32_t vm,
                                             uint32_t generation);

#endif
