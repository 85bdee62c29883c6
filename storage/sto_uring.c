/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The io_uring engine. Each operation inside the kernel has a slot, its shadow: the kernel's
 * answer finds the slot even when the operation ended at its deadline. Decides nothing.
 * over 400: the life of a slot from submission through every way to end, which must agree.
 */
#include "config.h"

#include "storage/sto_uring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* Deliberate fault, only ever built into a test binary. */
#ifdef STO_MUTATE_LATE_SEND
#define URING_LOOKS false
#else
#define URING_LOOKS true
#endif

enum { ZERO_BYTES = 65536, PAGE_BYTES = 4096, LARGE_BYTES = 131072 };
enum { SETTLE_WAIT_NS = 10000000, SETTLE_WAITS = 100 + STO_URING_DEPTH };
/* The kernel takes nothing (no memory, its own queue is full): asked again this soon, ever more
 * seldom; what waited for GIVE_UP_NS ends as busy. */
enum { AGAIN_MIN_NS = 1000000, AGAIN_MAX_NS = 100000000, GIVE_UP_NS = 1000000000 };

/* WRITE_ZEROES tries these in turn. */
enum zeroes_by { BY_ZERO_RANGE, BY_PUNCH_HOLE, BY_WRITING };

struct slot {
    struct slot *next; /* of the free ones */
    struct sto_op *op; /* NULL while `used`: ended already, the kernel still has it */
    bool used;
    bool cancelling;
    struct io_uring_sqe *sqe; /* while the kernel has not taken it */
    unsigned place;           /* of the sqe: the ring's tail before it */
    void *bounce;             /* aligned copy of the data; NULL = the caller's own memory */
    struct iovec bounce_iov;
    uint64_t order;
    uint64_t done_bytes; /* WRITE_ZEROES by writing */
};

struct sto_uring {
    struct io_uring ring;
    int fd; /* not registered with the ring: that would keep its lock for a while after a crash */
    struct sto_pump *pump;
    struct sto_uring_align align;
    enum zeroes_by zeroes_by;
    struct sto_op_list waiting; /* all slots are taken */
    struct slot *spare;
    void *zeroes;
    struct slot *unsent[STO_URING_DEPTH]; /* prepared, not taken by the kernel */
    unsigned unsent_count;
    int64_t refused_since_ns; /* the kernel takes nothing since then; 0: it does */
    uint64_t next_order;
    void (*judge)(void *context, struct sto_op *op, int64_t moved); /* NULL: sto_uring_judge() */
    void *judge_context;
    struct slot slots[STO_URING_DEPTH];
};

enum sto_rc sto_uring_judge(int code)
{
    switch (code) {
    case 0:
        return STO_OK;
    case EBADE: /* how Linux' block layer reports RESERVATION CONFLICT */
        return STO_CONFLICT;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STO_NO_SPACE;
    case EROFS:
    case EPERM:
    case EACCES:
    case EBADF: /* the file is not open for this */
        return STO_READ_ONLY;
    case EOPNOTSUPP:
    case ENOSYS:
    case ENOTTY:
        return STO_UNSUPPORTED;
    case EINVAL:
        return STO_ILLEGAL;
    case EAGAIN:
    case EBUSY:
        return STO_BUSY;
    case ECANCELED:
    case EINTR:
    case ETIMEDOUT:
        return STO_UNKNOWN;
    default:
        return STO_MEDIUM;
    }
}

/* --- open, close --- */

/* The ring does nothing but what this file asks for: no list of system calls sees what is asked
 * through it (io_uring_register(2)). */
static int open_ring(struct io_uring *ring)
{
    static const uint8_t asked[] = { IORING_OP_NOP,     IORING_OP_READV,       IORING_OP_WRITEV,
                                     IORING_OP_WRITE,   IORING_OP_FSYNC,       IORING_OP_FALLOCATE,
                                     IORING_OP_TIMEOUT, IORING_OP_ASYNC_CANCEL };
    struct io_uring_restriction restrictions[sizeof(asked) + 1] = { 0 };
    int rc = io_uring_queue_init(STO_URING_DEPTH, ring, IORING_SETUP_R_DISABLED);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < sizeof(asked); i++) {
        restrictions[i].opcode = IORING_RESTRICTION_SQE_OP;
        restrictions[i].sqe_op = asked[i];
    }
    restrictions[sizeof(asked)].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    restrictions[sizeof(asked)].sqe_flags = IOSQE_ASYNC;
    /* by system calls: liburing 2.3 declares these two and does not have them */
    if (syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, restrictions,
                sizeof(asked) + 1) == 0 &&
        syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0)
        return 0;
    rc = -errno;
    io_uring_queue_exit(ring);
    return rc;
}

int sto_uring_open(struct sto_pump *pump, int fd, const struct sto_uring_align *align, uint32_t tag,
                   struct sto_uring **ret_uring)
{
    struct sto_uring *uring = calloc(1, sizeof(*uring));
    int rc;

    if (uring == NULL)
        return -ENOMEM;
    uring->pump = pump;
    uring->align = *align;
    uring->fd = fd;
    rc = posix_memalign(&uring->zeroes, PAGE_BYTES, ZERO_BYTES);
    if (rc != 0) {
        free(uring);
        return -rc;
    }
    memset(uring->zeroes, 0, ZERO_BYTES);
    rc = open_ring(&uring->ring);
    if (rc < 0) {
        free(uring->zeroes);
        free(uring);
        return rc;
    }
    for (unsigned i = 0; i < STO_URING_DEPTH; i++) {
        uring->slots[i].next = uring->spare;
        uring->spare = &uring->slots[i];
    }
    rc = sto_pump_watch(pump, uring->ring.ring_fd, EPOLLIN, tag);
    if (rc < 0) {
        sto_uring_close(uring);
        return rc;
    }
    *ret_uring = uring;
    return 0;
}

/* The kernel shall not do it: a queued entry cannot be taken back, but made to do nothing. The slot
 * is free when that has come back. */
static void void_entry(struct sto_uring *uring, struct slot *slot, enum sto_rc rc, const char *why)
{
    io_uring_prep_nop(slot->sqe);
    io_uring_sqe_set_data(slot->sqe, slot);
    sto_pump_end_with(uring->pump, slot->op, rc, why);
    slot->op = NULL;
}

/* The same for all that the kernel has not taken. */
static void void_unsent(struct sto_uring *uring, enum sto_rc rc, const char *why)
{
    for (unsigned i = 0; i < uring->unsent_count; i++) {
        struct slot *slot = uring->unsent[i];

        if (slot->op != NULL)
            void_entry(uring, slot, rc, why);
    }
}

static bool reads_in_kernel(const struct sto_uring *uring)
{
    for (unsigned i = 0; i < STO_URING_DEPTH; i++)
        if (uring->slots[i].op != NULL && uring->slots[i].op->kind == STO_OP_READ &&
            uring->slots[i].bounce == NULL)
            return true;
    return false;
}

/* Let reads that are under way come to their end, for a bounded time: their memory is about to
 * go back to its owner. */
static void settle_reads(struct sto_uring *uring)
{
    struct __kernel_timespec wait = { .tv_nsec = SETTLE_WAIT_NS };
    struct io_uring_cqe *cqe;

    for (unsigned i = 0; i < SETTLE_WAITS && reads_in_kernel(uring); i++) {
        (void)io_uring_wait_cqe_timeout(&uring->ring, &cqe, &wait);
        sto_uring_reap(uring);
    }
}

void sto_uring_drop(struct sto_uring *uring, const char *why)
{
    struct sto_op *op;

    sto_uring_flush(uring);
    void_unsent(uring, STO_UNKNOWN, why);
    settle_reads(uring);
    for (unsigned i = 0; i < STO_URING_DEPTH; i++) {
        struct slot *slot = &uring->slots[i];

        if (slot->op == NULL)
            continue;
        sto_pump_end_with(uring->pump, slot->op, STO_UNKNOWN, why);
        slot->op = NULL;
    }
    while ((op = sto_op_list_take(&uring->waiting)) != NULL)
        sto_pump_end_with(uring->pump, op, STO_NOT_SENT, why);
}

void sto_uring_close(struct sto_uring *uring)
{
    if (uring == NULL)
        return;
    sto_uring_drop(uring, "closed");
    sto_pump_forget(uring->pump, uring->ring.ring_fd);
    io_uring_queue_exit(&uring->ring);
    for (unsigned i = 0; i < STO_URING_DEPTH; i++)
        free(uring->slots[i].bounce);
    free(uring->zeroes);
    free(uring);
}

/* --- data that direct I/O would not take --- */

static bool is_aligned(const struct sto_uring *uring, const struct sto_op *op)
{
    for (unsigned i = 0; i < op->iov_count; i++)
        if ((uintptr_t)op->iov[i].iov_base % uring->align.memory_bytes != 0 ||
            op->iov[i].iov_len % uring->align.length_bytes != 0)
            return false;
    return true;
}

/* Copy between the caller's iovecs and the buffer. */
static void copy_iov(const struct sto_op *op, uint8_t *buffer, uint64_t bytes, bool to_buffer)
{
    for (unsigned i = 0; i < op->iov_count && bytes > 0; i++) {
        size_t size = op->iov[i].iov_len < bytes ? op->iov[i].iov_len : (size_t)bytes;

        if (size == 0)
            continue;
        if (to_buffer)
            memcpy(buffer, op->iov[i].iov_base, size);
        else
            memcpy(op->iov[i].iov_base, buffer, size);
        buffer += size;
        bytes -= size;
    }
}

static int make_bounce(struct slot *slot, const struct sto_op *op)
{
    int rc = posix_memalign(&slot->bounce, PAGE_BYTES, op->length_bytes);

    if (rc != 0) {
        slot->bounce = NULL;
        return -rc;
    }
    slot->bounce_iov.iov_base = slot->bounce;
    slot->bounce_iov.iov_len = op->length_bytes;
    if (op->kind == STO_OP_WRITE)
        copy_iov(op, slot->bounce, op->length_bytes, true);
    return 0;
}

/* --- to the kernel --- */

/* What the kernel has taken leaves the list; the rest are the ring's last `left` entries. */
static void forget_sent(struct sto_uring *uring, unsigned left)
{
    const unsigned tail = uring->ring.sq.sqe_tail;
    unsigned kept = 0;

    for (unsigned i = 0; i < uring->unsent_count; i++) {
        struct slot *slot = uring->unsent[i];

        if (tail - slot->place <= left)
            uring->unsent[kept++] = slot;
        else
            slot->sqe = NULL;
    }
    uring->unsent_count = kept;
}

/* The kernel has left entries in the ring. They are ours until it takes them, and are handed over
 * again at each turn, the next of which is not far; but nobody waits for that for ever. */
static void try_later(struct sto_uring *uring, int code)
{
    const int64_t now_ns = hw_clock_now_ns(uring->pump->lun->clock);
    char why[64];
    int64_t wait_ns;
    struct sto_op *op;

    if (uring->refused_since_ns == 0)
        uring->refused_since_ns = now_ns;
    wait_ns = (now_ns - uring->refused_since_ns) / 4;
    wait_ns = wait_ns < AGAIN_MIN_NS ? AGAIN_MIN_NS : wait_ns;
    sto_pump_wake_at(uring->pump, now_ns + (wait_ns < AGAIN_MAX_NS ? wait_ns : AGAIN_MAX_NS));
    if (now_ns - uring->refused_since_ns < GIVE_UP_NS)
        return;
    (void)snprintf(why, sizeof(why), "the kernel takes no requests: %s", strerror(code));
    void_unsent(uring, STO_BUSY, why);
    while ((op = sto_op_list_take(&uring->waiting)) != NULL)
        sto_pump_end_with(uring->pump, op, STO_BUSY, why);
}

/* Hand over what is queued. The last look at the lease stands right before the system call. */
static void hand_over(struct sto_uring *uring)
{
    bool over = URING_LOOKS && sto_lun_lease_over(uring->pump->lun);
    unsigned left;
    int rc;

    for (unsigned i = 0; i < uring->unsent_count; i++) {
        struct slot *slot = uring->unsent[i];

        if (over && slot->op != NULL && (slot->op->flags & STO_LEASED) != 0)
            void_entry(uring, slot, STO_WITHHELD, NULL);
    }
    rc = io_uring_submit(&uring->ring); /* may fail, or take a part */
    left = io_uring_sq_ready(&uring->ring);
    forget_sent(uring, left);
    if (left > 0)
        try_later(uring, rc < 0 ? -rc : EAGAIN);
    else
        uring->refused_since_ns = 0;
}

static struct io_uring_sqe *get_sqe(struct sto_uring *uring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

    if (sqe == NULL) { /* full: hand over what is there and take again */
        hand_over(uring);
        sqe = io_uring_get_sqe(&uring->ring);
    }
    return sqe;
}

static void prepare_data(const struct sto_uring *uring, struct io_uring_sqe *sqe,
                         const struct slot *slot)
{
    const struct sto_op *op = slot->op;
    const struct iovec *iov = slot->bounce != NULL ? &slot->bounce_iov : op->iov;
    unsigned count = slot->bounce != NULL ? 1 : op->iov_count;

    if (op->kind == STO_OP_READ)
        io_uring_prep_readv(sqe, uring->fd, iov, count, op->offset_bytes);
    else
        io_uring_prep_writev(sqe, uring->fd, iov, count, op->offset_bytes);
    if ((op->flags & STO_FUA) != 0 && op->kind == STO_OP_WRITE)
        sqe->rw_flags = RWF_DSYNC;
    /* asked for outright, several threads work at once; else one, after the other. Writes of one
     * file take turns in any case. */
    if (uring->align.by_workers && op->kind == STO_OP_READ && op->length_bytes >= LARGE_BYTES)
        sqe->flags |= IOSQE_ASYNC;
}

static void prepare_zeroes(const struct sto_uring *uring, struct io_uring_sqe *sqe,
                           const struct slot *slot)
{
    const struct sto_op *op = slot->op;
    uint64_t left = op->length_bytes - slot->done_bytes;

    if (uring->zeroes_by == BY_WRITING || slot->done_bytes > 0)
        io_uring_prep_write(sqe, uring->fd, uring->zeroes,
                            left < ZERO_BYTES ? (unsigned)left : ZERO_BYTES,
                            op->offset_bytes + slot->done_bytes);
    else
        io_uring_prep_fallocate(
            sqe, uring->fd,
            FALLOC_FL_KEEP_SIZE |
                (uring->zeroes_by == BY_ZERO_RANGE ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE),
            (off_t)op->offset_bytes, (off_t)op->length_bytes);
}

/* Queue what the slot's operation wants next; false if the ring takes nothing. */
static bool prepare(struct sto_uring *uring, struct slot *slot)
{
    struct io_uring_sqe *sqe = get_sqe(uring);
    const struct sto_op *op = slot->op;

    if (sqe == NULL)
        return false;
    switch (op->kind) {
    case STO_OP_READ:
    case STO_OP_WRITE:
        prepare_data(uring, sqe, slot);
        break;
    case STO_OP_FLUSH:
        io_uring_prep_fsync(sqe, uring->fd, IORING_FSYNC_DATASYNC);
        break;
    case STO_OP_DISCARD:
        io_uring_prep_fallocate(sqe, uring->fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
                                (off_t)op->offset_bytes, (off_t)op->length_bytes);
        break;
    default:
        prepare_zeroes(uring, sqe, slot);
        break;
    }
    io_uring_sqe_set_data(sqe, slot);
    slot->sqe = sqe;
    slot->place = uring->ring.sq.sqe_tail - 1;
    uring->unsent[uring->unsent_count++] = slot;
    return true;
}

static void give_slot(struct sto_uring *uring, struct slot *slot)
{
    free(slot->bounce);
    memset(slot, 0, sizeof(*slot));
    slot->next = uring->spare;
    uring->spare = slot;
}

static bool is_mine(enum sto_op_kind kind)
{
    return kind == STO_OP_READ || kind == STO_OP_WRITE || kind == STO_OP_FLUSH ||
           kind == STO_OP_DISCARD || kind == STO_OP_WRITE_ZEROES;
}

static void start(struct sto_uring *uring, struct sto_op *op)
{
    struct slot *slot = uring->spare;
    bool data = op->kind == STO_OP_READ || op->kind == STO_OP_WRITE;

    uring->spare = slot->next;
    slot->used = true;
    slot->op = op;
    if (data && !is_aligned(uring, op) && make_bounce(slot, op) < 0) {
        give_slot(uring, slot);
        sto_pump_end_with(uring->pump, op, STO_NOT_SENT, "out of memory");
        return;
    }
    if (!prepare(uring, slot)) {
        give_slot(uring, slot);
        sto_pump_end_with(uring->pump, op, STO_BUSY, "the ring is full");
        return;
    }
    slot->order = uring->next_order++;
    op->backend = slot;
    op->result.sent_ns = hw_clock_now_ns(uring->pump->lun->clock);
}

void sto_uring_submit(struct sto_uring *uring, struct sto_op *op)
{
    if (!is_mine(op->kind))
        sto_pump_end_with(uring->pump, op, STO_UNSUPPORTED, NULL);
    else if (uring->spare == NULL)
        sto_op_list_add(&uring->waiting, op);
    else
        start(uring, op);
}

void sto_uring_use(struct sto_uring *uring, int fd)
{
    sto_uring_flush(uring);
    for (unsigned i = 0; i < uring->unsent_count; i++)
        if (uring->unsent[i]->op != NULL)
            uring->unsent[i]->sqe->fd = fd; /* the old one may be anything soon */
    uring->fd = fd;
}

void sto_uring_judge_with(struct sto_uring *uring,
                          void (*judge)(void *context, struct sto_op *op, int64_t moved),
                          void *context)
{
    uring->judge = judge;
    uring->judge_context = context;
}

uint64_t sto_uring_next_order(const struct sto_uring *uring)
{
    return uring->next_order;
}

uint64_t sto_uring_oldest(const struct sto_uring *uring)
{
    uint64_t oldest = UINT64_MAX;

    for (unsigned i = 0; i < STO_URING_DEPTH; i++) {
        const struct slot *slot = &uring->slots[i];
        const bool is_void = slot->op == NULL && slot->sqe != NULL;

        if (slot->used && !is_void && slot->order < oldest)
            oldest = slot->order;
    }
    return oldest;
}

void sto_uring_flush(struct sto_uring *uring)
{
    while (uring->spare != NULL && uring->waiting.first != NULL)
        start(uring, sto_op_list_take(&uring->waiting));
    if (io_uring_sq_ready(&uring->ring) > 0)
        hand_over(uring);
}

/* --- from the kernel --- */

/* The next part or way of a WRITE_ZEROES; true if it has one. */
static bool zeroes_have_more(struct sto_uring *uring, struct slot *slot, int result)
{
    bool by_writing = uring->zeroes_by == BY_WRITING || slot->done_bytes > 0;

    if (!by_writing && (result == -EOPNOTSUPP || result == -ENOTTY || result == -EINVAL)) {
        uring->zeroes_by++;
        return true;
    }
    if (!by_writing || result <= 0)
        return false;
    slot->done_bytes += (uint64_t)result;
    return slot->done_bytes < slot->op->length_bytes;
}

static void zeroes_go_on(struct sto_uring *uring, struct slot *slot)
{
    if (prepare(uring, slot))
        return;
    sto_pump_end_with(uring->pump, slot->op, STO_BUSY, "the ring is full");
    give_slot(uring, slot);
}

static void judge(const struct sto_uring *uring, struct slot *slot, int result)
{
    struct sto_op *op = slot->op;

    op->result.rc = sto_uring_judge(result < 0 ? -result : 0);
    if (uring->judge != NULL)
        uring->judge(uring->judge_context, op, result);
    if (op->result.rc != STO_OK || op->kind == STO_OP_FLUSH)
        return;
    if (op->kind == STO_OP_WRITE_ZEROES && slot->done_bytes > 0)
        op->result.transferred_bytes = slot->done_bytes;
    else if (op->kind == STO_OP_READ || op->kind == STO_OP_WRITE)
        op->result.transferred_bytes = (uint64_t)result;
    else
        op->result.transferred_bytes = op->length_bytes;
    if (op->result.transferred_bytes < op->length_bytes)
        op->result.rc = STO_SHORT;
    if (slot->bounce != NULL && op->kind == STO_OP_READ)
        copy_iov(op, slot->bounce, op->result.transferred_bytes, false);
}

static void finished(struct sto_uring *uring, struct slot *slot, int result)
{
    struct sto_op *op = slot->op;

    if (op != NULL && op->kind == STO_OP_WRITE_ZEROES && zeroes_have_more(uring, slot, result)) {
        zeroes_go_on(uring, slot);
        return;
    }
    if (op != NULL) {
        judge(uring, slot, result);
        sto_pump_end(uring->pump, op);
    }
    give_slot(uring, slot);
}

void sto_uring_reap(struct sto_uring *uring)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
        struct slot *slot = io_uring_cqe_get_data(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&uring->ring, cqe);
        if (slot != NULL) /* NULL: the answer to a cancel */
            finished(uring, slot, result);
    }
}

/* --- deadlines --- */

static void call_back(struct sto_uring *uring, struct slot *slot)
{
    struct io_uring_sqe *sqe;

    if (slot->cancelling)
        return;
    sqe = get_sqe(uring);
    if (sqe == NULL)
        return;
    io_uring_prep_cancel(sqe, slot, 0);
    io_uring_sqe_set_data(sqe, NULL);
    slot->cancelling = true;
}

static void expire_slot(struct sto_uring *uring, struct slot *slot)
{
    if (slot->sqe != NULL) {
        void_entry(uring, slot, STO_UNKNOWN, "timed out before it was sent");
        return;
    }
    call_back(uring, slot);
    if (slot->op->kind == STO_OP_READ && slot->bounce == NULL)
        return;
    sto_pump_end_with(uring->pump, slot->op, STO_UNKNOWN, "timed out");
    slot->op = NULL;
}

int64_t sto_uring_expire(struct sto_uring *uring, int64_t now_ns)
{
    int64_t next = INT64_MAX;
    struct sto_op *op = uring->waiting.first;

    while (op != NULL) {
        struct sto_op *following = op->next;

        if (op->deadline_ns <= now_ns) {
            sto_op_list_remove(&uring->waiting, op);
            sto_pump_end_with(uring->pump, op, STO_UNKNOWN, "timed out before it was sent");
        } else if (op->deadline_ns < next) {
            next = op->deadline_ns;
        }
        op = following;
    }
    for (unsigned i = 0; i < STO_URING_DEPTH; i++) {
        struct slot *slot = &uring->slots[i];

        if (slot->op == NULL || slot->cancelling)
            continue;
        if (slot->op->deadline_ns <= now_ns)
            expire_slot(uring, slot);
        else if (slot->op->deadline_ns < next)
            next = slot->op->deadline_ns;
    }
    sto_uring_flush(uring);
    return next;
}
