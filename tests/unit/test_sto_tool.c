/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_tool over a file: bytes, layout and meta go there and back, ends become words with
 * the right kind, and a failed allocation leaves nothing behind.
 */
#include <config.h>

#include "storage/sto_tool.h"

#include "storage/sto_fault.h"
#include "storage/sto_lun_priv.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/lun_file.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define LUN_BYTES (UINT64_C(64) << 20)
#define STATE     (UINT64_C(38) << 20)

static struct lun_file file;
static struct sto_layout layout;

static void open_file(void)
{
    lun_file_make(&file);
    CU_ASSERT_EQUAL_FATAL(truncate(file.path, (off_t)LUN_BYTES), 0);
    lun_file_start(&file, "", NULL);
}

static void lay_out(void)
{
    static struct sto_layout_image image;
    uint8_t guid[STO_GUID_BYTES] = { 1, 2, 3 };

    CU_ASSERT_EQUAL_FATAL(sto_layout_plan("lun", LUN_BYTES, 512, STATE, guid, &layout, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sto_layout_write("lun", &layout, &image, NULL), 0);
    CU_ASSERT_EQUAL(sto_tool_write(file.lun, 0, image.head, sizeof(image.head), NULL), 0);
    CU_ASSERT_EQUAL(
        sto_tool_write(file.lun, image.tail_offset_bytes, image.tail, sizeof(image.tail), NULL), 0);
    CU_ASSERT_EQUAL(sto_tool_flush(file.lun, NULL), 0);
}

static void moves_more_than_one_piece(void)
{
    const size_t bytes = (size_t)3 << 20;
    uint8_t *wrote = malloc(bytes), *got = malloc(bytes);

    CU_ASSERT_FATAL(wrote != NULL && got != NULL);
    for (size_t i = 0; i < bytes; i++)
        wrote[i] = (uint8_t)(i * 7 + i / 4099);
    open_file();
    CU_ASSERT_EQUAL(sto_tool_write(file.lun, 4096, wrote, bytes, NULL), 0);
    CU_ASSERT_EQUAL(sto_tool_read(file.lun, 4096, got, bytes, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(wrote, got, bytes), 0);
    lun_file_end(&file);
    free(wrote);
    free(got);
}

static void reads_layout_and_meta(void)
{
    struct sto_meta meta = { .max_memory_bytes = 1 << 24, .max_cpus = 2, .sequence = 1 };
    struct sto_record record = { .state = STO_RECORD_FREE, .sequence = 1 };
    struct sto_tool_meta found;
    struct sto_layout read;
    struct hw_error error = { 0 };

    open_file();
    CU_ASSERT_EQUAL(sto_tool_read_layout(file.lun, &read, &error), -ENOENT);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    lay_out();
    CU_ASSERT_EQUAL_FATAL(sto_tool_read_layout(file.lun, &read, NULL), 0);
    CU_ASSERT_EQUAL(read.disk.size_bytes, layout.disk.size_bytes);
    CU_ASSERT_EQUAL(sto_tool_read_meta(file.lun, &read, &found, NULL), 0);
    CU_ASSERT_EQUAL(found.meta_rc, -ENOENT);
    CU_ASSERT_EQUAL(found.record_rc, -ENOENT);
    CU_ASSERT_EQUAL(sto_tool_write_meta(file.lun, &read, &meta, NULL), 0);
    CU_ASSERT_EQUAL(sto_tool_write_first_record(file.lun, &read, &record, NULL), 0);
    CU_ASSERT_EQUAL(sto_tool_read_meta(file.lun, &read, &found, NULL), 0);
    CU_ASSERT(found.meta_rc == 0 && !found.meta_damaged && found.meta.max_cpus == 2);
    CU_ASSERT(found.record_rc == 0 && !found.record_damaged &&
              found.record.state == STO_RECORD_FREE);
    CU_ASSERT_EQUAL(found.history_count, 0);
    lun_file_end(&file);
}

static void reads_both_edges(void)
{
    struct sto_edge head, tail;
    uint8_t mark[512];

    memset(mark, 0x77, sizeof(mark));
    open_file();
    CU_ASSERT_EQUAL(sto_tool_write(file.lun, LUN_BYTES - 512, mark, sizeof(mark), NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sto_tool_read_edges(file.lun, 12 * 1024, &head, &tail, NULL), 0);
    CU_ASSERT(head.bytes == 12 * 1024 && tail.bytes == 12 * 1024);
    CU_ASSERT_EQUAL(tail.offset_bytes, LUN_BYTES - 12 * 1024);
    CU_ASSERT_EQUAL(tail.data[12 * 1024 - 1], 0x77);
    free((void *)(uintptr_t)head.data);
    lun_file_end(&file);
}

static void has_no_reservations_on_a_file(void)
{
    struct sto_pr_reservation held;
    struct sto_pr_keys keys;
    struct hw_error error = { 0 };

    open_file();
    CU_ASSERT_EQUAL(sto_tool_read_keys(file.lun, &keys, &error), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_EQUAL(sto_tool_read_reservation(file.lun, &held, NULL), -EOPNOTSUPP);
    lun_file_end(&file);
}

static void says_ends_in_words(void)
{
    static const struct {
        enum sto_rc rc;
        enum hw_error_kind kind;
        int code;
        const char *words;
    } ends[] = {
        { STO_CONFLICT, HW_ERROR_REFUSED, EBADE, "reserved by another node" },
        { STO_READ_ONLY, HW_ERROR_REFUSED, EROFS, "read-only" },
        { STO_NO_SPACE, HW_ERROR_FAILED, ENOSPC, "the file system has no space left" },
        { STO_UNSUPPORTED, HW_ERROR_FAILED, EOPNOTSUPP, "does not know" },
        { STO_UNKNOWN, HW_ERROR_TIMED_OUT, ETIMEDOUT, "may or may not" },
        { STO_MEDIUM, HW_ERROR_FAILED, EIO, "cannot test: medium-error" },
        { STO_NOT_SENT, HW_ERROR_FAILED, EIO, "not-sent" },
    };

    open_file();
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const struct sto_result result = { .rc = ends[i].rc };
        struct hw_error error = { 0 };

        CU_ASSERT_EQUAL(sto_tool_fail(file.lun, "test", &result, &error), -ends[i].code);
        CU_ASSERT_EQUAL(error.kind, ends[i].kind);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, ends[i].words));
    }
    lun_file_end(&file);
}

static void refuses_outside_and_read_only(void)
{
    const struct sto_lun_options read_only = { .read_only = true };
    struct hw_error error = { 0 };
    uint8_t sector[512] = { 0 };

    open_file();
    CU_ASSERT_EQUAL(sto_tool_read(file.lun, LUN_BYTES, sector, 512, &error), -EINVAL);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_FAILED);
    sto_lun_close(file.lun);
    lun_file_start(&file, "", &read_only);
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(sto_tool_write(file.lun, 0, sector, 512, &error), -EROFS);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    lun_file_end(&file);
}

/* What a target aborts is tried again, a few times; what changes more than data is not. */
static void tries_aborted_commands_again(void)
{
    uint8_t sector[512] = { 1 };
    struct iovec iov = { sector, 24 };
    struct sto_op out = { .kind = STO_OP_SCSI, .cdb = { 0x5f }, .cdb_bytes = 10 };
    struct hw_error error = { 0 };

    open_file();
    sto_lun_close(file.lun);
    lun_file_start(&file, "?fault=abort:write:1-4+abort:flush:1-4+abort:read:1-4", NULL);
    CU_ASSERT_EQUAL(sto_tool_write(file.lun, 0, sector, 512, NULL), 0);
    CU_ASSERT_EQUAL(sto_tool_flush(file.lun, NULL), 0);
    CU_ASSERT_EQUAL(sto_tool_read(file.lun, 0, sector, 512, NULL), 0);
    CU_ASSERT_EQUAL(sto_fault_fired(file.lun), 12);
    CU_ASSERT_EQUAL(sto_fault_set(file.lun, "abort:read:1-+abort:scsi:1-", NULL), 0);
    CU_ASSERT_EQUAL(sto_tool_read(file.lun, 0, sector, 512, &error), -EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "aborted"));
    CU_ASSERT_EQUAL(sto_fault_fired(file.lun), 12 + STO_ABORTS_MAX);
    out.direction = STO_DIRECTION_OUT;
    out.iov = &iov;
    out.iov_count = 1;
    CU_ASSERT_EQUAL(sto_tool_run(file.lun, &out), 0);
    CU_ASSERT_EQUAL(out.result.rc, STO_ABORTED);
    CU_ASSERT_EQUAL(sto_fault_fired(file.lun), 12 + STO_ABORTS_MAX + 1);
    lun_file_end(&file);
}

static void survives_failed_allocations(void)
{
    unsigned failures = 0;

    open_file();
    lay_out();
    for (unsigned n = 0;; n++) {
        struct sto_tool_meta found;
        struct sto_layout read;
        int rc;

        fail_alloc_arm(n);
        rc = sto_tool_read_layout(file.lun, &read, NULL);
        if (rc == 0)
            rc = sto_tool_read_meta(file.lun, &read, &found, NULL);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        failures++;
    }
    CU_ASSERT(failures >= 2);
    lun_file_end(&file);
}

/* --- a target whose answers are shorter than the room for them, and say so --- */

static struct sto_op *asked;

static int terse_submit(struct sto_lun *lun, struct sto_op *op)
{
    (void)lun;
    asked = op;
    return 0;
}

static int terse_fd(const struct sto_lun *lun)
{
    (void)lun;
    return STDERR_FILENO; /* the service comes for whatever it says */
}

static short terse_events(const struct sto_lun *lun)
{
    (void)lun;
    return POLLOUT;
}

static void terse_service(struct sto_lun *lun, short revents)
{
    (void)revents;
    memset(asked->iov[0].iov_base, 0, asked->iov[0].iov_len);
    asked->result.rc = STO_SHORT;
    asked->result.transferred_bytes = 8; /* a generation, and no more (SPC-4 6.15) */
    sto_lun_complete(lun, asked);
}

static void short_answers_are_answers(void)
{
    static const struct sto_lun_ops ops = {
        .submit = terse_submit, .fd = terse_fd, .events = terse_events, .service = terse_service
    };
    char name[] = "terse";
    struct sto_lun lun = { .ops = &ops, .clock = hw_clock_boottime(), .name = name };
    struct sto_pr_reservation held = { .held = true };
    struct sto_pr_keys keys = { .count = 1 };

    CU_ASSERT_EQUAL(sto_tool_read_reservation(&lun, &held, NULL), 0);
    CU_ASSERT_FALSE(held.held);
    CU_ASSERT_EQUAL(sto_tool_read_keys(&lun, &keys, NULL), 0);
    CU_ASSERT_EQUAL(keys.count, 0);
}

const struct unit_case unit_cases[] = {
    { "bytes of several pieces go there and back", moves_more_than_one_piece },
    { "layout and meta are written and read", reads_layout_and_meta },
    { "both edges are read", reads_both_edges },
    { "a file has no reservations", has_no_reservations_on_a_file },
    { "ends become words of the right kind", says_ends_in_words },
    { "places outside and read-only LUNs are refused", refuses_outside_and_read_only },
    { "aborted commands are tried again", tries_aborted_commands_again },
    { "a failed allocation is told", survives_failed_allocations },
    { "an answer shorter than the room for it is one", short_answers_are_answers },
    { 0 },
};
