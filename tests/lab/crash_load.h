/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load of the crash test, and what must hold of it: a guest of a few lanes. A lane has a block
 * of its own and one request under way, which writes the block's next version, clears it, reads it
 * or flushes. So a block's content is known at any time, but for the one request under way: an old
 * version that comes back, a version that was answered and is not there, or an answer for what was
 * not done are each seen.
 */
#ifndef CRASH_LOAD_H
#define CRASH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/vhost/vh_drive.h"
#include "tests/unit/watch_loop.h"

enum { LOAD_LANES = 3, LOAD_STEPS = 6, LOAD_BLOCK = 4096, LOAD_OPS = LOAD_LANES * LOAD_STEPS };
enum { LOAD_DISK_BYTES = 1024 * 1024 };

struct load;

struct load_lane {
    struct load *load;
    unsigned index, step, sent, done; /* versions of its block */
    bool clears[LOAD_STEPS + 1];      /* that version is zeroes */
    bool busy;
    struct vh_drive_op op;
    struct iovec iov;
};

struct load {
    struct watch_loop loop;
    struct vh_drive *drive;
    uint8_t *memory;
    int memory_fd, file_fd;
    bool up, stopping;
    unsigned losses, answers;
    char wrong[160]; /* "": nothing so far */
    struct load_lane lanes[LOAD_LANES];
};

/* A driver over a file of LOAD_DISK_BYTES zeroes (borrowed). 0 or -errno. */
int load_begin(struct load *load, int file_fd);
void load_end(struct load *load);
/* Send what lanes are free to send, and stop the rings when all is answered. */
void load_go_on(struct load *load);
/* All is answered and the rings were stopped; each request was taken once. */
bool load_is_over(struct load *load);
/* The file as it is now against what was answered and sent. */
void load_check(struct load *load);
/* Something is wrong: the first reason stays. */
void load_say(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
