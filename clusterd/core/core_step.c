/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events of the core: each is taken by the part that it is for, then everything follows from where
 * that leads: what is committed is applied, this node's VMs are given their orders, and the leader
 * decides what is next.
 */
#include <config.h>

#include "clusterd/core/core_step_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int core_new(const struct core_start *start, struct core **ret_core)
{
    struct core *core;
    int rc;

    if ((start->state == NULL) != start->log.blank ||
        (start->state != NULL && start->state->index != start->log.base.index) ||
        start->log.incarnation != start->life.incarnation)
        return -EINVAL;
    core = calloc(1, sizeof(*core));
    if (core == NULL)
        return -ENOMEM;
    core->self = start->log.self;
    core->life = start->life;
    core->timing = start->timing;
    core_state_init(&core->state);
    rc = core_log_new(&start->log, &core->log);
    if (rc == 0 && start->state != NULL)
        rc = core_state_copy(start->state, &core->state);
    if (rc < 0) {
        core_free(core);
        return rc;
    }
    core->opened = core->mapped = core->state.index;
    *ret_core = core;
    return 0;
}

void core_free(struct core *core)
{
    if (core == NULL)
        return;
    core_log_free(core->log);
    core_state_free(&core->state);
    for (size_t i = 0; i < core->peers.count; i++)
        hw_vector_free(&core->peers.items[i].items);
    for (size_t i = 0; i < core->asked.count; i++)
        free((char *)(uintptr_t)core->asked.items[i].order.text);
    hw_vector_free(&core->peers);
    hw_vector_free(&core->locals);
    hw_vector_free(&core->report);
    hw_vector_free(&core->asked);
    hw_vector_free(&core->feeds);
    hw_vector_free(&core->failed_ms);
    hw_vector_free(&core->running_ms);
    hw_vector_free(&core->move_ms);
    hw_vector_free(&core->fence_given);
    free(core);
}

int core_restore(struct core *core, const struct core_entry *entry)
{
    return core_log_restore(core->log, entry);
}

struct core_peer *core_peer_find(const struct core *core, uint32_t id)
{
    for (size_t i = 0; i < core->peers.count; i++) {
        if (core->peers.items[i].id == id)
            return &core->peers.items[i];
    }
    return NULL;
}

struct core_peer *core_peer_make(struct core *core, uint32_t id)
{
    struct core_peer *peer = core_peer_find(core, id);

    if (peer != NULL)
        return peer;
    if (hw_vector_reserve(&core->peers, core->peers.count + 1) < 0)
        return NULL;
    peer = &core->peers.items[core->peers.count++];
    memset(peer, 0, sizeof(*peer));
    peer->id = id;
    peer->absent_ms = core->first_ms;
    return peer;
}

/* After a committed entry turned out to be another one here: all of it is loaded anew. */
static void forget_state(struct core *core)
{
    core_state_free(&core->state);
    core_state_init(&core->state);
    core->opened = core->mapped = core->storing = 0;
}

int core_step(struct core *core, const struct core_event *event, core_actions *actions)
{
    bool timer = event->type == CORE_EVENT_TIMER, was_diverged = core->diverged;
    bool look = timer || event->type == CORE_EVENT_MESSAGE;
    int rc, follow;

    /* who did not run has heard nobody: that says nothing about them */
    if (event->now_ms - core->last_ms > core_timing_deadman_ms(&core->timing) / 2)
        core->awake_ms = event->now_ms;
    core->last_ms = event->now_ms;
    rc = core_take(core, event, actions);
    if (core->diverged && !was_diverged)
        forget_state(core);
    follow = core_catch_up(core, event->now_ms, actions);
    if (follow == 0 && (timer || event->type == CORE_EVENT_VM || core->diverged ||
                        core->state.index != core->ran)) {
        follow = core_local_run(core, actions);
        core->ran = follow == 0 ? core->state.index : 0;
    }
    if (follow == 0 && (look || core->state.index != core->decided)) {
        core->decided = core->state.index;
        follow = core_lead(core, event->now_ms, actions);
    }
    if (follow == 0)
        follow = core_keep_state(core, actions);
    if (follow == 0)
        follow = core_local_report(core, event->now_ms, timer, actions);
    if (core_local_table(core, actions) < 0) /* even if nothing else could be done */
        follow = -ENOMEM;
    return rc < 0 ? rc : follow;
}

const struct core_state *core_state_of(const struct core *core)
{
    return &core->state;
}

const struct core_log *core_log_of(const struct core *core)
{
    return core->log;
}

const struct core_beat_table *core_table(const struct core *core)
{
    return &core->table;
}

void core_report(const struct core *core, struct core_message *ret_message)
{
    *ret_message = (struct core_message) { .kind = CORE_MESSAGE_REPORT,
                                           .from = core->self,
                                           .incarnation = core->life.incarnation,
                                           .view = core->view,
                                           .term = core_log_term(core->log),
                                           .applied = core->state.index,
                                           .items = core->report.items,
                                           .count = (uint32_t)core->report.count };
}

int core_request(const struct core *core, struct core_message *ret_message)
{
    if (core->asked.count == 0)
        return -ENOENT;
    *ret_message = (struct core_message) { .kind = CORE_MESSAGE_REQUEST,
                                           .from = core->self,
                                           .incarnation = core->life.incarnation,
                                           .view = core->view,
                                           .term = core_log_term(core->log),
                                           .applied = core->state.index,
                                           .order = core->asked.items[0].order };
    return 0;
}

bool core_is_current(const struct core *core)
{
    return core_log_is_current(core->log) && core->state.term == core_log_term(core->log);
}
