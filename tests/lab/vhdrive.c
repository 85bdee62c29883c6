/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhdrive SOCKET SECTORS: hawser's vhost-user-blk front end and driver against whatever serves a
 * disk of SECTORS sectors at SOCKET. It writes every block of the first MiB with 32 requests under
 * way, reads them back, flushes, asks for what must fail, logs dirty pages, and stops. What it left
 * on the disk is the caller's to compare: block i of 4 KiB is full of bytes i % 251 + 1.
 *
 * vhdrive SOCKET SECTORS stay: writes the first block again and again, says "written" for each that
 * was answered, and connects again whenever it is not connected: a guest that nobody stops.
 * With "now" in place of that: once, and only if the server can be connected to at once.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/vhost/vh_drive.h"
#include "storage/vhost/vh_log.h"
#include "tests/unit/watch_loop.h"

enum { BLOCK = 4096, BLOCKS = 256, MEMORY = 2 * BLOCK * BLOCKS, QUEUE = 64, DEPTH = 32 };
enum { WAIT_US = 10000, WAITS = 1500 };

struct play {
    struct watch_loop loop;
    struct vh_drive *drive;
    uint8_t *memory;
    int memory_fd, log_fd;
    bool up;
    unsigned done, failed, wanted;
    struct vh_drive_op ops[BLOCKS];
    struct iovec iovs[BLOCKS][2];
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "vhdrive: not so: %s\n", what);
    exit(1);
}

static void ready(void *context, int fd, short revents)
{
    vh_drive_service(((struct play *)context)->drive, fd, revents);
}

static void watch(void *context, int fd, short events)
{
    struct play *play = context;

    watch_loop_set(&play->loop, fd, events, ready, play);
}

static void state(void *context, bool up, const char *text)
{
    struct play *play = context;

    if (!up)
        fprintf(stderr, "vhdrive: %s\n", text);
    play->up = up;
}

static bool is_up(void *context)
{
    return ((struct play *)context)->up;
}

static bool is_done(void *context)
{
    return ((struct play *)context)->done >= ((struct play *)context)->wanted;
}

static void done(struct vh_drive_op *op, enum vh_blk_status status)
{
    struct play *play = op->context;

    play->done++;
    play->failed += status != VH_BLK_OK;
}

/* Block i by one request of two pieces, to or from `at`. */
static void submit(struct play *play, unsigned i, enum vh_blk_type type, uint64_t sector,
                   uint8_t *at)
{
    play->iovs[i][0] = (struct iovec) { at, 512 };
    play->iovs[i][1] = (struct iovec) { at + 512, BLOCK - 512 };
    play->ops[i] = (struct vh_drive_op) { .type = type,
                                          .sector = sector,
                                          .iov = play->iovs[i],
                                          .iov_count = type == VH_BLK_FLUSH ? 0 : 2,
                                          .done = done,
                                          .context = play };
    require(vh_drive_submit(play->drive, &play->ops[i]) == 0, "a request is taken");
}

static void wait_for(struct play *play, unsigned under_way)
{
    play->wanted = play->done + vh_drive_in_flight(play->drive) - under_way;
    require(watch_loop_until(&play->loop, is_done, play), "requests are answered");
}

static void move_all(struct play *play, enum vh_blk_type type, uint8_t *memory)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (vh_drive_in_flight(play->drive) == DEPTH)
            wait_for(play, DEPTH - 1);
        submit(play, i, type, (uint64_t)i * (BLOCK / 512), memory + i * BLOCK);
    }
    wait_for(play, 0);
    require(play->failed == 0, "all blocks are moved");
}

/* As a guest's own: a server that is not ready yet is asked again. */
static int connect_to(struct vh_drive *drive, const char *path, unsigned waits)
{
    int rc = vh_drive_connect(drive, path);

    while (rc == -EAGAIN && waits-- > 0) {
        (void)usleep(WAIT_US);
        rc = vh_drive_connect(drive, path);
    }
    return rc;
}

static void set_up(struct play *play, const char *path, unsigned waits)
{
    int rc;
    const struct vh_drive_callbacks callbacks = { .watch = watch, .state = state, .context = play };
    struct vh_drive_region region = { .bytes = MEMORY };

    play->memory_fd = memfd_create("vhdrive", MFD_CLOEXEC);
    play->log_fd = memfd_create("vhdrive-log", MFD_CLOEXEC);
    require(ftruncate(play->memory_fd, MEMORY) == 0 && ftruncate(play->log_fd, BLOCK) == 0,
            "there is memory");
    play->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, play->memory_fd, 0);
    require(play->memory != MAP_FAILED, "memory can be mapped");
    region.address = play->memory;
    region.fd = play->memory_fd;
    require(vh_drive_new(QUEUE, &region, 1, &callbacks, &play->drive) == 0, "there is a driver");
    rc = connect_to(play->drive, path, waits);
    if (rc < 0) {
        fprintf(stderr, "vhdrive: cannot connect: %s\n", strerror(-rc));
        exit(1);
    }
    require(watch_loop_until(&play->loop, is_up, play), "the server takes the rings");
}

/* A read after the log is on sets the bit of its page, where the server can log. */
static void log_one(struct play *play)
{
    uint8_t *target = play->memory + (BLOCKS + 1) * BLOCK, bits[BLOCK];
    const uint64_t page = vh_drive_guest_addr(play->drive, target) / VH_LOG_PAGE_BYTES;

    require(vh_front_log(vh_drive_front(play->drive), play->log_fd, BLOCK) == 0, "the log is on");
    /* the server reads its messages in order, but a kick may come before them: ask until it is set
     */
    for (unsigned i = 0; i < 100; i++) {
        submit(play, 0, VH_BLK_IN, 0, target);
        wait_for(play, 0);
        require(pread(play->log_fd, bits, sizeof(bits), 0) == (ssize_t)sizeof(bits), "the log");
        if ((bits[page / 8] & 1 << page % 8) != 0)
            return;
        (void)watch_loop_turn(&play->loop, 100);
    }
    require(false, "what the server writes is logged");
}

/* Until it is killed. */
static void stay(struct play *play, const char *path)
{
    for (;;) {
        play->wanted = play->done + 1;
        submit(play, 0, VH_BLK_OUT, 0, play->memory);
        while (!is_done(play)) {
            (void)vh_drive_connect(play->drive, path); /* if it is not, and if it can be */
            (void)watch_loop_turn(&play->loop, 20);
        }
        require(play->failed == 0, "a write is done");
        puts("written");
        (void)fflush(stdout);
        (void)watch_loop_turn(&play->loop, 20);
    }
}

int main(int argc, char **argv)
{
    static struct play play;
    const char *mode = argc == 4 ? argv[3] : "";
    uint64_t sectors;
    uint8_t *second;

    require(argc == 3 || argc == 4, "usage: vhdrive SOCKET SECTORS [stay|now]");
    sectors = strtoull(argv[2], NULL, 10);
    set_up(&play, argv[1], strcmp(mode, "now") == 0 ? 0 : WAITS);
    require(vh_drive_sectors(play.drive) == sectors, "the disk has its size");
    if (strcmp(mode, "stay") == 0)
        stay(&play, argv[1]);
    second = play.memory + BLOCKS * BLOCK;
    for (unsigned i = 0; i < BLOCKS; i++)
        memset(play.memory + i * BLOCK, (int)(i % 251 + 1), BLOCK);
    move_all(&play, VH_BLK_OUT, play.memory);
    move_all(&play, VH_BLK_IN, second);
    require(memcmp(play.memory, second, BLOCK * BLOCKS) == 0, "what is read was written");
    submit(&play, 0, VH_BLK_FLUSH, 0, play.memory);
    wait_for(&play, 0);
    require(play.failed == 0, "a flush is done");
    submit(&play, 0, VH_BLK_OUT, sectors, play.memory);
    wait_for(&play, 0);
    require(play.failed == 1, "a write behind the end fails");
    log_one(&play);
    vh_drive_free(play.drive);
    puts("ok");
    return 0;
}
