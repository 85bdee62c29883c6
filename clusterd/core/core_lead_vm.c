/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the leader proposes for VMs: proofs that an earlier copy has stopped as soon as they are
 * due, grants, and revokes.
 */
#include <config.h>

#include "clusterd/core/core_step_priv.h"

#include "clusterd/core/core_executor.h"
#include "clusterd/core/core_failure.h"
#include "clusterd/core/core_placement.h"
#include "clusterd/core/core_recovery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What members' beats say about how old the newest beat of `node` is. */
static size_t collect_ages(const struct core *core, uint32_t node, uint64_t now_ms,
                           struct core_age ages[CORE_VOTERS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < core->peers.count && count < CORE_VOTERS_MAX; i++) {
        const struct core_peer *peer = &core->peers.items[i];
        uint64_t age_ms = peer->beat.unheard_ms;

        if (!peer->has_beat)
            continue;
        for (uint32_t k = 0; k < peer->beat.count; k++) {
            if (peer->beat.acks[k].id == node)
                age_ms = peer->beat.acks[k].age_ms;
        }
        ages[count++] = (struct core_age) { .from = peer->id,
                                            .age_ms = age_ms,
                                            .delivered = peer->beat.applied,
                                            .since_ms = now_ms - peer->beat_ms };
    }
    return count;
}

/* Proof (c) of one executor: due now? */
static bool member_due(const struct core *core, const struct core_executor *executor,
                       const struct core_age *ages, size_t count)
{
    uint64_t wait_ms;

    return executor->lease == CORE_LEASE_MEMBER && executor->revoked != 0 &&
           core_executor_member_due(&core->timing, core_log_map(core->log), executor, ages, count,
                                    &wait_ms) == 0 &&
           wait_ms == 0;
}

/* Proof (d): the newest generation has preempted all before it, and so long ago. */
static bool storage_due(const struct core *core, const struct core_vm *vm,
                        const struct core_executor *executor, uint64_t now_ms)
{
    const struct core_report_item *claim = NULL;
    const struct core_peer *peer = NULL;

    if (executor->lease != CORE_LEASE_STORAGE || executor->revoked == 0 ||
        executor->generation >= vm->generation)
        return false;
    for (size_t i = 0; i < vm->executors.count; i++) {
        if (vm->executors.items[i].generation != vm->generation)
            continue;
        peer = core_peer_find(core, vm->executors.items[i].node_id);
        claim = core_reported(core, vm->executors.items[i].node_id, vm->number, vm->generation);
    }
    return claim != NULL && claim->run >= CORE_RUN_CLAIMED && claim->run < CORE_RUN_STOPPING &&
           core_timing_store_wait_ms(&core->timing, executor->store_ms,
                                     claim->since_ms + (now_ms - peer->report_ms)) == 0;
}

static int prove(struct core *core, const struct core_vm *vm, const struct core_executor *executor,
                 core_actions *actions)
{
    struct core_order order = { .kind = CORE_ORDER_PROVE,
                                .node = executor->node_id,
                                .generation = executor->generation };

    order.value =
        executor->lease == CORE_LEASE_MEMBER ? CORE_PROOF_MEMBER_LEASE : CORE_PROOF_STORAGE_LEASE;
    memcpy(order.object, vm->name, sizeof(order.object));
    return core_propose(core, &order, actions);
}

/* All that the node has under its member lease, in one entry, if all of it is due. */
static int prove_node(struct core *core, const struct core_node *node, uint64_t now_ms,
                      core_actions *actions)
{
    struct core_order order = { .kind = CORE_ORDER_PROVE,
                                .node = node->id,
                                .value = CORE_PROOF_MEMBER_LEASE,
                                .index = core->state.index };
    struct core_age ages[CORE_VOTERS_MAX];
    size_t count = collect_ages(core, node->id, now_ms, ages), due = 0, others = 0;
    int rc = 0;

    for (size_t i = 0; i < core->state.vms.count; i++) {
        const struct core_vm *vm = &core->state.vms.items[i];

        for (size_t k = 0; k < vm->executors.count; k++) {
            const struct core_executor *executor = &vm->executors.items[k];

            if (executor->node_id != node->id || executor->lease != CORE_LEASE_MEMBER ||
                executor->revoked == 0)
                continue;
            if (member_due(core, executor, ages, count))
                due++;
            else
                others++;
        }
    }
    if (due == 0)
        return 0;
    if (others == 0) {
        rc = core_propose(core, &order, actions);
        return rc < 0 ? rc : 1;
    }
    for (size_t i = 0; rc >= 0 && i < core->state.vms.count; i++) {
        const struct core_vm *vm = &core->state.vms.items[i];

        for (size_t k = 0; rc >= 0 && k < vm->executors.count; k++) {
            if (vm->executors.items[k].node_id == node->id &&
                member_due(core, &vm->executors.items[k], ages, count))
                rc = prove(core, vm, &vm->executors.items[k], actions);
        }
    }
    return rc < 0 ? rc : 1;
}

static bool awaits_proof(const struct core_state *state)
{
    for (size_t i = 0; i < state->vms.count; i++) {
        for (size_t k = 0; k < state->vms.items[i].executors.count; k++) {
            if (state->vms.items[i].executors.items[k].revoked != 0)
                return true;
        }
    }
    return false;
}

int core_lead_proofs(struct core *core, uint64_t now_ms, core_actions *actions)
{
    int rc = 0, all = 0;

    if (!awaits_proof(&core->state))
        return 0;
    for (size_t i = 0; i < core->state.nodes.count; i++) {
        rc = prove_node(core, &core->state.nodes.items[i], now_ms, actions);
        if (rc < 0)
            return rc;
        all = rc > 0 ? 1 : all;
    }
    for (size_t i = 0; i < core->state.vms.count; i++) {
        const struct core_vm *vm = &core->state.vms.items[i];

        for (size_t k = 0; k < vm->executors.count; k++) {
            if (!storage_due(core, vm, &vm->executors.items[k], now_ms))
                continue;
            rc = prove(core, vm, &vm->executors.items[k], actions);
            if (rc < 0)
                return rc;
            all = 1;
        }
    }
    return all;
}

static bool has_live(const struct core_vm *vm)
{
    for (size_t i = 0; i < vm->executors.count; i++) {
        if (vm->executors.items[i].revoked == 0)
            return true;
    }
    return false;
}

static bool is_allowed(uint32_t verdict)
{
    return verdict == CORE_VERDICT_CHOSEN || verdict == CORE_VERDICT_STAYS ||
           verdict == CORE_VERDICT_SCORE || verdict == CORE_VERDICT_FREE ||
           verdict == CORE_VERDICT_NAME;
}

/* It is somewhere where it may not be, and has another place; or it is not at home, and may be. Who
 * only could be better placed stays. */
static bool is_misplaced(const struct core *core, const struct core_placement *placement, size_t at)
{
    const struct core_vm *vm = &core->state.vms.items[at];
    const struct core_node *node =
        vm->node[0] != '\0' ? core_node_find(&core->state, vm->node) : NULL;
    uint32_t verdict;

    if (node == NULL || placement->node[at] == CORE_PLACEMENT_NOWHERE ||
        &core->state.nodes.items[placement->node[at]] == node)
        return false;
    verdict = placement->verdicts[at * placement->nodes + (size_t)(node - core->state.nodes.items)];
    return !is_allowed(verdict) ||
           strcmp(vm->home, core->state.nodes.items[placement->node[at]].name) == 0;
}

/* Where it goes: to the target of its move, if that may have it still. */
static uint16_t choose(const struct core *core, const struct core_placement *placement, size_t at)
{
    const struct core_vm *vm = &core->state.vms.items[at];
    const struct core_node *target =
        vm->target[0] != '\0' ? core_node_find(&core->state, vm->target) : NULL;
    size_t number = target != NULL ? (size_t)(target - core->state.nodes.items) : 0;

    if (target != NULL && is_allowed(placement->verdicts[at * placement->nodes + number]))
        return (uint16_t)number;
    return placement->node[at];
}

static size_t count_moving(const struct core_state *state)
{
    size_t moving = 0;

    for (size_t i = 0; i < state->vms.count; i++)
        moving += state->vms.items[i].phase == CORE_VM_MOVING;
    return moving;
}

/* A planned move keeps what the guest has in memory, unless the admin said otherwise. It comes home
 * again if it is only its node that is to be empty. */
static void move(const struct core *core, const struct core_placement *placement, size_t at,
                 struct core_order *order)
{
    const struct core_vm *vm = &core->state.vms.items[at];
    const struct core_node *node = core_node_find(&core->state, vm->node);

    order->kind = CORE_ORDER_MOVE;
    order->node = core->state.nodes.items[placement->node[at]].id;
    order->value = node->mode != CORE_MODE_ONLINE && vm->on_drain == CORE_ON_DRAIN_SHUTDOWN
                       ? CORE_VIA_RESTART
                       : CORE_VIA_SAVE;
    order->generation = node->mode != CORE_MODE_ONLINE && vm->home[0] == '\0' ? 1 : 0;
}

static bool failed_too_often(const struct core_vm *vm)
{
    for (size_t i = 0; i < vm->failures.count; i++) {
        if (vm->failures.items[i].count > vm->restarts)
            return true;
    }
    return false;
}

/* One order for one VM at most. */
static int lead_vm(struct core *core, const struct core_placement *placement,
                   const struct core_recovery *recovery, size_t at, uint64_t now_ms, size_t *moving,
                   core_actions *actions)
{
    const struct core_vm *vm = &core->state.vms.items[at];
    struct core_order order = { .kind = 0 };

    memcpy(order.object, vm->name, sizeof(order.object));
    if (has_live(vm) && vm->wanted == CORE_WANT_STOPPED) {
        order.kind = CORE_ORDER_REVOKE;
    } else if (vm->phase == CORE_VM_RUNNING && *moving > 0 &&
               now_ms >= core->move_ms.items[vm->number] && is_misplaced(core, placement, at)) {
        (*moving)--;
        move(core, placement, at, &order);
    } else if (recovery->waits[at] == CORE_WAIT_START) {
        order.kind = CORE_ORDER_GRANT;
        order.node = core->state.nodes.items[choose(core, placement, at)].id;
        if (core_generation_next(&core->state, vm, &order.generation) < 0)
            return 0; /* the numbers are used up: said by `waiting`, never wrapped */
    } else if (recovery->waits[at] == CORE_WAIT_NOWHERE && failed_too_often(vm) &&
               now_ms - core->failed_ms.items[vm->number] >= core->timing.backoff_most_ms) {
        order.kind = CORE_ORDER_FORGIVE;
    } else if (vm->phase == CORE_VM_RUNNING && vm->failures.count > 0 &&
               now_ms - core->running_ms.items[vm->number] >= core->timing.stable_ms) {
        order.kind = CORE_ORDER_CLEAR;
    }
    return order.kind != 0 ? core_propose(core, &order, actions) : 0;
}

/* The last failure of each VM, by its place in the state. */
static int collect_failed(const struct core *core, uint64_t **ret_failed_ms)
{
    uint64_t *failed_ms = calloc(core->state.vms.count + 1, sizeof(*failed_ms));

    if (failed_ms == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < core->state.vms.count; i++)
        failed_ms[i] = core->failed_ms.items[core->state.vms.items[i].number];
    *ret_failed_ms = failed_ms;
    return 0;
}

int core_lead_vms(struct core *core, uint64_t now_ms, core_actions *actions)
{
    struct core_placement placement;
    struct core_recovery recovery;
    uint64_t *failed_ms;
    size_t moving; /* so many more may be moved at a time */
    int rc = core_placement_make(&core->state, &placement);

    if (rc < 0)
        return rc;
    rc = collect_failed(core, &failed_ms);
    if (rc == 0) {
        rc = core_recovery_make(&core->state, &core->timing, &placement, failed_ms, now_ms,
                                &recovery);
        free(failed_ms);
    }
    if (rc < 0) {
        core_placement_free(&placement);
        return rc;
    }
    moving =
        core->state.cluster.parallel > 0 ? core->state.cluster.parallel : CORE_RECOVERY_PARALLEL;
    moving = moving > count_moving(&core->state) ? moving - count_moving(&core->state) : 0;
    core->planned = core->state.index;
    core->plan_ms = now_ms + CORE_PLAN_TICKS * (uint64_t)core->timing.beat_ms;
    if (recovery.next_ms < core->plan_ms)
        core->plan_ms = recovery.next_ms;
    for (size_t i = 0; rc == 0 && i < core->state.vms.count; i++)
        rc = lead_vm(core, &placement, &recovery, i, now_ms, &moving, actions);
    if (rc < 0)
        core->planned = 0;
    core_recovery_free(&recovery);
    core_placement_free(&placement);
    return rc;
}
