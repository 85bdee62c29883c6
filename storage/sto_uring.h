/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data of a file or block device by io_uring, for the backends that have a descriptor of one
 * (file:, block:): READ, WRITE with FUA, FLUSH, DISCARD, WRITE_ZEROES. Results come out through
 * the backend's pump.
 *
 * Deadlines: a write, flush or discard ends as unknown at its deadline; a read is called back
 * from the kernel then, but ends only when the kernel has let go of its memory, since what a late
 * read writes into must not belong to somebody else.
 *
 * A kernel that takes no requests for a while (no memory) is asked again at every turn; what waited
 * for it for a second ends as STO_BUSY, and never reaches it.
 */
#ifndef STO_URING_H
#define STO_URING_H

#include "storage/sto_pump.h"

struct sto_uring;

enum { STO_URING_DEPTH = 128 };

/* What a file or device wants of the memory and offsets of direct I/O. */
struct sto_uring_align {
    uint32_t memory_bytes; /* powers of 2; 1 = anything goes */
    uint32_t length_bytes;
    bool by_workers; /* it cannot be read without waiting: threads of the kernel do it */
};

/*
 * A ring on the open file `fd` (stays the caller's), watched
 * by `pump` with `tag`. Data that is not aligned as `align` says goes through a buffer.
 * 0, -ENOMEM, -ENOSYS or -EPERM where io_uring is not allowed.
 */
int sto_uring_open(struct sto_pump *pump, int fd, const struct sto_uring_align *align, uint32_t tag,
                   struct sto_uring **ret_uring);

/* End all operations as unknown (their results go to the pump), free. Waits for reads that the
 * kernel has, at most about a second. NULL is allowed. */
void sto_uring_close(struct sto_uring *uring);

/* Take an operation of one of the kinds above; it ends through the pump. Nothing reaches the
 * kernel before sto_uring_flush(). */
void sto_uring_submit(struct sto_uring *uring, struct sto_op *op);
/* Hand what was taken to the kernel: call it at the end of a submit outside, and of a service. */
void sto_uring_flush(struct sto_uring *uring);
/* Take what the kernel has finished. */
void sto_uring_reap(struct sto_uring *uring);
/* End what is over its deadline; returns the earliest deadline left, INT64_MAX if none. */
int64_t sto_uring_expire(struct sto_uring *uring, int64_t now_ns);
/* End all operations as unknown now; the ring goes on. Waits as sto_uring_close() does. */
void sto_uring_drop(struct sto_uring *uring, const char *why);

/* Use another descriptor from now on; what the kernel has stays with the old one's file. */
void sto_uring_use(struct sto_uring *uring, int fd);

/* Have each operation that the kernel ended judged by `judge` (bytes moved, or -errno), which sets
 * the result's rc and transferred bytes, in place of sto_uring_judge(). */
void sto_uring_judge_with(struct sto_uring *uring,
                          void (*judge)(void *context, struct sto_op *op, int64_t moved),
                          void *context);

/* Operations are numbered as they are started: the next one's number. */
uint64_t sto_uring_next_order(const struct sto_uring *uring);
/* The lowest number that the kernel has or will get, also of operations that ended as unknown, but
 * not of those that ended before it took them; UINT64_MAX if none. */
uint64_t sto_uring_oldest(const struct sto_uring *uring);

/* The outcome that an errno of the kernel's stands for; EBADE is a reservation conflict. */
enum sto_rc sto_uring_judge(int code);

#endif
