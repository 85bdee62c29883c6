/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fuzz targets share: libFuzzer's entry, and a check that ends the run with a finding.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* One input of the fuzzer; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input. */
static inline void fuzz_require(bool holds)
{
    if (!holds)
        abort();
}

#endif
