/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_prng: the published sequence, the same for the same seed, fair within bounds.
 */
#include <config.h>

#include "common/hw_prng.h"

#include "tests/unit/unit.h"

/* xoshiro256** from state {1, 2, 3, 4}: the algorithm's published first outputs. */
static void follows_the_published_sequence(void)
{
    static const uint64_t expected[] = {
        11520, 0, 1509978240, 1215971899390074240, 1216172134540287360,
    };
    struct hw_prng prng = { .state = { 1, 2, 3, 4 } };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        CU_ASSERT_EQUAL(hw_prng_next(&prng), expected[i]);
}

/* SplitMix64 from seed 0: the first published outputs fill the state. */
static void seeds_by_split_mix(void)
{
    struct hw_prng prng = hw_prng_seeded(0);

    CU_ASSERT_EQUAL(prng.state[0], UINT64_C(0xe220a8397b1dcdaf));
    CU_ASSERT_EQUAL(prng.state[1], UINT64_C(0x6e789e6aa1b965f4));
    CU_ASSERT_EQUAL(prng.state[2], UINT64_C(0x06c45d188009454f));
    CU_ASSERT_EQUAL(prng.state[3], UINT64_C(0xf88bb8a8724c81ec));
}

static void same_seed_same_numbers(void)
{
    struct hw_prng one = hw_prng_seeded(42), other = hw_prng_seeded(42);
    struct hw_prng third = hw_prng_seeded(43);
    unsigned differ = 0;

    for (unsigned i = 0; i < 100; i++) {
        uint64_t value = hw_prng_next(&one);

        CU_ASSERT_EQUAL(value, hw_prng_next(&other));
        differ += value != hw_prng_next(&third) ? 1 : 0;
    }
    CU_ASSERT_TRUE(differ > 90);
}

static void stays_below_and_reaches_all(void)
{
    struct hw_prng prng = hw_prng_seeded(7);
    unsigned seen[10] = { 0 };

    CU_ASSERT_EQUAL(hw_prng_below(&prng, 0), 0);
    CU_ASSERT_EQUAL(hw_prng_below(&prng, 1), 0);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t value = hw_prng_below(&prng, 10);

        CU_ASSERT_TRUE_FATAL(value < 10);
        seen[value]++;
    }
    for (unsigned i = 0; i < 10; i++)
        CU_ASSERT_TRUE(seen[i] > 800 && seen[i] < 1200);
    for (unsigned i = 0; i < 1000; i++)
        CU_ASSERT_TRUE(hw_prng_below(&prng, UINT64_MAX) < UINT64_MAX);
}

static void chance_is_about_right(void)
{
    struct hw_prng prng = hw_prng_seeded(9);
    unsigned hits = 0;

    for (unsigned i = 0; i < 10000; i++)
        hits += hw_prng_chance(&prng, 1, 4) ? 1 : 0;
    CU_ASSERT_TRUE(hits > 2200 && hits < 2800);
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_FALSE(hw_prng_chance(&prng, 0, 4));
        CU_ASSERT_TRUE(hw_prng_chance(&prng, 4, 4));
    }
}

const struct unit_case unit_cases[] = {
    { "the published sequence comes out", follows_the_published_sequence },
    { "the seed is spread by SplitMix64", seeds_by_split_mix },
    { "the same seed gives the same numbers", same_seed_same_numbers },
    { "numbers stay below the bound and reach all of it", stays_below_and_reaches_all },
    { "a chance of one in four", chance_is_about_right },
    { 0 },
};
