/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_capacity: what is left when nodes are lost.
 */
#include <config.h>

#include "clusterd/core/core_capacity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clusterd/core/core_failure.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

static struct core_state state;
static struct hw_error error;

/* Nodes of 1024 MB, VMs of 512 MB. */
static void make(unsigned nodes, unsigned vms)
{
    char name[16];

    hw_error_clear(&error);
    core_state_init(&state);
    for (unsigned i = 0; i < nodes; i++) {
        struct core_node *node;

        snprintf(name, sizeof(name), "n%02u", i + 1);
        CU_ASSERT_EQUAL_FATAL(core_node_add(&state, name, &node), 0);
        node->id = i + 1;
        node->state = CORE_NODE_ONLINE;
        node->memory_mb = 1024;
        node->cpus = 8;
    }
    for (unsigned i = 0; i < vms; i++) {
        struct core_vm *vm;

        snprintf(name, sizeof(name), "v%02u", i + 1);
        CU_ASSERT_EQUAL_FATAL(core_vm_add(&state, name, &vm), 0);
        vm->wanted = CORE_WANT_RUNNING;
        vm->memory_mb = 512;
        vm->cpus = 1;
    }
}

static void there(const char *vm, const char *node)
{
    struct core_vm *found = core_vm_find(&state, vm);

    CU_ASSERT_EQUAL(core_name_set(found->node, node), 0);
    found->phase = CORE_VM_RUNNING;
}

static void counts_what_is_left(void)
{
    make(3, 4);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 0, &error), 0);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 1, &error), 0);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 2, &error), -ENOSPC);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_STRING_EQUAL(error.object, "v03");
    CU_ASSERT_STRING_EQUAL(error.reason, "would have no node without n01 and n02");
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 9, &error), -ENOSPC); /* all there are */
    core_state_free(&state);
    make(2, 5);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 0, &error), -ENOSPC);
    CU_ASSERT_STRING_EQUAL(error.reason, "has no node");
    core_vm_find(&state, "v05")->wanted = CORE_WANT_STOPPED;
    CU_ASSERT_EQUAL(core_capacity_check(&state, 0, NULL), 0);
    core_state_free(&state);
}

static void moves_only_who_has_to(void)
{
    make(3, 4);
    there("v01", "n01");
    there("v02", "n01");
    there("v03", "n02");
    there("v04", "n03");
    CU_ASSERT_EQUAL(core_failure_add(core_vm_find(&state, "v01"), "n02"), 0);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 1, &error), 0);
    state.nodes.items[2].mode = CORE_MODE_STANDBY; /* n03 keeps v04, and takes nobody */
    CU_ASSERT_EQUAL(core_capacity_check(&state, 1, &error), -ENOSPC);
    CU_ASSERT_STRING_EQUAL(error.reason, "would have no node without n01");
    CU_ASSERT_STRING_EQUAL(core_vm_find(&state, "v01")->node, "n01"); /* only supposed */
    CU_ASSERT_EQUAL(core_failure_count(core_vm_find(&state, "v01"), "n02"), 1);
    core_state_free(&state);
}

/* The last combination is the one that hurts: the only nodes that may have it. */
static void tries_every_combination(void)
{
    struct core_rule *rule;

    make(5, 1);
    CU_ASSERT_EQUAL_FATAL(core_rule_add(&state, "rule", &rule), 0);
    rule->kind = CORE_RULE_PREFER;
    rule->strict = 1;
    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&rule->vms, (struct core_name) { "v01" }), 0);
    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&rule->nodes, (struct core_score) { "n04", 1 }), 0);
    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&rule->nodes, (struct core_score) { "n05", 1 }), 0);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 1, &error), 0);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 2, &error), -ENOSPC);
    CU_ASSERT_STRING_EQUAL(error.reason, "would have no node without n04 and n05");
    core_state_free(&state);
}

static void gives_up_on_too_many(void)
{
    make(40, 1);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 2, &error), 0);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 20, &error), -E2BIG);
    CU_ASSERT_STRING_EQUAL(error.object, "losses");
    CU_ASSERT_EQUAL(core_capacity_check(&state, 39, &error), 0); /* as many as losses of one */
    core_state_free(&state);
    /* each VM counts, not only each case; known before anything is tried */
    make(60, 400);
    CU_ASSERT_EQUAL(core_capacity_check(&state, 3, &error), -E2BIG);
    core_state_free(&state);
}

static void says_so_when_memory_ends(void)
{
    make(2, 1);
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = core_capacity_check(&state, 1, &error);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    core_state_free(&state);
}

const struct unit_case unit_cases[] = {
    { "counts what is left", counts_what_is_left },
    { "moves only who has to, and nothing in truth", moves_only_who_has_to },
    { "tries every combination", tries_every_combination },
    { "gives up on too many", gives_up_on_too_many },
    { "says so when memory ends", says_so_when_memory_ends },
    { 0 },
};
