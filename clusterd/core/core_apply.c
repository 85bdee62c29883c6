/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders, applied to the state. What needs memory is done before anything is changed.
 */
#include <config.h>

#include "clusterd/core/core_apply.h"

#include "clusterd/core/core_executor.h"
#include "clusterd/core/core_failure.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static void name_clear(char field[CORE_NAME_BYTES])
{
    memset(field, 0, CORE_NAME_BYTES);
}

static bool has_live(const struct core_vm *vm)
{
    for (size_t i = 0; i < vm->executors.count; i++) {
        if (vm->executors.items[i].revoked == 0)
            return true;
    }
    return false;
}

/* Nobody who may go on has it: where it stands follows from what is wanted, and what is left. */
static void settle(struct core_vm *vm)
{
    if (has_live(vm))
        return;
    name_clear(vm->node);
    if (vm->wanted == CORE_WANT_STOPPED)
        vm->phase = vm->executors.count > 0 ? CORE_VM_STOPPING : CORE_VM_STOPPED;
    else if (vm->phase != CORE_VM_FAILED)
        vm->phase = CORE_VM_WAITING;
}

/* What a node has of this VM; what others have stays. */
static size_t revoke_on(struct core_vm *vm, uint32_t node, uint64_t index)
{
    size_t revoked = 0;

    for (size_t i = 0; i < vm->executors.count; i++) {
        struct core_executor *executor = &vm->executors.items[i];

        if (executor->revoked != 0 || executor->node_id != node)
            continue;
        executor->revoked = index;
        revoked++;
    }
    return revoked;
}

/* A node from which something was taken has to know of it before its beats count again. */
static void note_revoked(struct core_state *state, uint64_t index)
{
    for (size_t i = 0; i < state->vms.count; i++) {
        const struct core_vm *vm = &state->vms.items[i];

        for (size_t k = 0; k < vm->executors.count; k++) {
            const struct core_executor *executor = &vm->executors.items[k];
            struct core_node *node = core_node_by_id(state, executor->node_id);

            if (executor->revoked == index && node != NULL)
                node->revoked = index;
        }
    }
}

static void revoke_node(struct core_state *state, const struct core_node *node, uint64_t index)
{
    for (size_t i = 0; i < state->vms.count; i++) {
        struct core_vm *vm = &state->vms.items[i];

        if (revoke_on(vm, node->id, index) > 0)
            settle(vm);
    }
    note_revoked(state, index);
}

static int apply_config(struct core_state *state, uint64_t index, const struct core_order *order)
{
    int rc;

    (void)index;
    if (order->index != state->cluster.revision)
        return -ESTALE;
    rc = core_apply_config(state, order->text_size > 0 ? order->text : "", order->text_size);
    for (size_t i = 0; rc == 0 && i < state->vms.count; i++)
        settle(&state->vms.items[i]);
    return rc;
}

static int apply_want(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    (void)index;
    if (vm == NULL)
        return -ENOENT;
    if (order->value != CORE_WANT_STOPPED && order->value != CORE_WANT_RUNNING)
        return -EINVAL;
    vm->wanted = order->value;
    settle(vm);
    return 0;
}

static int apply_mode(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_node *node = core_node_by_id(state, order->node);

    (void)index;
    if (node == NULL)
        return -ENOENT;
    if (order->value >= CORE_MODE_COUNT)
        return -EINVAL;
    node->mode = order->value;
    return 0;
}

static int apply_join(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_node *node = core_node_by_id(state, order->node);

    (void)index;
    if (node == NULL)
        return -ENOENT;
    if (node->fence_order != 0) /* not before its fate is known */
        return -EPERM;
    node->state = CORE_NODE_ONLINE;
    node->incarnation = order->index;
    return 0;
}

static int apply_lost(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_node *node = core_node_by_id(state, order->node);

    if (node == NULL)
        return -ENOENT;
    if (order->value != CORE_NODE_LOST && order->value != CORE_NODE_UNFIT)
        return -EINVAL;
    if (node->fence_order == 0)
        node->state = order->value;
    revoke_node(state, node, index);
    return 0;
}

static int apply_grant(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);
    const struct core_node *node = core_node_by_id(state, order->node);
    int rc;

    if (vm == NULL || node == NULL)
        return -ENOENT;
    if (node->state != CORE_NODE_ONLINE)
        return -EPERM;
    if (has_live(vm) || vm->wanted == CORE_WANT_STOPPED)
        return -EBUSY;
#ifdef CORE_MUTATE_FORGET_EXECUTORS
    vm->executors.count = 0;
#endif
    rc = core_executor_grant(state, vm, node->id, order->generation, index);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < vm->disks.count; i++) /* outlives the VM: its LUN may be another's */
        (void)core_generation_seen(state, vm->disks.items[i].text,
                                   order->generation + CORE_GENERATION_BLOCK - 1);
    memcpy(vm->node, node->name, sizeof(vm->node));
    vm->phase = CORE_VM_STARTING;
    return 0;
}

static int apply_revoke(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    if (vm == NULL)
        return -ENOENT;
    if (core_executor_revoke(vm, 0, index) == 0)
        return -EALREADY;
    note_revoked(state, index);
    settle(vm);
    return 0;
}

static int apply_stopped(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);
    const struct core_node *node = core_node_by_id(state, order->node);
    bool was_live, failed;
    int rc;

    (void)index;
    if (vm == NULL || node == NULL)
        return -ENOENT;
    if (order->value >= CORE_STOP_COUNT)
        return -EINVAL;
    rc = core_executor_check(state, vm, node->id, order->generation, CORE_PROOF_REPORT);
    if (rc < 0)
        return rc;
    was_live = has_live(vm) && order->generation == vm->generation;
    failed = was_live && (order->value == CORE_STOP_FAILED || order->value == CORE_STOP_CRASHED);
    if (failed)
        rc = core_failure_add(vm, node->name);
    if (rc < 0)
        return rc;
    (void)core_executor_prove(state, vm, node->id, order->generation, CORE_PROOF_REPORT);
    if (was_live && order->value == CORE_STOP_SHUTDOWN)
        vm->wanted = CORE_WANT_STOPPED;
    if (failed)
        vm->phase = CORE_VM_FAILED;
    else if (was_live)
        vm->phase = CORE_VM_WAITING;
    settle(vm);
    return 0;
}

static int apply_running(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    (void)index;
    if (vm == NULL)
        return -ENOENT;
    if (!core_executor_may_start(vm, order->node, order->generation))
        return -EPERM;
    vm->phase = CORE_VM_RUNNING;
    return 0;
}

static int apply_prove(struct core_state *state, uint64_t index, const struct core_order *order)
{
    size_t proven = 0;
    int rc;

    (void)index;
    if (order->value != CORE_PROOF_MEMBER_LEASE && order->value != CORE_PROOF_STORAGE_LEASE)
        return -EINVAL; /* a report and an agent have orders of their own */
    if (order->object[0] != '\0') {
        struct core_vm *vm = core_vm_find(state, order->object);

        if (vm == NULL)
            return -ENOENT;
        rc = core_executor_prove(state, vm, order->node, order->generation,
                                 (enum core_proof)order->value);
        if (rc == 0)
            settle(vm);
        return rc;
    }
    for (size_t i = 0; i < state->vms.count; i++) {
        struct core_vm *vm = &state->vms.items[i];
        size_t here = core_executor_prove_node(state, vm, order->node,
                                               (enum core_proof)order->value, order->index);

        proven += here;
        if (here > 0)
            settle(vm);
    }
    return proven > 0 ? 0 : -ENOENT;
}

static int apply_seen(struct core_state *state, uint64_t index, const struct core_order *order)
{
    const struct core_vm *vm = core_vm_find(state, order->object);

    (void)index;
    if (vm == NULL)
        return -ENOENT;
    if (order->generation > CORE_GENERATION_MAX)
        return -ERANGE;
    for (size_t i = 0; i < vm->disks.count; i++)
        (void)core_generation_seen(state, vm->disks.items[i].text, order->generation);
    return 0;
}

static int apply_fence(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_node *node = core_node_by_id(state, order->node);

    if (node == NULL)
        return -ENOENT;
    if (node->fence_order != 0)
        return -EALREADY;
    node->fence_order = index;
    node->state = CORE_NODE_FENCING;
    revoke_node(state, node, index);
    return 0;
}

/* Of this order only: a late agent of an earlier one says nothing about the node's present life. */
static int apply_fenced(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_node *node = core_node_by_id(state, order->node);

    (void)index;
    if (node == NULL)
        return -ENOENT;
    if (node->fence_order == 0 || node->fence_order != order->index)
        return -ESTALE;
    for (size_t i = 0; order->value == 1 && i < state->vms.count; i++) {
        struct core_vm *vm = &state->vms.items[i];

        if (core_executor_prove_node(state, vm, node->id, CORE_PROOF_AGENT, order->index) > 0)
            settle(vm);
    }
    node->fence_order = 0;
    node->state = CORE_NODE_LOST;
    return 0;
}

static int apply_clear(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);
    const struct core_node *node = core_node_by_id(state, order->node);

    (void)index;
    if (vm == NULL || (order->node != 0 && node == NULL))
        return -ENOENT;
    core_failure_clear(vm, node != NULL ? node->name : NULL);
    return 0;
}

static int apply_forgive(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    (void)index;
    if (vm == NULL)
        return -ENOENT;
    return core_failure_forgive(vm) ? 0 : -EALREADY;
}

/* A member asks for one thing after the other, again and again until it sees it here: what comes a
 * second time was done. */
static bool is_repeated(const struct core_state *state, const struct core_order *order)
{
    const struct core_node *node = core_node_by_id(state, order->from);

    return order->from != 0 && node != NULL && node->requester == order->incarnation &&
           order->request <= node->request;
}

static void note_request(struct core_state *state, const struct core_order *order)
{
    struct core_node *node = core_node_by_id(state, order->from);

    if (order->from == 0 || node == NULL)
        return;
    node->requester = order->incarnation;
    node->request = order->request;
}

static int apply_order(struct core_state *state, uint64_t index, const struct core_order *order)
{
    static int (*const applies[])(struct core_state *, uint64_t, const struct core_order *) = {
        apply_config, apply_want,   apply_mode,    apply_join,    apply_lost,
        apply_grant,  apply_revoke, apply_stopped, apply_running, apply_prove,
        apply_seen,   apply_fence,  apply_fenced,  apply_clear,   apply_forgive,
    };

    _Static_assert(sizeof(applies) / sizeof(applies[0]) == CORE_ORDER_END - CORE_ENTRY_USER,
                   "one for each kind of order");
    return applies[order->kind - CORE_ENTRY_USER](state, index, order);
}

int core_apply(struct core_state *state, const struct core_entry *entry,
               struct core_order *ret_order, int *ret_result)
{
    struct core_order order = { 0 };
    int result = 0;

    if (entry->kind >= CORE_ENTRY_USER) {
        result = core_order_decode(entry->bytes, entry->size, &order);
        if (result == 0 && order.kind != entry->kind)
            result = -EBADMSG;
        if (result == 0 && is_repeated(state, &order))
            result = -EALREADY;
        else if (result == 0) {
            result = apply_order(state, entry->index, &order);
            if (result != -ENOMEM)
                note_request(state, &order);
        }
        /* what others can read and this release cannot must not be passed over */
        if (result == -ENOMEM || result == -EPROTONOSUPPORT)
            return result;
    }
    state->term = entry->term;
    state->index = entry->index;
    *ret_order = order;
    *ret_result = result;
    return 0;
}
