/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a server of a vhost-user-blk disk takes from its start to its first answered read:
 *   serve_start --socket PATH [--target ADDRESS:PORT] -- COMMAND...
 * COMMAND is started and, once it has answered, ended. With --target the network is listened to:
 * the first Login Response that comes from that portal is when the LUN answered, which the server
 * can make neither faster nor slower (root). Prints "MILLISECONDS-FROM-EXEC
 * MILLISECONDS-FROM-LOGIN-RESPONSE"; without a target the second is "-".
 */
#include <config.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storage/vhost/vh_drive.h"
#include "tests/unit/watch_loop.h"

enum { BLOCK = 4096, QUEUE = 64, NS_PER_MS = 1000000, ALL_MS = 20000, END_MS = 5000 };
enum { LOGIN_RESPONSE = 0x23, OPCODE_MASK = 0x3f }; /* RFC 7143 11.13 */

struct start {
    struct watch_loop loop;
    const char *socket;
    struct sockaddr_in target;
    pid_t server;
    int64_t exec_ns, login_ns, served_ns;

    struct vh_drive *drive;
    bool connected, failed;
    struct iovec iov;
    struct vh_drive_op op;
};

static int64_t now(void)
{
    return hw_clock_now_ns(hw_clock_boottime());
}

/* --- the network --- */

/* TCP payload from the target's portal, or NULL. */
static const uint8_t *payload(const struct start *start, const uint8_t *packet, size_t bytes)
{
    const struct iphdr *ip = (const void *)packet;
    const struct tcphdr *tcp = (const void *)(packet + ip->ihl * 4u);
    size_t headers;

    if (bytes < sizeof(*ip) || bytes < ip->ihl * 4u + sizeof(*tcp) || ip->version != 4 ||
        ip->protocol != IPPROTO_TCP || ip->saddr != start->target.sin_addr.s_addr ||
        tcp->source != start->target.sin_port)
        return NULL;
    headers = ip->ihl * 4u + tcp->doff * 4u;
    return headers < bytes ? packet + headers : NULL;
}

/* When the kernel got it, on the clock of all else. */
static int64_t came_ns(struct msghdr *message)
{
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    struct timespec came, real;

    if (control == NULL || control->cmsg_type != SCM_TIMESTAMPNS ||
        clock_gettime(CLOCK_REALTIME, &real) < 0)
        return now();
    memcpy(&came, CMSG_DATA(control), sizeof(came));
    return now() -
           ((int64_t)(real.tv_sec - came.tv_sec) * 1000 * NS_PER_MS + real.tv_nsec - came.tv_nsec);
}

static void packet_came(void *context, int fd, short revents)
{
    struct start *start = context;
    static uint8_t packet[1 << 16] __attribute__((aligned(8)));
    uint8_t control[64] __attribute__((aligned(8)));
    struct iovec iov = { packet, sizeof(packet) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    const ssize_t got = recvmsg(fd, &message, 0);
    const uint8_t *pdu = got > 0 ? payload(start, packet, (size_t)got) : NULL;

    (void)revents;
    if (pdu == NULL || (pdu[0] & OPCODE_MASK) != LOGIN_RESPONSE)
        return;
    start->login_ns = came_ns(&message);
    watch_loop_set(&start->loop, fd, 0, packet_came, start);
    (void)close(fd);
}

static bool listen_in(struct start *start)
{
    const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)), yes = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes)) < 0)
        return false;
    watch_loop_set(&start->loop, fd, POLLIN, packet_came, start);
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

/* In order; killed if it does not go. */
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
    if (at + 1 >= argc || strcmp(argv[at], "--") != 0 || start.socket == NULL) {
        (void)fprintf(stderr,
                      "usage: serve_start --socket PATH [--target ADDRESS:PORT] -- COMMAND...\n");
        return 2;
    }
    good = (start.target.sin_port == 0 || listen_in(&start)) && make_front(&start) &&
           run(&start, argv + at + 1) && (start.target.sin_port == 0 || start.login_ns != 0);
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
