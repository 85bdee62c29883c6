/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fuzzed virtio devices stand on: a PCI bus that nobody listens to, and guest memory in two
 * pieces that adjoin for the guest only.
 */
#ifndef FUZZ_GUEST_BUS_H
#define FUZZ_GUEST_BUS_H

#include <stdlib.h>

#include "storage/vhost/vh_mem.h"
#include "tests/fuzz/fuzz.h"
#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_pci.h"

enum { PIECES = 2 };

struct guest_bus {
    struct vmm_bus *bus;
    struct vmm_dev pci_dev;
    struct vmm_pci *pci;
    size_t piece_bytes;
    void *memory[PIECES];
    struct vh_mem *mem;
};

/* The bus's callback. */
static inline void guest_no_msi(void *context, uint64_t address, uint32_t data)
{
    (void)context;
    (void)address;
    (void)data;
}

/* Likewise. */
static inline void guest_no_reset(void *context)
{
    (void)context;
}

/* Both pieces are zeroes. */
static inline void guest_begin(struct guest_bus *guest, size_t piece_bytes)
{
    const struct vmm_pci_callbacks callbacks = { guest_no_msi, guest_no_reset, NULL };
    struct vh_region regions[PIECES];

    guest->piece_bytes = piece_bytes;
    for (unsigned i = 0; i < PIECES; i++) {
        regions[i] = (struct vh_region) { .guest_addr = i * piece_bytes,
                                          .bytes = piece_bytes,
                                          .user_addr = i * piece_bytes };
        guest->memory[i] = calloc(1, piece_bytes);
    }
    guest->bus = vmm_bus_new();
    fuzz_require(vh_mem_over(regions, guest->memory, PIECES, &guest->mem) == 0);
    fuzz_require(vmm_pci_new(guest->bus, &callbacks, &guest->pci_dev, &guest->pci) == 0);
}

/* Behind the devices on it. */
static inline void guest_end(struct guest_bus *guest)
{
    guest->pci_dev.ops->fini(guest->pci_dev.dev);
    vmm_bus_free(guest->bus);
    vh_mem_unref(guest->mem);
    for (unsigned i = 0; i < PIECES; i++)
        free(guest->memory[i]);
}

/* These bytes are the guest's, in one piece of its memory. */
static inline void guest_check(const struct guest_bus *guest, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    bool inside = count == 0;

    for (unsigned i = 0; i < PIECES; i++) {
        const uint8_t *first = guest->memory[i];

        inside = inside || (at >= first && at < first + guest->piece_bytes &&
                            count <= (size_t)(first + guest->piece_bytes - at));
    }
    fuzz_require(inside);
}

#endif
