/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send() and writev() of this program. Which session a call belongs to is known by the thread that
 * serves it: libiscsi hands nothing of ours through, so one thread-local pointer stands in for the
 * argument that it does not have (set for the length of one call into libiscsi, NULL otherwise).
 */
#include "config.h"

#include "storage/sto_wire.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Deliberate fault, only ever built into a test binary. */
#ifdef STO_MUTATE_LATE_SEND
#define WIRE_LOOKS false
#else
#define WIRE_LOOKS true
#endif

static __thread struct sto_wire *served;

bool sto_wire_over(const struct hw_clock *clock, const _Atomic int64_t *until_ns)
{
    return until_ns != NULL && hw_clock_now_ns(clock) >= atomic_load(until_ns);
}

void sto_wire_enter(struct sto_wire *wire)
{
    served = wire;
}

void sto_wire_leave(void)
{
    served = NULL;
}

/* 0 if the call on `fd` may be made now, or the errno it fails with. */
static int judge(int fd)
{
    struct sto_wire *wire = served;

    if (wire == NULL || wire->fd != fd)
        return 0;
    wire->seen = true;
    if (WIRE_LOOKS && wire->expiry_ns != 0 && hw_clock_now_ns(wire->clock) >= wire->expiry_ns)
        return ETIMEDOUT;
    return WIRE_LOOKS && sto_wire_over(wire->clock, wire->until_ns) ? EAGAIN : 0;
}

ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
    int refused = judge(fd);

    if (refused != 0) {
        errno = refused;
        return -1;
    }
    return sendto(fd, data, bytes, flags, NULL, 0);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    int refused = judge(fd);

    if (refused != 0) {
        errno = refused;
        return -1;
    }
    if (served != NULL && served->fd == fd) { /* a socket: a dead one shall raise no SIGPIPE */
        const struct msghdr message = { .msg_iov = (struct iovec *)iov,
                                        .msg_iovlen = (size_t)count };

        return sendmsg(fd, &message, MSG_NOSIGNAL);
    }
    return (ssize_t)syscall(SYS_writev, fd, iov, count);
}
