/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X. The table is kept as the bytes that the guest sees; of a vector's control word only the
 * mask bit can be written. No vector is both pending and free to be sent for longer than one
 * access.
 */
#include "config.h"

#include "vmm-core/machine/vmm_msix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_le.h"
#include "vmm-core/machine/vmm_dev_ids.h"

/* the capability (6.8.2): message control, table, PBA */
enum { CAPABILITY_ID = 0x11, CAPABILITY_BYTES = 12, CONTROL = 2, TABLE = 4, PENDING = 8 };
enum { CONTROL_ENABLE = 0x80, CONTROL_MASK = 0x40 }; /* in its high byte */
/* an entry of the table (6.8.2.6): message address, upper address, data, vector control */
enum { ENTRY_BYTES = 16, ENTRY_DATA = 8, ENTRY_CONTROL = 12, ENTRY_MASKED = 1 };
enum { PENDING_BYTES = VMM_MSIX_VECTORS / 8 };

struct vmm_msix {
    struct vmm_pci_function *function;
    unsigned vectors;
    unsigned capability; /* where it is in the configuration space */
    uint8_t table[VMM_MSIX_VECTORS * ENTRY_BYTES];
    uint8_t pending[PENDING_BYTES];
    void (*watcher)(void *dev);
    void *dev;
};

/* --- sending --- */

static uint8_t control(const struct vmm_msix *msix)
{
    return msix->function->config[msix->capability + CONTROL + 1];
}

bool vmm_msix_enabled(const struct vmm_msix *msix)
{
    return (control(msix) & CONTROL_ENABLE) != 0;
}

bool vmm_msix_message(const struct vmm_msix *msix, unsigned vector, uint64_t *ret_address,
                      uint32_t *ret_data)
{
    const uint8_t *entry = msix->table + (size_t)vector * ENTRY_BYTES;

    if (vector >= msix->vectors ||
        (control(msix) & (CONTROL_ENABLE | CONTROL_MASK)) != CONTROL_ENABLE ||
        (entry[ENTRY_CONTROL] & ENTRY_MASKED) != 0 || !vmm_pci_may(msix->function, VMM_PCI_MASTER))
        return false;
    *ret_address = hw_le_load(entry, 8);
    *ret_data = (uint32_t)hw_le_load(entry + ENTRY_DATA, 4);
    return true;
}

static bool send(struct vmm_msix *msix, unsigned vector)
{
    uint64_t address;
    uint32_t data;

    return vmm_msix_message(msix, vector, &address, &data) &&
           vmm_pci_send_msi(msix->function, address, data);
}

void vmm_msix_watch(struct vmm_msix *msix, void (*changed)(void *dev), void *dev)
{
    msix->watcher = changed;
    msix->dev = dev;
}

static void tell(const struct vmm_msix *msix)
{
    if (msix->watcher != NULL)
        msix->watcher(msix->dev);
}

void vmm_msix_raise(struct vmm_msix *msix, unsigned vector)
{
    if (vector < msix->vectors && vmm_msix_enabled(msix) && !send(msix, vector))
        msix->pending[vector / 8] |= (uint8_t)(1U << vector % 8);
}

/* Those that waited and can be sent now. */
static void send_pending(struct vmm_msix *msix)
{
    for (unsigned vector = 0; vector < msix->vectors; vector++) {
        const uint8_t bit = (uint8_t)(1U << vector % 8);

        if ((msix->pending[vector / 8] & bit) != 0 && send(msix, vector))
            msix->pending[vector / 8] &= (uint8_t)~bit;
    }
}

void vmm_msix_changed(struct vmm_msix *msix)
{
    send_pending(msix);
}

/* --- the BAR --- */

static uint8_t read_byte(const struct vmm_msix *msix, uint64_t at)
{
    if (at < (uint64_t)msix->vectors * ENTRY_BYTES)
        return msix->table[at];
    if (at >= VMM_MSIX_PENDING_AT && at < VMM_MSIX_PENDING_AT + PENDING_BYTES)
        return msix->pending[at - VMM_MSIX_PENDING_AT];
    return 0; /* reserved (6.8.2) */
}

static void write_byte(struct vmm_msix *msix, uint64_t at, uint8_t value)
{
    const unsigned field = at % ENTRY_BYTES;

    if (at >= (uint64_t)msix->vectors * ENTRY_BYTES || field > ENTRY_CONTROL)
        return;
    msix->table[at] = field == ENTRY_CONTROL ? value & ENTRY_MASKED : value;
}

static uint64_t bar_read(void *dev, uint64_t offset, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)read_byte(dev, offset + i) << (i * 8);
    return value;
}

static void bar_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        write_byte(dev, offset + i, (uint8_t)(value >> (i * 8)));
    send_pending(dev);
    tell(dev);
}

static const struct vmm_range_ops bar_ops = { bar_read, bar_write };

/* --- for the machine --- */

/* 6.8.2.9: every vector is masked. */
static void msix_reset(void *dev)
{
    struct vmm_msix *msix = dev;

    memset(msix->table, 0, sizeof(msix->table));
    memset(msix->pending, 0, sizeof(msix->pending));
    for (unsigned vector = 0; vector < msix->vectors; vector++)
        msix->table[vector * ENTRY_BYTES + ENTRY_CONTROL] = ENTRY_MASKED;
    tell(msix);
}

/* A state that was loaded may hold what can be sent; its function's is loaded too by now. */
static void msix_resume(void *dev)
{
    send_pending(dev);
    tell(dev);
}

static bool is_table(const struct vmm_msix *msix)
{
    for (unsigned vector = 0; vector < msix->vectors; vector++) {
        const uint64_t word = hw_le_load(msix->table + vector * ENTRY_BYTES + ENTRY_CONTROL, 4);

        if ((word & ~(uint64_t)ENTRY_MASKED) != 0)
            return false;
    }
    return true;
}

/* No bit of a vector that there is not. */
static bool is_pending(const struct vmm_msix *msix)
{
    for (unsigned vector = msix->vectors; vector < VMM_MSIX_VECTORS; vector++)
        if ((msix->pending[vector / 8] >> vector % 8 & 1) != 0)
            return false;
    return true;
}

static void msix_state(void *dev, struct vmm_state *state)
{
    struct vmm_msix *msix = dev;
    uint16_t vectors = (uint16_t)msix->vectors;

    vmm_state_u16(state, &vectors);
    vmm_state_require(state, vectors == msix->vectors);
    vmm_state_bytes(state, msix->table, (size_t)msix->vectors * ENTRY_BYTES);
    vmm_state_bytes(state, msix->pending, sizeof(msix->pending));
    vmm_state_require(state, is_table(msix) && is_pending(msix));
    if (state->loading && (state->wrong || !is_table(msix) || !is_pending(msix)))
        msix_reset(msix);
}

static void msix_fini(void *dev)
{
    free(dev);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "MSI-X",
    .id = VMM_DEV_MSIX,
    .version = 1,
    .reset = msix_reset,
    .resume = msix_resume,
    .state = msix_state,
    .fini = msix_fini,
};

static int describe(struct vmm_msix *msix, unsigned bar)
{
    struct vmm_pci_function *function = msix->function;
    int at = vmm_pci_add_bar(function, bar, VMM_PCI_BAR_MEMORY, VMM_MSIX_BAR_BYTES, &bar_ops, msix);

    if (at == 0)
        at = vmm_pci_add_capability(function, CAPABILITY_ID, CAPABILITY_BYTES);
    if (at < 0)
        return at;
    msix->capability = (unsigned)at;
    function->config[at + CONTROL] = (uint8_t)(msix->vectors - 1); /* 128 at most: one byte */
    function->writable[at + CONTROL + 1] = CONTROL_ENABLE | CONTROL_MASK;
    hw_le_store(function->config + at + TABLE, 4, bar);
    hw_le_store(function->config + at + PENDING, 4, VMM_MSIX_PENDING_AT | bar);
    return 0;
}

int vmm_msix_new(struct vmm_pci_function *function, unsigned bar, unsigned vectors,
                 struct vmm_dev *ret_dev, struct vmm_msix **ret_msix)
{
    struct vmm_msix *msix;
    int rc;

    if (vectors == 0 || vectors > VMM_MSIX_VECTORS)
        return -EINVAL;
    msix = calloc(1, sizeof(*msix));
    if (msix == NULL)
        return -ENOMEM;
    msix->function = function;
    msix->vectors = vectors;
    rc = describe(msix, bar);
    if (rc < 0) {
        free(msix);
        return rc;
    }
    msix_reset(msix);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = msix };
    *ret_msix = msix;
    return 0;
}
