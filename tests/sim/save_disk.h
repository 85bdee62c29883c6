/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of the tests' own under the machines of vmm-core/save: it has a cache that a flush
 * empties, ends requests in any order, fails or forgets them on demand, and, when the power goes,
 * keeps any subset of the 512-byte sectors that were not flushed. Who holds it may be changed: the
 * requests of those before fail. Sparse, in pages of 4 KiB.
 */
#ifndef SAVE_DISK_H
#define SAVE_DISK_H

#include <stdbool.h>

#include "common/hw_prng.h"
#include "vmm-core/save/vmm_save_queue.h"

enum { SAVE_DISK_PAGE_BYTES = 4096, SAVE_DISK_SECTORS = 8, SAVE_DISK_REQUESTS = 64 };

/* A page that was written and not flushed. */
struct save_disk_write {
    uint64_t page, sequence;
    unsigned holder;
    bool done;       /* answered; else the request is under way */
    uint8_t sectors; /* that were written: a request cut short writes some only */
    uint8_t data[SAVE_DISK_PAGE_BYTES];
};

struct save_disk_request {
    struct vmm_save_op *op;
    uint64_t sequence; /* of the disk when it was submitted */
    unsigned holder;
    bool ended; /* with `rc`, which its holder has not been told: it was that of the disk then */
    int rc;
};

/* Does this sector of an unflushed write stay? */
typedef bool save_disk_keeps(void *context, unsigned write, unsigned sector);

/* Told of each request when it is submitted and when it is answered; may be NULL. */
struct save_disk_watch {
    void (*submitted)(void *context, unsigned holder, const struct vmm_save_op *op);
    void (*answered)(void *context, unsigned holder, const struct vmm_save_op *op, int rc);
    void *context;
};

struct save_disk {
    uint64_t pages;
    uint8_t **now;  /* as read back; NULL: zeroes */
    uint8_t **safe; /* what a power cut leaves at least */
    struct save_disk_write *writes;
    unsigned write_count, write_room;
    struct save_disk_request requests[SAVE_DISK_REQUESTS];
    unsigned request_count;
    uint64_t sequence, restarts;
    unsigned holder; /* who may use it: others' requests fail with -EBADE */
    struct hw_prng prng;
    struct save_disk_watch watch;
    bool in_order; /* requests end in the order in which they came */
    /* a failed write lands in part, and of memory that changes under one either content may */
    bool wild;
    uint64_t ops;        /* submitted so far */
    uint64_t reject_op;  /* this one, counted from 1, is not taken; */
    uint64_t fail_op;    /* this one is refused without effect; */
    uint64_t lose_op;    /* this one is carried out and answered with an error; */
    uint64_t restart_op; /* before this one the target restarts and loses what was not flushed */
    bool down;           /* all that is answered is an error */
    uint64_t unreadable; /* reads of this page fail; UINT64_MAX: none */
    uint64_t writes_done, flushes_done, bytes_written;
};

/* A queue of one of its users. */
struct save_disk_user {
    struct save_disk *disk;
    unsigned holder;
};

/* An empty disk of `bytes`. Aborts without memory, as all of this file does. */
struct save_disk *save_disk_new(uint64_t bytes, uint64_t seed);
/* Free; requests under way are forgotten. */
void save_disk_free(struct save_disk *disk);
/* The queue of a user; the user lives as long as the queue. */
struct vmm_save_queue save_disk_queue(struct save_disk_user *user);
/* Carry out and answer one request. False: there is none. */
bool save_disk_step(struct save_disk *disk);
/* One of this holder's. */
bool save_disk_step_of(struct save_disk *disk, unsigned holder);
/* Forget what this holder has under way; what it wrote may still land (save_disk_cut). */
void save_disk_forget(struct save_disk *disk, unsigned holder);
/* The power of the target goes and comes back: what was not flushed is lost, for users that go on.
 */
void save_disk_restart(struct save_disk *disk);
/*
 * A new disk as this one may be after a cut: what is safe, and of each unflushed write the sectors
 * that `keeps(context, write, sector)` says.
 */
struct save_disk *save_disk_cut(const struct save_disk *disk, save_disk_keeps *keeps,
                                void *context);
/* The same happens to this disk, for users that go on: a restart that loses some. */
void save_disk_power(struct save_disk *disk, save_disk_keeps *keeps, void *context);
/*
 * The disk has another holder, after a barrier: what is under way lands now, wholly, or the sectors
 * that `keeps` says, and nothing lands any more. Requests of others fail, now or whenever their
 * holder is told; some were carried out just before.
 */
void save_disk_give(struct save_disk *disk, unsigned holder, save_disk_keeps *keeps, void *context);
/* Read and change at once, past everything. */
void save_disk_peek(const struct save_disk *disk, uint64_t offset_bytes, void *ret_bytes,
                    uint64_t bytes);
void save_disk_flip(struct save_disk *disk, uint64_t offset_bytes, unsigned bit);
/* This page is nothing but zeroes from now on, durably. */
void save_disk_wipe(struct save_disk *disk, uint64_t page);
/* Is what is read at this page durable, too? */
bool save_disk_is_safe(const struct save_disk *disk, uint64_t page);
/* Of all writes under way land the sectors that `keeps` says, and nothing any more. */
void save_disk_barrier(struct save_disk *disk, save_disk_keeps *keeps, void *context);
/* A write that fails lands in part: what has this sequence. */
void save_disk_land_in_part(struct save_disk *disk, uint64_t sequence);
/* Put sectors (a bit each) of a page into `now` or `safe`. */
void save_disk_put(uint8_t **pages, uint64_t page, const uint8_t *data, unsigned sectors);
/* Pages written and not flushed, requests under way too. */
unsigned save_disk_unflushed(const struct save_disk *disk);

#endif
