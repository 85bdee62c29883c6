/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision core of one clusterd: one event in, a list of actions out, nothing else. It joins
 * the log (core_log.h), the replicated state and what entries do to it (core_apply.h), what this
 * node has of VMs, and, on the leader, what is proposed next.
 *
 * Everything is driven by what is, not by what was said: an order is given when the committed state
 * asks for it and this node has not begun it; a report is repeated until the state shows it; the
 * leader proposes what is missing between state, reports and wishes. So a lost message, a step that
 * ran out of memory or a new leader delay things, and nothing more.
 *
 * The rules that nothing is started without: committed order of the present term; this node alone
 * in the VM's set of executors; granted in this life of clusterd (what an earlier life was granted
 * is adopted if it runs, else reported as stopped); LUNs claimed.
 */
#ifndef CORE_STEP_H
#define CORE_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_beat.h"
#include "clusterd/core/core_log.h"
#include "clusterd/core/core_message.h"
#include "clusterd/core/core_order.h"
#include "clusterd/core/core_state.h"
#include "clusterd/core/core_timing.h"
#include "common/hw_vector.h"

struct core;

/* What the store had (core_log_start), the state of its snapshot, and who this is. */
struct core_start {
    struct core_log_start log; /* its incarnation is the life's */
    struct core_life life;
    struct core_timing timing;
    const struct core_state *state; /* as of log.base; copied. NULL if log.blank */
};

enum core_event_type {
    CORE_EVENT_VIEW,     /* another membership */
    CORE_EVENT_QUORATE,  /* another word of libquorum's for the present ring: `quorate` */
    CORE_EVENT_LOG,      /* a message of another log, or of this one: `log` */
    CORE_EVENT_BEAT,     /* a beat of the group, own ones too: `beat`. For ages, not for feeds */
    CORE_EVENT_MESSAGE,  /* `message` */
    CORE_EVENT_SNAPSHOT, /* of the leader: `snapshot` */
    CORE_EVENT_STORED,   /* a write is on disk: `stored` */
    CORE_EVENT_TIMER,    /* the armed timer */
    CORE_EVENT_VM,      /* what became of a VM's process here: `vm`. Those that run before the first
                         * view are told before it */
    CORE_EVENT_FENCED,  /* the agent of a CORE_ACTION_FENCE ended: `fenced` */
    CORE_EVENT_COMMAND, /* an admin asks for an order at this member: `command` */
    CORE_EVENT_CANCEL,  /* the admin of command number `cancel` does not wait any more. It is not
                         * asked for again, nor answered; it may be under way, and be done yet */
};

struct core_event {
    enum core_event_type type;
    uint64_t now_ms; /* CLOCK_BOOTTIME here; the only clock there is */
    union {
        struct {
            struct core_view_id id;
            bool quorate;
            const uint32_t *members; /* of the group and in the ring, this node too */
            size_t count;
            const uint32_t *ring; /* of the ring: with a corosync, with or without clusterd */
            size_t ring_count;
        } view;
        bool quorate;
        const struct core_log_message *log;
        const struct core_beat *beat;
        const struct core_message *message;
        struct {
            uint64_t term;
            struct core_position position;
            uint64_t hash;
            const struct core_vote_map *map;
            const uint8_t *state; /* core_state_encode() of the leader's */
            size_t size;
        } snapshot;
        struct {
            enum { CORE_STORED_PROMISE, CORE_STORED_ENTRIES, CORE_STORED_STATE } what;
            uint64_t term;  /* PROMISE */
            uint64_t index; /* ENTRIES: up to here; also after a CORE_LOG_STORE_SNAPSHOT */
            uint64_t hash;  /* ENTRIES: of entry `index` when it was handed out */
        } stored;
        struct {
            uint32_t vm, generation;
            uint32_t run;  /* enum core_run that it has reached; backwards only from SAVING to
                            * RUNNING, for good: what was to be saved runs on */
            uint32_t stop; /* STOPPED: enum core_stop */
            uint32_t seen; /* greatest generation found on its LUNs; 0: nothing new */
        } vm;
        struct {
            uint32_t node;
            uint64_t order; /* of the action */
            bool off;
        } fenced;
        struct {
            uint64_t number;                /* rising within this life */
            const struct core_order *order; /* copied; from, incarnation, request are filled in */
        } command;
        uint64_t cancel;
    };
};

enum core_action_type {
    CORE_ACTION_LOG,         /* `log`, as core_log.h says; never COMMITTED */
    CORE_ACTION_REPORT,      /* send core_report() to the group */
    CORE_ACTION_REQUEST,     /* send core_request() to the group */
    CORE_ACTION_TABLE,       /* give core_table() to the machine of the beats */
    CORE_ACTION_TIMER,       /* in place of the one before: a TIMER event in `after_ms` */
    CORE_ACTION_STORE_STATE, /* store the state as of `index`, with the position and hash of that
                              * entry and the vote map, in place of all entries up to it; STORED */
    CORE_ACTION_PREPARE,     /* of a VM: process, login, nothing that changes the LUN; PREPARED */
    CORE_ACTION_CLAIM,       /* takeover of its LUNs as this generation; CLAIMED */
    CORE_ACTION_START,       /* restore or boot; RUNNING */
    CORE_ACTION_SAVE,        /* live, then paused for the rest; STOPPED and saved, with the LUNs
                              * drained; or, if that fails, resumed: RUNNING. If it is saving
                              * already it goes on */
    CORE_ACTION_STOP,        /* end all that is of it; STOPPED when nothing is left */
    CORE_ACTION_FENCE,       /* run the agents of `node` for order `index`; FENCED */
    CORE_ACTION_TELL,        /* the answer to command `index`: `result`, 0 or a negative errno */
};

/* To be carried out in this order, before the next step. What they point to is the core's and stays
 * until then. */
struct core_action {
    enum core_action_type type;
    struct core_log_action log;
    uint32_t vm, generation;
    const char *name;              /* of the VM */
    uint32_t lease;                /* START: enum core_lease that it is armed with, */
    uint32_t deadman_ms, store_ms; /* for so long */
    uint32_t node;
    uint64_t index;
    uint64_t after_ms;
    int result;
};
typedef HW_VECTOR(struct core_action) core_actions;

/* A core over what the store had. 0 with a core for core_free(); -EINVAL; -ENOMEM. */
int core_new(const struct core_start *start, struct core **ret_core);
/* Give it back; NULL is allowed. */
void core_free(struct core *core);
/* The next entry of the store, before the first event. As core_log_restore(). */
int core_restore(struct core *core, const struct core_entry *entry);
/*
 * One event. Actions are appended. 0; -ENOMEM: what was appended holds and is to be carried out,
 * then the same event is given again before any other; only LOG, BEAT, MESSAGE and SNAPSHOT may be
 * dropped instead, they are repeated by those who sent them. -EBUSY: a COMMAND while 64 wait;
 * -EINVAL: a COMMAND that is none, or whose number does not rise; -EPROTONOSUPPORT: an entry of a
 * newer release is committed, this one cannot go on.
 */
int core_step(struct core *core, const struct core_event *event, core_actions *actions);

/* What is there to be looked at; all of it belongs to the core, and stays until the next step. */
const struct core_state *core_state_of(const struct core *core);
const struct core_log *core_log_of(const struct core *core);
const struct core_beat_table *core_table(const struct core *core);
/* The present REPORT, and the REQUEST that waits (-ENOENT: none). */
void core_report(const struct core *core, struct core_message *ret_message);
int core_request(const struct core *core, struct core_message *ret_message);
/* True if the state is of the present term: what is not may neither feed nor decide. */
bool core_is_current(const struct core *core);

#endif
