/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_cursor: values go out and come back in both byte orders, no step leaves the bounds,
 * and the first fault sticks.
 */
#include <config.h>

#include "common/hw_cursor.h"

#include "common/hw_prng.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static void has_the_right_bytes(void)
{
    static const uint8_t expected[] = {
        0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08,
        0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
    };
    uint8_t bytes[sizeof(expected)];
    struct hw_writer writer = hw_writer_over(bytes, sizeof(bytes));

    hw_write_u8(&writer, 0x01);
    hw_write_le16(&writer, 0x0203);
    hw_write_le32(&writer, 0x04050607);
    hw_write_le64(&writer, UINT64_C(0x08090a0b0c0d0e0f));
    hw_write_be16(&writer, 0x1213);
    hw_write_be32(&writer, 0x14151617);
    hw_write_be64(&writer, UINT64_C(0x18191a1b1c1d1e1f));
    CU_ASSERT_EQUAL(hw_writer_status(&writer), 0);
    CU_ASSERT_EQUAL(writer.at, sizeof(expected));
    CU_ASSERT_EQUAL(memcmp(bytes, expected, sizeof(expected)), 0);
}

static void comes_back(void)
{
    struct hw_prng prng = hw_prng_seeded(1);
    uint8_t bytes[32], raw[3] = { 9, 8, 7 }, back[3];

    for (unsigned i = 0; i < 1000; i++) {
        uint64_t v = hw_prng_next(&prng);
        struct hw_writer writer = hw_writer_over(bytes, sizeof(bytes));
        struct hw_reader reader = hw_reader_over(bytes, sizeof(bytes));

        hw_write_u8(&writer, (uint8_t)v);
        hw_write_le16(&writer, (uint16_t)v);
        hw_write_be16(&writer, (uint16_t)v);
        hw_write_le32(&writer, (uint32_t)v);
        hw_write_be32(&writer, (uint32_t)v);
        hw_write_le64(&writer, v);
        hw_write_be64(&writer, v);
        hw_write_bytes(&writer, raw, sizeof(raw));
        CU_ASSERT_EQUAL_FATAL(hw_writer_status(&writer), 0);
        CU_ASSERT_EQUAL(hw_read_u8(&reader), (uint8_t)v);
        CU_ASSERT_EQUAL(hw_read_le16(&reader), (uint16_t)v);
        CU_ASSERT_EQUAL(hw_read_be16(&reader), (uint16_t)v);
        CU_ASSERT_EQUAL(hw_read_le32(&reader), (uint32_t)v);
        CU_ASSERT_EQUAL(hw_read_be32(&reader), (uint32_t)v);
        CU_ASSERT_EQUAL(hw_read_le64(&reader), v);
        CU_ASSERT_EQUAL(hw_read_be64(&reader), v);
        hw_read_bytes(&reader, back, sizeof(back));
        CU_ASSERT_EQUAL(memcmp(back, raw, sizeof(raw)), 0);
        CU_ASSERT_EQUAL(hw_reader_left(&reader), 0);
        CU_ASSERT_EQUAL(hw_reader_status(&reader), 0);
    }
}

static void read_fault_sticks(void)
{
    static const uint8_t bytes[4] = { 1, 2, 3, 4 };
    uint8_t out[2] = { 0xaa, 0xaa };
    struct hw_reader reader = hw_reader_over(bytes, sizeof(bytes));

    CU_ASSERT_EQUAL(hw_read_u8(&reader), 1);
    CU_ASSERT_EQUAL(hw_read_be32(&reader), 0);
    CU_ASSERT_EQUAL(hw_reader_status(&reader), -EBADMSG);
    CU_ASSERT_EQUAL(hw_reader_left(&reader), 0);
    CU_ASSERT_EQUAL(hw_read_u8(&reader), 0);
    hw_read_seek(&reader, 0);
    CU_ASSERT_EQUAL(hw_read_u8(&reader), 0);
    hw_read_bytes(&reader, out, sizeof(out));
    CU_ASSERT_EQUAL(out[0], 0);
    CU_ASSERT_EQUAL(out[1], 0);
    CU_ASSERT_EQUAL(hw_reader_status(&reader), -EBADMSG);
}

static void huge_lengths_do_not_wrap(void)
{
    uint8_t bytes[4] = { 1, 2, 3, 4 };
    struct hw_reader reader = hw_reader_over(bytes, sizeof(bytes));
    struct hw_writer writer = hw_writer_over(bytes, sizeof(bytes));

    hw_read_skip(&reader, 2);
    hw_read_skip(&reader, SIZE_MAX - 1);
    CU_ASSERT_EQUAL(hw_reader_status(&reader), -EBADMSG);
    reader = hw_reader_over(bytes, sizeof(bytes));
    hw_read_seek(&reader, SIZE_MAX);
    CU_ASSERT_EQUAL(hw_reader_status(&reader), -EBADMSG);
    hw_write_u8(&writer, 9);
    hw_write_zeroes(&writer, SIZE_MAX);
    CU_ASSERT_EQUAL(hw_writer_status(&writer), -ENOSPC);
    CU_ASSERT_EQUAL(bytes[1], 2);
}

static void seek_and_skip(void)
{
    static const uint8_t bytes[4] = { 1, 2, 3, 4 };
    struct hw_reader reader = hw_reader_over(bytes, sizeof(bytes));

    hw_read_seek(&reader, 3);
    CU_ASSERT_EQUAL(hw_read_u8(&reader), 4);
    hw_read_seek(&reader, 0);
    hw_read_skip(&reader, 1);
    CU_ASSERT_EQUAL(hw_read_u8(&reader), 2);
    hw_read_seek(&reader, 4); /* the end itself is a place */
    CU_ASSERT_EQUAL(hw_reader_status(&reader), 0);
    CU_ASSERT_EQUAL(hw_reader_left(&reader), 0);
}

static void write_fault_sticks(void)
{
    uint8_t bytes[4] = { 0 };
    struct hw_writer writer = hw_writer_over(bytes, 3);

    hw_write_le16(&writer, 0xffff);
    hw_write_be16(&writer, 0xffff);
    CU_ASSERT_EQUAL(hw_writer_status(&writer), -ENOSPC);
    hw_write_u8(&writer, 0xff); /* would fit, but a fault sticks */
    CU_ASSERT_EQUAL(bytes[2], 0);
    CU_ASSERT_EQUAL(bytes[3], 0);
    CU_ASSERT_EQUAL(writer.at, 2);
}

static void empty_is_allowed(void)
{
    struct hw_reader reader = hw_reader_over(NULL, 0);
    struct hw_writer writer = hw_writer_over(NULL, 0);

    hw_read_bytes(&reader, NULL, 0);
    hw_write_bytes(&writer, NULL, 0);
    hw_write_zeroes(&writer, 0);
    CU_ASSERT_EQUAL(hw_reader_status(&reader), 0);
    CU_ASSERT_EQUAL(hw_writer_status(&writer), 0);
    CU_ASSERT_EQUAL(hw_read_u8(&reader), 0);
    hw_write_u8(&writer, 1);
    CU_ASSERT_EQUAL(hw_reader_status(&reader), -EBADMSG);
    CU_ASSERT_EQUAL(hw_writer_status(&writer), -ENOSPC);
}

const struct unit_case unit_cases[] = {
    { "each width and byte order has the right bytes", has_the_right_bytes },
    { "what was written comes back", comes_back },
    { "a read over the end gives zero and sticks", read_fault_sticks },
    { "huge lengths do not wrap", huge_lengths_do_not_wrap },
    { "seek and skip stay inside", seek_and_skip },
    { "a write over the end writes nothing and sticks", write_fault_sticks },
    { "no bytes at all", empty_is_allowed },
    { 0 },
};
