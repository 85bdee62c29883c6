/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back end of vhost-user-blk: one disk at one unix socket. It talks with front ends, takes
 * requests out of their rings and gives them to its owner, who carries them out. It sits in the
 * owner's event loop and never waits.
 *
 * Two front ends may be connected: the second may negotiate and read the configuration, its rings
 * start when the first one's have stopped and nothing of the first is with the owner any more. So
 * two copies of one guest never have requests on the disk at once, and a front end that reconnects
 * does its in-flight requests again only behind the old ones.
 */
#ifndef VH_BACK_H
#define VH_BACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "storage/vhost/vh_blk.h"
#include "storage/vhost/vh_event.h"

struct vh_back;

/* A request with the owner. */
struct vh_request {
    enum vh_blk_type type; /* IN, OUT, FLUSH, DISCARD, WRITE_ZEROES */
    uint64_t sector;       /* of 512 bytes */
    uint64_t sectors;
    struct iovec *iov; /* IN, OUT: the guest's memory; there until vh_request_done() */
    unsigned iov_count;
    void *owner; /* `owner_bytes` of the owner's own, zeroed once */
};

struct vh_back_callbacks {
    /* Carry this out; vh_request_done() may be called from inside. */
    void (*request)(void *context, struct vh_request *request);
    /* Nobody wants its answer any more: its front end is gone. vh_request_done() is still due. */
    void (*abandon)(void *context, struct vh_request *request);
    /* Watch this descriptor for poll(2) `events` (0: no more) instead of those before, and call
     * vh_back_service(). */
    void (*watch)(void *context, int fd, short events);
    /* A front end came (`connected`), went, or did something wrong: in words, for the log. */
    void (*tell)(void *context, bool connected, const char *text);
    void *context;
    struct vh_events *events; /* to signal with, the owner's; NULL: the back end makes its own */
};

struct vh_back_stats {
    uint64_t requests, bytes_read, bytes_written, refused;
    unsigned clients, in_flight;
    bool running;   /* rings of a front end are started */
    bool waiting;   /* and hold requests that were not taken */
    bool unmarked;  /* and nothing tells of the guest where it ran (vh_back_set_origin()) */
    unsigned stale; /* front ends whose guests ran elsewhere */
};

/*
 * Serve at `listener`, a listening stream socket that is the back end's now, for the length of its
 * life. Front ends are answered from vh_back_ready() on. 0, -ENOMEM or -errno of vh_events_new().
 */
int vh_back_new(int listener, size_t owner_bytes, const struct vh_back_callbacks *callbacks,
                struct vh_back **ret_back);
/* Close all; requests that are with the owner must have ended. NULL is allowed. */
void vh_back_free(struct vh_back *back);

/* What the device is; from now on front ends are talked to. Held at first. */
void vh_back_ready(struct vh_back *back, const struct vh_blk_device *device);
/*
 * On which LUN the disk is (a hash of its name), and in which line of its ownership records: the
 * line is another one when another node, or a tool, had the LUN in between. A guest that keeps an
 * in-flight region ran where that says; if it is elsewhere, what it knows of the disk is stale: its
 * rings are not started, that is told, and another front end may run.
 */
struct vh_back_origin {
    uint64_t lun, line;
};

/* Set it with each ownership; NULL when that ends: who starts its rings then is judged with the
 * next one. Without it every guest may run. */
void vh_back_set_origin(struct vh_back *back, const struct vh_back_origin *origin);
/* While held no request is taken out of a ring; they wait there, and nothing fails. */
void vh_back_hold(struct vh_back *back, bool hold);

/* Something happened on a watched descriptor. Never blocks. */
void vh_back_service(struct vh_back *back, int fd, short revents);
/* Tell the drivers what was answered since the last call: once after each turn of the loop. Who
 * cannot be told now is told in a later turn, which a timer brings about. */
void vh_back_flush(struct vh_back *back);

/*
 * The owner is done with a request. `answered` false: nobody was told and nobody will be (the front
 * end is gone, or the process is about to end); it stays in the in-flight region.
 */
void vh_request_done(struct vh_request *request, enum vh_blk_status status, bool answered);

/* Requests with the owner. */
unsigned vh_back_in_flight(const struct vh_back *back);
/* Counts so far. */
struct vh_back_stats vh_back_stats(const struct vh_back *back);

#endif
