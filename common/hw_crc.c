/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both checks go half a byte at a time through a table of 16 remainders: small enough to be read,
 * quick enough for records of a few KiB. Not meant for bulk data.
 */
#include "config.h"

#include "common/hw_crc.h"

/* Remainder of each half byte, reflected: polynomial 1EDC6F41h. */
static const uint32_t castagnoli[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

/* The same for polynomial 04C11DB7h. */
static const uint32_t iso3309[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

static uint32_t remainder_of(const uint32_t table[16], const void *data, size_t size)
{
    const uint8_t *byte = data;
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < size; i++) {
        crc ^= byte[i];
        crc = crc >> 4 ^ table[crc & 0xf];
        crc = crc >> 4 ^ table[crc & 0xf];
    }
    return ~crc;
}

uint32_t hw_crc32c(const void *data, size_t size)
{
    return remainder_of(castagnoli, data, size);
}

uint32_t hw_crc32(const void *data, size_t size)
{
    return remainder_of(iso3309, data, size);
}
