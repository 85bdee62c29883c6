/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small bzImage with an entry in 64 bits, made for a test.
 */
#ifndef BZIMAGE_IMAGE_H
#define BZIMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    BZIMAGE_SETUP_BYTES = 2 * 512,
    BZIMAGE_KERNEL_BYTES = 0x400,
    BZIMAGE_BYTES = BZIMAGE_SETUP_BYTES + BZIMAGE_KERNEL_BYTES,
    BZIMAGE_LOAD_AT = 0x200000,
    BZIMAGE_MEMORY_BYTES = 0x2000,
    BZIMAGE_COMMAND_BYTES = 255,
};

/* Set a field of the header: `bytes` at `at`. */
static inline void bzimage_put(uint8_t *image, size_t at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        image[at + i] = (uint8_t)(value >> (8 * i));
}

/* `code` at its entry. */
static inline void bzimage_image(uint8_t image[BZIMAGE_BYTES], const void *code, size_t bytes)
{
    memset(image, 0, BZIMAGE_BYTES);
    bzimage_put(image, 0x1f1, 1, 1); /* one sector of setup code behind the first */
    bzimage_put(image, 0x1f4, 4, BZIMAGE_KERNEL_BYTES / 16);
    bzimage_put(image, 0x1fe, 2, 0xaa55);
    bzimage_put(image, 0x200, 2, 0x6aeb);
    memcpy(image + 0x202, "HdrS", 4);
    bzimage_put(image, 0x206, 2, 0x20f);
    bzimage_put(image, 0x211, 1, 1);
    bzimage_put(image, 0x22c, 4, 0x7fffffff);
    bzimage_put(image, 0x236, 2, 1);
    bzimage_put(image, 0x238, 4, BZIMAGE_COMMAND_BYTES);
    bzimage_put(image, 0x258, 8, BZIMAGE_LOAD_AT);
    bzimage_put(image, 0x260, 4, BZIMAGE_MEMORY_BYTES);
    memcpy(image + BZIMAGE_SETUP_BYTES + 0x200, code, bytes);
}

#endif
