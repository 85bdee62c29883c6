/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes clusterd/core/core_snapshot: a snapshot from another member or from a store. The input is
 * tried as it is, and as a body in a right frame; what decodes must come out the same again.
 */
#include <config.h>

#include "clusterd/core/core_snapshot.h"
#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void try_snapshot(const uint8_t *bytes, size_t size)
{
    struct core_state state, copy;
    uint8_t *again;
    size_t again_size;

    if (core_state_decode(bytes, size, &state) < 0)
        return;
    fuzz_require(core_state_encode(&state, &again, &again_size) == 0);
    fuzz_require(again_size == size && memcmp(again, bytes, size) == 0);
    free(again);
    fuzz_require(core_state_copy(&state, &copy) == 0);
    fuzz_require(core_state_encode(&copy, &again, &again_size) == 0);
    fuzz_require(again_size == size && memcmp(again, bytes, size) == 0);
    free(again);
    core_state_free(&copy);
    core_state_free(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *framed = malloc(CORE_SNAPSHOT_HEAD + size);
    struct hw_writer writer;

    try_snapshot(data, size);
    if (framed == NULL)
        return 0;
    writer = hw_writer_over(framed, CORE_SNAPSHOT_HEAD + size);
    hw_write_le32(&writer, CORE_SNAPSHOT_MAGIC);
    hw_write_le32(&writer, CORE_SNAPSHOT_VERSION);
    hw_write_le32(&writer, (uint32_t)size);
    hw_write_le32(&writer, hw_crc32c(data, size));
    hw_write_bytes(&writer, data, size);
    try_snapshot(framed, CORE_SNAPSHOT_HEAD + size);
    free(framed);
    return 0;
}
