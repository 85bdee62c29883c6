/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front end of vhost-user: the VMM's end of one disk. It negotiates, hands over memory and
 * rings, stops them, keeps the in-flight region while the back end is gone, and sets everything up
 * again when it is back. It sits in the caller's event loop and never waits.
 *
 * A back end without an in-flight region (INFLIGHT_SHMFD) takes with it what it knew of its
 * requests. It may answer in any order, so no index tells which of them were done: done again, an
 * older write may land over a newer one. Nothing is done again then: see vh_front_unsure().
 *
 * The caller connects (and connects again when it is told that the back end is lost), is told when
 * the device is known, starts it with memory and queues, and is told when the rings run.
 */
#ifndef VH_FRONT_H
#define VH_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/vhost/vh_mem.h"
#include "storage/vhost/vh_proto.h"

struct vh_front;

enum vh_front_event {
    VH_FRONT_KNOWN,   /* negotiated: features and configuration can be read */
    VH_FRONT_RUNNING, /* the rings were taken over by the back end */
    VH_FRONT_STOPPED, /* drained: the bases can be read */
    VH_FRONT_LOGGING, /* the dirty log is on, or off, as it was wanted */
    VH_FRONT_LOST,    /* the connection ended; `text` says why; see vh_front_unsure() */
};

struct vh_front_callbacks {
    /* From vh_front_service() and the calls below; the front end may be used inside, not freed. */
    void (*event)(void *context, enum vh_front_event event, const char *text);
    /* Watch this descriptor for poll(2) `events` (0: no more). */
    void (*watch)(void *context, int fd, short events);
    void *context;
};

struct vh_front_queue {
    uint16_t size;
    uint16_t base; /* where the next start begins; the bases of a stop are put here */
    uint64_t desc_addr, avail_addr, used_addr; /* addresses of this process */
    uint64_t used_guest_addr;                  /* of the used ring, for the dirty log */
    int kick_fd, call_fd;                      /* the caller's; call_fd -1: none */
};

struct vh_front_setup {
    uint64_t features; /* what the driver accepted, and of vhost's own nothing */
    unsigned region_count;
    struct vh_region regions[VH_REGIONS];
    int region_fds[VH_REGIONS]; /* the caller's */
    unsigned queue_count;
    struct vh_front_queue queues[VH_QUEUES];
};

/* A front end of nothing yet. 0 or -ENOMEM. */
int vh_front_new(const struct vh_front_callbacks *callbacks, struct vh_front **ret_front);
/* Close; the in-flight region goes, too. NULL is allowed. */
void vh_front_free(struct vh_front *front);

/*
 * Connect to the back end at `path`; VH_FRONT_KNOWN or VH_FRONT_LOST follows. If the rings were
 * running when an earlier connection ended they are set up again, behind VH_FRONT_KNOWN, without
 * being asked, unless vh_front_unsure(). A back end without an in-flight region that comes where
 * another one left requests in such a region is lost at once. 0, -EALREADY if it is connected, or
 * -errno of connect(2): try again later. -EAGAIN: it is there, and not ready to be connected to.
 */
int vh_front_connect(struct vh_front *front, const char *path);
/* The same with a connected socket, which is the front end's now. */
int vh_front_connect_fd(struct vh_front *front, int fd);
/* End the connection; no event. The rings' memory is read: it is there, or they were stopped. */
void vh_front_disconnect(struct vh_front *front);

/*
 * Start the rings; VH_FRONT_RUNNING follows. 0; -ENOTCONN if the device is not known; -EALREADY;
 * -ENOTSUP: the back end lacks a feature that is wanted or does not have so many queues.
 */
int vh_front_start(struct vh_front *front, const struct vh_front_setup *setup);
/* Stop and drain them; VH_FRONT_STOPPED follows. -ENOTCONN if they do not run. */
int vh_front_stop(struct vh_front *front);
/*
 * The device was reset: of what was asked of the back end before nothing is done again, and the
 * rings wait for vh_front_start(). The in-flight region is given up; but with `same_guest`, which
 * may remember what it has read, it is only cleared if a server of ours has made it and noted there
 * where the guest ran. 0; -EBUSY: the back end has the rings, or is about to get them.
 */
int vh_front_forget(struct vh_front *front, bool same_guest);
/*
 * Log dirty pages into `bytes` of `fd` (the caller's) from now on; fd -1: no more. 0, and
 * VH_FRONT_LOGGING follows; 1: the rings do not run, and will be logged from their next start on;
 * -EALREADY: something is under way; -ENOTCONN; -ENOTSUP if the back end cannot.
 */
int vh_front_log(struct vh_front *front, int fd, uint64_t bytes);

/* Something happened on a watched descriptor. Never blocks. */
void vh_front_service(struct vh_front *front, int fd, short revents);

uint64_t vh_front_features(const struct vh_front *front);     /* what the back end offers */
const uint8_t *vh_front_config(const struct vh_front *front); /* VH_CONFIG_BYTES, zero-filled */
unsigned vh_front_queues(const struct vh_front *front);       /* how many it has; 1 without MQ */
/* The rings run: started, and neither stopped nor lost since. */
bool vh_front_running(const struct vh_front *front);
/* Where the queue begins next: the back end's word at the stop, or the used index at the loss. */
uint16_t vh_front_base(const struct vh_front *front, unsigned queue);
/*
 * The last connection ended with requests in flight, at a back end that kept no record of them
 * ("Inflight I/O tracking"): each may be done or not. The rings are not set up again until
 * vh_front_start(), whose caller has decided what becomes of those requests. A back end whose
 * process lives may still write into the rings that it was given: where that cannot be ruled out
 * the next one is given others.
 */
bool vh_front_unsure(const struct vh_front *front);
/* There is an in-flight region: the next back end learns from it what the last one left. */
bool vh_front_has_record(const struct vh_front *front);
/* The back end that was known last has such regions (INFLIGHT_SHMFD). */
bool vh_front_keeps_records(const struct vh_front *front);

#endif
