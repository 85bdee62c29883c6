/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_uring: the look at the lease right before the kernel is told, and what goes out
 * together. The rest of it is tested through a file, in test_sto_file.
 */
#include <config.h>

#include "storage/sto_uring.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include "tests/unit/lun_file.h"

static _Atomic int64_t over_at_ns;
static int64_t time_ns;
static unsigned looks, over_after; /* time passes the deadline at this look at the clock */

static int64_t stepping_now(void *context)
{
    (void)context;
    if (++looks == over_after)
        time_ns = 2;
    return time_ns;
}

/* Submit two writes, one of them leased, with time passing after `after` looks at the clock. True
 * if the lease lasted. */
static bool one_leased_write(struct lun_file *file, unsigned after, bool expires)
{
    static uint8_t data[2][4096] __attribute__((aligned(4096)));
    struct iovec iov[2] = { { data[0], 4096 }, { data[1], 4096 } };
    struct sto_op leased = {
        .kind = STO_OP_WRITE, .flags = STO_LEASED, .iov = &iov[0], .iov_count = 1
    };
    struct sto_op other = {
        .kind = STO_OP_WRITE, .offset_bytes = 4096, .iov = &iov[1], .iov_count = 1
    };
    uint8_t back[8192];
    int fd = open(file->path, O_RDONLY);

    CU_ASSERT_FATAL(fd >= 0);
    memset(data[0], (int)(after % 99) + 1, 4096);
    memset(data[1], (int)(after % 99) + 1, 4096);
    time_ns = 0;
    looks = 0;
    over_after = after;
    over_at_ns = 1;
    if (expires)
        sto_lun_set_expiry(file->lun, 1);
    else
        sto_lun_set_lease(file->lun, &over_at_ns);
    CU_ASSERT_EQUAL(lun_file_run(file, &leased), leased.result.rc);
    over_after = 0;
    CU_ASSERT_EQUAL(lun_file_run(file, &other), STO_OK); /* is not held */
    CU_ASSERT_EQUAL(pread(fd, back, sizeof(back), 0), (ssize_t)sizeof(back));
    CU_ASSERT(leased.result.rc == STO_OK || leased.result.rc == STO_WITHHELD);
    CU_ASSERT_EQUAL(memcmp(back, data[0], 4096) == 0, leased.result.rc == STO_OK);
    CU_ASSERT_EQUAL(memcmp(back + 4096, data[1], 4096), 0);
    sto_lun_set_lease(file->lun, NULL);
    sto_lun_set_expiry(file->lun, INT64_MAX);
    (void)close(fd);
    return leased.result.rc == STO_OK;
}

/* Wherever the deadline passes before the last look, nothing reaches the kernel. */
static void nothing_after_the_lease(void)
{
    static const struct hw_clock clock = { stepping_now, NULL };
    static const struct sto_lun_options options = { .clock = &clock, .io_timeout_ms = UINT32_MAX };

    for (unsigned expires = 0; expires < 2; expires++) {
        struct lun_file file;
        unsigned after = 1;

        lun_file_make(&file);
        lun_file_start(&file, "", &options);
        while (!one_leased_write(&file, after, expires != 0) && after < 100)
            after++;
        CU_ASSERT(after > 1); /* the first look came too late */
        CU_ASSERT(after < 100);
        lun_file_end(&file);
    }
}

/* What is gathered stays here until it is handed over, and ends once. */
static void gathered_goes_out_together(void)
{
    enum { OPS = 8 };
    struct lun_file file;
    struct sto_op ops[OPS];
    uint8_t data[OPS][512], raw[OPS * 512];
    struct iovec iovs[OPS];
    int fd;

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    fd = open(file.path, O_RDONLY);
    CU_ASSERT_FATAL(fd >= 0);
    memset(ops, 0, sizeof(ops));
    sto_lun_gather(file.lun);
    for (unsigned i = 0; i < OPS; i++) {
        memset(data[i], (int)i + 1, sizeof(data[i]));
        iovs[i] = (struct iovec) { data[i], sizeof(data[i]) };
        ops[i].kind = STO_OP_WRITE;
        ops[i].offset_bytes = i * sizeof(data[i]);
        ops[i].iov = &iovs[i];
        ops[i].iov_count = 1;
        ops[i].done = lun_file_done;
        CU_ASSERT_EQUAL_FATAL(sto_lun_submit(file.lun, &ops[i]), 0);
    }
    CU_ASSERT_EQUAL(pread(fd, raw, sizeof(raw), 0), (ssize_t)sizeof(raw));
    for (unsigned i = 0; i < sizeof(raw); i++)
        CU_ASSERT_EQUAL_FATAL(raw[i], 0);
    CU_ASSERT_EQUAL(sto_lun_in_flight(file.lun), OPS);
    sto_lun_hand_over(file.lun);
    while (sto_lun_in_flight(file.lun) > 0) {
        struct pollfd poll_fd = { .fd = sto_lun_fd(file.lun), .events = POLLIN };

        CU_ASSERT_EQUAL_FATAL(poll(&poll_fd, 1, 10000), 1);
        sto_lun_service(file.lun, poll_fd.revents);
    }
    CU_ASSERT_EQUAL(pread(fd, raw, sizeof(raw), 0), (ssize_t)sizeof(raw));
    for (unsigned i = 0; i < OPS; i++) {
        CU_ASSERT_EQUAL(ops[i].result.rc, STO_OK);
        CU_ASSERT_EQUAL(memcmp(raw + i * 512, data[i], 512), 0);
    }
    /* and alone again: nothing waits for a hand-over */
    CU_ASSERT_EQUAL(lun_file_move(&file, STO_OP_READ, 0, raw, 512, NULL), STO_OK);
    sto_lun_gather(file.lun);
    sto_lun_hand_over(file.lun); /* of nothing */
    close(fd);
    lun_file_end(&file);
}

/* Of a file in memory, threads of the kernel read large pieces at once: each gets its own. */
static void large_reads_at_once(void)
{
    enum { READS = 4, READ_BYTES = 256 * 1024 };
    static uint8_t data[READS][READ_BYTES] __attribute__((aligned(4096)));
    static uint8_t want[READ_BYTES];
    const int fd = memfd_create("unit", MFD_CLOEXEC);
    struct lun_file file;
    struct sto_op ops[READS];
    struct iovec iovs[READS];

    CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, READS * READ_BYTES) == 0);
    (void)snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", fd);
    lun_file_start(&file, "", NULL);
    memset(ops, 0, sizeof(ops));
    for (unsigned i = 0; i < READS; i++) {
        memset(want, (int)i + 1, sizeof(want));
        CU_ASSERT_EQUAL(pwrite(fd, want, sizeof(want), i * READ_BYTES), READ_BYTES);
        iovs[i] = (struct iovec) { data[i], READ_BYTES };
        ops[i] = (struct sto_op) { .kind = STO_OP_READ,
                                   .offset_bytes = i * READ_BYTES,
                                   .iov = &iovs[i],
                                   .iov_count = 1,
                                   .done = lun_file_done };
    }
    for (unsigned i = 0; i < READS; i++)
        CU_ASSERT_EQUAL_FATAL(sto_lun_submit(file.lun, &ops[i]), 0);
    while (sto_lun_in_flight(file.lun) > 0) {
        struct pollfd poll_fd = { .fd = sto_lun_fd(file.lun), .events = POLLIN };

        CU_ASSERT_EQUAL_FATAL(poll(&poll_fd, 1, 10000), 1);
        sto_lun_service(file.lun, poll_fd.revents);
    }
    for (unsigned i = 0; i < READS; i++) {
        memset(want, (int)i + 1, sizeof(want));
        CU_ASSERT_EQUAL(ops[i].result.rc, STO_OK);
        CU_ASSERT_EQUAL(memcmp(data[i], want, sizeof(want)), 0);
    }
    lun_file_end(&file);
    (void)close(fd);
}

const struct unit_case unit_cases[] = {
    { "nothing reaches the kernel after the lease", nothing_after_the_lease },
    { "large reads at once", large_reads_at_once },
    { "what is gathered goes out together", gathered_goes_out_together },
    { 0 },
};
