/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Codec of chunk records. Pure. Each record carries its own number and checksum. */
#include "config.h"

#include "vmm-core/save/vmm_save_record.h"

#include <errno.h>

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"

enum { CRC_AT = VMM_SAVE_RECORD_BYTES - 4 };

void vmm_save_record_encode(const struct vmm_save_record *record,
                            uint8_t ret_bytes[VMM_SAVE_RECORD_BYTES])
{
    struct hw_writer writer = hw_writer_over(ret_bytes, VMM_SAVE_RECORD_BYTES);

    hw_write_le32(&writer, record->chunk);
    hw_write_bytes(&writer, record->codec, sizeof(record->codec));
    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++)
        hw_write_le32(&writer, record->stored_bytes[i]);
    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++)
        hw_write_le64(&writer, record->hash[i]);
    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++)
        hw_write_le16(&writer, record->nonzero[i]);
    hw_write_le64(&writer, record->generation);
    hw_write_le32(&writer, hw_crc32c(ret_bytes, CRC_AT));
}

static int judge_block(const struct vmm_save_record *record, unsigned block)
{
    switch (record->codec[block]) {
    case VMM_SAVE_CODEC_ZERO:
        return record->stored_bytes[block] == 0 && record->hash[block] == 0 &&
                       record->nonzero[block] == 0
                   ? 0
                   : -EBADMSG;
    case VMM_SAVE_CODEC_RAW:
        return record->stored_bytes[block] == VMM_SAVE_BLOCK_BYTES && record->nonzero[block] != 0
                   ? 0
                   : -EBADMSG;
    default:
        return -EPROTONOSUPPORT;
    }
}

int vmm_save_record_decode(const uint8_t bytes[VMM_SAVE_RECORD_BYTES], uint64_t chunk,
                           struct vmm_save_record *ret_record)
{
    struct hw_reader reader = hw_reader_over(bytes, VMM_SAVE_RECORD_BYTES);
    struct vmm_save_record record;

    record.chunk = hw_read_le32(&reader);
    hw_read_bytes(&reader, record.codec, sizeof(record.codec));
    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++)
        record.stored_bytes[i] = hw_read_le32(&reader);
    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++)
        record.hash[i] = hw_read_le64(&reader);
    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++)
        record.nonzero[i] = hw_read_le16(&reader);
    record.generation = hw_read_le64(&reader);
    if (hw_read_le32(&reader) != hw_crc32c(bytes, CRC_AT) || record.chunk != chunk)
        return -EBADMSG;
    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++) {
        int rc = judge_block(&record, i);

        if (rc < 0)
            return rc;
    }
    *ret_record = record;
    return 0;
}

void vmm_save_record_set(struct vmm_save_record *record, unsigned block, uint64_t hash,
                         uint16_t nonzero)
{
    record->codec[block] = nonzero == 0 ? VMM_SAVE_CODEC_ZERO : VMM_SAVE_CODEC_RAW;
    record->stored_bytes[block] = nonzero == 0 ? 0 : VMM_SAVE_BLOCK_BYTES;
    record->hash[block] = nonzero == 0 ? 0 : hash;
    record->nonzero[block] = nonzero;
}

struct vmm_save_block vmm_save_table_block(const uint8_t *table, uint64_t block)
{
    uint64_t chunk = block / VMM_SAVE_CHUNK_BLOCKS;
    unsigned i = (unsigned)(block % VMM_SAVE_CHUNK_BLOCKS);
    struct hw_reader reader =
        hw_reader_over(table + chunk * VMM_SAVE_RECORD_BYTES, VMM_SAVE_RECORD_BYTES);
    struct vmm_save_block found;

    hw_read_seek(&reader, 4 + i);
    found.codec = (enum vmm_save_codec)hw_read_u8(&reader);
    hw_read_seek(&reader, 4 + 5 * VMM_SAVE_CHUNK_BLOCKS + 8 * i);
    found.hash = hw_read_le64(&reader);
    hw_read_seek(&reader, 4 + 13 * VMM_SAVE_CHUNK_BLOCKS + 2 * i);
    found.nonzero = hw_read_le16(&reader);
    return found;
}

int vmm_save_table_check(const uint8_t *table, uint64_t chunks, uint64_t *ret_chunk)
{
    struct vmm_save_record record;

    for (uint64_t i = 0; i < chunks; i++) {
        int rc = vmm_save_record_decode(table + i * VMM_SAVE_RECORD_BYTES, i, &record);

        if (rc < 0) {
            *ret_chunk = i;
            return rc;
        }
    }
    return 0;
}
