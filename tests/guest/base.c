/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes, lines and words of the test guest. Touches nothing but what it is given.
 */
#include "tests/guest/base.h"

void *memcpy(void *to, const void *from, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(byte) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < bytes; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *x = to;
    const uint8_t *y = from;

    if (x <= y)
        return memcpy(to, from, bytes);
    while (bytes-- > 0)
        *(volatile uint8_t *)(x + bytes) = y[bytes]; /* volatile: no call of itself */
    return to;
}

bool same_text(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* --- lines --- */

static void put(struct line *line, const char *text)
{
    while (*text != '\0' && line->count < LINE_BYTES - 2) /* a new line and the end fit behind */
        line->bytes[line->count++] = *text++;
}

static void key_of(struct line *line, const char *key)
{
    put(line, " ");
    put(line, key);
    put(line, "=");
}

void line_begin(struct line *line, const char *event)
{
    line->count = 0;
    put(line, "@guest ");
    put(line, event);
}

void line_number(struct line *line, const char *key, uint64_t value)
{
    char digits[21];
    unsigned at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    key_of(line, key);
    put(line, digits + at);
}

void line_hex(struct line *line, const char *key, uint64_t value)
{
    char digits[17];
    unsigned at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[value % 16];
        value /= 16;
    } while (value > 0);
    key_of(line, key);
    put(line, "0x");
    put(line, digits + at);
}

void line_text(struct line *line, const char *key, const char *value)
{
    key_of(line, key);
    put(line, value);
}

void line_end(struct line *line)
{
    line->bytes[line->count++] = '\n';
    line->bytes[line->count] = '\0';
}

/* --- words --- */

static bool ends_word(char c)
{
    return c == '\0' || c == ' ' || c == ';';
}

const char *word_value(const char *command, const char *key)
{
    const char *at = command;

    for (;;) {
        const char *k = key;

        while (*k != '\0' && *at == *k) {
            at++;
            k++;
        }
        if (*k == '\0' && *at == '=')
            return at + 1;
        while (!ends_word(*at))
            at++;
        if (*at != ' ')
            return NULL;
        at++;
    }
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint64_t word_number(const char *command, const char *key, uint64_t otherwise)
{
    const char *at = word_value(command, key);
    unsigned base = 10;
    uint64_t value = 0;

    if (at == NULL || ends_word(*at))
        return otherwise;
    if (at[0] == '0' && at[1] == 'x') {
        base = 16;
        at += 2;
    }
    for (; !ends_word(*at); at++) {
        const int digit = digit_of(*at);

        if (digit < 0 || digit >= (int)base)
            return otherwise;
        value = value * base + (unsigned)digit;
    }
    return value;
}

bool word_is(const char *value, const char *text)
{
    if (value == NULL)
        return false;
    while (*text != '\0' && *value == *text) {
        value++;
        text++;
    }
    return *text == '\0' && ends_word(*value);
}
