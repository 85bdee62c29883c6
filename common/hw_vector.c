/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The growing part of HW_VECTOR. Capacity doubles, so that n pushes cost O(n) copies. On failure
 * the array, its count and its capacity stay as they were.
 */
#include <config.h>

#include "common/hw_vector.h"

#include <errno.h>
#include <stdint.h>

enum { FIRST_CAPACITY = 8 };

int hw_vector_reserve_raw(void **items, size_t *capacity, size_t want, size_t item_bytes)
{
    size_t grown, bytes;
    void *moved;

    if (want <= *capacity)
        return 0;
    if (__builtin_mul_overflow(*capacity, 2, &grown) || grown < want)
        grown = want;
    if (grown < FIRST_CAPACITY)
        grown = FIRST_CAPACITY;
    if (__builtin_mul_overflow(grown, item_bytes, &bytes) || bytes > PTRDIFF_MAX)
        return -EOVERFLOW;
    moved = realloc(*items, bytes);
    if (!moved)
        return -ENOMEM;
    *items = moved;
    *capacity = grown;
    return 0;
}
