/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0 of the test guest's machine (PCI Local Bus Specification 3.0), by configuration
 * mechanism 1. Ring 3.
 */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include "tests/guest/guest.h"

enum { PCI_FUNCTIONS = 256, PCI_NONE = 0xffff, PCI_BARS = 6 };

/* Registers of the configuration space (6.1). */
enum {
    PCI_ID = 0x00,
    PCI_COMMAND = 0x04,
    PCI_CLASS = 0x08,
    PCI_HEADER = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_CAPABILITIES = 0x34,
    PCI_PIN = 0x3d,
};
enum { PCI_MEMORY = 2, PCI_MASTER = 4, PCI_INTX_OFF = 0x400 };
enum { PCI_CAPABILITY_VENDOR = 9, PCI_CAPABILITY_MSIX = 17 };

/* `where` is slot * 8 + function; `bytes` 1, 2 or 4, not across a word of 4. */
uint32_t pci_read(unsigned where, unsigned at, unsigned bytes);
void pci_write(unsigned where, unsigned at, unsigned bytes, uint32_t value);
/* The n-th function (from 0) with this ID, the device in the high half; PCI_NONE: not there. */
unsigned pci_find(uint32_t id, unsigned n);
/* The next capability of this kind behind `after` (0: the first); 0: none. */
unsigned pci_capability(unsigned where, unsigned kind, unsigned after);
/* Where the memory of BAR `i` is; one that no firmware has placed is placed. 0: none there. */
uint64_t pci_bar(unsigned where, unsigned i);
/* It may answer there, reach memory, and send messages. */
void pci_enable(unsigned where);

#endif
