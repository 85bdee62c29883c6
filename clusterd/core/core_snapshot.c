/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame around an encoded state: magic, version, length, checksum.
 */
#include <config.h>

#include "clusterd/core/core_snapshot.h"

#include "clusterd/core/core_object_priv.h"
#include "common/hw_crc32c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int core_state_encode(const struct core_state *state, uint8_t **ret_bytes, size_t *ret_size)
{
    size_t body = core_object_size(&core_state_type, state);
    struct hw_writer writer;
    uint8_t *bytes;

    if (body > CORE_SNAPSHOT_MAX - CORE_SNAPSHOT_HEAD)
        return -EFBIG;
    bytes = malloc(CORE_SNAPSHOT_HEAD + body);
    if (bytes == NULL)
        return -ENOMEM;
    writer = hw_writer_over(bytes + CORE_SNAPSHOT_HEAD, body);
    core_object_encode(&core_state_type, state, &writer);
    if (hw_writer_status(&writer) < 0 || writer.at != body)
        abort(); /* size and encode follow the same table */
    writer = hw_writer_over(bytes, CORE_SNAPSHOT_HEAD);
    hw_write_le32(&writer, CORE_SNAPSHOT_MAGIC);
    hw_write_le32(&writer, CORE_SNAPSHOT_VERSION);
    hw_write_le32(&writer, (uint32_t)body);
    hw_write_le32(&writer, hw_crc32c(bytes + CORE_SNAPSHOT_HEAD, body));
    *ret_bytes = bytes;
    *ret_size = CORE_SNAPSHOT_HEAD + body;
    return 0;
}

int core_state_decode(const uint8_t *bytes, size_t size, struct core_state *ret_state)
{
    struct hw_reader reader = hw_reader_over(bytes, size);
    uint32_t magic = hw_read_le32(&reader), version = hw_read_le32(&reader);
    uint32_t body = hw_read_le32(&reader), crc = hw_read_le32(&reader);
    struct core_state state;
    int rc;

    if (hw_reader_status(&reader) < 0 || size > CORE_SNAPSHOT_MAX || magic != CORE_SNAPSHOT_MAGIC ||
        body != size - CORE_SNAPSHOT_HEAD || crc != hw_crc32c(bytes + CORE_SNAPSHOT_HEAD, body) ||
        version == 0)
        return -EBADMSG;
    if (version > CORE_SNAPSHOT_VERSION)
        return -EPROTONOSUPPORT;
    core_state_init(&state);
    reader = hw_reader_over(bytes + CORE_SNAPSHOT_HEAD, body);
    rc = core_object_decode(&core_state_type, &state, &reader);
    if (rc < 0)
        core_state_free(&state);
    else
        *ret_state = state;
    return rc;
}

int core_state_hash(const struct core_state *state, uint64_t *ret_hash)
{
    uint8_t *bytes;
    size_t size;
    int rc = core_state_encode(state, &bytes, &size);

    if (rc < 0)
        return rc;
    *ret_hash = XXH3_64bits(bytes, size);
    free(bytes);
    return 0;
}
