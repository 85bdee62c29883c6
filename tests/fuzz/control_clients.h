/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to a control socket for fuzz targets: the input is what one of them sends; bytes 1 to
 * 7 are not sent but do something else. What each hears must be whole lines of JSON.
 */
#ifndef CONTROL_CLIENTS_H
#define CONTROL_CLIENTS_H

#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum { CLIENTS = 3, CLIENTS_MANY = 64 };
/* What a byte does; two are the target's own. */
enum {
    CLIENTS_ACT_NEXT = 1,
    CLIENTS_ACT_RECONNECT,
    CLIENTS_ACT_READ,
    CLIENTS_ACT_OWN,
    CLIENTS_ACT_OTHER,
    CLIENTS_ACT_PAD,
    CLIENTS_ACT_MANY
};

struct control_clients {
    int listener; /* not closed here */
    int fds[CLIENTS];
    bool lost_text[CLIENTS];     /* it was told something that it did not read */
    unsigned now;                /* who sends */
    int first_free;              /* the lowest free descriptor before anything was made */
    void (*turn)(void *context); /* let the server do what there is to do */
    void *context;
};

/* Whole lines of a connection that was read from its start: each an answer or an event. */
static inline void control_clients_judge(const char *text, size_t bytes)
{
    const char *end;

    while ((end = memchr(text, '\n', bytes)) != NULL) {
        json_t *line = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, NULL);

        fuzz_require(json_is_object(line));
        fuzz_require(json_is_boolean(json_object_get(line, "ok")) ||
                     json_is_string(json_object_get(line, "event")));
        json_decref(line);
        bytes -= (size_t)(end + 1 - text);
        text = end + 1;
    }
}

/* Read what there is for this one. */
static inline void control_clients_read(struct control_clients *clients, unsigned i)
{
    char text[16 * 1024];
    const ssize_t got = recv(clients->fds[i], text, sizeof(text), MSG_DONTWAIT);

    if (got > 0 && !clients->lost_text[i])
        control_clients_judge(text, (size_t)got);
    clients->lost_text[i] = clients->lost_text[i] || (got > 0 && text[got - 1] != '\n');
    clients->turn(clients->context);
}

/* A new connection in this one's place. */
static inline void control_clients_reconnect(struct control_clients *clients, unsigned i)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);

    if (clients->fds[i] >= 0)
        close(clients->fds[i]);
    clients->fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    clients->lost_text[i] = false;
    fuzz_require(getsockname(clients->listener, (struct sockaddr *)&address, &length) == 0);
    fuzz_require(connect(clients->fds[i], (struct sockaddr *)&address, length) == 0);
    clients->turn(clients->context);
}

/* A listening socket without a name, before there is a server. */
static inline int control_clients_listen(struct control_clients *clients)
{
    const struct sockaddr_un address = { .sun_family = AF_UNIX };

    clients->first_free = dup(STDERR_FILENO);
    close(clients->first_free);
    (void)signal(SIGPIPE, SIG_IGN);
    json_object_seed(1); /* the same input does the same again */
    clients->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fuzz_require(bind(clients->listener, (const struct sockaddr *)&address, sizeof(sa_family_t)) ==
                 0);
    fuzz_require(listen(clients->listener, CLIENTS) == 0);
    return clients->listener;
}

/* With a server there, connect all. */
static inline void control_clients_begin(struct control_clients *clients)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients->fds[i] = -1;
        control_clients_reconnect(clients, i);
    }
}

/* Read and leave, all of them. */
static inline void control_clients_end(struct control_clients *clients)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        control_clients_read(clients, i);
        close(clients->fds[i]);
    }
    clients->turn(clients->context);
}

/* With the server gone: nothing was left open. */
static inline void control_clients_check(const struct control_clients *clients)
{
    const int next = dup(STDERR_FILENO); /* the lowest free number */

    fuzz_require(next == clients->first_free);
    close(next);
}

/* These bytes come to the server. */
static inline void control_clients_send(struct control_clients *clients, const void *data,
                                        size_t bytes)
{
    (void)send(clients->fds[clients->now], data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    clients->turn(clients->context);
}

/* A byte that is not sent. */
static inline void control_clients_act(struct control_clients *clients, uint8_t what)
{
    static const char status[] = "{\"command\":\"status\"}\n";
    char many[CLIENTS_MANY * (sizeof(status) - 1)];

    memset(many, ' ', sizeof(many));
    if (what == CLIENTS_ACT_NEXT)
        clients->now = (clients->now + 1) % CLIENTS;
    else if (what == CLIENTS_ACT_RECONNECT)
        control_clients_reconnect(clients, clients->now);
    else if (what == CLIENTS_ACT_READ)
        control_clients_read(clients, clients->now);
    else if (what == CLIENTS_ACT_PAD)
        control_clients_send(clients, many, sizeof(many));
    for (unsigned i = 0; i < CLIENTS_MANY; i++)
        memcpy(many + i * (sizeof(status) - 1), status, sizeof(status) - 1);
    if (what == CLIENTS_ACT_MANY)
        control_clients_send(clients, many, sizeof(many));
}

/* The whole input; `act` does the target's own bytes. */
static inline void control_clients_play(struct control_clients *clients, const uint8_t *data,
                                        size_t size, void (*act)(void *context, uint8_t what))
{
    while (size > 0) {
        size_t bytes = 0;

        while (bytes < size && (data[bytes] == 0 || data[bytes] > CLIENTS_ACT_MANY))
            bytes++;
        if (bytes > 0)
            control_clients_send(clients, data, bytes);
        if (bytes < size && (data[bytes] == CLIENTS_ACT_OWN || data[bytes] == CLIENTS_ACT_OTHER))
            act(clients->context, data[bytes]);
        else if (bytes < size)
            control_clients_act(clients, data[bytes]);
        bytes += bytes < size;
        data += bytes;
        size -= bytes;
    }
}

#endif
