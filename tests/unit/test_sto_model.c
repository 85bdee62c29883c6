/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_model with storage/sto_model_pr and storage/sto_model_inquiry: what SPC-4 says of
 * attentions, conflicts, preemption and resets, and each quirk.
 */
#include <config.h>

#include "storage/sto_model.h"

#include <errno.h>
#include <string.h>

#include "storage/sto_pr.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { BLOCKS = 16 };

static struct sto_model *model;
static struct sto_model_quirks quirks;
static struct sto_model_reply last;
static unsigned replies;
static int64_t now_ns;
static unsigned landed_count;
static struct sto_model_reply disturbance;

static void landed(void *context, int nexus, uint64_t lba, const uint8_t *data, size_t bytes)
{
    (void)context, (void)nexus, (void)lba, (void)data, (void)bytes;
    landed_count++;
}

static void begin(void)
{
    struct sto_model_config config = { .quirks = quirks, .blocks = BLOCKS, .landed = landed };

    model = sto_model_new(&config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    landed_count = replies = 0;
}

static void finish(void)
{
    sto_model_free(model);
    memset(&quirks, 0, sizeof(quirks));
}

static void done(struct sto_model_command *command, const struct sto_model_reply *reply)
{
    (void)command;
    last = *reply;
    replies++;
}

/* A command that is over at once. Returns its status. */
static unsigned run(int nexus, const uint8_t *cdb, size_t cdb_bytes, uint8_t *data, size_t bytes)
{
    struct sto_model_command command = {
        .nexus = nexus, .data = data, .data_bytes = bytes, .done = done
    };

    memcpy(command.cdb, cdb, cdb_bytes);
    replies = 0;
    CU_ASSERT_EQUAL_FATAL(sto_model_submit(model, now_ns, &command), 0);
    sto_model_advance(model, now_ns);
    CU_ASSERT_EQUAL(replies, 1);
    return last.status;
}

static unsigned test_unit(int nexus)
{
    static const uint8_t cdb[6];

    return run(nexus, cdb, sizeof(cdb), NULL, 0);
}

/* Logged in, 29/00 taken. */
static int login(uint64_t port)
{
    int nexus = sto_model_login(model, port);

    CU_ASSERT_TRUE_FATAL(nexus >= 0);
    CU_ASSERT_EQUAL(test_unit(nexus), 0x02);
    CU_ASSERT_EQUAL(last.sense_key, 0x06);
    CU_ASSERT_EQUAL(last.asc_ascq, 0x2900);
    CU_ASSERT_EQUAL(test_unit(nexus), 0x00);
    return nexus;
}

static unsigned move(int nexus, bool write, uint8_t lba, uint8_t *block)
{
    uint8_t cdb[10] = { write ? 0x2a : 0x28, 0, 0, 0, 0, lba, 0, 0, 1 };

    return run(nexus, cdb, sizeof(cdb), block, STO_MODEL_BLOCK_BYTES);
}

static unsigned pr_out(int nexus, enum sto_pr_out action, uint64_t key, uint64_t service_key)
{
    struct sto_pr_out_request request = {
        .action = action, .type = STO_PR_EXCLUSIVE_ACCESS, .key = key, .service_key = service_key
    };
    uint8_t cdb[16], list[STO_PR_OUT_PARAMETER_BYTES];

    (void)sto_pr_out_encode(&request, cdb, list);
    return run(nexus, cdb, sizeof(cdb), list, sizeof(list));
}

static uint64_t holder(void)
{
    uint64_t key;
    int nexus;

    return sto_model_holder(model, &key, &nexus) ? key : 0;
}

static void reads_what_was_written(void)
{
    uint8_t block[STO_MODEL_BLOCK_BYTES], back[STO_MODEL_BLOCK_BYTES];
    int nexus;

    begin();
    nexus = login(1);
    memset(block, 0x5a, sizeof(block));
    CU_ASSERT_EQUAL(move(nexus, true, 3, block), 0);
    CU_ASSERT_EQUAL(landed_count, 1);
    CU_ASSERT_EQUAL(move(nexus, false, 3, back), 0);
    CU_ASSERT_EQUAL(memcmp(block, back, sizeof(back)), 0);
    CU_ASSERT_EQUAL(memcmp(sto_model_block(model, 3), block, sizeof(block)), 0);
    CU_ASSERT_EQUAL(move(nexus, true, BLOCKS, block), 0x02);
    CU_ASSERT_EQUAL(last.asc_ascq, 0x2100);
    CU_ASSERT_PTR_NULL(sto_model_block(model, BLOCKS));
    CU_ASSERT_FALSE(sto_model_poke(model, BLOCKS, block));
    finish();
}

static void reserves_and_preempts(void)
{
    uint8_t block[STO_MODEL_BLOCK_BYTES] = { 0 };
    int a, b;

    begin();
    a = login(1);
    b = login(2);
    CU_ASSERT_EQUAL(pr_out(a, STO_PR_RESERVE, 7, 0), 0x18); /* not registered */
    CU_ASSERT_EQUAL(pr_out(a, STO_PR_REGISTER, 0, 7), 0);
    CU_ASSERT_EQUAL(pr_out(a, STO_PR_REGISTER, 0, 8), 0x18); /* with a key already */
    CU_ASSERT_EQUAL(pr_out(a, STO_PR_RESERVE, 7, 0), 0);
    CU_ASSERT_EQUAL(holder(), 7);
    CU_ASSERT_EQUAL(move(b, false, 0, block), 0x18);
    CU_ASSERT_EQUAL(move(b, true, 0, block), 0x18);
    CU_ASSERT_EQUAL(pr_out(b, STO_PR_REGISTER, 0, 9), 0);
    CU_ASSERT_EQUAL(move(b, true, 0, block), 0x18); /* registered is not the holder */
    CU_ASSERT_EQUAL(pr_out(b, STO_PR_PREEMPT, 9, 6), 0x18);
    CU_ASSERT_EQUAL(pr_out(b, STO_PR_PREEMPT, 9, 7), 0);
    CU_ASSERT_EQUAL(holder(), 9);
    CU_ASSERT_EQUAL(sto_model_registered(model, NULL, 0), 1);
    CU_ASSERT_EQUAL(move(b, true, 0, block), 0);
    CU_ASSERT_EQUAL(move(a, true, 0, block), 0x02); /* told once */
    CU_ASSERT_EQUAL(last.asc_ascq, 0x2a05);
    CU_ASSERT_EQUAL(move(a, true, 0, block), 0x18);
    CU_ASSERT_EQUAL(pr_out(b, STO_PR_RELEASE, 9, 0), 0);
    CU_ASSERT_EQUAL(holder(), 0);
    CU_ASSERT_EQUAL(move(a, true, 0, block), 0);
    finish();
}

/* What is in the queue when the session ends lands all the same; a reset waits for it or drops it.
 */
static void keeps_a_queue(void)
{
    uint8_t block[STO_MODEL_BLOCK_BYTES] = { 1 };

    for (int aborts = 0; aborts <= 1; aborts++) {
        struct sto_model_command slow = {
            .data = block, .data_bytes = sizeof(block), .takes_ns = 1000, .done = done
        };
        struct sto_model_command reset = { .reset = true, .done = done };

        quirks.reset_aborts = aborts != 0;
        begin();
        slow.nexus = login(1);
        reset.nexus = login(2);
        slow.cdb[0] = 0x2a;
        slow.cdb[8] = 1;
        CU_ASSERT_EQUAL(sto_model_submit(model, now_ns, &slow), 0);
        sto_model_end_session(model, slow.nexus);
        CU_ASSERT_FALSE(sto_model_session_up(model, slow.nexus));
        CU_ASSERT_EQUAL(sto_model_submit(model, now_ns, &slow), -ENOTCONN);
        replies = 0;
        CU_ASSERT_EQUAL(sto_model_submit(model, now_ns, &reset), 0);
        sto_model_advance(model, now_ns);
        CU_ASSERT_EQUAL(replies, aborts != 0); /* complete says: nothing is under way */
        CU_ASSERT_EQUAL(landed_count, 0);
        sto_model_advance(model, now_ns + 1000);
        CU_ASSERT_TRUE(replies == 1 && last.tmf_response == 0);
        CU_ASSERT_EQUAL(landed_count, aborts == 0);
        CU_ASSERT_EQUAL(sto_model_next_ns(model), INT64_MAX);
        CU_ASSERT_EQUAL(test_unit(reset.nexus), 0x02);
        CU_ASSERT_EQUAL(last.asc_ascq, 0x2900);
        finish();
    }
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static void restarts(void)
{
    struct sto_pr_out_request request = { .action = STO_PR_REGISTER,
                                          .service_key = 7,
                                          .aptpl = true };

    for (int persists = 0; persists <= 1; persists++) {
        uint8_t cdb[16], list[STO_PR_OUT_PARAMETER_BYTES];
        int nexus;

        quirks.persists = persists != 0;
        begin();
        nexus = login(1);
        (void)sto_pr_out_encode(&request, cdb, list);
        CU_ASSERT_EQUAL(run(nexus, cdb, sizeof(cdb), list, sizeof(list)), persists ? 0 : 0x02);
        if (!persists)
            CU_ASSERT_EQUAL(pr_out(nexus, STO_PR_REGISTER, 0, 7), 0);
        CU_ASSERT_EQUAL(pr_out(nexus, STO_PR_RESERVE, 7, 0), 0);
        sto_model_restart(model, now_ns, never, NULL);
        CU_ASSERT_FALSE(sto_model_session_up(model, nexus));
        CU_ASSERT_EQUAL(holder(), persists ? 7 : 0);
        finish();
    }
}

/* The nexus is the session, or the port: a ghost is left, or the registration comes back. */
static void knows_nexuses(void)
{
    for (int by_session = 0; by_session <= 1; by_session++) {
        int a, again;

        quirks.by_session = by_session != 0;
        begin();
        a = login(1);
        CU_ASSERT_EQUAL(pr_out(a, STO_PR_REGISTER, 0, 7), 0);
        CU_ASSERT_EQUAL(pr_out(a, STO_PR_RESERVE, 7, 0), 0);
        again = login(1);
        CU_ASSERT_EQUAL(sto_model_session_up(model, a), by_session != 0);
        CU_ASSERT_EQUAL(pr_out(again, STO_PR_RESERVE, 7, 0), by_session ? 0x18 : 0);
        CU_ASSERT_EQUAL(holder(), 7);
        finish();
    }
}

static void has_quirks(void)
{
    struct sto_model_command reset = { .reset = true, .done = done };
    int a, b;

    quirks.reset_unsupported = quirks.preempts_wrong = true;
    begin();
    a = login(1);
    b = login(2);
    reset.nexus = a;
    CU_ASSERT_EQUAL(sto_model_submit(model, now_ns, &reset), 0);
    sto_model_advance(model, now_ns);
    CU_ASSERT_EQUAL(last.tmf_response, 5);
    CU_ASSERT_EQUAL(pr_out(a, STO_PR_REGISTER, 0, 7), 0);
    CU_ASSERT_EQUAL(pr_out(a, STO_PR_RESERVE, 7, 0), 0);
    CU_ASSERT_EQUAL(pr_out(b, STO_PR_REGISTER, 0, 9), 0);
    CU_ASSERT_EQUAL(pr_out(b, STO_PR_PREEMPT, 9, 7), 0); /* it says */
    CU_ASSERT_EQUAL(holder(), 7);
    finish();
}

static void describes_itself(void)
{
    uint8_t inquiry[6] = { 0x12, 0, 0, 0, 96 }, capacity[16] = { 0x9e, 0x10 }, answer[96];
    int nexus;

    begin();
    nexus = sto_model_login(model, 1);
    CU_ASSERT_EQUAL(run(nexus, inquiry, 6, answer, sizeof(answer)), 0); /* takes no attention */
    CU_ASSERT_EQUAL(memcmp(answer + 8, "HAWSER  ", 8), 0);
    inquiry[1] = 1;
    inquiry[2] = 0x83;
    CU_ASSERT_EQUAL(run(nexus, inquiry, 6, answer, sizeof(answer)), 0);
    CU_ASSERT_EQUAL(answer[1], 0x83);
    inquiry[2] = 0xb0;
    CU_ASSERT_EQUAL(run(nexus, inquiry, 6, answer, sizeof(answer)), 0x02);
    CU_ASSERT_EQUAL(test_unit(nexus), 0x02);
    CU_ASSERT_EQUAL(run(nexus, capacity, 16, answer, 32), 0);
    CU_ASSERT_EQUAL(answer[7], BLOCKS - 1);
    CU_ASSERT_EQUAL(answer[10] << 8, STO_MODEL_BLOCK_BYTES);
    finish();
}

static bool disturb(void *context, const uint8_t cdb[16], struct sto_model_reply *reply,
                    bool *executed)
{
    (void)context;
    if (cdb[0] != 0x2a)
        return false;
    *reply = disturbance;
    *executed = disturbance.sense_key == 0x0b && disturbance.asc_ascq == 1;
    return true;
}

/* BUSY was not executed; ABORTED COMMAND may have been. */
static void answers_out_of_turn(void)
{
    static const struct sto_model_reply rows[] = {
        { .status = 0x08 },
        { .status = 0x02, .sense_key = 0x0b, .asc_ascq = 0 },
        { .status = 0x02, .sense_key = 0x0b, .asc_ascq = 1 },
    };
    struct sto_model_config config = { .blocks = BLOCKS, .landed = landed, .disturbs = disturb };
    uint8_t block[STO_MODEL_BLOCK_BYTES] = { 0x5a };
    int nexus;

    for (unsigned i = 0; i < 3; i++) {
        disturbance = rows[i];
        landed_count = 0;
        model = sto_model_new(&config);
        CU_ASSERT_PTR_NOT_NULL_FATAL(model);
        nexus = login(1);
        CU_ASSERT_EQUAL(move(nexus, true, 3, block), rows[i].status);
        CU_ASSERT_EQUAL(last.sense_key, rows[i].sense_key);
        CU_ASSERT_EQUAL(landed_count, i == 2);
        CU_ASSERT_EQUAL(sto_model_block(model, 3)[0], i == 2 ? 0x5a : 0);
        finish();
    }
}

static void without_memory(void)
{
    struct sto_model_config config = { .blocks = BLOCKS };

    for (unsigned n = 0;; n++) {
        struct sto_model *made;

        fail_alloc_arm(n);
        made = sto_model_new(&config);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_PTR_NOT_NULL(made);
            sto_model_free(made);
            break;
        }
        CU_ASSERT_PTR_NULL(made);
    }
    sto_model_free(NULL);
}

const struct unit_case unit_cases[] = {
    { "data", reads_what_was_written },
    { "reservation and preemption", reserves_and_preempts },
    { "the queue, and a reset behind it", keeps_a_queue },
    { "restart", restarts },
    { "nexuses", knows_nexuses },
    { "quirks", has_quirks },
    { "answers out of turn", answers_out_of_turn },
    { "INQUIRY and capacity", describes_itself },
    { "without memory", without_memory },
    { 0 },
};
