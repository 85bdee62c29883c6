/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save_record: the record byte by byte; any flipped bit, another chunk's record,
 * an unknown codec are refused and named.
 */
#include <config.h>

#include "vmm-core/save/vmm_save_record.h"

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

enum { CHUNKS = 3 };

static struct vmm_save_record sample(uint32_t chunk)
{
    struct vmm_save_record record = { .chunk = chunk, .generation = 0x1122334455667788 };

    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++)
        vmm_save_record_set(&record, i, 0x0101010101010101u * i + chunk,
                            (uint16_t)(i % 3 == 0 ? 0 : 0x8001 + i));
    return record;
}

static void keeps_the_format(void)
{
    struct vmm_save_record record = sample(2), back;
    uint8_t bytes[VMM_SAVE_RECORD_BYTES], again[VMM_SAVE_RECORD_BYTES];
    static const uint8_t head[] = { 2, 0, 0, 0, 0, 1, 1, 0 };
    static const uint8_t hash1[] = { 3, 1, 1, 1, 1, 1, 1, 1 };

    vmm_save_record_encode(&record, bytes);
    CU_ASSERT_EQUAL(memcmp(bytes, head, sizeof(head)), 0);
    CU_ASSERT_EQUAL(memcmp(bytes + 84 + 8, hash1, sizeof(hash1)), 0);
    CU_ASSERT_TRUE(bytes[212 + 2] == 0x02 && bytes[212 + 3] == 0x80);
    CU_ASSERT_TRUE(bytes[244] == 0x88 && bytes[251] == 0x11);
    CU_ASSERT_EQUAL(vmm_save_record_decode(bytes, 2, &back), 0);
    vmm_save_record_encode(&back, again);
    CU_ASSERT_EQUAL(memcmp(bytes, again, sizeof(bytes)), 0);
    CU_ASSERT_EQUAL(back.generation, record.generation);
}

static void refuses_flipped_bits(void)
{
    struct vmm_save_record record = sample(2), back;
    uint8_t bytes[VMM_SAVE_RECORD_BYTES];

    vmm_save_record_encode(&record, bytes);
    CU_ASSERT_EQUAL(vmm_save_record_decode(bytes, 1, &back), -EBADMSG);
    for (unsigned bit = 0; bit < sizeof(bytes) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT_EQUAL(vmm_save_record_decode(bytes, 2, &back), -EBADMSG);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Encoded as it is, with a good checksum. */
static int decode(const struct vmm_save_record *record)
{
    uint8_t bytes[VMM_SAVE_RECORD_BYTES];
    struct vmm_save_record back;

    vmm_save_record_encode(record, bytes);
    return vmm_save_record_decode(bytes, record->chunk, &back);
}

static void refuses_what_makes_no_sense(void)
{
    struct vmm_save_record record = sample(7);

    record.codec[4] = 2;
    CU_ASSERT_EQUAL(decode(&record), -EPROTONOSUPPORT);
    record = sample(7);
    record.stored_bytes[1]--;
    CU_ASSERT_EQUAL(decode(&record), -EBADMSG);
    record = sample(7);
    record.nonzero[1] = 0;
    CU_ASSERT_EQUAL(decode(&record), -EBADMSG);
    record = sample(7);
    record.nonzero[0] = 1;
    CU_ASSERT_EQUAL(decode(&record), -EBADMSG);
    record = sample(7);
    record.hash[0] = 1;
    CU_ASSERT_EQUAL(decode(&record), -EBADMSG);
}

static void checks_tables(void)
{
    uint8_t table[CHUNKS * VMM_SAVE_RECORD_BYTES];
    uint64_t bad = 99;

    for (uint32_t i = 0; i < CHUNKS; i++) {
        struct vmm_save_record record = sample(i);

        vmm_save_record_encode(&record, table + i * VMM_SAVE_RECORD_BYTES);
    }
    CU_ASSERT_EQUAL(vmm_save_table_check(table, CHUNKS, &bad), 0);
    for (unsigned block = 0; block < CHUNKS * VMM_SAVE_CHUNK_BLOCKS; block++) {
        struct vmm_save_record record = sample(block / VMM_SAVE_CHUNK_BLOCKS);
        struct vmm_save_block found = vmm_save_table_block(table, block);
        unsigned i = block % VMM_SAVE_CHUNK_BLOCKS;

        CU_ASSERT_TRUE((uint8_t)found.codec == record.codec[i] && found.hash == record.hash[i] &&
                       found.nonzero == record.nonzero[i]);
    }
    table[2 * VMM_SAVE_RECORD_BYTES + 100] ^= 4;
    CU_ASSERT_EQUAL(vmm_save_table_check(table, CHUNKS, &bad), -EBADMSG);
    CU_ASSERT_EQUAL(bad, 2);
}

const struct unit_case unit_cases[] = {
    { "the record, byte by byte", keeps_the_format },
    { "any flipped bit, another chunk", refuses_flipped_bits },
    { "unknown codecs, senseless records", refuses_what_makes_no_sense },
    { "a table, and its blocks", checks_tables },
    { 0 },
};
