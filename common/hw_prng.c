/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xoshiro256** 1.0 seeded by SplitMix64, both by Blackman and Vigna (prng.di.unimi.it), written
 * from their description. Not for secrets.
 */
#include <config.h>

#include "common/hw_prng.h"

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

/* SplitMix64: spreads a seed of few bits (0 too) over the whole state. */
static uint64_t split_mix(uint64_t *state)
{
    uint64_t value;

    *state += UINT64_C(0x9e3779b97f4a7c15);
    value = *state;
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

struct hw_prng hw_prng_seeded(uint64_t seed)
{
    struct hw_prng prng;

    for (unsigned i = 0; i < 4; i++)
        prng.state[i] = split_mix(&seed);
    return prng;
}

uint64_t hw_prng_next(struct hw_prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t value = rotate_left(s[1] * 5, 7) * 9;
    uint64_t carried = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= carried;
    s[3] = rotate_left(s[3], 45);
    return value;
}

uint64_t hw_prng_below(struct hw_prng *prng, uint64_t bound)
{
    uint64_t unfair, value;

    if (bound == 0)
        return 0;
    /* the lowest 2^64 mod bound values would make the first remainders likelier: draw again */
    unfair = (UINT64_MAX - bound + 1) % bound;
    do {
        value = hw_prng_next(prng);
    } while (value < unfair);
    return value % bound;
}

bool hw_prng_chance(struct hw_prng *prng, uint32_t numerator, uint32_t denominator)
{
    return hw_prng_below(prng, denominator) < numerator;
}
