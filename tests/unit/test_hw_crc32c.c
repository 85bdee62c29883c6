/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_crc32c: the catalogue's check value, RFC 3720's examples, and an independent bit by
 * bit reckoning.
 */
#include <config.h>

#include "common/hw_crc32c.h"

#include <string.h>

#include "common/hw_prng.h"
#include "tests/unit/unit.h"

static uint32_t bit_by_bit(const uint8_t *data, size_t size)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint32_t out = (crc ^ (uint32_t)data[i] >> bit) & 1;

            crc = crc >> 1 ^ (out ? UINT32_C(0x82f63b78) : 0);
        }
    }
    return ~crc;
}

static void gives_the_check_values(void)
{
    uint8_t bytes[32];

    CU_ASSERT_EQUAL(hw_crc32c("123456789", 9), 0xe3069283);
    CU_ASSERT_EQUAL(hw_crc32c("", 0), 0);
    memset(bytes, 0, sizeof(bytes)); /* RFC 3720 B.4 */
    CU_ASSERT_EQUAL(hw_crc32c(bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    CU_ASSERT_EQUAL(hw_crc32c(bytes, sizeof(bytes)), 0x62a8ab43);
}

static void agrees_with_the_definition(void)
{
    struct hw_prng prng = hw_prng_seeded(1);
    uint8_t bytes[300];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)hw_prng_next(&prng);
    for (size_t size = 0; size <= sizeof(bytes); size++)
        CU_ASSERT_EQUAL(hw_crc32c(bytes, size), bit_by_bit(bytes, size));
}

const struct unit_case unit_cases[] = {
    { "gives the known check values", gives_the_check_values },
    { "agrees with a bit by bit reckoning", agrees_with_the_definition },
    { 0 },
};
