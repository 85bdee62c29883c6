/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_gpt: a good copy is read, each field that can be wrong is told apart, and no bit of
 * a header or entry can flip unseen.
 */
#include <config.h>

#include "storage/sto_gpt.h"

#include "tests/unit/layout_image.h"
#include "tests/unit/unit.h"

static struct sto_layout layout;
static struct sto_layout_image image;

static struct sto_gpt read_copy(uint32_t block_bytes, bool backup)
{
    const struct sto_edge head = { image.head, sizeof(image.head), 0 };
    const struct sto_edge tail = { image.tail, sizeof(image.tail), image.tail_offset_bytes };
    struct sto_gpt gpt;

    sto_gpt_read(backup ? &tail : &head, backup ? IMAGE_CAPACITY / block_bytes - 1 : 1, block_bytes,
                 IMAGE_CAPACITY, &gpt);
    return gpt;
}

static void reads_good_copies(void)
{
    static const uint32_t sizes[] = { 512, 1024, 2048, 4096 };

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct sto_gpt primary, backup;

        image_make(IMAGE_CAPACITY, sizes[i], &layout, &image);
        primary = read_copy(sizes[i], false);
        backup = read_copy(sizes[i], true);
        CU_ASSERT_EQUAL(primary.state, STO_GPT_VALID);
        CU_ASSERT_EQUAL(backup.state, STO_GPT_VALID);
        CU_ASSERT_EQUAL(primary.used_count, 3);
        CU_ASSERT_STRING_EQUAL(primary.partitions[0].name, "hawser-meta");
        CU_ASSERT_STRING_EQUAL(primary.partitions[2].name, "hawser-state");
        CU_ASSERT_EQUAL(memcmp(primary.disk_guid, image_guid, STO_GUID_BYTES), 0);
        CU_ASSERT_EQUAL(primary.alternate_lba, IMAGE_CAPACITY / sizes[i] - 1);
        CU_ASSERT_EQUAL(backup.alternate_lba, 1);
        CU_ASSERT(sto_gpt_same(&primary, &backup));
        CU_ASSERT(sto_gpt_protective_mbr(image.head, sizeof(image.head)));
    }
}

/* Every bit of header (its 92 bytes) and entries is covered by a checksum or the signature. */
static void sees_each_flipped_bit(void)
{
    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    for (unsigned bit = 0; bit < 92 * 8; bit++) {
        struct sto_gpt gpt;

        image.head[512 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        gpt = read_copy(512, false);
        CU_ASSERT_EQUAL(gpt.state, bit < 64 ? STO_GPT_ABSENT : STO_GPT_DAMAGED);
        image.head[512 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (unsigned bit = 0; bit < 128 * 4 * 8; bit++) {
        struct sto_gpt gpt;

        image.head[1024 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        gpt = read_copy(512, false);
        CU_ASSERT_EQUAL(gpt.state, STO_GPT_DAMAGED);
        image.head[1024 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CU_ASSERT_EQUAL(read_copy(512, false).state, STO_GPT_VALID);
}

/* Fields with checksums that hold, but values that cannot be. */
static void judges_each_field(void)
{
    static const struct {
        unsigned at, bytes;
        uint64_t value;
        const char *why;
    } wrong[] = {
        { 8, 4, 0x00020000, "unknown revision" },
        { 24, 8, 2, "header belongs to another place" },
        { 40, 8, UINT64_MAX, "usable range lies outside of the LUN" },
        { 48, 8, IMAGE_CAPACITY / 512, "usable range lies outside of the LUN" },
        { 72, 8, UINT64_MAX, "entries lie elsewhere" },
        { 72, 8, 60, "entries lie elsewhere" },
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sto_gpt gpt;

        image_make(IMAGE_CAPACITY, 512, &layout, &image);
        image_put(image.head + 512 + wrong[i].at, wrong[i].value, wrong[i].bytes);
        image_put(image.head + 512 + 16, 0, 4);
        image_put(image.head + 512 + 16, hw_crc32(image.head + 512, 92), 4);
        gpt = read_copy(512, false);
        CU_ASSERT_EQUAL_FATAL(gpt.state, STO_GPT_DAMAGED);
        CU_ASSERT_STRING_EQUAL(gpt.why, wrong[i].why);
        CU_ASSERT_EQUAL(gpt.used_count, 0);
    }
}

static void judges_sizes(void)
{
    static const struct {
        unsigned at;
        uint32_t value;
        const char *why;
    } wrong[] = {
        { 12, 91, "impossible header size" },
        { 12, 513, "impossible header size" },
        { 12, UINT32_MAX, "impossible header size" },
        { 80, 0, "impossible number of entries" },
        { 80, UINT32_MAX, "impossible number of entries" },
        { 84, 64, "impossible entry size" },
        { 84, 192, "impossible entry size" },
        { 84, 8192, "impossible entry size" },
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sto_gpt gpt;

        image_make(IMAGE_CAPACITY, 512, &layout, &image);
        image_put(image.head + 512 + wrong[i].at, wrong[i].value, 4);
        image_put(image.head + 512 + 16, 0, 4);
        image_put(image.head + 512 + 16, hw_crc32(image.head + 512, 92), 4);
        gpt = read_copy(512, false);
        CU_ASSERT_EQUAL_FATAL(gpt.state, STO_GPT_DAMAGED);
        CU_ASSERT_STRING_EQUAL(gpt.why, wrong[i].why);
    }
}

static void cleans_names(void)
{
    struct sto_gpt gpt;
    uint8_t *name;

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    name = image_entries(&image, 512, false) + 56;
    for (unsigned i = 0; i < 36; i++)
        image_put(name + 2 * i, 0x1b + (uint64_t)i * 0x101, 2);
    image_reseal(&image, 512, false);
    gpt = read_copy(512, false);
    CU_ASSERT_EQUAL_FATAL(gpt.state, STO_GPT_VALID);
    CU_ASSERT_EQUAL(strlen(gpt.partitions[0].name), 36);
    for (const char *c = gpt.partitions[0].name; *c != '\0'; c++)
        CU_ASSERT(*c >= 0x20 && *c < 0x7f);
}

static void tells_copies_apart(void)
{
    struct sto_gpt primary, backup;

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    image_entries(&image, 512, true)[48] ^= 1; /* an attribute */
    image_reseal(&image, 512, true);
    primary = read_copy(512, false);
    backup = read_copy(512, true);
    CU_ASSERT_EQUAL(backup.state, STO_GPT_VALID);
    CU_ASSERT_FALSE(sto_gpt_same(&primary, &backup));
}

static void counts_more_than_it_keeps(void)
{
    struct sto_gpt gpt;
    uint8_t *entries;

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    entries = image_entries(&image, 512, false);
    for (unsigned i = 3; i < 128; i++)
        memcpy(entries + (size_t)i * 128, entries, 128);
    image_reseal(&image, 512, false);
    gpt = read_copy(512, false);
    CU_ASSERT_EQUAL(gpt.state, STO_GPT_VALID);
    CU_ASSERT_EQUAL(gpt.used_count, 128);
}

static void reads_and_prints_guids(void)
{
    static const char *const bad[] = { "",
                                       "191df8df-6506-4713-b9e3-cc15b1a8e60",
                                       "191df8df-6506-4713-b9e3-cc15b1a8e6066",
                                       "191df8df65064713b9e3cc15b1a8e606",
                                       "191df8df-6506-4713-b9e3-cc15b1a8e60g",
                                       "191df8df-6506-4713-b9e3 cc15b1a8e606" };
    char text[STO_GUID_TEXT_BYTES];
    uint8_t guid[STO_GUID_BYTES];

    CU_ASSERT_TRUE(sto_guid_parse("191DF8DF-6506-4713-b9e3-cc15b1a8e606", guid));
    CU_ASSERT_STRING_EQUAL(sto_guid_text(guid, text), "191df8df-6506-4713-b9e3-cc15b1a8e606");
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(sto_guid_parse(bad[i], guid));
}

const struct unit_case unit_cases[] = {
    { "good copies of each block size are read", reads_good_copies },
    { "no bit of header or entries flips unseen", sees_each_flipped_bit },
    { "each field is judged though its checksum holds", judges_each_field },
    { "sizes and counts are judged", judges_sizes },
    { "names from outside become printable", cleans_names },
    { "copies that differ are told apart", tells_copies_apart },
    { "more partitions than are kept are counted", counts_more_than_it_keeps },
    { "GUIDs are read and printed", reads_and_prints_guids },
    { 0 },
};
