/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small driver for a vhost-user disk, for who is no guest: the VMM's own queue of the saved-state
 * area, and tests. One queue, whose rings, headers and status bytes lie in a sealed memory of its
 * own that only this connection knows; data go straight to and from the caller's regions. When the
 * back end dies the owner connects again (vh_drive_connect()) and every request goes on; but where
 * the back end had no in-flight region, those it may have taken are done with VH_BLK_IOERR, behind
 * state(): each may be done, or be done later, or not (vh_front_unsure()).
 *
 * A back end that drops its connection may live, and answer later. Where it had no in-flight region
 * the next one gets fresh rings, slots and eventfds, so that a late answer reaches nobody. A region
 * goes to the next one with the rings that it speaks of: there whoever serves must see to it that
 * two never do (hawser-lun: the process that holds the LUN's presence lock is the only one,
 * sto_presence.h).
 */
#ifndef VH_DRIVE_H
#define VH_DRIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "storage/vhost/vh_blk.h"
#include "storage/vhost/vh_event.h"
#include "storage/vhost/vh_front.h"

struct vh_drive;
struct vh_drive_op;

/* A region of the caller's memory that data may lie in. */
struct vh_drive_region {
    void *address; /* where the caller has it mapped */
    uint64_t bytes, file_offset;
    int fd; /* the caller's */
};

enum { VH_DRIVE_REGIONS = VH_REGIONS - 1 };

struct vh_drive_op {
    /* set by the caller, whose op and memory it is until `done` */
    enum vh_blk_type type;
    uint64_t sector;  /* of 512 bytes */
    uint64_t sectors; /* DISCARD, WRITE_ZEROES; else the sum of iov */
    const struct iovec *iov;
    unsigned iov_count;
    void (*done)(struct vh_drive_op *op, enum vh_blk_status status);
    void *context;
    /* the driver's */
    struct vh_drive_op *next;
};

struct vh_drive_callbacks {
    void (*watch)(void *context, int fd, short events); /* as in vh_front.h */
    /* The device is known and requests go out (`up`), or the back end is lost or cannot be started:
     * `text` says why, and the owner connects again. */
    void (*state)(void *context, bool up, const char *text);
    void *context;
    struct vh_events *events; /* to signal with, the owner's; NULL: the driver makes its own */
};

/*
 * A driver of one queue of `queue_size` entries, with `count` regions of the caller's (0 to
 * VH_DRIVE_REGIONS). 0, -EINVAL, -ENOMEM or -errno.
 */
int vh_drive_new(uint16_t queue_size, const struct vh_drive_region *regions, unsigned count,
                 const struct vh_drive_callbacks *callbacks, struct vh_drive **ret_drive);
/* Close; ops that are under way are forgotten, `done` is not called. NULL is allowed. */
void vh_drive_free(struct vh_drive *drive);
/* Connect, at first or again; see vh_front_connect(). */
int vh_drive_connect(struct vh_drive *drive, const char *path);
/* Something happened on a watched descriptor. Never blocks. */
void vh_drive_service(struct vh_drive *drive, int fd, short revents);

/* Take a request; it waits if the queue is full or the back end is not there. 0; -EFAULT: its data
 * are not in the regions; -E2BIG: its pieces, a header and a status (DISCARD, WRITE_ZEROES: and a
 * segment) are more than the queue has entries. */
int vh_drive_submit(struct vh_drive *drive, struct vh_drive_op *op);
/* Its front end: features, configuration, log. Borrowed. */
struct vh_front *vh_drive_front(struct vh_drive *drive);
/* The configuration's capacity in sectors of 512 bytes; 0: not known. */
uint64_t vh_drive_sectors(const struct vh_drive *drive);
/* Requests taken and not done. */
unsigned vh_drive_in_flight(const struct vh_drive *drive);
/* The guest address that the driver gives its caller's memory; 0: not in a region. */
uint64_t vh_drive_guest_addr(const struct vh_drive *drive, const void *pointer);

#endif
