/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_identify over the model target, with the n-th command answered out of turn: facts are
 * read as they are or not at all. What is only not said must not read as "not offered" or as
 * another LUN.
 */
#include <config.h>

#include "storage/sto_model_lun.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { BLOCKS = 16, LATENCY_NS = 1000, COMMANDS_MAX = 64 };

static const int64_t HANGS_NS = 60000000000;

static struct {
    int64_t now_ns;
    struct hw_clock clock;
    struct hw_prng prng;
    struct sto_model *model;
    struct sto_model_net *net;
    struct sto_lun *lun;
    struct sto_model_reply reply; /* of the commands from `first` on, `times` of them */
    unsigned first, times, commands;
    int64_t takes_ns; /* a command, or a login */
    bool ended;
    int rc;
    struct sto_facts facts;
    struct hw_error error;
} t;

static int64_t now(void *context)
{
    (void)context;
    return t.now_ns;
}

static int64_t takes(void *context, const uint8_t cdb[16], bool reset)
{
    (void)context, (void)cdb, (void)reset;
    return t.takes_ns;
}

static bool disturb(void *context, const uint8_t cdb[16], struct sto_model_reply *reply,
                    bool *executed)
{
    unsigned n = t.commands++;

    (void)context, (void)cdb;
    *executed = false;
    if (n < t.first || n - t.first >= t.times)
        return false;
    *reply = t.reply;
    return true;
}

static void begin(void)
{
    struct sto_model_config config = { .quirks.persists = true,
                                       .blocks = BLOCKS,
                                       .disturbs = disturb };
    struct sto_model_net_config net = { .takes_ns = takes, .latency_ns = LATENCY_NS };

    t.now_ns = 1000000;
    t.commands = 0;
    t.takes_ns = 0;
    t.ended = false;
    t.clock = (struct hw_clock) { .now_ns = now };
    t.prng = hw_prng_seeded(1);
    t.model = sto_model_new(&config);
    net.model = t.model;
    net.clock = &t.clock;
    net.prng = &t.prng;
    t.net = sto_model_net_new(&net);
    t.lun = sto_model_lun_new(t.net, 1);
    CU_ASSERT_TRUE_FATAL(t.model != NULL && t.net != NULL && t.lun != NULL);
}

static void finish(void)
{
    sto_lun_close(t.lun);
    sto_model_net_free(t.net);
    sto_model_free(t.model);
}

static void pass(const bool *until)
{
    for (unsigned i = 0; i < 100000 && !*until; i++) {
        int64_t next = sto_model_net_next_ns(t.net), mine = sto_model_lun_next_ns(t.lun);

        next = mine < next ? mine : next;
        CU_ASSERT_FATAL(next != INT64_MAX);
        t.now_ns = next > t.now_ns ? next : t.now_ns;
        sto_model_net_advance(t.net);
        sto_lun_service(t.lun, 0);
    }
    CU_ASSERT_TRUE_FATAL(*until);
}

static void logged_in(struct sto_op *op)
{
    *(bool *)op->context = true;
}

static void identified(void *context, int rc, const struct sto_facts *facts,
                       const struct hw_error *error)
{
    (void)context;
    t.ended = true;
    t.rc = rc;
    t.error = *error;
    if (rc == 0)
        t.facts = *facts;
}

/* Log in and identify, with `times` commands from the n-th on answered so. True: it came that far.
 */
static bool identify(const struct sto_model_reply *reply, unsigned n, unsigned times)
{
    bool up = false;
    struct sto_op login = {
        .kind = STO_OP_LOGIN, .timeout_ms = 1000, .done = logged_in, .context = &up
    };

    t.reply = *reply;
    t.first = n;
    t.times = times;
    begin();
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(t.lun, &login), 0);
    pass(&up);
    CU_ASSERT_EQUAL_FATAL(sto_identify(t.lun, 1000, identified, NULL), 0);
    pass(&t.ended);
    finish();
    return t.commands > n;
}

static const struct sto_model_reply aborted = { .status = 0x02, .sense_key = 0x0b };
static const struct sto_model_reply busy = { .status = 0x08 };
static const struct sto_model_reply broken = { .status = 0x02, .sense_key = 0x04 };
static const struct sto_model_reply conflict = { .status = 0x18 };
static const struct sto_model_reply no_medium = { .status = 0x02,
                                                  .sense_key = 0x02,
                                                  .asc_ascq = 0x3a00 };
static const struct sto_model_reply attention = { .status = 0x02,
                                                  .sense_key = 0x06,
                                                  .asc_ascq = 0x3f0e };

static bool same(const struct sto_facts *facts)
{
    return strcmp(t.facts.wwid, facts->wwid) == 0 && strcmp(t.facts.serial, facts->serial) == 0 &&
           strcmp(t.facts.product, facts->product) == 0 &&
           t.facts.reservations == facts->reservations &&
           t.facts.keeps_over_power_loss == facts->keeps_over_power_loss &&
           (t.facts.block_bytes == 0 || (t.facts.capacity_bytes == facts->capacity_bytes &&
                                         t.facts.block_bytes == facts->block_bytes));
}

/* What it says undisturbed. */
static struct sto_facts plain(void)
{
    (void)identify(&busy, COMMANDS_MAX, 0);
    CU_ASSERT_EQUAL_FATAL(t.rc, 0);
    CU_ASSERT_TRUE(t.facts.reservations && t.facts.wwid[0] != '\0' && t.facts.block_bytes != 0);
    return t.facts;
}

static void each_command_tried_again(void)
{
    static const struct sto_model_reply *const passing[] = { &aborted, &attention };
    const struct sto_facts facts = plain();

    for (unsigned i = 0; i < 2; i++) {
        for (unsigned n = 0; identify(passing[i], n, 3); n++) {
            CU_ASSERT_EQUAL(t.rc, 0);
            CU_ASSERT_TRUE(same(&facts));
        }
        CU_ASSERT_TRUE(t.commands >= 8);
    }
}

static void whole_or_not_at_all(void)
{
    static const struct sto_model_reply *const failing[] = { &aborted, &busy, &broken, &conflict,
                                                             &no_medium };
    const struct sto_facts facts = plain();

    for (unsigned i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
        for (unsigned times = 1; times <= COMMANDS_MAX; times *= 4) {
            for (unsigned n = 0; identify(failing[i], n, times); n++) {
                CU_ASSERT_TRUE(t.rc < 0 || same(&facts));
                CU_ASSERT_TRUE(t.rc < 0 || t.facts.block_bytes != 0 || failing[i] == &conflict);
                CU_ASSERT_TRUE(t.rc == 0 ||
                               (t.error.reason[0] != '\0' && t.error.remedy[0] != '\0'));
            }
        }
    }
}

/* A target that lets us in and then says nothing. */
static void hangs(void)
{
    bool up = false;
    struct sto_op login = {
        .kind = STO_OP_LOGIN, .timeout_ms = 1000, .done = logged_in, .context = &up
    };

    t.times = 0;
    begin();
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(t.lun, &login), 0);
    pass(&up);
    t.takes_ns = HANGS_NS;
    CU_ASSERT_EQUAL_FATAL(sto_identify(t.lun, 1000, identified, NULL), 0);
    pass(&t.ended);
    CU_ASSERT_EQUAL(t.rc, -ETIMEDOUT);
    CU_ASSERT_EQUAL(t.error.kind, HW_ERROR_TIMED_OUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.error.reason, "was not answered"));
    CU_ASSERT_NOT_EQUAL(t.error.remedy[0], '\0');
    finish();
}

const struct unit_case unit_cases[] = {
    { "aborted commands and unit attentions are stepped over", each_command_tried_again },
    { "facts are read whole or not at all", whole_or_not_at_all },
    { "a target that hangs is told, with what to do", hangs },
    { 0 },
};
