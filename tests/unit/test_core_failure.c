/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_failure: how often a VM failed where, and what follows from it.
 */
#include <config.h>

#include "clusterd/core/core_failure.h"

#include <errno.h>
#include <string.h>

#include "clusterd/core/core_placement.h"
#include "clusterd/core/core_snapshot.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

static struct core_state state;
static struct core_vm *vm;

static void make(void)
{
    static const char *const names[] = { "n1", "n2", "n3" };
    struct core_node *node;

    core_state_init(&state);
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(core_node_add(&state, names[i], &node), 0);
        node->id = i + 1;
        node->state = CORE_NODE_ONLINE;
        node->memory_mb = 1024;
        node->cpus = 1;
    }
    CU_ASSERT_EQUAL_FATAL(core_vm_add(&state, "web1", &vm), 0);
    vm->wanted = CORE_WANT_RUNNING;
    vm->memory_mb = 128;
    vm->cpus = 1;
    vm->number = 7;
    vm->restarts = 2;
}

static void fail(const char *node, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        CU_ASSERT_EQUAL(core_failure_add(vm, node), 0);
}

/* Where placement puts it. */
static const char *placed(void)
{
    struct core_placement placement;
    const char *name = "";

    CU_ASSERT_EQUAL_FATAL(core_placement_make(&state, &placement), 0);
    if (placement.node[0] != CORE_PLACEMENT_NOWHERE)
        name = state.nodes.items[placement.node[0]].name;
    core_placement_free(&placement);
    return name;
}

static void counts_by_node(void)
{
    make();
    fail("n3", 2);
    fail("n1", 1);
    fail("n2", 3);
    CU_ASSERT_EQUAL(vm->failures.count, 3);
    CU_ASSERT_STRING_EQUAL(vm->failures.items[0].node, "n1");
    CU_ASSERT_STRING_EQUAL(vm->failures.items[2].node, "n3");
    CU_ASSERT_EQUAL(core_failure_count(vm, "n3"), 2);
    CU_ASSERT_EQUAL(core_failure_count(vm, "n4"), 0);
    CU_ASSERT(core_failure_too_often(vm, "n2") && !core_failure_too_often(vm, "n3"));
    core_failure_clear(vm, "n1");
    core_failure_clear(vm, "n4");
    CU_ASSERT_EQUAL(vm->failures.count, 2);
    CU_ASSERT_EQUAL(core_failure_count(vm, "n2"), 3);
    vm->failures.items[0].count = UINT32_MAX;
    fail("n2", 1);
    CU_ASSERT_EQUAL(core_failure_count(vm, "n2"), UINT32_MAX);
    core_failure_clear(vm, NULL);
    CU_ASSERT_EQUAL(vm->failures.count, 0);
    core_state_free(&state);
}

static void goes_elsewhere_and_comes_back(void)
{
    make();
    CU_ASSERT_STRING_EQUAL(placed(), "n1");
    fail("n1", 2);
    CU_ASSERT_STRING_EQUAL(placed(), "n1"); /* it may fail as often as that */
    fail("n1", 1);
    CU_ASSERT_STRING_EQUAL(placed(), "n2");
    fail("n2", 3);
    fail("n3", 3);
    CU_ASSERT_STRING_EQUAL(placed(), "");
    CU_ASSERT(core_failure_forgive(vm));
    CU_ASSERT(!core_failure_forgive(vm));
    CU_ASSERT_STRING_EQUAL(placed(), "n1");
    fail("n1", 1); /* once more, and no more */
    CU_ASSERT_STRING_EQUAL(placed(), "n2");
    core_failure_clear(vm, "n1");
    CU_ASSERT_STRING_EQUAL(placed(), "n1");
    core_state_free(&state);
}

static void forgives_without_restarts(void)
{
    make();
    vm->restarts = 0;
    fail("n1", 1);
    fail("n2", 1);
    fail("n3", 1);
    CU_ASSERT_STRING_EQUAL(placed(), "");
    CU_ASSERT(core_failure_forgive(vm));
    CU_ASSERT_EQUAL(vm->failures.count, 0);
    CU_ASSERT_STRING_EQUAL(placed(), "n1");
    core_state_free(&state);
}

static void pauses_grow(void)
{
    const struct core_timing timing = core_timing_default();
    uint64_t before = 0;

    make();
    CU_ASSERT_EQUAL(core_failure_pause_ms(&timing, vm, "n1"), 0);
    for (unsigned i = 0; i < 6; i++) {
        uint64_t pause;

        fail("n1", 1);
        pause = core_failure_pause_ms(&timing, vm, "n1");
        CU_ASSERT(pause > before);
        CU_ASSERT_EQUAL(pause, core_failure_pause_ms(&timing, vm, "n1"));
        before = pause;
    }
    fail("n1", 100);
    CU_ASSERT(core_failure_pause_ms(&timing, vm, "n1") <=
              timing.backoff_most_ms + timing.backoff_most_ms * timing.jitter_percent / 100);
    CU_ASSERT_EQUAL(core_failure_pause_ms(&timing, vm, "n2"), 0);
    core_state_free(&state);
}

static void keeps_all_when_memory_ends(void)
{
    make();
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = core_failure_add(vm, "n1");
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_EQUAL(vm->failures.count, 0);
    }
    CU_ASSERT_EQUAL(core_failure_count(vm, "n1"), 1);
    core_state_free(&state);
}

const struct unit_case unit_cases[] = {
    { "counts failures by node", counts_by_node },
    { "after too many another node, and back", goes_elsewhere_and_comes_back },
    { "no count is for ever, without restarts either", forgives_without_restarts },
    { "pauses grow, and everybody agrees", pauses_grow },
    { "keeps what it has when memory ends", keeps_all_when_memory_ends },
    { 0 },
};
