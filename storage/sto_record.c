/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Codec of the ownership record. Little-endian, field by field, version and CRC-32C checked before
 * anything is believed. It does not judge what a record means: that is sto_own's job.
 */
#include "config.h"

#include "storage/sto_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"

enum { CRC_OFFSET = STO_RECORD_BYTES - 4 };

static const uint8_t record_magic[8] = { 'H', 'W', 'S', 'R', 'O', 'W', 'N', 'R' };

const char *sto_record_state_name(enum sto_record_state state)
{
    switch (state) {
    case STO_RECORD_FREE:
        return "free";
    case STO_RECORD_OWNED:
        return "owned";
    case STO_RECORD_HANDOVER:
        return "handover";
    }
    return "?";
}

void sto_record_encode(const struct sto_record *record, uint8_t sector[STO_RECORD_BYTES])
{
    struct hw_writer writer = hw_writer_over(sector, STO_RECORD_BYTES);
    char wwid[STO_WWID_BYTES] = { 0 };
    uint32_t crc;

    memset(sector, 0, STO_RECORD_BYTES);
    memcpy(wwid, record->wwid, strnlen(record->wwid, STO_WWID_BYTES - 1));
    hw_write_bytes(&writer, record_magic, sizeof(record_magic));
    hw_write_le16(&writer, STO_RECORD_VERSION);
    hw_write_le16(&writer, (uint16_t)record->state);
    hw_write_le32(&writer, record->generation);
    hw_write_bytes(&writer, record->cluster_uuid, 16);
    hw_write_bytes(&writer, record->vm_uuid, 16);
    hw_write_bytes(&writer, record->boot_id, 16);
    hw_write_le64(&writer, record->sequence);
    hw_write_le16(&writer, record->node);
    hw_write_le16(&writer, record->handover_node);
    hw_write_le32(&writer, record->deadman_ms);
    hw_write_le32(&writer, record->store_ms);
    hw_write_le32(&writer, record->instance);
    hw_write_le64(&writer, record->written_s);
    hw_write_bytes(&writer, wwid, sizeof(wwid));
    hw_write_le64(&writer, record->line);
    crc = hw_crc32c(sector, CRC_OFFSET);
    writer = hw_writer_over(sector + CRC_OFFSET, 4);
    hw_write_le32(&writer, crc);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

int sto_record_decode(const uint8_t sector[STO_RECORD_BYTES], struct sto_record *ret_record)
{
    struct hw_reader reader = hw_reader_over(sector, STO_RECORD_BYTES);
    struct hw_reader tail = hw_reader_over(sector + CRC_OFFSET, 4);
    struct sto_record record = { 0 };
    uint8_t magic[8];
    uint16_t version, state;

    if (all_zero(sector, STO_RECORD_BYTES))
        return -ENOENT;
    hw_read_bytes(&reader, magic, sizeof(magic));
    if (memcmp(magic, record_magic, sizeof(magic)) != 0 ||
        hw_read_le32(&tail) != hw_crc32c(sector, CRC_OFFSET))
        return -EBADMSG;
    version = hw_read_le16(&reader);
    if (version > STO_RECORD_VERSION)
        return -EPROTONOSUPPORT;
    state = hw_read_le16(&reader);
    record.state = (enum sto_record_state)state;
    record.generation = hw_read_le32(&reader);
    hw_read_bytes(&reader, record.cluster_uuid, 16);
    hw_read_bytes(&reader, record.vm_uuid, 16);
    hw_read_bytes(&reader, record.boot_id, 16);
    record.sequence = hw_read_le64(&reader);
    record.node = hw_read_le16(&reader);
    record.handover_node = hw_read_le16(&reader);
    record.deadman_ms = hw_read_le32(&reader);
    record.store_ms = hw_read_le32(&reader);
    record.instance = hw_read_le32(&reader);
    record.written_s = hw_read_le64(&reader);
    hw_read_bytes(&reader, record.wwid, sizeof(record.wwid));
    record.line = hw_read_le64(&reader);
    if (hw_reader_status(&reader) < 0 || version == 0 || state < STO_RECORD_FREE ||
        state > STO_RECORD_HANDOVER || record.wwid[STO_WWID_BYTES - 1] != '\0')
        return -EBADMSG;
    *ret_record = record;
    return 0;
}

int sto_record_choose(const uint8_t *area, size_t bytes, struct sto_record *ret_record,
                      bool *ret_damaged)
{
    struct sto_record a = { 0 }, b = { 0 };
    int rc_a, rc_b;

    if (bytes < (size_t)STO_RECORD_PAGE_BYTES + STO_RECORD_BYTES)
        return -EBADMSG;
    rc_a = sto_record_decode(area, &a);
    rc_b = sto_record_decode(area + STO_RECORD_PAGE_BYTES, &b);
    if (rc_a == -EPROTONOSUPPORT || rc_b == -EPROTONOSUPPORT)
        return -EPROTONOSUPPORT;
    if (rc_a < 0 && rc_b < 0)
        return rc_a == -ENOENT && rc_b == -ENOENT ? -ENOENT : -EBADMSG;
    if (rc_a == 0 && rc_b == 0) {
        *ret_damaged = a.sequence == b.sequence &&
                       memcmp(area, area + STO_RECORD_PAGE_BYTES, STO_RECORD_BYTES) != 0;
        *ret_record = a.sequence >= b.sequence ? a : b;
        return 0;
    }
    *ret_damaged = true;
    *ret_record = rc_a == 0 ? a : b;
    return 0;
}

static int newest_first(const void *left, const void *right)
{
    uint64_t a = ((const struct sto_record *)left)->sequence;
    uint64_t b = ((const struct sto_record *)right)->sequence;

    return (a < b) - (a > b);
}

unsigned sto_record_history(const uint8_t *area, size_t bytes, struct sto_record *records)
{
    unsigned count = 0;

    for (unsigned slot = 0; slot < STO_RECORD_RING; slot++) {
        size_t at = STO_RECORD_RING_OFFSET + (size_t)slot * STO_RECORD_BYTES;

        if (at + STO_RECORD_BYTES > bytes)
            break;
        if (sto_record_decode(area + at, &records[count]) == 0 &&
            records[count].sequence % STO_RECORD_RING == slot)
            count++;
    }
    qsort(records, count, sizeof(records[0]), newest_first);
    return count;
}

size_t sto_record_ring_offset(uint64_t sequence)
{
    return STO_RECORD_RING_OFFSET + (size_t)(sequence % STO_RECORD_RING) * STO_RECORD_BYTES;
}
