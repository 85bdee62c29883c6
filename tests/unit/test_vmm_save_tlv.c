/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save_tlv: sections byte by byte, any flipped bit refused, unknown required ones
 * refused and unknown optional ones skipped, none twice.
 */
#include <config.h>

#include "vmm-core/save/vmm_save_tlv.h"

#include "common/hw_crc32c.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static uint8_t bytes[4096];

static size_t three_sections(bool last_required)
{
    struct vmm_save_tlv_writer writer = vmm_save_tlv_writer_over(bytes, sizeof(bytes));
    size_t size = 0;

    memset(bytes, 0xee, sizeof(bytes));
    hw_write_le32(vmm_save_tlv_begin(&writer, 0x101, 0, 1, true), 0xdeadbeef);
    vmm_save_tlv_end(&writer);
    hw_write_bytes(vmm_save_tlv_begin(&writer, 0x101, 1, 1, true), "thirteen byte", 13);
    vmm_save_tlv_end(&writer);
    vmm_save_tlv_begin(&writer, 0x202, 0, 3, last_required);
    CU_ASSERT_EQUAL(vmm_save_tlv_finish(&writer, &size), 0);
    return size;
}

static bool knows_101(void *context, uint32_t type, uint16_t version)
{
    (void)context;
    return type == 0x101 && version <= 1;
}

static void keeps_the_format(void)
{
    static const uint8_t head[] = { 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0 };
    static const uint8_t content[] = { 0xef, 0xbe, 0xad, 0xde, 0, 0, 0, 0 };
    size_t size = three_sections(false);
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(bytes, size);
    struct vmm_save_tlv tlv;

    CU_ASSERT_EQUAL(size, (24 + 8) + (24 + 16) + 24);
    CU_ASSERT_EQUAL(memcmp(bytes + 4, head, sizeof(head)), 0);
    CU_ASSERT_EQUAL(memcmp(bytes + 24, content, sizeof(content)), 0);
    CU_ASSERT_EQUAL(vmm_save_tlv_next(&reader, &tlv), 0);
    CU_ASSERT_TRUE(tlv.type == 0x101 && tlv.instance == 0 && tlv.version == 1 && tlv.required);
    CU_ASSERT_TRUE(tlv.length_bytes == 4 && tlv.bytes == bytes + 24);
    CU_ASSERT_EQUAL(vmm_save_tlv_next(&reader, &tlv), 0);
    CU_ASSERT_TRUE(tlv.instance == 1 && tlv.length_bytes == 13 && tlv.offset_bytes == 32);
    CU_ASSERT_EQUAL(vmm_save_tlv_next(&reader, &tlv), 0);
    CU_ASSERT_TRUE(tlv.type == 0x202 && tlv.version == 3 && !tlv.required && tlv.length_bytes == 0);
    CU_ASSERT_EQUAL(vmm_save_tlv_next(&reader, &tlv), -ENOENT);
}

static void refuses_flipped_bits(void)
{
    size_t size = three_sections(false);
    struct vmm_save_tlv tlv;

    CU_ASSERT_EQUAL(vmm_save_tlv_check(bytes, size, knows_101, NULL, &tlv), 0);
    for (size_t bit = 0; bit < size * 8; bit++) {
        uint64_t section = bit / 8 < 32 ? 0 : bit / 8 < 72 ? 32 : 72;

        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT_EQUAL(vmm_save_tlv_check(bytes, size, knows_101, NULL, &tlv), -EBADMSG);
        CU_ASSERT_EQUAL(tlv.offset_bytes, section);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 1; cut < size; cut++)
        if (cut != 32 && cut != 72)
            CU_ASSERT_EQUAL(vmm_save_tlv_check(bytes, cut, knows_101, NULL, &tlv), -EBADMSG);
}

static void skips_or_refuses_the_unknown(void)
{
    struct vmm_save_tlv tlv;

    CU_ASSERT_EQUAL(vmm_save_tlv_check(bytes, three_sections(false), knows_101, NULL, &tlv), 0);
    CU_ASSERT_EQUAL(vmm_save_tlv_check(bytes, three_sections(true), knows_101, NULL, &tlv),
                    -EPROTONOSUPPORT);
    CU_ASSERT_EQUAL(tlv.type, 0x202);
}

static void refuses_what_comes_twice(void)
{
    struct vmm_save_tlv_writer writer = vmm_save_tlv_writer_over(bytes, sizeof(bytes));
    struct vmm_save_tlv tlv;
    size_t size = 0;

    for (unsigned i = 0; i < 3; i++) {
        hw_write_bytes(vmm_save_tlv_begin(&writer, 0x101, i % 2, 1, true), "12345", 5);
        vmm_save_tlv_end(&writer);
    }
    CU_ASSERT_EQUAL(vmm_save_tlv_finish(&writer, &size), 0);
    CU_ASSERT_EQUAL(vmm_save_tlv_check(bytes, size, knows_101, NULL, &tlv), -EEXIST);
    CU_ASSERT_EQUAL(tlv.offset_bytes, 64);
}

/* A head with a good checksum: type 0, other flags, and bytes that must be zero. */
static void refuses_other_heads(void)
{
    static const size_t places[] = { 4, 5, 15, 20, 28 };

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct vmm_save_tlv tlv;
        struct hw_writer crc = hw_writer_over(bytes, 4);

        three_sections(false);
        if (i == 0)
            bytes[5] = 0; /* and so the type */
        bytes[places[i]] ^= i == 0 ? 1 : 0x10;
        hw_write_le32(&crc, hw_crc32c(bytes + 4, 24));
        CU_ASSERT_EQUAL(vmm_save_tlv_check(bytes, 32, knows_101, NULL, &tlv),
                        i == 1 ? -EPROTONOSUPPORT : -EBADMSG);
    }
}

static void says_what_does_not_fit(void)
{
    for (size_t room = 0; room < 40; room++) {
        struct vmm_save_tlv_writer writer = vmm_save_tlv_writer_over(bytes, room);
        size_t size = 0;

        hw_write_bytes(vmm_save_tlv_begin(&writer, 1, 0, 1, true), "0123456789", 10);
        vmm_save_tlv_end(&writer);
        CU_ASSERT_EQUAL(vmm_save_tlv_finish(&writer, &size), -ENOSPC);
    }
}

const struct unit_case unit_cases[] = {
    { "sections, byte by byte", keeps_the_format },
    { "any flipped bit, cut at any place", refuses_flipped_bits },
    { "unknown sections", skips_or_refuses_the_unknown },
    { "a section that comes twice", refuses_what_comes_twice },
    { "heads that are not known", refuses_other_heads },
    { "no room", says_what_does_not_fit },
    { 0 },
};
