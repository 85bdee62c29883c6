/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRC-32C, reflected polynomial 82F63B78h, four bits at a time: the records it covers are a few
 * hundred bytes, so a 16-entry table is fast enough and small enough to be checked by eye.
 */
#include "config.h"

#include "common/hw_crc32c.h"

static const uint32_t nibble_table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t hw_crc32c(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ nibble_table[crc & 0x0f];
        crc = crc >> 4 ^ nibble_table[crc & 0x0f];
    }
    return ~crc;
}
