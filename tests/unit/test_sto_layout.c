/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_layout: what is planned fits, what is read back is the same, either copy of the table
 * makes up for the other, and tables that another tool changed are refused with words.
 */
#include <config.h>

#include "storage/sto_layout.h"

#include "tests/unit/layout_image.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

#include "common/hw_prng.h"
#include "storage/sto_state_area.h"

#define MIB (UINT64_C(1) << 20)

static struct sto_layout layout, found;
static struct sto_layout_image image;

static void plans_what_fits(void)
{
    struct hw_prng prng = hw_prng_seeded(3);

    for (unsigned i = 0; i < 10000; i++) {
        uint32_t block = UINT32_C(512) << hw_prng_below(&prng, 4);
        uint64_t capacity = hw_prng_below(&prng, UINT64_C(1) << (22 + hw_prng_below(&prng, 30)));
        uint64_t state = MIB * (1 + hw_prng_below(&prng, 300));
        int rc;

        capacity -= capacity % block;
        rc = sto_layout_plan("lun", capacity, block, state, image_guid, &layout, NULL);
        if (capacity < state + 4 * MIB) {
            CU_ASSERT_EQUAL(rc, -ENOSPC);
            continue;
        }
        CU_ASSERT_EQUAL_FATAL(rc, 0);
        CU_ASSERT_EQUAL(layout.meta.offset_bytes, MIB);
        CU_ASSERT_EQUAL(layout.meta.size_bytes, MIB);
        CU_ASSERT_EQUAL(layout.disk.offset_bytes, 2 * MIB);
        CU_ASSERT(layout.disk.size_bytes >= MIB);
        CU_ASSERT_EQUAL(layout.disk.offset_bytes + layout.disk.size_bytes,
                        layout.state.offset_bytes);
        CU_ASSERT_EQUAL(layout.state.size_bytes, state);
        CU_ASSERT_EQUAL(layout.state.offset_bytes % MIB, 0);
        CU_ASSERT(layout.state.offset_bytes + state + STO_LAYOUT_EDGE_BYTES <= capacity);
        CU_ASSERT(layout.state.offset_bytes + state + STO_LAYOUT_EDGE_BYTES + MIB > capacity);
    }
}

static void refuses_plans(void)
{
    struct hw_error error = { 0 };

    CU_ASSERT_EQUAL(sto_layout_plan("lun", 20 * MIB, 512, 150 * MIB, image_guid, &layout, &error),
                    -ENOSPC);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "it has 20 MiB"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "needs 153 MiB"));
    CU_ASSERT_EQUAL(sto_layout_plan("lun", UINT64_MAX / MIB * MIB, 512, UINT64_MAX / MIB * MIB,
                                    image_guid, &layout, NULL),
                    -ENOSPC);
    CU_ASSERT_EQUAL(sto_layout_plan("lun", 900 * MIB, 512, MIB + 1, image_guid, &layout, NULL),
                    -EINVAL);
    CU_ASSERT_EQUAL(sto_layout_plan("lun", 900 * MIB, 512, 0, image_guid, &layout, NULL), -EINVAL);
    CU_ASSERT_EQUAL(sto_layout_plan("lun", 900 * MIB, 520, MIB, image_guid, &layout, NULL),
                    -EINVAL);
    CU_ASSERT_EQUAL(sto_layout_plan("lun", 900 * MIB, 8192, MIB, image_guid, &layout, NULL),
                    -EINVAL);
    CU_ASSERT_EQUAL(sto_layout_plan("lun", 900 * MIB + 1, 512, MIB, image_guid, &layout, NULL),
                    -EINVAL);
}

static bool same_windows(const struct sto_layout *one, const struct sto_layout *other)
{
    return memcmp(&one->meta, &other->meta, sizeof(one->meta)) == 0 &&
           memcmp(&one->disk, &other->disk, sizeof(one->disk)) == 0 &&
           memcmp(&one->state, &other->state, sizeof(one->state)) == 0 &&
           memcmp(one->disk_guid, other->disk_guid, STO_GUID_BYTES) == 0;
}

static void makes_up_for_a_copy(void)
{
    static const uint32_t sizes[] = { 512, 4096 };

    for (unsigned i = 0; i < 2; i++) {
        image_make(IMAGE_CAPACITY, sizes[i], &layout, &image);
        CU_ASSERT_EQUAL_FATAL(image_parse(&image, IMAGE_CAPACITY, sizes[i], &found, NULL), 0);
        CU_ASSERT_EQUAL(found.copies, STO_LAYOUT_BOTH);
        CU_ASSERT_PTR_NULL(found.copy_fault);
        CU_ASSERT(found.protective_mbr && same_windows(&layout, &found));

        memset(image.head, 0, sizeof(image.head));
        CU_ASSERT_EQUAL_FATAL(image_parse(&image, IMAGE_CAPACITY, sizes[i], &found, NULL), 0);
        CU_ASSERT_EQUAL(found.copies, STO_LAYOUT_BACKUP_ONLY);
        CU_ASSERT_STRING_EQUAL(found.copy_fault, "it is missing");
        CU_ASSERT(!found.protective_mbr && same_windows(&layout, &found));

        image_make(IMAGE_CAPACITY, sizes[i], &layout, &image);
        image_entries(&image, sizes[i], true)[0] ^= 1;
        CU_ASSERT_EQUAL_FATAL(image_parse(&image, IMAGE_CAPACITY, sizes[i], &found, NULL), 0);
        CU_ASSERT_EQUAL(found.copies, STO_LAYOUT_PRIMARY_ONLY);
        CU_ASSERT_STRING_EQUAL(found.copy_fault, "checksum of the entries does not match");
        CU_ASSERT(same_windows(&layout, &found));
    }
}

static void reads_a_grown_lun(void)
{
    struct hw_error error = { 0 };

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    memset(image.tail, 0, sizeof(image.tail));
    image.tail_offset_bytes = 2 * IMAGE_CAPACITY - STO_LAYOUT_EDGE_BYTES;
    CU_ASSERT_EQUAL_FATAL(image_parse(&image, 2 * IMAGE_CAPACITY, 512, &found, NULL), 0);
    CU_ASSERT_EQUAL(found.copies, STO_LAYOUT_PRIMARY_ONLY);
    CU_ASSERT_PTR_NOT_NULL(strstr(found.copy_fault, "size was changed"));
    CU_ASSERT_EQUAL(image_parse(&image, IMAGE_CAPACITY / 2, 512, &found, &error), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "the LUN has shrunk"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.remedy, "as large as it was"));
}

static void says_what_is_wrong(void)
{
    struct hw_error error = { 0 };

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    image_entries(&image, 512, true)[16] ^= 1;
    image_reseal(&image, 512, true);
    CU_ASSERT_EQUAL(image_parse(&image, IMAGE_CAPACITY, 512, &found, &error), -EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "two copies differ"));

    hw_error_clear(&error);
    image.head[512 + 20] ^= 1; /* reserved, but under the checksum */
    image.tail[STO_LAYOUT_EDGE_BYTES - 512 + 20] ^= 1;
    CU_ASSERT_EQUAL(image_parse(&image, IMAGE_CAPACITY, 512, &found, &error), -EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "header checksum"));

    hw_error_clear(&error);
    memset(&image.head, 0, sizeof(image.head));
    memset(&image.tail, 0, sizeof(image.tail));
    CU_ASSERT_EQUAL(image_parse(&image, IMAGE_CAPACITY, 512, &found, &error), -ENOENT);
    CU_ASSERT_STRING_EQUAL(error.reason, "holds no hawser layout");
    CU_ASSERT_EQUAL(image_parse(&image, MIB, 512, &found, NULL), -ENOENT);
    CU_ASSERT_EQUAL(image_parse(&image, IMAGE_CAPACITY, 0, &found, NULL), -ENOENT);
}

/* One field of both copies changed as another tool might, everything else in order. */
static void refuses_other_tables(void)
{
    static const struct {
        unsigned entry, at, bytes;
        uint64_t value;
        int rc;
        const char *words;
    } changes[] = {
        { 0, 32, 8, 4096, -EBADMSG, "usable range" },           /* starts after its end */
        { 0, 32, 8, 2049, -EINVAL, "whole MiB" },               /* meta not on a MiB */
        { 0, 40, 8, 6143, -EINVAL, "at 1 MiB with 1 MiB" },     /* meta of 2 MiB */
        { 1, 32, 8, 2048, -EINVAL, "overlaps hawser-meta" },    /* disk over meta */
        { 1, 40, 8, 511999, -EINVAL, "overlaps hawser-state" }, /* disk into state */
        { 2, 32, 8, 507904, -EINVAL, "overlaps hawser-state" }, /* state into disk */
        { 2, 0, 8, 77, -EINVAL, "is not at its place" },        /* another type */
        { 2, 56, 2, 'H', -EINVAL, "is not at its place" },      /* another name */
        { 0, 0, 16, 0, -EINVAL, "2 partitions" },               /* one is gone */
    };

    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct hw_error error = { 0 };

        image_make(IMAGE_CAPACITY, 512, &layout, &image);
        for (unsigned backup = 0; backup < 2; backup++) {
            uint8_t *entry = image_entries(&image, 512, backup) + (size_t)changes[i].entry * 128;

            for (unsigned b = 0; b < changes[i].bytes; b++)
                entry[changes[i].at + b] = (uint8_t)(b < 8 ? changes[i].value >> 8 * b : 0);
            image_reseal(&image, 512, backup);
        }
        CU_ASSERT_EQUAL(image_parse(&image, IMAGE_CAPACITY, 512, &found, &error), changes[i].rc);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, changes[i].words));
    }
}

static void refuses_foreign_tables(void)
{
    struct hw_error error = { 0 };

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    for (unsigned backup = 0; backup < 2; backup++) {
        for (unsigned entry = 0; entry < 3; entry++)
            image_entries(&image, 512, backup)[(size_t)entry * 128] ^= 0xff;
        image_reseal(&image, 512, backup);
    }
    CU_ASSERT_EQUAL(image_parse(&image, IMAGE_CAPACITY, 512, &found, &error), -ENOENT);
    CU_ASSERT_STRING_EQUAL(error.reason, "holds a partition table that is not hawser's");
}

static void refuses_growth(void)
{
    struct hw_error error = { 0 };

    image_make(IMAGE_CAPACITY, 512, &layout, &image);
    CU_ASSERT_EQUAL(sto_layout_fits("lun", &layout, 128 * MIB, 1, NULL), 0);
    CU_ASSERT_EQUAL(sto_layout_fits("lun", &layout, 64 * MIB, 1, NULL), 0);
    CU_ASSERT_EQUAL(sto_layout_fits("lun", &layout, 256 * MIB, 1, &error), -ENOSPC);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "150 MiB are reserved, 278 MiB are needed"));
    CU_ASSERT_EQUAL(sto_layout_fits("lun", &layout, 0, 1, NULL), -EINVAL);
    CU_ASSERT_EQUAL(sto_layout_fits("lun", &layout, MIB, 5000, NULL), -ERANGE);
}

static void prints_sizes(void)
{
    char text[STO_SIZE_TEXT_BYTES];

    CU_ASSERT_STRING_EQUAL(sto_size_text(0, text), "0 bytes");
    CU_ASSERT_STRING_EQUAL(sto_size_text(1023, text), "1023 bytes");
    CU_ASSERT_STRING_EQUAL(sto_size_text(1025, text), "1025 bytes");
    CU_ASSERT_STRING_EQUAL(sto_size_text(150 * MIB, text), "150 MiB");
    CU_ASSERT_STRING_EQUAL(sto_size_text(UINT64_C(1) << 50, text), "1024 TiB");
    CU_ASSERT_STRING_EQUAL(sto_size_text(UINT64_MAX, text), "18446744073709551615 bytes");
}

const struct unit_case unit_cases[] = {
    { "areas fill the LUN without overlap", plans_what_fits },
    { "plans that cannot be are refused with the size needed", refuses_plans },
    { "either copy makes up for the other", makes_up_for_a_copy },
    { "a LUN that grew is read, one that shrank is not", reads_a_grown_lun },
    { "damage is said in words", says_what_is_wrong },
    { "tables that another tool changed are refused", refuses_other_tables },
    { "foreign tables are not taken for ours", refuses_foreign_tables },
    { "a larger VM is refused with the size needed", refuses_growth },
    { "sizes are printed exactly", prints_sizes },
    { 0 },
};
