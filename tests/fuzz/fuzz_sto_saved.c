/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/sto_saved and common/hw_feed: what may stand in the two header slots of a saved
 * state, as it is and with checksums made right, and what may come as a feed. What decodes must
 * come out the same again; two writes of CONSUMED must always end in "clean".
 */
#include <config.h>

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "common/hw_feed.h"
#include "storage/sto_saved.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void mend(uint8_t sector[STO_SAVED_BYTES])
{
    struct hw_writer writer = hw_writer_over(sector + STO_SAVED_BYTES - 4, 4);

    hw_write_le32(&writer, hw_crc32c(sector, STO_SAVED_BYTES - 4));
}

static void try_sector(const uint8_t sector[STO_SAVED_BYTES])
{
    struct sto_saved saved, again;
    uint8_t first[STO_SAVED_BYTES], second[STO_SAVED_BYTES];

    if (sto_saved_decode(sector, &saved) != 0)
        return;
    sto_saved_encode(&saved, first);
    fuzz_require(sto_saved_decode(first, &again) == 0);
    sto_saved_encode(&again, second);
    fuzz_require(memcmp(first, second, sizeof(first)) == 0);
}

static void try_slots(uint8_t slots[STO_SAVED_SLOTS][STO_SAVED_BYTES])
{
    struct sto_saved_look look;
    struct sto_saved next;
    unsigned slot;

    sto_saved_judge(slots[0], slots[1], &look);
    if (look.verdict == STO_SAVED_WAITS)
        fuzz_require(look.known && !look.damaged[0] && !look.damaged[1]);
    if (look.verdict == STO_SAVED_FOREIGN || (look.known && look.saved.generation > UINT64_MAX - 2))
        return;
    for (unsigned i = 0; i < 2; i++) {
        next = sto_saved_next(&look, STO_SAVED_CONSUMED, &slot);
        fuzz_require(slot < STO_SAVED_SLOTS);
        sto_saved_encode(&next, slots[slot]);
        sto_saved_judge(slots[0], slots[1], &look);
        fuzz_require(look.verdict != STO_SAVED_WAITS);
    }
    fuzz_require(look.verdict == STO_SAVED_CLEAN);
}

static void try_feed(const uint8_t *data, size_t size)
{
    uint8_t bytes[HW_FEED_BYTES];
    struct hw_lease lease = hw_lease_new(16, 1000);
    struct hw_feed feed;

    if (hw_feed_decode(data, size, &feed) != 0)
        return;
    hw_feed_encode(&feed, bytes);
    fuzz_require(size == HW_FEED_BYTES && memcmp(bytes, data, size) == 0);
    if (hw_lease_take(&lease, &feed, 5000))
        fuzz_require(hw_lease_until_ns(&lease) <= 6000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t slots[STO_SAVED_SLOTS][STO_SAVED_BYTES] = { { 0 } };

    try_feed(data, size);
    for (unsigned i = 0; i < STO_SAVED_SLOTS && size > 0; i++) {
        size_t part = size < STO_SAVED_BYTES ? size : STO_SAVED_BYTES;

        memcpy(slots[i], data, part);
        data += part;
        size -= part;
        try_sector(slots[i]);
    }
    try_slots(slots);
    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++) {
        mend(slots[i]);
        try_sector(slots[i]);
    }
    try_slots(slots);
    return 0;
}
