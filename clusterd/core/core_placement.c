/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement with reasons.
 */
#include <config.h>

#include "clusterd/core/core_placement.h"

#include "clusterd/core/core_failure.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct free_room {
    int64_t memory_mb; /* below 0: more is there already than the node is said to have */
};

struct use { /* VM number `vm` is named by rule number `rule` */
    uint32_t vm, rule;
};

struct work {
    const struct core_state *state;
    struct core_placement *placement;
    struct free_room *room; /* by node */
    int64_t *score;         /* by node, of the VM in hand */
    struct use *uses;       /* sorted by VM, then rule */
    size_t *first_use;      /* by VM; one more at the end */
};

const char *core_verdict_text(uint32_t verdict)
{
#define CORE_VERDICT_TEXT(name, text) text,
    static const char *const texts[] = { CORE_VERDICTS(CORE_VERDICT_TEXT) };

    return verdict < CORE_VERDICT_COUNT ? texts[verdict] : "?";
}

/* No sum of these overflows. */
static int64_t memory_of(uint64_t memory_mb)
{
    const uint64_t most = 1ull << 40;

    return (int64_t)(memory_mb < most ? memory_mb : most);
}

static size_t vm_number(const struct core_state *state, const char *name)
{
    const struct core_vm *vm = core_vm_find(state, name);

    return vm != NULL ? (size_t)(vm - state->vms.items) : SIZE_MAX;
}

static size_t node_number(const struct core_state *state, const char *name)
{
    const struct core_node *node = name[0] != '\0' ? core_node_find(state, name) : NULL;

    return node != NULL ? (size_t)(node - state->nodes.items) : SIZE_MAX;
}

static int compare_uses(const void *left, const void *right)
{
    const struct use *l = left, *r = right;

    if (l->vm != r->vm)
        return l->vm < r->vm ? -1 : 1;
    return l->rule < r->rule ? -1 : l->rule > r->rule ? 1 : 0;
}

/* Which rules name each VM. */
static int index_rules(struct work *work)
{
    const struct core_state *state = work->state;
    size_t count = 0, at = 0;

    for (size_t r = 0; r < state->rules.count; r++)
        count += state->rules.items[r].vms.count;
    work->uses = calloc(count + 1, sizeof(*work->uses));
    work->first_use = calloc(state->vms.count + 1, sizeof(*work->first_use));
    if (work->uses == NULL || work->first_use == NULL)
        return -ENOMEM;
    count = 0;
    for (size_t r = 0; r < state->rules.count; r++) {
        for (size_t i = 0; i < state->rules.items[r].vms.count; i++) {
            size_t vm = vm_number(state, state->rules.items[r].vms.items[i].text);

            if (vm != SIZE_MAX)
                work->uses[count++] = (struct use) { (uint32_t)vm, (uint32_t)r };
        }
    }
    qsort(work->uses, count, sizeof(*work->uses), compare_uses);
    for (size_t vm = 0; vm <= state->vms.count; vm++) {
        while (at < count && work->uses[at].vm < vm)
            at++;
        work->first_use[vm] = at;
    }
    return 0;
}

/* Where a rule's other VMs are: is one on `node`, is one elsewhere? */
static void look_at_others(const struct work *work, const struct core_rule *rule, size_t vm,
                           size_t node, bool *ret_here, bool *ret_elsewhere)
{
    *ret_here = *ret_elsewhere = false;
    for (size_t i = 0; i < rule->vms.count; i++) {
        size_t other = vm_number(work->state, rule->vms.items[i].text);
        uint16_t at;

        if (other == SIZE_MAX || other == vm)
            continue;
        at = work->placement->node[other];
        if (at == CORE_PLACEMENT_NOWHERE)
            continue;
        if (at == node)
            *ret_here = true;
        else
            *ret_elsewhere = true;
    }
}

static const struct core_score *score_of(const struct core_rule *rule, const char *node)
{
    for (size_t i = 0; i < rule->nodes.count; i++) {
        if (strcmp(rule->nodes.items[i].node, node) == 0)
            return &rule->nodes.items[i];
    }
    return NULL;
}

/* What one rule says to this VM on this node; adds to the score. */
static enum core_verdict ask_rule(const struct work *work, const struct core_rule *rule, size_t vm,
                                  size_t node, int64_t *score)
{
    const struct core_score *named = score_of(rule, work->state->nodes.items[node].name);
    enum core_verdict verdict = CORE_VERDICT_CHOSEN;
    bool here, elsewhere;

    switch (rule->kind) {
    case CORE_RULE_PREFER:
        if (named != NULL)
            *score += named->score;
        else
            return rule->strict ? CORE_VERDICT_NOT_PREFERRED : CORE_VERDICT_CHOSEN;
        return CORE_VERDICT_CHOSEN;
    case CORE_RULE_AVOID:
        verdict = named != NULL ? CORE_VERDICT_AVOID : CORE_VERDICT_CHOSEN;
        break;
    case CORE_RULE_APART:
        look_at_others(work, rule, vm, node, &here, &elsewhere);
        verdict = here ? CORE_VERDICT_APART : CORE_VERDICT_CHOSEN;
        break;
    case CORE_RULE_TOGETHER:
        look_at_others(work, rule, vm, node, &here, &elsewhere);
        verdict = elsewhere ? CORE_VERDICT_TOGETHER : CORE_VERDICT_CHOSEN;
        break;
    default:
        break;
    }
    if (verdict != CORE_VERDICT_CHOSEN && !rule->strict) {
        *score -= CORE_PLACEMENT_RULE;
        verdict = CORE_VERDICT_CHOSEN;
    }
    return verdict;
}

/* Memory of this VM, and of those that must follow it and are nowhere yet. */
static int64_t memory_needed(const struct work *work, size_t vm)
{
    const struct core_state *state = work->state;
    int64_t need = memory_of(state->vms.items[vm].memory_mb);

    for (size_t u = work->first_use[vm]; u < work->first_use[vm + 1]; u++) {
        const struct core_rule *rule = &state->rules.items[work->uses[u].rule];

        for (size_t i = 0; rule->kind == CORE_RULE_TOGETHER && rule->strict && i < rule->vms.count;
             i++) {
            size_t other = vm_number(state, rule->vms.items[i].text);

            if (other != SIZE_MAX && other != vm &&
                work->placement->node[other] == CORE_PLACEMENT_NOWHERE &&
                state->vms.items[other].wanted != CORE_WANT_STOPPED)
                need += memory_of(state->vms.items[other].memory_mb);
        }
    }
    return need;
}

/* May the VM be on this node at all? CHOSEN: yes, with this score. */
static enum core_verdict ask_node(const struct work *work, size_t vm, size_t node, int64_t need,
                                  int64_t *ret_score)
{
    const struct core_vm *guest = &work->state->vms.items[vm];
    const struct core_node *host = &work->state->nodes.items[node];
    bool is_there = strcmp(guest->node, host->name) == 0;
    int64_t score = 0;

    if (host->state != CORE_NODE_ONLINE)
        return CORE_VERDICT_NODE_DOWN;
    /* maintenance is hands off: what is there stays */
    if (host->mode != CORE_MODE_ONLINE && !(host->mode == CORE_MODE_MAINTENANCE && is_there) &&
        !(host->mode == CORE_MODE_DRAINING && is_there && guest->on_drain == CORE_ON_DRAIN_LEAVE))
        return CORE_VERDICT_NODE_MODE;
    if (core_failure_too_often(guest, host->name))
        return CORE_VERDICT_FAILED;
    for (size_t u = work->first_use[vm]; u < work->first_use[vm + 1]; u++) {
        enum core_verdict verdict =
            ask_rule(work, &work->state->rules.items[work->uses[u].rule], vm, node, &score);

        if (verdict != CORE_VERDICT_CHOSEN)
            return verdict;
    }
    /* who is there has its memory already, whatever the node is said to have */
    if (!is_there && work->room[node].memory_mb < need)
        return CORE_VERDICT_MEMORY;
    if (host->cpus < guest->cpus)
        return CORE_VERDICT_CPUS;
    *ret_score = score;
    return CORE_VERDICT_CHOSEN;
}

static bool fails_back(const struct core_state *state, const struct core_vm *vm)
{
    if (vm->failback != CORE_CHOICE_DEFAULT)
        return vm->failback == CORE_CHOICE_ON;
    return state->cluster.failback != CORE_CHOICE_OFF;
}

/* Home first, then where it is; SIZE_MAX: neither is allowed. */
static size_t stays_at(const struct work *work, size_t vm, const uint8_t *verdicts)
{
    const struct core_vm *guest = &work->state->vms.items[vm];
    size_t home = node_number(work->state, guest->home);
    size_t here = node_number(work->state, guest->node);

    if (home != SIZE_MAX && verdicts[home] == CORE_VERDICT_CHOSEN && fails_back(work->state, guest))
        return home;
    return here != SIZE_MAX && verdicts[here] == CORE_VERDICT_CHOSEN ? here : SIZE_MAX;
}

/* Why `node` is behind `best`; CHOSEN: it is not. */
static enum core_verdict behind(const struct work *work, size_t node, size_t best)
{
    if (work->score[node] != work->score[best])
        return work->score[node] < work->score[best] ? CORE_VERDICT_SCORE : CORE_VERDICT_CHOSEN;
    if (work->room[node].memory_mb != work->room[best].memory_mb)
        return work->room[node].memory_mb < work->room[best].memory_mb ? CORE_VERDICT_FREE
                                                                       : CORE_VERDICT_CHOSEN;
    return node > best ? CORE_VERDICT_NAME : CORE_VERDICT_CHOSEN;
}

static void place(struct work *work, size_t vm)
{
    const struct core_vm *guest = &work->state->vms.items[vm];
    size_t nodes = work->state->nodes.count, best, stay;
    size_t here = node_number(work->state, guest->node);
    uint8_t *verdicts = &work->placement->verdicts[vm * nodes];
    int64_t need = memory_needed(work, vm);

    for (size_t n = 0; n < nodes; n++)
        verdicts[n] = (uint8_t)ask_node(work, vm, n, need, &work->score[n]);
    best = stay = stays_at(work, vm, verdicts);
    for (size_t n = 0; stay == SIZE_MAX && n < nodes; n++) {
        if (verdicts[n] == CORE_VERDICT_CHOSEN &&
            (best == SIZE_MAX || behind(work, n, best) == CORE_VERDICT_CHOSEN))
            best = n;
    }
    if (best == SIZE_MAX)
        return;
    for (size_t n = 0; n < nodes; n++) {
        if (n != best && verdicts[n] == CORE_VERDICT_CHOSEN)
            verdicts[n] = (uint8_t)(stay != SIZE_MAX ? CORE_VERDICT_STAYS : behind(work, n, best));
    }
    work->placement->node[vm] = (uint16_t)best;
    if (best == here)
        return;
    work->room[best].memory_mb -= memory_of(guest->memory_mb);
    if (here != SIZE_MAX)
        work->room[here].memory_mb += memory_of(guest->memory_mb);
}

struct rank {
    const struct core_vm *vm;
    bool somewhere;
};

static int compare_ranks(const void *left, const void *right)
{
    const struct rank *l = left, *r = right;

    if (l->somewhere != r->somewhere)
        return l->somewhere ? -1 : 1;
    if (l->vm->priority != r->vm->priority)
        return l->vm->priority > r->vm->priority ? -1 : 1;
    if (l->vm->memory_mb != r->vm->memory_mb)
        return l->vm->memory_mb > r->vm->memory_mb ? -1 : 1;
    return strcmp(l->vm->name, r->vm->name);
}

static int place_all(struct work *work)
{
    const struct core_state *state = work->state;
    struct rank *ranks = calloc(state->vms.count + 1, sizeof(*ranks));
    size_t count = 0;

    if (ranks == NULL)
        return -ENOMEM;
    for (size_t n = 0; n < state->nodes.count; n++)
        work->room[n].memory_mb = memory_of(state->nodes.items[n].memory_mb);
    for (size_t v = 0; v < state->vms.count; v++) {
        const struct core_vm *vm = &state->vms.items[v];
        size_t here = node_number(state, vm->node);

        work->placement->node[v] = CORE_PLACEMENT_NOWHERE;
        memset(&work->placement->verdicts[v * state->nodes.count], CORE_VERDICT_NOT_WANTED,
               state->nodes.count);
        if (vm->wanted == CORE_WANT_STOPPED)
            continue;
        ranks[count++] = (struct rank) { vm, here != SIZE_MAX };
        if (here != SIZE_MAX) /* it has that memory until it is placed elsewhere */
            work->room[here].memory_mb -= memory_of(vm->memory_mb);
    }
    qsort(ranks, count, sizeof(*ranks), compare_ranks);
    for (size_t i = 0; i < count; i++)
        place(work, (size_t)(ranks[i].vm - state->vms.items));
    free(ranks);
    return 0;
}

int core_placement_make(const struct core_state *state, struct core_placement *ret_placement)
{
    struct core_placement placement = { .vms = state->vms.count, .nodes = state->nodes.count };
    struct work work = { .state = state, .placement = &placement };
    int rc;

    if (placement.nodes >= CORE_PLACEMENT_NOWHERE)
        return -E2BIG;
    placement.node = calloc(placement.vms + 1, sizeof(*placement.node));
    placement.verdicts = calloc(placement.vms + 1, placement.nodes + 1);
    work.room = calloc(placement.nodes + 1, sizeof(*work.room));
    work.score = calloc(placement.nodes + 1, sizeof(*work.score));
    rc = placement.node != NULL && placement.verdicts != NULL && work.room != NULL &&
                 work.score != NULL
             ? index_rules(&work)
             : -ENOMEM;
    if (rc == 0)
        rc = place_all(&work);
    free(work.room);
    free(work.score);
    free(work.uses);
    free(work.first_use);
    if (rc < 0)
        core_placement_free(&placement);
    else
        *ret_placement = placement;
    return rc;
}

void core_placement_free(struct core_placement *placement)
{
    free(placement->node);
    free(placement->verdicts);
    memset(placement, 0, sizeof(*placement));
}

size_t core_placement_explain(const struct core_state *state,
                              const struct core_placement *placement, size_t vm, char *text,
                              size_t size)
{
    size_t at = 0;

    if (size == 0)
        return 0;
    text[0] = '\0';
    for (size_t n = 0; n < placement->nodes && at + 1 < size; n++) {
        int length = snprintf(text + at, size - at, "%s: %s\n", state->nodes.items[n].name,
                              core_verdict_text(placement->verdicts[vm * placement->nodes + n]));

        if (length < 0)
            break;
        at += (size_t)length;
    }
    return at < size ? at : size - 1;
}
