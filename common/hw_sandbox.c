/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User, descriptors and system calls of a locked-in process; paths are in hw_sandbox_paths.c.
 */
#include <config.h>

#include "common/hw_sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(struct hw_error *error, const char *what)
{
    return hw_error_setf(error, HW_ERROR_FAILED, errno, "sandbox",
                         "see the kernel's log; it must not run without", "%s: %s", what,
                         strerror(errno));
}

/* --- user --- */

/* Exactly these capabilities, permitted and effective. */
static int set_capabilities(uint32_t mask)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        { .effective = mask, .permitted = mask },
    };

    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int change_user(uid_t uid, gid_t gid, bool keep_rawio, struct hw_error *error)
{
    const uint32_t mask = keep_rawio ? 1u << CAP_SYS_RAWIO : 0;

    if (prctl(PR_SET_KEEPCAPS, keep_rawio ? 1 : 0, 0, 0, 0) < 0)
        return fail(error, "capabilities cannot be kept");
    if (setgroups(0, NULL) < 0)
        return fail(error, "groups cannot be given up");
    if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return fail(error, "the user cannot be changed");
    if (set_capabilities(mask) < 0)
        return fail(error, "capabilities cannot be given up");
    return 0;
}

/* In every respect, so that there is no way back. */
static bool is_user(uid_t uid)
{
    uid_t real, effective, saved;

    return getresuid(&real, &effective, &saved) == 0 && real == uid && effective == uid &&
           saved == uid;
}

int hw_sandbox_user(uid_t uid, gid_t gid, bool keep_rawio, struct hw_error *error)
{
    const struct rlimit none = { 0, 0 };
    int rc;

    if (geteuid() == 0 && uid != 0) {
        rc = change_user(uid, gid, keep_rawio, error);
        if (rc < 0)
            return rc;
    } else if (uid != 0 && !is_user(uid)) {
        errno = EPERM;
        return fail(error, "only root can become another user");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(error, "privileges cannot be given up");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return fail(error, "core dumps cannot be switched off");
    return 0;
}

/* --- descriptors --- */

static int compare_fds(const void *a, const void *b)
{
    const int one = *(const int *)a, other = *(const int *)b;

    return one < other ? -1 : one > other;
}

static int close_from_to(unsigned first, unsigned last)
{
    return first > last || syscall(SYS_close_range, first, last, 0) == 0 ? 0 : -errno;
}

int hw_sandbox_close_fds(unsigned first, const int *keep, size_t count, struct hw_error *error)
{
    int *sorted = malloc((count + 1) * sizeof(*sorted));
    int rc = 0;

    if (sorted == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "sandbox", "out of memory", NULL);
    if (count > 0)
        memcpy(sorted, keep, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_fds);
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (sorted[i] < 0 || (unsigned)sorted[i] < first)
            continue;
        if (sorted[i] > 0)
            rc = close_from_to(first, (unsigned)sorted[i] - 1);
        first = (unsigned)sorted[i] + 1;
    }
    if (rc == 0)
        rc = close_from_to(first, ~0u);
    free(sorted);
    if (rc < 0) {
        errno = -rc;
        return fail(error, "descriptors cannot be closed");
    }
    return 0;
}

/* --- system calls --- */

const struct hw_sandbox_call hw_sandbox_basic[] = {
    { .name = "exit" },
    { .name = "exit_group" },
    { .name = "rt_sigreturn" },
    { .name = "rt_sigprocmask" },
    { .name = "restart_syscall" },
    { .name = "futex" },
    { .name = "sched_yield" },
    { .name = "clock_gettime" },
    { .name = "clock_nanosleep" },
    { .name = "gettimeofday" },
    { .name = "time" },
    { .name = "getpid" },
    { .name = "gettid" },
    { .name = "getrandom" },
    { .name = "brk" },
    { .name = "munmap" },
    { .name = "mremap" },
    { .name = "madvise" },
    /* no page is ever made executable */
    { .name = "mmap", .tests = { { HW_SANDBOX_WITHIN, 2, PROT_READ | PROT_WRITE } } },
    { .name = "mprotect", .tests = { { HW_SANDBOX_WITHIN, 2, PROT_READ | PROT_WRITE } } },
    { .name = "close" },
    { .name = "read" },
    { .name = "write" },
    /* abort(3) */
    { .name = "tgkill" },
    { .name = "rt_sigaction" },
    { .name = NULL },
};

const struct hw_sandbox_call hw_sandbox_sanitizer[] = {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_UNDEFINED__)
    { .name = "sigaltstack" },
    { .name = "getrusage" },
    { .name = "openat", .fails_with = EACCES },
    { .name = "readlink", .fails_with = EACCES },
    { .name = "prctl" },
    { .name = "sched_getaffinity" },
#endif
    { .name = NULL },
};

static struct scmp_arg_cmp comparison(enum hw_sandbox_test test, unsigned argument, uint64_t value)
{
    struct scmp_arg_cmp comparison = { .arg = argument, .op = SCMP_CMP_EQ, .datum_a = value };

    if (test == HW_SANDBOX_WITHIN) { /* the bits outside are all zero */
        comparison.op = SCMP_CMP_MASKED_EQ;
        comparison.datum_a = ~value;
        comparison.datum_b = 0;
    }
    return comparison;
}

static int add_call(scmp_filter_ctx filter, const struct hw_sandbox_call *call)
{
    uint32_t action =
        call->fails_with != 0 ? SCMP_ACT_ERRNO((uint32_t)call->fails_with) : SCMP_ACT_ALLOW;
    struct scmp_arg_cmp tests[HW_SANDBOX_TESTS];
    unsigned count = 0;
    int number = seccomp_syscall_resolve_name(call->name);

    if (number == __NR_SCMP_ERROR)
        return 0;
    while (count < HW_SANDBOX_TESTS && call->tests[count].test != HW_SANDBOX_ANY) {
        tests[count] = comparison(call->tests[count].test, call->tests[count].argument,
                                  call->tests[count].value);
        count++;
    }
    return seccomp_rule_add_array(filter, action, number, count, tests);
}

int hw_sandbox_calls(const struct hw_sandbox_call *const *tables, bool one_thread,
                     struct hw_error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int rc = filter == NULL ? -ENOMEM : 0;

    if (rc == 0 && !one_thread)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (rc == 0) /* a search tree: the list is long and each call pays for it */
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (; rc == 0 && *tables != NULL; tables++)
        for (const struct hw_sandbox_call *call = *tables; rc == 0 && call->name != NULL; call++)
            rc = add_call(filter, call);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc < 0) {
        errno = -rc;
        return fail(error, "system calls cannot be limited");
    }
    return 0;
}

bool hw_sandbox_knows(const struct hw_sandbox_call *const *tables, int number)
{
    for (; *tables != NULL; tables++)
        for (const struct hw_sandbox_call *call = *tables; call->name != NULL; call++)
            if (seccomp_syscall_resolve_name(call->name) == number)
                return true;
    return false;
}
