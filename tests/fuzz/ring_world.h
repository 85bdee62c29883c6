/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For fuzz targets of the rings: a driver's memory, one queue in it and its in-flight region, and
 * what must hold of a chain and of the request in it, whatever the driver wrote. The memory's
 * layout is the target's business, but for the queue's place.
 */
#ifndef FUZZ_RING_WORLD_H
#define FUZZ_RING_WORLD_H

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/vhost/vh_blk.h"
#include "storage/vhost/vh_ring.h"
#include "tests/fuzz/fuzz.h"

enum { MEMORY = 16 * 1024, SIZE = 8, DESC = 0, AVAIL = 128, USED = 256, SECTORS = 64 };
#define USER_ADDR UINT64_C(0x7f0000000000)

struct ring_world {
    uint8_t *memory;
    struct vh_mem *mem;
    struct vh_inflight inflight;
    struct vh_ring ring;
    struct vh_chain chain;
    int fd, inflight_fd;
};

static const struct vh_blk_device device = { .sectors = SECTORS,
                                             .block_bytes = 512,
                                             .physical_block_bytes = 512,
                                             .queues = 1,
                                             .discard = true,
                                             .write_zeroes = true };

static inline void ring_world_begin(struct ring_world *world, bool event_idx)
{
    const struct vh_region region = { .bytes = MEMORY, .user_addr = USER_ADDR };

    world->fd = memfd_create("fuzz", MFD_CLOEXEC);
    world->inflight_fd = vh_inflight_create(1, SIZE);
    fuzz_require(world->fd >= 0 && world->inflight_fd >= 0 && ftruncate(world->fd, MEMORY) == 0);
    fuzz_require(vh_mem_new(&region, &world->fd, 1, &world->mem) == 0);
    fuzz_require(vh_inflight_map(&world->inflight, world->inflight_fd, 0,
                                 vh_inflight_bytes(1, SIZE), 1, SIZE) == 0);
    world->memory = vh_mem_guest(world->mem, 0, MEMORY);
    world->ring.size = SIZE;
    world->ring.indirect = true;
    world->ring.event_idx = event_idx;
    world->ring.inflight = vh_inflight_queue(&world->inflight, 0);
    fuzz_require(vh_ring_place(&world->ring, world->mem, USER_ADDR + DESC, USER_ADDR + AVAIL,
                               USER_ADDR + USED) == 0);
}

static inline void ring_world_end(struct ring_world *world)
{
    vh_inflight_unmap(&world->inflight);
    vh_mem_unref(world->mem);
    close(world->inflight_fd);
    close(world->fd);
}

/* A byte by its place: in the memory, or (bit 15 set) in the in-flight region. */
static inline uint8_t *ring_world_at(struct ring_world *world, unsigned at)
{
    if ((at & 0x8000) != 0)
        return world->inflight.shared.first + (at & 0x7fff) % vh_inflight_bytes(1, SIZE);
    return world->memory + (at & 0x7fff) % MEMORY;
}

static inline void require_inside(const struct ring_world *world, const void *at, size_t bytes)
{
    const uint8_t *first = vh_mem_guest(world->mem, 0, MEMORY), *from = at;

    fuzz_require(from >= first && bytes <= MEMORY && from + bytes <= first + MEMORY);
}

static inline void judge_request(struct ring_world *world)
{
    struct vh_chain *chain = &world->chain;
    struct vh_blk_request request;
    int verdict;

    fuzz_require(chain->out_count + chain->in_count <= VH_SEGMENTS);
    for (unsigned i = 0; i < chain->out_count + chain->in_count; i++)
        require_inside(world, chain->pieces[i].iov_base, chain->pieces[i].iov_len);
    verdict = vh_blk_parse(&device, chain, &request);
    if (verdict < 0)
        return;
    require_inside(world, request.status, 1);
    *request.status = (uint8_t)verdict;
    fuzz_require(verdict == VH_BLK_OK || verdict == VH_BLK_IOERR || verdict == VH_BLK_UNSUPP);
    if (verdict != VH_BLK_OK)
        return;
    fuzz_require(request.type == VH_BLK_GET_ID ||
                 (request.sector <= SECTORS && request.sectors <= SECTORS - request.sector));
    for (unsigned i = 0; i < request.data_count; i++)
        require_inside(world, chain->pieces[request.data_at + i].iov_base,
                       chain->pieces[request.data_at + i].iov_len);
    if (request.type == VH_BLK_GET_ID)
        vh_blk_fill(chain, &request, device.id, VH_BLK_ID_BYTES);
}

/* One turn of the device; false: nothing more, or the queue is broken. `keeps`: the chain is not
 * answered. */
static inline bool ring_world_turn(struct ring_world *world, bool want_kicks, bool keeps)
{
    int rc;

    vh_ring_want_kicks(&world->ring, want_kicks);
    rc = vh_ring_pop(&world->ring, &world->chain);
    fuzz_require(rc == 0 || rc == 1 || rc == -EBADMSG || rc == -EPROTO);
    if (rc == 0 || rc == -EPROTO)
        return false;
    fuzz_require(world->chain.head < SIZE && world->ring.in_use <= SIZE);
    if (rc == 1)
        judge_request(world);
    if (!keeps) {
        vh_ring_push(&world->ring, world->chain.head, 1);
        (void)vh_ring_wants_signal(&world->ring);
    }
    return true;
}

/* The device's process died, and another one came. */
static inline void ring_world_restart(struct ring_world *world, uint16_t base)
{
    vh_ring_start(&world->ring, base);
    fuzz_require(world->ring.again_count <= SIZE);
}

#endif
