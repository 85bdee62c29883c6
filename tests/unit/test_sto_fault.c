/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_fault on the file backend: each action's outcome, what it left in the file, and
 * that what no rule is for goes through unchanged.
 */
#include <config.h>

#include "storage/sto_fault.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/lun_file.h"

enum { BYTES = 4096 };

static struct lun_file file;
static unsigned downs;

static void count_down(void *context, enum sto_session session, const char *why)
{
    CU_ASSERT_PTR_EQUAL(context, &downs);
    CU_ASSERT_EQUAL(session, STO_SESSION_DATA);
    CU_ASSERT_NOT_EQUAL(why[0], '\0');
    downs++;
}

static void start(const char *rules)
{
    struct sto_lun_options options = { .io_timeout_ms = 5000, .notify = { count_down, &downs } };

    downs = 0;
    lun_file_make(&file);
    lun_file_start(&file, "?fault=fail:any:9999", &options);
    CU_ASSERT_EQUAL_FATAL(sto_fault_set(file.lun, rules, NULL), 0);
}

static enum sto_rc move(enum sto_op_kind kind, void *data, struct sto_result *ret_result)
{
    return lun_file_move(&file, kind, 0, data, BYTES, ret_result);
}

/* Bytes at the start of the file that are not zero. */
static size_t written(void)
{
    uint8_t raw[BYTES];
    size_t count = 0;
    FILE *stream = fopen(file.path, "re");

    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    CU_ASSERT_EQUAL(fread(raw, 1, sizeof(raw), stream), sizeof(raw));
    fclose(stream);
    while (count < sizeof(raw) && raw[count] != 0)
        count++;
    return count;
}

static uint8_t ones[BYTES];

static void ends_without_doing_it(void)
{
    static const struct {
        const char *rule;
        enum sto_rc rc;
    } rows[] = {
        { "fail:write:1", STO_MEDIUM },      { "conflict:write:1", STO_CONFLICT },
        { "busy:write:1", STO_BUSY },        { "readonly:write:1", STO_READ_ONLY },
        { "nospace:write:1", STO_NO_SPACE }, { "ua:write:1:2a03", STO_UNIT_ATTENTION },
        { "abort:write:1", STO_ABORTED },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sto_result result;

        start(rows[i].rule);
        memset(ones, 1, sizeof(ones));
        CU_ASSERT_EQUAL(move(STO_OP_WRITE, ones, &result), rows[i].rc);
        CU_ASSERT_EQUAL(result.sent_ns, 0);
        CU_ASSERT_EQUAL(written(), 0);
        CU_ASSERT_EQUAL(sto_fault_fired(file.lun), 1);
        if (rows[i].rc == STO_UNIT_ATTENTION)
            CU_ASSERT_EQUAL(result.asc_ascq, 0x2a03);
        CU_ASSERT_EQUAL(move(STO_OP_WRITE, ones, &result), STO_OK);
        CU_ASSERT_EQUAL(written(), BYTES);
        CU_ASSERT_EQUAL(downs, 0);
        lun_file_end(&file);
    }
}

static void cuts_a_transfer(void)
{
    struct sto_result result;

    start("short:write:1+torn:write:2:512");
    CU_ASSERT_EQUAL(move(STO_OP_WRITE, ones, &result), STO_SHORT);
    CU_ASSERT_EQUAL(result.transferred_bytes, BYTES / 2);
    CU_ASSERT_EQUAL(written(), BYTES / 2);
    memset(ones, 0, 512); /* so that the torn write shows */
    CU_ASSERT_EQUAL(move(STO_OP_WRITE, ones, &result), STO_UNKNOWN);
    CU_ASSERT_EQUAL(written(), 0);
    CU_ASSERT_EQUAL(downs, 1);
    CU_ASSERT_EQUAL(move(STO_OP_WRITE, ones, &result), STO_NOT_SENT);
    lun_file_end(&file);
    memset(ones, 1, sizeof(ones));
}

static void loses_the_session(void)
{
    struct sto_op login = { .kind = STO_OP_LOGIN };

    start("drop:write:1+dropafter:write:2");
    CU_ASSERT_EQUAL(move(STO_OP_WRITE, ones, NULL), STO_NOT_SENT);
    CU_ASSERT_EQUAL(written(), 0);
    CU_ASSERT_EQUAL(downs, 1);
    CU_ASSERT_EQUAL(lun_file_run(&file, &login), STO_OK);
    CU_ASSERT_EQUAL(move(STO_OP_WRITE, ones, NULL), STO_UNKNOWN);
    CU_ASSERT_EQUAL(written(), BYTES);
    CU_ASSERT_EQUAL(downs, 2);
    CU_ASSERT_EQUAL(lun_file_run(&file, &login), STO_OK);
    CU_ASSERT_EQUAL(move(STO_OP_READ, ones, NULL), STO_OK);
    lun_file_end(&file);
}

static void kills_the_process(void)
{
    static const struct {
        const char *options;
        size_t written;
    } rows[] = { { "?fault=kill:write:2", 0 }, { "?fault=killafter:write:2", BYTES } };
    uint8_t zeroes[BYTES] = { 0 };

    memset(ones, 1, sizeof(ones));
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = 0;
        pid_t child;

        lun_file_make(&file);
        (void)fflush(NULL);
        child = fork();
        if (child == 0) {
            lun_file_start(&file, rows[i].options, NULL);
            if (move(STO_OP_WRITE, zeroes, NULL) == STO_OK)
                (void)move(STO_OP_WRITE, ones, NULL);
            syscall(SYS_exit_group, 99);
        }
        CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
        CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        CU_ASSERT_EQUAL(written(), rows[i].written);
        (void)unlink(file.path);
    }
}

static void is_never_answered(void)
{
    struct iovec iov = { ones, BYTES };
    struct sto_op op = {
        .kind = STO_OP_WRITE, .iov = &iov, .iov_count = 1, .timeout_ms = 30, .done = lun_file_done
    };

    start("hang:write:1+lost:write:2");
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_UNKNOWN);
    CU_ASSERT_TRUE(op.result.done_ns >= op.deadline_ns);
    CU_ASSERT_EQUAL(written(), 0);
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_UNKNOWN);
    CU_ASSERT_TRUE(op.result.done_ns >= op.deadline_ns);
    CU_ASSERT_EQUAL(written(), BYTES); /* executed, only the answer was lost */
    lun_file_end(&file);
}

static void is_late(void)
{
    struct sto_op op = { .kind = STO_OP_FLUSH };
    int64_t before_ns;

    start("delay:flush:*:20ms");
    before_ns = hw_clock_now_ns(sto_lun_clock(file.lun));
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_OK);
    CU_ASSERT_TRUE(op.result.sent_ns - before_ns >= 20000000);
    op.timeout_ms = 1; /* its deadline comes first */
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_UNKNOWN);
    lun_file_end(&file);
}

/* Held ones end with the session and with the LUN, each once. */
static unsigned ended;

static void count_end(struct sto_op *op)
{
    CU_ASSERT_TRUE(op->result.rc == STO_UNKNOWN || op->result.rc == STO_NOT_SENT);
    ended++;
}

static void ends_with_the_session(void)
{
    struct sto_op ops[4];

    start("hang:flush:1-3+delay:flush:4:4s");
    ended = 0;
    for (unsigned i = 0; i < 4; i++) {
        ops[i] = (struct sto_op) { .kind = STO_OP_FLUSH,
                                   .session = i == 0 ? STO_SESSION_CONTROL : STO_SESSION_DATA,
                                   .done = count_end };
        CU_ASSERT_EQUAL(sto_lun_submit(file.lun, &ops[i]), 0);
    }
    sto_lun_drop(file.lun, STO_SESSION_DATA);
    CU_ASSERT_EQUAL(ended, 0);
    sto_lun_service(file.lun, 0);
    CU_ASSERT_EQUAL(ended, 3);
    lun_file_end(&file);
    CU_ASSERT_EQUAL(ended, 4);
}

static void without_memory(void)
{
    for (unsigned n = 0;; n++) {
        struct iovec iov = { ones, BYTES };
        struct sto_op op = {
            .kind = STO_OP_WRITE, .iov = &iov, .iov_count = 1, .done = lun_file_done
        };
        int rc;

        start("short:write:1");
        fail_alloc_arm(n);
        rc = sto_run_op(file.lun, &op);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT_EQUAL(op.result.rc, STO_SHORT);
            lun_file_end(&file);
            break;
        }
        CU_ASSERT_TRUE(rc == -ENOMEM || op.result.rc == STO_NOT_SENT);
        CU_ASSERT_EQUAL(sto_lun_in_flight(file.lun), 0);
        lun_file_end(&file);
    }
}

static void only_fault_luns_take_rules(void)
{
    struct hw_error error = { 0 };

    lun_file_make(&file);
    CU_ASSERT_EQUAL(lun_file_open(&file, "?fault=nonsense", NULL), -EINVAL);
    lun_file_start(&file, "", NULL);
    CU_ASSERT_EQUAL(sto_fault_set(file.lun, "", &error), -ENOTTY);
    CU_ASSERT_EQUAL(sto_fault_fired(file.lun), 0);
    CU_ASSERT_EQUAL(sto_fault_wrap(file.lun, "x", &file.lun, &error), -EINVAL);
    CU_ASSERT_EQUAL(sto_fault_wrap(file.lun, "", &file.lun, &error), 0);
    CU_ASSERT_EQUAL(sto_fault_set(file.lun, "bad", NULL), -EINVAL);
    CU_ASSERT_EQUAL(sto_fault_set(file.lun, "fail:read:1", NULL), 0);
    CU_ASSERT_EQUAL(move(STO_OP_READ, ones, NULL), STO_MEDIUM);
    CU_ASSERT_EQUAL(move(STO_OP_READ, ones, NULL), STO_OK);
    lun_file_end(&file);
}

const struct unit_case unit_cases[] = {
    { "outcomes without execution", ends_without_doing_it },
    { "short and torn transfers", cuts_a_transfer },
    { "the session is lost before and after", loses_the_session },
    { "the process is killed before and after", kills_the_process },
    { "no answer, not executed or executed", is_never_answered },
    { "delays", is_late },
    { "held operations end with session and LUN", ends_with_the_session },
    { "without memory", without_memory },
    { "rules from URL and program", only_fault_luns_take_rules },
    { 0 },
};
