/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front end's connection and states.
 */
#include "config.h"

#include "storage/vhost/vh_front_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/hw_cleanup.h"

void front_tell(struct vh_front *front, enum vh_front_event event, const char *text)
{
    front->callbacks.event(front->callbacks.context, event, text);
}

int vh_front_new(const struct vh_front_callbacks *callbacks, struct vh_front **ret_front)
{
    struct vh_front *front = calloc(1, sizeof(*front));

    if (front == NULL)
        return -ENOMEM;
    front->callbacks = *callbacks;
    front->fd = front->inflight_fd = front->log_fd = -1;
    vh_msg_reader_init(&front->reader);
    *ret_front = front;
    return 0;
}

void vh_front_free(struct vh_front *front)
{
    if (front == NULL)
        return;
    front->handed = false; /* the rings may be gone */
    vh_front_disconnect(front);
    front_drop_region(front);
    if (front->log_fd >= 0)
        (void)close(front->log_fd);
    free(front);
}

void front_drop_region(struct vh_front *front)
{
    if (front->inflight_fd >= 0)
        (void)close(front->inflight_fd);
    front->inflight_fd = -1;
}

int front_keep_region(struct vh_front *front)
{
    if (front->inflight_fd < 0 || vh_front_keeps_records(front))
        return 0;
    if (front->in_flight)
        return -ENOTSUP; /* this one would do as if they had never been done */
    front_drop_region(front);
    return 0;
}

uint16_t front_largest_queue(const struct vh_front *front)
{
    uint16_t size = 0;

    for (unsigned i = 0; i < front->setup.queue_count; i++)
        if (front->setup.queues[i].size > size)
            size = front->setup.queues[i].size;
    return size;
}

static uint16_t index_of(uint64_t ring_addr)
{
    return __atomic_load_n((const uint16_t *)(uintptr_t)(ring_addr + 2), __ATOMIC_ACQUIRE);
}

/* The back end is gone: what did it leave, and where does the next one begin? */
static void look_at_rings(struct vh_front *front)
{
    front->in_flight = false;
    for (unsigned i = 0; i < front->setup.queue_count; i++) {
        struct vh_front_queue *queue = &front->setup.queues[i];

        queue->base = index_of(queue->used_addr);
        front->in_flight = front->in_flight || index_of(queue->avail_addr) != queue->base;
    }
    if (front->in_flight && front->inflight_fd < 0) {
        front->unsure = true;
        front->want_running = false;
    }
}

void vh_front_disconnect(struct vh_front *front)
{
    if (front->handed)
        look_at_rings(front);
    front->handed = false;
    if (front->fd >= 0) {
        front->callbacks.watch(front->callbacks.context, front->fd, 0);
        (void)close(front->fd);
    }
    front->fd = -1;
    front->known = front->running = false;
    front->wait = FRONT_NOTHING;
    vh_msg_reader_next(&front->reader);
}

void front_lose(struct vh_front *front, const char *why)
{
    const bool handed = front->handed;
    char text[200];

    vh_front_disconnect(front);
    (void)snprintf(text, sizeof(text), "%s%s", why,
                   handed && front->unsure
                       ? "; requests were in flight that it kept no record of: done or not"
                       : "");
    front_tell(front, VH_FRONT_LOST, text);
}

int vh_front_connect_fd(struct vh_front *front, int fd)
{
    int rc;

    if (front->fd >= 0)
        return -EALREADY;
    front->fd = fd;
    front->callbacks.watch(front->callbacks.context, fd, POLLIN);
    rc = front_ask_features(front);
    if (rc < 0)
        vh_front_disconnect(front);
    return rc;
}

int vh_front_connect(struct vh_front *front, const char *path)
{
    hw_auto_close int fd = -1;
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (front->fd >= 0)
        return -EALREADY;
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return vh_front_connect_fd(front, hw_take_fd(&fd));
}

int vh_front_start(struct vh_front *front, const struct vh_front_setup *setup)
{
    int rc;

    if (!front->known)
        return -ENOTCONN;
    if (front->running || front->wait != FRONT_NOTHING)
        return -EALREADY;
    if ((setup->features & ~front->features) != 0 || setup->queue_count > front->queue_num ||
        setup->queue_count > VH_QUEUES || setup->region_count > VH_REGIONS)
        return -ENOTSUP;
    front->setup = *setup;
    front->want_running = true;
    front->in_flight = front->unsure = false;
    rc = front_send_setup(front);
    if (rc < 0)
        vh_front_disconnect(front);
    return rc;
}

int vh_front_stop(struct vh_front *front)
{
    int rc;

    if (!front->running)
        return -ENOTCONN;
    if (front->wait != FRONT_NOTHING)
        return -EALREADY;
    front->stopping_queue = 0;
    rc = front_ask_base(front);
    if (rc < 0)
        vh_front_disconnect(front);
    return rc;
}

int vh_front_forget(struct vh_front *front, bool same_guest)
{
    if (front->handed || front->wait >= FRONT_INFLIGHT)
        return -EBUSY;
    front->want_running = front->in_flight = front->unsure = false;
    if (!same_guest || front->inflight_fd < 0 ||
        vh_inflight_clear(front->inflight_fd, front->inflight_offset, front->inflight_bytes,
                          front->inflight_queues, front->inflight_size) < 0)
        front_drop_region(front);
    return 0;
}

int vh_front_log(struct vh_front *front, int fd, uint64_t bytes)
{
    int rc;

    if (!front->known)
        return -ENOTCONN;
    if (front->wait != FRONT_NOTHING)
        return -EALREADY;
    if ((front->features & VH_F_LOG_ALL) == 0 ||
        (front->protocol_features & (VH_P_LOG_SHMFD | VH_P_REPLY_ACK)) !=
            (VH_P_LOG_SHMFD | VH_P_REPLY_ACK))
        return -ENOTSUP;
    if (front->log_fd >= 0)
        (void)close(front->log_fd);
    front->log_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0 && front->log_fd < 0)
        return -errno;
    front->log_bytes = bytes;
    if (!front->running)
        return 1;
    rc = front_send_log(front);
    if (rc < 0)
        vh_front_disconnect(front);
    return rc;
}

void vh_front_service(struct vh_front *front, int fd, short revents)
{
    (void)revents;
    while (front->fd == fd && fd >= 0) {
        int rc = vh_msg_receive(&front->reader, fd);

        if (rc == 0)
            return;
        if (rc == 1) {
            rc = front_answer(front, &front->reader.msg);
            if (front->fd == fd)
                vh_msg_reader_next(&front->reader);
        }
        if (rc < 0 && front->fd == fd)
            front_lose(front, rc == -ECONNRESET ? "the back end closed the connection"
                              : rc == -EPROTO   ? "the back end broke the protocol"
                              : rc == -EPROTONOSUPPORT
                                  ? "the back end lacks VERSION_1, or a configuration"
                              : rc == -ENOTSUP ? "the back end has no in-flight region, and one "
                                                 "before it left requests in its own"
                                               : strerror(-rc));
    }
}

uint64_t vh_front_features(const struct vh_front *front)
{
    return front->features;
}

const uint8_t *vh_front_config(const struct vh_front *front)
{
    return front->config;
}

bool vh_front_running(const struct vh_front *front)
{
    return front->running;
}

uint16_t vh_front_base(const struct vh_front *front, unsigned queue)
{
    return front->setup.queues[queue].base;
}

unsigned vh_front_queues(const struct vh_front *front)
{
    return front->queue_num < VH_QUEUES ? (unsigned)front->queue_num : (unsigned)VH_QUEUES;
}

bool vh_front_unsure(const struct vh_front *front)
{
    return front->unsure;
}

bool vh_front_has_record(const struct vh_front *front)
{
    return front->inflight_fd >= 0;
}

bool vh_front_keeps_records(const struct vh_front *front)
{
    return (front->protocol_features & VH_P_INFLIGHT_SHMFD) != 0;
}
