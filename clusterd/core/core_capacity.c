/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What if: the placement of a copy of the state in which some nodes are lost, for each choice of
 * them.
 */
#include <config.h>

#include "clusterd/core/core_capacity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "clusterd/core/core_failure.h"
#include "clusterd/core/core_placement.h"

enum { NODES = 64, NAMES_BYTES = 160 };

struct question {
    const struct core_state *state;
    struct core_state copy;
    size_t online[NODES]; /* places of the nodes that can be lost */
    size_t online_count;
    size_t lost[NODES]; /* the case in hand: places in `online`, rising */
    size_t lost_count;
};

static int begin(struct question *question, const struct core_state *state, uint32_t losses)
{
    memset(question, 0, sizeof(*question));
    question->state = state;
    for (size_t i = 0; i < state->nodes.count; i++) {
        if (state->nodes.items[i].state != CORE_NODE_ONLINE)
            continue;
        if (question->online_count == NODES)
            return -E2BIG;
        question->online[question->online_count++] = i;
    }
    question->lost_count = losses < question->online_count ? losses : question->online_count;
    for (size_t i = 0; i < question->lost_count; i++)
        question->lost[i] = i;
    return core_state_copy(state, &question->copy);
}

/* The next choice of as many nodes, in lexical order; false: that was the last. */
static bool next_case(struct question *question)
{
    size_t at = question->lost_count;

    while (at > 0 &&
           question->lost[at - 1] == question->online_count - question->lost_count + at - 1)
        at--;
    if (at == 0)
        return false;
    question->lost[at - 1]++;
    for (; at < question->lost_count; at++)
        question->lost[at] = question->lost[at - 1] + 1;
    return true;
}

/* The copy as it is when these nodes are lost, and nothing was started elsewhere yet. */
static void suppose(struct question *question)
{
    struct core_state *copy = &question->copy;

    for (size_t i = 0; i < copy->nodes.count; i++)
        copy->nodes.items[i].state = question->state->nodes.items[i].state;
    for (size_t i = 0; i < question->lost_count; i++)
        copy->nodes.items[question->online[question->lost[i]]].state = CORE_NODE_LOST;
    for (size_t i = 0; i < copy->vms.count; i++) {
        struct core_vm *vm = &copy->vms.items[i];

        core_failure_clear(vm, NULL);
        memcpy(vm->node, question->state->vms.items[i].node, sizeof(vm->node));
        for (size_t j = 0; j < copy->nodes.count; j++)
            if (copy->nodes.items[j].state == CORE_NODE_LOST &&
                strcmp(copy->nodes.items[j].name, vm->node) == 0)
                memset(vm->node, 0, sizeof(vm->node));
    }
}

static int homeless(const struct question *question, const struct core_vm *vm,
                    struct hw_error *error)
{
    char names[NAMES_BYTES] = "";
    size_t used = 0;

    for (size_t i = 0; i < question->lost_count && used < sizeof(names); i++) {
        const size_t node = question->online[question->lost[i]];

        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                 i == 0                          ? ""
                                 : i + 1 == question->lost_count ? " and "
                                                                 : ", ",
                                 question->state->nodes.items[node].name);
    }
    return hw_error_setf(
        error, HW_ERROR_REFUSED, ENOSPC, vm->name,
        "see 'hawser vm explain'; make room, relax a rule, or promise fewer losses",
        question->lost_count == 0 ? "has no node%s" : "would have no node without %s", names);
}

/* The case in hand. */
static int ask(struct question *question, struct hw_error *error)
{
    struct core_placement placement;
    int rc;

    suppose(question);
    rc = core_placement_make(&question->copy, &placement);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < placement.vms; i++) {
        const struct core_vm *vm = &question->copy.vms.items[i];

        if (vm->wanted != CORE_WANT_STOPPED && placement.node[i] == CORE_PLACEMENT_NOWHERE)
            rc = homeless(question, vm, error);
    }
    core_placement_free(&placement);
    return rc;
}

/* All cases there are, times the work of one; cut above what is allowed. */
static uint64_t work_of(const struct question *question)
{
    uint64_t one = (question->state->vms.count + 1) * (uint64_t)(question->state->nodes.count + 1);
    size_t all = question->online_count, losses = question->lost_count;
    uint64_t cases = 1;

    if (losses > all - losses) /* as many cases, and the number of them only grows on the way */
        losses = all - losses;
    for (size_t i = 1; i <= losses && cases <= CORE_CAPACITY_WORK; i++)
        cases = cases * (all - i + 1) / i;
    return cases <= CORE_CAPACITY_WORK ? cases * one : cases;
}

int core_capacity_check(const struct core_state *state, uint32_t losses, struct hw_error *error)
{
    struct question question;
    int rc = begin(&question, state, losses);

    if (rc == 0 && work_of(&question) > CORE_CAPACITY_WORK)
        rc = -E2BIG;
    while (rc == 0) {
        rc = ask(&question, error);
        if (rc == 0 && !next_case(&question))
            break;
    }
    if (rc == -E2BIG)
        (void)hw_error_set(error, HW_ERROR_REFUSED, E2BIG, "losses",
                           "too many combinations of nodes to be tried", "promise fewer losses");
    core_state_free(&question.copy);
    return rc;
}
