/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sandbox of hawser-lun. Its list of system calls is what a server of shared memory, unix
 * sockets, iSCSI sessions and io_uring needs once everything is open; a target or guest that gets
 * hold of the process gets hold of these.
 */
#include "config.h"

#include "storage/serve/sv_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

enum {
    STREAM = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
    SEND = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE, /* above all no MSG_FASTOPEN, which connects */
};

static const struct hw_sandbox_call calls[] = {
    /* the loop */
    { .name = "epoll_wait" },
    { .name = "epoll_pwait" },
    { .name = "epoll_ctl" },
    { .name = "poll" },
    { .name = "ppoll" },
    { .name = "clock_gettime" },
    { .name = "clock_nanosleep" },
    { .name = "clock_getres" },
    { .name = "gettimeofday" },
    { .name = "timerfd_settime" },
    { .name = "rt_sigprocmask" },
    { .name = "prlimit64",
      .tests = { { HW_SANDBOX_IS, 0, 0 }, { HW_SANDBOX_IS, 2, 0 } } }, /* libqb asks */
    { .name = "sched_yield" },
    { .name = "prctl", .tests = { { HW_SANDBOX_IS, 0, PR_SET_VMA } } }, /* names a mapping */
    /* control, feeds, front ends */
    { .name = "accept4" },
    { .name = "recvmsg" },
    { .name = "sendmsg", .tests = { { HW_SANDBOX_WITHIN, 2, SEND } } },
    { .name = "recvfrom" },
    { .name = "sendto", .tests = { { HW_SANDBOX_WITHIN, 3, SEND } } },
    { .name = "shutdown" },
    /* sessions: TCP alone, whose ports landlock knows; no datagrams, no MPTCP, no SCTP */
    { .name = "socket",
      .tests = { { HW_SANDBOX_IS, 0, AF_INET },
                 { HW_SANDBOX_WITHIN, 1, STREAM },
                 { HW_SANDBOX_WITHIN, 2, IPPROTO_TCP } } },
    { .name = "socket",
      .tests = { { HW_SANDBOX_IS, 0, AF_INET6 },
                 { HW_SANDBOX_WITHIN, 1, STREAM },
                 { HW_SANDBOX_WITHIN, 2, IPPROTO_TCP } } },
    /* getaddrinfo(3) of a portal's address asks which families the host has: reading needs no
     * right, changing needs one that was given up */
    { .name = "socket",
      .tests = { { HW_SANDBOX_IS, 0, AF_NETLINK }, { HW_SANDBOX_IS, 2, NETLINK_ROUTE } } },
    { .name = "connect" },
    { .name = "getsockopt" },
    { .name = "setsockopt" },
    { .name = "getsockname" },
    { .name = "getpeername" },
    { .name = "readv" },
    { .name = "writev" },
    { .name = "ioctl", .tests = { { HW_SANDBOX_IS, 1, TCGETS } } },   /* stdio: is it a terminal */
    { .name = "ioctl", .tests = { { HW_SANDBOX_IS, 1, FIONREAD } } }, /* libiscsi */
    /* getaddrinfo(3) would ask nscd(8), too: it goes on without */
    { .name = "socket", .tests = { { HW_SANDBOX_IS, 0, AF_UNIX } }, .fails_with = EACCES },
    /* the name of this node on a LUN: a socket that was made before */
    { .name = "bind" },
    /* files: by io_uring on what is open; the ring knows what it may be asked (sto_uring.c) */
    { .name = "io_uring_enter" },
    /* front ends' eventfds, which may block who asks them otherwise (vh_event.c). What io_submit(2)
     * is asked cannot be seen here: it reads and writes what is open, as read(2) and write(2) do */
    { .name = "io_submit" },
    { .name = "io_getevents" },
    { .name = "io_destroy" },
    { .name = "preadv2", .tests = { { HW_SANDBOX_IS, 5, RWF_NOWAIT } } },
    /* memory of front ends, the in-flight region */
    { .name = "mmap", .tests = { { HW_SANDBOX_WITHIN, 2, PROT_READ | PROT_WRITE } } },
    { .name = "memfd_create" },
    { .name = "ftruncate" },
    { .name = "fstat" },
    { .name = "fstatfs" },
    { .name = "newfstatat", .tests = { { HW_SANDBOX_IS, 3, AT_EMPTY_PATH } } },
    { .name = "fcntl" },
    { .name = "lseek" },
    { .name = "getuid" },
    { .name = "geteuid" },
    { .name = NULL },
};

const struct hw_sandbox_call *const sv_sandbox_tables[] = { hw_sandbox_basic, hw_sandbox_sanitizer,
                                                            calls, NULL };

int sv_sandbox_enter(uid_t uid, const uint16_t *ports, size_t count,
                     struct hw_sandbox_reach *ret_reach, struct hw_error *error)
{
    struct hw_sandbox_reach reach;
    int rc = hw_sandbox_user(uid, (gid_t)uid, false, error);

    if (rc == 0)
        rc = hw_sandbox_paths(ports, count, &reach, error);
    if (rc == 0 && ret_reach != NULL)
        *ret_reach = reach;
    return rc;
}

int sv_sandbox_calls(struct hw_error *error)
{
    return hw_sandbox_calls(sv_sandbox_tables, false, error);
}
