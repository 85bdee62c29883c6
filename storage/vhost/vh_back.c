/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of the back end, and which of them may run its rings.
 */
#include "config.h"

#include "storage/vhost/vh_back_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

void back_watch(struct vh_back *back, int fd, short events)
{
    back->callbacks.watch(back->callbacks.context, fd, events);
}

static void init_queues(struct vh_conn *conn)
{
    for (unsigned i = 0; i < VH_QUEUES; i++) {
        conn->queues[i].conn = conn;
        conn->queues[i].kick_fd = conn->queues[i].call_fd = -1;
    }
}

static int open_own(struct vh_back *back)
{
    int rc = back->callbacks.events == NULL ? vh_events_new(&back->own_events) : 0;

    if (rc < 0)
        return rc;
    back->events = back->own_events != NULL ? back->own_events : back->callbacks.events;
    back->retry_fd = vh_retry_new();
    if (back->retry_fd < 0)
        return back->retry_fd;
    back->more_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return back->more_fd < 0 ? -errno : 0;
}

static void close_own(struct vh_back *back)
{
    if (back->more_fd >= 0)
        (void)close(back->more_fd);
    if (back->retry_fd >= 0)
        (void)close(back->retry_fd);
    vh_events_free(back->own_events);
}

int vh_back_new(int listener, size_t owner_bytes, const struct vh_back_callbacks *callbacks,
                struct vh_back **ret_back)
{
    struct vh_back *back = calloc(1, sizeof(*back));
    int rc;

    if (back == NULL)
        return -ENOMEM;
    back->callbacks = *callbacks;
    back->more_fd = back->retry_fd = -1;
    rc = open_own(back);
    if (rc < 0) {
        close_own(back);
        free(back);
        return rc;
    }
    back->listener = listener;
    back->owner_bytes = owner_bytes;
    back->held = true;
    for (unsigned i = 0; i < VH_CLIENTS; i++) {
        back->conns[i].back = back;
        back->conns[i].fd = -1;
        init_queues(&back->conns[i]);
    }
    *ret_back = back;
    return 0;
}

/* Everything of a connection but its requests' memory, which goes with the last of them. */
static void close_conn(struct vh_conn *conn)
{
    for (unsigned i = 0; i < VH_QUEUES; i++) {
        struct vh_queue *queue = &conn->queues[i];

        if (queue->kick_fd >= 0) {
            back_watch(conn->back, queue->kick_fd, 0);
            (void)close(queue->kick_fd);
        }
        if (queue->call_fd >= 0)
            (void)close(queue->call_fd);
        queue->kick_fd = queue->call_fd = -1;
        queue->started = queue->running = queue->stopping = false;
    }
    if (conn->fd >= 0) {
        back_watch(conn->back, conn->fd, 0);
        (void)close(conn->fd);
    }
    conn->fd = -1;
    vh_msg_reader_next(&conn->reader);
}

/* Nothing is left of it. */
static void recycle(struct vh_conn *conn)
{
    struct vh_back *back = conn->back;

    vh_mem_unref(conn->mem);
    vh_log_unmap(&conn->log);
    vh_inflight_unmap(&conn->inflight);
    memset(conn, 0, sizeof(*conn));
    conn->back = back;
    conn->fd = -1;
    init_queues(conn);
}

void back_drop(struct vh_conn *conn, const char *why)
{
    struct vh_back *back = conn->back;

    close_conn(conn);
    back->callbacks.tell(back->callbacks.context, false, why);
    back_abandon(conn);
    back_settle(back);
}

void vh_back_free(struct vh_back *back)
{
    if (back == NULL)
        return;
    for (unsigned i = 0; i < VH_CLIENTS; i++) {
        close_conn(&back->conns[i]);
        recycle(&back->conns[i]);
    }
    while (back->free_requests != NULL) {
        struct back_request *request = back->free_requests;

        back->free_requests = request->next;
        free(request->request.iov);
        free(request->request.owner);
        free(request);
    }
    if (back->listening)
        back_watch(back, back->listener, 0);
    if (back->ready)
        back_watch(back, back->more_fd, 0);
    if (back->retrying)
        back_watch(back, back->retry_fd, 0);
    close_own(back);
    (void)close(back->listener);
    free(back);
}

bool back_wants_to_run(const struct vh_conn *conn)
{
    for (unsigned i = 0; conn->fd >= 0 && i < VH_QUEUES; i++)
        if (conn->queues[i].started)
            return true;
    return false;
}

static void start_rings(struct vh_conn *conn)
{
    for (unsigned i = 0; i < VH_QUEUES; i++)
        if (conn->queues[i].started && !conn->queues[i].running)
            back_ring_start(&conn->queues[i]);
}

/* Room for another front end, or none: it waits in the backlog. */
static void listen_if_room(struct vh_back *back)
{
    const bool room = back->ready && back_has_place(back);

    if (room == back->listening)
        return;
    back->listening = room;
    back_watch(back, back->listener, room ? POLLIN : 0);
}

void back_settle(struct vh_back *back)
{
    for (unsigned i = 0; i < VH_CLIENTS; i++) {
        struct vh_conn *conn = &back->conns[i];

        if (conn == back->active && (!back_wants_to_run(conn) || conn->stale) &&
            conn->outstanding == 0)
            back->active = NULL;
        if (conn->used && conn->fd < 0 && conn->outstanding == 0)
            recycle(conn);
        if (conn != back->active && back_wants_to_run(conn))
            (void)back_may_run(conn); /* a stale one is no good one that waits */
    }
    for (unsigned i = 0; back->active == NULL && i < VH_CLIENTS; i++)
        if (back_wants_to_run(&back->conns[i])) {
            back->active = &back->conns[i];
            if (!back_may_run(back->active))
                back->active = NULL;
        }
    if (back->active != NULL)
        start_rings(back->active);
    listen_if_room(back);
}

void vh_back_ready(struct vh_back *back, const struct vh_blk_device *device)
{
    back->device = *device;
    back->ready = true;
    back_watch(back, back->more_fd, POLLIN);
    back_settle(back);
}

void vh_back_hold(struct vh_back *back, bool hold)
{
    const bool goes_on = back->held && !hold;

    back->held = hold;
    if (goes_on)
        back_run_all(back);
}

static void accept_one(struct vh_back *back)
{
    const int fd = accept4(back->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct vh_conn *conn;

    if (fd < 0)
        return;
    conn = back_place_for_another(back);
    if (conn == NULL) {
        (void)close(fd);
        return;
    }
    conn->used = true;
    conn->number = back->came++;
    conn->fd = fd;
    vh_msg_reader_init(&conn->reader);
    back->callbacks.tell(back->callbacks.context, true, "");
    back_watch(back, fd, POLLIN);
    back_settle(back);
}

static const char *words(int rc)
{
    return rc == -ECONNRESET ? "it closed the connection"
           : rc == -EPROTO   ? "it broke the protocol"
                             : strerror(-rc);
}

static bool stopping(const struct vh_conn *conn)
{
    for (unsigned i = 0; i < VH_QUEUES; i++)
        if (conn->queues[i].stopping)
            return true;
    return false;
}

/*
 * Messages until there are none, or one has to wait for a ring to be drained. After some the rest
 * waits in the socket, which stays ready: who streams messages keeps nothing else out.
 */
static void talk(struct vh_conn *conn)
{
    for (unsigned i = 0; i < BACK_TURN_MESSAGES && conn->fd >= 0 && !stopping(conn); i++) {
        int rc = vh_msg_receive(&conn->reader, conn->fd);

        if (rc == 1) {
            rc = back_message(conn, &conn->reader.msg);
            vh_msg_reader_next(&conn->reader);
        } else if (rc == 0) {
            return;
        }
        if (rc < 0) {
            back_drop(conn, conn->why != NULL ? conn->why : words(rc));
            return;
        }
        back_settle(conn->back);
    }
}

/* Come back later, or no more. */
static void retry(struct vh_back *back, bool later)
{
    if (later == back->retrying)
        return;
    back->retrying = later;
    if (later)
        vh_retry_arm(back->retry_fd);
    else
        vh_retry_take(back->retry_fd);
    back_watch(back, back->retry_fd, later ? POLLIN : 0);
}

static struct vh_queue *find_kick(struct vh_back *back, int fd)
{
    for (unsigned i = 0; i < VH_CLIENTS; i++)
        for (unsigned k = 0; k < VH_QUEUES; k++)
            if (back->conns[i].queues[k].kick_fd == fd)
                return &back->conns[i].queues[k];
    return NULL;
}

void vh_back_service(struct vh_back *back, int fd, short revents)
{
    struct vh_queue *queue;
    eventfd_t count;

    if (fd == back->listener) {
        accept_one(back);
        return;
    }
    if (fd == back->more_fd) {
        (void)eventfd_read(fd, &count);
        back_run_all(back);
        return;
    }
    if (fd == back->retry_fd) {
        retry(back, false); /* vh_back_flush() follows */
        return;
    }
    for (unsigned i = 0; i < VH_CLIENTS; i++) {
        struct vh_conn *conn = &back->conns[i];

        if (conn->fd != fd || fd < 0)
            continue;
        if (!stopping(conn))
            talk(conn);
        else if ((revents & (POLLHUP | POLLERR)) != 0)
            back_drop(conn, words(-ECONNRESET));
        return;
    }
    queue = find_kick(back, fd);
    if (queue != NULL && vh_event_take(fd) == 0)
        back_ring_run(queue);
}

/* A drained ring lets its connection's next messages in. */
static void let_talk(struct vh_back *back)
{
    for (unsigned i = 0; i < VH_CLIENTS; i++) {
        struct vh_conn *conn = &back->conns[i];

        for (unsigned k = 0; conn->fd >= 0 && k < VH_QUEUES; k++) {
            struct vh_queue *queue = &conn->queues[k];

            if (!queue->stopping || queue->ring.in_use > 0 || queue->untold)
                continue;
            queue->stopping = false;
            back_watch(back, conn->fd, POLLIN);
            if (back_stopped(queue) < 0) {
                back_drop(conn, "it does not read its answers");
                break;
            }
            back_settle(back);
            talk(conn);
        }
    }
}

/* What the ring says of signals it says once: a wish that was not met is kept beside it. */
static void tell_driver(struct vh_queue *queue)
{
    const bool can = queue->running && queue->call_fd >= 0;

    queue->untold = can && (queue->untold || vh_ring_wants_signal(&queue->ring)) &&
                    vh_events_signal(queue->conn->back->events, queue->call_fd) < 0;
    queue->answered = queue->untold;
}

void vh_back_flush(struct vh_back *back)
{
    bool untold = false;

    for (unsigned i = 0; i < VH_CLIENTS; i++) {
        for (unsigned k = 0; k < VH_QUEUES; k++) {
            struct vh_queue *queue = &back->conns[i].queues[k];

            if (queue->answered)
                tell_driver(queue);
            untold = untold || queue->untold;
        }
    }
    retry(back, untold);
    let_talk(back);
    back_settle(back);
}

unsigned vh_back_in_flight(const struct vh_back *back)
{
    unsigned count = 0;

    for (unsigned i = 0; i < VH_CLIENTS; i++)
        count += back->conns[i].outstanding;
    return count;
}
