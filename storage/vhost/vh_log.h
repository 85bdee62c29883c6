/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dirty log of a front end that migrates its guest or saves it while it runs: one bit for each
 * 4 KiB page of guest memory, set by the back end after the data was written and before the used
 * index says so ("Migration" in the vhost-user protocol). Shared memory of the front end, which
 * takes the bits by atomic exchange.
 */
#ifndef VH_LOG_H
#define VH_LOG_H

#include <stdint.h>

#include "storage/vhost/vh_shared.h"

enum { VH_LOG_PAGE_BYTES = 4096 };

struct vh_log {
    struct vh_shared shared;
    uint8_t *bits;  /* NULL: no log */
    uint64_t bytes; /* of bits */
};

/* Map `bytes` at `offset` of `fd` (which stays the caller's) as a log. 0 or -errno of
 * vh_shared_map(). */
int vh_log_map(struct vh_log *log, int fd, uint64_t offset, uint64_t bytes);
/* Unmap; no log from now on. */
void vh_log_unmap(struct vh_log *log);
/* Mark what was written to guest memory. Pages behind the log's end are the front end's loss. */
void vh_log_mark(const struct vh_log *log, uint64_t guest_addr, uint64_t bytes);

#endif
