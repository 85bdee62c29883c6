/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/vhost/vh_shared: which memory of a front end is mapped, and which is not.
 */
#include <config.h>

#include "storage/vhost/vh_shared.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { PAGE = 4096 };

static int memory(unsigned flags, off_t bytes)
{
    int fd = memfd_create("unit", MFD_CLOEXEC | flags);

    if (fd >= 0)
        CU_ASSERT_EQUAL_FATAL(ftruncate(fd, bytes), 0);
    return fd;
}

/* It is the file's memory from `offset` on, and is gone when it was unmapped. */
static void maps(int fd, uint64_t offset, uint64_t bytes, uint64_t page)
{
    struct vh_shared shared = { 0 };
    uint8_t byte = 0;
    void *map;

    CU_ASSERT_EQUAL_FATAL(vh_shared_map(fd, offset, bytes, &shared), 0);
    CU_ASSERT_EQUAL(shared.map_bytes % page, 0);
    CU_ASSERT_EQUAL((uint64_t)(shared.first - (uint8_t *)shared.map), offset % page);
    shared.first[bytes - 1] = 0x5a;
    CU_ASSERT_EQUAL(pread(fd, &byte, 1, (off_t)(offset + bytes - 1)), 1);
    CU_ASSERT_EQUAL(byte, 0x5a);
    map = shared.map;
    vh_shared_unmap(&shared);
    CU_ASSERT_PTR_NULL(shared.map);
    CU_ASSERT_EQUAL(msync(map, PAGE, MS_ASYNC), -1);
    vh_shared_unmap(&shared); /* nothing is left to do */
}

static void memfd(void)
{
    int fd = memory(MFD_ALLOW_SEALING, 4 * PAGE);

    maps(fd, 0, 4 * PAGE, PAGE);
    maps(fd, PAGE + 512, PAGE, PAGE);
    CU_ASSERT_EQUAL(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    maps(fd, 0, 4 * PAGE, PAGE);
    close(fd);
}

/* As QEMU's memory-backend-file,mem-path=/dev/shm makes it. */
static void file_in_tmpfs(void)
{
    char name[] = "/dev/shm/hawser-unit-XXXXXX";
    int fd = mkstemp(name);
    struct statfs fs;

    if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC) {
        unit_skip("/dev/shm is no tmpfs");
        return;
    }
    CU_ASSERT_EQUAL(unlink(name), 0);
    CU_ASSERT_EQUAL(ftruncate(fd, 4 * PAGE), 0);
    maps(fd, 0, 4 * PAGE, PAGE);
    close(fd);
}

/* A region need not begin or end with a huge page. */
static void huge_pages(void)
{
    int fd = memory(MFD_HUGETLB, 0);
    struct statfs fs = { 0 };
    uint64_t huge;
    void *map = MAP_FAILED;

    if (fd >= 0 && fstatfs(fd, &fs) == 0 && ftruncate(fd, 2 * (off_t)fs.f_bsize) == 0)
        map = mmap(NULL, 2 * (size_t)fs.f_bsize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        unit_skip("the host has no huge pages; sysctl vm.nr_hugepages=2");
        return;
    }
    huge = (uint64_t)fs.f_bsize;
    maps(fd, 0, huge, huge);
    maps(fd, PAGE, 2 * huge - PAGE, huge);
    maps(fd, huge + PAGE, 2 * PAGE, huge);
    munmap(map, 2 * huge);
    close(fd);
}

/* No page of it may be touched before somebody else has done something. */
static void other_files(void)
{
    struct vh_shared shared;
    int ends[2], fds[] = { open("/proc/self/maps", O_RDONLY | O_CLOEXEC),
                           open("/dev/zero", O_RDWR | O_CLOEXEC), eventfd(0, EFD_CLOEXEC), -1 };

    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    fds[3] = ends[0];
    for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        CU_ASSERT_TRUE(vh_shared_map(fds[i], 0, PAGE, &shared) < 0);
        close(fds[i]);
    }
    close(ends[1]);
    CU_ASSERT_EQUAL(vh_shared_map(-1, 0, PAGE, &shared), -EBADF);
}

/* A file of whatever the working directory lies on: long enough, and refused all the same. */
static void file_on_disk(void)
{
    char name[] = "unit-XXXXXX";
    int fd = mkstemp(name);
    struct vh_shared shared;
    struct statfs fs;

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(unlink(name), 0);
    if (fstatfs(fd, &fs) < 0 || fs.f_type == TMPFS_MAGIC) {
        close(fd);
        unit_skip("the working directory is on tmpfs");
        return;
    }
    CU_ASSERT_EQUAL(ftruncate(fd, 4 * PAGE), 0);
    CU_ASSERT_EQUAL(vh_shared_map(fd, 0, PAGE, &shared), -EMEDIUMTYPE);
    close(fd);
}

static void wrong_ranges(void)
{
    int fd = memory(0, 2 * PAGE);
    struct vh_shared shared;

    CU_ASSERT_EQUAL(vh_shared_map(fd, 0, 0, &shared), -EINVAL);
    CU_ASSERT_EQUAL(vh_shared_map(fd, UINT64_MAX, 2, &shared), -EINVAL);
    CU_ASSERT_EQUAL(vh_shared_map(fd, INT64_MAX, 2, &shared), -EINVAL);
    CU_ASSERT_EQUAL(vh_shared_map(fd, PAGE, PAGE + 1, &shared), -ENOSPC);
    close(fd);
}

const struct unit_case unit_cases[] = {
    { "a memfd is mapped, sealed or not", memfd },
    { "so is a file of tmpfs", file_in_tmpfs },
    { "so are huge pages, from any byte to any other", huge_pages },
    { "what is no memory is not", other_files },
    { "a file on a disk is not", file_on_disk },
    { "nor is what is not there", wrong_ranges },
    { 0 },
};
