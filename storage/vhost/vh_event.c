/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Eventfds that cannot stall us. The operation that is submitted for a signal is a poll for
 * something that is always so, of an eventfd of our own: it is complete when io_submit(2) returns.
 */
#include "config.h"

#include "storage/vhost/vh_event.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 32 };

/* No operation knows this flag of preadv2(2): -EOPNOTSUPP, behind all that is judged before. */
enum { NO_SUCH_FLAG = 1 << 30 };

struct vh_events {
    aio_context_t aio;
    int own_fd;
    unsigned complete; /* operations whose completion was not fetched */
};

void vh_events_free(struct vh_events *events)
{
    if (events == NULL)
        return;
    if (events->aio != 0)
        (void)syscall(SYS_io_destroy, events->aio);
    if (events->own_fd >= 0)
        (void)close(events->own_fd);
    free(events);
}

/* How many there were, or -1 and errno. */
static long fetch(struct vh_events *events)
{
    const struct timespec no_wait = { 0 };
    struct io_event completed[ROOM];

    events->complete = 0;
    return syscall(SYS_io_getevents, events->aio, 0L, (long)ROOM, completed, &no_wait);
}

/* 0 or -errno. */
static int submit(struct vh_events *events, struct iocb *iocb)
{
    int rc;

    if (events->complete == ROOM)
        (void)fetch(events);
    rc = syscall(SYS_io_submit, events->aio, 1L, &iocb) == 1 ? 0 : -errno;
    if (rc == -EAGAIN) { /* the kernel counts otherwise */
        (void)fetch(events);
        rc = syscall(SYS_io_submit, events->aio, 1L, &iocb) == 1 ? 0 : -errno;
    }
    events->complete += rc == 0;
    return rc;
}

bool vh_events_knows(struct vh_events *events, int fd)
{
    struct iocb iocb = { .aio_lio_opcode = IOCB_CMD_PREAD,
                         .aio_fildes = (uint32_t)events->own_fd,
                         .aio_rw_flags = NO_SUCH_FLAG,
                         .aio_flags = IOCB_FLAG_RESFD,
                         .aio_resfd = (uint32_t)fd };

    return submit(events, &iocb) == -EOPNOTSUPP;
}

int vh_events_signal(struct vh_events *events, int fd)
{
    struct iocb iocb = { .aio_lio_opcode = IOCB_CMD_POLL,
                         .aio_fildes = (uint32_t)events->own_fd,
                         .aio_buf = POLLOUT,
                         .aio_flags = IOCB_FLAG_RESFD,
                         .aio_resfd = (uint32_t)fd };

    return submit(events, &iocb);
}

int vh_event_take(int fd)
{
    uint64_t count;
    const struct iovec into = { .iov_base = &count, .iov_len = sizeof(count) };

    return preadv2(fd, &into, 1, -1, RWF_NOWAIT) < 0 ? -errno : 0;
}

int vh_retry_new(void)
{
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

void vh_retry_arm(int fd)
{
    const struct itimerspec in = { .it_value = { .tv_nsec = VH_RETRY_MS * 1000000L } };

    (void)timerfd_settime(fd, 0, &in, NULL);
}

void vh_retry_take(int fd)
{
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
}

/* Does this host do all that is needed? A kernel that knows a call and not this use of it says
 * EINVAL, EOPNOTSUPP or (the C library, for a flag it cannot pass) ENOTSUP. */
static int probe(struct vh_events *events)
{
    int rc = vh_events_signal(events, events->own_fd);

    if (rc == 0)
        rc = fetch(events) == 1 ? 0 : -errno;
    if (rc == 0)
        rc = vh_event_take(events->own_fd);
    return rc == -EINVAL ? -EOPNOTSUPP : rc;
}

int vh_events_new(struct vh_events **ret_events)
{
    struct vh_events *events = calloc(1, sizeof(*events));
    int rc = 0;

    if (events == NULL)
        return -ENOMEM;
    events->own_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (events->own_fd < 0 || syscall(SYS_io_setup, ROOM, &events->aio) < 0)
        rc = -errno;
    else
        rc = probe(events);
    if (rc < 0) {
        vh_events_free(events);
        return rc;
    }
    *ret_events = events;
    return 0;
}

int vh_events_error(int rc, struct hw_error *error)
{
    switch (-rc) {
    case ENOMEM:
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "memory", "ran out", "");
    case EAGAIN:
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "asynchronous I/O",
                            "the host's operations are used up", "raise fs.aio-max-nr");
    case ENOSYS:
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "asynchronous I/O",
                            "the host's kernel has none (io_setup)",
                            "boot a kernel built with CONFIG_AIO");
    case EOPNOTSUPP:
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "event descriptors",
                            "the host's kernel cannot take one without waiting (preadv2, "
                            "RWF_NOWAIT)",
                            "boot Linux 5.8 or newer; in a container, let its seccomp filter "
                            "allow preadv2");
    case EPERM:
    case EACCES:
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "asynchronous I/O", "it is not permitted",
                            "let the container's seccomp filter allow io_setup, io_submit, "
                            "io_getevents, io_destroy and preadv2");
    case EMFILE:
    case ENFILE:
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "descriptors", "there are no more",
                            "raise the limit of open files");
    default:
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "event descriptors", strerror(-rc), "");
    }
}
