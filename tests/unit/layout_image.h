/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Partition tables for tests: a good one made by sto_layout_write(), and what is needed to change
 * a field of it so that the checksums hold again and only the field is wrong.
 */
#ifndef LAYOUT_IMAGE_H
#define LAYOUT_IMAGE_H

#include <stdint.h>
#include <string.h>

#include "common/hw_crc32.h"
#include "storage/sto_layout.h"
#include "tests/unit/unit.h"

#define IMAGE_CAPACITY (UINT64_C(400) << 20)
#define IMAGE_STATE    (UINT64_C(150) << 20)

static const uint8_t image_guid[STO_GUID_BYTES] = {
    0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef, 0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef
};

static inline void image_make(uint64_t capacity, uint32_t block_bytes, struct sto_layout *layout,
                              struct sto_layout_image *image)
{
    CU_ASSERT_EQUAL_FATAL(
        sto_layout_plan("lun", capacity, block_bytes, IMAGE_STATE, image_guid, layout, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(sto_layout_write("lun", layout, image, NULL), 0);
}

static inline void image_put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t image_get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

/* The primary header, or the one of the backup. */
static inline uint8_t *image_header(struct sto_layout_image *image, uint32_t block_bytes,
                                    bool backup)
{
    return backup ? image->tail + STO_LAYOUT_EDGE_BYTES - block_bytes : image->head + block_bytes;
}

/* Its entries. */
static inline uint8_t *image_entries(struct sto_layout_image *image, uint32_t block_bytes,
                                     bool backup)
{
    uint8_t *header = image_header(image, block_bytes, backup);
    uint64_t offset = image_get(header + 72, 8) * block_bytes;

    return backup ? image->tail + (offset - image->tail_offset_bytes) : image->head + offset;
}

/* Make the checksums of one copy true again. */
static inline void image_reseal(struct sto_layout_image *image, uint32_t block_bytes, bool backup)
{
    uint8_t *header = image_header(image, block_bytes, backup);
    size_t entries_bytes = image_get(header + 80, 4) * image_get(header + 84, 4);

    image_put(header + 88, hw_crc32(image_entries(image, block_bytes, backup), entries_bytes), 4);
    image_put(header + 16, 0, 4);
    image_put(header + 16, hw_crc32(header, image_get(header + 12, 4)), 4);
}

/* Read it as the layout of a LUN. */
static inline int image_parse(const struct sto_layout_image *image, uint64_t capacity,
                              uint32_t block_bytes, struct sto_layout *ret_layout,
                              struct hw_error *error)
{
    const struct sto_edge head = { image->head, sizeof(image->head), 0 };
    const struct sto_edge tail = { image->tail, sizeof(image->tail), image->tail_offset_bytes };

    return sto_layout_parse("lun", &head, &tail, capacity, block_bytes, ret_layout, error);
}

#endif
