/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A front end's memory as the back end sees it: regions of shared memory, each with the address
 * that the guest uses and the one that the front end's process uses. Every address that comes from
 * outside goes through here; what is not wholly inside the regions is refused. The mapping is
 * shared by all requests in flight and goes with the last of them.
 */
#ifndef VH_MEM_H
#define VH_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "storage/vhost/vh_proto.h"

struct vh_region {
    uint64_t guest_addr;
    uint64_t bytes;
    uint64_t user_addr;   /* in the front end */
    uint64_t file_offset; /* of the first byte, in the descriptor's memory */
};

struct vh_mem;

/*
 * Map `count` regions (1 to VH_REGIONS), region i from fds[i]; the descriptors stay the caller's.
 * 0 and a table with one reference; -EINVAL: empty, wrapping or overlapping regions; -ENOMEM; or
 * -errno of vh_shared_map().
 */
int vh_mem_new(const struct vh_region *regions, const int *fds, unsigned count,
               struct vh_mem **ret_mem);
/*
 * Likewise of memory that this process has mapped already: region i lies at addresses[i], for as
 * long as the table does; file offsets mean nothing. 0, -EINVAL or -ENOMEM.
 */
int vh_mem_over(const struct vh_region *regions, void *const *addresses, unsigned count,
                struct vh_mem **ret_mem);
struct vh_log;
/* What this process writes there as a device goes into this log, the caller's; NULL (as made):
 * nowhere. */
void vh_mem_set_log(struct vh_mem *mem, const struct vh_log *log);
/* That log. */
const struct vh_log *vh_mem_log(const struct vh_mem *mem);
/* One more user of the table. Returns it. */
struct vh_mem *vh_mem_ref(struct vh_mem *mem);
/* One less; the last one unmaps. NULL is allowed. */
void vh_mem_unref(struct vh_mem *mem);

/* `bytes` at a guest address, in one piece; NULL if they are not all in one region. */
void *vh_mem_guest(const struct vh_mem *mem, uint64_t guest_addr, uint64_t bytes);
/* The same for an address of the front end's process. */
void *vh_mem_user(const struct vh_mem *mem, uint64_t user_addr, uint64_t bytes);
/*
 * The pieces of `bytes` at a guest address that may cross from one region into its neighbour: as
 * many as fit `room`; the number of them, or -EFAULT if a byte is in no region, or -E2BIG.
 */
int vh_mem_pieces(const struct vh_mem *mem, uint64_t guest_addr, uint64_t bytes,
                  struct iovec *pieces, unsigned room);
/* The guest address of a pointer that vh_mem_*() gave. */
uint64_t vh_mem_guest_addr(const struct vh_mem *mem, const void *pointer);

#endif
