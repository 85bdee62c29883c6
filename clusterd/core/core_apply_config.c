/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new configuration under a running cluster: the parsed objects take over what became of those of
 * the same name. Parsing is all that can fail for want of memory, and comes first.
 */
#include <config.h>

#include "clusterd/core/core_apply.h"

#include "clusterd/core/core_config.h"
#include "clusterd/core/core_votes.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool same_disks(const struct core_vm *left, const struct core_vm *right)
{
    if (left->disks.count != right->disks.count)
        return false;
    for (size_t i = 0; i < left->disks.count; i++) {
        if (strcmp(left->disks.items[i].text, right->disks.items[i].text) != 0)
            return false;
    }
    return true;
}

static bool has_executors(const struct core_state *state, uint32_t node)
{
    for (size_t i = 0; i < state->vms.count; i++) {
        const struct core_vm *vm = &state->vms.items[i];

        for (size_t k = 0; k < vm->executors.count; k++) {
            if (vm->executors.items[k].node_id == node)
                return true;
        }
    }
    return false;
}

/* An unfit node may be in the group still, with a table of its own: it has to be lost first. */
static int judge_nodes(const struct core_state *state, const struct core_state *next)
{
    if (next->nodes.count > CORE_VOTERS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < state->nodes.count; i++) {
        const struct core_node *node = &state->nodes.items[i];
        const struct core_node *same = core_node_find(next, node->name);

        if (same != NULL && same->id != node->id)
            return -EPERM;
        if (same == NULL && ((node->state != CORE_NODE_PENDING && node->state != CORE_NODE_LOST) ||
                             node->fence_order != 0 || has_executors(state, node->id)))
            return -EBUSY;
    }
    return 0;
}

static int judge_vms(const struct core_state *state, const struct core_state *next)
{
    for (size_t i = 0; i < state->vms.count; i++) {
        const struct core_vm *vm = &state->vms.items[i];
        const struct core_vm *same = core_vm_find(next, vm->name);

        if (vm->executors.count > 0 && (same == NULL || !same_disks(vm, same)))
            return -EBUSY;
    }
    return 0;
}

#define SWAP(left, right)                         \
    do {                                          \
        __typeof__(left) swap_ = (left);          \
        memcpy(&(left), &(right), sizeof(swap_)); \
        memcpy(&(right), &swap_, sizeof(swap_));  \
    } while (0)

static void keep_node(struct core_node *node, const struct core_node *before)
{
    memcpy(node->uuid, before->uuid, sizeof(node->uuid));
    node->mode = before->mode;
    node->maintenance_ms = before->maintenance_ms;
    node->state = before->state;
    node->deadman_ms = before->deadman_ms;
    node->fence_order = before->fence_order;
    node->incarnation = before->incarnation;
    memcpy(node->boot_id, before->boot_id, sizeof(node->boot_id));
    node->revoked = before->revoked;
    node->requester = before->requester;
    node->request = before->request;
}

static void keep_vm(struct core_vm *vm, struct core_vm *before)
{
    memcpy(vm->uuid, before->uuid, sizeof(vm->uuid));
    vm->number = before->number;
    vm->phase = before->phase;
    memcpy(vm->node, before->node, sizeof(vm->node));
    memcpy(vm->target, before->target, sizeof(vm->target));
    memcpy(vm->home, before->home, sizeof(vm->home));
    vm->via = before->via;
    vm->generation = before->generation;
    SWAP(vm->executors, before->executors);
    SWAP(vm->failures, before->failures);
    vm->saved = before->saved;
    SWAP(vm->waiting, before->waiting);
    vm->move_count = before->move_count;
    vm->restart_count = before->restart_count;
    vm->moved = before->moved;
}

static void keep_cluster(struct core_state *next, struct core_state *state)
{
    struct core_cluster *cluster = &next->cluster, *before = &state->cluster;

    memcpy(cluster->uuid, before->uuid, sizeof(cluster->uuid));
    cluster->revision = before->revision + 1;
    cluster->witness_node =
        strcmp(cluster->witness, before->witness) == 0 ? before->witness_node : 0;
    cluster->deadman_ms = before->deadman_ms;
    cluster->store_ms = before->store_ms;
    SWAP(cluster->properties, before->properties);
    next->term = state->term;
    next->index = state->index;
    next->next_vm_number = state->next_vm_number;
    SWAP(next->transactions, state->transactions);
}

static void keep_all(struct core_state *next, struct core_state *state)
{
    keep_cluster(next, state);
    for (size_t i = 0; i < next->nodes.count; i++) {
        const struct core_node *before = core_node_find(state, next->nodes.items[i].name);

        if (before != NULL)
            keep_node(&next->nodes.items[i], before);
    }
    for (size_t i = 0; i < next->luns.count; i++) {
        const struct core_lun *before = core_lun_find(state, next->luns.items[i].name);

        if (before == NULL)
            continue;
        next->luns.items[i].owner = before->owner;
        next->luns.items[i].generation = before->generation;
        next->luns.items[i].expected_key = before->expected_key;
    }
    for (size_t i = 0; i < next->vms.count; i++) {
        struct core_vm *before = core_vm_find(state, next->vms.items[i].name);

        if (before != NULL)
            keep_vm(&next->vms.items[i], before);
        else
            next->vms.items[i].number = ++next->next_vm_number;
    }
}

int core_apply_config(struct core_state *state, const char *text, size_t size)
{
    struct core_state next;
    int rc = core_config_parse(text, size, &next, NULL);

    if (rc < 0)
        return rc == -ENOMEM ? rc : -EINVAL;
    rc = judge_nodes(state, &next);
    if (rc == 0)
        rc = judge_vms(state, &next);
    if (rc < 0) {
        core_state_free(&next);
        return rc;
    }
    keep_all(&next, state);
    core_state_free(state);
    *state = next;
    return 0;
}
