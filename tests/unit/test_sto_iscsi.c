/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The userspace iSCSI backend (storage/sto_iscsi, storage/sto_iscsi_build, storage/sto_iscsi_login,
 * storage/sto_iscsi_session, storage/sto_iscsi_task), storage/sto_identify, storage/sto_lun,
 * storage/sto_rc and storage/sto_run against a target that misbehaves on demand: every operation
 * ends exactly once, its memory is not touched afterwards, a lost session stays lost.
 * over 400: one backend and everything that a target can do to it.
 * over 400: the backend has one test, its parts share the target.
 */
#include <config.h>

#include "storage/sto_lun.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_cdb.h"
#include "storage/sto_url.h"
#include "tests/unit/iscsi_target.h"
#include "tests/unit/unit.h"

enum { WAIT_MS = 20000 };

static uint16_t port;
static struct sto_lun *lun;
static struct sto_facts facts;
static unsigned lun_number = 1;
static unsigned downs;
static char down_words[STO_DETAIL_BYTES];

static void note_down(void *context, enum sto_session session, const char *why)
{
    (void)context;
    (void)session;
    downs++;
    snprintf(down_words, sizeof(down_words), "%s", why);
}

static void nothing_done(struct sto_op *op)
{
    (void)op;
}

static enum sto_rc run(struct sto_op *op)
{
    op->done = nothing_done;
    CU_ASSERT_EQUAL_FATAL(sto_run_op(lun, op), 0);
    return op->result.rc;
}

static struct sto_lun_options usual(void)
{
    return (struct sto_lun_options) { .initiator = "iqn.2026-11.test:initiator",
                                      .node = 3,
                                      .isid_salt = 7,
                                      .connect_ms = WAIT_MS,
                                      .io_timeout_ms = WAIT_MS,
                                      .nop_ms = WAIT_MS,
                                      .notify = { note_down, NULL } };
}

static int open_lun(const char *portals, const struct sto_lun_options *options)
{
    char text[256];
    struct sto_url url;

    snprintf(text, sizeof(text), "iscsi://%s127.0.0.1:%u/iqn.2026-11.test:target/%u", portals, port,
             lun_number);
    CU_ASSERT_EQUAL_FATAL(sto_url_parse(text, &url, NULL), 0);
    downs = 0;
    down_words[0] = '\0';
    return sto_lun_open(&url, options, &lun, NULL);
}

static enum sto_rc login(enum sto_session session)
{
    struct sto_op op = { .kind = STO_OP_LOGIN, .session = session };

    return run(&op);
}

static void start_with(const struct sto_lun_options *options)
{
    port = target_start();
    CU_ASSERT_FATAL(port != 0);
    CU_ASSERT_EQUAL_FATAL(open_lun("", options), 0);
    CU_ASSERT_EQUAL_FATAL(login(STO_SESSION_DATA), STO_OK);
    CU_ASSERT_EQUAL_FATAL(login(STO_SESSION_CONTROL), STO_OK);
    CU_ASSERT_EQUAL_FATAL(sto_run_identify(lun, WAIT_MS, &facts, NULL), 0);
}

static void start(void)
{
    struct sto_lun_options options = usual();

    start_with(&options);
}

static void stop(void)
{
    sto_lun_close(lun);
    target_stop();
}

static enum sto_rc move(enum sto_op_kind kind, void *data, size_t bytes, uint32_t timeout_ms)
{
    struct iovec iov = { data, bytes };
    struct sto_op op = {
        .kind = kind, .offset_bytes = 1024, .iov = &iov, .iov_count = 1, .timeout_ms = timeout_ms
    };

    return run(&op);
}

static enum sto_rc flush(void)
{
    struct sto_op op = { .kind = STO_OP_FLUSH };

    return run(&op);
}

static void wait_a_little(int timeout_ms)
{
    struct pollfd poll_fd = { .fd = sto_lun_fd(lun), .events = sto_lun_events(lun) };

    (void)poll(&poll_fd, 1, timeout_ms);
    sto_lun_service(lun, poll_fd.revents);
}

/* --- the plain course --- */

static void identifies_and_moves_data(void)
{
    static uint8_t out[600 * 1024], in[600 * 1024];

    start();
    CU_ASSERT_EQUAL(facts.capacity_bytes, TARGET_BLOCKS * TARGET_BLOCK_BYTES);
    CU_ASSERT_EQUAL(facts.block_bytes, TARGET_BLOCK_BYTES);
    CU_ASSERT_STRING_EQUAL(facts.vendor, "TEST");
    CU_ASSERT_STRING_EQUAL(facts.wwid, "naa.6001020304050607");
    CU_ASSERT_TRUE(facts.scsi);
    CU_ASSERT_TRUE(facts.write_cache); /* MODE SENSE is not known there: careful */
    CU_ASSERT_FALSE(facts.reservations);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 31 + i / 512);
    CU_ASSERT_EQUAL(move(STO_OP_WRITE, out, sizeof(out), 0), STO_OK); /* part of it by R2T */
    CU_ASSERT_EQUAL(memcmp(target_disk() + 1024, out, sizeof(out)), 0);
    CU_ASSERT_EQUAL(move(STO_OP_READ, in, sizeof(in), 0), STO_OK);
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(out)), 0);
    CU_ASSERT_EQUAL(flush(), STO_OK);
    CU_ASSERT_EQUAL(downs, 0);
    stop();
}

enum { MANY = 200 };
static struct sto_op many[MANY];
static struct iovec many_iov[MANY];
static uint8_t many_data[MANY][4096];
static unsigned many_done[MANY], many_sum;

static void many_ended(struct sto_op *op)
{
    many_done[op - many]++;
    many_sum++;
}

static void submit_many(enum sto_op_kind kind, uint32_t timeout_ms)
{
    memset(many_done, 0, sizeof(many_done));
    many_sum = 0;
    for (unsigned i = 0; i < MANY; i++) {
        many_iov[i] = (struct iovec) { many_data[i], sizeof(many_data[i]) };
        many[i] = (struct sto_op) { .kind = kind,
                                    .offset_bytes = (uint64_t)i * sizeof(many_data[i]),
                                    .iov = &many_iov[i],
                                    .iov_count = 1,
                                    .timeout_ms = timeout_ms,
                                    .done = many_ended };
        CU_ASSERT_EQUAL_FATAL(sto_lun_submit(lun, &many[i]), 0);
    }
    CU_ASSERT_EQUAL(many_sum, 0);
    CU_ASSERT_EQUAL(sto_lun_in_flight(lun), MANY);
}

static void wait_many(void)
{
    while (many_sum < MANY)
        wait_a_little(WAIT_MS);
    for (unsigned i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(many_done[i], 1);
    CU_ASSERT_EQUAL(sto_lun_in_flight(lun), 0);
}

static void many_in_flight(void)
{
    start();
    for (unsigned i = 0; i < MANY; i++)
        memset(many_data[i], (int)i, sizeof(many_data[i]));
    submit_many(STO_OP_WRITE, 0);
    wait_many();
    memset(many_data, 0xff, sizeof(many_data));
    submit_many(STO_OP_READ, 0);
    wait_many();
    for (unsigned i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(many[i].result.rc, STO_OK);
        CU_ASSERT_EQUAL(many_data[i][0], (uint8_t)i);
        CU_ASSERT_EQUAL(many_data[i][4095], (uint8_t)i);
    }
    CU_ASSERT_TRUE(target_seen().most_open <= 64); /* LIO's command window */
    target_set_mood(MOOD_SILENT);
    submit_many(STO_OP_READ, 100);
    wait_many();
    for (unsigned i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(many[i].result.rc, STO_UNKNOWN);
    stop();
}

/* The names that targets know a session by. */
static void isids_are_stable_and_apart(void)
{
    uint8_t data_isid[6], control_isid[6];
    struct sto_lun_options other = usual();
    struct target_seen seen;

    start();
    seen = target_seen();
    memcpy(control_isid, seen.isid[0], 6);
    memcpy(data_isid, seen.isid[1], 6);
    CU_ASSERT_NOT_EQUAL(memcmp(data_isid, control_isid, 4), 0); /* what LIO compares */
    CU_ASSERT_EQUAL(data_isid[0] & 0xc0, 0x40);
    sto_lun_drop(lun, STO_SESSION_DATA);
    CU_ASSERT_EQUAL(login(STO_SESSION_DATA), STO_OK);
    CU_ASSERT_EQUAL(memcmp(target_seen().isid[0], data_isid, 6), 0);
    sto_lun_close(lun);
    other.isid_salt = 8;
    CU_ASSERT_EQUAL_FATAL(open_lun("", &other), 0);
    CU_ASSERT_EQUAL(login(STO_SESSION_DATA), STO_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(target_seen().isid[0], data_isid, 4), 0);
    sto_lun_close(lun);
    other.isid_salt = 7;
    lun_number = 2; /* another LUN of the same process */
    CU_ASSERT_EQUAL_FATAL(open_lun("", &other), 0);
    lun_number = 1;
    CU_ASSERT_EQUAL(login(STO_SESSION_DATA), STO_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(target_seen().isid[0], data_isid, 4), 0);
    stop();
}

/* --- outcomes --- */

static void statuses_and_residuals(void)
{
    static uint8_t data[8192];
    struct iovec iov = { data, sizeof(data) };
    struct sto_op op = { .kind = STO_OP_READ, .iov = &iov, .iov_count = 1 };

    start();
    target_set_mood(MOOD_SHORT);
    CU_ASSERT_EQUAL(run(&op), STO_SHORT);
    CU_ASSERT_EQUAL(op.result.transferred_bytes, sizeof(data) - 512);
    target_set_mood(MOOD_CONFLICT);
    CU_ASSERT_EQUAL(run(&op), STO_CONFLICT);
    CU_ASSERT_EQUAL(op.result.scsi_status, 0x18);
    target_set_mood(MOOD_STATUS);
    target_set_sense(6, 0x2a03);
    CU_ASSERT_EQUAL(run(&op), STO_UNIT_ATTENTION);
    CU_ASSERT_EQUAL(op.result.asc_ascq, 0x2a03);
    target_set_mood(MOOD_REJECT);
    CU_ASSERT_EQUAL(run(&op), STO_UNKNOWN);
    target_set_mood(MOOD_GOOD);
    op.kind = STO_OP_DISCARD;
    op.iov_count = 0;
    op.length_bytes = 4096;
    CU_ASSERT_EQUAL(run(&op), STO_UNSUPPORTED);
    CU_ASSERT_EQUAL(flush(), STO_OK);
    CU_ASSERT_EQUAL(downs, 0);
    stop();
}

/* A target may refuse a write while most of its data is still ours: the memory is free only once
 * nothing of it is left to send (the sanitizers see it otherwise). */
static void early_refusal_of_a_large_write(void)
{
    enum { BYTES = 1 << 20 };

    target_set_narrow(true);
    start();
    target_set_mood(MOOD_CONFLICT);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t *data = calloc(1, BYTES);

        CU_ASSERT_PTR_NOT_NULL_FATAL(data);
        CU_ASSERT_EQUAL(move(STO_OP_WRITE, data, BYTES, 0), STO_CONFLICT);
        free(data);
    }
    target_set_mood(MOOD_GOOD);
    CU_ASSERT_EQUAL(flush(), STO_OK);
    CU_ASSERT_EQUAL(downs, 0);
    stop();
}

/* Who owns the LUN is asked in spite of whatever a guest has piled up on a slow target. */
static void ownership_does_not_wait_behind_data(void)
{
    struct sto_op ask = {
        .kind = STO_OP_SCSI, .cdb_bytes = 6, .timeout_ms = 500, .done = nothing_done
    };
    unsigned before;

    start();
    before = target_seen().commands;
    target_set_mood(MOOD_LATE);
    submit_many(STO_OP_READ, 0);
    for (unsigned i = 0; i < 200; i++) /* what can be sent, is */
        wait_a_little(1);
    CU_ASSERT_TRUE(target_seen().commands - before > 50);
    CU_ASSERT_TRUE(target_seen().commands - before < MANY);
    before = target_seen().commands;
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(lun, &ask), 0);
    while (sto_lun_in_flight(lun) > MANY)
        wait_a_little(WAIT_MS);
    CU_ASSERT_NOT_EQUAL(ask.result.sent_ns, 0);
    CU_ASSERT_EQUAL(target_seen().commands - before, 1);
    target_set_mood(MOOD_GOOD);
    target_release();
    wait_many();
    stop();
}

static void deadline_passes_and_the_session_stays(void)
{
    uint8_t *data = malloc(65536);

    start();
    target_set_mood(MOOD_LATE);
    CU_ASSERT_EQUAL(move(STO_OP_READ, data, 65536, 50), STO_UNKNOWN);
    free(data); /* the late answer must not find it */
    target_set_mood(MOOD_GOOD);
    target_release();
    CU_ASSERT_EQUAL(flush(), STO_OK);
    CU_ASSERT_EQUAL(downs, 0);
    CU_ASSERT_EQUAL(target_seen().connections, 2);
    stop();
}

static void reset_responses(void)
{
    static const struct {
        int response;
        enum sto_rc rc;
    } rows[] = { { 0, STO_OK },          { 1, STO_MEDIUM },        { 2, STO_MEDIUM },
                 { 5, STO_UNSUPPORTED }, { 255, STO_UNSUPPORTED }, { -1, STO_UNKNOWN } };

    start();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sto_op op = { .kind = STO_OP_LUN_RESET,
                             .timeout_ms = rows[i].response < 0 ? 50 : 0 };

        target_set_reset_response(rows[i].response);
        CU_ASSERT_EQUAL(run(&op), rows[i].rc);
        CU_ASSERT_EQUAL(op.session, STO_SESSION_CONTROL);
        if (rows[i].response >= 0)
            CU_ASSERT_EQUAL(op.result.tmf_response, rows[i].response);
    }
    CU_ASSERT_EQUAL(downs, 0);
    stop();
}

/* What the target has cleared it will not answer: it ends with the reset, not at its deadline. */
static void reset_ends_older_control_commands(void)
{
    struct sto_op older = {
        .kind = STO_OP_SCSI, .session = STO_SESSION_CONTROL, .cdb_bytes = 6, .done = nothing_done
    };
    struct sto_op reset = { .kind = STO_OP_LUN_RESET };

    start();
    target_set_mood(MOOD_SILENT);
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(lun, &older), 0);
    CU_ASSERT_EQUAL(run(&reset), STO_OK);
    while (sto_lun_in_flight(lun) > 0)
        wait_a_little(WAIT_MS);
    CU_ASSERT_EQUAL(older.result.rc, STO_UNKNOWN);
    CU_ASSERT_TRUE(older.result.done_ns < older.deadline_ns);
    target_set_mood(MOOD_GOOD);
    CU_ASSERT_EQUAL(flush(), STO_OK);
    stop();
}

/* --- losing a session --- */

static void lost_stays_lost(enum target_mood mood)
{
    unsigned connections;

    start();
    connections = target_seen().connections;
    target_set_mood(mood);
    submit_many(STO_OP_READ, 0);
    wait_many();
    for (unsigned i = 0; i < MANY; i++)
        CU_ASSERT_TRUE(many[i].result.rc == STO_UNKNOWN || many[i].result.rc == STO_NOT_SENT ||
                       many[i].result.rc == STO_OK);
    CU_ASSERT_EQUAL(many[MANY - 1].result.rc, STO_NOT_SENT); /* it had to wait for a place */
    CU_ASSERT_EQUAL(downs, 1);
    CU_ASSERT_NOT_EQUAL(down_words[0], '\0');
    CU_ASSERT_EQUAL(flush(), STO_NOT_SENT);
    for (unsigned i = 0; i < 20; i++)
        wait_a_little(10);
    CU_ASSERT_EQUAL(target_seen().connections, connections); /* nobody logs in by himself */
    CU_ASSERT_EQUAL(downs, 1);
    target_set_mood(MOOD_GOOD);
    CU_ASSERT_EQUAL(login(STO_SESSION_DATA), STO_OK);
    CU_ASSERT_EQUAL(flush(), STO_OK);
    stop();
}

static void connection_closed(void)
{
    lost_stays_lost(MOOD_CLOSE);
}

static void garbage_received(void)
{
    lost_stays_lost(MOOD_GARBAGE);
}

static void asked_to_leave(void)
{
    lost_stays_lost(MOOD_LEAVE);
}

static void wait_for_reset(unsigned resets)
{
    for (unsigned i = 0; i < WAIT_MS && target_seen().resets < resets; i++)
        poll(NULL, 0, 1);
    CU_ASSERT_EQUAL(target_seen().resets, resets);
}

static void dropped_hard(void)
{
    start();
    target_set_mood(MOOD_SILENT);
    submit_many(STO_OP_WRITE, 0);
    sto_lun_drop(lun, STO_SESSION_DATA);
    sto_lun_drop(lun, STO_SESSION_DATA);
    CU_ASSERT_EQUAL(many_sum, 0);
    wait_many();
    CU_ASSERT_EQUAL(many[0].result.rc, STO_UNKNOWN);
    CU_ASSERT_EQUAL(many[MANY - 1].result.rc, STO_NOT_SENT);
    CU_ASSERT_EQUAL(downs, 0); /* the owner did it */
    wait_for_reset(1);
    CU_ASSERT_EQUAL(target_seen().logouts, 0);
    target_set_mood(MOOD_GOOD);
    CU_ASSERT_EQUAL(login(STO_SESSION_DATA), STO_OK);
    target_set_mood(MOOD_SILENT);
    submit_many(STO_OP_WRITE, 0);
    sto_lun_close(lun); /* ends them all, once */
    CU_ASSERT_EQUAL(many_sum, MANY);
    wait_for_reset(3);
    target_stop();
}

static void logged_out_in_order(void)
{
    struct sto_op op = { .kind = STO_OP_LOGOUT };

    start();
    CU_ASSERT_EQUAL(run(&op), STO_OK);
    CU_ASSERT_EQUAL(run(&op), STO_NOT_SENT);
    CU_ASSERT_EQUAL(target_seen().logouts, 1);
    CU_ASSERT_EQUAL(target_seen().resets, 0);
    CU_ASSERT_EQUAL(downs, 0);
    CU_ASSERT_EQUAL(login(STO_SESSION_DATA), STO_OK);
    CU_ASSERT_EQUAL(flush(), STO_OK);
    stop();
}

static void silence_is_noticed(void)
{
    struct sto_lun_options options = usual();

    options.nop_ms = 200;
    start_with(&options);
    while (target_seen().nops < 4 && downs == 0) /* answered NOPs keep it up */
        wait_a_little(WAIT_MS);
    CU_ASSERT_EQUAL(downs, 0);
    target_set_mute(true);
    while (downs < 2)
        wait_a_little(WAIT_MS);
    CU_ASSERT_PTR_NOT_NULL(strstr(down_words, "NOP"));
    CU_ASSERT_EQUAL(flush(), STO_NOT_SENT);
    stop();
}

/* --- logins that fail --- */

static enum sto_rc try_login(struct sto_op *op)
{
    *op = (struct sto_op) { .kind = STO_OP_LOGIN };
    return run(op);
}

static void refused_with_words(void)
{
    static const struct {
        uint16_t status;
        enum sto_rc rc;
        const char *words;
    } rows[] = {
        { 0x0201, STO_LOGIN_REFUSED, "asks for a secret" },
        { 0x0202, STO_LOGIN_REFUSED, "not allowed" },
        { 0x0203, STO_LOGIN_REFUSED, "target not found" },
        { 0x0301, STO_NOT_SENT, "Service unavailable" },
    };
    struct sto_lun_options options = usual();
    struct sto_op op;

    port = target_start();
    CU_ASSERT_EQUAL_FATAL(open_lun("", &options), 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        target_set_login(rows[i].status, 0);
        CU_ASSERT_EQUAL(try_login(&op), rows[i].rc);
        CU_ASSERT_PTR_NOT_NULL(strstr(op.result.detail, rows[i].words));
    }
    target_set_login(0, 0);
    CU_ASSERT_EQUAL(try_login(&op), STO_OK);
    CU_ASSERT_EQUAL(downs, 0);
    stop();
}

static void silent_login_is_bounded(void)
{
    struct sto_lun_options options = usual();
    struct sto_op op;

    options.connect_ms = 60;
    port = target_start();
    CU_ASSERT_EQUAL_FATAL(open_lun("", &options), 0);
    target_set_login(0xffff, 0);
    CU_ASSERT_EQUAL(try_login(&op), STO_NOT_SENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.result.detail, "no answer within"));
    CU_ASSERT_TRUE(op.result.done_ns >= op.deadline_ns);
    op = (struct sto_op) { .kind = STO_OP_LOGIN, .timeout_ms = WAIT_MS, .done = nothing_done };
    CU_ASSERT_EQUAL(sto_lun_submit(lun, &op), 0);
    CU_ASSERT_EQUAL(
        sto_lun_submit(lun, &(struct sto_op) { .kind = STO_OP_LOGIN, .done = nothing_done }),
        -EALREADY);
    sto_lun_drop(lun, STO_SESSION_DATA); /* given up in the middle */
    sto_lun_service(lun, 0);
    CU_ASSERT_EQUAL(op.result.rc, STO_NOT_SENT);
    CU_ASSERT_EQUAL(sto_lun_in_flight(lun), 0);
    stop();
}

static void redirect_is_followed(void)
{
    struct sto_lun_options options = usual();
    struct sto_op op;

    port = target_start();
    CU_ASSERT_EQUAL_FATAL(open_lun("", &options), 0);
    target_set_login(0x0101, port);
    CU_ASSERT_EQUAL(try_login(&op), STO_OK);
    CU_ASSERT_EQUAL(target_seen().connections, 2);
    stop();
}

/* A port that nobody listens on, then a name, then the target. */
static void portals_in_turn(void)
{
    struct sto_lun_options options = usual();
    struct sto_op op;

    port = target_start();
    target_stop(); /* a port that is free now */
    CU_ASSERT_EQUAL_FATAL(open_lun("", &options), 0);
    CU_ASSERT_EQUAL(try_login(&op), STO_NOT_SENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.result.detail, "connection refused"));
    sto_lun_close(lun);
    port = target_start();
    CU_ASSERT_EQUAL_FATAL(open_lun("127.0.0.1:1;[::1]:1;localhost:1;", &options), 0);
    CU_ASSERT_EQUAL(try_login(&op), STO_OK);
    stop();
}

/* --- facts that cannot be had --- */

static void identify_says_why(void)
{
    struct hw_error error = { 0 };

    start();
    target_set_mood(MOOD_STATUS);
    target_set_sense(5, 0x2500);
    CU_ASSERT_EQUAL(sto_run_identify(lun, WAIT_MS, NULL, &error), -ENXIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "does not exist"));
    hw_error_clear(&error);
    target_set_sense(2, 0x3a00);
    CU_ASSERT_EQUAL(sto_run_identify(lun, WAIT_MS, NULL, &error), -ENOMEDIUM);
    hw_error_clear(&error);
    target_set_sense(6, 0x2900); /* unit attentions without end */
    CU_ASSERT_EQUAL(sto_run_identify(lun, WAIT_MS, NULL, &error), -EIO);
    hw_error_clear(&error);
    target_set_mood(MOOD_SILENT);
    CU_ASSERT_EQUAL(sto_run_identify(lun, 50, NULL, &error), -ETIMEDOUT);
    CU_ASSERT_PTR_NOT_NULL(sto_lun_facts(lun)); /* those read before stay */
    stop();
}

static void rc_names_are_all_different(void)
{
    for (unsigned i = 0; i <= STO_LOGIN_REFUSED; i++)
        for (unsigned j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(sto_rc_name((enum sto_rc)i), sto_rc_name((enum sto_rc)j));
    CU_ASSERT_STRING_EQUAL(sto_rc_name((enum sto_rc)99), "invalid");
}

const struct unit_case unit_cases[] = {
    { "facts, data, R2T", identifies_and_moves_data },
    { "many in flight within the target's window", many_in_flight },
    { "ISIDs are stable, and apart in four bytes", isids_are_stable_and_apart },
    { "statuses and residuals", statuses_and_residuals },
    { "a large write refused early", early_refusal_of_a_large_write },
    { "ownership does not wait behind data", ownership_does_not_wait_behind_data },
    { "a deadline passes, the session stays", deadline_passes_and_the_session_stays },
    { "responses of LUN RESET", reset_responses },
    { "LUN RESET ends older control commands", reset_ends_older_control_commands },
    { "connection closed in the middle", connection_closed },
    { "garbage received", garbage_received },
    { "asked to leave", asked_to_leave },
    { "dropped hard, with a reset", dropped_hard },
    { "logged out in order", logged_out_in_order },
    { "silence is noticed by NOP-Outs", silence_is_noticed },
    { "refused logins say why", refused_with_words },
    { "a silent login is bounded", silent_login_is_bounded },
    { "a redirect is followed", redirect_is_followed },
    { "portals are tried in turn", portals_in_turn },
    { "identification says why it fails", identify_says_why },
    { "names of outcomes", rc_names_are_all_different },
    { 0 },
};
