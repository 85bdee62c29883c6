/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What both rings of the test guest compute with: no C library is there.
 */
#ifndef GUEST_BASE_H
#define GUEST_BASE_H

#include "tests/guest/guest.h"

/* The compiler calls these by itself, too (GCC, Standards). */
void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
bool same_text(const char *a, const char *b);

static inline uint64_t tsc_read(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return low | (uint64_t)high << 32;
}

/* a * b / c without an overflow in between; the result has to fit. */
static inline uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low, high;

    __asm__("mulq %3; divq %4" : "=&a"(low), "=&d"(high) : "0"(a), "r"(b), "r"(c) : "cc");
    return low;
}

/* All bits of the result depend on all of `x` (a finalizer: shifts and odd multipliers). */
static inline uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    x *= UINT64_C(0xd1342543de82ef95);
    return x ^ x >> 32;
}

static inline uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(*state);
}

/* What KVM's clock shows by the counter `tsc`, nanoseconds. */
static inline uint64_t kvm_clock_ns(const volatile struct kvm_clock *clock)
{
    uint64_t ns, delta;
    uint32_t version;

    do {
        version = clock->version & ~UINT32_C(1);
        __asm__ volatile("" : : : "memory");
        delta = tsc_read() - clock->tsc;
        delta = clock->shift >= 0 ? delta << clock->shift : delta >> -clock->shift;
        ns = clock->ns + scale(delta, clock->multiplier, UINT64_C(1) << 32);
        __asm__ volatile("" : : : "memory");
    } while (clock->version != version);
    return ns;
}

/* --- a line for whoever reads the serial port: "@guest EVENT key=value ..." --- */

enum { LINE_BYTES = 1024 };

struct line {
    char bytes[LINE_BYTES];
    unsigned count;
};

void line_begin(struct line *line, const char *event);
void line_number(struct line *line, const char *key, uint64_t value);
void line_hex(struct line *line, const char *key, uint64_t value);
void line_text(struct line *line, const char *key, const char *value);
/* Terminates it; more than fits was cut off. */
void line_end(struct line *line);

/* --- the words of a command: "name key=value ..." --- */

/* The value of `key`, up to a space, a semicolon or the end; NULL: not there. */
const char *word_value(const char *command, const char *key);
/* Decimal or 0x...; `otherwise` if it is not there or no number. */
uint64_t word_number(const char *command, const char *key, uint64_t otherwise);
bool word_is(const char *value, const char *text);

#endif
