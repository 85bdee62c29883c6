/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_model_lun and storage/sto_model_net: sessions, messages under way, what arrives late,
 * cut links, broken sessions, deadlines.
 */
#include <config.h>

#include "storage/sto_model_lun.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { BLOCKS = 16, LATENCY_NS = 1000, OPS = 8 };

static struct {
    int64_t now_ns;
    struct hw_clock clock;
    struct hw_prng prng;
    struct sto_model *model;
    struct sto_model_net *net;
    struct sto_lun *lun;
    unsigned done, landed, downs;
    uint8_t landed_first[OPS]; /* first byte of what landed, in order */
    struct sto_op ops[OPS];
    enum sto_session down;
} t;

static int64_t now(void *context)
{
    (void)context;
    return t.now_ns;
}

static int64_t takes(void *context, const uint8_t cdb[16], bool reset)
{
    (void)context, (void)cdb, (void)reset;
    return 0;
}

static void landed(void *context, int nexus, uint64_t lba, const uint8_t *data, size_t bytes)
{
    (void)context, (void)nexus, (void)lba, (void)bytes;
    t.landed_first[t.landed++ % OPS] = data[0];
}

static void down(void *context, enum sto_session session, const char *why)
{
    (void)context, (void)why;
    t.downs++;
    t.down = session;
}

static void begin(uint64_t seed)
{
    struct sto_model_config config = { .blocks = BLOCKS, .landed = landed };
    struct sto_model_net_config net = { .takes_ns = takes,
                                        .latency_ns = LATENCY_NS,
                                        .late_ns = 100 * LATENCY_NS };

    memset(&t, 0, sizeof(t));
    t.now_ns = 1000000;
    t.clock = (struct hw_clock) { .now_ns = now };
    t.prng = hw_prng_seeded(seed);
    t.model = sto_model_new(&config);
    net.model = t.model;
    net.clock = &t.clock;
    net.prng = &t.prng;
    t.net = sto_model_net_new(&net);
    t.lun = sto_model_lun_new(t.net, 1);
    CU_ASSERT_TRUE_FATAL(t.model != NULL && t.net != NULL && t.lun != NULL);
    sto_lun_set_notify(t.lun, &(struct sto_lun_notify) { .session_down = down });
}

static void finish(void)
{
    sto_lun_close(t.lun);
    sto_model_net_free(t.net);
    sto_model_free(t.model);
}

static void count(struct sto_op *op)
{
    (void)op;
    t.done++;
}

static void submit(unsigned i, enum sto_op_kind kind, enum sto_session session)
{
    t.ops[i].kind = kind;
    t.ops[i].session = session;
    t.ops[i].cdb_bytes = 6;
    t.ops[i].done = count;
    if (t.ops[i].timeout_ms == 0)
        t.ops[i].timeout_ms = 1000;
    CU_ASSERT_EQUAL(sto_lun_submit(t.lun, &t.ops[i]), 0);
}

static void pass(int64_t until_ns)
{
    for (;;) {
        int64_t next = sto_model_net_next_ns(t.net), mine = sto_model_lun_next_ns(t.lun);

        next = mine < next ? mine : next;
        if (next > until_ns)
            break;
        t.now_ns = next > t.now_ns ? next : t.now_ns;
        sto_model_net_advance(t.net);
        sto_lun_service(t.lun, 0);
    }
    t.now_ns = until_ns;
}

static void pass_some(void)
{
    pass(t.now_ns + 10 * LATENCY_NS);
}

static void log_in(void)
{
    submit(0, STO_OP_LOGIN, STO_SESSION_DATA);
    pass_some();
    CU_ASSERT_EQUAL(t.ops[0].result.rc, STO_OK);
    CU_ASSERT_TRUE(sto_model_lun_nexus(t.lun, STO_SESSION_DATA) >= 0);
    submit(0, STO_OP_SCSI, STO_SESSION_DATA); /* TEST UNIT READY takes 29/00 */
    pass_some();
    CU_ASSERT_EQUAL(t.ops[0].result.rc, STO_UNIT_ATTENTION);
    CU_ASSERT_EQUAL(t.ops[0].result.asc_ascq, 0x2900);
    t.done = 0;
}

static void write_block(unsigned i, uint8_t *block, struct iovec *iov)
{
    static const uint8_t cdb[16] = { 0x2a, [8] = 1 };

    memset(block, (int)i + 1, STO_MODEL_BLOCK_BYTES);
    *iov = (struct iovec) { block, STO_MODEL_BLOCK_BYTES };
    memcpy(t.ops[i].cdb, cdb, sizeof(cdb));
    t.ops[i].iov = iov;
    t.ops[i].iov_count = 1;
    t.ops[i].direction = STO_DIRECTION_OUT;
    t.ops[i].kind = STO_OP_SCSI;
    t.ops[i].cdb_bytes = 10;
    t.ops[i].done = count;
    CU_ASSERT_EQUAL(sto_lun_submit(t.lun, &t.ops[i]), 0);
}

static void logs_in_and_out(void)
{
    begin(1);
    submit(1, STO_OP_FLUSH, STO_SESSION_DATA);
    pass_some();
    CU_ASSERT_EQUAL(t.ops[1].result.rc, STO_NOT_SENT);
    log_in();
    CU_ASSERT_EQUAL(sto_model_lun_nexus(t.lun, STO_SESSION_CONTROL), -1);
    submit(1, STO_OP_FLUSH, STO_SESSION_DATA);
    CU_ASSERT_EQUAL(t.done, 0); /* never from inside the submit */
    pass_some();
    CU_ASSERT_EQUAL(t.ops[1].result.rc, STO_OK);
    submit(2, STO_OP_LOGOUT, STO_SESSION_DATA);
    pass_some();
    CU_ASSERT_EQUAL(sto_model_lun_nexus(t.lun, STO_SESSION_DATA), -1);
    finish();
}

static void keeps_the_order(void)
{
    uint8_t blocks[OPS][STO_MODEL_BLOCK_BYTES];
    struct iovec iov[OPS];

    begin(2);
    log_in();
    for (unsigned i = 0; i < OPS; i++)
        write_block(i, blocks[i], &iov[i]);
    pass_some();
    CU_ASSERT_TRUE(t.done == OPS && t.landed == OPS);
    for (unsigned i = 0; i < OPS; i++)
        CU_ASSERT_EQUAL(t.landed_first[i], i + 1);
    finish();
}

/* What a dropped session had sent arrives or not, but not after the target noticed. */
static void arrives_late(void)
{
    unsigned arrived = 0;

    for (uint64_t seed = 1; seed <= 32; seed++) {
        uint8_t block[STO_MODEL_BLOCK_BYTES];
        struct iovec iov;
        int nexus;

        begin(seed);
        log_in();
        nexus = sto_model_lun_nexus(t.lun, STO_SESSION_DATA);
        write_block(1, block, &iov);
        sto_lun_drop(t.lun, STO_SESSION_DATA);
        sto_lun_service(t.lun, 0);
        CU_ASSERT_TRUE(t.done == 1 && t.ops[1].result.rc == STO_UNKNOWN && t.landed == 0);
        CU_ASSERT_TRUE(sto_model_session_up(t.model, nexus));
        pass(t.now_ns + 200 * LATENCY_NS);
        CU_ASSERT_FALSE(sto_model_session_up(t.model, nexus));
        CU_ASSERT_EQUAL(t.done, 1);
        arrived += t.landed;
        finish();
    }
    CU_ASSERT_TRUE(arrived > 0 && arrived < 32);
}

static void waits_while_cut(void)
{
    begin(3);
    log_in();
    sto_model_lun_cut(t.lun, true);
    t.ops[1].timeout_ms = 1;
    submit(1, STO_OP_FLUSH, STO_SESSION_DATA);
    submit(2, STO_OP_FLUSH, STO_SESSION_DATA);
    pass(t.now_ns + 2000000);
    CU_ASSERT_TRUE(t.done == 1 && t.ops[1].result.rc == STO_UNKNOWN); /* its deadline */
    sto_model_lun_cut(t.lun, false);
    pass_some();
    CU_ASSERT_TRUE(t.done == 2 && t.ops[2].result.rc == STO_OK);
    finish();
}

static void goes_down(void)
{
    begin(4);
    log_in();
    submit(1, STO_OP_FLUSH, STO_SESSION_DATA);
    sto_model_lun_break(t.lun, STO_SESSION_DATA);
    sto_model_lun_break(t.lun, STO_SESSION_CONTROL); /* is not up */
    pass_some();
    CU_ASSERT_TRUE(t.ops[1].result.rc == STO_UNKNOWN && t.downs == 1);
    CU_ASSERT_EQUAL(t.down, STO_SESSION_DATA);
    log_in();
    sto_model_lun_target_gone(t.lun);
    pass_some();
    CU_ASSERT_EQUAL(t.downs, 2);
    CU_ASSERT_EQUAL(sto_model_lun_nexus(t.lun, STO_SESSION_DATA), -1);
    finish();
}

static void without_memory(void)
{
    begin(5);
    for (unsigned n = 0;; n++) {
        struct sto_lun *lun;

        fail_alloc_arm(n);
        lun = sto_model_lun_new(t.net, 9);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_PTR_NOT_NULL(lun);
            sto_lun_close(lun);
            break;
        }
        CU_ASSERT_PTR_NULL(lun);
    }
    log_in();
    for (unsigned n = 0;; n++) { /* on the way, too: the operation ends, somehow, once */
        int rc;

        t.done = 0;
        t.ops[1] = (struct sto_op) { .kind = STO_OP_FLUSH, .timeout_ms = 1, .done = count };
        fail_alloc_arm(n);
        rc = sto_lun_submit(t.lun, &t.ops[1]);
        pass(t.now_ns + 2000000);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_TRUE(rc == 0 && t.ops[1].result.rc == STO_OK);
            break;
        }
        CU_ASSERT_TRUE(rc == -ENOMEM || (t.done == 1 && t.ops[1].result.rc == STO_UNKNOWN));
        CU_ASSERT_EQUAL(sto_lun_in_flight(t.lun), 0);
    }
    finish();
}

const struct unit_case unit_cases[] = {
    { "login, logout", logs_in_and_out },
    { "messages of a session stay in order", keeps_the_order },
    { "what was sent arrives late or not", arrives_late },
    { "a cut link, a deadline", waits_while_cut },
    { "sessions go down", goes_down },
    { "without memory", without_memory },
    { 0 },
};
