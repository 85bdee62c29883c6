/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_placement: where VMs go, and why not elsewhere.
 */
#include <config.h>

#include "clusterd/core/core_placement.h"

#include "clusterd/core/core_config.h"
#include "common/hw_prng.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NODES                                                        \
    "node n1 id=1 memory=1G cpus=4\nnode n2 id=2 memory=1G cpus=4\n" \
    "node n3 id=3 memory=2G cpus=2\n"
#define LUNS           "lun la url=a\nlun lb url=b\nlun lc url=c\n"
#define VM(name, rest) "vm " name " disk=l" name " wanted=running " rest "\n"

/* A state with all nodes online; `at` says where VMs are: "a=n1 b=n2". */
static void make(struct core_state *state, const char *text, const char *at)
{
    char vm[2] = "", node[3] = "";
    int used = 0;

    CU_ASSERT_EQUAL_FATAL(core_config_parse(text, strlen(text), state, NULL), 0);
    for (size_t n = 0; n < state->nodes.count; n++)
        state->nodes.items[n].state = CORE_NODE_ONLINE;
    for (; sscanf(at, " %1[abc]=%2s%n", vm, node, &used) == 2; at += used)
        CU_ASSERT_EQUAL(core_name_set(core_vm_find(state, vm)->node, node), 0);
}

/* "a=n1 b=-": where each wanted VM goes. */
static const char *placed(const struct core_state *state, char text[64])
{
    struct core_placement placement;
    size_t at = 0;

    CU_ASSERT_EQUAL_FATAL(core_placement_make(state, &placement), 0);
    text[0] = '\0';
    for (size_t v = 0; v < placement.vms; v++) {
        uint16_t node = placement.node[v];

        at += (size_t)snprintf(
            text + at, 64 - at, "%s%s=%s", v > 0 ? " " : "", state->vms.items[v].name,
            node == CORE_PLACEMENT_NOWHERE ? "-" : state->nodes.items[node].name);
    }
    core_placement_free(&placement);
    return text;
}

static void stories(void)
{
    static const struct {
        const char *text, *at, *expect;
    } all[] = {
        /* the most free memory, then the first by name */
        { NODES LUNS VM("a", "memory=1G"), "", "a=n3" },
        { NODES LUNS VM("a", "memory=1G") VM("b", "memory=1G") VM("c", "memory=1G"), "",
          "a=n3 b=n1 c=n2" },
        /* preferences when it starts; no move for their sake */
        { NODES LUNS VM("a", "memory=1G") "prefer a n2=1", "", "a=n2" },
        { NODES LUNS VM("a", "memory=1G") "prefer a n2=1", "a=n1", "a=n1" },
        { NODES LUNS VM("a", "memory=1G") "prefer a n2=1 n1=2", "", "a=n1" },
        /* strict ones are kept, also by moving */
        { NODES LUNS VM("a", "memory=1G") "prefer a n2=1 strict", "a=n1", "a=n2" },
        { NODES LUNS VM("a", "memory=2G") "prefer a n2=1 strict", "", "a=-" },
        { NODES LUNS VM("a", "memory=1G") "avoid a n3", "", "a=n1" },
        { NODES LUNS VM("a", "memory=2G") "avoid a n3", "", "a=n3" },
        { NODES LUNS VM("a", "memory=2G") "avoid a n3 strict", "", "a=-" },
        { NODES LUNS VM("a", "memory=1M") VM("b", "memory=1M") "apart a b strict", "a=n1 b=n1",
          "a=n1 b=n3" },
        { NODES LUNS VM("a", "memory=1M") VM("b", "memory=1M") "apart a b", "a=n1 b=n1",
          "a=n1 b=n1" },
        { NODES LUNS VM("a", "memory=1M") VM("b", "memory=1M") "together a b", "a=n1",
          "a=n1 b=n1" },
        { NODES LUNS VM("a", "memory=1M") VM("b", "memory=1M") "together a b strict", "a=n1 b=n2",
          "a=n1 b=n1" },
        /* room for those who must follow is looked for at once */
        { NODES LUNS VM("a", "memory=900M")
              VM("b", "memory=900M") "prefer a n1=100\ntogether a b strict",
          "", "a=n3 b=n3" },
        { NODES LUNS VM("a", "memory=900M") VM("b", "memory=900M") "together a b strict", "a=n1",
          "a=n1 b=-" },
        { NODES LUNS VM("a", "memory=900M") VM("b", "memory=900M"), "a=n1 b=n1", "a=n1 b=n1" },
        /* who runs is not moved for who does not, whatever the priority */
        { NODES LUNS VM("a", "memory=2G") VM("b", "memory=2G priority=9"), "a=n3", "a=n3 b=-" },
        { NODES LUNS VM("a", "memory=2G") VM("b", "memory=2G priority=9"), "", "a=- b=n3" },
        { NODES LUNS VM("a", "memory=1M cpus=3"), "", "a=n1" },
        { NODES LUNS "vm a disk=la memory=1M\n", "a=n1", "a=-" },
    };
    char text[64];

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct core_state state;

        make(&state, all[i].text, all[i].at);
        CU_ASSERT_STRING_EQUAL(placed(&state, text), all[i].expect);
        core_state_free(&state);
    }
}

static void nodes_and_their_modes(void)
{
    struct core_state state;
    struct core_node *one;
    struct core_vm *a;
    char text[64];

    make(&state, NODES LUNS VM("a", "memory=1M") VM("b", "memory=1M"), "a=n1");
    one = core_node_find(&state, "n1");
    a = core_vm_find(&state, "a");
    one->mode = CORE_MODE_STANDBY;
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n3 b=n3");
    one->mode = CORE_MODE_MAINTENANCE; /* hands off: stays, and nothing comes */
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n1 b=n3");
    one->mode = CORE_MODE_DRAINING;
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n3 b=n3");
    a->on_drain = CORE_ON_DRAIN_LEAVE;
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n1 b=n3");
    one->state = CORE_NODE_LOST;
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n3 b=n3");
    core_state_free(&state);
}

static void home_and_failures(void)
{
    struct core_state state;
    struct core_vm *a;
    char text[64];

    make(&state, NODES LUNS VM("a", "memory=1M restarts=1"), "a=n2");
    a = core_vm_find(&state, "a");
    CU_ASSERT_EQUAL(core_name_set(a->home, "n1"), 0);
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n1");
    a->failback = CORE_CHOICE_OFF;
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n2");
    a->failback = CORE_CHOICE_DEFAULT;
    state.cluster.failback = CORE_CHOICE_OFF;
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n2");
    CU_ASSERT_EQUAL(hw_vector_push(&a->failures, (struct core_failure) { "n2", 1 }), 0);
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n2"); /* once more is allowed */
    a->failures.items[0].count = 2;
    CU_ASSERT_STRING_EQUAL(placed(&state, text), "a=n3");
    core_state_free(&state);
}

static void reasons_in_words(void)
{
    struct core_state state;
    struct core_placement placement;
    char text[1000], little[8];

    make(&state, NODES LUNS VM("a", "memory=1G") VM("b", "memory=1G cpus=4") "avoid a n2 strict\n",
         "a=n1");
    CU_ASSERT_EQUAL_FATAL(core_placement_make(&state, &placement), 0);
    CU_ASSERT_EQUAL(core_placement_explain(&state, &placement, 0, text, sizeof(text)),
                    strlen(text));
    CU_ASSERT_STRING_EQUAL(text, "n1: chosen\nn2: a strict rule keeps it away\n"
                                 "n3: allowed, but the VM stays where it is, or goes home\n");
    (void)core_placement_explain(&state, &placement, 1, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "n1: too little memory is free\nn2: chosen\n"
                                 "n3: the node has fewer CPUs than the VM\n");
    CU_ASSERT_EQUAL(core_placement_explain(&state, &placement, 0, little, sizeof(little)), 7);
    CU_ASSERT_EQUAL(core_placement_explain(&state, &placement, 0, little, 0), 0);
    CU_ASSERT_STRING_EQUAL(core_verdict_text(CORE_VERDICT_COUNT), "?");
    core_placement_free(&placement);
    core_state_free(&state);
}

/* Random states: what was placed has room, and exactly one node is chosen. */
static void what_is_placed_fits(void)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct hw_prng prng = hw_prng_seeded(seed);
        struct core_placement placement;
        struct core_state state;
        uint64_t used[6] = { 0 }, there[6] = { 0 }; /* there before: not asked for room */

        core_state_init(&state);
        for (unsigned i = 0; i < 46; i++) {
            char name[8];
            struct core_node *node;
            struct core_vm *vm;

            (void)snprintf(name, sizeof(name), "o%u", i);
            if (i < 6) {
                CU_ASSERT_EQUAL_FATAL(core_node_add(&state, name, &node), 0);
                node->memory_mb = hw_prng_below(&prng, 2000);
                node->cpus = 4;
                node->state = hw_prng_chance(&prng, 4, 5) ? CORE_NODE_ONLINE : CORE_NODE_LOST;
                continue;
            }
            CU_ASSERT_EQUAL_FATAL(core_vm_add(&state, name, &vm), 0);
            vm->memory_mb = 1 + hw_prng_below(&prng, 400);
            vm->wanted = hw_prng_chance(&prng, 4, 5) ? CORE_WANT_RUNNING : CORE_WANT_STOPPED;
            (void)snprintf(name, sizeof(name), "o%u", (unsigned)hw_prng_below(&prng, 12));
            CU_ASSERT_EQUAL(core_name_set(vm->node, name), 0); /* often of no node */
        }
        CU_ASSERT_EQUAL_FATAL(core_placement_make(&state, &placement), 0);
        for (size_t v = 0; v < placement.vms; v++) {
            unsigned chosen = 0;

            for (size_t n = 0; n < placement.nodes; n++)
                chosen += placement.verdicts[v * placement.nodes + n] == CORE_VERDICT_CHOSEN;
            CU_ASSERT_EQUAL(chosen, placement.node[v] != CORE_PLACEMENT_NOWHERE);
            if (chosen == 0)
                continue;
            CU_ASSERT_EQUAL(state.nodes.items[placement.node[v]].state, CORE_NODE_ONLINE);
            CU_ASSERT_EQUAL(state.vms.items[v].wanted, CORE_WANT_RUNNING);
            used[placement.node[v]] += state.vms.items[v].memory_mb;
            if (strcmp(state.vms.items[v].node, state.nodes.items[placement.node[v]].name) == 0)
                there[placement.node[v]] += state.vms.items[v].memory_mb;
        }
        for (size_t n = 0; n < placement.nodes; n++)
            CU_ASSERT(used[n] == there[n] || used[n] <= state.nodes.items[n].memory_mb);
        core_placement_free(&placement);
        core_state_free(&state);
    }
}

static void a_failed_allocation_leaves_nothing(void)
{
    struct core_state state;

    make(&state, NODES LUNS VM("a", "memory=1M") VM("b", "memory=1M") "apart a b", "");
    for (unsigned n = 0;; n++) {
        struct core_placement placement;
        int rc;

        fail_alloc_arm(n);
        rc = core_placement_make(&state, &placement);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT(n > 4);
            core_placement_free(&placement);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    core_state_free(&state);
}

const struct unit_case unit_cases[] = {
    { "where VMs go", stories },
    { "nodes that take none, and what stays there", nodes_and_their_modes },
    { "home, and too many failures", home_and_failures },
    { "reasons in words", reasons_in_words },
    { "what is placed fits", what_is_placed_fits },
    { "a failed allocation leaves nothing behind", a_failed_allocation_leaves_nothing },
    { NULL, NULL },
};
