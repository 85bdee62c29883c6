/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_probe with storage/sto_probe_result and storage/sto_probe_report, against the model
 * target: good targets pass, each way of being wrong is told apart, and whatever step fails, no
 * key of the probe is left on the LUN.
 */
#include <config.h>

#include "storage/sto_probe.h"

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "storage/sto_model.h"
#include "storage/sto_sense.h"

enum { SCRATCH_LBA = 8, DATA_BYTES = STO_PR_KEYS_ANSWER_BYTES + 65536 };

/* What a test changes on the way. `at` counts commands of the probe from 0. */
struct bend {
    unsigned at;
    bool loses;   /* command `at` ends without an answer and its session is gone */
    bool answers; /* command `at` is executed, but answered as `rc` */
    enum sto_rc rc;
    int lie_opcode;        /* this opcode of B is executed in A's name: passes by the reservation */
    int deny_opcode;       /* this opcode is answered as unsupported */
    const char *lie_words; /* the command with these words is answered GOOD without being done */
};

static struct sto_model *model;
static struct sto_probe probe;
static int nexus[2][2]; /* data and control of A and B */
static int64_t now_ns;
static unsigned commands;
static bool answered;
static struct sto_model_reply reply;
static uint8_t data[DATA_BYTES];

static void done(struct sto_model_command *command, const struct sto_model_reply *ret)
{
    (void)command;
    reply = *ret;
    answered = true;
}

/* One command to the model, unit attentions stepped over. */
static enum sto_rc run(int on, bool reset, const uint8_t *cdb, uint8_t cdb_bytes, size_t bytes)
{
    for (unsigned i = 0; i < 2 * STO_MODEL_ATTENTIONS; i++) {
        struct sto_model_command command = {
            .nexus = on, .reset = reset, .data = data, .data_bytes = bytes, .done = done
        };
        struct sto_sense sense;
        struct sto_result result = { 0 };

        if (cdb != NULL)
            memcpy(command.cdb, cdb, cdb_bytes);
        answered = false;
        if (sto_model_submit(model, now_ns, &command) < 0)
            return STO_NOT_SENT;
        while (!answered && sto_model_next_ns(model) != INT64_MAX) {
            now_ns = sto_model_next_ns(model);
            sto_model_advance(model, now_ns);
        }
        if (!answered)
            return STO_UNKNOWN;
        if (reset || reply.status == STO_STATUS_GOOD)
            return STO_OK;
        if (reply.status == STO_STATUS_CHECK_CONDITION) {
            sense = (struct sto_sense) { .present = true,
                                         .key = reply.sense_key,
                                         .asc_ascq = reply.asc_ascq };
            sto_sense_judge_parsed(&sense, &result);
        } else {
            sto_sense_judge(reply.status, NULL, 0, &result);
        }
        if (result.rc != STO_UNIT_ATTENTION)
            return result.rc;
    }
    return STO_UNIT_ATTENTION;
}

static void login(enum sto_probe_who who, bool control)
{
    nexus[who][control] = sto_model_login(model, (uint64_t)(who + 1) * 10 + control);
    CU_ASSERT_FATAL(nexus[who][control] >= 0);
}

static enum sto_rc execute(const struct sto_probe_command *command, const struct bend *bend)
{
    uint8_t parameters[STO_PR_OUT_PARAMETER_BYTES], cdb[16];
    int on = nexus[command->who][0];
    uint8_t bytes;

    if (bend->lie_words != NULL && strcmp(command->words, bend->lie_words) == 0)
        return STO_OK;
    switch (command->action) {
    case STO_PROBE_DO_RELOGIN:
        sto_model_end_session(model, on);
        login(command->who, false);
        return STO_OK;
    case STO_PROBE_DO_RESET:
        return run(nexus[command->who][1], true, NULL, 0, 0);
    case STO_PROBE_DO_PR_OUT:
        bytes = sto_pr_out_encode(&command->request, cdb, parameters);
        memcpy(data, parameters, sizeof(parameters));
        return run(on, false, cdb, bytes, sizeof(parameters));
    case STO_PROBE_DO_READ_KEYS:
    case STO_PROBE_DO_READ_RESERVATION:
    case STO_PROBE_DO_CAPABILITIES:
        bytes = sto_pr_in_cdb((enum sto_pr_in)(command->action - STO_PROBE_DO_READ_KEYS),
                              (uint16_t)command->data_bytes, cdb);
        return run(on, false, cdb, bytes, command->data_bytes);
    case STO_PROBE_DO_COMMAND:
        break;
    }
    if (bend->deny_opcode == command->cdb[0])
        return STO_UNSUPPORTED;
    if (bend->lie_opcode == command->cdb[0])
        on = nexus[STO_PROBE_A][0];
    if (command->direction == STO_DIRECTION_OUT)
        sto_probe_fill(&probe, command, data);
    return run(on, false, command->cdb, command->cdb_bytes, command->data_bytes);
}

/* The whole probe over the model as it is; true if command `bend->at` was reached. */
static bool probe_it(const struct bend *bend)
{
    const struct sto_probe_config config = { .scratch_lba = SCRATCH_LBA,
                                             .block_bytes = STO_MODEL_BLOCK_BYTES,
                                             .cluster_hash = 0x4711 };
    struct sto_probe_command command;
    bool reached = false;

    sto_probe_begin(&probe, &config);
    for (commands = 0; sto_probe_next(&probe, &command); commands++) {
        struct sto_probe_result result = { .data = data };

        CU_ASSERT_FATAL(commands < 200);
        CU_ASSERT_FATAL(command.data_bytes <= sizeof(data));
        memset(data, 0, sizeof(data));
        if (bend->loses && commands == bend->at) {
            sto_model_end_session(model, nexus[command.who][0]);
            result.rc = STO_UNKNOWN;
            reached = true;
        } else {
            result.rc = execute(&command, bend);
            result.data_bytes = reply.data_in_bytes;
            result.tmf_response = reply.tmf_response;
        }
        if (bend->answers && commands == bend->at) {
            result.rc = bend->rc;
            reached = true;
        }
        sto_probe_result(&probe, &result);
    }
    return reached;
}

static void new_model(const struct sto_model_quirks *quirks)
{
    const struct sto_model_config config = { .quirks = *quirks, .blocks = 64 };

    sto_model_free(model);
    model = sto_model_new(&config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    for (unsigned i = 0; i < 4; i++)
        login((enum sto_probe_who)(i / 2), i % 2);
}

static void nothing_left(void)
{
    uint64_t key;
    int holder;

    CU_ASSERT_EQUAL(sto_model_registered(model, NULL, 0), 0);
    CU_ASSERT_FALSE(sto_model_holder(model, &key, &holder));
}

static void ends(const struct sto_model_quirks *quirks, const struct bend *bend,
                 enum sto_probe_verdict verdict, const char *reason)
{
    new_model(quirks);
    (void)probe_it(bend);
    CU_ASSERT_EQUAL(probe.report.verdict, verdict);
    CU_ASSERT_PTR_NOT_NULL(strstr(probe.report.reason, reason));
    CU_ASSERT(probe.report.cleaned);
    nothing_left();
}

static const struct sto_model_quirks none;
static const struct bend straight;

static void passes_good_targets(void)
{
    const struct sto_model_quirks persists = { .persists = true };
    const struct sto_model_quirks by_session = { .by_session = true };
    const uint32_t always = STO_PROBE_DONE | STO_PROBE_TRUSTED;
    const uint32_t mask =
        always | STO_PROBE_NO_DISCARD | STO_PROBE_POWER_LOSS | STO_PROBE_KEEPS_LOGIN;

    ends(&none, &straight, STO_PROBE_FIT, "");
    CU_ASSERT_EQUAL(probe.report.bits & mask, always | STO_PROBE_KEEPS_LOGIN);
    CU_ASSERT_EQUAL(probe.report.outcomes[STO_PROBE_WRITE_16], STO_PROBE_KEPT_OUT);
    CU_ASSERT_EQUAL(probe.report.outcomes[STO_PROBE_READ_16], STO_PROBE_KEPT_OUT);
    ends(&persists, &straight, STO_PROBE_FIT, "");
    CU_ASSERT_EQUAL(probe.report.bits & mask,
                    always | STO_PROBE_KEEPS_LOGIN | STO_PROBE_POWER_LOSS);
    ends(&by_session, &straight, STO_PROBE_FIT, "");
    CU_ASSERT_EQUAL(probe.report.bits & mask, always);
}

static void refuses_bad_targets(void)
{
    const struct sto_model_quirks wrong = { .preempts_wrong = true };
    const struct sto_model_quirks no_reset = { .reset_unsupported = true };
    static const struct {
        struct bend bend;
        const char *reason;
    } lies[] = {
        { { .lie_opcode = 0x8a }, "write of a registrant was not answered" },
        { { .lie_opcode = 0x2a }, "WRITE(10) of another initiator passes" },
        { { .lie_opcode = 0x88 }, "READ(16) of another initiator passes" },
        { { .lie_words = "RESERVE" }, "reserved nothing" },
        { { .lie_words = "PREEMPT of a key that is not registered" }, "nobody has" },
        { { .lie_words = "PREEMPT" }, "left the victim's key" },
        { { .lie_words = "WRITE of a registrant" }, "registrant" },
        { { .lie_words = "WRITE of the preempted" }, "preempted initiator" },
    };

    new_model(&wrong);
    (void)probe_it(&straight);
    CU_ASSERT_EQUAL(probe.report.verdict, STO_PROBE_UNFIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(probe.report.reason, "PREEMPT"));
    ends(&no_reset, &straight, STO_PROBE_UNFIT, "LUN RESET is not answered as complete");
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        ends(&none, &lies[i].bend, STO_PROBE_UNFIT, lies[i].reason);
}

static void tells_discards_apart(void)
{
    const struct bend unmap = { .lie_opcode = 0x42 }, same = { .lie_opcode = 0x93 };
    const struct bend no_caw = { .deny_opcode = 0x89 };

    ends(&none, &same, STO_PROBE_FIT, "");
    CU_ASSERT_EQUAL(probe.report.outcomes[STO_PROBE_WRITE_SAME_16] == STO_PROBE_PASSED,
                    (probe.report.bits & STO_PROBE_NO_DISCARD) != 0);
    ends(&none, &unmap, STO_PROBE_FIT, "");
    CU_ASSERT_EQUAL(probe.report.outcomes[STO_PROBE_UNMAP] == STO_PROBE_PASSED,
                    (probe.report.bits & STO_PROBE_NO_DISCARD) != 0);
    ends(&none, &no_caw, STO_PROBE_FIT, "");
    CU_ASSERT_EQUAL(probe.report.bits & STO_PROBE_CAW, 0);
    CU_ASSERT_EQUAL(probe.report.outcomes[STO_PROBE_COMPARE_AND_WRITE], STO_PROBE_UNKNOWN_HERE);
}

static void leaves_used_luns_alone(void)
{
    const struct sto_pr_out_request request = { .action = STO_PR_REGISTER, .service_key = 0x77 };
    const struct sto_pr_out_request reserve = { .action = STO_PR_RESERVE,
                                                .type = STO_PR_WRITE_EXCLUSIVE,
                                                .key = 0x77 };
    uint8_t cdb[16];
    uint64_t key = 0;
    int other, holder;

    new_model(&none);
    other = sto_model_login(model, 99);
    CU_ASSERT_EQUAL(
        run(other, false, cdb, sto_pr_out_encode(&request, cdb, data), STO_PR_OUT_PARAMETER_BYTES),
        STO_OK);
    (void)probe_it(&straight);
    CU_ASSERT_EQUAL(probe.report.verdict, STO_PROBE_IN_USE);
    CU_ASSERT_PTR_NOT_NULL(strstr(probe.report.reason, "0x0000000000000077"));
    CU_ASSERT_EQUAL(commands, 1);
    CU_ASSERT_EQUAL(
        run(other, false, cdb, sto_pr_out_encode(&reserve, cdb, data), STO_PR_OUT_PARAMETER_BYTES),
        STO_OK);
    (void)probe_it(&straight);
    CU_ASSERT_EQUAL(probe.report.verdict, STO_PROBE_IN_USE);
    CU_ASSERT(sto_model_holder(model, &key, &holder) && key == 0x77);
    CU_ASSERT_EQUAL(sto_model_registered(model, NULL, 0), 1);
}

/* Lose the session at command 0, 1, 2 ... until the probe ends before. */
static void cleans_up_after_each_loss(void)
{
    const struct sto_model_quirks kinds[] = { { 0 }, { .by_session = true }, { .persists = true } };

    for (unsigned kind = 0; kind < 3; kind++) {
        struct bend bend = { .loses = true };
        unsigned fit = 0;

        for (bend.at = 0;; bend.at++) {
            new_model(&kinds[kind]);
            if (!probe_it(&bend))
                break;
            if (probe.report.verdict == STO_PROBE_FIT)
                fit++; /* lost while cleaning up: said by `cleaned` */
            else
                CU_ASSERT_EQUAL(probe.report.verdict, STO_PROBE_BROKEN_OFF);
            if (probe.report.cleaned)
                nothing_left();
            else
                CU_ASSERT_EQUAL(probe.report.verdict, STO_PROBE_FIT);
        }
        CU_ASSERT(bend.at > 30);
        CU_ASSERT(fit > 0);
        CU_ASSERT_EQUAL(probe.report.verdict, STO_PROBE_FIT);
        nothing_left();
    }
}

/* A wrong answer at each command, executed or not: never FIT with a reservation left. */
static void survives_each_wrong_answer(void)
{
    static const enum sto_rc answers[] = { STO_CONFLICT, STO_UNSUPPORTED, STO_ILLEGAL, STO_BUSY,
                                           STO_MEDIUM,   STO_READ_ONLY,   STO_OK };

    for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct bend bend = { .answers = true, .rc = answers[i] };

        for (bend.at = 0;; bend.at++) {
            new_model(&none);
            if (!probe_it(&bend))
                break;
            CU_ASSERT_NOT_EQUAL(probe.report.verdict, STO_PROBE_RUNNING);
            if (probe.report.cleaned)
                nothing_left();
        }
    }
}

static void says_it_in_words(void)
{
    struct sto_probe_report report = { .verdict = STO_PROBE_FIT, .cleaned = true };
    struct hw_error error = { 0 };

    CU_ASSERT_EQUAL(sto_probe_judge(&report, "lun", &error), 0);
    report.verdict = STO_PROBE_UNFIT;
    strcpy(report.reason, "because");
    CU_ASSERT(sto_probe_judge(&report, "lun", &error) < 0);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_STRING_EQUAL(error.reason, "reservations of this target cannot be trusted: because");
    hw_error_clear(&error);
    report.verdict = STO_PROBE_BROKEN_OFF;
    report.cleaned = false;
    CU_ASSERT(sto_probe_judge(&report, "lun", &error) < 0);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "may be left"));
    for (unsigned i = 0; i < STO_PROBE_INTRUSIONS; i++)
        CU_ASSERT_STRING_NOT_EQUAL(sto_probe_intrusion_name((enum sto_probe_intrusion)i), "?");
    sto_model_free(model);
    model = NULL;
}

const struct unit_case unit_cases[] = {
    { "good targets pass, each with its bits", passes_good_targets },
    { "bad targets are refused with the reason", refuses_bad_targets },
    { "discards that pass by are a bit, not a refusal", tells_discards_apart },
    { "a LUN in use is left alone", leaves_used_luns_alone },
    { "a session lost at any command leaves no key", cleans_up_after_each_loss },
    { "a wrong answer at any command leaves no key", survives_each_wrong_answer },
    { "reports become messages", says_it_in_words },
    { 0 },
};
