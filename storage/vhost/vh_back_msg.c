/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What front ends ask for, message by message. A payload that is shorter than its message needs is
 * refused; what is longer is ignored behind that, as the protocol wants it.
 */
#include "config.h"

#include "storage/vhost/vh_back_priv.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_cleanup.h"

#define PROTOCOL_FEATURES \
    (VH_P_MQ | VH_P_LOG_SHMFD | VH_P_REPLY_ACK | VH_P_CONFIG | VH_P_INFLIGHT_SHMFD)

enum { CONFIG_HEADER_BYTES = 12 };

static uint64_t features(const struct vh_back *back)
{
    return vh_blk_features(&back->device) | VH_F_VERSION_1 | VH_F_EVENT_IDX | VH_F_INDIRECT_DESC |
           VH_F_LOG_ALL | VH_F_PROTOCOL_FEATURES;
}

int back_reply(struct vh_conn *conn, const struct vh_msg *to, struct vh_msg *msg)
{
    msg->request = to->request;
    msg->flags = VH_VERSION | VH_FLAG_REPLY;
    return vh_msg_send(conn->fd, msg);
}

int back_reply_u64(struct vh_conn *conn, const struct vh_msg *to, uint64_t value)
{
    struct vh_msg msg = { 0 };

    vh_msg_put_u64(&msg, value);
    return back_reply(conn, to, &msg);
}

static struct vh_queue *find_queue(struct vh_conn *conn, uint64_t index)
{
    return index < conn->back->device.queues && index < VH_QUEUES ? &conn->queues[index] : NULL;
}

/* --- features --- */

static int set_features(struct vh_conn *conn, const struct vh_msg *msg)
{
    const uint64_t wanted = vh_msg_get_u64(msg, 0);

    if ((wanted & ~features(conn->back)) != 0) {
        conn->why = "it wants features that were not offered; start it again";
        return -EPROTO;
    }
    if ((wanted & VH_F_VERSION_1) == 0) {
        conn->why = "it lacks VIRTIO_F_VERSION_1; use a driver of virtio 1.0 or later "
                    "(QEMU: disable-legacy=on)";
        return -EPROTO;
    }
    conn->features = wanted;
    conn->features_set = true;
    for (unsigned i = 0; i < VH_QUEUES; i++) { /* LOG_ALL comes and goes while rings run */
        struct vh_queue *queue = &conn->queues[i];

        queue->ring.log = (wanted & VH_F_LOG_ALL) != 0 ? &conn->log : NULL;
        if ((wanted & VH_F_PROTOCOL_FEATURES) == 0)
            queue->enabled = true;
    }
    return 0;
}

/* --- queues --- */

static int set_vring_num(struct vh_conn *conn, const struct vh_msg *msg)
{
    struct vh_queue *queue = find_queue(conn, vh_msg_get_u32(msg, 0));
    const uint32_t size = vh_msg_get_u32(msg, 4);

    /* started but waiting for the other front end: it was placed with the size that it has */
    if (msg->size < 8 || queue == NULL || queue->running || queue->started ||
        queue->ring.in_use > 0 || size == 0 || size > VH_QUEUE_SIZE_MAX || (size & (size - 1)) != 0)
        return -EPROTO;
    queue->ring.size = (uint16_t)size;
    queue->placed = false;
    return 0;
}

static int set_vring_addr(struct vh_conn *conn, const struct vh_msg *msg)
{
    struct vh_queue *queue = find_queue(conn, vh_msg_get_u32(msg, 0));

    if (msg->size < 40 || queue == NULL || conn->mem == NULL)
        return -EPROTO;
    queue->flags = vh_msg_get_u32(msg, 4);
    queue->desc_addr = vh_msg_get_u64(msg, 8);
    queue->used_addr = vh_msg_get_u64(msg, 16);
    queue->avail_addr = vh_msg_get_u64(msg, 24);
    queue->log_addr = vh_msg_get_u64(msg, 32);
    queue->ring.log_used = (queue->flags & VH_VRING_F_LOG) != 0;
    queue->ring.log_addr = queue->log_addr;
    return back_place(queue) < 0 ? -EPROTO : 0;
}

static int set_vring_base(struct vh_conn *conn, const struct vh_msg *msg)
{
    struct vh_queue *queue = find_queue(conn, vh_msg_get_u32(msg, 0));

    if (msg->size < 8 || queue == NULL || queue->running || queue->started)
        return -EPROTO;
    queue->base = (uint16_t)vh_msg_get_u32(msg, 4);
    return 0;
}

static int get_vring_base(struct vh_conn *conn, const struct vh_msg *msg)
{
    struct vh_queue *queue = find_queue(conn, vh_msg_get_u32(msg, 0));

    if (msg->size < 8 || queue == NULL)
        return -EPROTO;
    queue->started = false;
    if (!queue->running)
        return back_stopped(queue);
    queue->stopping = true;                    /* answered when it is drained: vh_back_flush() */
    back_watch(conn->back, conn->fd, POLLPRI); /* what it says waits; that it dies is seen */
    return 0;
}

int back_stopped(struct vh_queue *queue)
{
    const struct vh_msg to = { .request = VH_GET_VRING_BASE };
    struct vh_msg msg = { 0 };

    if (queue->running) {
        /* what was left by a back end that died and is not taken yet stays in flight */
        queue->base =
            (uint16_t)(queue->ring.last_avail - (queue->ring.again_count - queue->ring.again_at));
        if (queue->ring.inflight != NULL)
            queue->base = queue->ring.last_avail;
    }
    queue->running = false;
    if (queue->kick_fd >= 0) {
        back_watch(queue->conn->back, queue->kick_fd, 0);
        (void)close(hw_take_fd(&queue->kick_fd));
    }
    vh_msg_put_u32(&msg, (uint32_t)(queue - queue->conn->queues));
    vh_msg_put_u32(&msg, queue->base);
    return back_reply(queue->conn, &to, &msg);
}

/*
 * The descriptor of SET_VRING_KICK, _CALL, _ERR and its queue; -1: none was sent. Anything but an
 * eventfd may be readable for ever, or do whatever a read or a signal does to it.
 */
static int take_vring_fd(struct vh_conn *conn, struct vh_msg *msg, struct vh_queue **ret_queue,
                         int *ret_fd)
{
    const uint64_t word = vh_msg_get_u64(msg, 0);
    const int fd = (word & VH_VRING_NO_FD) != 0 ? -1 : vh_msg_take_fd(msg, 0);

    *ret_queue = find_queue(conn, word & VH_VRING_INDEX_MASK);
    if (msg->size < 8 || *ret_queue == NULL || ((word & VH_VRING_NO_FD) == 0 && fd < 0)) {
        if (fd >= 0)
            (void)close(fd);
        return -EPROTO;
    }
    if (fd >= 0 && !vh_events_knows(conn->back->events, fd)) {
        (void)close(fd);
        return -EPROTO;
    }
    *ret_fd = fd;
    return 0;
}

static int set_vring_kick(struct vh_conn *conn, struct vh_msg *msg)
{
    struct vh_queue *queue;
    int fd;

    if (take_vring_fd(conn, msg, &queue, &fd) < 0)
        return -EPROTO;
    if (fd < 0 || !queue->placed || !conn->features_set) {
        if (fd >= 0)
            (void)close(fd);
        conn->why = "it starts a queue that is not set up, or to be polled";
        return -EPROTO;
    }
    if (queue->kick_fd >= 0) {
        back_watch(conn->back, queue->kick_fd, 0);
        (void)close(queue->kick_fd);
    }
    queue->kick_fd = fd;
    queue->started = true;
    back_watch(conn->back, fd, POLLIN);
    return 0;
}

static int set_vring_call(struct vh_conn *conn, struct vh_msg *msg)
{
    struct vh_queue *queue;
    int fd;

    if (take_vring_fd(conn, msg, &queue, &fd) < 0)
        return -EPROTO;
    if (queue->call_fd >= 0)
        (void)close(queue->call_fd);
    queue->call_fd = fd;
    queue->answered = queue->running; /* what was told to the old one may have been missed */
    queue->ring.signalled_valid = false;
    return 0;
}

static int set_vring_err(struct vh_conn *conn, struct vh_msg *msg)
{
    struct vh_queue *queue;
    int fd;

    if (take_vring_fd(conn, msg, &queue, &fd) < 0)
        return -EPROTO;
    if (fd >= 0)
        (void)close(fd); /* errors end the connection, or the request */
    return 0;
}

static int set_vring_enable(struct vh_conn *conn, const struct vh_msg *msg)
{
    struct vh_queue *queue = find_queue(conn, vh_msg_get_u32(msg, 0));

    if (msg->size < 8 || queue == NULL)
        return -EPROTO;
    queue->enabled = vh_msg_get_u32(msg, 4) == 1;
    if (queue->enabled && queue->running)
        back_ring_run(queue);
    return 0;
}

/* --- configuration space --- */

static int get_config(struct vh_conn *conn, const struct vh_msg *msg)
{
    const uint32_t offset = vh_msg_get_u32(msg, 0), size = vh_msg_get_u32(msg, 4);
    uint8_t config[VH_CONFIG_BYTES] = { 0 };
    struct vh_msg answer = { 0 };

    if (msg->size < CONFIG_HEADER_BYTES)
        return -EPROTO;
    vh_msg_put_u32(&answer, offset);
    if (offset > VH_CONFIG_BYTES || size > VH_CONFIG_BYTES - offset) {
        vh_msg_put_u32(&answer, 0); /* "zero length indicates an error" */
        vh_msg_put_u32(&answer, 0);
        return back_reply(conn, msg, &answer);
    }
    vh_blk_config(&conn->back->device, config);
    vh_msg_put_u32(&answer, size);
    vh_msg_put_u32(&answer, vh_msg_get_u32(msg, 8));
    memcpy(answer.payload + answer.size, config + offset, size);
    answer.size += size;
    return back_reply(conn, msg, &answer);
}

/* Messages that ask something. -ENOSYS: it is none of them. */
static int ask(struct vh_conn *conn, struct vh_msg *msg)
{
    switch ((enum vh_request_id)msg->request) {
    case VH_GET_FEATURES:
        return back_reply_u64(conn, msg, features(conn->back));
    case VH_GET_PROTOCOL_FEATURES:
        return back_reply_u64(conn, msg, PROTOCOL_FEATURES);
    case VH_GET_QUEUE_NUM:
        return back_reply_u64(conn, msg, conn->back->device.queues);
    case VH_GET_VRING_BASE:
        return get_vring_base(conn, msg);
    case VH_GET_CONFIG:
        return get_config(conn, msg);
    case VH_GET_INFLIGHT_FD:
        return back_get_inflight(conn, msg);
    case VH_SET_LOG_BASE:
        return back_set_log_base(conn, msg);
    default:
        return -ENOSYS;
    }
}

/* Messages that tell something. */
static int told(struct vh_conn *conn, struct vh_msg *msg)
{
    switch ((enum vh_request_id)msg->request) {
    case VH_SET_FEATURES:
        return set_features(conn, msg);
    case VH_SET_PROTOCOL_FEATURES:
        conn->protocol_features = vh_msg_get_u64(msg, 0);
        return (conn->protocol_features & ~PROTOCOL_FEATURES) != 0 ? -EPROTO : 0;
    case VH_SET_OWNER:
    case VH_RESET_OWNER:
    case VH_SET_LOG_FD:
    case VH_SET_CONFIG: /* nothing of it can be written: CONFIG_WCE is not offered */
        return 0;
    case VH_SET_MEM_TABLE:
        return back_set_mem_table(conn, msg);
    case VH_SET_INFLIGHT_FD:
        return back_set_inflight(conn, msg);
    case VH_SET_VRING_NUM:
        return set_vring_num(conn, msg);
    case VH_SET_VRING_ADDR:
        return set_vring_addr(conn, msg);
    case VH_SET_VRING_BASE:
        return set_vring_base(conn, msg);
    case VH_SET_VRING_KICK:
        return set_vring_kick(conn, msg);
    case VH_SET_VRING_CALL:
        return set_vring_call(conn, msg);
    case VH_SET_VRING_ERR:
        return set_vring_err(conn, msg);
    case VH_SET_VRING_ENABLE:
        return set_vring_enable(conn, msg);
    default:
        return -EPROTO;
    }
}

int back_message(struct vh_conn *conn, struct vh_msg *msg)
{
    const bool wants_ack =
        (msg->flags & VH_FLAG_NEED_REPLY) != 0 && (conn->protocol_features & VH_P_REPLY_ACK) != 0;
    int rc = ask(conn, msg);

    if (rc != -ENOSYS)
        return rc;
    rc = told(conn, msg);
    if (wants_ack && rc != -EPROTO && back_reply_u64(conn, msg, rc < 0) < 0)
        return -EPROTO;
    if (wants_ack && rc == -EPROTO)
        (void)back_reply_u64(conn, msg,
                             1); /* and the connection ends: nothing can be built on it */
    return rc;
}
