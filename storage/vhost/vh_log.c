/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dirty log.
 */
#include "config.h"

#include "storage/vhost/vh_log.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int vh_log_map(struct vh_log *log, int fd, uint64_t offset, uint64_t bytes)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t lead = offset % page;
    struct stat stat;
    uint64_t end;
    void *map;

    if (bytes == 0 || __builtin_add_overflow(offset, bytes, &end) || end > INT64_MAX)
        return -EINVAL;
    if (fstat(fd, &stat) < 0)
        return -errno;
    if ((uint64_t)stat.st_size < end)
        return -ENOSPC;
    map = mmap(NULL, (size_t)(bytes + lead), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
               (off_t)(offset - lead));
    if (map == MAP_FAILED)
        return -errno;
    vh_log_unmap(log);
    log->map = map;
    log->map_bytes = (size_t)(bytes + lead);
    log->bits = (uint8_t *)map + lead;
    log->bytes = bytes;
    return 0;
}

void vh_log_unmap(struct vh_log *log)
{
    if (log->map != NULL)
        (void)munmap(log->map, log->map_bytes);
    *log = (struct vh_log) { 0 };
}

void vh_log_mark(const struct vh_log *log, uint64_t guest_addr, uint64_t bytes)
{
    uint64_t page = guest_addr / VH_LOG_PAGE_BYTES;
    const uint64_t last = bytes == 0 ? 0 : (guest_addr + bytes - 1) / VH_LOG_PAGE_BYTES;

    if (log->map == NULL || bytes == 0)
        return;
    for (; page <= last && page / 8 < log->bytes; page++)
        (void)__atomic_fetch_or(&log->bits[page / 8], (uint8_t)(1u << (page % 8)),
                                __ATOMIC_SEQ_CST);
}
