/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cleanup attributes: a resource is let go where its name goes out of scope.
 *   hw_auto_free char *text = NULL;     hw_auto_close int fd = -1;
 * hw_take() hands such a value on, so that the scope no longer owns it.
 */
#ifndef HW_CLEANUP_H
#define HW_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* free() what a `hw_auto_free` pointer names. */
static inline void hw_cleanup_free(void *pointer)
{
    void *owned;

    memcpy(&owned, pointer, sizeof(owned)); /* the pointer's own type is not known here */
    free(owned);
}

/* close() a `hw_auto_close` descriptor unless it is negative; errno is kept. */
void hw_cleanup_close(const int *fd);

/* fclose() a `hw_auto_fclose` stream unless it is NULL. */
void hw_cleanup_fclose(FILE **stream);

#define hw_auto_free   __attribute__((cleanup(hw_cleanup_free)))
#define hw_auto_close  __attribute__((cleanup(hw_cleanup_close)))
#define hw_auto_fclose __attribute__((cleanup(hw_cleanup_fclose)))

/* Take a pointer out of its scope: its value, leaving NULL behind. */
#define hw_take(pointer)                           \
    __extension__({                                \
        __typeof__(pointer) hw_taken_ = (pointer); \
        (pointer) = NULL;                          \
        hw_taken_;                                 \
    })

/* Take a descriptor out of its scope: its value, leaving -1 behind. */
static inline int hw_take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

#endif
