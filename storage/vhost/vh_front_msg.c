/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the front end sends and what comes back. The back end answers in order, so there is at most
 * one answer to wait for.
 */
#include "config.h"

#include "storage/vhost/vh_front_priv.h"

#include <errno.h>
#include <string.h>

#define WANTED_PROTOCOL \
    (VH_P_MQ | VH_P_LOG_SHMFD | VH_P_REPLY_ACK | VH_P_CONFIG | VH_P_INFLIGHT_SHMFD)

enum { CONFIG_HEADER_BYTES = 12, CONFIG_WANTED_BYTES = 60, INFLIGHT_BYTES = 20 };

static struct vh_msg new_msg(enum vh_request_id request)
{
    return (struct vh_msg) { .request = request, .flags = VH_VERSION };
}

static int send_msg(struct vh_front *front, const struct vh_msg *msg)
{
    return vh_msg_send(front->fd, msg);
}

static int send_u64(struct vh_front *front, enum vh_request_id request, uint64_t value)
{
    struct vh_msg msg = new_msg(request);

    vh_msg_put_u64(&msg, value);
    return send_msg(front, &msg);
}

static int send_plain(struct vh_front *front, enum vh_request_id request)
{
    const struct vh_msg msg = new_msg(request);

    return send_msg(front, &msg);
}

static int ask(struct vh_front *front, enum vh_request_id request, enum front_wait wait)
{
    front->wait = wait;
    return send_plain(front, request);
}

int front_ask_features(struct vh_front *front)
{
    return ask(front, VH_GET_FEATURES, FRONT_FEATURES);
}

static int ask_config(struct vh_front *front)
{
    struct vh_msg msg = new_msg(VH_GET_CONFIG);

    front->wait = FRONT_CONFIG;
    vh_msg_put_u32(&msg, 0);
    vh_msg_put_u32(&msg, CONFIG_WANTED_BYTES);
    vh_msg_put_u32(&msg, 0);
    msg.size += CONFIG_WANTED_BYTES;
    return send_msg(front, &msg);
}

/* --- set-up --- */

static int send_memory(struct vh_front *front)
{
    const struct vh_front_setup *setup = &front->setup;
    struct vh_msg msg = new_msg(VH_SET_MEM_TABLE);

    vh_msg_put_u32(&msg, setup->region_count);
    vh_msg_put_u32(&msg, 0);
    for (unsigned i = 0; i < setup->region_count; i++) {
        vh_msg_put_u64(&msg, setup->regions[i].guest_addr);
        vh_msg_put_u64(&msg, setup->regions[i].bytes);
        vh_msg_put_u64(&msg, setup->regions[i].user_addr);
        vh_msg_put_u64(&msg, setup->regions[i].file_offset);
        msg.fds[i] = setup->region_fds[i];
    }
    msg.fd_count = setup->region_count;
    return send_msg(front, &msg);
}

static int send_pair(struct vh_front *front, enum vh_request_id request, uint32_t queue,
                     uint32_t value, bool ack)
{
    struct vh_msg msg = new_msg(request);

    if (ack)
        msg.flags |= VH_FLAG_NEED_REPLY;
    vh_msg_put_u32(&msg, queue);
    vh_msg_put_u32(&msg, value);
    return send_msg(front, &msg);
}

static int send_addr(struct vh_front *front, unsigned i, bool ack)
{
    const struct vh_front_queue *queue = &front->setup.queues[i];
    struct vh_msg msg = new_msg(VH_SET_VRING_ADDR);

    if (ack)
        msg.flags |= VH_FLAG_NEED_REPLY;
    vh_msg_put_u32(&msg, i);
    vh_msg_put_u32(&msg, front->log_fd >= 0 ? VH_VRING_F_LOG : 0);
    vh_msg_put_u64(&msg, queue->desc_addr);
    vh_msg_put_u64(&msg, queue->used_addr);
    vh_msg_put_u64(&msg, queue->avail_addr);
    vh_msg_put_u64(&msg, queue->used_guest_addr);
    return send_msg(front, &msg);
}

static int send_fd(struct vh_front *front, enum vh_request_id request, unsigned i, int fd)
{
    struct vh_msg msg = new_msg(request);

    vh_msg_put_u64(&msg, fd < 0 ? i | VH_VRING_NO_FD : i);
    if (fd >= 0)
        msg.fds[msg.fd_count++] = fd;
    return send_msg(front, &msg);
}

static int send_queue(struct vh_front *front, unsigned i)
{
    const struct vh_front_queue *queue = &front->setup.queues[i];
    int rc = send_pair(front, VH_SET_VRING_NUM, i, queue->size, false);

    if (rc == 0)
        rc = send_pair(front, VH_SET_VRING_BASE, i, queue->base, false);
    if (rc == 0)
        rc = send_addr(front, i, false);
    if (rc == 0)
        rc = send_fd(front, VH_SET_VRING_CALL, i, queue->call_fd);
    if (rc == 0)
        rc = send_fd(front, VH_SET_VRING_KICK, i, queue->kick_fd);
    return rc;
}

static uint64_t features_now(const struct vh_front *front)
{
    return front->setup.features | (front->features & VH_F_PROTOCOL_FEATURES) |
           (front->log_fd >= 0 ? VH_F_LOG_ALL : 0);
}

static int send_log_base(struct vh_front *front)
{
    struct vh_msg msg = new_msg(VH_SET_LOG_BASE);

    vh_msg_put_u64(&msg, front->log_bytes);
    vh_msg_put_u64(&msg, 0);
    msg.fds[msg.fd_count++] = front->log_fd;
    front->wait = FRONT_LOG_BASE;
    return send_msg(front, &msg);
}

static int send_inflight(struct vh_front *front)
{
    struct vh_msg msg = new_msg(VH_SET_INFLIGHT_FD);

    vh_msg_put_u64(&msg, front->inflight_bytes);
    vh_msg_put_u64(&msg, front->inflight_offset);
    vh_msg_put_u16(&msg, (uint16_t)front->inflight_queues);
    vh_msg_put_u16(&msg, front->inflight_size);
    vh_msg_put_u32(&msg, 0); /* the padding that libvhost-user asks for */
    msg.fds[msg.fd_count++] = front->inflight_fd;
    return send_msg(front, &msg);
}

/* Behind the in-flight region: queues, then their start, which is acknowledged. */
static int send_queues(struct vh_front *front)
{
    const bool ack = (front->protocol_features & VH_P_REPLY_ACK) != 0;
    const bool enable = (front->features & VH_F_PROTOCOL_FEATURES) != 0;
    int rc = 0;

    if (front->inflight_fd >= 0)
        rc = send_inflight(front);
    front->handed = true;
    for (unsigned i = 0; rc == 0 && i < front->setup.queue_count; i++)
        rc = send_queue(front, i);
    for (unsigned i = 0; rc == 0 && enable && i < front->setup.queue_count; i++)
        rc = send_pair(front, VH_SET_VRING_ENABLE, i, 1, ack && i + 1 == front->setup.queue_count);
    front->wait = ack && enable ? FRONT_STARTED : FRONT_NOTHING;
    if (rc == 0 && front->wait == FRONT_NOTHING) {
        front->running = true;
        front_tell(front, VH_FRONT_RUNNING, "");
    }
    return rc;
}

static int ask_inflight(struct vh_front *front)
{
    struct vh_msg msg = new_msg(VH_GET_INFLIGHT_FD);

    front->wait = FRONT_INFLIGHT;
    vh_msg_put_u64(&msg, 0);
    vh_msg_put_u64(&msg, 0);
    vh_msg_put_u16(&msg, (uint16_t)front->setup.queue_count);
    vh_msg_put_u16(&msg, front_largest_queue(front));
    vh_msg_put_u32(&msg, 0); /* padding */
    return send_msg(front, &msg);
}

/* Features and memory are there, and the log. */
static int continue_setup(struct vh_front *front)
{
    if (front->inflight_fd < 0 && (front->protocol_features & VH_P_INFLIGHT_SHMFD) != 0)
        return ask_inflight(front);
    return send_queues(front);
}

int front_send_setup(struct vh_front *front)
{
    int rc = send_u64(front, VH_SET_FEATURES, features_now(front));

    if (front->inflight_queues != front->setup.queue_count ||
        front->inflight_size != front_largest_queue(front))
        front_drop_region(front); /* of other queues, which were stopped */
    if (rc == 0)
        rc = send_memory(front);
    if (rc == 0 && front->log_fd >= 0) /* it was on when the back end was lost */
        return send_log_base(front);
    return rc < 0 ? rc : continue_setup(front);
}

/* --- stop, log --- */

int front_ask_base(struct vh_front *front)
{
    front->wait = FRONT_BASE;
    return send_pair(front, VH_GET_VRING_BASE, front->stopping_queue, 0, false);
}

static int base_came(struct vh_front *front, const struct vh_msg *msg)
{
    if (vh_msg_get_u32(msg, 0) != front->stopping_queue)
        return -EPROTO;
    front->setup.queues[front->stopping_queue].base = (uint16_t)vh_msg_get_u32(msg, 4);
    if (++front->stopping_queue < front->setup.queue_count)
        return front_ask_base(front);
    front->running = front->want_running = front->handed = false;
    front_tell(front, VH_FRONT_STOPPED, "");
    return 0;
}

/* Features with the log's bit, then the rings' flags; the last one is acknowledged. */
static int switch_log(struct vh_front *front)
{
    int rc = send_u64(front, VH_SET_FEATURES, features_now(front));

    for (unsigned i = 0; rc == 0 && i < front->setup.queue_count; i++)
        rc = send_addr(front, i, i + 1 == front->setup.queue_count);
    front->wait = FRONT_LOG_ACK;
    return rc;
}

int front_send_log(struct vh_front *front)
{
    return front->log_fd >= 0 ? send_log_base(front) : switch_log(front);
}

/* --- answers --- */

static int features_came(struct vh_front *front, uint64_t features)
{
    front->features = features;
    if ((features & VH_F_VERSION_1) == 0)
        return -EPROTONOSUPPORT;
    if ((features & VH_F_PROTOCOL_FEATURES) == 0)
        return -EPROTONOSUPPORT; /* without a configuration there is no block device */
    return ask(front, VH_GET_PROTOCOL_FEATURES, FRONT_PROTOCOL);
}

static int protocol_came(struct vh_front *front, uint64_t features)
{
    int rc;

    front->protocol_features = features & WANTED_PROTOCOL;
    if ((features & VH_P_CONFIG) == 0)
        return -EPROTONOSUPPORT;
    rc = front_keep_region(front);
    if (rc < 0)
        return rc;
    rc = send_u64(front, VH_SET_PROTOCOL_FEATURES, front->protocol_features);
    if (rc == 0)
        rc = send_plain(front, VH_SET_OWNER);
    if (rc < 0)
        return rc;
    front->queue_num = 1;
    if ((features & VH_P_MQ) != 0)
        return ask(front, VH_GET_QUEUE_NUM, FRONT_QUEUE_NUM);
    return ask_config(front);
}

static int config_came(struct vh_front *front, const struct vh_msg *msg)
{
    const uint32_t size = vh_msg_get_u32(msg, 4);

    if (size == 0 || size > CONFIG_WANTED_BYTES || msg->size < CONFIG_HEADER_BYTES + size)
        return -EPROTO;
    memset(front->config, 0, sizeof(front->config));
    memcpy(front->config, msg->payload + CONFIG_HEADER_BYTES, size);
    front->known = true;
    front_tell(front, VH_FRONT_KNOWN, "");
    if (front->fd < 0 || !front->want_running || front->wait != FRONT_NOTHING)
        return 0; /* the caller did something of its own */
    if ((front->setup.features & ~front->features) != 0 ||
        front->setup.queue_count > front->queue_num)
        return -EPROTO; /* another back end: the guest was promised more */
    return front_send_setup(front);
}

static int inflight_came(struct vh_front *front, struct vh_msg *msg)
{
    front->inflight_bytes = vh_msg_get_u64(msg, 0);
    front->inflight_offset = vh_msg_get_u64(msg, 8);
    front->inflight_fd = vh_msg_take_fd(msg, 0);
    front->inflight_queues = front->setup.queue_count;
    front->inflight_size = front_largest_queue(front);
    if (msg->size < INFLIGHT_BYTES || front->inflight_fd < 0)
        return -EPROTO;
    return send_queues(front);
}

static int started(struct vh_front *front, const struct vh_msg *msg)
{
    if (vh_msg_get_u64(msg, 0) != 0)
        return -EPROTO;
    front->running = true;
    front_tell(front, VH_FRONT_RUNNING, "");
    return 0;
}

static int log_acked(struct vh_front *front, const struct vh_msg *msg)
{
    if (vh_msg_get_u64(msg, 0) != 0)
        return -EPROTO;
    front_tell(front, VH_FRONT_LOGGING, "");
    return 0;
}

static enum vh_request_id answer_of(enum front_wait wait)
{
    static const enum vh_request_id requests[] = {
        [FRONT_FEATURES] = VH_GET_FEATURES,    [FRONT_PROTOCOL] = VH_GET_PROTOCOL_FEATURES,
        [FRONT_QUEUE_NUM] = VH_GET_QUEUE_NUM,  [FRONT_CONFIG] = VH_GET_CONFIG,
        [FRONT_INFLIGHT] = VH_GET_INFLIGHT_FD, [FRONT_STARTED] = VH_SET_VRING_ENABLE,
        [FRONT_BASE] = VH_GET_VRING_BASE,      [FRONT_LOG_BASE] = VH_SET_LOG_BASE,
        [FRONT_LOG_ACK] = VH_SET_VRING_ADDR,
    };

    return requests[wait];
}

int front_answer(struct vh_front *front, struct vh_msg *msg)
{
    const enum front_wait wait = front->wait;

    if (wait == FRONT_NOTHING || (msg->flags & VH_FLAG_REPLY) == 0 ||
        msg->request != (uint32_t)answer_of(wait))
        return -EPROTO;
    front->wait = FRONT_NOTHING;
    switch (wait) {
    case FRONT_FEATURES:
        return features_came(front, vh_msg_get_u64(msg, 0));
    case FRONT_PROTOCOL:
        return protocol_came(front, vh_msg_get_u64(msg, 0));
    case FRONT_QUEUE_NUM:
        front->queue_num = vh_msg_get_u64(msg, 0);
        return ask_config(front);
    case FRONT_CONFIG:
        return config_came(front, msg);
    case FRONT_INFLIGHT:
        return inflight_came(front, msg);
    case FRONT_STARTED:
        return started(front, msg);
    case FRONT_BASE:
        return base_came(front, msg);
    case FRONT_LOG_BASE:
        return front->running ? switch_log(front) : continue_setup(front);
    case FRONT_LOG_ACK:
        return log_acked(front, msg);
    case FRONT_NOTHING:
        break;
    }
    return -EPROTO;
}
