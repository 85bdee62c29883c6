/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the small driver: vh_drive.c (making, the server that comes and goes) and
 * vh_drive_ring.c (its ring).
 */
#ifndef VH_DRIVE_PRIV_H
#define VH_DRIVE_PRIV_H

#include "storage/vhost/vh_drive.h"

#define DRIVE_OWN_ADDR 0x1000u /* guest address of the driver's own region */

/* What a server gets of ours: the memory of the rings and slots, and who wakes whom. */
struct own {
    int memory_fd, kick_fd, call_fd;
    uint8_t *memory; /* NULL: not there */
};

#define NO_OWN ((struct own) { .memory_fd = -1, .kick_fd = -1, .call_fd = -1 })

struct vh_drive {
    struct vh_drive_callbacks callbacks;
    struct vh_front *front;
    struct vh_events *events, *own_events; /* NULL: not ours */
    struct vh_front_setup setup;
    bool started; /* the set-up was handed over once */
    uint16_t size;
    struct own own;
    bool stale;   /* a server that may live answers into `own`: nothing there is believed */
    int more_fd;  /* an eventfd of ours alone: more was answered than one turn takes */
    int retry_fd; /* a timer: the kick is to be sent again; watched while `retrying` */
    bool retrying;
    uint64_t memory_bytes, avail_at, used_at, slots_at;
    uint16_t avail_idx, kicked_idx, used_seen;
    struct vh_drive_op **ops;         /* by slot; NULL: free */
    unsigned in_flight;               /* in the ring */
    struct vh_drive_op *first, *last; /* waiting for a slot */
    unsigned waiting;
};

/* The next multiple of `align`. */
static inline uint64_t drive_align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) / align * align;
}

/* Where all is in the driver's own memory, and the size of that. */
void drive_place(struct vh_drive *drive);
/* Can it be put there at all? 0, -E2BIG or -EFAULT. */
int drive_judge(const struct vh_drive *drive, const struct vh_drive_op *op);
/* What waits and has room goes into the ring; the server is kicked if it asked for it. */
void drive_put_waiting(struct vh_drive *drive);
/* Answers to their owners; what is more than one ring holds with the next turn. */
void drive_take_used(struct vh_drive *drive);
/* Nobody knows which of the requests in the ring were done: they fail. Whoever answers them late
 * does so where nobody looks: the next server gets a ring of its own. */
void drive_fail_in_flight(struct vh_drive *drive);
/* The kick itself. One that the kernel does not take is sent again by the timer. */
void drive_wake_server(struct vh_drive *drive);

#endif
