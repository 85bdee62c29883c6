/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a server of a vhost-user-blk disk takes from its start to its first answered read:
 *   serve_start --socket PATH [--listen PORT --target ADDRESS:PORT] -- COMMAND...
 * COMMAND is started and, once it has answered, ended. With --target its iSCSI connections are made
 * to 127.0.0.1:PORT and are relayed to that portal; the first Login Response that passes is when
 * the LUN answered, which the server cannot make faster or slower.
 * Prints "MILLISECONDS-FROM-EXEC MILLISECONDS-FROM-LOGIN-RESPONSE"; without a target the second
 * is "-".
 */
#include <config.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/vhost/vh_drive.h"
#include "tests/unit/watch_loop.h"

enum { BLOCK = 4096, QUEUE = 64, LINKS = 8, NS_PER_MS = 1000000, ALL_MS = 20000, END_MS = 5000 };
enum { LOGIN_RESPONSE = 0x23, OPCODE_MASK = 0x3f }; /* RFC 7143 11.13 */

struct start {
    struct watch_loop loop;
    const char *socket;
    struct sockaddr_in target;
    int listen_port, listener;
    pid_t server;
    int64_t exec_ns, login_ns, served_ns;

    int links[LINKS][2]; /* from the server, to the target */
    unsigned link_count;

    struct vh_drive *drive;
    bool connected, failed;
    struct iovec iov;
    struct vh_drive_op op;
};

static int64_t now(void)
{
    return hw_clock_now_ns(hw_clock_boottime());
}

/* --- the relay --- */

static bool send_all(int fd, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

/* Bytes from one side to the other; what ends on one side ends on both. */
static void relay(void *context, int fd, short revents)
{
    struct start *start = context;
    static uint8_t bytes[1 << 16];
    unsigned link = 0, side;
    ssize_t got;

    (void)revents;
    while (start->links[link][0] != fd && start->links[link][1] != fd)
        link++;
    side = start->links[link][1] == fd;
    got = recv(fd, bytes, sizeof(bytes), 0);
    if (side == 1 && got > 0 && start->login_ns == 0 && (bytes[0] & OPCODE_MASK) == LOGIN_RESPONSE)
        start->login_ns = now();
    if (got > 0 && send_all(start->links[link][!side], bytes, (size_t)got))
        return;
    for (side = 0; side < 2; side++) {
        watch_loop_set(&start->loop, start->links[link][side], 0, relay, start);
        (void)close(start->links[link][side]);
        start->links[link][side] = -1;
    }
}

static void accept_link(void *context, int fd, short revents)
{
    struct start *start = context;
    const int from = accept(fd, NULL, NULL), to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;

    (void)revents;
    if (from < 0 || to < 0 || start->link_count == LINKS ||
        setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
        setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
        connect(to, (struct sockaddr *)&start->target, sizeof(start->target)) < 0) {
        start->failed = true;
        return;
    }
    start->links[start->link_count][0] = from;
    start->links[start->link_count++][1] = to;
    watch_loop_set(&start->loop, from, POLLIN, relay, start);
    watch_loop_set(&start->loop, to, POLLIN, relay, start);
}

static bool listen_at(struct start *start)
{
    const struct sockaddr_in own = { .sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)start->listen_port),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int yes = 1;

    start->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (start->listener < 0 ||
        setsockopt(start->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(start->listener, (const struct sockaddr *)&own, sizeof(own)) < 0 ||
        listen(start->listener, LINKS) < 0)
        return false;
    watch_loop_set(&start->loop, start->listener, POLLIN, accept_link, start);
    return true;
}

/* --- the front end --- */

static void done(struct vh_drive_op *op, enum vh_blk_status status)
{
    struct start *start = op->context;

    start->served_ns = now();
    start->failed = start->failed || status != VH_BLK_OK;
}

static void ready(void *context, int fd, short revents)
{
    vh_drive_service(((struct start *)context)->drive, fd, revents);
}

static void watch(void *context, int fd, short events)
{
    struct start *start = context;

    watch_loop_set(&start->loop, fd, events, ready, start);
}

static void state(void *context, bool up, const char *text)
{
    struct start *start = context;

    (void)text;
    start->failed = start->failed || !up;
}

static bool make_front(struct start *start)
{
    const struct vh_drive_callbacks callbacks = { .watch = watch,
                                                  .state = state,
                                                  .context = start };
    struct vh_drive_region region = { .bytes = BLOCK };

    region.fd = memfd_create("serve_start", MFD_CLOEXEC);
    if (region.fd < 0 || ftruncate(region.fd, BLOCK) < 0)
        return false;
    region.address = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd, 0);
    if (region.address == MAP_FAILED ||
        vh_drive_new(QUEUE, &region, 1, &callbacks, &start->drive) < 0)
        return false;
    start->iov = (struct iovec) { region.address, BLOCK };
    start->op = (struct vh_drive_op) {
        .type = VH_BLK_IN, .iov = &start->iov, .iov_count = 1, .done = done, .context = start
    };
    return vh_drive_submit(start->drive, &start->op) == 0; /* waits for the device */
}

/* --- the server --- */

static bool run(struct start *start, char **command)
{
    int64_t end_ns;

    (void)unlink(start->socket);
    start->exec_ns = now();
    end_ns = start->exec_ns + (int64_t)ALL_MS * NS_PER_MS;
    start->server = fork();
    if (start->server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* our own line stands there */
        (void)execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    if (start->server < 0)
        return false;
    while (start->served_ns == 0 && !start->failed) {
        if (!start->connected)
            start->connected = vh_drive_connect(start->drive, start->socket) == 0;
        (void)watch_loop_turn(&start->loop, 1);
        if (now() > end_ns || waitpid(start->server, NULL, WNOHANG) == start->server) {
            (void)fprintf(stderr, "serve_start: the server ended, or does not answer\n");
            return false;
        }
    }
    return !start->failed;
}

/* In order, with its connections relayed; killed if it does not go. */
static void end(struct start *start)
{
    const int64_t end_ns = now() + (int64_t)END_MS * NS_PER_MS;

    if (start->server <= 0 || kill(start->server, SIGTERM) < 0)
        return;
    while (waitpid(start->server, NULL, WNOHANG) == 0) {
        (void)watch_loop_turn(&start->loop, 1);
        if (now() > end_ns)
            (void)kill(start->server, SIGKILL);
    }
}

static bool set_target(struct start *start, const char *text)
{
    char address[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');

    if (colon == NULL || (size_t)(colon - text) >= sizeof(address))
        return false;
    memcpy(address, text, (size_t)(colon - text));
    address[colon - text] = '\0';
    start->target.sin_family = AF_INET;
    start->target.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return inet_pton(AF_INET, address, &start->target.sin_addr) == 1;
}

static bool set_option(struct start *start, const char *name, const char *value)
{
    if (strcmp(name, "--socket") == 0)
        start->socket = value;
    else if (strcmp(name, "--listen") == 0)
        start->listen_port = atoi(value);
    else if (strcmp(name, "--target") == 0)
        return set_target(start, value);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    static struct start start;
    bool good;
    int at = 1;

    while (at + 1 < argc && strcmp(argv[at], "--") != 0 &&
           set_option(&start, argv[at], argv[at + 1]))
        at += 2;
    if (at + 1 >= argc || strcmp(argv[at], "--") != 0 || start.socket == NULL ||
        (start.listen_port != 0) != (start.target.sin_port != 0)) {
        (void)fprintf(stderr, "usage: serve_start --socket PATH [--listen PORT --target "
                              "ADDRESS:PORT] -- COMMAND...\n");
        return 2;
    }
    good = (start.listen_port == 0 || listen_at(&start)) && make_front(&start) &&
           run(&start, argv + at + 1) && (start.listen_port == 0 || start.login_ns != 0);
    vh_drive_free(start.drive);
    start.drive = NULL;
    end(&start);
    if (!good)
        return 1;
    printf("%.3f ", (double)(start.served_ns - start.exec_ns) / NS_PER_MS);
    if (start.login_ns != 0)
        printf("%.3f\n", (double)(start.served_ns - start.login_ns) / NS_PER_MS);
    else
        printf("-\n");
    return 0;
}
