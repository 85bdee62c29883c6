/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_crc32: the catalogue's check value, and an independent bit by bit reckoning.
 */
#include <config.h>

#include "common/hw_crc32.h"

#include "tests/unit/unit.h"

#include "common/hw_prng.h"

static uint32_t bit_by_bit(const uint8_t *data, size_t size)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint32_t out = (crc ^ (uint32_t)data[i] >> bit) & 1;

            crc = crc >> 1 ^ (out ? UINT32_C(0xedb88320) : 0);
        }
    }
    return ~crc;
}

static void gives_the_check_value(void)
{
    CU_ASSERT_EQUAL(hw_crc32("123456789", 9), 0xcbf43926);
    CU_ASSERT_EQUAL(hw_crc32("", 0), 0);
}

static void agrees_with_the_definition(void)
{
    struct hw_prng prng = hw_prng_seeded(1);
    uint8_t bytes[300];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)hw_prng_next(&prng);
    for (size_t size = 0; size <= sizeof(bytes); size++)
        CU_ASSERT_EQUAL(hw_crc32(bytes, size), bit_by_bit(bytes, size));
}

const struct unit_case unit_cases[] = {
    { "gives the catalogue's check value", gives_the_check_value },
    { "agrees with a bit by bit reckoning", agrees_with_the_definition },
    { 0 },
};
