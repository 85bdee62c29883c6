/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counts, sorted by node (part of the snapshot's form), and the pause that follows from one.
 */
#include <config.h>

#include "clusterd/core/core_failure.h"

#include <errno.h>
#include <string.h>

/* Where `node` is, or would be. */
static size_t place(const struct core_vm *vm, const char *node)
{
    size_t at = 0;

    while (at < vm->failures.count && strcmp(vm->failures.items[at].node, node) < 0)
        at++;
    return at;
}

static struct core_failure *find(const struct core_vm *vm, const char *node)
{
    const size_t at = place(vm, node);

    if (at == vm->failures.count || strcmp(vm->failures.items[at].node, node) != 0)
        return NULL;
    return &vm->failures.items[at];
}

int core_failure_add(struct core_vm *vm, const char *node)
{
    struct core_failure *failure = find(vm, node);
    struct core_failure new = { .count = 1 };

    if (failure != NULL) {
        failure->count += failure->count < UINT32_MAX;
        return 0;
    }
    if (strlen(node) >= sizeof(new.node) || vm->failures.count >= CORE_LIST_MAX)
        return -ENOSPC;
    memcpy(new.node, node, strlen(node) + 1);
    return hw_vector_insert(&vm->failures, place(vm, node), new);
}

uint32_t core_failure_count(const struct core_vm *vm, const char *node)
{
    const struct core_failure *failure = find(vm, node);

    return failure != NULL ? failure->count : 0;
}

bool core_failure_too_often(const struct core_vm *vm, const char *node)
{
    return core_failure_count(vm, node) > vm->restarts;
}

void core_failure_clear(struct core_vm *vm, const char *node)
{
    const struct core_failure *failure = node != NULL ? find(vm, node) : NULL;

    if (node == NULL)
        vm->failures.count = 0;
    else if (failure != NULL)
        hw_vector_remove(&vm->failures, (size_t)(failure - vm->failures.items));
}

bool core_failure_forgive(struct core_vm *vm)
{
    bool forgiven = false;

    for (size_t i = 0; i < vm->failures.count; i++) {
        if (vm->failures.items[i].count <= vm->restarts)
            continue;
        vm->failures.items[i].count = vm->restarts;
        forgiven = true;
    }
    if (vm->restarts == 0) /* a count of 0 is no entry */
        core_failure_clear(vm, NULL);
    return forgiven;
}

uint64_t core_failure_pause_ms(const struct core_timing *timing, const struct core_vm *vm,
                               const char *node)
{
    const uint32_t count = core_failure_count(vm, node);

    return core_timing_backoff_ms(
        timing, count, (uint64_t)vm->number << 32 ^ (uint64_t)vm->generation << 8 ^ count);
}
