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

/* Give the memory back and be empty again. */
#define hw_vector_free(vector)                    \
    do {                                          \
        free((vector)->items);                    \
        (vector)->items = NULL;                   \
        (vector)->count = (vector)->capacity = 0; \
    } while (0)

#endif
