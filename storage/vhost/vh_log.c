/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dirty log.
 */
#include "config.h"

#include "storage/vhost/vh_log.h"

int vh_log_map(struct vh_log *log, int fd, uint64_t offset, uint64_t bytes)
{
    struct vh_shared shared;
    int rc = vh_shared_map(fd, offset, bytes, &shared);

    if (rc < 0)
        return rc;
    vh_log_unmap(log);
    *log = (struct vh_log) { .shared = shared, .bits = shared.first, .bytes = bytes };
    return 0;
}

void vh_log_unmap(struct vh_log *log)
{
    vh_shared_unmap(&log->shared);
    *log = (struct vh_log) { 0 };
}

void vh_log_mark(const struct vh_log *log, uint64_t guest_addr, uint64_t bytes)
{
    uint64_t page = guest_addr / VH_LOG_PAGE_BYTES;
    const uint64_t last = bytes == 0 ? 0 : (guest_addr + bytes - 1) / VH_LOG_PAGE_BYTES;

    if (log->bits == NULL || bytes == 0)
        return;
    for (; page <= last && page / 8 < log->bytes; page++)
        (void)__atomic_fetch_or(&log->bits[page / 8], (uint8_t)(1u << (page % 8)),
                                __ATOMIC_SEQ_CST);
}
