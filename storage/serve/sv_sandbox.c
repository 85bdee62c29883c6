/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sandbox of hawser-lun. Its list of system calls is what a server of shared memory, unix
 * sockets, iSCSI sessions and io_uring needs once everything is open; a target or guest that gets
 * hold of the process gets hold of these.
 */
#include "config.h"

#include "storage/serve/sv_sandbox.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

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
    { .name = "prctl" }, /* names a mapping; what it could raise is given up already */
    /* control, feeds, front ends */
    { .name = "accept4" },
    { .name = "recvmsg" },
    { .name = "sendmsg" },
    { .name = "recvfrom" },
    { .name = "sendto" },
    { .name = "shutdown" },
    /* sessions; landlock knows the ports */
    { .name = "socket", .tests = { { HW_SANDBOX_IS, 0, AF_INET } } },
    { .name = "socket", .tests = { { HW_SANDBOX_IS, 0, AF_INET6 } } },
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
    /* the name of this node on a LUN: an abstract socket that listens */
    { .name = "socket", .tests = { { HW_SANDBOX_IS, 0, AF_UNIX } } },
    { .name = "bind" },
    { .name = "listen" },
    /* files: by io_uring on what is open */
    { .name = "io_uring_enter" },
    /* memory of front ends, the in-flight region */
    { .name = "mmap", .tests = { { HW_SANDBOX_WITHIN, 2, PROT_READ | PROT_WRITE } } },
    { .name = "memfd_create" },
    { .name = "ftruncate" },
    { .name = "fstat" },
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
