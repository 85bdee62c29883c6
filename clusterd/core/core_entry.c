/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of the log: hash and encoding.
 */
#include <config.h>

#include "clusterd/core/core_entry.h"

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { CRC_AT = CORE_ENTRY_HEAD - 4 };

static void write_head(const struct core_entry *entry, uint8_t head[CORE_ENTRY_HEAD])
{
    struct hw_writer writer = hw_writer_over(head, CORE_ENTRY_HEAD);

    hw_write_le32(&writer, CORE_ENTRY_MAGIC);
    hw_write_le16(&writer, CORE_ENTRY_VERSION);
    hw_write_le16(&writer, entry->kind);
    hw_write_le64(&writer, entry->term);
    hw_write_le64(&writer, entry->index);
    hw_write_le64(&writer, entry->previous);
    hw_write_le32(&writer, entry->size);
    hw_write_le32(&writer, 0);
}

uint64_t core_entry_hash(const struct core_entry *entry)
{
    uint8_t head[CORE_ENTRY_HEAD];
    uint64_t of_head;

    write_head(entry, head);
    of_head = XXH3_64bits(head, sizeof(head));
    return XXH3_64bits_withSeed(entry->bytes, entry->size, of_head);
}

size_t core_entry_size(const struct core_entry *entry)
{
    return CORE_ENTRY_HEAD + entry->size;
}

/* Of the head and of the bytes, the latter through their own checksum: nothing is copied. */
static uint32_t checksum(const struct core_entry *entry)
{
    uint8_t head[CORE_ENTRY_HEAD];
    struct hw_writer writer = hw_writer_over(head + CRC_AT, 4);

    write_head(entry, head);
    hw_write_le32(&writer, hw_crc32c(entry->bytes, entry->size));
    return hw_crc32c(head, sizeof(head));
}

void core_entry_encode(const struct core_entry *entry, uint8_t *room)
{
    struct hw_writer writer = hw_writer_over(room + CRC_AT, 4);

    write_head(entry, room);
    hw_write_le32(&writer, checksum(entry));
    if (entry->size > 0)
        memcpy(room + CORE_ENTRY_HEAD, entry->bytes, entry->size);
}

int core_entry_decode(const uint8_t *bytes, size_t size, struct core_entry *ret_entry)
{
    struct hw_reader reader = hw_reader_over(bytes, size);
    struct core_entry entry = { 0 };
    uint32_t magic = hw_read_le32(&reader), crc;
    uint16_t version = hw_read_le16(&reader);

    entry.kind = hw_read_le16(&reader);
    entry.term = hw_read_le64(&reader);
    entry.index = hw_read_le64(&reader);
    entry.previous = hw_read_le64(&reader);
    entry.size = hw_read_le32(&reader);
    crc = hw_read_le32(&reader);
    if (hw_reader_status(&reader) < 0 || magic != CORE_ENTRY_MAGIC || version == 0)
        return -EBADMSG;
    if (version > CORE_ENTRY_VERSION)
        return -EPROTONOSUPPORT;
    if (entry.size > CORE_ENTRY_BYTES_MAX || entry.size != size - CORE_ENTRY_HEAD ||
        entry.term == 0 || entry.index == 0 || entry.kind == 0)
        return -EBADMSG;
    entry.bytes = entry.size > 0 ? (uint8_t *)(uintptr_t)(bytes + CORE_ENTRY_HEAD) : NULL;
    if (crc != checksum(&entry))
        return -EBADMSG;
    *ret_entry = entry;
    return 0;
}

int core_entry_copy(const struct core_entry *entry, struct core_entry *ret_copy)
{
    struct core_entry copy = *entry;

    if (entry->size > 0) {
        copy.bytes = malloc(entry->size);
        if (copy.bytes == NULL)
            return -ENOMEM;
        memcpy(copy.bytes, entry->bytes, entry->size);
    } else {
        copy.bytes = NULL;
    }
    *ret_copy = copy;
    return 0;
}

void core_entry_free(struct core_entry *entry)
{
    free(entry->bytes);
    entry->bytes = NULL;
    entry->size = 0;
}
