/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the front end: vh_front.c (connection, states) and vh_front_msg.c (messages). */
#ifndef VH_FRONT_PRIV_H
#define VH_FRONT_PRIV_H

#include "storage/vhost/vh_front.h"
#include "storage/vhost/vh_inflight.h"
#include "storage/vhost/vh_msg.h"

/* What is being waited for; one answer at a time. */
enum front_wait {
    FRONT_NOTHING,
    FRONT_FEATURES,
    FRONT_PROTOCOL,
    FRONT_QUEUE_NUM,
    FRONT_CONFIG,
    FRONT_INFLIGHT,
    FRONT_STARTED,
    FRONT_BASE,
    FRONT_LOG_BASE,
    FRONT_LOG_ACK,
};

struct vh_front {
    struct vh_front_callbacks callbacks;
    int fd; /* -1: not connected */
    struct vh_msg_reader reader;
    enum front_wait wait;
    bool known, running, want_running;
    bool handed;    /* the back end was given the rings on this connection */
    bool in_flight; /* the last one that was given them left requests unanswered, */
    bool unsure;    /* and no record of which of them it has done */
    unsigned stopping_queue;
    uint64_t features, protocol_features, queue_num;
    uint8_t config[VH_CONFIG_BYTES];
    struct vh_front_setup setup;
    int inflight_fd; /* -1: none; kept while the back end is gone */
    uint64_t inflight_bytes, inflight_offset;
    unsigned inflight_queues; /* its shape */
    uint16_t inflight_size;
    int log_fd; /* a duplicate, or -1 */
    uint64_t log_bytes;
};

void front_lose(struct vh_front *front, const char *why); /* the connection is over */
void front_tell(struct vh_front *front, enum vh_front_event event, const char *text);

/* Give the in-flight region up. */
void front_drop_region(struct vh_front *front);
/* The region of the back end before, at this one. 0; -ENOTSUP: it has none, and requests are noted
 * in that region. */
int front_keep_region(struct vh_front *front);
/* The size that a region needs, where queues may differ. */
uint16_t front_largest_queue(const struct vh_front *front);

/* Begin to negotiate. */
int front_ask_features(struct vh_front *front);
/* Hand memory and rings over. */
int front_send_setup(struct vh_front *front);
/* Stop queue front->stopping_queue. */
int front_ask_base(struct vh_front *front);
/* The log on or off. */
int front_send_log(struct vh_front *front);
/* The answer that was waited for. 0 or -errno: the connection is to be ended. */
int front_answer(struct vh_front *front, struct vh_msg *msg);

#endif
