/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block backend through sto_lun.h, over recorded answers: storage/sto_block,
 * storage/sto_block_io, storage/sto_block_job, storage/sto_block_lane, storage/sto_block_session.
 * (over 400: one rig for all, and each case short.)
 */
#include <config.h>

#include "storage/sto_block_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/sto_pr.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/fake_block.h"
#include "tests/unit/unit.h"

enum { SHORT_MS = 100, LONG_MS = 20000, BLOCK = 512, MANY = 64 };

struct rig {
    struct fake_block fake;
    struct sto_lun *lun;
    struct sto_block *block;
    unsigned downs;
};

static void session_down(void *context, enum sto_session session, const char *why)
{
    (void)session;
    (void)why;
    ((struct rig *)context)->downs++;
}

static int open_lun(struct rig *rig, const char *path, struct hw_error *error)
{
    struct sto_url url = { .scheme = STO_SCHEME_BLOCK };
    struct sto_lun_options options = { .connect_ms = LONG_MS };
    int rc;

    snprintf(url.path, sizeof(url.path), "%s", path);
    rc = sto_block_open_with(&url, &options, &rig->fake.sys, &rig->lun, error);
    if (rc < 0)
        return rc;
    /* what sto_lun_open() and sto_identify() fill in */
    rig->block = (struct sto_block *)rig->lun;
    rig->lun->clock = hw_clock_boottime();
    rig->lun->notify = (struct sto_lun_notify) { session_down, rig };
    rig->lun->io_timeout_ms = LONG_MS;
    rig->lun->name = strdup("block:test");
    rig->lun->facts =
        (struct sto_facts) { .capacity_bytes = 1 << 20, .block_bytes = BLOCK, .scsi = true };
    rig->lun->facts_known = true;
    return rig->lun->name ? 0 : -ENOMEM;
}

static enum sto_rc run(struct rig *rig, struct sto_op *op)
{
    if (op->timeout_ms == 0)
        op->timeout_ms = LONG_MS;
    CU_ASSERT_EQUAL_FATAL(sto_run_op(rig->lun, op), 0);
    return op->result.rc;
}

static enum sto_rc login(struct rig *rig, enum sto_session session)
{
    return run(rig, &(struct sto_op) { .kind = STO_OP_LOGIN, .session = session });
}

static bool begin(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    CU_ASSERT_FATAL(fake_block_begin(&rig->fake));
    CU_ASSERT_EQUAL_FATAL(open_lun(rig, FAKE_BLOCK_NAME, NULL), 0);
    if (login(rig, STO_SESSION_DATA) != STO_OK) {
        unit_skip("no io_uring here");
        return false;
    }
    CU_ASSERT_EQUAL_FATAL(login(rig, STO_SESSION_CONTROL), STO_OK);
    return true;
}

static void finish(struct rig *rig)
{
    sto_lun_close(rig->lun);
    fake_block_end(&rig->fake);
}

static struct sto_op test_unit(uint32_t timeout_ms)
{
    return (struct sto_op) { .kind = STO_OP_SCSI,
                             .session = STO_SESSION_CONTROL,
                             .cdb_bytes = 6,
                             .timeout_ms = timeout_ms };
}

static void reads_and_writes(void)
{
    char out[2 * BLOCK], in[2 * BLOCK] = "";
    struct iovec out_iov = { out, sizeof(out) }, in_iov = { in, sizeof(in) };
    struct sto_op write_op = {
        .kind = STO_OP_WRITE, .offset_bytes = BLOCK, .iov = &out_iov, .iov_count = 1
    };
    struct sto_op read_op = {
        .kind = STO_OP_READ, .offset_bytes = BLOCK, .iov = &in_iov, .iov_count = 1
    };
    struct rig rig;

    if (!begin(&rig))
        return;
    memset(out, 'h', sizeof(out));
    CU_ASSERT_EQUAL(run(&rig, &write_op), STO_OK);
    CU_ASSERT_EQUAL(write_op.result.transferred_bytes, sizeof(out));
    CU_ASSERT_TRUE(write_op.result.sent_ns > 0);
    CU_ASSERT_EQUAL(run(&rig, &read_op), STO_OK);
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    CU_ASSERT_EQUAL(sto_lun_in_flight(rig.lun), 0);
    finish(&rig);
}

/* A FUA write is a SCSI command: the kernel's own idea of the cache is not asked. */
static void durable_write(void)
{
    char out[BLOCK] = "durable";
    struct iovec iov = { out, sizeof(out) };
    struct sto_op op = {
        .kind = STO_OP_WRITE, .flags = STO_FUA, .offset_bytes = BLOCK, .iov = &iov, .iov_count = 1
    };
    struct rig rig;

    if (!begin(&rig))
        return;
    CU_ASSERT_EQUAL(run(&rig, &op), STO_OK);
    CU_ASSERT_EQUAL(rig.fake.last_cdb[0], STO_OPCODE_WRITE_10);
    CU_ASSERT_EQUAL(rig.fake.last_cdb[1] & 8, 8);
    CU_ASSERT_STRING_EQUAL((char *)rig.fake.last_data, "durable");
    finish(&rig);
}

static void other_commands(void)
{
    struct sto_op flush = { .kind = STO_OP_FLUSH };
    struct sto_op discard = { .kind = STO_OP_DISCARD, .length_bytes = 4 * BLOCK };
    struct sto_op zeroes = { .kind = STO_OP_WRITE_ZEROES, .length_bytes = 4 * BLOCK };
    struct rig rig;

    if (!begin(&rig))
        return;
    CU_ASSERT_EQUAL(run(&rig, &flush), STO_OK);
    CU_ASSERT_EQUAL(rig.fake.last_cdb[0], STO_OPCODE_SYNCHRONIZE_CACHE_10);
    CU_ASSERT_EQUAL(run(&rig, &discard), STO_OK);
    CU_ASSERT_EQUAL(rig.fake.last_cdb[0], STO_OPCODE_UNMAP);
    CU_ASSERT_EQUAL(rig.fake.last_data_bytes, STO_UNMAP_RANGE_BYTES);
    CU_ASSERT_EQUAL(rig.fake.last_data[19], 4);
    CU_ASSERT_EQUAL(run(&rig, &zeroes), STO_OK);
    CU_ASSERT_EQUAL(rig.fake.last_cdb[0], STO_OPCODE_WRITE_SAME_16);
    CU_ASSERT_EQUAL(rig.fake.last_data_bytes, BLOCK);
    finish(&rig);
}

static void answers(void)
{
    uint8_t keys[64] = { 0xff };
    struct iovec iov = { keys, sizeof(keys) };
    struct sto_op op = test_unit(0);
    struct rig rig;

    if (!begin(&rig))
        return;
    fake_block_answer(&rig.fake, (struct fake_answer) { .times = 1, .status = 0x18 });
    fake_block_answer(&rig.fake, (struct fake_answer) {
                                     .times = 1, .status = 2, .sense_key = 6, .asc_ascq = 0x2a03 });
    CU_ASSERT_EQUAL(run(&rig, &op), STO_CONFLICT);
    CU_ASSERT_EQUAL(run(&rig, &op), STO_UNIT_ATTENTION);
    CU_ASSERT_EQUAL(op.result.asc_ascq, 0x2a03);
    CU_ASSERT_EQUAL(run(&rig, &op), STO_OK);
    fake_block_answer(&rig.fake, (struct fake_answer) { .opcode = STO_PR_OPCODE_IN,
                                                        .times = 1,
                                                        .data = { 0, 0, 0, 7 },
                                                        .data_bytes = 8 });
    op = (struct sto_op) {
        .kind = STO_OP_SCSI, .iov = &iov, .iov_count = 1, .direction = STO_DIRECTION_IN
    };
    op.cdb_bytes = sto_pr_in_cdb(STO_PR_READ_KEYS, sizeof(keys), op.cdb);
    CU_ASSERT_EQUAL(run(&rig, &op), STO_OK);
    CU_ASSERT_EQUAL(op.result.transferred_bytes, 8);
    CU_ASSERT_EQUAL(keys[3], 7);
    finish(&rig);
}

static void not_logged_in(void)
{
    struct sto_op op = test_unit(0);
    struct rig rig;

    if (!begin(&rig))
        return;
    sto_lun_drop(rig.lun, STO_SESSION_CONTROL);
    CU_ASSERT_EQUAL(run(&rig, &op), STO_NOT_SENT);
    op.session = STO_SESSION_DATA;
    CU_ASSERT_EQUAL(run(&rig, &op), STO_OK);
    CU_ASSERT_EQUAL(login(&rig, STO_SESSION_CONTROL), STO_OK);
    CU_ASSERT_EQUAL(rig.fake.opens, 1);
    sto_lun_drop(rig.lun, STO_SESSION_CONTROL);
    sto_lun_drop(rig.lun, STO_SESSION_DATA);
    fake_block_answer(&rig.fake, (struct fake_answer) { .opcode = STO_PR_OPCODE_IN,
                                                        .times = 1,
                                                        .data = { 0, 8, 1 },
                                                        .data_bytes = 8 });
    CU_ASSERT_EQUAL(login(&rig, STO_SESSION_CONTROL), STO_OK);
    CU_ASSERT_EQUAL(rig.fake.opens, 2);
    CU_ASSERT_EQUAL(rig.fake.logins, 1); /* the session was kept */
    finish(&rig);
}

static void logs_out(void)
{
    struct sto_op op = { .kind = STO_OP_LOGOUT, .session = STO_SESSION_CONTROL };
    struct rig rig;

    if (!begin(&rig))
        return;
    CU_ASSERT_EQUAL(run(&rig, &op), STO_OK);
    CU_ASSERT_EQUAL(rig.fake.logouts, 0);
    op.session = STO_SESSION_DATA;
    CU_ASSERT_EQUAL(run(&rig, &op), STO_OK);
    CU_ASSERT_EQUAL(rig.fake.logouts, 1);
    CU_ASSERT_EQUAL(rig.downs, 0);
    finish(&rig);
}

static void device_lost(void)
{
    struct sto_op op = test_unit(0);
    struct rig rig;

    if (!begin(&rig))
        return;
    fake_block_answer(&rig.fake, (struct fake_answer) { .times = 1, .rc = -ENODEV });
    CU_ASSERT_EQUAL(run(&rig, &op), STO_UNKNOWN);
    CU_ASSERT_EQUAL(rig.downs, 2);
    CU_ASSERT_EQUAL(run(&rig, &op), STO_NOT_SENT);
    CU_ASSERT_EQUAL(rig.downs, 2);
    finish(&rig);
}

/* A command that hangs ends as unknown; the one behind it goes on in another thread. */
static void hangs(void)
{
    struct sto_op stuck = test_unit(SHORT_MS), behind = test_unit(LONG_MS);
    struct rig rig;

    if (!begin(&rig))
        return;
    fake_block_answer(&rig.fake, (struct fake_answer) { .times = 1, .hang = true });
    CU_ASSERT_EQUAL(run(&rig, &stuck), STO_UNKNOWN);
    CU_ASSERT_EQUAL(run(&rig, &behind), STO_OK);
    fake_block_let_go(&rig.fake);
    CU_ASSERT_EQUAL(run(&rig, &behind), STO_OK);
    finish(&rig);
}

struct counted {
    unsigned ended;
    enum sto_rc rc;
};

static void count_done(struct sto_op *op)
{
    struct counted *counted = op->context;

    counted->ended++;
    counted->rc = op->result.rc;
}

static struct sto_op counted_op(struct sto_op op, struct counted *counted)
{
    op.done = count_done;
    op.context = counted;
    return op;
}

/* What waits behind a hanging command was never sent. */
static void waits_behind(void)
{
    struct counted stuck = { 0 }, unsent = { 0 };
    struct sto_op first = counted_op(test_unit(LONG_MS), &stuck);
    struct sto_op second = counted_op(test_unit(SHORT_MS), &unsent);
    struct rig rig;

    if (!begin(&rig))
        return;
    fake_block_answer(&rig.fake, (struct fake_answer) { .times = 1, .hang = true });
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(rig.lun, &first), 0);
    fake_block_wait_hung(&rig.fake);
    CU_ASSERT_EQUAL(run(&rig, &second), STO_NOT_SENT);
    CU_ASSERT_EQUAL(stuck.ended, 0);
    sto_lun_close(rig.lun); /* while it still hangs: nothing is waited for */
    CU_ASSERT_EQUAL(stuck.ended, 1);
    CU_ASSERT_EQUAL(stuck.rc, STO_UNKNOWN);
    fake_block_let_go(&rig.fake);
    fake_block_end(&rig.fake);
}

static void barrier(void)
{
    struct sto_op op = { .kind = STO_OP_LUN_RESET };
    struct rig rig;
    char text[64];

    if (!begin(&rig))
        return;
    CU_ASSERT_EQUAL(run(&rig, &op), STO_OK);
    CU_ASSERT_EQUAL(op.result.tmf_response, 0);
    CU_ASSERT_EQUAL(rig.fake.resets, 1);
    rig.fake.size_bytes = 0;
    CU_ASSERT_EQUAL(run(&rig, &op), STO_OK);
    CU_ASSERT_STRING_EQUAL(fake_sysfs_get(&rig.fake.files, "devices/sda/device/rescan", text), "1");
    rig.fake.reset_rc = -EIO;
    CU_ASSERT_EQUAL(run(&rig, &op), STO_UNKNOWN);
    CU_ASSERT_NOT_EQUAL(op.result.tmf_response, 0);
    finish(&rig);
}

/* The target's answer is not enough: what the kernel held before must have ended. The device is a
 * pipe, so that a read stays in the kernel until something is written. */
static void barrier_drains(void)
{
    _Alignas(BLOCK) static char in[BLOCK];
    struct iovec iov = { in, sizeof(in) };
    struct counted older = { 0 };
    struct sto_op read_op = { .kind = STO_OP_READ, .iov = &iov, .iov_count = 1 };
    struct sto_op reset = { .kind = STO_OP_LUN_RESET, .timeout_ms = SHORT_MS };
    struct rig rig;
    int ends[2];

    if (!begin(&rig))
        return;
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(dup2(ends[0], rig.block->login.fd), rig.block->login.fd);
    read_op = counted_op(read_op, &older);
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(rig.lun, &read_op), 0);
    CU_ASSERT_EQUAL(run(&rig, &reset), STO_UNKNOWN);
    CU_ASSERT_NOT_EQUAL(reset.result.tmf_response, 0);
    CU_ASSERT_EQUAL(rig.fake.resets, 1); /* the target had answered */
    CU_ASSERT_EQUAL(older.ended, 0);
    CU_ASSERT_EQUAL(write(ends[1], in, 1), 1);
    reset.timeout_ms = LONG_MS;
    CU_ASSERT_EQUAL(run(&rig, &reset), STO_OK);
    CU_ASSERT_EQUAL(older.ended, 1);
    finish(&rig);
    close(ends[0]);
    close(ends[1]);
}

static void dropped(void)
{
    _Alignas(BLOCK) static char in[BLOCK];
    struct iovec iov = { in, sizeof(in) };
    struct counted data = { 0 }, control = { 0 };
    struct sto_op read_op =
        counted_op((struct sto_op) { .kind = STO_OP_READ, .iov = &iov, .iov_count = 1 }, &data);
    struct sto_op unit = counted_op(test_unit(0), &control);
    struct rig rig;
    int ends[2];

    if (!begin(&rig))
        return;
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(dup2(ends[0], rig.block->login.fd), rig.block->login.fd);
    fake_block_answer(&rig.fake, (struct fake_answer) { .times = 1, .hang = true });
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(rig.lun, &read_op), 0);
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(rig.lun, &unit), 0);
    fake_block_wait_hung(&rig.fake);
    sto_lun_drop(rig.lun, STO_SESSION_DATA);
    sto_lun_service(rig.lun, 0);
    CU_ASSERT_EQUAL(data.ended, 1);
    CU_ASSERT_EQUAL(data.rc, STO_UNKNOWN);
    CU_ASSERT_EQUAL(control.ended, 0);
    sto_lun_drop(rig.lun, STO_SESSION_CONTROL);
    sto_lun_service(rig.lun, 0);
    CU_ASSERT_EQUAL(control.ended, 1);
    CU_ASSERT_EQUAL(control.rc, STO_UNKNOWN);
    CU_ASSERT_EQUAL(sto_lun_in_flight(rig.lun), 0);
    fake_block_let_go(&rig.fake);
    CU_ASSERT_EQUAL(write(ends[1], in, 1), 1);
    finish(&rig);
    close(ends[0]);
    close(ends[1]);
}

static void refused(void)
{
    char path[128];
    struct hw_error error = { 0 };
    struct rig rig = { 0 };

    CU_ASSERT_FATAL(fake_block_begin(&rig.fake));
    snprintf(path, sizeof(path), "%s/sda", rig.fake.files.dev);
    fake_sysfs_put(&rig.fake.files, "devices/sda/dm/uuid", "mpath-3600\n");
    CU_ASSERT_EQUAL(open_lun(&rig, path, &error), -ENOTSUP);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "dm-multipath"));
    hw_error_clear(&error);
    rig.fake.number_rc = -ENOTBLK;
    CU_ASSERT_EQUAL(open_lun(&rig, path, &error), -ENOTBLK);
    hw_error_clear(&error);
    rig.fake.number_rc = 0;
    CU_ASSERT_EQUAL(open_lun(&rig, FAKE_BLOCK_NAME "-part1", &error), -EINVAL);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_USAGE);
    fake_block_end(&rig.fake);
}

static void login_fails(void)
{
    struct rig rig = { 0 };

    CU_ASSERT_FATAL(fake_block_begin(&rig.fake));
    CU_ASSERT_EQUAL_FATAL(open_lun(&rig, FAKE_BLOCK_NAME, NULL), 0);
    rig.fake.login_status = 24;
    CU_ASSERT_EQUAL(login(&rig, STO_SESSION_DATA), STO_LOGIN_REFUSED);
    rig.fake.login_status = 8;
    CU_ASSERT_EQUAL(login(&rig, STO_SESSION_DATA), STO_NOT_SENT);
    CU_ASSERT_EQUAL(rig.downs, 0);
    finish(&rig);
}

/* Open, log in, read, ask, reset: the n-th allocation fails, and everything ends cleanly. */
static int whole_way(struct rig *rig)
{
    _Alignas(BLOCK) static char in[BLOCK];
    struct iovec iov = { in, sizeof(in) };
    struct sto_op ops[] = { { .kind = STO_OP_LOGIN, .session = STO_SESSION_DATA },
                            { .kind = STO_OP_LOGIN, .session = STO_SESSION_CONTROL },
                            { .kind = STO_OP_READ, .iov = &iov, .iov_count = 1 },
                            test_unit(0),
                            { .kind = STO_OP_LUN_RESET },
                            { .kind = STO_OP_LOGOUT, .session = STO_SESSION_CONTROL },
                            { .kind = STO_OP_LOGOUT, .session = STO_SESSION_DATA } };
    int rc = open_lun(rig, FAKE_BLOCK_NAME, NULL);

    for (size_t at = 0; at < sizeof(ops) / sizeof(ops[0]) && rc == 0; at++) {
        ops[at].timeout_ms = LONG_MS;
        rc = sto_run_op(rig->lun, &ops[at]);
        if (rc == 0 && ops[at].result.rc != STO_OK)
            rc = -EIO;
    }
    return rc;
}

static void no_memory(void)
{
    for (unsigned n = 0;; n++) {
        struct rig rig = { 0 };
        int rc;

        CU_ASSERT_FATAL(fake_block_begin(&rig.fake));
        fail_alloc_arm(n);
        rc = whole_way(&rig);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            finish(&rig);
            break;
        }
        CU_ASSERT_TRUE(rc < 0);
        if (rig.lun)
            finish(&rig);
        else
            fake_block_end(&rig.fake);
        CU_ASSERT_FATAL(n < MANY);
    }
}

const struct unit_case unit_cases[] = { { "data goes out and comes back", reads_and_writes },
                                        { "a durable write is a SCSI command", durable_write },
                                        { "flush, discard, zeroes", other_commands },
                                        { "conflicts, unit attentions and data", answers },
                                        { "sessions go down and up", not_logged_in },
                                        { "logout after the second session", logs_out },
                                        { "a device that is gone", device_lost },
                                        { "a command that hangs", hangs },
                                        { "a command behind one that hangs", waits_behind },
                                        { "the barrier", barrier },
                                        { "the barrier waits for older requests", barrier_drains },
                                        { "dropped sessions end their operations", dropped },
                                        { "refused devices", refused },
                                        { "logins that fail", login_fails },
                                        { "without memory", no_memory },
                                        { 0 } };
