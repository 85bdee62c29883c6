/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a VM's processes lock themselves in: another user, no new privileges, no file but those that
 * are open, no system call but those of a written list. Each step is final, and the order is the
 * caller's: user, then paths, then calls; all of it before there is a second thread, since what the
 * kernel keeps for each thread (capabilities, no new privileges, paths) is given up by the calling
 * one and inherited by those it makes later. What the kernel does not offer (an old landlock) is
 * told, not silently left out. Linux only: landlock(7), seccomp(2), prctl(2).
 */
#ifndef HW_SANDBOX_H
#define HW_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/hw_error.h"

/*
 * Become this user and group for good, without other groups, core dumps or ptrace by others, and
 * with no way back to privileges (execve(2) included). `keep_rawio`: keep CAP_SYS_RAWIO alone,
 * which SCSI commands to a block device need. Where the caller is not root already, the user stays
 * and must be `uid`, or `uid` is 0: then only the rest is done. 0 or -errno with the message.
 */
int hw_sandbox_user(uid_t uid, gid_t gid, bool keep_rawio, struct hw_error *error);

/* Close every descriptor from `first` on but the `count` ones in `keep` (in any order). 0 or -errno
 * with the message. */
int hw_sandbox_close_fds(unsigned first, const int *keep, size_t count, struct hw_error *error);

struct hw_sandbox_reach {
    int landlock_abi; /* of the kernel; 0: it has no landlock, nothing below is enforced by it */
    bool files;       /* no file can be opened, made, removed by its path */
    bool tcp;         /* TCP only to the ports that were given, no listening (ABI 4) */
    bool scope;       /* no abstract sockets of, no signals to processes outside (ABI 6) */
};

/*
 * No path can be opened, made or removed any more; TCP goes out to `ports` only (NULL and 0: to
 * none). It binds the calling thread and those that it makes later, not those that are there
 * (landlock(7)). Descriptors that are open stay as they are. Needs no rights but no_new_privs,
 * which hw_sandbox_user() has set. 0, with what this kernel enforces in `ret_reach`; or -errno.
 */
int hw_sandbox_paths(const uint16_t *ports, size_t count, struct hw_sandbox_reach *ret_reach,
                     struct hw_error *error);

/* How an argument of an allowed call must be. */
enum hw_sandbox_test {
    HW_SANDBOX_ANY = 0, /* ends a list of tests */
    HW_SANDBOX_IS,      /* argument == value */
    HW_SANDBOX_WITHIN,  /* no bit outside value */
};

enum { HW_SANDBOX_TESTS = 3 };

/* A system call that is allowed, if all its tests hold. The same call may stand more than once. */
struct hw_sandbox_call {
    const char *name; /* as in syscalls(2); NULL ends a table. Unknown here: left out */
    struct {
        enum hw_sandbox_test test;
        unsigned argument; /* from 0 */
        uint64_t value;
    } tests[HW_SANDBOX_TESTS];
    int fails_with; /* 0: it is allowed; else it is not, but fails with this errno instead of
                       ending the process */
};

/*
 * Only the calls of these tables (a list ended by NULL) from now on, in all threads; any other one
 * ends the process by SIGSYS. Final, but a second, tighter filter may follow in a thread of its
 * own (`one_thread`). 0 or -errno with the message.
 */
int hw_sandbox_calls(const struct hw_sandbox_call *const *tables, bool one_thread,
                     struct hw_error *error);

/* Would this filter let the call `number` pass with some arguments? For tests. */
bool hw_sandbox_knows(const struct hw_sandbox_call *const *tables, int number);

/* What a C program with threads and memory cannot do without: its end, memory without execution,
 * locks, the clock, signals' return. */
extern const struct hw_sandbox_call hw_sandbox_basic[];
/* What the sanitizers of a test build need besides; empty in others. */
extern const struct hw_sandbox_call hw_sandbox_sanitizer[];

#endif
