/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_inquiry: answers as targets give them, cut at every byte, and lying about their
 * lengths.
 */
#include <config.h>

#include "storage/sto_inquiry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_prng.h"
#include "tests/unit/unit.h"

static void fill_standard(uint8_t answer[36], uint8_t peripheral)
{
    memset(answer, ' ', 36);
    answer[0] = peripheral;
    memcpy(answer + 8, "VENDOR\0\0", 8);
    memcpy(answer + 16, "PRO\x1b[2JUCT \xff      ", 16);
    memcpy(answer + 32, "1.0 ", 4);
}

static void standard_inquiry(void)
{
    static const struct {
        uint8_t byte;
        enum sto_peripheral want;
    } rows[] = {
        { 0x00, STO_PERIPHERAL_DISK },   { 0x7f, STO_PERIPHERAL_ABSENT },
        { 0x20, STO_PERIPHERAL_ABSENT }, { 0x0c, STO_PERIPHERAL_OTHER },
        { 0x01, STO_PERIPHERAL_OTHER },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sto_facts facts = { 0 };
        enum sto_peripheral peripheral;
        uint8_t answer[36];

        fill_standard(answer, rows[i].byte);
        CU_ASSERT_EQUAL(sto_inquiry_standard(answer, 35, &facts, &peripheral), -EBADMSG);
        CU_ASSERT_EQUAL(sto_inquiry_standard(answer, 36, &facts, &peripheral), 0);
        CU_ASSERT_EQUAL(peripheral, rows[i].want);
        CU_ASSERT_STRING_EQUAL(facts.vendor, "VENDOR");
        CU_ASSERT_STRING_EQUAL(facts.product, "PRO?[2JUCT ?"); /* no escapes to a terminal */
        CU_ASSERT_STRING_EQUAL(facts.revision, "1.0");
    }
}

static void supported_pages(void)
{
    static const uint8_t answer[] = { 0, 0, 0, 4, 0x00, 0x80, 0x83, 0xff };
    struct sto_vpd_pages pages;

    CU_ASSERT_EQUAL(sto_inquiry_pages(answer, sizeof(answer), &pages), 0);
    CU_ASSERT_TRUE(sto_inquiry_has_page(&pages, 0x00));
    CU_ASSERT_TRUE(sto_inquiry_has_page(&pages, 0x83));
    CU_ASSERT_TRUE(sto_inquiry_has_page(&pages, 0xff));
    CU_ASSERT_FALSE(sto_inquiry_has_page(&pages, 0xb0));
    CU_ASSERT_EQUAL(sto_inquiry_pages(answer, 6, &pages), 0); /* cut: what is there counts */
    CU_ASSERT_TRUE(sto_inquiry_has_page(&pages, 0x80));
    CU_ASSERT_FALSE(sto_inquiry_has_page(&pages, 0x83));
    CU_ASSERT_EQUAL(sto_inquiry_pages(answer, 3, &pages), -EBADMSG);
}

static void wrong_page_is_refused(void)
{
    static const uint8_t answer[] = { 0, 0x83, 0, 4, 'a', 'b', 'c', 'd' };
    struct sto_facts facts = { 0 };

    CU_ASSERT_EQUAL(sto_inquiry_serial(answer, sizeof(answer), &facts), -EBADMSG);
    CU_ASSERT_STRING_EQUAL(facts.serial, "");
}

static void serial(void)
{
    static const uint8_t answer[] = { 0, 0x80, 0xff, 0xff, ' ', 'a', '1', '\n', ' ', 0 };
    struct sto_facts facts = { 0 };
    uint8_t large[300] = { 0, 0x80, 1, 40 };

    CU_ASSERT_EQUAL(sto_inquiry_serial(answer, sizeof(answer), &facts), 0);
    CU_ASSERT_STRING_EQUAL(facts.serial, "a1?");
    memset(large + 4, 'x', sizeof(large) - 4);
    CU_ASSERT_EQUAL(sto_inquiry_serial(large, sizeof(large), &facts), 0);
    CU_ASSERT_EQUAL(strlen(facts.serial), sizeof(facts.serial) - 1);
}

/* T10, then EUI-64, then a target port's NAA (not the LUN's), then the LUN's NAA. */
static const uint8_t names[] = {
    0,   0x83, 0,    0x38, 0x02, 0x01, 0,    12,   'V',  'E',  'N',  'D',  'O', 'R',
    ' ', ' ',  'i',  'd',  '1',  ' ',  0x01, 0x02, 0,    8,    1,    2,    3,   4,
    5,   6,    7,    8,    0x01, 0x13, 0,    8,    9,    9,    9,    9,    9,   9,
    9,   9,    0x01, 0x03, 0,    8,    0x60, 0x01, 0x40, 0x5a, 0xbc, 0xde, 0,   0xff,
};

static void best_name_wins(void)
{
    static const struct {
        size_t bytes;
        const char *wwid;
    } rows[] = {
        { sizeof(names), "naa.6001405abcde00ff" },
        { sizeof(names) - 1, "eui.0102030405060708" },
        { 32, "eui.0102030405060708" },
        { 31, "t10.VENDOR  id1" },
        { 19, "" },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sto_facts facts = { 0 };

        CU_ASSERT_EQUAL(sto_inquiry_identification(names, rows[i].bytes, &facts), 0);
        CU_ASSERT_STRING_EQUAL(facts.wwid, rows[i].wwid);
    }
}

static void limits(void)
{
    uint8_t answer[64] = { 0, 0xb0, 0, 60, 0, 1 };
    struct sto_facts facts = { .block_bytes = 512 };

    answer[10] = 0x20; /* 8192 blocks */
    answer[14] = 0x01;
    memset(answer + 20, 0xff, 4);
    answer[43] = 7;
    CU_ASSERT_EQUAL(sto_inquiry_block_limits(answer, sizeof(answer), &facts), 0);
    CU_ASSERT_EQUAL(facts.max_compare_and_write_blocks, 1);
    CU_ASSERT_EQUAL(facts.max_transfer_bytes, 8192 * 512);
    CU_ASSERT_EQUAL(facts.optimal_transfer_bytes, 256 * 512);
    CU_ASSERT_EQUAL(facts.max_unmap_bytes % 512, 0); /* clamped, still whole blocks */
    CU_ASSERT_TRUE(facts.max_unmap_bytes > 1u << 31);
    CU_ASSERT_EQUAL(facts.max_write_same_blocks, 7);
    CU_ASSERT_EQUAL(sto_inquiry_block_limits(answer, 16, &facts), 0); /* SBC-2 had only these */
    CU_ASSERT_EQUAL(facts.max_unmap_bytes, 0);
    CU_ASSERT_EQUAL(facts.max_write_same_blocks, 0);
}

static void capacity(void)
{
    uint8_t answer[32] = { 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 2, 0, 0, 0x03, 0xc0 };
    struct sto_facts facts = { 0 };

    CU_ASSERT_EQUAL(sto_inquiry_capacity(answer, 11, &facts), -EBADMSG);
    CU_ASSERT_EQUAL(sto_inquiry_capacity(answer, 32, &facts), 0);
    CU_ASSERT_EQUAL(facts.capacity_bytes, 65536u * 512);
    CU_ASSERT_EQUAL(facts.block_bytes, 512);
    CU_ASSERT_EQUAL(facts.physical_block_bytes, 4096);
    CU_ASSERT_TRUE(facts.thin);
    CU_ASSERT_TRUE(facts.unmap_reads_zeroes);
    CU_ASSERT_EQUAL(sto_inquiry_capacity(answer, 12, &facts), 0);
    CU_ASSERT_EQUAL(facts.physical_block_bytes, 512);
    answer[10] = 3; /* 768: not a power of 2 */
    CU_ASSERT_EQUAL(sto_inquiry_capacity(answer, 32, &facts), -EBADMSG);
    answer[10] = 0; /* 0 */
    CU_ASSERT_EQUAL(sto_inquiry_capacity(answer, 32, &facts), -EBADMSG);
    answer[10] = 1; /* 256 */
    CU_ASSERT_EQUAL(sto_inquiry_capacity(answer, 32, &facts), -EBADMSG);
    answer[10] = 2;
    memset(answer, 0xff, 8); /* the last block's number plus one overflows */
    CU_ASSERT_EQUAL(sto_inquiry_capacity(answer, 32, &facts), -EBADMSG);
    answer[0] = 0x7f; /* the bytes overflow */
    CU_ASSERT_EQUAL(sto_inquiry_capacity(answer, 32, &facts), -EBADMSG);
}

static void provisioning(void)
{
    static const uint8_t answer[] = { 0, 0xb2, 0, 4, 0, 0xc4, 2, 0 };
    struct sto_facts facts = { 0 };

    CU_ASSERT_EQUAL(sto_inquiry_provisioning(answer, sizeof(answer), &facts), 0);
    CU_ASSERT_TRUE(facts.unmap && facts.write_same_unmap && facts.unmap_reads_zeroes && facts.thin);
}

static void mode(void)
{
    static const uint8_t answer[] = { 24, 0, 0x80, 8, 9, 9, 9, 9, 9, 9, 9, 9, 0x88, 18, 4, 0 };
    struct sto_facts facts = { 0 };

    CU_ASSERT_EQUAL(sto_inquiry_mode(answer, sizeof(answer), &facts), 0);
    CU_ASSERT_TRUE(facts.read_only);
    CU_ASSERT_TRUE(facts.write_cache);
    facts.write_cache = false;
    CU_ASSERT_EQUAL(sto_inquiry_mode(answer, 14, &facts), 0); /* the page is cut off */
    CU_ASSERT_FALSE(facts.write_cache);
    CU_ASSERT_EQUAL(sto_inquiry_mode(answer, 3, &facts), -EBADMSG);
}

/* Random bytes in exact-size memory: the sanitizers see a step past the end. */
static void survives_noise(void)
{
    struct hw_prng prng = hw_prng_seeded(11);

    for (unsigned round = 0; round < 20000; round++) {
        size_t size = (size_t)hw_prng_below(&prng, 80);
        uint8_t *noise = malloc(size > 0 ? size : 1);
        struct sto_facts facts = { .block_bytes = 512 };
        struct sto_vpd_pages pages;
        enum sto_peripheral peripheral;

        CU_ASSERT_PTR_NOT_NULL_FATAL(noise);
        for (size_t i = 0; i < size; i++)
            noise[i] = (uint8_t)hw_prng_next(&prng);
        if (size > 1) {
            static const uint8_t known[] = { 0x00, 0x80, 0x83, 0xb0, 0xb2 };

            noise[1] = known[hw_prng_below(&prng, sizeof(known))];
        }
        (void)sto_inquiry_standard(noise, size, &facts, &peripheral);
        (void)sto_inquiry_pages(noise, size, &pages);
        (void)sto_inquiry_serial(noise, size, &facts);
        (void)sto_inquiry_identification(noise, size, &facts);
        (void)sto_inquiry_block_limits(noise, size, &facts);
        (void)sto_inquiry_provisioning(noise, size, &facts);
        (void)sto_inquiry_mode(noise, size, &facts);
        (void)sto_inquiry_capacity(noise, size, &facts);
        CU_ASSERT_TRUE(strlen(facts.wwid) < sizeof(facts.wwid));
        free(noise);
    }
}

const struct unit_case unit_cases[] = {
    { "standard INQUIRY", standard_inquiry },
    { "supported pages", supported_pages },
    { "an answer for another page is refused", wrong_page_is_refused },
    { "serial number", serial },
    { "the best name of the LUN wins", best_name_wins },
    { "block limits", limits },
    { "capacity", capacity },
    { "provisioning", provisioning },
    { "mode page", mode },
    { "noise is survived", survives_noise },
    { 0 },
};
