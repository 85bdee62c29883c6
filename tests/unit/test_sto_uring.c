/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_uring: the look at the lease right before the kernel is told, what goes out together,
 * and a kernel that takes nothing for a while. The rest of it is tested through a file, in
 * test_sto_file.
 */
#include <config.h>

#include "storage/sto_uring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>

#include "tests/unit/lun_file.h"

/* The next `refusals` times the kernel takes nothing. */
static unsigned refusals;
static int refused_with;

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

int __wrap_io_uring_submit(struct io_uring *ring)
{
    if (refusals == 0)
        return __real_io_uring_submit(ring);
    refusals--;
    return -refused_with;
}

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

static void wait_for_all(struct lun_file *file)
{
    while (sto_lun_in_flight(file->lun) > 0) {
        struct pollfd poll_fd = { .fd = sto_lun_fd(file->lun), .events = POLLIN };

        CU_ASSERT_EQUAL_FATAL(poll(&poll_fd, 1, 10000), 1);
        sto_lun_service(file->lun, poll_fd.revents);
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
    wait_for_all(&file);
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
    wait_for_all(&file);
    for (unsigned i = 0; i < READS; i++) {
        memset(want, (int)i + 1, sizeof(want));
        CU_ASSERT_EQUAL(ops[i].result.rc, STO_OK);
        CU_ASSERT_EQUAL(memcmp(data[i], want, sizeof(want)), 0);
    }
    lun_file_end(&file);
    (void)close(fd);
}

/* --- a kernel that takes nothing --- */

static uint8_t page[4096] __attribute__((aligned(4096)));
static struct iovec page_iov = { page, sizeof(page) };

/* A write of `byte` at the beginning. */
static struct sto_op page_write(int byte, uint32_t flags)
{
    memset(page, byte, sizeof(page));
    return (
        struct sto_op) { .kind = STO_OP_WRITE, .flags = flags, .iov = &page_iov, .iov_count = 1 };
}

static int first_byte(const struct lun_file *file)
{
    uint8_t byte = 0;
    int fd = open(file->path, O_RDONLY);

    CU_ASSERT_EQUAL(pread(fd, &byte, 1, 0), 1);
    close(fd);
    return byte;
}

/* What the kernel did not take goes out at one of the next turns. */
static void goes_out_later(void)
{
    static const int codes[] = { EAGAIN, EBUSY, ENOMEM, EINTR };
    static const struct sto_lun_options options = { .io_timeout_ms = 10000 };
    struct lun_file file;

    lun_file_make(&file);
    lun_file_start(&file, "", &options);
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct sto_op op = page_write((int)i + 1, 0);

        refused_with = codes[i];
        refusals = 1 + 2 * i;
        CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_OK);
        CU_ASSERT_EQUAL(refusals, 0);
        CU_ASSERT_EQUAL(first_byte(&file), (int)i + 1);
    }
    lun_file_end(&file);
}

static int64_t racing_now(void *context)
{
    (void)context;
    return time_ns += 50000000;
}

/* But not for ever: it ends as busy, and what ended does not reach the kernel afterwards. */
static void is_given_up(void)
{
    static const struct hw_clock clock = { racing_now, NULL };
    static const struct sto_lun_options options = { .clock = &clock, .io_timeout_ms = UINT32_MAX };
    struct lun_file file;
    struct sto_op op, other = { .kind = STO_OP_FLUSH };

    lun_file_make(&file);
    lun_file_start(&file, "", &options);
    op = page_write(1, 0);
    refused_with = ENOMEM;
    refusals = 1000;
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_BUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.result.detail, strerror(ENOMEM)));
    CU_ASSERT_TRUE(refusals > 0);
    memset(page, 2, sizeof(page)); /* its memory is the caller's again */
    refusals = 0;
    CU_ASSERT_EQUAL(lun_file_run(&file, &other), STO_OK);
    CU_ASSERT_EQUAL(first_byte(&file), 0);
    op = page_write(3, 0);
    CU_ASSERT_EQUAL(lun_file_run(&file, &op), STO_OK);
    CU_ASSERT_EQUAL(first_byte(&file), 3);
    lun_file_end(&file);
}

/* At its deadline it is over, also where the ring is so full that nothing can be called back. */
static void its_deadline_holds(void)
{
    static const struct sto_lun_options options = { .io_timeout_ms = 20 };
    static struct sto_op ops[STO_URING_DEPTH];
    struct sto_op other = { .kind = STO_OP_FLUSH, .timeout_ms = 10000 };
    struct lun_file file;

    lun_file_make(&file);
    lun_file_start(&file, "", &options);
    refused_with = EAGAIN;
    refusals = 100000;
    for (unsigned i = 0; i < STO_URING_DEPTH; i++) {
        ops[i] = page_write(1, 0);
        ops[i].done = lun_file_done;
        CU_ASSERT_EQUAL_FATAL(sto_lun_submit(file.lun, &ops[i]), 0);
    }
    wait_for_all(&file);
    for (unsigned i = 0; i < STO_URING_DEPTH; i++)
        CU_ASSERT_EQUAL(ops[i].result.rc, STO_UNKNOWN);
    CU_ASSERT_TRUE(refusals > 0);
    refusals = 0;
    CU_ASSERT_EQUAL(lun_file_run(&file, &other), STO_OK);
    CU_ASSERT_EQUAL(first_byte(&file), 0);
    lun_file_end(&file);
}

/* What ended before the kernel took it is nothing that anybody has to wait for. */
static void what_is_void_is_not_out(void)
{
    struct sto_lun lun = { .clock = hw_clock_boottime() };
    struct sto_uring_align align = { .memory_bytes = 1, .length_bytes = 1 };
    struct sto_op op = page_write(1, 0);
    struct sto_uring *uring;
    struct sto_pump pump;
    struct lun_file file;
    int fd;

    lun_file_make(&file);
    fd = open(file.path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(sto_pump_open(&pump, &lun), 0);
    CU_ASSERT_EQUAL_FATAL(sto_uring_open(&pump, fd, &align, 1, &uring), 0);
    CU_ASSERT_EQUAL(sto_uring_oldest(uring), UINT64_MAX);
    op.done = lun_file_done;
    op.length_bytes = sizeof(page);
    op.deadline_ns = 1; /* which has passed */
    lun.in_flight = 1;
    refused_with = EAGAIN;
    refusals = UINT_MAX;
    sto_uring_submit(uring, &op);
    sto_uring_flush(uring);
    CU_ASSERT_EQUAL(sto_uring_oldest(uring), 0); /* it may go out yet */
    (void)sto_uring_expire(uring, 2);
    CU_ASSERT_EQUAL(op.result.rc, STO_UNKNOWN);
    CU_ASSERT_EQUAL(sto_uring_oldest(uring), UINT64_MAX);
    refusals = 0;
    sto_uring_close(uring);
    sto_pump_deliver_all(&pump);
    sto_pump_close(&pump);
    CU_ASSERT_EQUAL(first_byte(&file), 0);
    (void)close(fd);
    (void)unlink(file.path);
}

/* And no write goes out when its lease is over by then. */
static void its_lease_holds(void)
{
    static const struct hw_clock clock = { stepping_now, NULL };
    static const struct sto_lun_options options = { .clock = &clock, .io_timeout_ms = UINT32_MAX };
    struct lun_file file;
    struct sto_op op;

    time_ns = 0;
    looks = over_after = 0;
    over_at_ns = 1;
    lun_file_make(&file);
    lun_file_start(&file, "", &options);
    sto_lun_set_lease(file.lun, &over_at_ns);
    op = page_write(1, STO_LEASED);
    op.done = lun_file_done;
    refused_with = EAGAIN;
    refusals = 1;
    CU_ASSERT_EQUAL_FATAL(sto_lun_submit(file.lun, &op), 0);
    CU_ASSERT_EQUAL(refusals, 0);
    time_ns = 2; /* over, while the kernel did not take it */
    wait_for_all(&file);
    CU_ASSERT_EQUAL(op.result.rc, STO_WITHHELD);
    CU_ASSERT_EQUAL(first_byte(&file), 0);
    lun_file_end(&file);
}

const struct unit_case unit_cases[] = {
    { "nothing reaches the kernel after the lease", nothing_after_the_lease },
    { "large reads at once", large_reads_at_once },
    { "what is gathered goes out together", gathered_goes_out_together },
    { "what the kernel does not take goes out later", goes_out_later },
    { "but it is given up in the end", is_given_up },
    { "at its deadline it is over, wherever it is", its_deadline_holds },
    { "and nobody waits for what is void", what_is_void_is_not_out },
    { "and it does not go out behind its lease", its_lease_holds },
    { 0 },
};
