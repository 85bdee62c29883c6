/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last look at the lease before bytes go to the kernel (timing.md, Feed and freeze). libiscsi
 * keeps PDUs in user space and sends them, and Data-Out that an R2T asks for, whenever the socket
 * takes them: long after the operation was handed over, and after a SIGSTOP perhaps past the
 * deadline. It has no hook for sending, but it calls send(2) and writev(2) through the dynamic
 * linker, which finds the definitions of sto_wire.c first. They look at the deadline and say EAGAIN
 * when it has passed, as a full socket would (or ETIMEDOUT, as a dead one would, where nothing
 * makes the lease longer but this connection); everything else in the process passes unchanged.
 *
 * They also let the kernel send a PDU's header and data together, which libiscsi writes one by one.
 *
 * What is left: a process that is stopped between that look and the system call, a few
 * instructions later, still makes the call when it goes on. Nothing in user space can close that;
 * the reservation refuses what comes so late (timing.md, LUN ownership).
 */
#ifndef STO_WIRE_H
#define STO_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hw_clock.h"

struct sto_wire {
    const struct hw_clock *clock;
    const _Atomic int64_t *until_ns; /* nothing at or after this time of `clock`; NULL: no lease */
    int64_t expiry_ns;               /* likewise, and then it is no use to wait; 0: none */
    int fd;                          /* whose bytes are judged */
    bool seen;                       /* some call for `fd` came by: the linker does find us */
    bool corked; /* the kernel keeps a header back for its data, which did not come yet */
};

/* Is the lease over now? False without one. */
bool sto_wire_over(const struct hw_clock *clock, const _Atomic int64_t *until_ns);
/* From now on this thread's send() and writev() on wire->fd are judged. `wire` is the caller's and
 * stays until sto_wire_leave(). Not nested. */
void sto_wire_enter(struct sto_wire *wire);
/* No more; a header that is kept back goes out. */
void sto_wire_leave(void);

#endif
