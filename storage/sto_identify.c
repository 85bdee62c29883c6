/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the facts of a LUN by commands that the table below tells: those that decide what else is
 * asked one after the other, the rest at once, which saves a new owner most of its waiting. Judged
 * they are in the order of the table. Unit
 * attentions that wait (a fresh login has one) and aborted commands are stepped over and counted;
 * nothing else is retried. A standby node asks too, while another holds an exclusive reservation:
 * what may be refused then stays unknown (READ CAPACITY) or has a careful default (MODE SENSE).
 * over 400: the steps and what drives them share every field.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_cdb.h"
#include "storage/sto_inquiry.h"
#include "storage/sto_lun_priv.h"
#include "storage/sto_pr.h"
#include "storage/sto_sense.h"

enum { UNIT_ATTENTIONS_MAX = 32, ANSWER_BYTES = 1024, INQUIRY_BYTES = 96, PAGE_BYTES = 252 };
enum { COMMANDS = 9 /* at most at once */ };
enum { MODE_BYTES = 192, CAPACITY_BYTES = 32, FULL_STATUS_BYTES = 512, NS_PER_MS = 1000000 };

/* One command: out, or back and kept until all are. */
struct command {
    struct identify *identify;
    const struct step *step;
    struct sto_op op;
    struct iovec iov;
    unsigned unit_attentions, aborts;
    uint8_t answer[ANSWER_BYTES];
};

struct identify {
    struct sto_lun *lun;
    unsigned next;       /* the step after those that were asked */
    unsigned out, asked; /* commands under way; of this turn */
    int failed;          /* 0, or -errno: no more is asked or judged */
    enum sto_session session;
    const struct sto_op *op; /* of the command that is judged */
    const uint8_t *answer;
    const struct step *at;
    int64_t deadline_ns;
    struct sto_vpd_pages pages;
    struct sto_facts facts;
    struct hw_error error;
    void (*done)(void *context, int rc, const struct sto_facts *facts,
                 const struct hw_error *error);
    void *context;
    struct command commands[COMMANDS];
};

struct step {
    uint16_t answer_bytes;
    uint8_t page; /* asked for only if the target lists it; 0 = always */
    uint8_t (*cdb)(uint8_t cdb[STO_CDB_BYTES], const struct step *step);
    /* Judge the answer: 0, or -errno with the message in the error. */
    int (*judge)(struct identify *identify, size_t bytes);
    /* judge_page(): what the page says; NULL: which pages there are */
    int (*parse)(const void *answer, size_t bytes, struct sto_facts *facts);
};

/* --- ends --- */

static void finish(struct identify *identify, int rc)
{
    struct sto_lun *lun = identify->lun;

    if (rc == 0) {
        lun->facts = identify->facts;
        lun->facts_known = identify->facts.block_bytes != 0;
    }
    lun->identify = NULL;
    identify->done(identify->context, rc, rc == 0 ? &lun->facts : NULL, &identify->error);
    free(identify);
}

static int refuse(struct identify *identify, int code, const char *reason, const char *remedy)
{
    return hw_error_set(&identify->error, HW_ERROR_FAILED, code, identify->lun->name, reason,
                        remedy);
}

/* A command that must succeed did not. */
static int refuse_result(struct identify *identify, const char *command)
{
    const struct sto_result *result = &identify->op->result;
    const char *words = sto_sense_words(result->sense_key, result->asc_ascq);

    if (result->rc == STO_ILLEGAL && result->asc_ascq == STO_ASC_NO_SUCH_LUN)
        return refuse(identify, ENXIO, "this LUN does not exist on the target",
                      "check the number at the end of the URL, and the target's LUN masking");
    if (result->rc == STO_MEDIUM && result->asc_ascq == STO_ASC_NO_MEDIUM)
        return refuse(identify, ENOMEDIUM, "has no medium", "put one in, or use another LUN");
    if (result->rc == STO_CONFLICT) /* none of these does under a persistent reservation */
        return refuse(identify, EBADE, "another initiator holds it by RESERVE(6)",
                      "release it there");
    if (result->rc == STO_NOT_SENT || result->rc == STO_UNKNOWN)
        return hw_error_setf(&identify->error, HW_ERROR_TIMED_OUT, ETIMEDOUT, identify->lun->name,
                             "check that the target is up, and the network to it",
                             "%s was not answered: %s", command,
                             result->detail[0] != '\0' ? result->detail : sto_rc_name(result->rc));
    return hw_error_setf(&identify->error, HW_ERROR_FAILED, EIO, identify->lun->name,
                         "see the target's log", "%s failed: %s (%x/%04x%s%s)", command,
                         sto_rc_name(result->rc), result->sense_key, result->asc_ascq,
                         words != NULL ? ", " : "", words != NULL ? words : "");
}

/* --- the steps --- */

static uint8_t ready_cdb(uint8_t cdb[STO_CDB_BYTES], const struct step *step)
{
    (void)step;
    return sto_cdb_test_unit_ready(cdb);
}

/* The first step on every LUN: one that does not speak SCSI says so, and is asked directly. */
static int judge_ready(struct identify *identify, size_t bytes)
{
    struct sto_lun *lun = identify->lun;
    enum sto_rc rc = identify->op->result.rc;
    int facts_rc;

    (void)bytes;
    if (rc == STO_NOT_SENT || rc == STO_UNKNOWN)
        return refuse_result(identify, "TEST UNIT READY");
    if (rc == STO_UNSUPPORTED) {
        facts_rc = lun->ops->facts(lun, &identify->facts, &identify->error);
        if (facts_rc != -ENOTSUP)
            return facts_rc < 0 ? facts_rc : 1;
    }
    identify->facts.scsi = true;
    if (rc == STO_OK || rc == STO_CONFLICT)
        return 0;
    /* Not ready, or no such LUN: INQUIRY may know better which. */
    return identify->op->result.asc_ascq == STO_ASC_NO_SUCH_LUN
               ? 0
               : refuse_result(identify, "TEST UNIT READY");
}

static uint8_t inquiry_cdb(uint8_t cdb[STO_CDB_BYTES], const struct step *step)
{
    return sto_cdb_inquiry(cdb, step->answer_bytes);
}

static int judge_inquiry(struct identify *identify, size_t bytes)
{
    enum sto_peripheral peripheral;

    if (identify->op->result.rc != STO_OK)
        return refuse_result(identify, "INQUIRY");
    if (sto_inquiry_standard(identify->answer, bytes, &identify->facts, &peripheral) < 0)
        return refuse(identify, EBADMSG, "the answer to INQUIRY is too short",
                      "update the target, or use another one");
    if (peripheral == STO_PERIPHERAL_ABSENT)
        return refuse(identify, ENXIO, "this LUN does not exist on the target",
                      "check the number at the end of the URL, and the target's LUN masking");
    if (peripheral == STO_PERIPHERAL_OTHER)
        return refuse(identify, ENXIO, "is not a disk",
                      "check the number at the end of the URL; LUN 0 is often a controller");
    return 0;
}

static uint8_t page_cdb(uint8_t cdb[STO_CDB_BYTES], const struct step *step)
{
    return sto_cdb_inquiry_page(cdb, step->page, step->answer_bytes);
}

/*
 * Pages are wanted, not needed: what a target does not offer stays unknown. One that it only could
 * not give now must not read as "not offered": a LUN without a name would pass for any other.
 * 1: there is an answer; 0: not offered; or -errno.
 */
static int judge_optional(struct identify *identify, const char *command)
{
    enum sto_rc rc = identify->op->result.rc;

    if (rc == STO_UNSUPPORTED || rc == STO_ILLEGAL)
        return 0;
    return rc == STO_OK ? 1 : refuse_result(identify, command);
}

static int judge_page(struct identify *identify, size_t bytes)
{
    int rc = judge_optional(identify, "INQUIRY");

    if (rc > 0 && identify->at->parse == NULL)
        (void)sto_inquiry_pages(identify->answer, bytes, &identify->pages);
    else if (rc > 0)
        (void)identify->at->parse(identify->answer, bytes, &identify->facts);
    return rc < 0 ? rc : 0;
}

static uint8_t capacity_cdb(uint8_t cdb[STO_CDB_BYTES], const struct step *step)
{
    return sto_cdb_read_capacity(cdb, step->answer_bytes);
}

static int judge_capacity(struct identify *identify, size_t bytes)
{
    if (identify->op->result.rc == STO_CONFLICT)
        return 0; /* LIO refuses it under another's exclusive access: not known yet */
    if (identify->op->result.rc != STO_OK)
        return refuse_result(identify, "READ CAPACITY");
    if (sto_inquiry_capacity(identify->answer, bytes, &identify->facts) < 0)
        return refuse(identify, EBADMSG, "the target names an impossible capacity or block size",
                      "look at the LUN's size on the target");
    return 0;
}

static uint8_t mode_cdb(uint8_t cdb[STO_CDB_BYTES], const struct step *step)
{
    return sto_cdb_mode_sense(cdb, STO_MODE_PAGE_CACHING, (uint8_t)step->answer_bytes);
}

/* Without an answer there may be a cache: it is flushed to be sure. */
static int judge_mode(struct identify *identify, size_t bytes)
{
    identify->facts.write_cache = true;
    if (identify->op->result.rc == STO_OK) {
        identify->facts.write_cache = false;
        if (sto_inquiry_mode(identify->answer, bytes, &identify->facts) < 0)
            identify->facts.write_cache = true;
    }
    return 0;
}

static uint8_t capabilities_cdb(uint8_t cdb[STO_CDB_BYTES], const struct step *step)
{
    memset(cdb, 0, STO_CDB_BYTES);
    return sto_pr_in_cdb(STO_PR_REPORT_CAPABILITIES, step->answer_bytes, cdb);
}

/* A registration without APTPL would take it from a LUN that has it: no guess here, either. */
static int judge_capabilities(struct identify *identify, size_t bytes)
{
    struct sto_pr_capabilities capabilities;
    int rc = judge_optional(identify, "REPORT CAPABILITIES");

    if (rc <= 0)
        return rc;
    identify->facts.reservations = true;
    if (sto_pr_decode_capabilities(identify->answer, bytes, &capabilities) == 0)
        identify->facts.keeps_over_power_loss = capabilities.keeps_over_power_loss;
    return 0;
}

static uint8_t keys_cdb(uint8_t cdb[STO_CDB_BYTES], const struct step *step)
{
    memset(cdb, 0, STO_CDB_BYTES);
    return sto_pr_in_cdb(STO_PR_READ_KEYS, step->answer_bytes, cdb);
}

/* REPORT CAPABILITIES is optional, READ KEYS is what any target with reservations knows. */
static int judge_keys(struct identify *identify, size_t bytes)
{
    int rc = judge_optional(identify, "READ KEYS");

    if (rc > 0 && bytes >= 8)
        identify->facts.reservations = true;
    return rc < 0 ? rc : 0;
}

static uint8_t full_status_cdb(uint8_t cdb[STO_CDB_BYTES], const struct step *step)
{
    memset(cdb, 0, STO_CDB_BYTES);
    return sto_pr_in_cdb(STO_PR_READ_FULL_STATUS, step->answer_bytes, cdb);
}

static int judge_full_status(struct identify *identify, size_t bytes)
{
    identify->facts.full_status = identify->op->result.rc == STO_OK && bytes >= 8;
    return 0;
}

static const struct step steps[] = {
    { 0, 0, ready_cdb, judge_ready, NULL },
    { INQUIRY_BYTES, 0, inquiry_cdb, judge_inquiry, NULL },
    { PAGE_BYTES, 0, page_cdb, judge_page, NULL },
    { PAGE_BYTES, STO_VPD_SERIAL, page_cdb, judge_page, sto_inquiry_serial },
    { ANSWER_BYTES, STO_VPD_IDENTIFICATION, page_cdb, judge_page, sto_inquiry_identification },
    { CAPACITY_BYTES, 0, capacity_cdb, judge_capacity, NULL },
    { PAGE_BYTES, STO_VPD_BLOCK_LIMITS, page_cdb, judge_page, sto_inquiry_block_limits },
    { PAGE_BYTES, STO_VPD_PROVISIONING, page_cdb, judge_page, sto_inquiry_provisioning },
    { MODE_BYTES, 0, mode_cdb, judge_mode, NULL },
    { STO_PR_CAPABILITIES_ANSWER_BYTES, 0, capabilities_cdb, judge_capabilities, NULL },
    { STO_PR_RESERVATION_ANSWER_BYTES, 0, keys_cdb, judge_keys, NULL },
    { FULL_STATUS_BYTES, 0, full_status_cdb, judge_full_status, NULL },
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };
/* From here on what is asked depends on no answer but that of the step before. */
enum { ALL_AT_ONCE = 3 };

_Static_assert(STEPS - ALL_AT_ONCE <= COMMANDS, "room for all that are asked at once");

/* --- driving them --- */

static void command_done(struct sto_op *op);

static void fail(struct identify *identify, int rc)
{
    if (identify->failed == 0)
        identify->failed = rc;
}

/* Ask, or ask again. */
static void submit(struct command *command)
{
    struct identify *identify = command->identify;
    const struct step *step = command->step;
    struct sto_op *op = &command->op;
    int64_t left_ms = (identify->deadline_ns - hw_clock_now_ns(identify->lun->clock)) / NS_PER_MS;
    int rc;

    memset(command->answer, 0, sizeof(command->answer));
    op->kind = STO_OP_SCSI;
    op->session = identify->session;
    op->cdb_bytes = step->cdb(op->cdb, step);
    op->direction = step->answer_bytes > 0 ? STO_DIRECTION_IN : STO_DIRECTION_NONE;
    command->iov = (struct iovec) { command->answer, step->answer_bytes };
    op->iov = &command->iov;
    op->iov_count = step->answer_bytes > 0 ? 1 : 0;
    op->timeout_ms = left_ms < 1 ? 1 : (uint32_t)left_ms;
    op->done = command_done;
    op->context = command;
    rc = sto_lun_submit(identify->lun, op);
    if (rc == 0)
        identify->out++;
    else if (identify->failed == 0)
        fail(identify, refuse(identify, -rc, "cannot be asked for its facts", "try again"));
}

static bool is_offered(const struct identify *identify, const struct step *step)
{
    return step->page == 0 || sto_inquiry_has_page(&identify->pages, step->page);
}

/* The next step, or all that are left. */
static void ask(struct identify *identify)
{
    const unsigned end = identify->next < ALL_AT_ONCE ? identify->next + 1 : STEPS;

    identify->asked = 0;
    for (; identify->next < end; identify->next++) {
        struct command *command = &identify->commands[identify->asked];

        if (!is_offered(identify, &steps[identify->next]))
            continue;
        memset(command, 0, sizeof(*command));
        command->identify = identify;
        command->step = &steps[identify->next];
        identify->asked++;
    }
    for (unsigned i = 0; i < identify->asked && identify->failed == 0; i++)
        submit(&identify->commands[i]);
}

/* Silence is no answer of any kind: facts are read whole or not at all. */
static bool never_answered(enum sto_rc rc)
{
    return rc == STO_NOT_SENT || rc == STO_UNKNOWN || rc == STO_BUSY || rc == STO_ABORTED;
}

/* 0; 1: there is no more to ask; or -errno. */
static int judge(struct identify *identify, const struct command *command)
{
    const struct step *step = command->step;
    const uint64_t moved = command->op.result.transferred_bytes;

    identify->op = &command->op;
    identify->answer = command->answer;
    identify->at = step;
    if (step != &steps[0] && never_answered(command->op.result.rc))
        return refuse_result(identify, "a command");
    return step->judge(identify, moved < step->answer_bytes ? (size_t)moved : step->answer_bytes);
}

/* All that was asked is back. */
static void go_on(struct identify *identify)
{
    int rc = identify->failed;

    for (unsigned i = 0; rc == 0 && i < identify->asked; i++)
        rc = judge(identify, &identify->commands[i]);
    if (rc == 0 && identify->next < STEPS) {
        ask(identify);
        rc = identify->failed;
        if (identify->out > 0)
            return;
    }
    finish(identify, rc < 0 ? rc : 0);
}

/* Is this no answer, but a reason to ask again? */
static bool asks_again(struct command *command)
{
    struct identify *identify = command->identify;
    const enum sto_rc rc = command->op.result.rc;

    if (rc == STO_UNIT_ATTENTION && ++command->unit_attentions > UNIT_ATTENTIONS_MAX) {
        fail(identify, refuse(identify, EIO, "the target reports unit attentions endlessly", NULL));
        return false;
    }
    if (rc == STO_NOT_SENT && command->step == &steps[0] && identify->session == STO_SESSION_DATA) {
        identify->session = STO_SESSION_CONTROL; /* perhaps only that one is logged in */
        return true;
    }
    return rc == STO_UNIT_ATTENTION || (rc == STO_ABORTED && ++command->aborts < STO_ABORTS_MAX);
}

static void command_done(struct sto_op *op)
{
    struct command *command = op->context;
    struct identify *identify = command->identify;

    identify->out--;
    if (identify->failed == 0 && asks_again(command))
        submit(command);
    if (identify->out == 0)
        go_on(identify);
}

int sto_identify(struct sto_lun *lun, uint32_t timeout_ms,
                 void (*done)(void *context, int rc, const struct sto_facts *facts,
                              const struct hw_error *error),
                 void *context)
{
    struct identify *identify;
    int rc;

    if (lun->identify != NULL)
        return -EBUSY;
    identify = calloc(1, sizeof(*identify));
    if (identify == NULL)
        return -ENOMEM;
    identify->lun = lun;
    identify->done = done;
    identify->context = context;
    identify->session = STO_SESSION_DATA;
    identify->deadline_ns =
        hw_clock_now_ns(lun->clock) +
        (int64_t)(timeout_ms != 0 ? timeout_ms : lun->io_timeout_ms) * NS_PER_MS;
    ask(identify);
    rc = identify->failed;
    if (rc < 0)
        free(identify);
    else
        lun->identify = identify;
    return rc;
}
