/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_state, clusterd/core/core_snapshot, clusterd/core/core_words,
 * clusterd/core/core_object, clusterd/core/core_object_codec and clusterd/core/core_tables: objects
 * stay sorted, a snapshot is canonical, what is damaged or newer is refused.
 */
#include <config.h>

#include "clusterd/core/core_snapshot.h"
#include "clusterd/core/core_state.h"
#include "common/hw_crc32c.h"

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int fill_vm(struct core_state *state, const char *name)
{
    struct core_vm *vm;
    struct core_name disk = { "l1" };
    struct core_executor executor = { .node_id = 2, .generation = 16, .granted = 9 };
    int rc = core_vm_add(state, name, &vm);

    if (rc == 0)
        rc = core_text_set(&vm->kernel, "/boot/vmlinuz");
    if (rc == 0)
        rc = hw_vector_push(&vm->disks, disk);
    if (rc == 0)
        rc = hw_vector_push(&vm->executors, executor);
    if (rc < 0)
        return rc;
    vm->priority = -5;
    vm->phase = CORE_VM_RUNNING;
    vm->generation = 16;
    vm->memory_mb = 1ull << 33;
    return core_name_set(vm->node, "n2");
}

static int fill(struct core_state *state)
{
    static const char *const nodes[] = { "n2", "n1", "n10" };
    struct core_node *node;
    struct core_rule *rule;
    struct core_fence *fence;
    struct core_lun *lun;
    struct core_transaction *transaction;
    int rc = 0;

    state->term = 3;
    state->index = 77;
    state->cluster.lease = CORE_LEASE_STORAGE;
    for (uint32_t i = 0; rc == 0 && i < 3; i++) {
        rc = core_node_add(state, nodes[i], &node);
        if (rc == 0) {
            node->id = 10 + i;
            node->uuid[15] = (uint8_t)(i + 1);
            rc = core_text_set(&node->address, "10.77.0.1");
        }
    }
    if (rc == 0)
        rc = fill_vm(state, "web1");
    if (rc == 0)
        rc = core_rule_add(state, "r1", &rule);
    if (rc == 0)
        rc = hw_vector_push(&rule->nodes, (struct core_score) { "n1", -100 });
    if (rc == 0)
        rc = core_lun_add(state, "l1", &lun);
    if (rc == 0)
        rc = core_fence_add(state, "f1", &fence);
    if (rc == 0)
        rc = core_transaction_add(state, 1, &transaction);
    return rc;
}

static void finds_what_was_added(void)
{
    struct core_state state;
    struct core_node *node;

    core_state_init(&state);
    CU_ASSERT_EQUAL_FATAL(fill(&state), 0);
    CU_ASSERT_STRING_EQUAL(state.nodes.items[0].name, "n1");
    CU_ASSERT_STRING_EQUAL(state.nodes.items[1].name, "n10");
    CU_ASSERT_STRING_EQUAL(state.nodes.items[2].name, "n2");
    CU_ASSERT_EQUAL(core_node_find(&state, "n10")->id, 12);
    CU_ASSERT_STRING_EQUAL(core_node_by_id(&state, 10)->name, "n2");
    CU_ASSERT_STRING_EQUAL(core_node_find(&state, "n2")->address, "10.77.0.1");
    CU_ASSERT_PTR_NULL(core_node_by_id(&state, 1));
    CU_ASSERT_PTR_NULL(core_node_find(&state, "n3"));
    CU_ASSERT_EQUAL(core_node_add(&state, "n1", &node), -EEXIST);
    CU_ASSERT_EQUAL(core_node_add(&state, "", &node), -EINVAL);
    CU_ASSERT_EQUAL(core_node_add(&state, "a b", &node), -EINVAL);
    CU_ASSERT_EQUAL(core_node_remove(&state, "n1"), 0);
    CU_ASSERT_EQUAL(core_node_remove(&state, "n1"), -ENOENT);
    CU_ASSERT_STRING_EQUAL(state.nodes.items[0].name, "n10");
    CU_ASSERT_PTR_NOT_NULL(core_vm_find(&state, "web1"));
    CU_ASSERT_EQUAL(core_vm_remove(&state, "web1"), 0);
    CU_ASSERT_EQUAL(core_rule_remove(&state, "r1"), 0);
    CU_ASSERT_EQUAL(core_lun_remove(&state, "l1"), 0);
    CU_ASSERT_EQUAL(core_fence_remove(&state, "f1"), 0);
    core_state_free(&state);
}

static void refuses_numbers_that_go_back(void)
{
    struct core_state state;
    struct core_transaction *transaction;

    core_state_init(&state);
    CU_ASSERT_EQUAL(core_transaction_add(&state, 0, &transaction), -EINVAL);
    CU_ASSERT_EQUAL(core_transaction_add(&state, 5, &transaction), 0);
    CU_ASSERT_EQUAL(core_transaction_add(&state, 5, &transaction), -EINVAL);
    core_state_free(&state);
}

static void comes_back_the_same(void)
{
    struct core_state state, again, copy;
    uint8_t *bytes, *second;
    size_t size, second_size;
    uint64_t hash = 0, copy_hash = 1;

    core_state_init(&state);
    CU_ASSERT_EQUAL_FATAL(fill(&state), 0);
    CU_ASSERT_EQUAL_FATAL(core_state_encode(&state, &bytes, &size), 0);
    CU_ASSERT_EQUAL_FATAL(core_state_decode(bytes, size, &again), 0);
    CU_ASSERT_EQUAL_FATAL(core_state_encode(&again, &second, &second_size), 0);
    CU_ASSERT_EQUAL_FATAL(size, second_size);
    CU_ASSERT_EQUAL(memcmp(bytes, second, size), 0);
    CU_ASSERT_EQUAL(again.index, 77);
    CU_ASSERT_EQUAL(core_vm_find(&again, "web1")->priority, -5);
    CU_ASSERT_EQUAL(core_vm_find(&again, "web1")->executors.items[0].granted, 9);
    CU_ASSERT_STRING_EQUAL(core_vm_find(&again, "web1")->initrd, "");
    CU_ASSERT_EQUAL(core_rule_find(&again, "r1")->nodes.items[0].score, -100);
    CU_ASSERT_EQUAL_FATAL(core_state_copy(&state, &copy), 0);
    CU_ASSERT_EQUAL(core_state_hash(&state, &hash), 0);
    CU_ASSERT_EQUAL(core_state_hash(&copy, &copy_hash), 0);
    CU_ASSERT_EQUAL(hash, copy_hash);
    copy.nodes.items[0].votes++;
    CU_ASSERT_EQUAL(core_state_hash(&copy, &copy_hash), 0);
    CU_ASSERT_NOT_EQUAL(hash, copy_hash);
    free(bytes);
    free(second);
    core_state_free(&copy);
    core_state_free(&again);
    core_state_free(&state);
}

static void refuses_what_is_damaged(void)
{
    struct core_state state, again;
    uint8_t *bytes;
    size_t size;

    core_state_init(&state);
    CU_ASSERT_EQUAL_FATAL(fill(&state), 0);
    CU_ASSERT_EQUAL_FATAL(core_state_encode(&state, &bytes, &size), 0);
    for (size_t cut = 0; cut < size; cut++)
        CU_ASSERT_EQUAL(core_state_decode(bytes, cut, &again), -EBADMSG);
    for (size_t at = 8; at < size; at++) {
        bytes[at] ^= 0x10;
        CU_ASSERT_EQUAL(core_state_decode(bytes, size, &again), -EBADMSG);
        bytes[at] ^= 0x10;
    }
    bytes[4]++;
    CU_ASSERT_EQUAL(core_state_decode(bytes, size, &again), -EPROTONOSUPPORT);
    free(bytes);
    core_state_free(&state);
}

/* A frame around a body of the test's own. */
static int decode_body(const uint8_t *body, uint8_t size, struct core_state *ret_state)
{
    uint8_t bytes[64] = { 'H', 'C', 'S', 'P', 1, 0, 0, 0, size };
    uint32_t crc = hw_crc32c(body, size);

    for (unsigned i = 0; i < 4; i++)
        bytes[12 + i] = (uint8_t)(crc >> (8 * i));
    memcpy(bytes + CORE_SNAPSHOT_HEAD, body, size);
    return core_state_decode(bytes, (size_t)CORE_SNAPSHOT_HEAD + size, ret_state);
}

static void judges_fields(void)
{
    static const uint8_t older[] = { 3, 0, 4, 0, 0, 0, 7, 0, 0, 0 };
    static const uint8_t newer[] = { 99, 0, 1, 0, 0, 0, 7 };
    static const uint8_t zero[] = { 3, 0, 4, 0, 0, 0, 0, 0, 0, 0 };
    static const uint8_t twice[] = { 3, 0, 4, 0, 0, 0, 7, 0, 0, 0, 3, 0, 4, 0, 0, 0, 7, 0, 0, 0 };
    static const uint8_t nameless[] = { 5, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
    static const uint8_t no_word[] = { 4, 0, 10, 0, 0, 0, 4, 0, 4, 0, 0, 0, 9, 0, 0, 0 };
    struct core_state state;

    CU_ASSERT_EQUAL_FATAL(decode_body(older, sizeof(older), &state), 0);
    CU_ASSERT_EQUAL(state.next_vm_number, 7);
    CU_ASSERT_EQUAL(state.nodes.count, 0);
    core_state_free(&state);
    CU_ASSERT_EQUAL(decode_body(newer, sizeof(newer), &state), -EPROTONOSUPPORT);
    CU_ASSERT_EQUAL(decode_body(zero, sizeof(zero), &state), -EBADMSG);
    CU_ASSERT_EQUAL(decode_body(twice, sizeof(twice), &state), -EBADMSG);
    CU_ASSERT_EQUAL(decode_body(nameless, sizeof(nameless), &state), -EBADMSG);
    CU_ASSERT_EQUAL(decode_body(no_word, sizeof(no_word), &state), -EBADMSG);
}

static int build_and_carry(void)
{
    struct core_state state, copy, again;
    uint8_t *bytes = NULL;
    size_t size;
    int rc;

    core_state_init(&state);
    core_state_init(&copy);
    core_state_init(&again);
    rc = fill(&state);
    if (rc == 0)
        rc = core_state_copy(&state, &copy);
    if (rc == 0)
        rc = core_state_encode(&copy, &bytes, &size);
    if (rc == 0)
        rc = core_state_decode(bytes, size, &again);
    free(bytes);
    core_state_free(&again);
    core_state_free(&copy);
    core_state_free(&state);
    return rc;
}

static void survives_failed_allocations(void)
{
    unsigned n = 0;

    for (;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = build_and_carry();
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    CU_ASSERT_TRUE(n > 50);
}

static void knows_its_words(void)
{
    uint32_t value = 99;

    CU_ASSERT_STRING_EQUAL(core_lease_word(CORE_LEASE_STORAGE), "storage");
    CU_ASSERT_STRING_EQUAL(core_vm_phase_word(CORE_VM_WAITING), "waiting");
    CU_ASSERT_STRING_EQUAL(core_vm_phase_word(CORE_VM_COUNT), "?");
    CU_ASSERT_EQUAL(core_word_find(core_rule_word, CORE_RULE_COUNT, "order", &value), 0);
    CU_ASSERT_EQUAL(value, CORE_RULE_ORDER);
    CU_ASSERT_EQUAL(core_word_find(core_rule_word, CORE_RULE_COUNT, "no", &value), -ENOENT);
}

const struct unit_case unit_cases[] = {
    { "objects are sorted and found", finds_what_was_added },
    { "transactions only count up", refuses_numbers_that_go_back },
    { "a snapshot comes back the same", comes_back_the_same },
    { "damage and a newer version are refused", refuses_what_is_damaged },
    { "fields: older load, newer and not canonical ones are refused", judges_fields },
    { "a failed allocation leaves nothing behind", survives_failed_allocations },
    { "values have words", knows_its_words },
    { 0 },
};
