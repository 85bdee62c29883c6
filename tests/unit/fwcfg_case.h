/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A firmware configuration device and a little guest memory, for the tests of it.
 */
#ifndef FWCFG_CASE_H
#define FWCFG_CASE_H

#include "vmm-core/machine/vmm_fwcfg.h"

enum { MEMORY_BYTES = 8192, STATE_BYTES = 8192, HIGH_BYTES = 2 << 20 };
#define HIGH_AT UINT64_C(0x100000000) /* there is more memory */

struct world {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    struct vmm_fwcfg *fwcfg;
    uint8_t memory[MEMORY_BYTES];
};

extern struct world w;

int make(void); /* the device; 0 or -errno */
void begin(void);
void end(void); /* it leaves its ports */
void choose(uint16_t key);
uint8_t next(void); /* a byte of the data port */
/* Whether the item is just these bytes, and zeroes behind them. */
bool holds(uint16_t key, const void *bytes, size_t count);
/* The number of a file, from the directory; 0: there is none. */
uint16_t find_file(const char *name, uint32_t *ret_bytes);
/* An order at 0 of memory; returns what it is answered. */
uint32_t order(uint32_t control, uint32_t count, uint64_t guest_at);
size_t save(uint8_t bytes[STATE_BYTES]);
int load(const uint8_t *bytes, size_t size);

#endif
