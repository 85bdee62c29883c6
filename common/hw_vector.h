/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing array. HW_VECTOR(type) declares the struct; pushes are checked for overflow and for a
 * failed allocation, and leave the vector as it was when they fail.
 *   HW_VECTOR(int) numbers = HW_VECTOR_INIT;
 *   if (hw_vector_push(&numbers, 7) < 0) ...
 */
#ifndef HW_VECTOR_H
#define HW_VECTOR_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define HW_VECTOR(type)  \
    struct {             \
        type *items;     \
        size_t count;    \
        size_t capacity; \
    }

#define HW_VECTOR_INIT \
    {                  \
        NULL, 0, 0     \
    }

/* Make room for `want` items of `item_bytes`. 0, -ENOMEM or -EOVERFLOW. Used by the macros. */
int hw_vector_reserve_raw(void **items, size_t *capacity, size_t want, size_t item_bytes);

/* Room for `want` items in all; 0 or -errno. */
#define hw_vector_reserve(vector, want)                                                   \
    __extension__({                                                                       \
        void *hw_items_ = (vector)->items;                                                \
        int hw_reserved_ = hw_vector_reserve_raw(&hw_items_, &(vector)->capacity, (want), \
                                                 sizeof(*(vector)->items));               \
        (vector)->items = hw_items_;                                                      \
        hw_reserved_;                                                                     \
    })

/* Append one item; 0 or -errno. */
#define hw_vector_push(vector, ...)                                    \
    __extension__({                                                    \
        int hw_rc_ = hw_vector_reserve((vector), (vector)->count + 1); \
        if (hw_rc_ == 0)                                               \
            (vector)->items[(vector)->count++] = (__VA_ARGS__);        \
        hw_rc_;                                                        \
    })

/* Put one item at place `at` (0 to count), those behind it one further; 0 or -errno. */
#define hw_vector_insert(vector, at, ...)                                   \
    __extension__({                                                         \
        const size_t hw_at_ = (at);                                         \
        int hw_rc_ = hw_vector_reserve((vector), (vector)->count + 1);      \
        if (hw_rc_ == 0) {                                                  \
            memmove((vector)->items + hw_at_ + 1, (vector)->items + hw_at_, \
                    ((vector)->count - hw_at_) * sizeof(*(vector)->items)); \
            (vector)->items[hw_at_] = (__VA_ARGS__);                        \
            (vector)->count++;                                              \
        }                                                                   \
        hw_rc_;                                                             \
    })

/* Take the item at place `at` (below count) out; what it owns is the caller's. */
#define hw_vector_remove(vector, at)                                    \
    do {                                                                \
        const size_t hw_at_ = (at);                                     \
        (vector)->count--;                                              \
        memmove((vector)->items + hw_at_, (vector)->items + hw_at_ + 1, \
                ((vector)->count - hw_at_) * sizeof(*(vector)->items)); \
    } while (0)

/* Give the memory back and be empty again. */
#define hw_vector_free(vector)                    \
    do {                                          \
        free((vector)->items);                    \
        (vector)->items = NULL;                   \
        (vector)->count = (vector)->capacity = 0; \
    } while (0)

#endif
