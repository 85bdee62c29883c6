/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/vhost/vh_ring, storage/vhost/vh_inflight and storage/vhost/vh_blk: a driver that
 * writes anything anywhere in its memory, its rings and its in-flight region, between any two steps
 * of the device. Whatever it writes, pieces lie in its memory and requests within the disk.
 */
#include <config.h>

#include "storage/vhost/vh_blk.h"
#include "storage/vhost/vh_ring.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEMORY = 16 * 1024, SIZE = 8, DESC = 0, AVAIL = 128, USED = 256, SECTORS = 64 };
#define USER_ADDR UINT64_C(0x7f0000000000)

struct world {
    uint8_t *memory;
    struct vh_mem *mem;
    struct vh_inflight inflight;
    struct vh_ring ring;
    struct vh_chain chain;
};

static const struct vh_blk_device device = { .sectors = SECTORS,
                                             .block_bytes = 512,
                                             .physical_block_bytes = 512,
                                             .queues = 1,
                                             .discard = true,
                                             .write_zeroes = true };

static void require_inside(const struct world *world, const void *at, size_t bytes)
{
    const uint8_t *first = vh_mem_guest(world->mem, 0, MEMORY), *from = at;

    fuzz_require(from >= first && bytes <= MEMORY && from + bytes <= first + MEMORY);
}

static void judge_request(struct world *world)
{
    struct vh_chain *chain = &world->chain;
    struct vh_blk_request request;
    int verdict = vh_blk_parse(&device, chain, &request);

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

static void step(struct world *world, uint8_t what)
{
    struct vh_chain *chain = &world->chain;
    int rc;

    if (what % 8 == 7) { /* the device's process died, and another one came */
        vh_ring_start(&world->ring, what);
        fuzz_require(world->ring.again_count <= SIZE);
        return;
    }
    vh_ring_want_kicks(&world->ring, (what & 8) != 0);
    rc = vh_ring_pop(&world->ring, chain);
    fuzz_require(rc == 0 || rc == 1 || rc == -EBADMSG || rc == -EPROTO);
    if (rc == 0 || rc == -EPROTO)
        return;
    fuzz_require(chain->head < SIZE && world->ring.in_use <= SIZE);
    if (rc == 1) {
        fuzz_require(chain->out_count + chain->in_count <= VH_SEGMENTS);
        for (unsigned i = 0; i < chain->out_count + chain->in_count; i++)
            require_inside(world, chain->pieces[i].iov_base, chain->pieces[i].iov_len);
        judge_request(world);
    }
    if ((what & 16) == 0) { /* else it stays with the device */
        vh_ring_push(&world->ring, chain->head, 1);
        (void)vh_ring_wants_signal(&world->ring);
    }
}

/* Write `bytes` of the input where it says: memory, or the in-flight region. */
static void scribble(struct world *world, uint16_t at, const uint8_t *from, size_t bytes)
{
    uint8_t *to = (at & 0x8000) != 0 ? world->inflight.first : world->memory;
    const size_t room = (at & 0x8000) != 0 ? vh_inflight_bytes(1, SIZE) : MEMORY;

    for (size_t i = 0; i < bytes; i++)
        to[((at & 0x7fff) + i) % room] = from[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct vh_region region = { .bytes = MEMORY, .user_addr = USER_ADDR };
    struct world world = { 0 };
    int fd = memfd_create("fuzz", MFD_CLOEXEC), inflight_fd = vh_inflight_create(1, SIZE);

    fuzz_require(fd >= 0 && inflight_fd >= 0 && ftruncate(fd, MEMORY) == 0);
    fuzz_require(vh_mem_new(&region, &fd, 1, &world.mem) == 0);
    fuzz_require(
        vh_inflight_map(&world.inflight, inflight_fd, 0, vh_inflight_bytes(1, SIZE), 1, SIZE) == 0);
    world.memory = vh_mem_guest(world.mem, 0, MEMORY);
    world.ring.size = SIZE;
    world.ring.indirect = true;
    world.ring.event_idx = size % 2 == 0;
    world.ring.inflight = vh_inflight_queue(&world.inflight, 0);
    fuzz_require(vh_ring_place(&world.ring, world.mem, USER_ADDR + DESC, USER_ADDR + AVAIL,
                               USER_ADDR + USED) == 0);
    vh_ring_start(&world.ring, 0);
    /* records: length 1, place 2, bytes; then one step of the kind that the length's byte says */
    while (size >= 3) {
        const size_t bytes = data[0] % 64u < size - 3 ? data[0] % 64u : size - 3;

        scribble(&world, (uint16_t)(data[1] | data[2] << 8), data + 3, bytes);
        step(&world, data[0] >> 3);
        data += 3 + bytes;
        size -= 3 + bytes;
    }
    vh_inflight_unmap(&world.inflight);
    vh_mem_unref(world.mem);
    close(inflight_fd);
    close(fd);
    return 0;
}
