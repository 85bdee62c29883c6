/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lanes of the crash test.
 */
#include <config.h>

#include "tests/lab/crash_load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SECTOR = 512, QUEUE = 16, MEMORY = LOAD_OPS * LOAD_BLOCK, PER_BLOCK = LOAD_BLOCK / SECTOR };

/* Each lane begins at another one, so that reads and writes overtake each other. */
static const enum vh_blk_type steps[LOAD_STEPS] = { VH_BLK_OUT,   VH_BLK_IN,      VH_BLK_OUT,
                                                    VH_BLK_FLUSH, VH_BLK_DISCARD, VH_BLK_OUT };

void load_say(struct load *load, const char *format, ...)
{
    va_list arguments;

    if (load->wrong[0] != '\0')
        return;
    va_start(arguments, format);
    (void)vsnprintf(load->wrong, sizeof(load->wrong), format, arguments);
    va_end(arguments);
}

/* --- contents --- */

static void stamp(uint8_t *sector, unsigned lane, unsigned version)
{
    memset(sector, (int)(version + 1), SECTOR);
    sector[0] = (uint8_t)lane;
    sector[1] = (uint8_t)version;
}

static bool is_version(const struct load_lane *lane, const uint8_t *sector, unsigned version)
{
    uint8_t right[SECTOR] = { 0 };

    if (version > 0 && !lane->clears[version])
        stamp(right, lane->index, version);
    return memcmp(right, sector, SECTOR) == 0;
}

static void check_block(struct load_lane *lane, const uint8_t *block, const char *where)
{
    for (unsigned i = 0; i < PER_BLOCK; i++) {
        const uint8_t *sector = block + (size_t)i * SECTOR;

        if (!is_version(lane, sector, lane->done) && !is_version(lane, sector, lane->sent))
            load_say(lane->load,
                     "%s: block %u has version %u of lane %u; %u is answered, %u was sent", where,
                     lane->index, sector[1], sector[0], lane->done, lane->sent);
    }
}

void load_check(struct load *load)
{
    uint8_t block[LOAD_BLOCK];

    for (unsigned i = 0; i < LOAD_LANES; i++) {
        if (pread(load->file_fd, block, sizeof(block), (off_t)i * LOAD_BLOCK) != sizeof(block))
            load_say(load, "the file cannot be read");
        else
            check_block(&load->lanes[i], block, "on the disk");
    }
}

/* --- requests --- */

static uint8_t *memory_of(const struct load_lane *lane)
{
    return lane->load->memory + (size_t)(lane->index * LOAD_STEPS + lane->step) * LOAD_BLOCK;
}

static void answered(struct vh_drive_op *op, enum vh_blk_status status)
{
    struct load_lane *lane = op->context;
    struct load *load = lane->load;

    if (!lane->busy)
        load_say(load, "lane %u: answered twice", lane->index);
    if (status != VH_BLK_OK)
        load_say(load, "lane %u, step %u: ends with status %d", lane->index, lane->step, status);
    lane->done = lane->sent;
    if (op->type == VH_BLK_IN)
        check_block(lane, memory_of(lane), "read");
    lane->busy = false;
    lane->step++;
    load->answers++;
    load_check(load);
}

static void send_next(struct load_lane *lane)
{
    const enum vh_blk_type type = steps[(lane->step + lane->index) % LOAD_STEPS];
    uint8_t *memory = memory_of(lane);

    if (type == VH_BLK_OUT || type == VH_BLK_DISCARD)
        lane->clears[++lane->sent] = type == VH_BLK_DISCARD;
    for (unsigned i = 0; i < PER_BLOCK; i++)
        stamp(memory + (size_t)i * SECTOR, type == VH_BLK_OUT ? lane->index : 0xee, lane->sent);
    lane->iov = (struct iovec) { memory, LOAD_BLOCK };
    lane->op = (struct vh_drive_op) { .type = type,
                                      .sector = (uint64_t)lane->index * PER_BLOCK,
                                      .sectors = PER_BLOCK,
                                      .iov = &lane->iov,
                                      .iov_count = type == VH_BLK_IN || type == VH_BLK_OUT,
                                      .done = answered,
                                      .context = lane };
    lane->busy = true;
    if (vh_drive_submit(lane->load->drive, &lane->op) < 0)
        load_say(lane->load, "lane %u: a request is not taken", lane->index);
}

void load_go_on(struct load *load)
{
    for (unsigned i = 0; i < LOAD_LANES; i++)
        if (!load->lanes[i].busy && load->lanes[i].step < LOAD_STEPS)
            send_next(&load->lanes[i]);
    if (load->answers >= LOAD_OPS && load->up && !load->stopping)
        load->stopping = vh_front_stop(vh_drive_front(load->drive)) == 0;
}

bool load_is_over(struct load *load)
{
    const struct vh_front *front = vh_drive_front(load->drive);
    const uint16_t base = vh_front_base(front, 0);

    if (!load->stopping || vh_front_running(front))
        return false; /* a loss on the way to it is told, and another stop follows */
    if (base != LOAD_OPS)
        load_say(load, "the back end took %u requests, %u were sent", base, LOAD_OPS);
    return true;
}

/* --- the driver --- */

static void ready(void *context, int fd, short revents)
{
    vh_drive_service(((struct load *)context)->drive, fd, revents);
}

static void watch(void *context, int fd, short events)
{
    struct load *load = context;

    watch_loop_set(&load->loop, fd, events, ready, load);
}

static void state(void *context, bool up, const char *text)
{
    struct load *load = context;

    (void)text;
    load->up = up;
    load->losses += !up;
    load->stopping = load->stopping && up;
}

int load_begin(struct load *load, int file_fd)
{
    const struct vh_drive_callbacks callbacks = { .watch = watch, .state = state, .context = load };
    struct vh_drive_region region = { .bytes = MEMORY };

    memset(load, 0, sizeof(*load));
    load->file_fd = file_fd;
    load->memory_fd = memfd_create("crash", MFD_CLOEXEC);
    if (load->memory_fd < 0 || ftruncate(load->memory_fd, MEMORY) < 0)
        return -errno;
    load->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, load->memory_fd, 0);
    if (load->memory == MAP_FAILED)
        return -errno;
    for (unsigned i = 0; i < LOAD_LANES; i++) {
        load->lanes[i].load = load;
        load->lanes[i].index = i;
    }
    region.address = load->memory;
    region.fd = load->memory_fd;
    return vh_drive_new(QUEUE, &region, 1, &callbacks, &load->drive);
}

void load_end(struct load *load)
{
    vh_drive_free(load->drive);
    (void)munmap(load->memory, MEMORY);
    (void)close(load->memory_fd);
}
