/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of sequences.table:
 *   login logout drop settle (TEST UNIT READY until no unit attention waits) tur inquiry capacity
 *   read write write-same sync reset
 *   keys reservation capabilities
 *   register RK SARK [aptpl]   register-ignore SARK [aptpl]   reserve RK TYPE   release RK TYPE
 *   clear RK   preempt RK SARK TYPE                           keys in hex, types in SCSI's numbers
 */
#include "config.h"

#include "tests/lab/seq_step.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cursor.h"
#include "storage/sto_cdb.h"
#include "storage/sto_pr.h"

enum { STEP_BUFFER_BYTES = 4096, STEP_BLOCK_BYTES = 512, STEP_ATTENTIONS = 32, STEP_KEYS = 16 };

static const uint64_t sweep_key = 0x5eeb;

static void describe(const struct sto_result *result, char ret_answer[SEQ_ANSWER_BYTES])
{
    const char *name = sto_rc_name(result->rc);

    if (result->rc == STO_OK)
        name = "good";
    else if (result->sense_key == 0x5)
        name = "illegal";
    else if (result->rc == STO_UNIT_ATTENTION)
        name = "attention";
    if (result->sense_key != 0)
        (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "%s %04x", name, result->asc_ascq);
    else
        (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "%s", name);
}

static enum sto_rc run(struct seq_state *state, unsigned nexus, struct sto_op *op,
                       char ret_answer[SEQ_ANSWER_BYTES])
{
    if (!seq_port_run(state->port, nexus, op)) {
        (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "? cannot be submitted");
        return STO_NOT_SENT;
    }
    describe(&op->result, ret_answer);
    return op->result.rc;
}

/* A SCSI command with a buffer, which is zeroed first when it goes in. */
static enum sto_rc scsi(struct seq_state *state, unsigned nexus, struct sto_op *op,
                        enum sto_direction direction, void *buffer, size_t bytes,
                        char ret_answer[SEQ_ANSWER_BYTES])
{
    struct iovec iov = { .iov_base = buffer, .iov_len = bytes };

    op->kind = STO_OP_SCSI;
    op->session = STO_SESSION_DATA;
    op->direction = direction;
    if (direction != STO_DIRECTION_NONE) {
        op->iov = &iov;
        op->iov_count = 1;
        op->length_bytes = bytes;
    }
    return run(state, nexus, op, ret_answer);
}

static enum sto_rc session(struct seq_state *state, unsigned nexus, enum sto_op_kind kind,
                           enum sto_session which, char ret_answer[SEQ_ANSWER_BYTES])
{
    struct sto_op op = { .kind = kind, .session = which };
    enum sto_rc rc = run(state, nexus, &op, ret_answer);

    if (rc == STO_OK)
        (which == STO_SESSION_DATA ? state->up : state->control)[nexus] = kind == STO_OP_LOGIN;
    return rc;
}

static enum sto_rc test_unit(struct seq_state *state, unsigned nexus,
                             char ret_answer[SEQ_ANSWER_BYTES])
{
    struct sto_op op = { .cdb_bytes = 6 };

    return scsi(state, nexus, &op, STO_DIRECTION_NONE, NULL, 0, ret_answer);
}

static enum sto_rc settle(struct seq_state *state, unsigned nexus,
                          char ret_answer[SEQ_ANSWER_BYTES])
{
    enum sto_rc rc = STO_UNIT_ATTENTION;

    for (unsigned i = 0; i < STEP_ATTENTIONS && rc == STO_UNIT_ATTENTION; i++)
        rc = test_unit(state, nexus, ret_answer);
    return rc;
}

/* --- data and facts --- */

static bool data_command(struct seq_state *state, unsigned nexus, const char *word,
                         char ret_answer[SEQ_ANSWER_BYTES])
{
    uint8_t buffer[STEP_BLOCK_BYTES] = { 0 };
    enum sto_direction direction = STO_DIRECTION_IN;
    size_t bytes = sizeof(buffer);
    struct sto_op op = { 0 };

    if (strcmp(word, "read") == 0) {
        op.cdb_bytes = sto_cdb_read(op.cdb, 1, 1);
    } else if (strcmp(word, "write") == 0) {
        op.cdb_bytes = sto_cdb_write(op.cdb, 1, 1, false);
        direction = STO_DIRECTION_OUT;
    } else if (strcmp(word, "write-same") == 0) {
        op.cdb_bytes = sto_cdb_write_same(op.cdb, 1, 1, false);
        direction = STO_DIRECTION_OUT;
    } else if (strcmp(word, "sync") == 0) {
        op.cdb_bytes = sto_cdb_synchronize_cache(op.cdb, 0, 0);
        direction = STO_DIRECTION_NONE;
    } else if (strcmp(word, "inquiry") == 0) {
        op.cdb_bytes = sto_cdb_inquiry(op.cdb, 36);
        bytes = 36;
    } else if (strcmp(word, "capacity") == 0) {
        op.cdb_bytes = sto_cdb_read_capacity(op.cdb, 32);
        bytes = 32;
    } else {
        return false;
    }
    (void)scsi(state, nexus, &op, direction, buffer, bytes, ret_answer);
    return true;
}

static void reset(struct seq_state *state, unsigned nexus, char ret_answer[SEQ_ANSWER_BYTES])
{
    struct sto_op op = { .kind = STO_OP_LUN_RESET, .session = STO_SESSION_CONTROL };

    if (!state->control[nexus] &&
        session(state, nexus, STO_OP_LOGIN, STO_SESSION_CONTROL, ret_answer) != STO_OK)
        return;
    (void)run(state, nexus, &op, ret_answer);
}

/* --- PERSISTENT RESERVE IN --- */

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* "keys a1 b1 +2": a key that two nexuses registered stands twice. */
static void describe_keys(struct seq_state *state, struct hw_reader *reader, uint32_t grown,
                          char ret_answer[SEQ_ANSWER_BYTES])
{
    uint32_t bytes = hw_read_be32(reader);
    uint64_t keys[STEP_KEYS];
    unsigned count = 0;
    int at;

    (void)state;
    while (count < bytes / 8 && count < STEP_KEYS)
        keys[count++] = hw_read_be64(reader);
    if (hw_reader_status(reader) < 0 || bytes % 8 != 0 || bytes / 8 > STEP_KEYS) {
        (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "bad list of %u bytes", bytes);
        return;
    }
    qsort(keys, count, sizeof(keys[0]), compare_keys);
    at = snprintf(ret_answer, SEQ_ANSWER_BYTES, "%s", count == 0 ? "no keys" : "keys");
    for (unsigned i = 0; i < count && at < SEQ_ANSWER_BYTES; i++)
        at += snprintf(ret_answer + at, (size_t)(SEQ_ANSWER_BYTES - at), " %" PRIx64, keys[i]);
    if (at < SEQ_ANSWER_BYTES)
        (void)snprintf(ret_answer + at, (size_t)(SEQ_ANSWER_BYTES - at), " +%u", grown);
}

/* "held by a1 type 3 +0" */
static void describe_reservation(struct hw_reader *reader, uint32_t grown,
                                 char ret_answer[SEQ_ANSWER_BYTES])
{
    uint32_t bytes = hw_read_be32(reader);
    uint64_t key;
    uint8_t type;

    if (bytes == 0) {
        (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "free +%u", grown);
        return;
    }
    key = hw_read_be64(reader);
    hw_read_skip(reader, 5);
    type = hw_read_u8(reader);
    (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "held by %" PRIx64 " type %x +%u", key, type,
                   grown);
}

static void describe_capabilities(struct hw_reader *reader, char ret_answer[SEQ_ANSWER_BYTES])
{
    uint16_t bytes = hw_read_be16(reader);
    uint8_t can = hw_read_u8(reader);
    uint8_t is = hw_read_u8(reader);
    uint16_t types = hw_read_be16(reader);

    (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "length %u persists %u active %u types %04x",
                   bytes, can & 1, is & 1, types);
}

static void reserve_in(struct seq_state *state, unsigned nexus, enum sto_pr_in action,
                       char ret_answer[SEQ_ANSWER_BYTES])
{
    uint8_t buffer[STEP_BUFFER_BYTES] = { 0 };
    struct sto_op op = { 0 };
    struct hw_reader reader;
    uint32_t generation, grown;

    op.cdb_bytes = sto_pr_in_cdb(action, sizeof(buffer), op.cdb);
    if (scsi(state, nexus, &op, STO_DIRECTION_IN, buffer, sizeof(buffer), ret_answer) != STO_OK)
        return;
    reader = hw_reader_over(buffer, op.result.transferred_bytes);
    if (action == STO_PR_REPORT_CAPABILITIES) {
        describe_capabilities(&reader, ret_answer);
    } else {
        generation = hw_read_be32(&reader);
        grown = generation - state->generation;
        state->generation = generation;
        if (action == STO_PR_READ_KEYS)
            describe_keys(state, &reader, grown, ret_answer);
        else
            describe_reservation(&reader, grown, ret_answer);
    }
    if (hw_reader_status(&reader) < 0)
        (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "cut short at %" PRIu64 " bytes",
                       op.result.transferred_bytes);
}

/* --- PERSISTENT RESERVE OUT --- */

static enum sto_rc reserve_out(struct seq_state *state, unsigned nexus,
                               const struct sto_pr_out_request *request,
                               char ret_answer[SEQ_ANSWER_BYTES])
{
    uint8_t parameters[STO_PR_OUT_PARAMETER_BYTES];
    struct sto_op op = { 0 };

    op.cdb_bytes = sto_pr_out_encode(request, op.cdb, parameters);
    return scsi(state, nexus, &op, STO_DIRECTION_OUT, parameters, sizeof(parameters), ret_answer);
}

/* The words of each action, in order: k RESERVATION KEY, s SERVICE ACTION KEY, t type. */
static const struct {
    const char *word, *arguments;
    enum sto_pr_out action;
} out_words[] = {
    { "register", "ks", STO_PR_REGISTER }, { "register-ignore", "s", STO_PR_REGISTER_IGNORE },
    { "reserve", "kt", STO_PR_RESERVE },   { "release", "kt", STO_PR_RELEASE },
    { "clear", "k", STO_PR_CLEAR },        { "preempt", "kst", STO_PR_PREEMPT },
};

static bool fill_request(const struct seq_step *step, struct sto_pr_out_request *ret_request)
{
    for (unsigned i = 0; i < sizeof(out_words) / sizeof(out_words[0]); i++) {
        size_t count = strlen(out_words[i].arguments);

        if (strcmp(step->words[0], out_words[i].word) != 0)
            continue;
        if (step->count < count + 1)
            return false;
        ret_request->action = out_words[i].action;
        for (unsigned at = 0; at < count; at++) {
            uint64_t number = strtoull(step->words[at + 1], NULL, 16);

            if (out_words[i].arguments[at] == 'k')
                ret_request->key = number;
            else if (out_words[i].arguments[at] == 's')
                ret_request->service_key = number;
            else
                ret_request->type = (enum sto_pr_type)number;
        }
        ret_request->aptpl = step->count > count + 1 && !strcmp(step->words[count + 1], "aptpl");
        return step->count == count + 1 + ret_request->aptpl;
    }
    return false;
}

/* --- */

static bool plain_command(struct seq_state *state, unsigned nexus, const char *word,
                          char ret_answer[SEQ_ANSWER_BYTES])
{
    if (strcmp(word, "login") == 0) {
        (void)session(state, nexus, STO_OP_LOGIN, STO_SESSION_DATA, ret_answer);
    } else if (strcmp(word, "logout") == 0) {
        (void)session(state, nexus, STO_OP_LOGOUT, STO_SESSION_DATA, ret_answer);
    } else if (strcmp(word, "drop") == 0) {
        seq_port_drop(state->port, nexus);
        state->up[nexus] = false;
        (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "good");
    } else if (strcmp(word, "tur") == 0) {
        (void)test_unit(state, nexus, ret_answer);
    } else if (strcmp(word, "settle") == 0) {
        (void)settle(state, nexus, ret_answer);
    } else if (strcmp(word, "reset") == 0) {
        reset(state, nexus, ret_answer);
    } else if (strcmp(word, "keys") == 0) {
        reserve_in(state, nexus, STO_PR_READ_KEYS, ret_answer);
    } else if (strcmp(word, "reservation") == 0) {
        reserve_in(state, nexus, STO_PR_READ_RESERVATION, ret_answer);
    } else if (strcmp(word, "capabilities") == 0) {
        reserve_in(state, nexus, STO_PR_REPORT_CAPABILITIES, ret_answer);
    } else {
        return data_command(state, nexus, word, ret_answer);
    }
    return true;
}

void seq_step_run(struct seq_state *state, const struct seq_step *step,
                  char ret_answer[SEQ_ANSWER_BYTES])
{
    struct sto_pr_out_request request = { 0 };

    if (fill_request(step, &request))
        (void)reserve_out(state, step->nexus, &request, ret_answer);
    else if (step->count != 1 || !plain_command(state, step->nexus, step->words[0], ret_answer))
        (void)snprintf(ret_answer, SEQ_ANSWER_BYTES, "? no such command");
}

bool seq_fresh(struct seq_state *state, char ret_answer[SEQ_ANSWER_BYTES])
{
    const struct sto_pr_out_request sweep[] = {
        { .action = STO_PR_REGISTER_IGNORE, .service_key = sweep_key },
        { .action = STO_PR_CLEAR, .key = sweep_key },
    };

    for (unsigned i = 0; i < SEQ_NEXUSES; i++) {
        if (!state->up[i] &&
            session(state, i, STO_OP_LOGIN, STO_SESSION_DATA, ret_answer) != STO_OK)
            return false;
        if (settle(state, i, ret_answer) != STO_OK)
            return false;
    }
    for (unsigned i = 0; i < sizeof(sweep) / sizeof(sweep[0]); i++) {
        if (reserve_out(state, 0, &sweep[i], ret_answer) != STO_OK)
            return false;
    }
    for (unsigned i = 0; i < SEQ_NEXUSES; i++) {
        if (settle(state, i, ret_answer) != STO_OK)
            return false;
    }
    reserve_in(state, 0, STO_PR_READ_KEYS, ret_answer);
    return strncmp(ret_answer, "no keys", 7) == 0;
}
