/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_sandbox, common/hw_sandbox_paths: each step is tried in a child that locks itself in
 * and then tries to break out: every system call outside the list, memory to execute, paths,
 * sockets, descriptors, the user it was.
 */
#include <config.h>

#include "common/hw_sandbox.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OTHER_USER = 64321, CALLS_END = 470 };

/* Run in a child; its exit status, or -signal. */
static int in_child(int (*what)(int argument), int argument)
{
    int status;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0)
        syscall(SYS_exit_group, what(argument));
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static const struct hw_sandbox_call extra[] = {
    { .name = "socket", .tests = { { HW_SANDBOX_IS, 0, AF_INET } } },
    { .name = "socket", .tests = { { HW_SANDBOX_IS, 0, AF_NETLINK } }, .fails_with = EAFNOSUPPORT },
    { .name = "no_such_call_anywhere" },
    { .name = NULL },
};
static const struct hw_sandbox_call *const tables[] = { hw_sandbox_basic, hw_sandbox_sanitizer,
                                                        extra, NULL };

static int try_call(int number)
{
    if (hw_sandbox_user(0, 0, false, NULL) < 0 || hw_sandbox_calls(tables, false, NULL) < 0)
        return 99;
    (void)syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
    return 0;
}

/* Newer kernels let these past every filter: they do nothing but at a probe that root has set. */
static bool is_of_uprobes(int number)
{
    return number == 335 || number == 336;
}

static void ends_at_every_other_call(void)
{
    unsigned tried = 0;

    for (int number = 0; number < CALLS_END; number++) {
        if (hw_sandbox_knows(tables, number) || is_of_uprobes(number))
            continue;
        CU_ASSERT_EQUAL(in_child(try_call, number), -SIGSYS);
        tried++;
    }
    CU_ASSERT_TRUE(tried > 300);
    CU_ASSERT_EQUAL(in_child(try_call, SYS_getpid), 0);
    CU_ASSERT_TRUE(hw_sandbox_knows(tables, SYS_futex));
    CU_ASSERT_FALSE(hw_sandbox_knows(tables, SYS_execve));
}

enum { MAP_CODE, PROTECT_CODE, MAP_DATA, SOCKET_INET, SOCKET_NETLINK, SOCKET_UNIX };

static int try_arguments(int which)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (hw_sandbox_user(0, 0, false, NULL) < 0 || hw_sandbox_calls(tables, false, NULL) < 0)
        return 99;
    switch (which) {
    case MAP_CODE:
        (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return 0;
    case PROTECT_CODE:
        return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : 1;
    case MAP_DATA:
        return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                       MAP_FAILED
                   ? 7
                   : 1;
    case SOCKET_INET:
        return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 7 : 1;
    case SOCKET_NETLINK:
        return socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EAFNOSUPPORT ? 7 : 1;
    default:
        return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : 1;
    }
}

static void looks_at_arguments(void)
{
    CU_ASSERT_EQUAL(in_child(try_arguments, MAP_CODE), -SIGSYS);
    CU_ASSERT_EQUAL(in_child(try_arguments, PROTECT_CODE), -SIGSYS);
    CU_ASSERT_EQUAL(in_child(try_arguments, MAP_DATA), 7);
    CU_ASSERT_EQUAL(in_child(try_arguments, SOCKET_INET), 7);
    CU_ASSERT_EQUAL(in_child(try_arguments, SOCKET_NETLINK), 7);
    CU_ASSERT_EQUAL(in_child(try_arguments, SOCKET_UNIX), -SIGSYS);
}

/* --- paths --- */

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;

    (void)close(fd);
    return rc;
}

/* Bits of what was wrong. */
static int try_paths(int port)
{
    const uint16_t ports[] = { (uint16_t)port };
    struct hw_sandbox_reach reach;
    int wrong = 0, fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    char byte = 1;

    if (hw_sandbox_user(0, 0, false, NULL) < 0 || hw_sandbox_paths(ports, 1, &reach, NULL) < 0)
        return 99;
    if (reach.landlock_abi == 0)
        return 77;
    wrong |= open("/dev/zero", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES ? 1 : 0;
    wrong |= open("/tmp/hawser-sandbox-test", O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 2 : 0;
    wrong |= read(fd, &byte, 1) != 1 || byte != 0 ? 4 : 0; /* what is open stays */
    wrong |= reach.files ? 0 : 8;
    if (reach.tcp) { /* nobody listens there: refused is allowed, EACCES is not */
        wrong |= connect_to((uint16_t)port) != ECONNREFUSED ? 16 : 0;
        wrong |= connect_to((uint16_t)(port + 1)) != EACCES ? 32 : 0;
    }
    return wrong;
}

static void closes_paths_off(void)
{
    int rc = in_child(try_paths, 59999);

    if (rc == 77)
        unit_skip("no landlock in this kernel");
    else
        CU_ASSERT_EQUAL(rc, 0);
}

/* --- descriptors and user --- */

static int try_descriptors(int unused)
{
    int fds[6], keep[2], wrong = 0;

    (void)unused;
    for (unsigned i = 0; i < 6; i++)
        fds[i] = fcntl(STDIN_FILENO, F_DUPFD, 40 + (int)i);
    keep[0] = fds[4];
    keep[1] = fds[1];
    if (hw_sandbox_close_fds(3, keep, 2, NULL) < 0)
        return 99;
    for (unsigned i = 0; i < 6; i++)
        wrong |= (fcntl(fds[i], F_GETFD) >= 0) != (i == 1 || i == 4) ? 1 << i : 0;
    wrong |= fcntl(STDERR_FILENO, F_GETFD) < 0 ? 64 : 0;
    return wrong;
}

static void closes_other_descriptors(void)
{
    CU_ASSERT_EQUAL(in_child(try_descriptors, 0), 0);
}

/* The capabilities that the process has, from /proc. */
static unsigned long long capabilities(void)
{
    FILE *status = fopen("/proc/thread-self/status", "re");
    unsigned long long mask = ~0ull;
    char line[256];

    while (status != NULL && fgets(line, sizeof(line), status) != NULL)
        (void)sscanf(line, "CapEff: %llx", &mask);
    if (status != NULL)
        (void)fclose(status);
    return mask;
}

static int try_user(int keep_rawio)
{
    const unsigned long long wanted = keep_rawio ? 1ull << 17 : 0;
    int wrong = 0;

    if (hw_sandbox_user(OTHER_USER, OTHER_USER, keep_rawio != 0, NULL) < 0)
        return 99;
    wrong |= getuid() != OTHER_USER || geteuid() != OTHER_USER || getegid() != OTHER_USER ? 1 : 0;
    wrong |= getgroups(0, NULL) != 0 ? 2 : 0;
    wrong |= setuid(0) == 0 || setresuid(0, 0, 0) == 0 ? 4 : 0;
    wrong |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ? 8 : 0;
    wrong |= prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ? 16 : 0;
    wrong |= capabilities() != wanted ? 32 : 0;
    return wrong;
}

static int become_nobody(int unused)
{
    (void)unused;
    return hw_sandbox_user(OTHER_USER + 1, OTHER_USER + 1, false, NULL) == -EPERM ? 0 : 1;
}

/* Whoever only looks like that user, and could go back, is not that user. */
static int look_like_another(int unused)
{
    (void)unused;
    if (seteuid(OTHER_USER) < 0)
        return 99;
    return hw_sandbox_user(OTHER_USER, OTHER_USER, false, NULL) == -EPERM ? 0 : 1;
}

static void becomes_another_user(void)
{
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL(in_child(try_user, 0), 0);
        CU_ASSERT_EQUAL(in_child(try_user, 1), 0);
        CU_ASSERT_EQUAL(in_child(look_like_another, 0), 0);
    } else {
        unit_skip("not root: only that nobody can become another user");
        CU_ASSERT_EQUAL(in_child(become_nobody, 0), 0);
    }
}

const struct unit_case unit_cases[] = {
    { "every other system call ends the process", ends_at_every_other_call },
    { "arguments of calls", looks_at_arguments },
    { "paths and ports", closes_paths_off },
    { "descriptors", closes_other_descriptors },
    { "user, groups, capabilities", becomes_another_user },
    { 0 },
};
