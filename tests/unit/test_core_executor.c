/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_executor: who may execute, and what proves that nobody else does. Letters and
 * numbers are the holes of the protocol's review.
 */
#include <config.h>

#include "clusterd/core/core_executor.h"

#include "clusterd/core/core_snapshot.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

static struct core_state state;
static struct core_vm *vm;

static void make(uint32_t lease)
{
    static const char *const names[] = { "n1", "n2", "n3" };
    struct core_node *node;
    struct core_lun *lun;

    core_state_init(&state);
    state.cluster.lease = lease;
    state.cluster.deadman_ms = 2800;
    state.cluster.store_ms = 1500;
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(core_node_add(&state, names[i], &node), 0);
        node->id = i + 1;
    }
    CU_ASSERT_EQUAL_FATAL(core_lun_add(&state, "l1", &lun), 0);
    CU_ASSERT_EQUAL_FATAL(core_vm_add(&state, "web1", &vm), 0);
    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&vm->disks, (struct core_name) { "l1" }), 0);
}

static uint32_t grant(uint32_t node_id, uint64_t index)
{
    uint32_t first = 0;

    CU_ASSERT_EQUAL_FATAL(core_generation_next(&state, vm, &first), 0);
    CU_ASSERT_EQUAL_FATAL(core_executor_grant(&state, vm, node_id, first, index), 0);
    return first;
}

static void a_grant_starts_alone(void)
{
    uint32_t first;

    make(CORE_LEASE_MEMBER);
    first = grant(1, 10);
    CU_ASSERT_EQUAL(first, 1);
    CU_ASSERT(core_executor_may_start(vm, 1, first));
    CU_ASSERT(!core_executor_may_start(vm, 2, first));
    CU_ASSERT(!core_executor_may_start(vm, 1, first + 1));
    CU_ASSERT_EQUAL(core_executor_revoke(vm, 0, 11), 1);
    CU_ASSERT(!core_executor_may_start(vm, 1, first)); /* revoked, and not proven */
    core_state_free(&state);
}

/* A5: web1 is n1's; n2 is granted, and dies before it starts. The proof on n2 is not n1's. */
static void no_executor_is_forgotten(void)
{
    uint32_t one, two, three;

    make(CORE_LEASE_MEMBER);
    one = grant(1, 10);
    two = grant(2, 20);
    three = grant(3, 30);
    CU_ASSERT(one < two && two < three);
    CU_ASSERT_EQUAL(core_executor_revoke(vm, three, 31), 2);
    CU_ASSERT_EQUAL(core_executor_prove(&state, vm, 2, two, CORE_PROOF_MEMBER_LEASE), 0);
    CU_ASSERT(!core_executor_may_start(vm, 3, three));
    CU_ASSERT_EQUAL(core_executor_prove(&state, vm, 1, two, CORE_PROOF_MEMBER_LEASE), -ENOENT);
    CU_ASSERT_EQUAL(core_executor_prove(&state, vm, 1, one, CORE_PROOF_MEMBER_LEASE), 0);
    CU_ASSERT(core_executor_may_start(vm, 3, three));
    CU_ASSERT_EQUAL(core_executor_prove(&state, vm, 1, one, CORE_PROOF_MEMBER_LEASE), -ENOENT);
    core_state_free(&state);
}

/* An earlier grant does not come back when a later one is proven away. */
static void an_old_grant_does_not_start(void)
{
    uint32_t one, two;

    make(CORE_LEASE_MEMBER);
    one = grant(1, 10);
    two = grant(2, 20);
    CU_ASSERT_EQUAL(core_executor_prove(&state, vm, 2, two, CORE_PROOF_REPORT), 0);
    CU_ASSERT(!core_executor_may_start(vm, 1, one));
    core_state_free(&state);
}

/* R5, R3: only the armed lease proves, and only after its REVOKE. */
static void only_the_armed_lease_proves(void)
{
    const enum core_proof leases[] = { CORE_PROOF_MEMBER_LEASE, CORE_PROOF_STORAGE_LEASE };

    for (uint32_t armed = 0; armed < 2; armed++) {
        uint32_t one;

        make(armed == 0 ? CORE_LEASE_MEMBER : CORE_LEASE_STORAGE);
        one = grant(1, 10);
        CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, leases[armed]), -EPERM);
        (void)core_executor_revoke(vm, 0, 11);
        CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, leases[1 - armed]), -EPERM);
        CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, leases[armed]), 0);
        /* another mode since then: what freezes this one is still what it was granted under */
        state.cluster.lease = armed == 0 ? CORE_LEASE_STORAGE : CORE_LEASE_MEMBER;
        CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, leases[armed]), 0);
        CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, leases[1 - armed]), -EPERM);
        CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, CORE_PROOF_NONE), -EINVAL);
        CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, CORE_PROOF_COUNT), -EINVAL);
        core_state_free(&state);
    }
}

/* A10: an agent that ends late says nothing about what was granted after the order. */
static void an_agent_proves_what_was_before(void)
{
    struct core_node *node;
    uint32_t one, two, next;

    make(CORE_LEASE_MEMBER);
    one = grant(1, 10);
    node = core_node_by_id(&state, 1);
    CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, CORE_PROOF_AGENT), -EPERM);
    node->fence_order = 15;
    CU_ASSERT_EQUAL(core_generation_next(&state, vm, &next), 0);
    CU_ASSERT_EQUAL(core_executor_grant(&state, vm, 1, next, 16), -EPERM);
    node->fence_order = 0; /* ended, and the node is back */
    two = grant(1, 20);
    node->fence_order = 15; /* as if the agent's word came now */
    CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, two, CORE_PROOF_AGENT), -EPERM);
    CU_ASSERT_EQUAL(core_executor_prove(&state, vm, 1, one, CORE_PROOF_AGENT), 0);
    core_state_free(&state);
}

/* S3: a LUN that knows more than the state after lost stores, and numbers that end. */
static void generations_only_rise(void)
{
    uint32_t first, last = 0;

    make(CORE_LEASE_MEMBER);
    CU_ASSERT_EQUAL(core_generation_seen(&state, "l1", 40), 0);
    CU_ASSERT_EQUAL(core_generation_seen(&state, "l1", 8), 0);
    CU_ASSERT_EQUAL(core_generation_seen(&state, "l9", 8), -ENOENT);
    CU_ASSERT_EQUAL(core_generation_seen(&state, "l1", CORE_GENERATION_MAX + 1), -ERANGE);
    CU_ASSERT_EQUAL(core_generation_next(&state, vm, &first), 0);
    CU_ASSERT_EQUAL(first, 49);
    CU_ASSERT_EQUAL(core_executor_grant(&state, vm, 1, first - 16, 9), -EINVAL);
    CU_ASSERT_EQUAL(core_executor_grant(&state, vm, 9, first, 9), -ENOENT);
    for (uint64_t index = 10; index < 20; index++) {
        uint32_t now = grant(index % 2 == 0 ? 1 : 2, index);

        CU_ASSERT(now >= last + CORE_GENERATION_BLOCK);
        last = now;
    }
    CU_ASSERT_EQUAL(core_generation_seen(&state, "l1", CORE_GENERATION_MAX - 40), 0);
    CU_ASSERT_EQUAL(core_generation_next(&state, vm, &first), 0);
    CU_ASSERT(first + CORE_GENERATION_BLOCK - 1 <= CORE_GENERATION_MAX);
    CU_ASSERT_EQUAL(core_generation_seen(&state, "l1", CORE_GENERATION_MAX), 0);
    CU_ASSERT_EQUAL(core_generation_next(&state, vm, &first), -ERANGE);
    CU_ASSERT_EQUAL(core_lun_remove(&state, "l1"), 0);
    CU_ASSERT_EQUAL(core_generation_next(&state, vm, &first), -ENOENT);
    core_state_free(&state);
}

static struct core_vote_map three_votes(void)
{
    struct core_vote_map map = { 0 };

    for (uint32_t id = 1; id <= 3; id++)
        CU_ASSERT_EQUAL(core_vote_map_set(&map, id, 1), 0);
    return map;
}

/* A2: an age that was read before the REVOKE was delivered says nothing: the node may have been fed
 * by that member since. The node's own word is none. */
static void ages_count_after_the_revoke(void)
{
    const struct core_timing timing = core_timing_default();
    const struct core_vote_map map = three_votes();
    struct core_executor executor = {
        .node_id = 1, .generation = 1, .granted = 10, .deadman_ms = 2800
    };
    struct core_age ages[] = { { .from = 2, .age_ms = 2250, .delivered = 20 },
                               { .from = 3, .age_ms = 2200, .delivered = 19 },
                               { .from = 1, .age_ms = 9000, .delivered = 25 } };
    uint64_t wait;

    CU_ASSERT_EQUAL(core_executor_member_due(&timing, &map, &executor, ages, 3, &wait), -EAGAIN);
    executor.revoked = 20;
    CU_ASSERT_EQUAL(core_executor_member_due(&timing, &map, &executor, ages, 3, &wait), -EAGAIN);
    ages[1].delivered = 20;
    CU_ASSERT_EQUAL(core_executor_member_due(&timing, &map, &executor, ages, 3, &wait), 0);
    CU_ASSERT_EQUAL(wait, 700); /* 2800 + 100 - 2200 */
    ages[0].since_ms = ages[1].since_ms = 699;
    CU_ASSERT_EQUAL(core_executor_member_due(&timing, &map, &executor, ages, 3, &wait), 0);
    CU_ASSERT_EQUAL(wait, 1);
    ages[0].since_ms = ages[1].since_ms = UINT64_MAX;
    CU_ASSERT_EQUAL(core_executor_member_due(&timing, &map, &executor, ages, 3, &wait), 0);
    CU_ASSERT_EQUAL(wait, 0);
    CU_ASSERT_EQUAL(core_executor_member_due(&timing, &map, &executor, ages, 1, &wait), -EAGAIN);
}

/* One entry for a whole node: what it was judged by, and nothing that came after. */
static void a_node_is_proven_at_once(void)
{
    uint32_t one, two, three;

    make(CORE_LEASE_MEMBER);
    one = grant(1, 10);
    CU_ASSERT_EQUAL(core_executor_revoke(vm, 0, 11), 1);
    two = grant(1, 12);
    CU_ASSERT_EQUAL(core_executor_prove_node(&state, vm, 2, CORE_PROOF_MEMBER_LEASE, 20), 0);
    CU_ASSERT_EQUAL(core_executor_prove_node(&state, vm, 1, CORE_PROOF_MEMBER_LEASE, 10), 0);
    CU_ASSERT_EQUAL(core_executor_prove_node(&state, vm, 1, CORE_PROOF_MEMBER_LEASE, 20), 1);
    CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, one, CORE_PROOF_REPORT), -ENOENT);
    CU_ASSERT_EQUAL(core_executor_revoke(vm, 0, 21), 1);
    three = grant(1, 22);
    CU_ASSERT_EQUAL(core_executor_prove_node(&state, vm, 1, CORE_PROOF_MEMBER_LEASE, 20), 0);
    CU_ASSERT_EQUAL(core_executor_prove_node(&state, vm, 1, CORE_PROOF_STORAGE_LEASE, 30), 0);
    CU_ASSERT_EQUAL(core_executor_prove_node(&state, vm, 1, CORE_PROOF_AGENT, 30), 0);
    core_node_by_id(&state, 1)->fence_order = 22; /* ordered before the last grant */
    CU_ASSERT_EQUAL(core_executor_prove_node(&state, vm, 1, CORE_PROOF_AGENT, 22), 1);
    CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, two, CORE_PROOF_REPORT), -ENOENT);
    CU_ASSERT_EQUAL(core_executor_check(&state, vm, 1, three, CORE_PROOF_REPORT), 0);
    core_state_free(&state);
}

/* H9: a shorter T_deadman proves nothing about who was granted under the longer one. */
static void the_longer_lease_counts(void)
{
    const struct core_timing timing = core_timing_default();
    const struct core_vote_map map = three_votes();
    const struct core_age ages[] = { { .from = 2, .age_ms = 2800, .delivered = 20 },
                                     { .from = 3, .age_ms = 2800, .delivered = 20 } };
    uint64_t wait;

    make(CORE_LEASE_MEMBER);
    core_node_by_id(&state, 1)->deadman_ms = 10000; /* a planned restart */
    (void)grant(1, 10);
    core_node_by_id(&state, 1)->deadman_ms = 0;
    state.cluster.deadman_ms = 1000;
    (void)core_executor_revoke(vm, 0, 12);
    CU_ASSERT_EQUAL(
        core_executor_member_due(&timing, &map, &vm->executors.items[0], ages, 2, &wait), 0);
    CU_ASSERT_EQUAL(wait, 7300);
    core_executor_lengthen(vm, 1, 20000, 100);
    core_executor_lengthen(vm, 2, 90000, 90000);
    core_executor_lengthen(vm, 1, 5, 5000);
    CU_ASSERT_EQUAL(vm->executors.items[0].deadman_ms, 20000);
    CU_ASSERT_EQUAL(vm->executors.items[0].store_ms, 5000);
    core_state_free(&state);
}

/* What was revoked first stays: ages read after it go on counting. */
static void a_second_revoke_changes_nothing(void)
{
    make(CORE_LEASE_MEMBER);
    (void)grant(1, 10);
    CU_ASSERT_EQUAL(core_executor_revoke(vm, 0, 11), 1);
    CU_ASSERT_EQUAL(core_executor_revoke(vm, 0, 12), 0);
    CU_ASSERT_EQUAL(vm->executors.items[0].revoked, 11);
    core_state_free(&state);
}

/* Whatever the order of grants, the set stays sorted: its encoding loads. */
static void the_set_stays_canonical(void)
{
    static const uint32_t order[] = { 3, 1, 2, 1, 3, 2, 2 };
    struct core_state back;
    uint8_t *bytes;
    size_t size;

    make(CORE_LEASE_MEMBER);
    for (uint64_t i = 0; i < 7; i++)
        (void)grant(order[i], 10 + i);
    CU_ASSERT_EQUAL(vm->executors.count, 7);
    CU_ASSERT_EQUAL_FATAL(core_state_encode(&state, &bytes, &size), 0);
    CU_ASSERT_EQUAL_FATAL(core_state_decode(bytes, size, &back), 0);
    core_state_free(&back);
    free(bytes);
    core_state_free(&state);
}

static void a_failed_allocation_grants_nothing(void)
{
    uint32_t first;

    for (unsigned n = 0;; n++) {
        int rc;

        make(CORE_LEASE_MEMBER);
        CU_ASSERT_EQUAL(core_generation_next(&state, vm, &first), 0);
        fail_alloc_arm(n);
        rc = core_executor_grant(&state, vm, 1, first, 10);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT(n > 0);
            core_state_free(&state);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_EQUAL(vm->generation, 0);
        CU_ASSERT_EQUAL(vm->executors.count, 0);
        core_state_free(&state);
    }
}

const struct unit_case unit_cases[] = {
    { "a grant starts if it is alone", a_grant_starts_alone },
    { "A5: no executor is forgotten", no_executor_is_forgotten },
    { "an old grant does not start", an_old_grant_does_not_start },
    { "one entry proves a node", a_node_is_proven_at_once },
    { "R5: only the armed lease proves, after its REVOKE", only_the_armed_lease_proves },
    { "A10: an agent proves what was granted before", an_agent_proves_what_was_before },
    { "S3: generations only rise, and never wrap", generations_only_rise },
    { "A2: ages count if read after the REVOKE", ages_count_after_the_revoke },
    { "H9: the longest lease in force counts", the_longer_lease_counts },
    { "a second REVOKE changes nothing", a_second_revoke_changes_nothing },
    { "the set stays canonical", the_set_stays_canonical },
    { "a failed allocation grants nothing", a_failed_allocation_grants_nothing },
    { NULL, NULL },
};
