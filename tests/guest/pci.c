/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0, and the program `pci` that shows what is on it. Directly booted there was no firmware
 * that placed any BAR: then they go from BARS_AT on, where neither memory nor interrupt controllers
 * are.
 */
#include "tests/guest/pci.h"

#include "tests/guest/call.h"
#include "tests/guest/program.h"

enum { ADDRESS_PORT = 0xcf8, DATA_PORT = 0xcfc, BAR_IO = 1, BAR_WIDE = 4, BAR_BITS = 15 };
#define ADDRESS_ON   UINT32_C(0x80000000)
#define BARS_AT      UINT32_C(0xe0000000)
#define BARS_END     UINT32_C(0xfe000000)
#define NOT_ASSIGNED UINT32_C(0)

static uint32_t next_bar = BARS_AT; /* the first processor's alone */

static void select(unsigned where, unsigned at)
{
    call_out(ADDRESS_PORT, 4, ADDRESS_ON | where << 8 | (at & 0xfc));
}

uint32_t pci_read(unsigned where, unsigned at, unsigned bytes)
{
    select(where, at);
    return call_in((uint16_t)(DATA_PORT + at % 4), bytes);
}

void pci_write(unsigned where, unsigned at, unsigned bytes, uint32_t value)
{
    select(where, at);
    call_out((uint16_t)(DATA_PORT + at % 4), bytes, value);
}

static bool is_there(unsigned where)
{
    if (where % 8 != 0 && (pci_read(where & ~7U, PCI_HEADER, 1) & 0x80) == 0)
        return false; /* the device has one function only */
    return pci_read(where, PCI_ID, 4) != UINT32_MAX;
}

unsigned pci_find(uint32_t id, unsigned n)
{
    for (unsigned where = 0; where < PCI_FUNCTIONS; where++)
        if (is_there(where) && pci_read(where, PCI_ID, 4) == id && n-- == 0)
            return where;
    return PCI_NONE;
}

unsigned pci_capability(unsigned where, unsigned kind, unsigned after)
{
    unsigned at = pci_read(where, after == 0 ? PCI_CAPABILITIES : after + 1, 1);

    for (unsigned turns = 0; at >= 0x40 && turns < 48; turns++) {
        if (pci_read(where, at, 1) == kind)
            return at;
        at = pci_read(where, at + 1, 1);
    }
    return 0;
}

/* A place of the size that the BAR has, aligned to it. */
static void place(unsigned where, unsigned at)
{
    uint32_t bytes;

    pci_write(where, at, 4, UINT32_MAX);
    bytes = ~(pci_read(where, at, 4) & ~(uint32_t)BAR_BITS) + 1;
    if (bytes == 0 || bytes > BARS_END - next_bar) {
        pci_write(where, at, 4, NOT_ASSIGNED);
        return;
    }
    next_bar = (next_bar + bytes - 1) & ~(bytes - 1);
    pci_write(where, at, 4, next_bar);
    next_bar += bytes;
}

uint64_t pci_bar(unsigned where, unsigned i)
{
    const unsigned at = PCI_BAR0 + i * 4;
    uint32_t low = pci_read(where, at, 4);
    uint64_t high = 0;

    if ((low & BAR_IO) != 0)
        return 0;
    if ((low & BAR_WIDE) != 0)
        high = pci_read(where, at + 4, 4);
    if ((low & ~(uint32_t)BAR_BITS) == NOT_ASSIGNED && high == 0) {
        place(where, at);
        low = pci_read(where, at, 4);
    }
    return high << 32 | (low & ~(uint32_t)BAR_BITS);
}

void pci_enable(unsigned where)
{
    pci_write(where, PCI_COMMAND, 2,
              pci_read(where, PCI_COMMAND, 2) | PCI_MEMORY | PCI_MASTER | PCI_INTX_OFF);
}

/* pci: a line each function */
void program_pci(const char *command)
{
    struct line line;

    (void)command;
    for (unsigned where = 0; where < PCI_FUNCTIONS; where++) {
        if (!is_there(where))
            continue;
        line_begin(&line, "pci");
        line_number(&line, "slot", where / 8);
        line_number(&line, "function", where % 8);
        line_hex(&line, "vendor", pci_read(where, PCI_ID, 2));
        line_hex(&line, "device", pci_read(where, PCI_ID + 2, 2));
        line_hex(&line, "class", pci_read(where, PCI_CLASS, 4) >> 8);
        line_number(&line, "pin", pci_read(where, PCI_PIN, 1));
        line_number(&line, "msix", pci_capability(where, PCI_CAPABILITY_MSIX, 0) != 0);
        say(&line);
    }
}
