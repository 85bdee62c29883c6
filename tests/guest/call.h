/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls of the test guest, for ring 3.
 */
#ifndef GUEST_CALL_H
#define GUEST_CALL_H

#include "tests/guest/guest.h"

enum call {
    CALL_IN,    /* port, bytes */
    CALL_OUT,   /* port, bytes, value */
    CALL_WRITE, /* to the serial port: bytes, count */
    CALL_READ,  /* a byte of the serial port; UINT64_MAX: none */
    CALL_WAIT,  /* counter, value, until: wait for an interrupt while it has this value */
    CALL_WAKE,  /* processor: interrupt it */
    CALL_TSC,   /* the time stamp counter as ring 0 sees it */
    CALL_TRIPLE_FAULT,
    CALL_EXIT,
};

static inline uint64_t call_kernel(enum call number, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t result = number;

    __asm__ volatile("ud2"
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c)
                     :
                     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    return result;
}

static inline uint32_t call_in(uint16_t port, unsigned bytes)
{
    return (uint32_t)call_kernel(CALL_IN, port, bytes, 0);
}

static inline void call_out(uint16_t port, unsigned bytes, uint32_t value)
{
    (void)call_kernel(CALL_OUT, port, bytes, value);
}

/* Until an interrupt comes, or the counter `until_tsc` is reached (0: never); at once if *counter
 * is not `seen` any more. May come back early. */
static inline void call_wait(const volatile uint32_t *counter, uint32_t seen, uint64_t until_tsc)
{
    (void)call_kernel(CALL_WAIT, (uint64_t)counter, seen, until_tsc);
}

#endif
