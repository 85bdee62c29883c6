/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_apply, clusterd/core/core_apply_vm, clusterd/core/core_apply_config: what each
 * order does to the state, and what is refused. Letters and numbers are the holes of the protocol's
 * review. (over 400: one story for each kind of order, on one state.)
 */
#include <config.h>

#include "clusterd/core/core_apply.h"

#include "clusterd/core/core_executor.h"
#include "clusterd/core/core_failure.h"
#include "clusterd/core/core_snapshot.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "cluster lab\n"
                           "node n1 id=1 memory=1024M\n"
                           "node n2 id=2 memory=1024M\n"
                           "node n3 id=3 memory=1024M\n"
                           "lun l1 url=file:/1\n"
                           "vm web1 disk=l1 memory=128M wanted=running\n";
static struct core_state state;

static struct core_vm *vm(void)
{
    return core_vm_find(&state, "web1");
}

static struct core_node *node(uint32_t id)
{
    return core_node_by_id(&state, id);
}

/* The next entry. What core_apply() made of it. */
static int apply(const struct core_order *order)
{
    uint8_t room[4096];
    struct core_entry entry = { .term = 1,
                                .index = state.index + 1,
                                .kind = order->kind,
                                .size = (uint32_t)core_order_size(order),
                                .bytes = room };
    struct core_order back;
    int result, rc;

    core_order_encode(order, room);
    rc = core_apply(&state, &entry, &back, &result);
    if (rc < 0)
        return rc;
    CU_ASSERT_EQUAL(state.index, entry.index);
    CU_ASSERT_EQUAL(back.kind, order->kind);
    return result;
}

static int order(uint16_t kind, uint32_t id, uint32_t generation, uint32_t value, uint64_t index)
{
    struct core_order all = { .kind = kind,
                              .node = id,
                              .generation = generation,
                              .value = value,
                              .index = index,
                              .object = "web1" };

    return apply(&all);
}

static int prove_node(uint32_t id, uint64_t until)
{
    struct core_order all = {
        .kind = CORE_ORDER_PROVE, .node = id, .value = CORE_PROOF_MEMBER_LEASE, .index = until
    };

    return apply(&all);
}

static int configure(const char *words, uint64_t revision)
{
    struct core_order all = { .kind = CORE_ORDER_CONFIG,
                              .index = revision,
                              .text = words,
                              .text_size = (uint32_t)strlen(words) };

    return apply(&all);
}

static void make(void)
{
    core_state_init(&state);
    CU_ASSERT_EQUAL_FATAL(configure(text, 0), 0);
    state.cluster.deadman_ms = 2800;
    for (uint32_t id = 1; id <= 3; id++)
        CU_ASSERT_EQUAL_FATAL(order(CORE_ORDER_JOIN, id, 0, 0, 100 + id), 0);
    CU_ASSERT_EQUAL(node(2)->incarnation, 102);
}

static void runs_on(uint32_t id, uint32_t generation)
{
    CU_ASSERT_EQUAL_FATAL(order(CORE_ORDER_GRANT, id, generation, 0, 0), 0);
    CU_ASSERT_EQUAL_FATAL(order(CORE_ORDER_RUNNING, id, generation, 0, 0), 0);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_RUNNING);
}

static void a_vm_starts_and_stops(void)
{
    make();
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 1, 2, 0, 0), -EINVAL); /* no such generation */
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 9, 1, 0, 0), -ENOENT);
    CU_ASSERT_EQUAL(order(CORE_ORDER_RUNNING, 1, 1, 0, 0), -EPERM);
    runs_on(1, 1);
    CU_ASSERT_STRING_EQUAL(vm()->node, "n1");
    CU_ASSERT_EQUAL(core_lun_find(&state, "l1")->generation, CORE_GENERATION_BLOCK);
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 2, 17, 0, 0), -EBUSY); /* it is granted */
    CU_ASSERT_EQUAL(order(CORE_ORDER_WANT, 0, 0, CORE_WANT_PAUSED, 0), -EINVAL);
    CU_ASSERT_EQUAL(order(CORE_ORDER_WANT, 0, 0, CORE_WANT_STOPPED, 0), 0);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_RUNNING); /* nothing is taken by a wish */
    CU_ASSERT_EQUAL(order(CORE_ORDER_REVOKE, 0, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_REVOKE, 0, 0, 0, 0), -EALREADY);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_STOPPING);
    CU_ASSERT_STRING_EQUAL(vm()->node, "");
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 2, 17, 0, 0), -EBUSY); /* not wanted */
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 1, 1, CORE_STOP_ORDERED, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 1, 1, CORE_STOP_ORDERED, 0), -ENOENT);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_STOPPED);
    CU_ASSERT_EQUAL(vm()->failures.count, 0);
    core_state_free(&state);
}

/* A5, A1: whoever was granted it is in the set until he is proven away; the next one prepares. */
static void a_lost_node_is_proven(void)
{
    uint64_t first;

    make();
    runs_on(1, 1);
    CU_ASSERT_EQUAL(prove_node(1, 100), -ENOENT); /* not revoked */
    CU_ASSERT_EQUAL(order(CORE_ORDER_LOST, 1, 0, CORE_NODE_ONLINE, 0), -EINVAL);
    CU_ASSERT_EQUAL(order(CORE_ORDER_LOST, 1, 0, CORE_NODE_LOST, 0), 0);
    CU_ASSERT_EQUAL(node(1)->state, CORE_NODE_LOST);
    CU_ASSERT_EQUAL(node(1)->revoked, state.index);
    first = state.index;
    CU_ASSERT_EQUAL(node(2)->revoked, 0);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_WAITING);
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 1, 17, 0, 0), -EPERM); /* lost */
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 2, 17, 0, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_RUNNING, 2, 17, 0, 0), -EPERM); /* not alone */
    CU_ASSERT_EQUAL(order(CORE_ORDER_LOST, 2, 0, CORE_NODE_LOST, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 3, 33, 0, 0), 0);
    CU_ASSERT_EQUAL(vm()->executors.count, 3);
    CU_ASSERT_EQUAL(prove_node(2, state.index), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_RUNNING, 3, 33, 0, 0), -EPERM); /* n1 is not proven */
    CU_ASSERT_EQUAL(order(CORE_ORDER_PROVE, 1, 1, CORE_PROOF_AGENT, 0), -EINVAL);
    CU_ASSERT_EQUAL(order(CORE_ORDER_PROVE, 1, 1, CORE_PROOF_STORAGE_LEASE, 0), -EPERM);
    CU_ASSERT_EQUAL(order(CORE_ORDER_PROVE, 1, 1, CORE_PROOF_MEMBER_LEASE, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_RUNNING, 3, 33, 0, 0), 0);
    CU_ASSERT_EQUAL(node(1)->revoked, first); /* for good */
    core_state_free(&state);
}

static void failures_are_counted(void)
{
    make();
    runs_on(1, 1);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 1, 1, CORE_STOP_COUNT, 0), -EINVAL);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 1, 1, CORE_STOP_CRASHED, 0), 0);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_FAILED);
    CU_ASSERT_EQUAL(core_failure_count(vm(), "n1"), 1);
    CU_ASSERT_EQUAL(order(CORE_ORDER_FORGIVE, 0, 0, 0, 0), -EALREADY);
    runs_on(2, 17);
    CU_ASSERT_EQUAL(order(CORE_ORDER_CLEAR, 1, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(core_failure_count(vm(), "n1"), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 2, 17, CORE_STOP_SHUTDOWN, 0), 0);
    CU_ASSERT_EQUAL(vm()->wanted, CORE_WANT_STOPPED); /* that was the admin inside */
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_STOPPED);
    CU_ASSERT_EQUAL(order(CORE_ORDER_WANT, 0, 0, CORE_WANT_RUNNING, 0), 0);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_WAITING);
    CU_ASSERT_EQUAL(order(CORE_ORDER_SEEN, 0, 100, 0, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_SEEN, 0, CORE_GENERATION_MAX + 1, 0, 0), -ERANGE);
    runs_on(2, 113); /* above what was seen */
    core_state_free(&state);
}

/* A revoked copy that crashes later says nothing about the one that was granted since. */
static void an_old_copy_s_end_is_no_failure(void)
{
    make();
    runs_on(1, 1);
    CU_ASSERT_EQUAL(order(CORE_ORDER_LOST, 1, 0, CORE_NODE_UNFIT, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 2, 17, 0, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 1, 1, CORE_STOP_SHUTDOWN, 0), 0);
    CU_ASSERT_EQUAL(vm()->wanted, CORE_WANT_RUNNING);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_STARTING);
    CU_ASSERT_EQUAL(vm()->failures.count, 0);
    core_state_free(&state);
}

/* A10: nothing is given to a node before its agent has ended; an old agent says nothing. */
static void fencing(void)
{
    uint64_t first;

    make();
    runs_on(1, 1);
    CU_ASSERT_EQUAL(order(CORE_ORDER_FENCE, 1, 0, 0, 0), 0);
    first = state.index;
    CU_ASSERT_EQUAL(order(CORE_ORDER_FENCE, 1, 0, 0, 0), -EALREADY);
    CU_ASSERT_EQUAL(order(CORE_ORDER_JOIN, 1, 0, 0, 7), -EPERM);
    CU_ASSERT_EQUAL(order(CORE_ORDER_FENCED, 1, 0, 0, first), 0); /* it failed */
    CU_ASSERT_EQUAL(vm()->executors.count, 1);
    CU_ASSERT_EQUAL(order(CORE_ORDER_FENCE, 1, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_FENCED, 1, 0, 1, first), -ESTALE);
    CU_ASSERT_EQUAL(vm()->executors.count, 1);
    CU_ASSERT_EQUAL(order(CORE_ORDER_FENCED, 1, 0, 1, node(1)->fence_order), 0);
    CU_ASSERT_EQUAL(vm()->executors.count, 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_JOIN, 1, 0, 0, 7), 0);
    core_state_free(&state);
}

static int move(uint32_t to, uint32_t via, uint32_t comes_home)
{
    return order(CORE_ORDER_MOVE, to, comes_home, via, 0);
}

static void moves(void)
{
    make();
    CU_ASSERT_EQUAL(move(2, CORE_VIA_SAVE, 0), -EBUSY); /* it does not run */
    runs_on(1, 1);
    CU_ASSERT_EQUAL(move(9, CORE_VIA_SAVE, 0), -ENOENT);
    CU_ASSERT_EQUAL(move(2, CORE_VIA_COUNT, 0), -EINVAL);
    CU_ASSERT_EQUAL(move(1, CORE_VIA_SAVE, 0), -EALREADY);
    CU_ASSERT_EQUAL(order(CORE_ORDER_MODE, 3, 0, CORE_MODE_STANDBY, 0), 0);
    CU_ASSERT_EQUAL(move(3, CORE_VIA_SAVE, 0), -EPERM);
    CU_ASSERT_EQUAL(move(2, CORE_VIA_SAVE, 1), 0);
    CU_ASSERT(vm()->phase == CORE_VM_MOVING && vm()->moved == state.index);
    CU_ASSERT_STRING_EQUAL(vm()->target, "n2");
    CU_ASSERT_STRING_EQUAL(vm()->home, "n1");
    CU_ASSERT_EQUAL(vm()->executors.items[0].revoked, 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 2, 17, 0, 0), -EBUSY); /* n1 has it */
    CU_ASSERT_EQUAL(order(CORE_ORDER_STAYS, 0, 0, 0, vm()->moved - 1), -ESTALE);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STAYS, 0, 0, 0, vm()->moved), 0);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_RUNNING);
    CU_ASSERT(vm()->target[0] == '\0' && vm()->home[0] == '\0');
    CU_ASSERT_EQUAL(move(2, CORE_VIA_SAVE, 1), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 1, 1, CORE_STOP_SAVED, 0), 0);
    CU_ASSERT_EQUAL(vm()->saved, CORE_SAVED_COMMITTED);
    CU_ASSERT_STRING_EQUAL(vm()->target, "n2");
    runs_on(2, 17);
    CU_ASSERT_EQUAL(vm()->saved, CORE_SAVED_NONE);
    CU_ASSERT_EQUAL(vm()->target[0], '\0');
    CU_ASSERT_EQUAL(move(1, CORE_VIA_SAVE, 0), 0); /* home */
    CU_ASSERT_STRING_EQUAL(vm()->home, "n1");
    CU_ASSERT_EQUAL(order(CORE_ORDER_LOST, 2, 0, CORE_NODE_LOST, 0), 0);
    CU_ASSERT_EQUAL(vm()->saved, CORE_SAVED_UNKNOWN);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 2, 17, CORE_STOP_ORDERED, 0), 0);
    runs_on(1, 33);
    CU_ASSERT_STRING_EQUAL(vm()->home, "");
    CU_ASSERT_EQUAL(order(CORE_ORDER_MODE, 3, 0, CORE_MODE_ONLINE, 0), 0);
    CU_ASSERT_EQUAL(move(3, CORE_VIA_RESTART, 0), 0);
    CU_ASSERT_EQUAL(vm()->phase, CORE_VM_WAITING);
    CU_ASSERT_EQUAL(node(1)->revoked, state.index);
    core_state_free(&state);
}

static void a_request_counts_once(void)
{
    struct core_order want = { .kind = CORE_ORDER_WANT,
                               .from = 2,
                               .incarnation = 102,
                               .request = 5,
                               .value = CORE_WANT_STOPPED,
                               .object = "web1" };

    make();
    CU_ASSERT_EQUAL(apply(&want), 0);
    CU_ASSERT_EQUAL(order(CORE_ORDER_WANT, 0, 0, CORE_WANT_RUNNING, 0), 0);
    CU_ASSERT_EQUAL(apply(&want), -EALREADY);
    CU_ASSERT_EQUAL(vm()->wanted, CORE_WANT_RUNNING);
    want.incarnation++; /* another life counts anew */
    want.request = 1;
    CU_ASSERT_EQUAL(apply(&want), 0);
    CU_ASSERT_EQUAL(vm()->wanted, CORE_WANT_STOPPED);
    core_state_free(&state);
}

static void configurations_replace_each_other(void)
{
    char more[512];

    make();
    runs_on(1, 1);
    CU_ASSERT_EQUAL(configure(text, 0), -ESTALE);
    CU_ASSERT_EQUAL(configure("vm", 1), -EINVAL);
    CU_ASSERT_EQUAL(configure("cluster lab\nnode n1 id=1 memory=1M\nnode n2 id=2 memory=1M\n", 1),
                    -EBUSY); /* n3 is not lost */
    CU_ASSERT_EQUAL(order(CORE_ORDER_LOST, 3, 0, CORE_NODE_UNFIT, 0), 0);
    CU_ASSERT_EQUAL(configure("cluster lab\nnode n1 id=1 memory=1M\nnode n2 id=2 memory=1M\n", 1),
                    -EBUSY); /* nor is one that is unfit */
    CU_ASSERT_EQUAL(order(CORE_ORDER_LOST, 3, 0, CORE_NODE_LOST, 0), 0);
    CU_ASSERT_EQUAL(configure("cluster lab\nnode n1 id=1 memory=1M\nnode n2 id=2 memory=1M\n", 1),
                    -EBUSY); /* web1 may execute */
    CU_ASSERT_EQUAL(configure("cluster lab\nnode n1 id=4 memory=1M\n", 1), -EPERM);
    (void)strcpy(more, text);
    (void)strcpy(strstr(more, "disk=l1"), "disk=l2 memory=1M wanted=running\nlun l2 url=file:/2\n");
    CU_ASSERT_EQUAL(configure(more, 1), -EBUSY); /* another disk */
    (void)strcpy(more, text);
    (void)strcpy(strstr(more, "memory=128M"), "memory=256M\nlun l2 url=file:/2\n"
                                              "vm db1 disk=l2 memory=64M\n");
    CU_ASSERT_EQUAL(configure(more, 1), 0);
    CU_ASSERT_EQUAL(state.cluster.revision, 2);
    CU_ASSERT_EQUAL(vm()->memory_mb, 256);
    CU_ASSERT_EQUAL(vm()->number, 1);
    CU_ASSERT_EQUAL(vm()->executors.count, 1);
    CU_ASSERT_EQUAL(vm()->wanted, CORE_WANT_STOPPED);
    CU_ASSERT_EQUAL(core_vm_find(&state, "db1")->number, 2);
    CU_ASSERT_EQUAL(node(1)->incarnation, 101);
    CU_ASSERT_EQUAL(core_lun_find(&state, "l1")->generation, CORE_GENERATION_BLOCK);
    core_state_free(&state);
}

/* A VM that comes again under its name goes on behind the generations of its LUN. */
static void a_new_vm_takes_new_generations(void)
{
    make();
    runs_on(1, 1);
    CU_ASSERT_EQUAL(order(CORE_ORDER_STOPPED, 1, 1, CORE_STOP_SHUTDOWN, 0), 0);
    CU_ASSERT_EQUAL(configure("cluster lab\nnode n1 id=1 memory=1024M\nnode n2 id=2 memory=1M\n"
                              "node n3 id=3 memory=1M\nlun l1 url=file:/1\n",
                              1),
                    0);
    CU_ASSERT_PTR_NULL(vm());
    CU_ASSERT_EQUAL(configure(text, 2), 0);
    CU_ASSERT_EQUAL(vm()->number, 2);
    CU_ASSERT_EQUAL(order(CORE_ORDER_GRANT, 1, 1, 0, 0), -EINVAL);
    runs_on(1, 17);
    core_state_free(&state);
}

static void what_is_no_order_changes_nothing(void)
{
    struct core_entry open = { .term = 9, .index = 5, .kind = CORE_ENTRY_OPEN };
    uint8_t junk[3] = { 1, 0, 16 };
    struct core_entry bad = { .term = 9, .index = 6, .kind = 16, .size = 3, .bytes = junk };
    struct core_order newer = { .kind = CORE_ORDER_END }, back;
    uint8_t room[CORE_ORDER_HEAD];
    struct core_entry later = {
        .term = 9, .index = 7, .kind = CORE_ORDER_END, .size = sizeof(room), .bytes = room
    };
    int result = 1;

    make();
    CU_ASSERT_EQUAL(core_apply(&state, &open, &back, &result), 0);
    CU_ASSERT(result == 0 && back.kind == 0 && state.term == 9 && state.index == 5);
    CU_ASSERT_EQUAL(core_apply(&state, &bad, &back, &result), 0);
    CU_ASSERT(result == -EBADMSG && state.index == 6);
    core_order_encode(&newer, room);
    CU_ASSERT_EQUAL(core_apply(&state, &later, &back, &result), -EPROTONOSUPPORT);
    CU_ASSERT_EQUAL(state.index, 6); /* nothing behind it either */
    core_state_free(&state);
}

static uint64_t hash(void)
{
    uint64_t value = 0;

    CU_ASSERT_EQUAL_FATAL(core_state_hash(&state, &value), 0);
    return value;
}

/* One of each that needs memory: as it was, or done. */
static void without_memory_nothing_changes(void)
{
    const struct core_order orders[] = {
        { .kind = CORE_ORDER_CONFIG,
          .index = 1,
          .text = text,
          .text_size = sizeof(text) - 1,
          .from = 2,
          .incarnation = 1,
          .request = 1 },
        { .kind = CORE_ORDER_GRANT, .node = 1, .generation = 1, .object = "web1" },
        { .kind = CORE_ORDER_STOPPED,
          .node = 1,
          .generation = 1,
          .value = CORE_STOP_CRASHED,
          .object = "web1" },
    };
    unsigned failed = 0;

    make();
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        for (unsigned n = 0;; n++) {
            uint64_t before = hash();
            int rc;

            fail_alloc_arm(n);
            rc = apply(&orders[i]);
            if (!fail_alloc_disarm()) {
                CU_ASSERT_EQUAL(rc, 0);
                break;
            }
            failed++;
            CU_ASSERT_EQUAL(rc, -ENOMEM);
            CU_ASSERT_EQUAL(hash(), before);
        }
    }
    CU_ASSERT(failed > 3);
    core_state_free(&state);
}

const struct unit_case unit_cases[] = {
    { "a VM starts and stops", a_vm_starts_and_stops },
    { "A5: a lost node is proven, and each before it", a_lost_node_is_proven },
    { "failures are counted", failures_are_counted },
    { "the end of a revoked copy is no failure", an_old_copy_s_end_is_no_failure },
    { "A10: fencing is an order of its own", fencing },
    { "moves", moves },
    { "a request counts once", a_request_counts_once },
    { "configurations replace each other", configurations_replace_each_other },
    { "S3: a new VM takes new generations", a_new_vm_takes_new_generations },
    { "what is no order changes nothing", what_is_no_order_changes_nothing },
    { "without memory nothing changes", without_memory_nothing_changes },
    { NULL, NULL },
};
