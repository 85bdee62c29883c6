/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapping a front end's memory.
 */
#include "config.h"

#include "storage/vhost/vh_shared.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The size of its pages, which a mapping of hugetlbfs must be made of; or -errno. */
static int judge_file(int fd, uint64_t end, uint64_t *ret_page_bytes)
{
    struct statfs fs;
    struct stat stat;

    if (fstatfs(fd, &fs) < 0 || fstat(fd, &stat) < 0)
        return -errno;
    if ((uint32_t)fs.f_type != TMPFS_MAGIC && (uint32_t)fs.f_type != HUGETLBFS_MAGIC)
        return -EMEDIUMTYPE;
    if ((uint64_t)stat.st_size < end)
        return -ENOSPC;
    *ret_page_bytes = (uint32_t)fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize
                                                             : (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

int vh_shared_map(int fd, uint64_t offset, uint64_t bytes, struct vh_shared *ret_shared)
{
    uint64_t end, page, lead, map_bytes;
    void *map;
    int rc;

    if (bytes == 0 || __builtin_add_overflow(offset, bytes, &end) || end > INT64_MAX)
        return -EINVAL;
    rc = judge_file(fd, end, &page);
    if (rc < 0)
        return rc;
    lead = offset % page;
    map_bytes = (lead + bytes + page - 1) / page * page;
    map = mmap(NULL, (size_t)map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
               (off_t)(offset - lead));
    if (map == MAP_FAILED)
        return -errno;
    *ret_shared = (struct vh_shared) { .map = map,
                                       .map_bytes = (size_t)map_bytes,
                                       .first = (uint8_t *)map + lead };
    return 0;
}

void vh_shared_unmap(struct vh_shared *shared)
{
    if (shared->map != NULL)
        (void)munmap(shared->map, shared->map_bytes);
    memset(shared, 0, sizeof(*shared));
}
