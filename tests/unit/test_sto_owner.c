/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_owner and storage/sto_owner_command in the simulator's world (model target, guests,
 * oracles): claim, takeover, hand-over and release with the n-th operation of the node failing, for
 * n = 1, 2, 3 ... until none is left to fail. In the end the LUN is owned and the target says the
 * same, or it is cleanly not owned; never is a gate open without the reservation.
 * (over 400: each case needs the same world and traps)
 */
#include <config.h>

#include "storage/sto_owner.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_lun_priv.h"
#include "storage/sto_owner_priv.h"
#include "tests/sim/own_world.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum verb { CLAIM, TAKEOVER, HAND_OVER, RELEASE };

struct fault {
    enum sto_rc rc;
    uint16_t asc_ascq;
    bool executed;  /* the target does it, the answer is lost */
    bool goes_down; /* the session goes down behind the command instead */
};

static const struct fault faults[] = {
    { .rc = STO_UNKNOWN },
    { .rc = STO_UNKNOWN, .executed = true },
    { .rc = STO_BUSY },
    { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2900 },
    { .rc = STO_UNIT_ATTENTION, .asc_ascq = 0x2a03 },
    { .rc = STO_CONFLICT },
    { .rc = STO_NOT_SENT },
    { .goes_down = true },
};

/* The node's LUN, with a trap before its submit. */
static struct {
    struct sto_lun_ops ops;
    const struct sto_lun_ops *model;
    const struct fault *fault;
    unsigned left; /* operations that go through before the n-th */
    bool fired;
    struct sto_op *stopped; /* not sent; ends in the next service call */
    void (*done)(struct sto_op *op);
} trap;

static struct world *world;

static void end_badly(struct sto_op *op)
{
    memset(&op->result, 0, sizeof(op->result));
    op->result.rc = trap.fault->rc;
    op->result.asc_ascq = trap.fault->asc_ascq;
    op->done = trap.done;
    op->done(op);
}

static int trap_submit(struct sto_lun *lun, struct sto_op *op)
{
    bool counts = op->kind != STO_OP_READ || op->offset_bytes == 0; /* not guests' */
    int rc;

    if (trap.fired || !counts || trap.left-- > 0)
        return trap.model->submit(lun, op);
    trap.fired = true;
    if (trap.fault->goes_down) {
        rc = trap.model->submit(lun, op);
        sto_model_lun_break(lun, op->session);
        return rc;
    }
    trap.done = op->done;
    op->done = end_badly;
    if (trap.fault->executed)
        return trap.model->submit(lun, op);
    trap.stopped = op;
    return 0;
}

static void let_go(struct sto_lun *lun)
{
    struct sto_op *op = trap.stopped;

    trap.stopped = NULL;
    if (op != NULL)
        sto_lun_complete(lun, op);
}

static void trap_service(struct sto_lun *lun, short revents)
{
    let_go(lun);
    trap.model->service(lun, revents);
}

static void trap_close(struct sto_lun *lun)
{
    let_go(lun);
    trap.model->close(lun);
}

static void set_trap(struct sto_lun *lun, const struct fault *fault, unsigned n)
{
    memset(&trap, 0, sizeof(trap));
    trap.model = lun->ops;
    trap.ops = *lun->ops;
    trap.ops.submit = trap_submit;
    trap.ops.service = trap_service;
    trap.ops.close = trap_close;
    trap.fault = fault;
    trap.left = n;
    lun->ops = &trap.ops;
}

/* --- the world --- */

static void begin(uint64_t seed)
{
    world = calloc(1, sizeof(*world));
    CU_ASSERT_PTR_NOT_NULL_FATAL(world);
    while (!world_init(world, seed, getenv("WT") != NULL) || world->quirks.preempts_wrong) {
        world_fini(world);
        seed += 1000;
    }
    world->slow = 0;
}

static void finish(void)
{
    CU_ASSERT_FALSE(world->broken);
    if (world->broken)
        printf("# %s\n", world->why);
    world_fini(world);
    free(world);
}

/* The target says what the machine says. */
static bool is_holder(const struct world_node *node)
{
    uint64_t key;
    int nexus;

    return sto_model_holder(world->model, &key, &nexus) &&
           key == sto_own_key(sto_owner_machine(node->owner)) &&
           nexus == sto_model_lun_nexus(node->lun, STO_SESSION_DATA);
}

static enum sto_own_state state_of(const struct world_node *node)
{
    return sto_own_state(sto_owner_machine(node->owner));
}

static bool is_through(enum verb verb, const struct world_node *node)
{
    uint64_t key;
    int nexus;

    switch (verb) {
    case CLAIM:
    case TAKEOVER:
        return state_of(node) == STO_OWN_OWNED && is_holder(node);
    case HAND_OVER:
        return state_of(node) == STO_OWN_HANDED;
    case RELEASE:
        return state_of(node) == STO_OWN_LEFT && !sto_model_holder(world->model, &key, &nexus);
    }
    return false;
}

/* Time passes in small steps; whenever the node owns, the target agrees. */
static bool watch(enum verb verb, const struct world_node *node)
{
    enum { STEPS = 20000 };
    unsigned wrong = 0;
    bool through = false;

    for (unsigned i = 0; i < STEPS && !world->broken && !through; i++) {
        world_run(world, world->now_ns + WORLD_MS / 2);
        if (trap.stopped != NULL)
            sto_owner_service(node->owner, 0);
        wrong += state_of(node) == STO_OWN_OWNED &&
                 sto_model_lun_nexus(node->lun, STO_SESSION_DATA) >= 0 && !is_holder(node);
        through = is_through(verb, node);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    return through;
}

static void start(struct world_node *node)
{
    world_start(world, node, world_grant(world), true);
}

static void own(struct world_node *node)
{
    start(node);
    CU_ASSERT_TRUE_FATAL(world_run_until_open(world, node, 60000 * WORLD_MS));
    CU_ASSERT_TRUE(is_holder(node));
}

/* One go with the n-th operation failing. False: it has fewer. */
static bool go(enum verb verb, const struct fault *fault, unsigned n, uint64_t seed)
{
    struct world_node *node;
    bool fired, done;

    begin(seed);
    node = &world->nodes[0];
    if (verb == TAKEOVER)
        own(&world->nodes[1]);
    if (verb == CLAIM || verb == TAKEOVER)
        start(node);
    else
        own(node);
    if (verb == RELEASE || verb == HAND_OVER)
        world_run(world, world->now_ns + 20 * WORLD_MS);
    set_trap(node->lun, fault, n);
    if (verb == HAND_OVER)
        sto_owner_hand_over(node->owner, 2);
    else if (verb == RELEASE)
        sto_owner_release(node->owner);
    node->open = node->open && verb != RELEASE && verb != HAND_OVER;
    done = watch(verb, node);
    fired = trap.fired;
    CU_ASSERT_TRUE(done);
    if (!done)
        printf("# verb %d, fault %d, operation %u: %s\n", (int)verb, (int)(fault - faults), n,
               sto_own_state_name(state_of(node)));
    own(&world->nodes[2]); /* and the next one gets it */
    finish();
    return fired;
}

static void fail_each(enum verb verb)
{
    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        unsigned n = 0;

        while (go(verb, &faults[i], n, 1 + n % 8))
            n++;
        CU_ASSERT_TRUE(n >= 5);
    }
}

static void claims(void)
{
    fail_each(CLAIM);
}

static void takes_over(void)
{
    fail_each(TAKEOVER);
}

static void hands_over(void)
{
    fail_each(HAND_OVER);
}

static void releases(void)
{
    fail_each(RELEASE);
}

/* Guests' operations are answered BUSY, all of them; ownership's own are not. */
static struct sto_op *refused[WORLD_DATA_BLOCKS];

static int busy_submit(struct sto_lun *lun, struct sto_op *op)
{
    const uint64_t meta_bytes = (uint64_t)WORLD_META_BLOCKS * STO_MODEL_BLOCK_BYTES;
    unsigned i = 0;

    if ((op->kind != STO_OP_READ && op->kind != STO_OP_WRITE) || op->offset_bytes < meta_bytes)
        return trap.model->submit(lun, op);
    while (refused[i] != NULL)
        i++;
    CU_ASSERT_FATAL(i < WORLD_DATA_BLOCKS);
    refused[i] = op;
    return 0;
}

static void busy_service(struct sto_lun *lun, short revents)
{
    for (unsigned i = 0; i < WORLD_DATA_BLOCKS; i++) {
        struct sto_op *op = refused[i];

        refused[i] = NULL;
        if (op == NULL)
            continue;
        op->result.rc = STO_BUSY;
        sto_lun_complete(lun, op);
    }
    trap.model->service(lun, revents);
}

static void busy_close(struct sto_lun *lun)
{
    busy_service(lun, 0);
    trap.model->close(lun);
}

static void tells_that_guests_wait(void)
{
    struct world_node *node;
    unsigned long busy;

    begin(1);
    world->disturbed = 0;
    node = &world->nodes[0];
    own(node);
    set_trap(node->lun, &faults[0], UINT32_MAX);
    trap.ops.submit = busy_submit;
    trap.ops.service = busy_service;
    trap.ops.close = busy_close;
    for (unsigned i = 0; i < 1000; i++) { /* 5 s: said nothing yet */
        world_run(world, world->now_ns + 5 * WORLD_MS);
        sto_owner_service(node->owner, 0);
    }
    CU_ASSERT_EQUAL(world->stats.busy, 0);
    for (unsigned i = 0; i < 6000; i++) {
        world_run(world, world->now_ns + 5 * WORLD_MS);
        sto_owner_service(node->owner, 0);
    }
    busy = world->stats.busy; /* 35 s: a word every ten */
    CU_ASSERT_TRUE(busy >= 2 && busy <= 4);
    CU_ASSERT_TRUE(node->open);
    node->lun->ops = trap.model; /* it is over */
    for (unsigned i = 0; i < WORLD_DATA_BLOCKS; i++) {
        if (refused[i] != NULL)
            sto_lun_complete(node->lun, refused[i]);
        refused[i] = NULL;
    }
    world->quiet = true;
    world_run(world, world->now_ns + 20000 * WORLD_MS);
    CU_ASSERT_EQUAL(world->stats.busy, busy);
    for (unsigned i = 0; i < WORLD_DATA_BLOCKS; i++)
        CU_ASSERT_FALSE(node->blocks[i].out);
    finish();
}

/* What is told beside the world's own ears. */
static struct sto_owner_callbacks heard_before;
static char suspended_why[STO_DETAIL_BYTES];

static void hears(void *context, const struct sto_owner_notice *notice)
{
    if (notice->notice == STO_OWN_NOTICE_SUSPENDED)
        (void)snprintf(suspended_why, sizeof(suspended_why), "%s", notice->detail);
    heard_before.notice(context, notice);
}

/* The next login, which is the same step, begins without words: it does not take these away. */
static void tells_why_it_is_suspended(void)
{
    struct world_node *node;

    begin(1);
    node = &world->nodes[0];
    own(node);
    heard_before = node->owner->callbacks;
    node->owner->callbacks.notice = hears;
    suspended_why[0] = '\0';
    sto_model_lun_break(node->lun, STO_SESSION_DATA);
    world_run(world, world->now_ns + 1000 * WORLD_MS);
    CU_ASSERT_STRING_EQUAL(suspended_why, "a request ended without an answer"); /* a guest's */
    finish();
}

static void without_memory(void)
{
    struct sto_owner_config config = { .own.node = 1 };

    begin(1);
    for (unsigned n = 0;; n++) {
        struct sto_lun *lun = sto_model_lun_new(world->net, 77);
        struct sto_owner *owner = NULL;
        int rc;

        CU_ASSERT_PTR_NOT_NULL_FATAL(lun);
        fail_alloc_arm(n);
        rc = sto_owner_new(lun, &config, NULL, &owner);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            sto_owner_free(owner);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_PTR_NULL(owner);
        sto_lun_close(lun); /* still ours */
    }
    sto_owner_free(NULL);
    finish();
}

/* Memory runs short once, anywhere on the way. */
static void claims_without_memory(void)
{
    for (unsigned n = 0;; n++) {
        struct world_node *node;
        bool fired;

        begin(1);
        node = &world->nodes[0];
        start(node);
        set_trap(node->lun, &faults[0], UINT32_MAX);
        fail_alloc_arm(n);
        CU_ASSERT_TRUE(watch(CLAIM, node));
        fired = fail_alloc_disarm();
        finish();
        if (!fired)
            break;
    }
}

const struct unit_case unit_cases[] = {
    { "without memory", without_memory },
    { "a claim while the n-th allocation fails", claims_without_memory },
    { "why it is suspended", tells_why_it_is_suspended },
    { "guests that wait for a busy target", tells_that_guests_wait },
    { "the n-th operation of a claim fails", claims },
    { "the n-th operation of a takeover fails", takes_over },
    { "the n-th operation of a hand-over fails", hands_over },
    { "the n-th operation of a release fails", releases },
    { 0 },
};
