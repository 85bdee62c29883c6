/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executor sets, generations and proofs of stop.
 */
#include <config.h>

#include "clusterd/core/core_executor.h"

#include <errno.h>
#include <string.h>

/* Blocks begin at 1, 17, 33 ...: generation 0 is no generation. */
static uint32_t block_after(uint32_t greatest)
{
    uint32_t blocks = (greatest + CORE_GENERATION_BLOCK - 1) / CORE_GENERATION_BLOCK;

    return blocks * CORE_GENERATION_BLOCK + 1;
}

int core_generation_next(const struct core_state *state, const struct core_vm *vm,
                         uint32_t *ret_first)
{
    /* all of the block granted last may have been used */
    uint32_t greatest = vm->generation > 0 ? vm->generation + CORE_GENERATION_BLOCK - 1 : 0, first;

    for (size_t i = 0; i < vm->disks.count; i++) {
        const struct core_lun *lun = core_lun_find(state, vm->disks.items[i].text);

        if (lun == NULL)
            return -ENOENT;
        if (lun->generation > greatest)
            greatest = lun->generation;
    }
#ifdef CORE_MUTATE_SAME_GENERATION
    greatest = 0;
#endif
    if (greatest > CORE_GENERATION_MAX)
        return -ERANGE;
    first = block_after(greatest);
    if (first > CORE_GENERATION_MAX - CORE_GENERATION_BLOCK + 1)
        return -ERANGE;
    *ret_first = first;
    return 0;
}

int core_generation_seen(struct core_state *state, const char *lun, uint32_t generation)
{
    struct core_lun *found = core_lun_find(state, lun);

    if (found == NULL)
        return -ENOENT;
    if (generation > CORE_GENERATION_MAX)
        return -ERANGE;
    if (generation > found->generation)
        found->generation = generation;
    return 0;
}

static struct core_executor *find(const struct core_vm *vm, uint32_t node_id, uint32_t generation)
{
    for (size_t i = 0; i < vm->executors.count; i++) {
        struct core_executor *executor = &vm->executors.items[i];

        if (executor->node_id == node_id && executor->generation == generation)
            return executor;
    }
    return NULL;
}

/* Sorted by node, then generation: part of the snapshot's form. */
static int insert(struct core_vm *vm, const struct core_executor *executor)
{
    size_t at = 0;

    if (vm->executors.count >= CORE_LIST_MAX)
        return -ENOSPC;
    while (at < vm->executors.count &&
           (vm->executors.items[at].node_id < executor->node_id ||
            (vm->executors.items[at].node_id == executor->node_id &&
             vm->executors.items[at].generation < executor->generation)))
        at++;
    return hw_vector_insert(&vm->executors, at, *executor);
}

int core_executor_grant(struct core_state *state, struct core_vm *vm, uint32_t node_id,
                        uint32_t first, uint64_t index)
{
    const struct core_node *node = core_node_by_id(state, node_id);
    struct core_executor executor = { .node_id = node_id, .generation = first, .granted = index };
    uint32_t next;
    int rc = core_generation_next(state, vm, &next);

    if (rc < 0)
        return rc;
    if (node == NULL)
        return -ENOENT;
    if (node->fence_order != 0) /* neither fed nor started until its fate is known */
        return -EPERM;
    if (first != next || index == 0)
        return -EINVAL;
    executor.deadman_ms = state->cluster.deadman_ms;
    if (node->deadman_ms > executor.deadman_ms)
        executor.deadman_ms = node->deadman_ms;
    executor.store_ms = state->cluster.store_ms;
    executor.lease = state->cluster.lease;
    rc = insert(vm, &executor);
    if (rc < 0)
        return rc;
    vm->generation = first;
    return 0;
}

size_t core_executor_revoke(struct core_vm *vm, uint32_t keep_generation, uint64_t index)
{
    size_t revoked = 0;

    for (size_t i = 0; i < vm->executors.count; i++) {
        struct core_executor *executor = &vm->executors.items[i];

        if (executor->revoked != 0 ||
            (keep_generation != 0 && executor->generation == keep_generation))
            continue;
        executor->revoked = index;
        revoked++;
    }
    return revoked;
}

void core_executor_lengthen(struct core_vm *vm, uint32_t node_id, uint32_t deadman_ms,
                            uint32_t store_ms)
{
    for (size_t i = 0; i < vm->executors.count; i++) {
        struct core_executor *executor = &vm->executors.items[i];

        if (executor->node_id != node_id)
            continue;
        if (deadman_ms > executor->deadman_ms)
            executor->deadman_ms = deadman_ms;
        if (store_ms > executor->store_ms)
            executor->store_ms = store_ms;
    }
}

int core_executor_check(const struct core_state *state, const struct core_vm *vm, uint32_t node_id,
                        uint32_t generation, enum core_proof proof)
{
    const struct core_executor *executor = find(vm, node_id, generation);
    const struct core_node *node = core_node_by_id(state, node_id);

    if (executor == NULL)
        return -ENOENT;
    switch (proof) {
    case CORE_PROOF_REPORT:
        return 0;
    case CORE_PROOF_AGENT:
        /* the order is an entry: what was granted after it is another life of the node */
        return node != NULL && node->fence_order != 0 && executor->granted < node->fence_order
                   ? 0
                   : -EPERM;
    case CORE_PROOF_MEMBER_LEASE:
        return executor->lease == CORE_LEASE_MEMBER && executor->revoked != 0 ? 0 : -EPERM;
    case CORE_PROOF_STORAGE_LEASE:
        return executor->lease == CORE_LEASE_STORAGE && executor->revoked != 0 ? 0 : -EPERM;
    default:
        return -EINVAL;
    }
}

int core_executor_prove(const struct core_state *state, struct core_vm *vm, uint32_t node_id,
                        uint32_t generation, enum core_proof proof)
{
    int rc = core_executor_check(state, vm, node_id, generation, proof);
    struct core_executor *executor = find(vm, node_id, generation);

    if (rc < 0)
        return rc;
    hw_vector_remove(&vm->executors, (size_t)(executor - vm->executors.items));
    return 0;
}

size_t core_executor_prove_node(const struct core_state *state, struct core_vm *vm,
                                uint32_t node_id, enum core_proof proof, uint64_t until)
{
    size_t proven = 0;

    for (size_t i = vm->executors.count; i > 0; i--) {
        const struct core_executor *executor = &vm->executors.items[i - 1];

        if (executor->node_id != node_id || executor->granted > until ||
            (proof != CORE_PROOF_AGENT && executor->revoked > until) ||
            core_executor_check(state, vm, node_id, executor->generation, proof) < 0)
            continue;
        hw_vector_remove(&vm->executors, i - 1);
        proven++;
    }
    return proven;
}

bool core_executor_may_start(const struct core_vm *vm, uint32_t node_id, uint32_t generation)
{
    const struct core_executor *executor = find(vm, node_id, generation);

    return vm->executors.count == 1 && executor != NULL && executor->revoked == 0 &&
           generation == vm->generation;
}

struct answers {
    const struct core_executor *executor;
    const struct core_age *ages;
    size_t count;
};

static bool counts(const struct core_executor *executor, const struct core_age *age)
{
    return executor->revoked != 0 && age->delivered >= executor->revoked &&
           age->from != executor->node_id;
}

static bool has_answered(void *context, uint32_t id)
{
    const struct answers *answers = context;

    for (size_t i = 0; i < answers->count; i++) {
        if (answers->ages[i].from == id && counts(answers->executor, &answers->ages[i]))
            return true;
    }
    return false;
}

/* The smallest age of all that count, whoever they are: one of them may be of the majority that
 * acknowledged the newest beat. */
int core_executor_member_due(const struct core_timing *timing, const struct core_vote_map *map,
                             const struct core_executor *executor, const struct core_age *ages,
                             size_t count, uint64_t *ret_wait_ms)
{
    struct answers answers = { executor, ages, count };
    uint64_t smallest = UINT64_MAX;

    if (!core_vote_map_majority(map, has_answered, &answers))
        return -EAGAIN;
    for (size_t i = 0; i < count; i++) {
        uint64_t age;

        if (!counts(executor, &ages[i]))
            continue;
        if (__builtin_add_overflow(ages[i].age_ms, ages[i].since_ms, &age))
            age = UINT64_MAX;
        if (age < smallest)
            smallest = age;
    }
    *ret_wait_ms = core_timing_member_wait_ms(timing, executor->deadman_ms, smallest);
    return 0;
}
