/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls of the objects linked into a unit test come here (ld --wrap) and go on to the C library. */
#include <config.h>

#include "tests/unit/fail_syscall.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { ARGUMENTS = 5 }; /* at most, of those that the code under test makes */

long __real_syscall(long number, ...);
ssize_t __real_preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags);
long __wrap_syscall(long number, ...);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags);

static long failing = -1;
static int failure;
static unsigned failed;

void fail_syscall_arm(long number, int error)
{
    failing = number;
    failure = error;
    failed = 0;
}

unsigned fail_syscall_disarm(void)
{
    failing = -1;
    return failed;
}

static int fails(long number)
{
    if (number != failing)
        return 0;
    failed++;
    errno = failure;
    return 1;
}

long __wrap_syscall(long number, ...)
{
    long arguments[ARGUMENTS];
    va_list list;

    if (fails(number))
        return -1;
    va_start(list, number);
    for (unsigned i = 0; i < ARGUMENTS; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                          arguments[4]);
}

ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
    return fails(SYS_preadv2) ? -1 : __real_preadv2(fd, iov, count, at, flags);
}
