/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send() and writev() of this program. Which session a call belongs to is known by the thread that
 * serves it: libiscsi hands nothing of ours through, so one thread-local pointer stands in for the
 * argument that it does not have (set for the length of one call into libiscsi, NULL otherwise).
 */
#include "config.h"

#include "storage/sto_wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

enum { HEADER_BYTES = 48, DIGEST_BYTES = 4 }; /* of a PDU (RFC 7143 11.2.1) */

bool sto_wire_over(const struct hw_clock *clock, const _Atomic int64_t *until_ns)
{
    return until_ns != NULL && hw_clock_now_ns(clock) >= atomic_load(until_ns);
}

void sto_wire_enter(struct sto_wire *wire)
{
    wire->corked = false;
    served = wire;
}

void sto_wire_leave(void)
{
    const int yes = 1;

    /* set again, it sends what was kept back (tcp(7)) */
    if (served->corked)
        (void)setsockopt(served->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
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

/* Is this the start of a PDU whose data come in calls of their own? */
static bool data_follow(const uint8_t *pdu, size_t bytes)
{
    return (pdu[5] | pdu[6] | pdu[7]) != 0 && bytes <= HEADER_BYTES + pdu[4] * 4u + DIGEST_BYTES;
}

/* The kernel keeps a header back for its data: on its own it costs the network as much as they. */
static ssize_t send_judged(struct sto_wire *wire, const void *data, size_t bytes, int flags)
{
    const bool more = bytes >= HEADER_BYTES && data_follow(data, bytes);
    const ssize_t sent = sendto(wire->fd, data, bytes, flags | (more ? MSG_MORE : 0), NULL, 0);

    if (sent > 0)
        wire->corked = more;
    return sent;
}

ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
    int refused = judge(fd);

    if (refused != 0) {
        errno = refused;
        return -1;
    }
    if (served != NULL && served->fd == fd)
        return send_judged(served, data, bytes, flags);
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
        const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

        if (sent > 0)
            served->corked = false;
        return sent;
    }
    return (ssize_t)syscall(SYS_writev, fd, iov, count);
}
