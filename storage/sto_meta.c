/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Codec of the LUN description. Little-endian, field by field; magic, version and CRC-32C are
 * checked before anything is believed, and a text from the LUN always ends within its field.
 */
#include "config.h"

#include "storage/sto_meta.h"

#include <errno.h>
#include <string.h>

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "storage/sto_state_area.h"

enum { CRC_OFFSET = STO_META_BYTES - 4 };

static const uint8_t meta_magic[8] = { 'H', 'W', 'S', 'R', 'L', 'U', 'N', 'D' };

void sto_meta_encode(const struct sto_meta *meta, uint8_t sector[STO_META_BYTES])
{
    struct hw_writer writer = hw_writer_over(sector, STO_META_BYTES);
    char wwid[STO_WWID_BYTES] = { 0 };

    memset(sector, 0, STO_META_BYTES);
    memcpy(wwid, meta->wwid, strnlen(meta->wwid, STO_WWID_BYTES - 1));
    hw_write_bytes(&writer, meta_magic, sizeof(meta_magic));
    hw_write_le16(&writer, STO_META_VERSION);
    hw_write_le16(&writer, 0);
    hw_write_le32(&writer, meta->max_cpus);
    hw_write_bytes(&writer, meta->cluster_uuid, 16);
    hw_write_bytes(&writer, meta->vm_uuid, 16);
    hw_write_le64(&writer, meta->max_memory_bytes);
    hw_write_le64(&writer, meta->created_s);
    hw_write_le64(&writer, meta->probed_s);
    hw_write_le64(&writer, meta->sequence);
    hw_write_le32(&writer, meta->probe_bits);
    hw_write_le32(&writer, 0);
    hw_write_bytes(&writer, wwid, sizeof(wwid));
    hw_write_zeroes(&writer, CRC_OFFSET - writer.at);
    hw_write_le32(&writer, hw_crc32c(sector, CRC_OFFSET));
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* Magic, version and checksum; the reader stands behind the version. */
static int check_frame(const uint8_t sector[STO_META_BYTES], struct hw_reader *reader)
{
    struct hw_reader crc = hw_reader_over(sector + CRC_OFFSET, 4);
    uint8_t magic[sizeof(meta_magic)];
    uint16_t version;

    if (all_zero(sector, STO_META_BYTES))
        return -ENOENT;
    hw_read_bytes(reader, magic, sizeof(magic));
    version = hw_read_le16(reader);
    if (memcmp(magic, meta_magic, sizeof(magic)) != 0 || version == 0 ||
        hw_read_le32(&crc) != hw_crc32c(sector, CRC_OFFSET))
        return -EBADMSG;
    return version > STO_META_VERSION ? -EPROTONOSUPPORT : 0;
}

/* What a version 1 can hold: sizes that a state area can be made for, and a name that ends. */
static bool plausible(const struct sto_meta *meta)
{
    uint64_t state_bytes;

    return meta->sequence > 0 && memchr(meta->wwid, '\0', sizeof(meta->wwid)) != NULL &&
           sto_state_area_bytes(meta->max_memory_bytes, meta->max_cpus, &state_bytes) == 0;
}

int sto_meta_decode(const uint8_t sector[STO_META_BYTES], struct sto_meta *ret_meta)
{
    struct hw_reader reader = hw_reader_over(sector, STO_META_BYTES);
    struct sto_meta meta = { 0 };
    int rc = check_frame(sector, &reader);

    if (rc < 0)
        return rc;
    hw_read_skip(&reader, 2);
    meta.max_cpus = hw_read_le32(&reader);
    hw_read_bytes(&reader, meta.cluster_uuid, 16);
    hw_read_bytes(&reader, meta.vm_uuid, 16);
    meta.max_memory_bytes = hw_read_le64(&reader);
    meta.created_s = hw_read_le64(&reader);
    meta.probed_s = hw_read_le64(&reader);
    meta.sequence = hw_read_le64(&reader);
    meta.probe_bits = hw_read_le32(&reader);
    hw_read_skip(&reader, 4);
    hw_read_bytes(&reader, meta.wwid, sizeof(meta.wwid));
    if (hw_reader_status(&reader) < 0 || !plausible(&meta))
        return -EBADMSG;
    *ret_meta = meta;
    return 0;
}

int sto_meta_choose(const uint8_t copy_a[STO_META_BYTES], const uint8_t copy_b[STO_META_BYTES],
                    struct sto_meta *ret_meta, bool *ret_damaged)
{
    struct sto_meta a = { 0 }, b = { 0 };
    int rc_a = sto_meta_decode(copy_a, &a);
    int rc_b = sto_meta_decode(copy_b, &b);
    bool same = rc_a == 0 && rc_b == 0 && memcmp(copy_a, copy_b, STO_META_BYTES) == 0;

    if (rc_a == -EPROTONOSUPPORT || rc_b == -EPROTONOSUPPORT)
        return -EPROTONOSUPPORT;
    if (rc_a < 0 && rc_b < 0)
        return rc_a == -ENOENT ? rc_b : rc_a;
    *ret_meta = rc_b == 0 && (rc_a < 0 || b.sequence > a.sequence) ? b : a;
    if (ret_damaged != NULL)
        *ret_damaged = !same;
    return 0;
}
