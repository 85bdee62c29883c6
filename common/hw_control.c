/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of the control socket. Output that the kernel does not take at once is kept up to a
 * bound; behind it the connection is dropped, since its reader is stuck.
 */
#include "config.h"

#include "common/hw_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "common/hw_vector.h"
#include "common/hw_socket.h"
#include "common/hw_text.h"

struct client {
    int fd; /* -1: free */
    uint64_t serial;
    bool events; /* wants to be told */
    short watched;
    size_t have;
    char line[HW_ORDER_BYTES + 1];
    bool skipping; /* the rest of a line that was too long */
    HW_VECTOR(char) out;
    int pass_fd; /* goes with the next byte of `out`; a duplicate, or -1 */
};

struct hw_control {
    int listener;
    struct hw_control_callbacks callbacks;
    uint64_t last_serial;
    struct client clients[HW_CONTROL_CLIENTS];
};

static void watch(struct hw_control *control, struct client *client)
{
    short events = client->out.count > 0 ? POLLIN | POLLOUT : POLLIN;

    if (client->fd >= 0 && client->watched != events) {
        client->watched = events;
        control->callbacks.watch(control->callbacks.context, client->fd, events);
    }
}

static void drop(struct hw_control *control, struct client *client)
{
    if (client->fd < 0)
        return;
    control->callbacks.watch(control->callbacks.context, client->fd, 0);
    (void)close(client->fd);
    if (client->pass_fd >= 0)
        (void)close(client->pass_fd);
    hw_vector_free(&client->out);
    client->fd = client->pass_fd = -1;
    client->serial = 0;
}

int hw_control_new(int listener, const struct hw_control_callbacks *callbacks,
                   struct hw_control **ret_control)
{
    struct hw_control *control = calloc(1, sizeof(*control));

    if (control == NULL)
        return -ENOMEM;
    control->listener = listener;
    control->callbacks = *callbacks;
    for (unsigned i = 0; i < HW_CONTROL_CLIENTS; i++)
        control->clients[i].fd = control->clients[i].pass_fd = -1;
    callbacks->watch(callbacks->context, listener, POLLIN);
    *ret_control = control;
    return 0;
}

void hw_control_free(struct hw_control *control)
{
    if (control == NULL)
        return;
    for (unsigned i = 0; i < HW_CONTROL_CLIENTS; i++)
        drop(control, &control->clients[i]);
    control->callbacks.watch(control->callbacks.context, control->listener, 0);
    (void)close(control->listener);
    free(control);
}

static struct client *find(struct hw_control *control, const struct hw_asker *asker)
{
    struct client *client = &control->clients[asker->place % HW_CONTROL_CLIENTS];

    return asker->serial != 0 && client->serial == asker->serial ? client : NULL;
}

/* One send(2), with the descriptor that is due. */
static ssize_t send_some(struct client *client)
{
    struct iovec iov = { .iov_base = client->out.items, .iov_len = client->out.count };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } rights = { 0 };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (client->pass_fd >= 0) {
        message.msg_control = &rights;
        message.msg_controllen = sizeof(rights);
        rights.header.cmsg_level = SOL_SOCKET;
        rights.header.cmsg_type = SCM_RIGHTS;
        rights.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&rights.header), &client->pass_fd, sizeof(int));
    }
    return sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void flush(struct hw_control *control, struct client *client)
{
    while (client->fd >= 0 && client->out.count > 0) {
        ssize_t sent = send_some(client);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0) {
            drop(control, client);
            return;
        }
        if (client->pass_fd >= 0)
            (void)close(client->pass_fd);
        client->pass_fd = -1;
        client->out.count -= (size_t)sent;
        memmove(client->out.items, client->out.items + sent, client->out.count);
    }
    watch(control, client);
}

static void put(struct hw_control *control, struct client *client, const char *text)
{
    const size_t bytes = strlen(text), have = client->out.count;

    if (have + bytes + 1 > HW_CONTROL_OUT_BYTES ||
        hw_vector_reserve(&client->out, have + bytes + 1) < 0) {
        drop(control, client);
        return;
    }
    memcpy(client->out.items + have, text, bytes);
    client->out.items[have + bytes] = '\n';
    client->out.count = have + bytes + 1;
    flush(control, client);
}

static void put_json(struct hw_control *control, struct client *client, const json_t *body)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

    if (text == NULL)
        drop(control, client); /* out of memory: it must not wait for ever */
    else
        put(control, client, text);
    free(text);
}

static void respond(struct hw_control *control, struct hw_asker *asker, json_t *body)
{
    struct client *client = find(control, asker);

    if (asker->id != NULL && body != NULL)
        (void)json_object_set_new(body, "id", asker->id);
    else
        json_decref(asker->id);
    asker->id = NULL;
    if (client != NULL && client->fd >= 0)
        put_json(control, client, body);
    json_decref(body);
}

/* A descriptor goes with the first byte of the next line, so no other line may wait. 0, or -errno
 * with the message. */
static int attach(struct hw_control *control, struct client *client, int fd, struct hw_error *error)
{
    flush(control, client);
    if (client->fd < 0)
        return 0; /* it is gone, and so is who would be told */
    if (client->out.count > 0)
        return hw_error_set(error, HW_ERROR_REFUSED, EAGAIN, "descriptor",
                            "cannot be handed over: what was said before was not read yet",
                            "read it, and ask again");
    client->pass_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (client->pass_fd < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, errno, "descriptor",
                             "ask again when fewer connections are open",
                             "cannot be handed over: %s", strerror(errno));
    return 0;
}

void hw_control_answer(struct hw_control *control, struct hw_asker *asker, json_t *body, int fd)
{
    struct client *client = find(control, asker);
    struct hw_error error = { 0 };

    if (client != NULL && fd >= 0 && attach(control, client, fd, &error) < 0) {
        json_decref(body);
        hw_control_refuse(control, asker, &error);
        return;
    }
    if (body != NULL)
        (void)json_object_set_new(body, "ok", json_true());
    respond(control, asker, body);
}

void hw_control_refuse(struct hw_control *control, struct hw_asker *asker,
                       const struct hw_error *error)
{
    json_t *body = json_pack("{s:b, s:{s:s, s:o, s:o, s:o}}", "ok", 0, "error", "kind",
                             hw_error_kind_name(error->kind), "object", hw_text(error->object),
                             "reason", hw_text(error->reason), "remedy", hw_text(error->remedy));

    respond(control, asker, body);
}

void hw_control_subscribe(struct hw_control *control, const struct hw_asker *asker)
{
    struct client *client = find(control, asker);

    if (client != NULL)
        client->events = true;
}

void hw_control_event(struct hw_control *control, json_t *body)
{
    for (unsigned i = 0; i < HW_CONTROL_CLIENTS; i++)
        if (control->clients[i].fd >= 0 && control->clients[i].events)
            put_json(control, &control->clients[i], body);
    json_decref(body);
}

void hw_control_tell(struct hw_control *control, const struct hw_asker *asker, json_t *body)
{
    struct client *client = find(control, asker);

    if (client != NULL)
        put_json(control, client, body);
    json_decref(body);
}

int hw_control_check(struct hw_control *control, const struct hw_asker *asker)
{
    const struct client *client = find(control, asker);

    if (client == NULL)
        return -ESRCH;
    return client->out.count > 0 ? -EAGAIN : 0;
}

bool hw_control_has_output(const struct hw_control *control)
{
    for (unsigned i = 0; i < HW_CONTROL_CLIENTS; i++)
        if (control->clients[i].fd >= 0 && control->clients[i].out.count > 0)
            return true;
    return false;
}

static void obey(struct hw_control *control, struct client *client, size_t bytes)
{
    struct hw_error error = { 0 };
    struct hw_asker asker = { .place = (unsigned)(client - control->clients),
                              .serial = client->serial };
    json_t *object;

    if (hw_order_read(client->line, bytes, control->callbacks.remedy, &object, &asker.id, &error) <
        0) {
        hw_control_refuse(control, &asker, &error);
        return;
    }
    control->callbacks.order(control->callbacks.context, object, asker);
    json_decref(object);
}

static void too_long(struct hw_control *control, struct client *client)
{
    struct hw_error error = { 0 };
    struct hw_asker asker = { .place = (unsigned)(client - control->clients),
                              .serial = client->serial };

    (void)hw_error_setf(&error, HW_ERROR_USAGE, E2BIG, "order", control->callbacks.remedy,
                        "is longer than %d bytes", HW_ORDER_BYTES);
    client->skipping = true;
    client->have = 0;
    hw_control_refuse(control, &asker, &error);
}

/* Whole lines out of what was read; the client may be dropped inside. */
static void take_lines(struct hw_control *control, struct client *client)
{
    const uint64_t serial = client->serial;
    char *end;

    while ((end = memchr(client->line, '\n', client->have)) != NULL) {
        const size_t bytes = (size_t)(end - client->line);
        const bool skip = client->skipping;

        client->skipping = false;
        if (!skip && bytes > 0)
            obey(control, client, bytes);
        if (client->serial != serial)
            return;
        client->have -= bytes + 1;
        memmove(client->line, end + 1, client->have);
    }
    if (client->have > HW_ORDER_BYTES)
        too_long(control, client);
    else if (client->skipping)
        client->have = 0;
}

static void read_some(struct hw_control *control, struct client *client)
{
    ssize_t got = recv(client->fd, client->line + client->have, sizeof(client->line) - client->have,
                       MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        drop(control, client);
        return;
    }
    client->have += (size_t)got;
    take_lines(control, client);
}

static void accept_client(struct hw_control *control)
{
    struct client *client = NULL;
    int fd;

    if (hw_socket_accept(control->listener, &fd) < 0)
        return;
    for (unsigned i = 0; i < HW_CONTROL_CLIENTS && client == NULL; i++)
        if (control->clients[i].fd < 0)
            client = &control->clients[i];
    if (client == NULL) {
        (void)close(fd); /* too many; the others go on */
        return;
    }
    memset(client, 0, sizeof(*client));
    client->fd = fd;
    client->pass_fd = -1;
    client->serial = ++control->last_serial;
    client->events = control->callbacks.tells_all;
    watch(control, client);
}

static void catch_up(struct hw_control *control, struct client *client)
{
    const struct hw_asker asker = { .place = (unsigned)(client - control->clients),
                                    .serial = client->serial };

    flush(control, client);
    if (control->callbacks.drained != NULL && hw_control_check(control, &asker) == 0)
        control->callbacks.drained(control->callbacks.context, &asker);
}

void hw_control_service(struct hw_control *control, int fd, short revents)
{
    if (fd == control->listener) {
        accept_client(control);
        return;
    }
    for (unsigned i = 0; i < HW_CONTROL_CLIENTS; i++) {
        struct client *client = &control->clients[i];

        if (client->fd != fd)
            continue;
        if ((revents & POLLOUT) != 0)
            catch_up(control, client);
        if (client->fd == fd && (revents & ~POLLOUT) != 0)
            read_some(control, client);
        return;
    }
}
