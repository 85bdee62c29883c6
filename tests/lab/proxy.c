/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab's proxy between an initiator and the target: proxy LISTEN-IP:PORT TARGET-IP:PORT.
 * Its commands are in proxy_command.c; each thing that happens to a connection is one event line on
 * stdout. It relays bytes in order and knows PDUs; SCSI is proxy_pdu.c's business.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxy.h"

#define READ_BYTES 65536u

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void px_connection_close_side(struct px_connection *connection, enum px_side side, bool reset)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };

    if (connection->fd[side] < 0)
        return;
    if (reset)
        setsockopt(connection->fd[side], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(connection->fd[side]);
    connection->fd[side] = -1;
}

void px_connection_end(struct px_connection *connection, bool reset)
{
    if (connection->number == 0)
        return;
    printf("{\"event\":\"closed\",\"connection\":%u}\n", connection->number);
    for (unsigned side = 0; side < PX_SIDES; side++) {
        px_connection_close_side(connection, (enum px_side)side, reset);
        px_queue_clear(&connection->out[side]);
        free(connection->in[side]);
    }
    *connection = (struct px_connection) { .fd = { -1, -1 } };
}

static void accept_client(struct proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    struct px_connection *connection = NULL;

    for (unsigned i = 0; i < PX_CONNECTIONS && connection == NULL; i++)
        connection = proxy->connections[i].number == 0 ? &proxy->connections[i] : NULL;
    if (client < 0 || target < 0 || connection == NULL ||
        connect(target, (struct sockaddr *)&proxy->target, sizeof(proxy->target)) != 0 ||
        fcntl(target, F_SETFL, O_NONBLOCK) != 0) {
        if (client >= 0)
            close(client);
        if (target >= 0)
            close(target);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    *connection =
        (struct px_connection) { .number = ++proxy->last_number, .fd = { client, target } };
    memset(connection->swallowed_tags, 0xff, sizeof(connection->swallowed_tags));
    printf("{\"event\":\"opened\",\"connection\":%u}\n", connection->number);
}

/* One whole PDU from `side`: judge it and queue what goes on. Returns false when the connection was
 * cut. */
static bool take_pdu(struct proxy *proxy, struct px_connection *connection, enum px_side side,
                     uint8_t *bytes, size_t length)
{
    enum px_side other = side == PX_CLIENT ? PX_TARGET : PX_CLIENT;
    struct px_pdu *answer = NULL, *pdu;
    uint64_t due = now_ms() + proxy->orders.rules[side].delay_ms;
    unsigned opcode = bytes[0] & 0x3fu;

    px_watch(proxy, connection, side, bytes);
    switch (px_judge(&proxy->orders, connection, side, bytes, length, &answer)) {
    case PX_CUT:
        printf("{\"event\":\"lost-answer\",\"connection\":%u}\n", connection->number);
        px_connection_end(connection, true);
        return false;
    case PX_SWALLOW:
        if (answer != NULL)
            px_queue_put(&connection->out[PX_CLIENT], answer);
        else
            printf("{\"event\":\"swallowed\",\"opcode\":%u}\n", opcode);
        return true;
    case PX_PASS:
        break;
    }
    if ((proxy->orders.rules[side].hold_ops >> opcode & 1u) != 0 && !connection->blocked[side]) {
        connection->blocked[side] = true;
        printf("{\"event\":\"held\",\"connection\":%u,\"opcode\":%u}\n", connection->number,
               opcode);
    }
    pdu = px_pdu_new(bytes, length, due);
    if (pdu == NULL) {
        px_connection_end(connection, true);
        return false;
    }
    px_queue_put(&connection->out[other], pdu);
    return true;
}

static bool grow_input(struct px_connection *connection, enum px_side side)
{
    size_t size = connection->in_size[side] * 2 > connection->in_length[side] + READ_BYTES
                      ? connection->in_size[side] * 2
                      : connection->in_length[side] + READ_BYTES;
    uint8_t *bytes;

    if (connection->in_size[side] - connection->in_length[side] >= READ_BYTES)
        return true;
    if (size > 2 * PX_MAX_PDU)
        return false;
    bytes = realloc(connection->in[side], size);
    if (bytes == NULL)
        return false;
    connection->in[side] = bytes;
    connection->in_size[side] = size;
    return true;
}

static void read_side(struct proxy *proxy, struct px_connection *connection, enum px_side side)
{
    size_t at = 0;
    ssize_t got;

    if (!grow_input(connection, side)) {
        px_connection_end(connection, true);
        return;
    }
    got =
        read(connection->fd[side], connection->in[side] + connection->in_length[side], READ_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        connection->closed[side] = true;
        return;
    }
    connection->in_length[side] += (size_t)got;
    while (connection->in_length[side] - at >= PX_BHS_BYTES) {
        size_t length = px_pdu_length(connection->in[side] + at);
        if (connection->in_length[side] - at < length)
            break;
        if (!take_pdu(proxy, connection, side, connection->in[side] + at, length))
            return;
        at += length;
    }
    memmove(connection->in[side], connection->in[side] + at, connection->in_length[side] - at);
    connection->in_length[side] -= at;
}

/* Whether what came from `side` must stay here for now. */
static bool is_held(const struct proxy *proxy, const struct px_connection *connection,
                    enum px_side side)
{
    return connection->blocked[side] || (proxy->orders.rules[side].hold && !connection->detached);
}

static bool may_send(const struct proxy *proxy, const struct px_connection *connection,
                     enum px_side to, uint64_t now)
{
    enum px_side from = to == PX_CLIENT ? PX_TARGET : PX_CLIENT;
    const struct px_pdu *pdu = connection->out[to].first;
    return pdu != NULL && connection->fd[to] >= 0 &&
           (pdu->sent > 0 || !is_held(proxy, connection, from)) && pdu->due_ms <= now;
}

static void write_side(struct proxy *proxy, struct px_connection *connection, enum px_side to,
                       uint64_t now)
{
    while (may_send(proxy, connection, to, now)) {
        struct px_pdu *pdu = connection->out[to].first;
        ssize_t put =
            send(connection->fd[to], pdu->bytes + pdu->sent, pdu->length - pdu->sent, MSG_NOSIGNAL);
        if (put < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (put < 0) {
            connection->closed[to] = true;
            px_queue_clear(&connection->out[to]);
            return;
        }
        pdu->sent += (size_t)put;
        if (pdu->sent < pdu->length)
            return;
        connection->out[to].first = pdu->next;
        free(pdu);
    }
}

/* A connection ends when one end closed and everything on its way out was delivered; a detached one
 * when its rest was. */
static void reap(struct proxy *proxy, struct px_connection *connection)
{
    if (connection->number == 0)
        return;
    if (connection->detached) {
        if (connection->closed[PX_TARGET] ||
            (connection->out[PX_TARGET].first == NULL && !is_held(proxy, connection, PX_CLIENT))) {
            printf("{\"event\":\"delivered\",\"connection\":%u}\n", connection->number);
            px_connection_end(connection, false);
        }
        return;
    }
    if ((connection->closed[PX_CLIENT] && connection->out[PX_TARGET].first == NULL) ||
        (connection->closed[PX_TARGET] && connection->out[PX_CLIENT].first == NULL))
        px_connection_end(connection, false);
}

static void read_commands(struct proxy *proxy)
{
    ssize_t got = read(STDIN_FILENO, proxy->line + proxy->line_length,
                       PX_LINE_BYTES - 1 - proxy->line_length);
    char *end;

    if (got <= 0) {
        proxy->stop = proxy->stop || got == 0;
        return;
    }
    proxy->line_length += (size_t)got;
    proxy->line[proxy->line_length] = '\0';
    while ((end = strchr(proxy->line, '\n')) != NULL) {
        *end = '\0';
        px_obey(proxy, proxy->line);
        proxy->line_length -= (size_t)(end + 1 - proxy->line);
        memmove(proxy->line, end + 1, proxy->line_length + 1);
    }
    if (proxy->line_length == PX_LINE_BYTES - 1)
        proxy->line_length = 0;
}

/* How long poll may sleep: until the next delayed PDU is due. */
static int poll_ms(const struct proxy *proxy, uint64_t now)
{
    uint64_t next = now + 1000;
    for (unsigned i = 0; i < PX_CONNECTIONS; i++) {
        for (unsigned side = 0; side < PX_SIDES; side++) {
            const struct px_pdu *pdu = proxy->connections[i].out[side].first;
            if (pdu != NULL && pdu->due_ms > now && pdu->due_ms < next)
                next = pdu->due_ms;
        }
    }
    return (int)(next - now);
}

static void turn(struct proxy *proxy)
{
    struct pollfd polls[2 + 2 * PX_CONNECTIONS];
    uint64_t now = now_ms();

    polls[0] = (struct pollfd) { .fd = STDIN_FILENO, .events = POLLIN };
    polls[1] = (struct pollfd) { .fd = proxy->listener, .events = POLLIN };
    for (unsigned i = 0; i < PX_CONNECTIONS; i++) {
        struct px_connection *connection = &proxy->connections[i];
        for (unsigned side = 0; side < PX_SIDES; side++) {
            bool open =
                connection->number != 0 && connection->fd[side] >= 0 && !connection->closed[side];
            bool writes = open && may_send(proxy, connection, (enum px_side)side, now);
            polls[2 + 2 * i + side] =
                (struct pollfd) { .fd = open ? connection->fd[side] : -1,
                                  .events = (short)(POLLIN | (writes ? POLLOUT : 0)) };
        }
    }
    if (poll(polls, 2 + 2 * PX_CONNECTIONS, poll_ms(proxy, now)) < 0)
        return;
    if (polls[0].revents != 0)
        read_commands(proxy);
    for (unsigned i = 0; i < PX_CONNECTIONS; i++) {
        struct px_connection *connection = &proxy->connections[i];
        for (unsigned side = 0; side < PX_SIDES; side++) {
            if ((polls[2 + 2 * i + side].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
                connection->fd[side] == polls[2 + 2 * i + side].fd)
                read_side(proxy, connection, (enum px_side)side);
        }
        for (unsigned side = 0; connection->number != 0 && side < PX_SIDES; side++)
            write_side(proxy, connection, (enum px_side)side, now_ms());
        reap(proxy, connection);
    }
    if (polls[1].revents != 0)
        accept_client(proxy);
}

static int parse_address(const char *word, struct sockaddr_in *ret_address)
{
    char host[64];
    unsigned port;

    memset(ret_address, 0, sizeof(*ret_address));
    if (sscanf(word, "%63[^:]:%u", host, &port) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &ret_address->sin_addr) != 1)
        return -1;
    ret_address->sin_family = AF_INET;
    ret_address->sin_port = htons((uint16_t)port);
    return 0;
}

static int listen_at(const struct sockaddr_in *address)
{
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 && listen(fd, 64) == 0)
        return fd;
    close(fd);
    return -1;
}

int main(int argc, char **argv)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    struct sockaddr_in here;

    if (proxy == NULL)
        return 1;
    if (argc != 3 || parse_address(argv[1], &here) != 0 ||
        parse_address(argv[2], &proxy->target) != 0) {
        fprintf(stderr, "usage: proxy LISTEN-IP:PORT TARGET-IP:PORT\n");
        free(proxy);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    proxy->orders.task_answer = PX_TASK_PASS;
    for (unsigned i = 0; i < PX_CONNECTIONS; i++)
        proxy->connections[i].fd[PX_CLIENT] = proxy->connections[i].fd[PX_TARGET] = -1;
    proxy->listener = listen_at(&here);
    if (proxy->listener < 0) {
        fprintf(stderr, "proxy: %s: %s\n", argv[1], strerror(errno));
        free(proxy);
        return 1;
    }
    printf("{\"event\":\"listening\"}\n");
    while (!proxy->stop)
        turn(proxy);
    for (unsigned i = 0; i < PX_CONNECTIONS; i++)
        px_connection_end(&proxy->connections[i], true);
    close(proxy->listener);
    free(proxy);
    return 0;
}
