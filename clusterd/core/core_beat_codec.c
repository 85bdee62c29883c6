/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding of beats (format: clusterd/core/core_beat.h).
 */
#include <config.h>

#include "clusterd/core/core_beat.h"

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"

#include <errno.h>
#include <string.h>

enum { CRC_AT = CORE_BEAT_HEAD - 4 };

size_t core_beat_size(const struct core_beat *beat)
{
    return CORE_BEAT_HEAD + (size_t)beat->count * CORE_BEAT_ACK_BYTES;
}

static void write_life(struct hw_writer *to, const struct core_life *life)
{
    hw_write_bytes(to, life->boot_id, sizeof(life->boot_id));
    hw_write_le64(to, life->incarnation);
}

static void read_life(struct hw_reader *from, struct core_life *ret_life)
{
    hw_read_bytes(from, ret_life->boot_id, sizeof(ret_life->boot_id));
    ret_life->incarnation = hw_read_le64(from);
}

void core_beat_encode(const struct core_beat *beat, uint8_t *room)
{
    struct hw_writer writer = hw_writer_over(room, core_beat_size(beat));
    struct hw_writer crc = hw_writer_over(room + CRC_AT, 4);

    hw_write_le32(&writer, CORE_BEAT_MAGIC);
    hw_write_le32(&writer, CORE_BEAT_VERSION);
    hw_write_le32(&writer, beat->from);
    hw_write_le32(&writer, beat->count);
    write_life(&writer, &beat->life);
    hw_write_le64(&writer, beat->term);
    hw_write_le64(&writer, beat->applied);
    hw_write_le64(&writer, beat->number);
    hw_write_le32(&writer, beat->deadman_ms);
    hw_write_le32(&writer, beat->store_ms);
    hw_write_le32(&writer, beat->unheard_ms);
    hw_write_le32(&writer, 0);
    for (uint32_t i = 0; i < beat->count; i++) {
        hw_write_le32(&writer, beat->acks[i].id);
        hw_write_le32(&writer, beat->acks[i].age_ms);
        write_life(&writer, &beat->acks[i].life);
        hw_write_le64(&writer, beat->acks[i].number);
    }
    hw_write_le32(&crc, hw_crc32c(room, core_beat_size(beat)));
}

/* The checksum covers its own place as zero; `bytes` may not be written to. */
static bool crc_is_right(const uint8_t *bytes, size_t size, uint32_t crc)
{
    uint8_t copy[CORE_BEAT_BYTES_MAX];

    memcpy(copy, bytes, size);
    memset(copy + CRC_AT, 0, 4);
    return crc == hw_crc32c(copy, size);
}

int core_beat_decode(const uint8_t *bytes, size_t size, struct core_beat *ret_beat)
{
    struct hw_reader reader = hw_reader_over(bytes, size);
    uint32_t magic = hw_read_le32(&reader), version = hw_read_le32(&reader), crc;

    memset(ret_beat, 0, sizeof(*ret_beat));
    ret_beat->from = hw_read_le32(&reader);
    ret_beat->count = hw_read_le32(&reader);
    read_life(&reader, &ret_beat->life);
    ret_beat->term = hw_read_le64(&reader);
    ret_beat->applied = hw_read_le64(&reader);
    ret_beat->number = hw_read_le64(&reader);
    ret_beat->deadman_ms = hw_read_le32(&reader);
    ret_beat->store_ms = hw_read_le32(&reader);
    ret_beat->unheard_ms = hw_read_le32(&reader);
    crc = hw_read_le32(&reader);
    if (hw_reader_status(&reader) < 0 || magic != CORE_BEAT_MAGIC || version == 0)
        return -EBADMSG;
    if (version > CORE_BEAT_VERSION)
        return -EPROTONOSUPPORT;
    if (ret_beat->count > CORE_VOTERS_MAX || size != core_beat_size(ret_beat) ||
        ret_beat->from == 0 || ret_beat->number == 0 || !crc_is_right(bytes, size, crc))
        return -EBADMSG;
    for (uint32_t i = 0; i < ret_beat->count; i++) {
        struct core_beat_ack *ack = &ret_beat->acks[i];

        ack->id = hw_read_le32(&reader);
        ack->age_ms = hw_read_le32(&reader);
        read_life(&reader, &ack->life);
        ack->number = hw_read_le64(&reader);
        if (ack->id == 0 || ack->number == 0)
            return -EBADMSG;
    }
    return hw_reader_left(&reader) == 0 ? 0 : -EBADMSG;
}
