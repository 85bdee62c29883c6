/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded pseudo-random numbers (xoshiro256** seeded by SplitMix64, Blackman and Vigna): the same
 * seed gives the same numbers on every machine. For tests, jitter and schedules; not for secrets.
 */
#ifndef HW_PRNG_H
#define HW_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct hw_prng {
    uint64_t state[4];
};

/* A generator for this seed. */
struct hw_prng hw_prng_seeded(uint64_t seed);
/* The next 64 bits. */
uint64_t hw_prng_next(struct hw_prng *prng);
/* A number from 0 to bound - 1, without bias; 0 if bound is 0. */
uint64_t hw_prng_below(struct hw_prng *prng, uint64_t bound);
/* True in `numerator` of `denominator` cases. */
bool hw_prng_chance(struct hw_prng *prng, uint32_t numerator, uint32_t denominator);

#endif
