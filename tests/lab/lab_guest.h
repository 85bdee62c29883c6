/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab owner's guest: fills the disk with stamps, writes single runs, writes without pause,
 * reads everything back. Its disk is a gate in the same process, or a vhost-user-blk one; requests
 * to the same blocks go one after the other, as a guest's do.
 */
#ifndef LAB_GUEST_H
#define LAB_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "storage/sto_owner.h"

enum { LAB_GUEST_DEPTH = 16, LAB_GUEST_RUN_BYTES = 65536, LAB_GUEST_WRITES = 4096 };

enum lab_guest_event {
    LAB_GUEST_WRITTEN,  /* number: the write's */
    LAB_GUEST_FILLED,   /* number: blocks of 512 bytes */
    LAB_GUEST_VERIFIED, /* number: blocks that carry no stamp of this node and generation */
    LAB_GUEST_FAILED,   /* number: the write's, or 0 */
};

struct lab_guest;
struct lab_guest_request;

/* Where its requests go. */
struct lab_guest_disk {
    /* Where the disk lies on the LUN, and how much of it is the guest's, in bytes; 0: not known. */
    void (*window)(void *context, uint64_t *ret_offset, uint64_t *ret_bytes);
    /* Carry out; lab_guest_done() follows. `offset_bytes` is from the disk's start. Or -errno. */
    int (*submit)(void *context, struct lab_guest_request *one, enum sto_op_kind kind,
                  uint64_t offset_bytes);
    void *context;
    uint8_t *memory; /* LAB_GUEST_MEMORY_BYTES, page-aligned, the disk's own */
};

struct lab_guest_request {
    struct lab_guest *guest;
    struct iovec iov;
    uint8_t *buffer;
    uint64_t lba, count, number;
    bool out;
};

enum { LAB_GUEST_MEMORY_BYTES = 2 * LAB_GUEST_DEPTH * LAB_GUEST_RUN_BYTES };

struct lab_guest_write {
    uint64_t lba, count, number;
};

enum lab_guest_pass {
    LAB_GUEST_IDLE,
    LAB_GUEST_FILL,
    LAB_GUEST_FLUSH,
    LAB_GUEST_VERIFY,
    LAB_GUEST_FLOOD
};

struct lab_guest {
    struct lab_guest_disk disk;
    uint16_t node;
    uint32_t generation;
    void (*say)(void *context, enum lab_guest_event event, uint64_t number, const char *why);
    void *context;
    enum lab_guest_pass pass;
    uint64_t next_lba, foreign;
    unsigned pass_out; /* requests of the pass that are not answered */
    struct lab_guest_request requests[LAB_GUEST_DEPTH]; /* of the pass */
    struct lab_guest_request writes[LAB_GUEST_DEPTH];   /* single runs */
    struct lab_guest_write queue[LAB_GUEST_WRITES];
    unsigned queued;
};

/* A guest without requests; `say` is told what happened, from lab_guest_done(). */
void lab_guest_init(struct lab_guest *guest, const struct lab_guest_disk *disk, uint16_t node,
                    void (*say)(void *context, enum lab_guest_event event, uint64_t number,
                                const char *why),
                    void *context);
/* One of its requests has ended. */
void lab_guest_done(struct lab_guest_request *one, bool ok, const char *why);
/* Stamp every block of the disk, then flush; LAB_GUEST_FILLED. */
void lab_guest_fill(struct lab_guest *guest);
/* Read every block; LAB_GUEST_VERIFIED. */
void lab_guest_verify(struct lab_guest *guest);
/* Write the first LAB_GUEST_DEPTH runs of the disk over and over, all of them in flight at all
 * times, until one fails; LAB_GUEST_FAILED. */
void lab_guest_flood(struct lab_guest *guest);
/* Write one run of `count` blocks, at most 128; LAB_GUEST_WRITTEN. */
void lab_guest_write(struct lab_guest *guest, uint64_t lba, uint64_t count, uint64_t number);

#endif
