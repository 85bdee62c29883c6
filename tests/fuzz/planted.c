/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target with a planted fault, one byte written past an array: the fuzz suite must find it, or
 * its silence about the others means nothing.
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    volatile uint8_t room[4] = { 0 };
    size_t length;

    if (size < 2 || data[0] != 'L')
        return 0;
    length = data[1] & 7;
    for (size_t i = 0; i < length; i++)
        room[i] = data[1];
    (void)room[0];
    return 0;
}
