/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/sto_layout: a good table with bytes changed as the input says (four bytes each:
 * which copy and whether its checksums are made right again, place, value), so that what no
 * checksum covers is reached. Whatever is accepted must lie inside the LUN without overlap.
 */
#include <config.h>

#include "common/hw_crc32.h"
#include "storage/sto_layout.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

enum { BLOCK_BYTES = 512, STEP_BYTES = 4, TABLE_BYTES = 34 * BLOCK_BYTES };

#define CAPACITY (UINT64_C(64) << 20)

static uint64_t get_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static void put_le32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Make the checksums of one copy right, as far as its entries lie inside `edge`. */
static void mend(uint8_t *edge, uint64_t edge_offset, uint8_t *header)
{
    uint64_t at = get_le(header + 72, 8), bytes = get_le(header + 80, 4) * get_le(header + 84, 4);

    if (bytes <= STO_LAYOUT_EDGE_BYTES && at < CAPACITY / BLOCK_BYTES &&
        at * BLOCK_BYTES >= edge_offset &&
        at * BLOCK_BYTES - edge_offset + bytes <= STO_LAYOUT_EDGE_BYTES)
        put_le32(header + 88, hw_crc32(edge + (at * BLOCK_BYTES - edge_offset), (size_t)bytes));
    put_le32(header + 16, 0);
    if (get_le(header + 12, 4) <= BLOCK_BYTES)
        put_le32(header + 16, hw_crc32(header, (size_t)get_le(header + 12, 4)));
}

static void change(struct sto_layout_image *image, const uint8_t *step)
{
    bool backup = (step[0] & 1) != 0;
    uint8_t *edge = backup ? image->tail : image->head;
    size_t first = backup ? STO_LAYOUT_EDGE_BYTES - TABLE_BYTES : 0;
    uint8_t *header =
        backup ? image->tail + STO_LAYOUT_EDGE_BYTES - BLOCK_BYTES : image->head + BLOCK_BYTES;

    if ((step[0] & 4) != 0) /* a field of the header, which is small */
        header[step[1] % 92] = step[3];
    else
        edge[first + (size_t)(step[1] | step[2] << 8) % TABLE_BYTES] = step[3];
    if ((step[0] & 2) != 0)
        mend(edge, backup ? image->tail_offset_bytes : 0, header);
}

static void judge(const struct sto_layout *layout)
{
    fuzz_require(layout->meta.offset_bytes == STO_LAYOUT_META_OFFSET_BYTES);
    fuzz_require(layout->meta.size_bytes == STO_LAYOUT_META_BYTES);
    fuzz_require(layout->disk.offset_bytes >= layout->meta.offset_bytes + layout->meta.size_bytes);
    fuzz_require(layout->disk.size_bytes > 0 && layout->state.size_bytes > 0);
    fuzz_require(layout->state.offset_bytes >= layout->disk.offset_bytes + layout->disk.size_bytes);
    fuzz_require(layout->state.offset_bytes + layout->state.size_bytes <=
                 CAPACITY - STO_LAYOUT_EDGE_BYTES);
    fuzz_require((layout->copies == STO_LAYOUT_BOTH) == (layout->copy_fault == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sto_layout_image good, image;
    static const uint8_t guid[STO_GUID_BYTES] = { 1, 2, 3, 4 };
    const struct sto_edge head = { image.head, sizeof(image.head), 0 };
    struct sto_edge tail = { image.tail, sizeof(image.tail), 0 };
    struct sto_layout layout;
    int rc;

    if (good.tail_offset_bytes == 0) {
        fuzz_require(sto_layout_plan("lun", CAPACITY, BLOCK_BYTES, UINT64_C(8) << 20, guid, &layout,
                                     NULL) == 0);
        fuzz_require(sto_layout_write("lun", &layout, &good, NULL) == 0);
    }
    image = good;
    tail.offset_bytes = image.tail_offset_bytes;
    for (size_t at = 0; at + STEP_BYTES <= size; at += STEP_BYTES)
        change(&image, data + at);
    rc = sto_layout_parse("lun", &head, &tail, CAPACITY, BLOCK_BYTES, &layout, NULL);
    fuzz_require(rc == 0 || rc == -ENOENT || rc == -EBADMSG || rc == -EINVAL);
    if (rc == 0)
        judge(&layout);
    return 0;
}
