/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders, applied to the state. What needs memory is done before anything is changed.
 */
#include <config.h>

#include "clusterd/core/core_apply_priv.h"

#include "clusterd/core/core_executor.h"

#include <errno.h>
#include <stdbool.h>

static void revoke_node(struct core_state *state, const struct core_node *node, uint64_t index)
{
    for (size_t i = 0; i < state->vms.count; i++) {
        struct core_vm *vm = &state->vms.items[i];

        if (core_apply_revoke_on(vm, node->id, index) == 0)
            continue;
        if (vm->phase == CORE_VM_MOVING) /* what the LUN says decides */
            vm->saved = CORE_SAVED_UNKNOWN;
        core_apply_settle(vm);
    }
    core_apply_note_revoked(state, index);
}

static int apply_config(struct core_state *state, uint64_t index, const struct core_order *order)
{
    int rc;

    (void)index;
    if (order->index != state->cluster.revision)
        return -ESTALE;
    rc = core_apply_config(state, order->text_size > 0 ? order->text : "", order->text_size);
    for (size_t i = 0; rc == 0 && i < state->vms.count; i++)
        core_apply_settle(&state->vms.items[i]);
    return rc;
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
            core_apply_settle(vm);
    }
    node->fence_order = 0;
    node->state = CORE_NODE_LOST;
    return 0;
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
        apply_config,       core_apply_want,  apply_mode,         apply_join,
        apply_lost,         core_apply_grant, core_apply_revoke,  core_apply_stopped,
        core_apply_running, core_apply_prove, core_apply_seen,    apply_fence,
        apply_fenced,       core_apply_clear, core_apply_forgive, core_apply_move,
        core_apply_stays,
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
