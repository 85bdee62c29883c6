/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/serve/sv_verify: all LUNs are asked, and what their answers mean. Three targets that
 * answer as they are told.
 */
#include "config.h"

#include "storage/serve/sv_verify.h"

#include <errno.h>
#include <string.h>

#include "storage/sto_lun_priv.h"
#include "tests/unit/unit.h"

enum { LUNS = 3, ROOM = 100, KEY = 0x1000 };

/* One answer of a target. */
struct reply {
    enum sto_rc rc;
    uint64_t key; /* 0: not held */
    uint8_t type;
    bool cut; /* in the middle of the key */
};

static struct target {
    struct sto_lun lun;
    struct sto_op *op;
    struct reply replies[ROOM];
    unsigned asked;
    int refuses; /* to take an operation: -errno */
} targets[LUNS];

static struct {
    struct sv_verify verify;
    unsigned done;
    struct hw_error error;
} t;

static int target_submit(struct sto_lun *lun, struct sto_op *op)
{
    struct target *target = (struct target *)lun;

    CU_ASSERT_EQUAL(op->session, STO_SESSION_CONTROL);
    CU_ASSERT_EQUAL(op->cdb[0], STO_PR_OPCODE_IN);
    CU_ASSERT_EQUAL(op->cdb[1], STO_PR_READ_RESERVATION);
    if (target->refuses < 0)
        return target->refuses;
    target->op = op;
    return 0;
}

/* SPC-4 6.15.3 */
static void target_service(struct sto_lun *lun, short revents)
{
    struct target *target = (struct target *)lun;
    const struct reply *reply = &target->replies[target->asked++ % ROOM];
    struct sto_op *op = target->op;
    uint8_t *answer = op->iov[0].iov_base;

    (void)revents;
    target->op = NULL;
    memset(answer, 0, op->iov[0].iov_len);
    op->result.rc = reply->rc;
    op->result.transferred_bytes = 8;
    if (reply->key != 0) {
        answer[7] = 16;
        for (unsigned i = 0; i < 8; i++)
            answer[8 + i] = (uint8_t)(reply->key >> (56 - 8 * i));
        answer[21] = reply->type;
        op->result.transferred_bytes = reply->cut ? 12 : 24;
    }
    sto_lun_complete(lun, op);
}

static const struct sto_lun_ops target_ops = { .submit = target_submit, .service = target_service };

static uint64_t key_of(void *context, unsigned lun)
{
    (void)context;
    return KEY + lun;
}

static void done(void *context, const struct hw_error *error)
{
    (void)context;
    t.done++;
    if (error != NULL)
        t.error = *error;
}

/* All held as they should be. */
static void begin(void)
{
    static char names[LUNS][8] = { "first", "second", "third" };

    memset(&t, 0, sizeof(t));
    memset(targets, 0, sizeof(targets));
    t.verify = (struct sv_verify) { .count = LUNS, .key = key_of, .done = done };
    for (unsigned i = 0; i < LUNS; i++) {
        targets[i].lun =
            (struct sto_lun) { .ops = &target_ops, .clock = hw_clock_boottime(), .name = names[i] };
        for (unsigned k = 0; k < ROOM; k++)
            targets[i].replies[k] = (struct reply) { .rc = STO_OK, .key = KEY + i, .type = 3 };
        t.verify.luns[i] = &targets[i].lun;
    }
}

/* To its end. */
static void run(void)
{
    bool moved = true;

    sv_verify_start(&t.verify);
    while (moved) {
        moved = false;
        for (unsigned i = 0; i < LUNS; i++) {
            if (targets[i].op == NULL)
                continue;
            moved = true;
            sto_lun_service(&targets[i].lun, 0);
        }
    }
    CU_ASSERT_EQUAL(t.done, 1);
}

static void asks_all(void)
{
    begin();
    run();
    CU_ASSERT_EQUAL(t.error.kind, HW_ERROR_NONE);
    for (unsigned i = 0; i < LUNS; i++)
        CU_ASSERT_EQUAL(targets[i].asked, 1);
}

/* Each of them counts, not only the first. */
static void names_the_one(void)
{
    for (unsigned i = 0; i < LUNS; i++) {
        begin();
        targets[i].replies[0].key = 0;
        run();
        CU_ASSERT_EQUAL(t.error.kind, HW_ERROR_REFUSED);
        CU_ASSERT_STRING_EQUAL(t.error.object, targets[i].lun.name);
        CU_ASSERT_STRING_EQUAL(t.error.reason, "is held by nobody");
        begin();
        targets[i].replies[0].key = KEY + LUNS;
        run();
        CU_ASSERT_STRING_EQUAL(t.error.object, targets[i].lun.name);
        CU_ASSERT_PTR_NOT_NULL(strstr(t.error.reason, "is held by 0x"));
        begin();
        targets[i].replies[0].type = STO_PR_EXCLUSIVE_ACCESS_REGISTRANTS;
        run();
        CU_ASSERT_STRING_EQUAL(t.error.object, targets[i].lun.name);
        CU_ASSERT_PTR_NOT_NULL(strstr(t.error.reason, "type 6"));
        begin();
        targets[i].replies[0].cut = true;
        run();
        CU_ASSERT_EQUAL(t.error.kind, HW_ERROR_FAILED);
        CU_ASSERT_STRING_EQUAL(t.error.object, targets[i].lun.name);
        begin();
        targets[i].replies[0].rc = STO_UNKNOWN;
        run();
        CU_ASSERT_EQUAL(t.error.kind, HW_ERROR_FAILED);
        CU_ASSERT_STRING_EQUAL(t.error.object, targets[i].lun.name);
        begin();
        targets[i].refuses = -ESHUTDOWN;
        run();
        CU_ASSERT_EQUAL(t.error.code, ESHUTDOWN);
        CU_ASSERT_STRING_EQUAL(t.error.object, targets[i].lun.name);
    }
}

/* What says nothing about the reservation is no answer; a short one is. */
static void asks_again(void)
{
    static const enum sto_rc none[] = { STO_UNIT_ATTENTION, STO_BUSY, STO_ABORTED };

    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        begin();
        targets[1].replies[0].rc = targets[1].replies[1].rc = none[i];
        run();
        CU_ASSERT_EQUAL(t.error.kind, HW_ERROR_NONE);
        CU_ASSERT_EQUAL(targets[1].asked, 3);
        CU_ASSERT_EQUAL(targets[2].asked, 1);
        begin();
        for (unsigned k = 0; k < ROOM; k++)
            targets[1].replies[k].rc = none[i]; /* not for ever */
        run();
        CU_ASSERT_EQUAL(t.error.kind, HW_ERROR_FAILED);
        CU_ASSERT_TRUE(targets[1].asked < ROOM);
    }
    begin();
    targets[1].replies[0].rc = STO_SHORT;
    run();
    CU_ASSERT_EQUAL(t.error.kind, HW_ERROR_NONE);
    begin();
    targets[1].replies[0] = (struct reply) { .rc = STO_SHORT };
    run();
    CU_ASSERT_STRING_EQUAL(t.error.reason, "is held by nobody");
}

const struct unit_case unit_cases[] = {
    { "every LUN of the set is asked", asks_all },
    { "the one that is not held as it should be is named", names_the_one },
    { "what is no answer is asked again", asks_again },
    { 0 },
};
