/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes clusterd/core/core_beat and clusterd/core/core_beat_codec: a beat of another member, as it
 * is and with the right checksum. What decodes must come out the same again, and feeds nobody who
 * has sent nothing.
 */
#include <config.h>

#include "clusterd/core/core_beat.h"
#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void try_beat(const uint8_t *data, size_t size)
{
    static const struct core_life life = { { 0 }, 1 };
    struct core_beat_machine machine;
    struct core_beat_table table = { .current = true, .term = 1 };
    uint8_t again[CORE_BEAT_BYTES_MAX];
    struct core_beat beat;
    int64_t sent;

    if (core_beat_decode(data, size, &beat) < 0)
        return;
    fuzz_require(core_beat_size(&beat) == size);
    core_beat_encode(&beat, again);
    fuzz_require(memcmp(again, data, size) == 0);
    core_beat_start(&machine, 1, &life, 0);
    fuzz_require(core_vote_map_set(&table.map, 1, 1) == 0);
    core_beat_set_table(&machine, &table);
    (void)core_beat_receive(&machine, &beat, 5);
    fuzz_require(core_beat_fed(&machine, &sent) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t sealed[CORE_BEAT_BYTES_MAX];
    struct hw_writer writer = hw_writer_over(sealed + CORE_BEAT_HEAD - 4, 4);

    try_beat(data, size);
    if (size < CORE_BEAT_HEAD || size > sizeof(sealed))
        return 0;
    memcpy(sealed, data, size);
    memset(sealed + CORE_BEAT_HEAD - 4, 0, 4);
    hw_write_le32(&writer, hw_crc32c(sealed, size));
    try_beat(sealed, size);
    return 0;
}
