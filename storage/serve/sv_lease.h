/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The member lease of the server (timing.md, Feed and freeze): a thread of its own, real-time where
 * that is allowed, takes the feeds and moves the deadline that every LUN's gate looks at before it
 * hands bytes to the kernel. Nothing else runs there, so that neither a busy target nor a busy
 * client makes a feed late. One feeder is connected at a time; a newer one takes its place.
 */
#ifndef SV_LEASE_H
#define SV_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hw_error.h"

struct sv_lease;

struct sv_lease_stats {
    uint64_t taken, refused; /* feeds that made the lease longer, and all others */
    bool connected;          /* a feeder is there */
    bool real_time;          /* the thread runs at real-time priority */
    bool locked;             /* its stack and its data stay in memory */
    bool code_locked;        /* and so does what was mapped at its start, its code among it */
};

/*
 * A lease of `length_ms` that was never fed, for feeds that name `generation`. `listener` (a
 * listening SOCK_SEQPACKET socket) or `feed_fd` (a connected one) may be -1; both are the lease's
 * now. `wake_fd` is an eventfd of the caller's, written when the lease goes on after it was over.
 * No thread yet. 0, -ENOMEM or -errno.
 */
int sv_lease_new(uint32_t length_ms, int listener, int feed_fd, int wake_fd,
                 struct sv_lease **ret_lease);
/* Ask for the right to real-time priority and to locked memory; to be called while there still are
 * privileges. */
void sv_lease_raise_limits(void);
/* Start the thread, and lock its memory where that is allowed (sv_lease_stats()). A guest's memory
 * must not be mapped yet, or it would be locked, too. 0 or -errno. */
int sv_lease_start(struct sv_lease *lease);
/* End the thread, close, free. NULL is allowed. */
void sv_lease_free(struct sv_lease *lease);

/* Another grant: the lease is over until a feed of this generation comes. */
void sv_lease_set_generation(struct sv_lease *lease, uint64_t generation);
/* The deadline, CLOCK_BOOTTIME: nothing at or after it. Read at each submit, in any thread. */
const _Atomic int64_t *sv_lease_until_ns(const struct sv_lease *lease);
/* Counts so far. */
struct sv_lease_stats sv_lease_stats(const struct sv_lease *lease);

#endif
