/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders about one VM, applied to the state.
 */
#include <config.h>

#include "clusterd/core/core_apply_priv.h"

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
void core_apply_settle(struct core_vm *vm)
{
    if (has_live(vm))
        return;
    name_clear(vm->node);
    if (vm->wanted == CORE_WANT_STOPPED) {
        vm->phase = vm->executors.count > 0 ? CORE_VM_STOPPING : CORE_VM_STOPPED;
        name_clear(vm->target);
    } else if (vm->phase != CORE_VM_FAILED) {
        vm->phase = CORE_VM_WAITING;
    }
}

/* What a node has of this VM; what others have stays. */
size_t core_apply_revoke_on(struct core_vm *vm, uint32_t node, uint64_t index)
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
void core_apply_note_revoked(struct core_state *state, uint64_t index)
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

int core_apply_want(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    (void)index;
    if (vm == NULL)
        return -ENOENT;
    if (order->value != CORE_WANT_STOPPED && order->value != CORE_WANT_RUNNING)
        return -EINVAL;
    vm->wanted = order->value;
    core_apply_settle(vm);
    return 0;
}

int core_apply_grant(struct core_state *state, uint64_t index, const struct core_order *order)
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
    name_clear(vm->target);
    vm->phase = CORE_VM_STARTING;
    return 0;
}

int core_apply_revoke(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    if (vm == NULL)
        return -ENOENT;
    if (core_executor_revoke(vm, 0, index) == 0)
        return -EALREADY;
    core_apply_note_revoked(state, index);
    core_apply_settle(vm);
    return 0;
}

int core_apply_stopped(struct core_state *state, uint64_t index, const struct core_order *order)
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
    if (was_live && order->value == CORE_STOP_SAVED)
        vm->saved = CORE_SAVED_COMMITTED;
    if (failed)
        vm->phase = CORE_VM_FAILED;
    else if (was_live)
        vm->phase = CORE_VM_WAITING;
    core_apply_settle(vm);
    return 0;
}

int core_apply_running(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    (void)index;
    if (vm == NULL)
        return -ENOENT;
    if (!core_executor_may_start(vm, order->node, order->generation))
        return -EPERM;
    if (vm->phase != CORE_VM_STARTING)
        return -EALREADY;
    vm->phase = CORE_VM_RUNNING;
    vm->saved = CORE_SAVED_NONE; /* any start consumes it */
    if (strcmp(vm->home, vm->node) == 0)
        name_clear(vm->home);
    return 0;
}

int core_apply_prove(struct core_state *state, uint64_t index, const struct core_order *order)
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
            core_apply_settle(vm);
        return rc;
    }
    for (size_t i = 0; i < state->vms.count; i++) {
        struct core_vm *vm = &state->vms.items[i];
        size_t here = core_executor_prove_node(state, vm, order->node,
                                               (enum core_proof)order->value, order->index);

        proven += here;
        if (here > 0)
            core_apply_settle(vm);
    }
    return proven > 0 ? 0 : -ENOENT;
}

int core_apply_seen(struct core_state *state, uint64_t index, const struct core_order *order)
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

int core_apply_clear(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);
    const struct core_node *node = core_node_by_id(state, order->node);

    (void)index;
    if (vm == NULL || (order->node != 0 && node == NULL))
        return -ENOENT;
    core_failure_clear(vm, node != NULL ? node->name : NULL);
    return 0;
}

int core_apply_forgive(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    (void)index;
    if (vm == NULL)
        return -ENOENT;
    return core_failure_forgive(vm) ? 0 : -EALREADY;
}

int core_apply_move(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);
    const struct core_node *node = core_node_by_id(state, order->node);

    if (vm == NULL || node == NULL)
        return -ENOENT;
    if (order->value >= CORE_VIA_COUNT)
        return -EINVAL;
    if (node->state != CORE_NODE_ONLINE || node->mode != CORE_MODE_ONLINE)
        return -EPERM;
    if (vm->phase != CORE_VM_RUNNING || vm->executors.count != 1)
        return -EBUSY;
    if (strcmp(vm->node, node->name) == 0)
        return -EALREADY;
    if (order->generation != 0 && vm->home[0] == '\0')
        memcpy(vm->home, vm->node, sizeof(vm->home));
    else if (order->generation == 0 && strcmp(vm->home, node->name) != 0)
        name_clear(vm->home); /* an admin wants it there */
    memcpy(vm->target, node->name, sizeof(vm->target));
    vm->via = order->value;
    vm->moved = index;
    vm->move_count++;
    vm->phase = CORE_VM_MOVING;
    if (vm->via == CORE_VIA_RESTART) {
        (void)core_executor_revoke(vm, 0, index);
        core_apply_note_revoked(state, index);
        core_apply_settle(vm);
    }
    return 0;
}

int core_apply_stays(struct core_state *state, uint64_t index, const struct core_order *order)
{
    struct core_vm *vm = core_vm_find(state, order->object);

    (void)index;
    if (vm == NULL)
        return -ENOENT;
    if (vm->phase != CORE_VM_MOVING || vm->moved != order->index)
        return -ESTALE;
    vm->phase = CORE_VM_RUNNING;
    name_clear(vm->target);
    if (strcmp(vm->home, vm->node) == 0)
        name_clear(vm->home);
    return 0;
}
