/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/serve/sv_sandbox: a child that is locked in like hawser-lun tries to get out, by name.
 * (That each system call outside of the list ends it is seen in test_sv_server.) And the ring of a
 * file: LUN, which no list of system calls sees into, takes nothing but what it is made for.
 */
#include "config.h"

#include "storage/serve/sv_sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/sto_pr.h"
#include "tests/unit/lun_file.h"
#include "tests/unit/unit.h"

enum { DONE = 0, NOT_LOCKED_IN = 99, MPTCP = 262 };

static struct sockaddr_un path_address, abstract_address;
static socklen_t abstract_bytes;
static struct sockaddr_in portal, elsewhere; /* both listen */

/* --- what the child tries: 0 if it could, else -1 with errno --- */

static int inet_to(int type, int protocol, const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, type, protocol);

    return fd < 0 ? -1 : connect(fd, (const struct sockaddr *)to, sizeof(*to));
}

static int to_its_portal(void)
{
    return inet_to(SOCK_STREAM, 0, &portal);
}

static int to_another_port(void)
{
    return inet_to(SOCK_STREAM, 0, &elsewhere);
}

static int by_mptcp(void)
{
    return inet_to(SOCK_STREAM, MPTCP, &elsewhere);
}

static int by_datagram(void)
{
    return inet_to(SOCK_DGRAM, 0, &elsewhere);
}

static int by_fast_open(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&elsewhere,
                  sizeof(elsewhere)) < 0
               ? -1
               : 0;
}

static int raw_packets(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static int listens(void)
{
    return listen(socket(AF_INET, SOCK_STREAM, 0), 1);
}

static int to_a_unix_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&path_address, sizeof(path_address));
}

static int to_an_abstract_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&abstract_address, abstract_bytes);
}

static int opens(void)
{
    return (int)syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static int forks(void)
{
    return (int)syscall(SYS_fork);
}

static int executes(void)
{
    char *const arguments[] = { NULL };

    return (int)syscall(SYS_execve, "/bin/true", arguments, arguments);
}

static int traces(void)
{
    return (int)syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL);
}

static int mounts(void)
{
    return (int)syscall(SYS_mount, "none", "/tmp", "tmpfs", 0UL, NULL);
}

static int makes_code(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? -1 : 0;
}

static int makes_a_ring(void)
{
    struct io_uring_params params = { 0 };

    return (int)syscall(SYS_io_uring_setup, 1, &params);
}

/* --- the child --- */

/* How it ended: DONE, an errno, or -signal. */
static int locked_in(int (*try)(void), struct hw_sandbox_reach *reach)
{
    const uint16_t port = ntohs(portal.sin_port);
    int status, pipe_fds[2];
    pid_t child;

    CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        int rc = sv_sandbox_enter(geteuid() == 0 ? 64000 : 0, &port, 1, reach, NULL);

        (void)!write(pipe_fds[1], reach, sizeof(*reach));
        if (rc < 0 || sv_sandbox_calls(NULL) < 0)
            syscall(SYS_exit_group, NOT_LOCKED_IN);
        rc = try();
        syscall(SYS_exit_group, rc < 0 ? errno : DONE);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(read(pipe_fds[0], reach, sizeof(*reach)), (ssize_t)sizeof(*reach));
    close(pipe_fds[0]), close(pipe_fds[1]);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int listen_tcp(struct sockaddr_in *ret_address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t bytes = sizeof(*ret_address);

    *ret_address =
        (struct sockaddr_in) { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)ret_address, sizeof(*ret_address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 8), 0);
    CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)ret_address, &bytes), 0);
    return fd;
}

static int listen_unix(struct sockaddr_un *address, socklen_t bytes)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)address, bytes), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 8), 0);
    return fd;
}

/* As many keys as an answer may hold, the greatest first. */
static int reads_all_keys(void)
{
    static uint8_t answer[8 + 8 * STO_PR_KEYS];
    static struct sto_pr_keys keys;

    answer[6] = (8 * STO_PR_KEYS) >> 8, answer[7] = (8 * STO_PR_KEYS) & 0xff;
    for (unsigned i = 0; i < STO_PR_KEYS; i++)
        answer[8 + 8 * i] = 1, answer[8 + 8 * i + 6] = (uint8_t)((STO_PR_KEYS - i) >> 8),
                       answer[8 + 8 * i + 7] = (uint8_t)(STO_PR_KEYS - i);
    if (sto_pr_decode_keys(answer, sizeof(answer), &keys) < 0 || keys.count != STO_PR_KEYS ||
        keys.keys[0] > keys.keys[1])
        return EBADMSG;
    return DONE;
}

static void stays_in(void)
{
    static const struct {
        const char *name;
        int (*try)(void);
        bool by_landlock; /* which an old kernel does not have */
    } rows[] = {
        { "another port", to_another_port, true },
        { "another port by MPTCP", by_mptcp, false },
        { "a datagram", by_datagram, false },
        { "another port by fast open", by_fast_open, false },
        { "raw packets", raw_packets, false },
        { "listening", listens, false },
        { "a unix socket", to_a_unix_socket, false },
        { "an abstract socket", to_an_abstract_socket, false },
        { "a file", opens, false },
        { "fork", forks, false },
        { "execve", executes, false },
        { "ptrace", traces, false },
        { "mount", mounts, false },
        { "executable memory", makes_code, false },
        { "another ring", makes_a_ring, false },
    };
    struct hw_sandbox_reach reach = { 0 };
    int fds[4];

    path_address = abstract_address = (struct sockaddr_un) { .sun_family = AF_UNIX };
    snprintf(path_address.sun_path, sizeof(path_address.sun_path), "/tmp/hawser-unit-%d.s",
             (int)getpid());
    abstract_bytes = (socklen_t)(sizeof(sa_family_t) + 1 +
                                 (unsigned)snprintf(abstract_address.sun_path + 1, 32,
                                                    "hawser-unit-%d", (int)getpid()));
    fds[0] = listen_tcp(&portal), fds[1] = listen_tcp(&elsewhere);
    fds[2] = listen_unix(&path_address, sizeof(path_address));
    fds[3] = listen_unix(&abstract_address, abstract_bytes);
    CU_ASSERT_EQUAL(chmod(path_address.sun_path, 0666), 0); /* not its rights keep it out */
    CU_ASSERT_EQUAL(locked_in(to_its_portal, &reach), DONE);
    CU_ASSERT_EQUAL(locked_in(reads_all_keys, &reach), DONE);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int how = locked_in(rows[i].try, &reach);
        const bool out = how == DONE && !(rows[i].by_landlock && !reach.tcp);

        CU_ASSERT_FALSE(out);
        CU_ASSERT_TRUE(how == -SIGSYS || how >= 0);
        CU_ASSERT_NOT_EQUAL(how, NOT_LOCKED_IN);
        if (out)
            printf("# it gets out: %s\n", rows[i].name);
    }
    for (unsigned i = 0; i < 4; i++)
        close(fds[i]);
    unlink(path_address.sun_path);
}

/* --- the ring --- */

static int find_ring(void)
{
    for (int fd = 3; fd < 64; fd++) {
        char link[40], target[64] = "";

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof(target) - 1) > 0 &&
            strcmp(target, "anon_inode:[io_uring]") == 0)
            return fd;
    }
    return -1;
}

/* A ring that is restricted refuses every registration that was not allowed, before it looks at it
 * (io_uring_register(2)); one that is not says what it can do. */
static void ring_is_restricted(void)
{
    uint64_t probe[(sizeof(struct io_uring_probe) + 8 * sizeof(struct io_uring_probe_op)) / 8] = {
        0
    };
    struct lun_file file;
    char data[512] = { 1 };
    int fd;

    lun_file_make(&file);
    lun_file_start(&file, "", NULL);
    CU_ASSERT_EQUAL(lun_file_move(&file, STO_OP_WRITE, 0, data, sizeof(data), NULL), STO_OK);
    fd = find_ring();
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, probe, 8), -1);
    CU_ASSERT_EQUAL(errno, EACCES);
    lun_file_end(&file);
}

const struct unit_case unit_cases[] = {
    { "there is no way out but to its portals", stays_in },
    { "the ring takes nothing but what it is made for", ring_is_restricted },
    { 0 },
};
