/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_recovery: who starts now, and what the others wait for.
 */
#include <config.h>

#include "clusterd/core/core_recovery.h"

#include <errno.h>
#include <string.h>

#include "clusterd/core/core_failure.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { VMS = 6 };

static struct core_state state;
static struct core_timing timing;
static uint64_t failed_ms[VMS], next_ms;
static const char *const names[VMS] = { "a", "b", "c", "d", "e", "f" };

static struct core_vm *vm(const char *name)
{
    return core_vm_find(&state, name);
}

static void make(void)
{
    struct core_node *node;
    struct core_vm *new;

    timing = core_timing_default();
    memset(failed_ms, 0, sizeof(failed_ms));
    core_state_init(&state);
    for (uint32_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(core_node_add(&state, i == 0 ? "n1" : "n2", &node), 0);
        node->id = i + 1;
        node->state = CORE_NODE_ONLINE;
        node->memory_mb = 4096;
        node->cpus = 4;
    }
    for (unsigned i = 0; i < VMS; i++) {
        CU_ASSERT_EQUAL_FATAL(core_vm_add(&state, names[i], &new), 0);
        new->wanted = CORE_WANT_RUNNING;
        new->memory_mb = 128;
        new->cpus = 1;
        new->restarts = 3;
    }
}

static void order(bool strict, const char *first, const char *second)
{
    struct core_rule *rule;
    struct core_name name;

    CU_ASSERT_EQUAL_FATAL(core_rule_add(&state, "rule", &rule), 0);
    rule->kind = CORE_RULE_ORDER;
    rule->strict = strict;
    memset(&name, 0, sizeof(name));
    strcpy(name.text, first);
    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&rule->vms, name), 0);
    memset(&name, 0, sizeof(name));
    strcpy(name.text, second);
    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&rule->vms, name), 0);
}

/* A letter for each VM: what it waits for. */
static const char *waits(uint64_t now_ms)
{
    static const char letters[] = ".SRNFOL";
    static char text[VMS + 1];
    struct core_placement placement;
    struct core_recovery recovery;

    CU_ASSERT_EQUAL_FATAL(core_placement_make(&state, &placement), 0);
    CU_ASSERT_EQUAL_FATAL(
        core_recovery_make(&state, &timing, &placement, failed_ms, now_ms, &recovery), 0);
    CU_ASSERT_EQUAL_FATAL(recovery.vms, VMS);
    for (unsigned i = 0; i < VMS; i++)
        text[i] = letters[recovery.waits[i]];
    next_ms = recovery.next_ms;
    core_recovery_free(&recovery);
    core_placement_free(&placement);
    return text;
}

static void starts_by_priority(void)
{
    make();
    CU_ASSERT_STRING_EQUAL(waits(0), "SSSSLL");
    vm("f")->priority = 5;
    CU_ASSERT_STRING_EQUAL(waits(0), "SSSLLS");
    state.cluster.parallel = 1;
    CU_ASSERT_STRING_EQUAL(waits(0), "LLLLLS");
    vm("f")->phase = CORE_VM_STARTING;
    CU_ASSERT_STRING_EQUAL(waits(0), "LLLLL.");
    vm("f")->phase = CORE_VM_RUNNING;
    vm("a")->wanted = CORE_WANT_STOPPED;
    CU_ASSERT_STRING_EQUAL(waits(0), ".SLLL.");
    CU_ASSERT_EQUAL(next_ms, UINT64_MAX);
    core_state_free(&state);
}

static void never_beside_an_executor(void)
{
    const struct core_executor executor = { .node_id = 1, .generation = 1 };

    make();
    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&vm("b")->executors, executor), 0);
    CU_ASSERT_STRING_EQUAL(waits(0), "SRSSSL");
    vm("b")->executors.items[0].revoked = 9; /* another may prepare while the proof is awaited */
    CU_ASSERT_STRING_EQUAL(waits(0), "SSSSLL");
    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&vm("b")->executors, executor), 0);
    CU_ASSERT_STRING_EQUAL(waits(0), "SRSSSL");
    vm("b")->executors.count = 0;
    CU_ASSERT_STRING_EQUAL(waits(0), "SSSSLL");
    core_state_free(&state);
}

static void pauses_after_failures(void)
{
    uint64_t end_ms;

    make();
    state.cluster.parallel = VMS;
    CU_ASSERT_EQUAL_FATAL(core_failure_add(vm("c"), "n1"), 0);
    vm("c")->phase = CORE_VM_FAILED;
    vm("c")->node[0] = '\0';
    failed_ms[2] = 5000;
    state.nodes.items[1].state = CORE_NODE_LOST; /* only n1 is left */
    CU_ASSERT_STRING_EQUAL(waits(5000), "SSFSSS");
    end_ms = next_ms;
    CU_ASSERT(end_ms >= 6000 && end_ms <= 6200);
    CU_ASSERT_STRING_EQUAL(waits(end_ms - 1), "SSFSSS");
    CU_ASSERT_STRING_EQUAL(waits(end_ms), "SSSSSS");
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(core_failure_add(vm("c"), "n1"), 0);
    CU_ASSERT_STRING_EQUAL(waits(end_ms), "SSNSSS"); /* too often there, and nowhere else */
    CU_ASSERT_TRUE(core_failure_forgive(vm("c")));
    CU_ASSERT_STRING_EQUAL(waits(100000), "SSSSSS");
    core_state_free(&state);
}

static void starts_in_order(void)
{
    make();
    state.cluster.parallel = VMS;
    order(false, "d", "a");
    CU_ASSERT_STRING_EQUAL(waits(0), "OSSSSS");
    vm("d")->phase = CORE_VM_STARTING;
    CU_ASSERT_STRING_EQUAL(waits(0), "OSS.SS");
    vm("d")->phase = CORE_VM_RUNNING;
    CU_ASSERT_STRING_EQUAL(waits(0), "SSS.SS");
    vm("d")->phase = CORE_VM_STOPPED;
    vm("d")->wanted = CORE_WANT_STOPPED; /* it is not going to come: no reason to wait ... */
    CU_ASSERT_STRING_EQUAL(waits(0), "SSS.SS");
    state.rules.items[0].strict = 1; /* ... unless it has to be there */
    CU_ASSERT_STRING_EQUAL(waits(0), "OSS.SS");
    vm("d")->wanted = CORE_WANT_RUNNING;
    vm("d")->memory_mb = 100000; /* no node is so large */
    CU_ASSERT_STRING_EQUAL(waits(0), "OSSNSS");
    state.rules.items[0].strict = 0;
    CU_ASSERT_STRING_EQUAL(waits(0), "SSSNSS");
    core_state_free(&state);
}

static void says_so_when_memory_ends(void)
{
    struct core_placement placement;
    struct core_recovery recovery;

    make();
    CU_ASSERT_EQUAL_FATAL(core_placement_make(&state, &placement), 0);
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = core_recovery_make(&state, &timing, &placement, failed_ms, 0, &recovery);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    core_recovery_free(&recovery);
    core_placement_free(&placement);
    CU_ASSERT_STRING_EQUAL(core_wait_text(CORE_WAIT_START), "it starts now");
    CU_ASSERT_STRING_EQUAL(core_wait_text(CORE_WAIT_COUNT), "?");
    core_state_free(&state);
}

const struct unit_case unit_cases[] = {
    { "by priority, so many at a time", starts_by_priority },
    { "never beside an executor that is not proven gone", never_beside_an_executor },
    { "after a failure a pause", pauses_after_failures },
    { "in the order that is wanted", starts_in_order },
    { "says so when memory ends", says_so_when_memory_ends },
    { 0 },
};
