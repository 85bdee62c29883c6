/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/vhost/vh_mem, storage/vhost/vh_log: tables that map, and all that must not. */
#include <config.h>

#include "storage/vhost/vh_mem.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/vhost/vh_log.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { BYTES = 64 * 1024 };

static int memory(off_t bytes)
{
    int fd = memfd_create("unit", MFD_CLOEXEC);

    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, bytes), 0);
    return fd;
}

/* Two neighbours and one apart. */
static const struct vh_region good[] = {
    { .guest_addr = 0, .bytes = BYTES, .user_addr = 0x700000000000 },
    { .guest_addr = BYTES, .bytes = BYTES, .user_addr = 0x710000000000, .file_offset = 512 },
    { .guest_addr = UINT64_C(1) << 32, .bytes = BYTES, .user_addr = 0x720000000000 },
};

static void translates(void)
{
    int fds[3] = { memory(BYTES), memory(2 * BYTES), memory(BYTES) };
    struct vh_mem *mem;
    struct iovec pieces[4];

    CU_ASSERT_EQUAL_FATAL(vh_mem_new(good, fds, 3, &mem), 0);
    CU_ASSERT_PTR_NOT_NULL(vh_mem_guest(mem, 0, BYTES));
    CU_ASSERT_PTR_NULL(vh_mem_guest(mem, 1, BYTES)); /* crosses into the neighbour */
    CU_ASSERT_PTR_NULL(vh_mem_guest(mem, 3 * BYTES, 1));
    CU_ASSERT_PTR_NULL(vh_mem_guest(mem, 0, UINT64_MAX));
    CU_ASSERT_PTR_EQUAL(vh_mem_user(mem, 0x710000000010, 1), vh_mem_guest(mem, BYTES + 16, 1));
    CU_ASSERT_PTR_NULL(vh_mem_user(mem, 0x710000000000 + BYTES - 1, 2));
    CU_ASSERT_EQUAL(vh_mem_pieces(mem, BYTES - 100, 300, pieces, 4), 2);
    CU_ASSERT_EQUAL(pieces[0].iov_len, 100);
    CU_ASSERT_EQUAL(pieces[1].iov_len, 200);
    CU_ASSERT_PTR_EQUAL(pieces[1].iov_base, vh_mem_guest(mem, BYTES, 1));
    CU_ASSERT_EQUAL(vh_mem_pieces(mem, BYTES - 100, 300, pieces, 1), -E2BIG);
    CU_ASSERT_EQUAL(vh_mem_pieces(mem, 2 * BYTES - 1, 2, pieces, 4), -EFAULT);
    CU_ASSERT_EQUAL(vh_mem_pieces(mem, UINT64_MAX, 2, pieces, 4), -EFAULT);
    CU_ASSERT_EQUAL(vh_mem_guest_addr(mem, pieces[0].iov_base), 2 * BYTES - 1);
    /* the second region's bytes begin in the middle of a page of its memory */
    *(uint8_t *)vh_mem_guest(mem, BYTES, 1) = 0x5a;
    CU_ASSERT_EQUAL(pread(fds[1], pieces, 1, 512), 1);
    CU_ASSERT_EQUAL(*(uint8_t *)pieces, 0x5a);
    vh_mem_unref(vh_mem_ref(mem));
    CU_ASSERT_PTR_NOT_NULL(vh_mem_guest(mem, 0, 1));
    vh_mem_unref(mem);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
}

static void refuses(void)
{
    int fd = memory(BYTES);
    int fds[VH_REGIONS + 1];
    struct vh_region regions[VH_REGIONS + 1];
    struct vh_mem *mem;

    for (unsigned i = 0; i <= VH_REGIONS; i++) {
        fds[i] = fd;
        regions[i] = (struct vh_region) { .guest_addr = i * 4096,
                                          .bytes = 4096,
                                          .user_addr = 0x1000000 + i * 4096 };
    }
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 0, &mem), -EINVAL);
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, VH_REGIONS + 1, &mem), -EINVAL);
    regions[1].guest_addr = 4095; /* overlaps */
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 2, &mem), -EINVAL);
    regions[1].guest_addr = UINT64_MAX - 4094; /* wraps */
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 2, &mem), -EINVAL);
    regions[1].guest_addr = 4096;
    regions[1].user_addr = 0x1000000 + 1;
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 2, &mem), -EINVAL);
    regions[1].user_addr = 0x1001000;
    regions[1].bytes = 0;
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 2, &mem), -EINVAL);
    regions[1].bytes = 4096;
    regions[1].file_offset = BYTES - 4095; /* the last byte is not there: SIGBUS */
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 2, &mem), -ENOSPC);
    regions[1].file_offset = UINT64_MAX - 8192;
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 2, &mem), -EINVAL);
    regions[1].file_offset = 0;
    fds[1] = -1;
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 2, &mem), -EBADF);
    fds[1] = fd;
    fail_alloc_arm(0);
    CU_ASSERT_EQUAL(vh_mem_new(regions, fds, 2, &mem), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
    close(fd);
}

/* Where the memory is already. */
static void over_what_is_mapped(void)
{
    static uint8_t first[BYTES], second[BYTES], third[BYTES];
    void *addresses[] = { first, second, third };
    struct iovec pieces[2];
    struct vh_mem *mem;

    CU_ASSERT_EQUAL(vh_mem_over(good, addresses, 0, &mem), -EINVAL);
    fail_alloc_arm(0);
    CU_ASSERT_EQUAL(vh_mem_over(good, addresses, 3, &mem), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
    CU_ASSERT_EQUAL_FATAL(vh_mem_over(good, addresses, 3, &mem), 0);
    CU_ASSERT_PTR_EQUAL(vh_mem_guest(mem, 0, BYTES), first);
    CU_ASSERT_PTR_NULL(vh_mem_guest(mem, 1, BYTES));
    CU_ASSERT_PTR_EQUAL(vh_mem_guest(mem, UINT64_C(1) << 32, BYTES), third);
    CU_ASSERT_PTR_EQUAL(vh_mem_user(mem, 0x710000000010, 1), second + 16);
    CU_ASSERT_EQUAL(vh_mem_pieces(mem, BYTES - 1, 2, pieces, 2), 2);
    CU_ASSERT_PTR_EQUAL(pieces[1].iov_base, second);
    vh_mem_unref(mem);
    first[0] = third[BYTES - 1] = 1; /* they are still there */
}

static void logs(void)
{
    struct vh_log log = { 0 };
    uint8_t bits[8];
    int fd = memory(4096);

    vh_log_mark(&log, 0, 4096); /* no log: nothing happens */
    CU_ASSERT_EQUAL(vh_log_map(&log, fd, 0, 0), -EINVAL);
    CU_ASSERT_EQUAL(vh_log_map(&log, fd, 4096, 1), -ENOSPC);
    CU_ASSERT_EQUAL(vh_log_map(&log, fd, UINT64_MAX, 2), -EINVAL);
    CU_ASSERT_EQUAL_FATAL(vh_log_map(&log, fd, 0, 8), 0);
    vh_log_mark(&log, 4096 * 3 + 4095, 2);
    vh_log_mark(&log, 4096 * 63, 4096 * 100); /* ends behind the log */
    vh_log_mark(&log, UINT64_MAX, 1);
    vh_log_mark(&log, 0, 0);
    CU_ASSERT_EQUAL(pread(fd, bits, 8, 0), 8);
    CU_ASSERT_EQUAL(bits[0], 0x18);
    CU_ASSERT_EQUAL(bits[1], 0);
    CU_ASSERT_EQUAL(bits[7], 0x80);
    vh_log_unmap(&log);
    CU_ASSERT_PTR_NULL(log.bits);
    close(fd);
}

const struct unit_case unit_cases[] = {
    { "addresses of guest and front end are found, within their regions", translates },
    { "tables that do not map are refused", refuses },
    { "a table over memory that is mapped", over_what_is_mapped },
    { "the dirty log is marked, and only the log", logs },
    { 0 },
};
