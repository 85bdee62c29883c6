/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes clusterd/core/core_log_message and clusterd/core/core_entry: bytes of another member, or
 * of the store. What decodes must come out the same again.
 */
#include <config.h>

#include "clusterd/core/core_log_message.h"
#include "clusterd/core/core_votes.h"
#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void try_message(const uint8_t *data, size_t size)
{
    struct core_log_message message;
    uint8_t *again;

    if (core_log_message_decode(data, size, &message) < 0)
        return;
    fuzz_require(core_log_message_size(&message) == size);
    again = malloc(size);
    if (again == NULL)
        return;
    core_log_message_encode(&message, again);
    fuzz_require(memcmp(again, data, size) == 0);
    free(again);
}

static void try_map(const uint8_t *data, size_t size)
{
    uint8_t again[CORE_VOTE_MAP_BYTES];
    struct hw_writer writer = hw_writer_over(again, sizeof(again));
    struct core_vote_map map;

    if (core_vote_map_decode(data, size, &map) < 0)
        return;
    core_vote_map_encode(&map, &writer);
    fuzz_require(writer.at == size && memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *sealed;

    try_message(data, size);
    try_map(data, size);
    if (size < CORE_LOG_MESSAGE_HEAD)
        return 0;
    sealed = malloc(size); /* with the right checksum of the head */
    if (sealed != NULL) {
        struct hw_writer writer = hw_writer_over(sealed + CORE_LOG_MESSAGE_HEAD - 4, 4);

        memcpy(sealed, data, size);
        hw_write_le32(&writer, hw_crc32c(sealed, CORE_LOG_MESSAGE_HEAD - 4));
        try_message(sealed, size);
    }
    free(sealed);
    return 0;
}
