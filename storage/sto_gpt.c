/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reader of one copy of a GUID partition table. Everything comes from a disk that may hold
 * anything: each field is read through a checked cursor and compared before it is used.
 */
#include "config.h"

#include "storage/sto_gpt.h"

#include <errno.h>
#include <string.h>

#include "common/hw_crc32.h"
#include "common/hw_cursor.h"

enum {
    HEADER_BYTES = 92, /* of revision 1.0 */
    ENTRY_BYTES = 128, /* the smallest entry; larger ones are 128 * 2^n */
    ENTRY_BYTES_MAX = 4096,
    NAME_UNITS = 36,
    REVISION = 0x00010000,
    CRC_AT = 16,
};

static const uint8_t signature[8] = { 'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T' };

struct header {
    uint32_t bytes, crc, entry_count, entry_bytes, entries_crc;
    uint64_t own_lba, entries_lba;
};

/* The table keeps the first three fields of a GUID little-endian. */
static void read_guid(struct hw_reader *reader, uint8_t ret_guid[STO_GUID_BYTES])
{
    static const uint8_t place[STO_GUID_BYTES] = { 3, 2, 1,  0,  5,  4,  7,  6,
                                                   8, 9, 10, 11, 12, 13, 14, 15 };
    uint8_t raw[STO_GUID_BYTES];

    hw_read_bytes(reader, raw, sizeof(raw));
    for (unsigned i = 0; i < STO_GUID_BYTES; i++)
        ret_guid[i] = raw[place[i]];
}

/* A reader over `bytes` of the edge at LUN offset `lba * block_bytes`; false if not all inside. */
static bool reader_at(const struct sto_edge *edge, uint64_t lba, uint32_t block_bytes,
                      uint64_t bytes, struct hw_reader *ret_reader)
{
    uint64_t offset, end;

    if (__builtin_mul_overflow(lba, (uint64_t)block_bytes, &offset) ||
        __builtin_add_overflow(offset, bytes, &end) || offset < edge->offset_bytes ||
        end - edge->offset_bytes > edge->bytes)
        return false;
    *ret_reader = hw_reader_over(edge->data + (offset - edge->offset_bytes), (size_t)bytes);
    return true;
}

/* CRC over the header with its own CRC field taken as zero. */
static uint32_t header_crc(const uint8_t *header, uint32_t bytes)
{
    uint8_t copy[ENTRY_BYTES_MAX];

    memcpy(copy, header, bytes);
    memset(copy + CRC_AT, 0, 4);
    return hw_crc32(copy, bytes);
}

/* NULL if the header holds, else why not. */
static const char *read_header(struct hw_reader *block, uint64_t header_lba, uint32_t block_bytes,
                               uint64_t block_count, struct sto_gpt *gpt, struct header *ret_header)
{
    struct header header;

    hw_read_skip(block, sizeof(signature));
    if (hw_read_le32(block) != REVISION)
        return "unknown revision";
    header.bytes = hw_read_le32(block);
    header.crc = hw_read_le32(block);
    if (header.bytes < HEADER_BYTES || header.bytes > block_bytes)
        return "impossible header size";
    if (header_crc(block->data, header.bytes) != header.crc)
        return "header checksum does not match";
    hw_read_skip(block, 4);
    header.own_lba = hw_read_le64(block);
    gpt->alternate_lba = hw_read_le64(block);
    gpt->first_usable_lba = hw_read_le64(block);
    gpt->last_usable_lba = hw_read_le64(block);
    read_guid(block, gpt->disk_guid);
    header.entries_lba = hw_read_le64(block);
    header.entry_count = hw_read_le32(block);
    header.entry_bytes = hw_read_le32(block);
    header.entries_crc = hw_read_le32(block);
    if (hw_reader_status(block) < 0)
        return "header is cut";
    if (header.own_lba != header_lba)
        return "header belongs to another place";
    if (gpt->first_usable_lba < block_count && gpt->last_usable_lba >= block_count &&
        gpt->alternate_lba > gpt->last_usable_lba && gpt->alternate_lba < UINT64_MAX)
        gpt->shrunk_from_blocks = gpt->alternate_lba + 1;
    if (gpt->first_usable_lba > gpt->last_usable_lba || gpt->last_usable_lba >= block_count)
        return "usable range lies outside of the LUN";
    if (header.entry_count == 0 || header.entry_count > STO_GPT_ENTRIES_MAX)
        return "impossible number of entries";
    if (header.entry_bytes < ENTRY_BYTES || header.entry_bytes > ENTRY_BYTES_MAX ||
        (header.entry_bytes & (header.entry_bytes - 1)) != 0)
        return "impossible entry size";
    *ret_header = header;
    return NULL;
}

/* UTF-16LE to ASCII; the terminator always fits. */
static void read_name(struct hw_reader *entry, char ret_name[STO_GPT_NAME_BYTES])
{
    bool ended = false;

    memset(ret_name, 0, STO_GPT_NAME_BYTES);
    for (unsigned i = 0; i < NAME_UNITS; i++) {
        uint16_t unit = hw_read_le16(entry);

        ended = ended || unit == 0;
        if (!ended)
            ret_name[i] = unit >= 0x20 && unit < 0x7f ? (char)unit : '?';
    }
}

/* NULL if the entries hold, else why not. */
static const char *read_entries(struct hw_reader *entries, const struct header *header,
                                struct sto_gpt *gpt)
{
    static const uint8_t unused[STO_GUID_BYTES];

    if (hw_crc32(entries->data, entries->size) != header->entries_crc)
        return "checksum of the entries does not match";
    for (uint32_t i = 0; i < header->entry_count; i++) {
        struct sto_gpt_partition partition;

        hw_read_seek(entries, (size_t)i * header->entry_bytes);
        read_guid(entries, partition.type_guid);
        if (memcmp(partition.type_guid, unused, sizeof(unused)) == 0)
            continue;
        read_guid(entries, partition.guid);
        partition.first_lba = hw_read_le64(entries);
        partition.last_lba = hw_read_le64(entries);
        partition.attributes = hw_read_le64(entries);
        read_name(entries, partition.name);
        if (partition.first_lba > partition.last_lba ||
            partition.first_lba < gpt->first_usable_lba ||
            partition.last_lba > gpt->last_usable_lba)
            return "a partition lies outside of the usable range";
        if (gpt->used_count < STO_GPT_PARTITIONS)
            gpt->partitions[gpt->used_count] = partition;
        gpt->used_count++;
    }
    return hw_reader_status(entries) < 0 ? "entries are cut" : NULL;
}

/* NULL if the copy holds, else why not; the state is set to ABSENT where nothing is there. */
static const char *read_copy(const struct sto_edge *edge, uint64_t header_lba, uint32_t block_bytes,
                             uint64_t capacity_bytes, struct sto_gpt *gpt)
{
    struct hw_reader block, entries;
    struct header header;
    const char *why;

    if (!reader_at(edge, header_lba, block_bytes, block_bytes, &block) ||
        block.size < HEADER_BYTES || memcmp(block.data, signature, sizeof(signature)) != 0) {
        gpt->state = STO_GPT_ABSENT;
        return NULL;
    }
    gpt->state = STO_GPT_VALID;
    why = read_header(&block, header_lba, block_bytes, capacity_bytes / block_bytes, gpt, &header);
    if (why != NULL)
        return why;
    if (!reader_at(edge, header.entries_lba, block_bytes,
                   (uint64_t)header.entry_count * header.entry_bytes, &entries))
        return "entries lie elsewhere";
    return read_entries(&entries, &header, gpt);
}

void sto_gpt_read(const struct sto_edge *edge, uint64_t header_lba, uint32_t block_bytes,
                  uint64_t capacity_bytes, struct sto_gpt *ret_gpt)
{
    struct sto_gpt gpt = { .state = STO_GPT_ABSENT };
    const char *why = NULL;

    if (block_bytes >= 512 && block_bytes <= ENTRY_BYTES_MAX)
        why = read_copy(edge, header_lba, block_bytes, capacity_bytes, &gpt);
    if (why != NULL)
        gpt = (struct sto_gpt) { .state = STO_GPT_DAMAGED,
                                 .why = why,
                                 .shrunk_from_blocks = gpt.shrunk_from_blocks };
    *ret_gpt = gpt;
}

static bool same_partition(const struct sto_gpt_partition *one,
                           const struct sto_gpt_partition *other)
{
    return memcmp(one->type_guid, other->type_guid, STO_GUID_BYTES) == 0 &&
           memcmp(one->guid, other->guid, STO_GUID_BYTES) == 0 &&
           one->first_lba == other->first_lba && one->last_lba == other->last_lba &&
           one->attributes == other->attributes && strcmp(one->name, other->name) == 0;
}

bool sto_gpt_same(const struct sto_gpt *one, const struct sto_gpt *other)
{
    if (memcmp(one->disk_guid, other->disk_guid, STO_GUID_BYTES) != 0 ||
        one->first_usable_lba != other->first_usable_lba ||
        one->last_usable_lba != other->last_usable_lba || one->used_count != other->used_count)
        return false;
    for (unsigned i = 0; i < one->used_count && i < STO_GPT_PARTITIONS; i++) {
        if (!same_partition(&one->partitions[i], &other->partitions[i]))
            return false;
    }
    return true;
}

bool sto_gpt_protective_mbr(const void *block, size_t bytes)
{
    const uint8_t *mbr = block;

    return bytes >= 512 && mbr[510] == 0x55 && mbr[511] == 0xaa && mbr[446 + 4] == 0xee;
}

const char *sto_guid_text(const uint8_t guid[STO_GUID_BYTES], char text[STO_GUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;

    for (unsigned i = 0; i < STO_GUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[guid[i] >> 4];
        *at++ = digits[guid[i] & 0xf];
    }
    *at = '\0';
    return text;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool sto_guid_parse(const char *text, uint8_t ret_guid[STO_GUID_BYTES])
{
    uint8_t guid[STO_GUID_BYTES];

    for (unsigned i = 0; i < STO_GUID_BYTES; i++) {
        int high, low;

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            if (*text++ != '-')
                return false;
        }
        high = hex_digit(text[0]);
        low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return false;
        guid[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text != '\0')
        return false;
    memcpy(ret_guid, guid, sizeof(guid));
    return true;
}
