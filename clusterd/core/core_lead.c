/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the leader proposes: members that come and go, what members reported, votes, fencing. One
 * decision at a time: the next is made when everything proposed before is applied here, so that no
 * decision rests on a state that is already overtaken. Proposals of one decision do not meet each
 * other; where they could, the rest waits.
 */
#include <config.h>

#include "clusterd/core/core_step_priv.h"

#include "clusterd/core/core_executor.h"

#include <errno.h>
#include <string.h>

bool core_may_decide(const struct core *core)
{
    return core_log_leads(core->log) && core_is_current(core) &&
           core->state.index == core_log_last(core->log).index;
}

const struct core_report_item *core_reported(const struct core *core, uint32_t node, uint32_t vm,
                                             uint32_t generation)
{
    const struct core_peer *peer = core_peer_find(core, node);
    size_t low = 0, high = 0;

    /* who has not applied this term's first entry has not been given its orders either */
    if (peer != NULL && peer->has_report && peer->applied >= core->opened)
        high = peer->items.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct core_report_item *item = &peer->items.items[middle];

        if (item->vm == vm && item->generation == generation)
            return item;
        if (item->vm < vm || (item->vm == vm && item->generation < generation))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Once: 1 if it was proposed. */
static int propose(struct core *core, const struct core_order *order, core_actions *actions)
{
    int rc = core_propose(core, order, actions);

    return rc < 0 ? rc : 1;
}

static bool has_unproven(const struct core *core, uint32_t node, bool live)
{
    for (size_t i = 0; i < core->state.vms.count; i++) {
        const struct core_vm *vm = &core->state.vms.items[i];

        for (size_t k = 0; k < vm->executors.count; k++) {
            if (vm->executors.items[k].node_id == node &&
                (!live || vm->executors.items[k].revoked == 0))
                return true;
        }
    }
    return false;
}

/* H3, R12: who still has a corosync in the ring may have a clusterd again soon. */
static bool is_gone(const struct core *core, const struct core_peer *peer, uint64_t now_ms)
{
    uint64_t since = peer != NULL ? peer->absent_ms : core->first_ms;
    uint64_t wait = peer != NULL && peer->in_ring ? core->timing.rejoin_ms : 0;

    return now_ms - since >= wait;
}

/* It says nothing, or does not follow: its VMs are not fed, and nobody else may have them. */
static bool hangs(const struct core *core, const struct core_peer *peer, uint64_t now_ms)
{
    uint64_t since = peer->current_ms > core->awake_ms ? peer->current_ms : core->awake_ms;

    return core_is_silent(core, peer, now_ms) || now_ms - since >= core->timing.rejoin_ms;
}

/* Where a node stands against what is known of it. 1: something was proposed. */
static int lead_node(struct core *core, const struct core_node *node, uint64_t now_ms,
                     core_actions *actions)
{
    const struct core_peer *peer = core_peer_find(core, node->id);
    bool in_group = peer != NULL && peer->in_group;
    bool silent = in_group && node->id != core->self && hangs(core, peer, now_ms);
    struct core_order order = { .node = node->id };

    if (node->fence_order != 0)
        return 0; /* until its fate is known */
    if (in_group && !silent) {
        /* it has applied this term's first entry: what it reports is of this life */
        if (!peer->has_report || peer->applied < core->opened ||
            (node->state == CORE_NODE_ONLINE && node->incarnation == peer->incarnation))
            return 0;
        order.kind = CORE_ORDER_JOIN;
        order.index = peer->incarnation;
        return propose(core, &order, actions);
    }
    order.kind = CORE_ORDER_LOST;
    order.value = in_group ? CORE_NODE_UNFIT : CORE_NODE_LOST;
    if ((node->state == order.value || node->state == CORE_NODE_PENDING) &&
        !has_unproven(core, node->id, true))
        return 0;
    if (!in_group && !is_gone(core, peer, now_ms))
        return 0;
    return propose(core, &order, actions);
}

static int lead_nodes(struct core *core, uint64_t now_ms, core_actions *actions)
{
    int rc = 0, all = 0;

    for (size_t i = 0; rc >= 0 && i < core->state.nodes.count; i++) {
        rc = lead_node(core, &core->state.nodes.items[i], now_ms, actions);
        all = rc > 0 ? 1 : all;
    }
    return rc < 0 ? rc : all;
}

/* What a node says of an executor of its own. */
static int lead_reported(struct core *core, const struct core_vm *vm,
                         const struct core_executor *executor, core_actions *actions)
{
    const struct core_report_item *item =
        core_reported(core, executor->node_id, vm->number, executor->generation);
    struct core_order order = { .node = executor->node_id, .generation = executor->generation };

    if (item == NULL)
        return 0;
    memcpy(order.object, vm->name, sizeof(order.object));
    for (size_t i = 0; i < vm->disks.count; i++) {
        const struct core_lun *lun = core_lun_find(&core->state, vm->disks.items[i].text);

        if (lun == NULL || item->seen <= lun->generation || item->seen > CORE_GENERATION_MAX)
            continue;
        order.kind = CORE_ORDER_SEEN;
        order.generation = item->seen;
        return propose(core, &order, actions);
    }
    if (item->run == CORE_RUN_STOPPED) {
        order.kind = CORE_ORDER_STOPPED;
        order.value = item->stop;
        return propose(core, &order, actions);
    }
    if (item->run == CORE_RUN_RUNNING && vm->phase == CORE_VM_STARTING &&
        core_executor_may_start(vm, executor->node_id, executor->generation)) {
        order.kind = CORE_ORDER_RUNNING;
        return propose(core, &order, actions);
    }
    /* it has applied the MOVE, was told to save by that, and runs: it could not */
    if (item->run == CORE_RUN_RUNNING && vm->phase == CORE_VM_MOVING &&
        core_peer_find(core, executor->node_id)->applied >= vm->moved) {
        order.kind = CORE_ORDER_STAYS;
        order.index = vm->moved;
        return propose(core, &order, actions);
    }
    return 0;
}

static int lead_reports(struct core *core, core_actions *actions)
{
    int rc = 0, all = 0;

    for (size_t i = 0; i < core->state.vms.count; i++) {
        const struct core_vm *vm = &core->state.vms.items[i];

        rc = 0;
        for (size_t k = 0; rc == 0 && k < vm->executors.count; k++) /* one for each VM */
            rc = lead_reported(core, vm, &vm->executors.items[k], actions);
        if (rc < 0)
            return rc;
        all = rc > 0 ? 1 : all;
    }
    return all;
}

/*
 * A proof by member lease rests on majorities of the map that the executor's node feeds by and of
 * the map by which the answers are counted: of one step apart, they meet. So no second step before
 * every node that may execute something has applied the first.
 */
static bool all_know_the_map(const struct core *core)
{
    for (size_t i = 0; i < core->state.nodes.count; i++) {
        const struct core_node *node = &core->state.nodes.items[i];
        const struct core_peer *peer = core_peer_find(core, node->id);

        if (!has_unproven(core, node->id, false))
            continue;
        if (peer == NULL || !peer->in_group || !peer->has_beat ||
            peer->beat.term != core->state.term || peer->beat.applied < core->mapped)
            return false;
    }
    return true;
}

/* The first vote that is not as the configuration says; false: none. */
static bool next_map(const struct core *core, struct core_vote_map *map)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct core_node *node = core_node_by_id(&core->state, map->voters[i].id);
        uint32_t votes = map->voters[i].votes;
        uint32_t wanted = node != NULL ? node->votes : 0;

        if (map->voters[i].id == CORE_WITNESS_ID || wanted == votes)
            continue;
        return core_vote_map_set(map, map->voters[i].id, wanted > votes ? votes + 1 : votes - 1) ==
               0;
    }
    for (size_t i = 0; i < core->state.nodes.count; i++) {
        const struct core_node *node = &core->state.nodes.items[i];

        if (node->votes > 0 && node->state == CORE_NODE_ONLINE &&
            core_vote_map_votes(map, node->id) == 0)
            return core_vote_map_set(map, node->id, 1) == 0;
    }
    return false;
}

static int lead_votes(struct core *core, core_actions *actions)
{
    struct core_log_actions from = { 0 };
    struct core_vote_map map = *core_log_map(core->log);
    uint8_t bytes[CORE_VOTE_MAP_BYTES];
    struct hw_writer writer = hw_writer_over(bytes, sizeof(bytes));
    uint64_t index;
    int rc;

    if (!next_map(core, &map) || map.count == 0 || !all_know_the_map(core))
        return 0;
    rc = core_log_room(actions);
    if (rc < 0)
        return rc;
    core_vote_map_encode(&map, &writer);
    rc = core_log_propose(core->log, CORE_ENTRY_MAP, bytes, writer.at, &from, &index);
    core_log_pass(core, &from, actions);
    return rc == -ENOMEM ? rc : rc == 0;
}

int core_take_fenced(struct core *core, const struct core_event *event, core_actions *actions)
{
    struct core_order order = { .kind = CORE_ORDER_FENCED,
                                .node = event->fenced.node,
                                .index = event->fenced.order,
                                .value = event->fenced.off };
    const struct core_node *node = core_node_by_id(&core->state, event->fenced.node);
    struct core_peer *peer = core_peer_make(core, event->fenced.node);
    int rc;

    for (size_t i = core->fence_given.count; i > 0; i--) {
        if (core->fence_given.items[i - 1] == event->fenced.order)
            hw_vector_remove(&core->fence_given, i - 1); /* given again if this comes to nothing */
    }
    if (peer != NULL && !event->fenced.off)
        peer->fence_ms = event->now_ms + core->timing.backoff_most_ms;
    if (node == NULL || node->fence_order != event->fenced.order || !core_may_decide(core))
        return 0;
    rc = core_propose(core, &order, actions);
    return rc == -ENOMEM ? rc : 0;
}

static bool has_agent(const struct core_state *state, const char *node)
{
    for (size_t i = 0; i < state->fences.count; i++) {
        for (size_t k = 0; k < state->fences.items[i].nodes.count; k++) {
            if (strcmp(state->fences.items[i].nodes.items[k].text, node) == 0)
                return true;
        }
    }
    return false;
}

static bool was_given(const struct core *core, uint64_t order)
{
    for (size_t i = 0; i < core->fence_given.count; i++) {
        if (core->fence_given.items[i] == order)
            return true;
    }
    return false;
}

/* Order the fencing of nodes that are lost and not proven to have stopped, and have it done. */
static int lead_fencing(struct core *core, uint64_t now_ms, core_actions *actions)
{
    int all = 0;

    for (size_t i = 0; i < core->state.nodes.count; i++) {
        const struct core_node *node = &core->state.nodes.items[i];
        const struct core_peer *peer = core_peer_find(core, node->id);
        const struct core_order order = { .kind = CORE_ORDER_FENCE, .node = node->id };
        struct core_action *action;

        if (node->fence_order != 0 && !was_given(core, node->fence_order)) {
            if (hw_vector_reserve(&core->fence_given, core->fence_given.count + 1) < 0)
                return -ENOMEM;
            action = core_act(actions, CORE_ACTION_FENCE);
            if (action == NULL)
                return -ENOMEM;
            action->node = node->id;
            action->index = node->fence_order;
            (void)hw_vector_push(&core->fence_given, node->fence_order);
        } else if (node->fence_order == 0 &&
                   (node->state == CORE_NODE_LOST || node->state == CORE_NODE_UNFIT) &&
                   node->mode != CORE_MODE_MAINTENANCE && has_agent(&core->state, node->name) &&
                   has_unproven(core, node->id, false) &&
                   (peer == NULL || now_ms >= peer->fence_ms)) {
            int rc = propose(core, &order, actions);

            if (rc < 0)
                return rc;
            all = 1;
        }
    }
    return all;
}

static int start_leading(struct core *core, uint64_t now_ms)
{
    size_t numbers = (size_t)core->state.next_vm_number + 1;

    if (core->led_term != core_log_term(core->log)) {
        core->failed_ms.count = core->running_ms.count = core->move_ms.count = 0;
        core->fence_given.count = 0;
        core->led_term = core_log_term(core->log);
        core->planned = 0;
    }
    while (core->failed_ms.count < numbers) {
        if (hw_vector_push(&core->failed_ms, now_ms) < 0)
            return -ENOMEM;
    }
    while (core->running_ms.count < numbers) {
        if (hw_vector_push(&core->running_ms, now_ms) < 0)
            return -ENOMEM;
    }
    while (core->move_ms.count < numbers) {
        if (hw_vector_push(&core->move_ms, 0) < 0)
            return -ENOMEM;
    }
    return 0;
}

int core_lead(struct core *core, uint64_t now_ms, core_actions *actions)
{
    int rc;

    if (!core_may_decide(core))
        return 0;
    rc = start_leading(core, now_ms);
    if (rc == 0)
        rc = lead_nodes(core, now_ms, actions);
    if (rc == 0)
        rc = lead_reports(core, actions);
    if (rc == 0)
        rc = core_lead_proofs(core, now_ms, actions);
    if (rc == 0)
        rc = lead_fencing(core, now_ms, actions);
    if (rc == 0)
        rc = lead_votes(core, actions);
    if (rc == 0 && (core->planned != core->state.index || now_ms >= core->plan_ms))
        rc = core_lead_vms(core, now_ms, actions);
    return rc < 0 ? rc : 0;
}
