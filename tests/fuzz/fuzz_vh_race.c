/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/vhost/vh_ring, storage/vhost/vh_inflight and storage/vhost/vh_blk under a driver
 * that changes its memory while it is read: they are compiled into this one with a hook before
 * each of their reads, and the hook writes what the input says there. So every change lands
 * between two reads of one request, at the same place each time. It begins with four right
 * requests, direct and by tables. Whatever the device saw, pieces lie in the driver's memory and
 * requests within the disk.
 */
#include <config.h>

#include "storage/vhost/vh_blk.h"
#include "storage/vhost/vh_inflight.h"
#include "storage/vhost/vh_proto.h"
#include "storage/vhost/vh_ring.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { APART = 2 * 1024 * 1024 }; /* farther than any index of 16 bits leads */

/* The driver's memory, with nothing beside it that could be read by mistake. */
static void *map_apart(size_t bytes, int rights, int flags, int fd, off_t offset)
{
    uint8_t *room = mmap(NULL, bytes + 2 * APART, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    fuzz_require(room != MAP_FAILED);
    return mmap(room + APART, bytes, rights, flags | MAP_FIXED, fd, offset);
}

static int unmap_apart(void *at, size_t bytes)
{
    return munmap((uint8_t *)at - APART, bytes + 2 * APART);
}

static void driver_writes(void);
#define memcpy(to, from, bytes)                    (driver_writes(), memcpy(to, from, bytes))
#define __atomic_load_n(at, order)                 (driver_writes(), __atomic_load_n(at, order))
#define mmap(at, bytes, rights, flags, fd, offset) map_apart(bytes, rights, flags, fd, offset)
#define munmap(at, bytes)                          unmap_apart(at, bytes)
#include "storage/vhost/vh_blk.c"
#include "storage/vhost/vh_inflight.c"
#include "storage/vhost/vh_mem.c"
#include "storage/vhost/vh_ring.c"
#include "storage/vhost/vh_shared.c"
#undef memcpy
#undef __atomic_load_n
#undef mmap
#undef munmap

#include "tests/fuzz/ring_world.h"

enum { TABLES = 512, HEADERS = 1024, STATUS = 1536, DATA = 4096, REQUESTS = 4, RECORD = 5 };
enum { ROUNDS = 8 };

struct world {
    struct ring_world ring;
    const uint8_t *data; /* records: reads to wait for 1, where 2, what 2 */
    size_t size;
    unsigned reads;
};

static struct world *playing; /* of the hook, which is told nothing */

/* One record, if its time has come: into the memory, or the in-flight region. */
static void driver_writes(void)
{
    struct world *world = playing;
    unsigned at;

    if (world == NULL || world->size < RECORD || ++world->reads < world->data[0])
        return;
    at = (unsigned)(world->data[1] | world->data[2] << 8);
    *ring_world_at(&world->ring, at) = world->data[3];
    *ring_world_at(&world->ring, (at & 0x8000) | ((at & 0x7fff) + 1)) = world->data[4];
    world->reads = 0;
    world->data += RECORD;
    world->size -= RECORD;
}

static void put_desc(struct world *world, unsigned at, uint64_t addr, uint32_t len, uint16_t flags,
                     uint16_t next)
{
    const struct vh_desc desc = { .addr = addr, .len = len, .flags = flags, .next = next };

    memcpy(world->ring.memory + at, &desc, sizeof(desc));
}

/* Header, data, status from descriptor `at` of `table` on. */
static void put_chain(struct world *world, unsigned table, unsigned at, unsigned i)
{
    const unsigned first = table + at * 16;

    put_desc(world, first, HEADERS + i * 16, 16, VH_DESC_F_NEXT, (uint16_t)(at + 1));
    put_desc(world, first + 16, DATA + i * 512, 512,
             VH_DESC_F_NEXT | (i % 2 == 0 ? VH_DESC_F_WRITE : 0), (uint16_t)(at + 2));
    put_desc(world, first + 32, STATUS + i, 1, VH_DESC_F_WRITE, 0);
}

/* Requests 0 and 1 direct, 2 and 3 by tables; even ones read, odd ones write. */
static void put_requests(struct world *world)
{
    static const uint16_t heads[REQUESTS] = { 0, 3, 6, 7 };
    const uint16_t count = REQUESTS;

    for (unsigned i = 0; i < REQUESTS; i++) {
        const uint32_t type = i % 2 == 0 ? VH_BLK_IN : VH_BLK_OUT;
        const uint64_t sector = i * 8;

        memcpy(world->ring.memory + HEADERS + i * 16, &type, sizeof(type));
        memcpy(world->ring.memory + HEADERS + i * 16 + 8, &sector, sizeof(sector));
        if (i < 2) {
            put_chain(world, DESC, heads[i], i);
        } else {
            put_desc(world, DESC + heads[i] * 16u, TABLES + i * 64, 48, VH_DESC_F_INDIRECT, 0);
            put_chain(world, TABLES + i * 64, 0, i);
        }
        memcpy(world->ring.memory + AVAIL + 4 + i * 2, &heads[i], 2);
        memcpy(world->ring.memory + AVAIL + 4 + (i + 4) * 2, &heads[i], 2);
    }
    memcpy(world->ring.memory + AVAIL + 2, &count, sizeof(count));
}

/* Serve the ring; its process dies and comes back, over and over. */
static void serve(struct ring_world *world)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        ring_world_restart(world, 0);
        for (unsigned k = 0; k < 2 * SIZE && ring_world_turn(world, k % 2 == 0, false); k++)
            continue;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = { .data = data, .size = size };

    ring_world_begin(&world.ring, size % 2 == 0);
    put_requests(&world);
    playing = &world;
    serve(&world.ring);
    playing = NULL;
    ring_world_end(&world.ring);
    return 0;
}
