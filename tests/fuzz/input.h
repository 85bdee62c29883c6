/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzzer's input as numbers, one after the other; behind its end all are 0.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct input {
    const uint8_t *data;
    size_t size;
};

/* The next byte. */
static inline uint8_t byte(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

/* The next two, little-endian. */
static inline unsigned half(struct input *input)
{
    const unsigned low = byte(input);

    return low | (unsigned)byte(input) << 8;
}

/* A number of 1, 2, 4 or 8 bytes, or all bits of it the other way round. */
static inline uint64_t number(struct input *input)
{
    const uint8_t how = byte(input);
    uint64_t all = 0;

    for (unsigned i = 0; i < (1U << how % 4); i++)
        all |= (uint64_t)byte(input) << (i * 8);
    return (how & 128) != 0 ? ~all : all;
}

#endif
