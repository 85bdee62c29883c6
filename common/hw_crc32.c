/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRC-32, half a byte at a time through a table of 16 remainders: small enough to be read, quick
 * enough for a partition table. Not meant for bulk data.
 */
#include "config.h"

#include "common/hw_crc32.h"

/* Remainder of each half byte for the reflected polynomial EDB88320h. */
static const uint32_t remainders[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t hw_crc32(const void *data, size_t size)
{
    const uint8_t *byte = data;
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < size; i++) {
        crc ^= byte[i];
        crc = crc >> 4 ^ remainders[crc & 0xf];
        crc = crc >> 4 ^ remainders[crc & 0xf];
    }
    return ~crc;
}
