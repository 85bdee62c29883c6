/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that a front end hands over by descriptor. Only such is taken whose pages are there when
 * they are touched: memfd, tmpfs (/dev/shm), hugetlbfs. A page of another file system (FUSE, a
 * network's) may come late, or never, and whoever touches it waits as long. What is left to the
 * front end: to shorten memory that it has not sealed.
 */
#ifndef VH_SHARED_H
#define VH_SHARED_H

#include <stddef.h>
#include <stdint.h>

struct vh_shared {
    void *map; /* from the page that holds the first byte; NULL: none */
    size_t map_bytes;
    uint8_t *first;
};

/*
 * Map `bytes` (1 and more) at `offset` of `fd`, which stays the caller's. 0; -EINVAL: there is no
 * such range; -EMEDIUMTYPE: it is no such memory; -ENOSPC: it is shorter (touching it would be
 * fatal); or -errno of fstatfs(2), mmap(2): of hugetlbfs -ENOMEM if the pages cannot be reserved.
 */
int vh_shared_map(int fd, uint64_t offset, uint64_t bytes, struct vh_shared *ret_shared);
/* Unmap what is mapped. */
void vh_shared_unmap(struct vh_shared *shared);

#endif
