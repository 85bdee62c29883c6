/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_bulk over a file: every place is moved once, at each depth; the first failure ends
 * it with its words and nothing in flight.
 */
#include <config.h>

#include "storage/sto_bulk.h"

#include "tests/unit/fail_alloc.h"
#include "tests/unit/lun_file.h"
#include "tests/unit/unit.h"

#include <errno.h>

enum { IO_BYTES = 8192, TAIL_BYTES = 4096 };
enum { TOTAL_BYTES = LUN_FILE_BYTES - TAIL_BYTES }; /* not a multiple of IO_BYTES */

static struct lun_file file;

struct work {
    uint64_t at;
    unsigned judged, wrong;
    int fail_with;
    uint64_t told_bytes;
};

static bool next(void *context, uint64_t *offset_bytes, size_t *bytes)
{
    struct work *work = context;

    if (work->at >= TOTAL_BYTES)
        return false;
    if (TOTAL_BYTES - work->at < *bytes)
        *bytes = (size_t)(TOTAL_BYTES - work->at);
    *offset_bytes = work->at;
    work->at += *bytes;
    return true;
}

static int supply(void *context, uint64_t offset_bytes, void *data, size_t bytes,
                  struct hw_error *error)
{
    struct work *work = context;

    memset(data, (int)(offset_bytes / IO_BYTES % 251 + 1), bytes);
    if (work->fail_with != 0 && offset_bytes > TOTAL_BYTES / 2)
        return hw_error_set(error, HW_ERROR_FAILED, work->fail_with, "image", "is gone", "");
    return 0;
}

static int judge(void *context, uint64_t offset_bytes, void *data, size_t bytes,
                 struct hw_error *error)
{
    struct work *work = context;
    const uint8_t *got = data;

    (void)error;
    work->judged++;
    for (size_t i = 0; i < bytes; i++)
        work->wrong += got[i] != offset_bytes / IO_BYTES % 251 + 1;
    return 0;
}

static void told(void *context, uint64_t done_bytes)
{
    struct work *work = context;

    CU_ASSERT(done_bytes > work->told_bytes);
    work->told_bytes = done_bytes;
}

static int run(struct work *work, bool write, unsigned depth, struct sto_bulk_stats *stats,
               struct hw_error *error)
{
    const struct sto_bulk bulk = { .lun = file.lun,
                                   .write = write,
                                   .depth = depth,
                                   .io_bytes = IO_BYTES,
                                   .verb = write ? "write" : "read",
                                   .next = next,
                                   .data = write ? supply : judge,
                                   .progress = told,
                                   .context = work };

    return sto_bulk_run(&bulk, stats, error);
}

static void moves_all_at_each_depth(void)
{
    static const unsigned depths[] = { 1, 2, 7, 64, STO_BULK_DEPTH_MAX };

    for (unsigned i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        struct work write = { 0 }, read = { 0 };
        struct sto_bulk_stats stats = { 0 };

        lun_file_make(&file);
        lun_file_start(&file, "", NULL);
        CU_ASSERT_EQUAL(run(&write, true, depths[i], &stats, NULL), 0);
        CU_ASSERT_EQUAL(stats.bytes, TOTAL_BYTES);
        CU_ASSERT_EQUAL(write.told_bytes, TOTAL_BYTES);
        CU_ASSERT_EQUAL(run(&read, false, depths[i], &stats, NULL), 0);
        CU_ASSERT_EQUAL(stats.operations, read.judged);
        CU_ASSERT_EQUAL(read.wrong, 0);
        CU_ASSERT(stats.last_ns >= stats.first_ns);
        lun_file_end(&file);
    }
}

static void refuses_wrong_shapes(void)
{
    struct work work = { 0 };

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    CU_ASSERT_EQUAL(run(&work, true, 0, NULL, NULL), -EINVAL);
    CU_ASSERT_EQUAL(run(&work, true, STO_BULK_DEPTH_MAX + 1, NULL, NULL), -EINVAL);
    CU_ASSERT_EQUAL(work.at, 0);
    lun_file_end(&file);
}

static void ends_with_the_callers_failure(void)
{
    struct work work = { .fail_with = ENODATA };
    struct hw_error error = { 0 };

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    CU_ASSERT_EQUAL(run(&work, true, 8, NULL, &error), -ENODATA);
    CU_ASSERT_STRING_EQUAL(error.reason, "is gone");
    CU_ASSERT_EQUAL(sto_lun_in_flight(file.lun), 0);
    CU_ASSERT(work.at < TOTAL_BYTES);
    lun_file_end(&file);
}

static void ends_with_the_luns_failure(void)
{
    const struct sto_lun_options read_only = { .read_only = true };
    struct work work = { 0 };
    struct hw_error error = { 0 };

    lun_file_make(&file);
    lun_file_start(&file, "", &read_only);
    CU_ASSERT_EQUAL(run(&work, true, 8, NULL, &error), -EROFS);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    lun_file_end(&file);
}

static void survives_failed_allocations(void)
{
    unsigned failures = 0;

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    for (unsigned n = 0;; n++) {
        struct work work = { 0 };
        int rc;

        fail_alloc_arm(n);
        rc = run(&work, true, 4, NULL, NULL);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT(rc < 0);
        CU_ASSERT_EQUAL(sto_lun_in_flight(file.lun), 0);
        failures++;
    }
    CU_ASSERT(failures >= 2);
    lun_file_end(&file);
}

const struct unit_case unit_cases[] = {
    { "every place is moved once at each depth", moves_all_at_each_depth },
    { "impossible shapes are refused", refuses_wrong_shapes },
    { "the caller's failure ends it", ends_with_the_callers_failure },
    { "the LUN's failure ends it", ends_with_the_luns_failure },
    { "a failed allocation is told", survives_failed_allocations },
    { 0 },
};
