/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Little-endian numbers in memory whose bounds are known; hw_cursor.h is for what has to be judged.
 */
#ifndef HW_LE_H
#define HW_LE_H

#include <stdint.h>

/* The number of 1 to 8 `bytes` at `at`. */
static inline uint64_t hw_le_load(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* The lowest 1 to 8 `bytes` of a number to `at`. */
static inline void hw_le_store(uint8_t *at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

#endif
