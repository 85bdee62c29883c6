/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_bulk over a file: every place is moved once, at each depth; the first failure ends
 * it with its words and nothing in flight. And through the gate of an owner over the model target,
 * on a clock that goes on as it is serviced: a target that is gone for good is no reason to wait
 * for ever.
 */
#include <config.h>

#include "storage/sto_bulk.h"

#include "storage/sto_lun_priv.h"
#include "storage/sto_model_lun.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/lun_file.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

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

/* An aborted command is tried again, a few times. */
static void tries_aborted_commands_again(void)
{
    struct work work = { 0 };
    struct hw_error error = { 0 };

    lun_file_make(&file);
    lun_file_start(&file, "?fault=abort:write:2-4", NULL);
    CU_ASSERT_EQUAL(run(&work, true, 1, NULL, &error), 0);
    CU_ASSERT_EQUAL(work.told_bytes, TOTAL_BYTES);
    lun_file_end(&file);

    work = (struct work) { 0 };
    lun_file_make(&file);
    lun_file_start(&file, "?fault=abort:write:2-", NULL);
    CU_ASSERT_EQUAL(run(&work, true, 1, NULL, &error), -EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "aborted"));
    lun_file_end(&file);
}

/* --- through an owner's gate --- */

enum { MODEL_BLOCKS = 64, MODEL_PLACES = 24, STALL_MS = 2000, STEP_NS = 2000000 };

static struct {
    int64_t now_ns;
    struct hw_clock clock;
    struct hw_prng prng;
    struct sto_model *model;
    struct sto_model_net *net;
    struct sto_lun *lun;
    struct sto_lun_ops ops;
    const struct sto_lun_ops *model_ops;
    unsigned asked, cut_at;
    int fail_with, fd;
} m;

static int64_t model_now(void *context)
{
    (void)context;
    return m.now_ns;
}

static int64_t model_takes(void *context, const uint8_t cdb[16], bool reset)
{
    (void)context, (void)cdb, (void)reset;
    return 0;
}

static void model_service(struct sto_lun *lun, short revents)
{
    m.now_ns += STEP_NS;
    sto_model_net_advance(m.net);
    m.model_ops->service(lun, revents);
}

/* Always readable: nobody waits for real. */
static int model_fd(const struct sto_lun *lun)
{
    (void)lun;
    return m.fd;
}

static short model_events(const struct sto_lun *lun)
{
    (void)lun;
    return POLLIN;
}

static bool model_next(void *context, uint64_t *offset_bytes, size_t *bytes)
{
    (void)context;
    if (m.asked == m.cut_at)
        sto_model_lun_cut(m.lun, true);
    if (m.asked == MODEL_PLACES)
        return false;
    *offset_bytes = (uint64_t)(m.asked++ % (MODEL_BLOCKS / 8)) * 4096;
    *bytes = 4096;
    return true;
}

static int model_supply(void *context, uint64_t offset_bytes, void *data, size_t bytes,
                        struct hw_error *error)
{
    (void)context, (void)offset_bytes;
    memset(data, 1, bytes);
    if (m.fail_with != 0 && m.asked > m.cut_at)
        return hw_error_set(error, HW_ERROR_FAILED, m.fail_with, "image", "is gone", "");
    return 0;
}

static bool is_owned(const struct sto_owner *owner)
{
    return sto_own_state(sto_owner_machine(owner)) == STO_OWN_OWNED;
}

/* Write MODEL_PLACES places as the LUN's owner; from the `cut_at`-th on the target is away. */
static int write_owned(unsigned cut_at, int fail_with, struct hw_error *error)
{
    struct sto_model_config config = { .blocks = MODEL_BLOCKS };
    struct sto_model_net_config net = { .takes_ns = model_takes, .latency_ns = 1000 };
    const struct sto_owner_config owner_config = { .own = { .node = 1, .command_ms = 100 } };
    const struct sto_own_grant grant = { .generation = 1 };
    struct sto_bulk bulk = { .write = true,
                             .depth = 4,
                             .io_bytes = 4096,
                             .verb = "write",
                             .stall_ms = STALL_MS,
                             .next = model_next,
                             .data = model_supply };
    int rc;

    memset(&m, 0, sizeof(m));
    m.now_ns = 1000000;
    m.cut_at = cut_at;
    m.fail_with = fail_with;
    m.clock = (struct hw_clock) { .now_ns = model_now };
    m.prng = hw_prng_seeded(1);
    m.model = sto_model_new(&config);
    net.model = m.model;
    net.clock = &m.clock;
    net.prng = &m.prng;
    m.net = sto_model_net_new(&net);
    m.lun = sto_model_lun_new(m.net, 1);
    CU_ASSERT_TRUE_FATAL(m.model != NULL && m.net != NULL && m.lun != NULL);
    m.model_ops = m.lun->ops;
    m.ops = *m.lun->ops;
    m.ops.service = model_service;
    m.ops.fd = model_fd;
    m.ops.events = model_events;
    m.fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    m.lun->ops = &m.ops;
    CU_ASSERT_EQUAL_FATAL(sto_owner_new(m.lun, &owner_config, NULL, &bulk.owner), 0);
    bulk.lun = m.lun;
    CU_ASSERT_EQUAL(sto_owner_start(bulk.owner, &grant), 0);
    for (unsigned i = 0; i < 1000 && !is_owned(bulk.owner); i++)
        sto_owner_service(bulk.owner, 0);
    CU_ASSERT_TRUE_FATAL(is_owned(bulk.owner));
    rc = sto_bulk_run(&bulk, NULL, error);
    CU_ASSERT_EQUAL(sto_owner_gate_stats(bulk.owner).flying, 0);
    CU_ASSERT_EQUAL(sto_owner_gate_stats(bulk.owner).waiting, 0);
    sto_owner_free(bulk.owner);
    sto_model_net_free(m.net);
    sto_model_free(m.model);
    close(m.fd);
    return rc;
}

static void does_not_wait_for_ever(void)
{
    struct hw_error error = { 0 };

    CU_ASSERT_EQUAL(write_owned(MODEL_PLACES + 1, 0, &error), 0);
    CU_ASSERT_EQUAL(write_owned(8, 0, &error), -ETIMEDOUT);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_TIMED_OUT);
    CU_ASSERT_NOT_EQUAL(error.remedy[0], '\0');
    hw_error_clear(&error); /* nor after it failed for another reason, which is told */
    CU_ASSERT_EQUAL(write_owned(8, ENODATA, &error), -ENODATA);
    CU_ASSERT_STRING_EQUAL(error.reason, "is gone");
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
    { "aborted commands are tried again", tries_aborted_commands_again },
    { "an owner whose target is gone", does_not_wait_for_ever },
    { "a failed allocation is told", survives_failed_allocations },
    { 0 },
};
