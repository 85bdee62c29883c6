/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue of the state area as the machines of this folder see it: reads, writes and flushes that
 * end later, in any order. In production it is the VMM's own queue of vhost-user-blk; in tests a
 * disk that loses, tears and reorders. Every request is a multiple of 4 KiB at a multiple of 4 KiB.
 */
#ifndef VMM_SAVE_QUEUE_H
#define VMM_SAVE_QUEUE_H

#include <stdint.h>
#include <sys/uio.h>

enum vmm_save_io { VMM_SAVE_READ, VMM_SAVE_WRITE, VMM_SAVE_FLUSH };

struct vmm_save_op {
    enum vmm_save_io io;
    uint64_t offset_bytes; /* from the start of hawser-state */
    const struct iovec *iov;
    unsigned iov_count;
    /*
     * 0, or -errno. An error of a write or flush says nothing of whether it was carried out. Never
     * called from within submit().
     */
    void (*done)(struct vmm_save_op *op, int rc);
    void *context; /* of whoever submits */
};

struct vmm_save_queue {
    /*
     * Take a request; it, its pieces and their memory belong to the queue until `done`. Requests
     * under way at once may be carried out in any order. 0 or -errno (then `done` is not called).
     * Never blocks.
     */
    int (*submit)(void *context, struct vmm_save_op *op);
    /*
     * How often what was written and not flushed may have been lost since the start (the target
     * restarted, or was reset). Never blocks.
     */
    uint64_t (*restarts)(void *context);
    void *context;
    unsigned depth;   /* requests that are worth having under way at once, 1 or more */
    unsigned iov_max; /* pieces of one request, 32 or more */
};

enum { VMM_SAVE_DEPTH_MAX = 16, VMM_SAVE_IOV_MAX = 124, VMM_SAVE_REQUEST_PAGES = 256 };

#endif
