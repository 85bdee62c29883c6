/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file as a LUN: for tests, images and single hosts. Direct I/O where the file system has it.
 * A lock keeps a second writer on this host out; a file cannot be fenced by reservations, so it
 * never is a shared LUN.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "storage/sto_uring.h"

enum { BLOCK_BYTES = 512, EVENTS = 2, BLIND_REAPS = 16, TAG_RING = 0 };

struct sto_file {
    struct sto_lun lun; /* first */
    struct sto_pump pump;
    struct sto_uring *uring; /* NULL: not logged in */
    unsigned blind_reaps;    /* services since the timer was asked */
    int fd;
    bool direct;
    bool read_only;
    bool closing;
    struct stat status;
    bool up[STO_SESSIONS];
    char path[STO_URL_PATH_BYTES];
};

static struct sto_file *file_of(struct sto_lun *lun)
{
    return (struct sto_file *)lun;
}

/* --- login and logout --- */

/* What direct I/O wants of this file. False: it has none, or wants more than a block. */
static bool find_alignment(int fd, struct sto_uring_align *ret_align)
{
#ifdef STATX_DIOALIGN
    struct statx status;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
        (status.stx_mask & STATX_DIOALIGN) != 0) {
        ret_align->memory_bytes = status.stx_dio_mem_align;
        ret_align->length_bytes = status.stx_dio_offset_align;
        return status.stx_dio_offset_align != 0 && status.stx_dio_offset_align <= BLOCK_BYTES;
    }
#else
    (void)fd;
#endif
    ret_align->memory_bytes = BLOCK_BYTES;
    ret_align->length_bytes = BLOCK_BYTES;
    return true;
}

/* Direct I/O on, if a read shows that it works. */
static void try_direct(struct sto_file *file, struct sto_uring_align *align)
{
    int flags = fcntl(file->fd, F_GETFL) & ~O_NONBLOCK; /* which only guarded the open */
    void *block = NULL;

    file->direct = false;
    (void)fcntl(file->fd, F_SETFL, flags);
    if (find_alignment(file->fd, align) && fcntl(file->fd, F_SETFL, flags | O_DIRECT) == 0 &&
        posix_memalign(&block, 4096, 4096) == 0) {
        file->direct = pread(file->fd, block, BLOCK_BYTES, 0) >= 0;
        if (!file->direct)
            (void)fcntl(file->fd, F_SETFL, flags);
    }
    free(block);
    if (!file->direct)
        *align = (struct sto_uring_align) { .memory_bytes = 1, .length_bytes = 1 };
}

static const char in_use[] = "in use by another process";

/* Can nothing be read of it without waiting, as on tmpfs? */
static bool reads_wait(int fd)
{
    void *block = NULL;
    struct iovec iov = { .iov_len = BLOCK_BYTES };
    bool wait = false;

    if (posix_memalign(&block, 4096, 4096) != 0)
        return false;
    iov.iov_base = block;
    wait = preadv2(fd, &iov, 1, 0, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP;
    free(block);
    return wait;
}

/* NULL, or why this cannot be a LUN. */
static const char *open_file(struct sto_file *file)
{
    struct sto_uring_align align;

    file->fd =
        open(file->path, (file->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0)
        return strerror(errno);
    if (fstat(file->fd, &file->status) < 0)
        return strerror(errno);
    if (!S_ISREG(file->status.st_mode))
        return "is not a regular file";
    if (file->status.st_size < BLOCK_BYTES)
        return "is shorter than one block";
    if (!file->read_only && flock(file->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? in_use : strerror(errno);
    try_direct(file, &align);
    align.by_workers = reads_wait(file->fd);
    if (sto_uring_open(&file->pump, file->fd, &align, TAG_RING, &file->uring) < 0)
        return "io_uring is not available";
    return NULL;
}

static void close_file(struct sto_file *file)
{
    sto_uring_close(file->uring);
    file->uring = NULL;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

static void file_login(struct sto_file *file, struct sto_op *op)
{
    const char *wrong = NULL;

    op->result.sent_ns = hw_clock_now_ns(file->lun.clock);
    if (file->uring == NULL) {
        wrong = open_file(file);
        if (wrong != NULL)
            close_file(file);
    }
    file->up[op->session] = wrong == NULL;
    sto_pump_end_with(&file->pump, op,
                      wrong == NULL     ? STO_OK
                      : wrong == in_use ? STO_BUSY
                                        : STO_LOGIN_REFUSED,
                      wrong);
}

static void session_ends(struct sto_file *file, enum sto_session session)
{
    file->up[session] = false;
    if (!file->up[STO_SESSION_DATA] && !file->up[STO_SESSION_CONTROL])
        close_file(file);
}

static void file_logout(struct sto_file *file, struct sto_op *op)
{
    bool up = file->up[op->session];

    session_ends(file, op->session);
    sto_pump_end_with(&file->pump, op, up ? STO_OK : STO_NOT_SENT,
                      up ? NULL : "the session is down");
}

/* --- slots --- */

static int file_submit(struct sto_lun *base, struct sto_op *op)
{
    struct sto_file *file = file_of(base);

    if (file->closing)
        return -ESHUTDOWN;
    if (op->kind == STO_OP_LOGIN) {
        if (file->up[op->session])
            return -EALREADY;
        file_login(file, op);
        return 0;
    }
    if (op->kind == STO_OP_LOGOUT) {
        file_logout(file, op);
        return 0;
    }
    if (!file->up[op->session]) {
        sto_pump_end_with(&file->pump, op, STO_NOT_SENT, "the session is down");
        return 0;
    }
    sto_uring_submit(file->uring, op);
    sto_pump_wake_at(&file->pump, op->deadline_ns);
    if (!file->pump.in_service && !file->lun.gathering)
        sto_uring_flush(file->uring);
    return 0;
}

static void file_service(struct sto_lun *base, short revents)
{
    struct sto_file *file = file_of(base);
    struct epoll_event events[EVENTS];

    (void)revents;
    sto_pump_begin(&file->pump);
    if (file->uring != NULL)
        sto_uring_reap(file->uring);
    /* answers are there: only the timer can be waiting besides, and gets its turn */
    if (file->pump.ended.first == NULL || ++file->blind_reaps % BLIND_REAPS == 0)
        (void)sto_pump_events(&file->pump, events, EVENTS);
    if (file->uring != NULL) {
        if (sto_pump_due(&file->pump))
            sto_pump_wake_at(&file->pump,
                             sto_uring_expire(file->uring, hw_clock_now_ns(file->lun.clock)));
    }
    sto_pump_deliver(&file->pump);
    if (file->uring != NULL)
        sto_uring_flush(file->uring);
    sto_pump_end_service(&file->pump);
}

/* What the page cache answers is there when the system call returns: no turn of a loop for it. */
static void file_hand_over(struct sto_lun *base)
{
    struct sto_file *file = file_of(base);

    if (file->uring == NULL)
        return;
    sto_pump_begin(&file->pump);
    sto_uring_flush(file->uring);
    sto_uring_reap(file->uring);
    sto_pump_deliver(&file->pump);
    sto_uring_flush(file->uring);
    sto_pump_end_service(&file->pump);
}

static void file_drop(struct sto_lun *base, enum sto_session session)
{
    struct sto_file *file = file_of(base);

    if (file->uring != NULL && session == STO_SESSION_DATA)
        sto_uring_drop(file->uring, "session dropped");
    session_ends(file, session);
}

static void file_close(struct sto_lun *base)
{
    struct sto_file *file = file_of(base);

    file->closing = true;
    close_file(file);
    sto_pump_deliver_all(&file->pump);
    sto_pump_close(&file->pump);
    free(file);
}

static int file_fd(const struct sto_lun *base)
{
    return ((const struct sto_file *)base)->pump.epoll_fd;
}

static short file_events(const struct sto_lun *base)
{
    (void)base;
    return POLLIN;
}

static int file_facts(struct sto_lun *base, struct sto_facts *ret_facts, struct hw_error *error)
{
    struct sto_file *file = file_of(base);
    struct sto_facts *facts = ret_facts;

    if (file->uring == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOTCONN, file->path, "is not open", NULL);
    memset(facts, 0, sizeof(*facts));
    facts->capacity_bytes = (uint64_t)file->status.st_size / BLOCK_BYTES * BLOCK_BYTES;
    facts->block_bytes = BLOCK_BYTES;
    facts->physical_block_bytes =
        file->status.st_blksize >= BLOCK_BYTES ? (uint32_t)file->status.st_blksize : BLOCK_BYTES;
    facts->write_cache = true; /* the page cache, or the disk's below the file system */
    facts->read_only = file->read_only;
    facts->thin = true;
    facts->unmap = true;
    facts->unmap_reads_zeroes = true;
    snprintf(facts->vendor, sizeof(facts->vendor), "file");
    snprintf(facts->product, sizeof(facts->product), "%s", file->direct ? "direct" : "buffered");
    snprintf(facts->wwid, sizeof(facts->wwid), "file:%u.%u:%llu", major(file->status.st_dev),
             minor(file->status.st_dev), (unsigned long long)file->status.st_ino);
    return 0;
}

static int file_open(const struct sto_url *url, const struct sto_lun_options *options,
                     struct sto_lun **ret_lun, struct hw_error *error)
{
    struct sto_file *file = calloc(1, sizeof(*file));
    int rc;

    if (file == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, url->path, "out of memory", NULL);
    file->lun.ops = &sto_file_ops;
    file->lun.clock = options->clock;
    file->fd = -1;
    file->read_only = options->read_only;
    memcpy(file->path, url->path, sizeof(file->path));
    rc = sto_pump_open(&file->pump, &file->lun);
    if (rc < 0) {
        free(file);
        return hw_error_set(error, HW_ERROR_FAILED, -rc, url->path, "cannot be opened", NULL);
    }
    *ret_lun = &file->lun;
    return 0;
}

const struct sto_lun_ops sto_file_ops = {
    .scheme = "file",
    .open = file_open,
    .close = file_close,
    .drop = file_drop,
    .submit = file_submit,
    .fd = file_fd,
    .events = file_events,
    .service = file_service,
    .hand_over = file_hand_over,
    .facts = file_facts,
};
