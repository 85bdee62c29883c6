/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the back end: vh_back.c (connections, which of them runs), vh_back_msg.c (messages),
 * vh_back_ring.c (requests of the rings), vh_back_guest.c (whose guest may run).
 */
#ifndef VH_BACK_PRIV_H
#define VH_BACK_PRIV_H

#include "storage/vhost/vh_back.h"
#include "storage/vhost/vh_msg.h"

enum {
    VH_CLIENTS = 4,          /* at once, and of them */
    VH_CLIENTS_GOOD = 2,     /* that may run */
    BACK_TURN_MESSAGES = 64, /* of one connection, before the owner's loop turns again */
};

struct vh_conn;

struct vh_queue {
    struct vh_ring ring;
    struct vh_conn *conn;
    int kick_fd, call_fd;
    bool placed, enabled, started, running, stopping, answered;
    bool untold; /* its driver wants a signal, which the kernel did not take */
    uint16_t base;
    uint64_t desc_addr, avail_addr, used_addr, log_addr;
    uint32_t flags;
};

struct vh_conn {
    struct vh_back *back;
    int fd; /* -1: closed, but requests of it are still with the owner; */
    bool used;
    uint64_t number; /* of its coming: the oldest has the lowest */
    struct vh_msg_reader reader;
    uint64_t features, protocol_features;
    bool features_set;
    const char *why; /* it is to be closed, in words with a remedy; NULL: none in particular */
    struct vh_mem *mem;
    struct vh_log log;
    struct vh_inflight inflight;
    unsigned outstanding; /* requests with the owner */
    bool stale;           /* its guest is of before another node had the LUN */
    struct vh_queue queues[VH_QUEUES];
};

struct back_request {
    struct vh_request request;
    struct vh_queue *queue;
    struct vh_mem *mem;
    uint16_t head;
    bool abandoned; /* the owner was told */
    uint8_t *status;
    uint32_t in_bytes;
    unsigned room;                        /* of request.iov */
    struct back_request *next, *previous; /* with the owner, or free */
};

struct vh_back {
    int listener;
    int more_fd;                           /* an eventfd of ours: a queue has more than its turn */
    int retry_fd;                          /* a timer: an untold driver is to be told; watched */
    bool retrying;                         /* while it is armed */
    struct vh_events *events, *own_events; /* clients' are signalled through it; NULL: not ours */
    size_t owner_bytes;
    struct vh_back_callbacks callbacks;
    bool ready, held, listening;
    struct vh_blk_device device;
    struct vh_back_origin origin; /* lun 0: none */
    struct vh_conn conns[VH_CLIENTS];
    uint64_t came;          /* front ends so far */
    struct vh_conn *active; /* whose rings run, or ran and have requests with the owner */
    struct back_request *free_requests, *busy_requests;
    struct vh_back_stats stats;
};

/* --- vh_back.c --- */

/* Close a connection; what it has with the owner is abandoned. */
void back_drop(struct vh_conn *conn, const char *why);
/* Has it started a ring? */
bool back_wants_to_run(const struct vh_conn *conn);
/* A ring started or stopped, a request ended, a connection closed: who runs now? */
void back_settle(struct vh_back *back);
void back_watch(struct vh_back *back, int fd, short events); /* tell the owner's loop */

/* --- vh_back_msg.c --- */

/* One message. 0, or -errno: the connection is to be closed. */
int back_message(struct vh_conn *conn, struct vh_msg *msg);
/* The ring is drained: answer GET_VRING_BASE. 0 or -errno. */
int back_stopped(struct vh_queue *queue);

/* Answer a message: with this payload, or with one number. 0 or -errno. */
int back_reply(struct vh_conn *conn, const struct vh_msg *to, struct vh_msg *msg);
int back_reply_u64(struct vh_conn *conn, const struct vh_msg *to, uint64_t value);

/* --- vh_back_mem.c: 0, or -errno: the connection is to be closed --- */

/* Find the parts of the queue's ring in the memory that is there now. */
int back_place(struct vh_queue *queue);
int back_set_mem_table(struct vh_conn *conn, struct vh_msg *msg);
int back_set_log_base(struct vh_conn *conn, struct vh_msg *msg);
int back_get_inflight(struct vh_conn *conn, const struct vh_msg *msg);
int back_set_inflight(struct vh_conn *conn, struct vh_msg *msg);

/* --- vh_back_guest.c --- */

/* Its guest is not of another line of the LUN than this one (vh_back_set_origin()). */
bool back_may_run(struct vh_conn *conn);
/* Is there a place for another front end: one that is free, or a stale one's? */
bool back_has_place(struct vh_back *back);
/* A free place; if there is none, the oldest stale front end's, which is told and closed. NULL: all
 * are needed. */
struct vh_conn *back_place_for_another(struct vh_back *back);

/* --- vh_back_ring.c --- */

/* Start the queue's ring on the active connection. */
void back_ring_start(struct vh_queue *queue);
/* Take what is there, at most as many chains as the ring holds; what is more, in the next turn. */
void back_ring_run(struct vh_queue *queue);
/* All started rings of the active connection. */
void back_run_all(struct vh_back *back);
/* Give every request of this connection up. */
void back_abandon(struct vh_conn *conn);

#endif
