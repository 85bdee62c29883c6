/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First what each VM waits for by itself, then, in the order of starts, what it waits for because
 * of others.
 */
#include <config.h>

#include "clusterd/core/core_recovery.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clusterd/core/core_failure.h"

const char *core_wait_text(uint32_t wait)
{
    static const char *const texts[CORE_WAIT_COUNT] = {
#define TEXT(name, text) [CORE_WAIT_##name] = (text),
        CORE_WAITS(TEXT)
#undef TEXT
    };

    return wait < CORE_WAIT_COUNT ? texts[wait] : "?";
}

static bool is_starting(const struct core_vm *vm)
{
    return vm->phase == CORE_VM_STARTING || vm->phase == CORE_VM_RESTORING;
}

/* It is not there, and nothing is under way that ends by itself. */
static bool is_down(const struct core_vm *vm)
{
    return vm->phase == CORE_VM_STOPPED || vm->phase == CORE_VM_FAILED ||
           vm->phase == CORE_VM_WAITING || vm->phase == CORE_VM_SAVED;
}

static bool is_up(const struct core_vm *vm)
{
    return !is_down(vm) && !is_starting(vm) && vm->phase != CORE_VM_STOPPING;
}

/* What it waits for by itself; START: nothing. */
static enum core_wait ask_vm(const struct core_state *state, const struct core_timing *timing,
                             uint16_t node, const struct core_vm *vm, uint64_t failed_ms,
                             uint64_t now_ms, uint64_t *next_ms)
{
    uint64_t pause_ms;

    if (vm->wanted == CORE_WANT_STOPPED || !is_down(vm))
        return CORE_WAIT_NOTHING;
    for (size_t i = 0; i < vm->executors.count; i++) {
        if (vm->executors.items[i].revoked == 0)
            return CORE_WAIT_REVOKE;
    }
    if (node == CORE_PLACEMENT_NOWHERE)
        return CORE_WAIT_NOWHERE;
    pause_ms = core_failure_pause_ms(timing, vm, state->nodes.items[node].name);
    if (pause_ms == 0 || now_ms >= failed_ms + pause_ms)
        return CORE_WAIT_START;
    if (failed_ms + pause_ms < *next_ms)
        *next_ms = failed_ms + pause_ms;
    return CORE_WAIT_PAUSE;
}

/* A rule that is not strict waits for those only that are going to come up. */
static bool holds_up(const struct core_rule *rule, const struct core_vm *before,
                     enum core_wait wait)
{
    if (is_up(before))
        return false;
    return rule->strict != 0 || (before->wanted != CORE_WANT_STOPPED && wait != CORE_WAIT_NOWHERE);
}

static bool waits_in_order(const struct core_state *state, const struct core_recovery *recovery,
                           const struct core_rule *rule, const struct core_vm *vm)
{
    for (size_t i = 0; i < rule->vms.count && strcmp(rule->vms.items[i].text, vm->name) != 0; i++) {
        const struct core_vm *before = core_vm_find(state, rule->vms.items[i].text);
        bool behind = false;

        for (size_t j = i + 1; j < rule->vms.count; j++)
            behind = behind || strcmp(rule->vms.items[j].text, vm->name) == 0;
        if (behind && before != NULL &&
            holds_up(rule, before, (enum core_wait)recovery->waits[before - state->vms.items]))
            return true;
    }
    return false;
}

static bool waits_for_others(const struct core_state *state, const struct core_recovery *recovery,
                             const struct core_vm *vm)
{
    for (size_t i = 0; i < state->rules.count; i++)
        if (state->rules.items[i].kind == CORE_RULE_ORDER &&
            waits_in_order(state, recovery, &state->rules.items[i], vm))
            return true;
    return false;
}

/* The one to be asked next: of those that may start and were not asked, the first. */
static size_t first_of(const struct core_state *state, const struct core_recovery *recovery,
                       const bool *asked)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < recovery->vms; i++)
        if (recovery->waits[i] == CORE_WAIT_START && !asked[i] &&
            (best == SIZE_MAX || state->vms.items[i].priority > state->vms.items[best].priority))
            best = i;
    return best;
}

static void choose(const struct core_state *state, struct core_recovery *recovery, bool *asked)
{
    size_t most = state->cluster.parallel, starting = 0, at;

    if (most == 0)
        most = CORE_RECOVERY_PARALLEL;
    for (size_t i = 0; i < recovery->vms; i++)
        starting += is_starting(&state->vms.items[i]);
    while ((at = first_of(state, recovery, asked)) != SIZE_MAX) {
        asked[at] = true;
        if (waits_for_others(state, recovery, &state->vms.items[at]))
            recovery->waits[at] = CORE_WAIT_ORDER;
        else if (starting >= most)
            recovery->waits[at] = CORE_WAIT_PARALLEL;
        else
            starting++;
    }
}

int core_recovery_make(const struct core_state *state, const struct core_timing *timing,
                       const struct core_placement *placement, const uint64_t *failed_ms,
                       uint64_t now_ms, struct core_recovery *ret_recovery)
{
    struct core_recovery recovery = { .vms = state->vms.count, .next_ms = UINT64_MAX };
    bool *asked = calloc(recovery.vms + 1, sizeof(*asked));

    recovery.waits = calloc(recovery.vms + 1, sizeof(*recovery.waits));
    if (asked == NULL || recovery.waits == NULL) {
        free(asked);
        free(recovery.waits);
        return -ENOMEM;
    }
    for (size_t i = 0; i < recovery.vms; i++)
        recovery.waits[i] = (uint8_t)ask_vm(state, timing, placement->node[i], &state->vms.items[i],
                                            failed_ms[i], now_ms, &recovery.next_ms);
    choose(state, &recovery, asked);
    free(asked);
    *ret_recovery = recovery;
    return 0;
}

void core_recovery_free(struct core_recovery *recovery)
{
    free(recovery->waits);
    recovery->waits = NULL;
    recovery->vms = 0;
}
