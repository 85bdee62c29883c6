/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/vhost/vh_ring, storage/vhost/vh_inflight and storage/vhost/vh_blk: a driver that
 * writes anything anywhere in its memory, its rings and its in-flight region, between any two steps
 * of the device. Whatever it writes, pieces lie in its memory and requests within the disk.
 */
#include <config.h>

#include "tests/fuzz/ring_world.h"

static void step(struct ring_world *world, uint8_t what)
{
    if (what % 8 == 7)
        ring_world_restart(world, what);
    else
        (void)ring_world_turn(world, (what & 8) != 0, (what & 16) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ring_world world = { 0 };

    ring_world_begin(&world, size % 2 == 0);
    ring_world_restart(&world, 0);
    /* records: length 1, place 2, bytes; then one step of the kind that the length's byte says */
    while (size >= 3) {
        const unsigned at = data[1] | (unsigned)data[2] << 8;
        const size_t bytes = data[0] % 64u < size - 3 ? data[0] % 64u : size - 3;

        for (size_t i = 0; i < bytes; i++)
            *ring_world_at(&world, (at & 0x8000) | ((at & 0x7fff) + (unsigned)i)) = data[3 + i];
        step(&world, data[0] >> 3);
        data += 3 + bytes;
        size -= 3 + bytes;
    }
    ring_world_end(&world);
    return 0;
}
