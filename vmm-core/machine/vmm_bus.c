/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges, sorted by their first address. A range keeps its last address and not its end, so that
 * one may reach the very end of the space.
 */
#include "config.h"

#include "vmm-core/machine/vmm_bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_le.h"
#include "common/hw_vector.h"

enum { SPACES = 2, PORTS = 65536 };

struct range {
    uint64_t first, last;
    const struct vmm_range_ops *ops;
    void *dev;
};

struct vmm_bus {
    HW_VECTOR(struct range) ranges[SPACES];
};

struct vmm_bus *vmm_bus_new(void)
{
    return calloc(1, sizeof(struct vmm_bus));
}

void vmm_bus_free(struct vmm_bus *bus)
{
    if (bus == NULL)
        return;
    for (unsigned i = 0; i < SPACES; i++)
        hw_vector_free(&bus->ranges[i]);
    free(bus);
}

/* How many ranges begin at or below `at`. */
static size_t count_to(const struct vmm_bus *bus, enum vmm_space space, uint64_t at)
{
    size_t low = 0, high = bus->ranges[space].count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (bus->ranges[space].items[middle].first <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The range that holds all of first to last, or NULL. */
static const struct range *find(const struct vmm_bus *bus, enum vmm_space space, uint64_t first,
                                uint64_t last)
{
    const size_t below = count_to(bus, space, first);
    const struct range *range = below == 0 ? NULL : &bus->ranges[space].items[below - 1];

    return range != NULL && last <= range->last ? range : NULL;
}

int vmm_bus_add(struct vmm_bus *bus, enum vmm_space space, uint64_t first, uint64_t count,
                const struct vmm_range_ops *ops, void *dev)
{
    const struct range range = {
        .first = first, .last = first + (count - 1), .ops = ops, .dev = dev
    };
    const size_t at = count_to(bus, space, first);

    if (count == 0 || range.last < first || (space == VMM_PORTS && range.last >= PORTS))
        return -EINVAL;
    if ((at > 0 && bus->ranges[space].items[at - 1].last >= first) ||
        (at < bus->ranges[space].count && bus->ranges[space].items[at].first <= range.last))
        return -EEXIST;
    return hw_vector_insert(&bus->ranges[space], at, range);
}

int vmm_bus_reserve(struct vmm_bus *bus, enum vmm_space space, size_t more)
{
    return hw_vector_reserve(&bus->ranges[space], bus->ranges[space].count + more);
}

int vmm_bus_remove(struct vmm_bus *bus, enum vmm_space space, uint64_t first)
{
    const size_t below = count_to(bus, space, first);

    if (below == 0 || bus->ranges[space].items[below - 1].first != first)
        return -ENOENT;
    hw_vector_remove(&bus->ranges[space], below - 1);
    return 0;
}

static uint64_t ones(unsigned bytes)
{
    return bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (bytes * 8)) - 1;
}

uint64_t vmm_bus_read(struct vmm_bus *bus, enum vmm_space space, uint64_t at, unsigned bytes)
{
    const struct range *range = find(bus, space, at, at + (bytes - 1));
    uint64_t value = 0;

    if (range != NULL && at + (bytes - 1) >= at)
        return range->ops->read(range->dev, at - range->first, bytes) & ones(bytes);
    if (bytes == 1)
        return ones(1);
    for (unsigned i = 0; i < bytes; i++)
        value |= (at + i < at ? ones(1) : vmm_bus_read(bus, space, at + i, 1)) << (i * 8);
    return value;
}

void vmm_bus_write(struct vmm_bus *bus, enum vmm_space space, uint64_t at, unsigned bytes,
                   uint64_t value)
{
    const struct range *range = find(bus, space, at, at + (bytes - 1));

    if (range != NULL && at + (bytes - 1) >= at) {
        range->ops->write(range->dev, at - range->first, bytes, value & ones(bytes));
        return;
    }
    for (unsigned i = 0; bytes > 1 && i < bytes && at + i >= at; i++)
        vmm_bus_write(bus, space, at + i, 1, value >> (i * 8));
}

void vmm_bus_port_io(struct vmm_bus *bus, uint16_t port, bool out, unsigned bytes, size_t count,
                     void *data)
{
    uint8_t *at = data;

    for (size_t i = 0; i < count; i++, at += bytes) {
        if (out)
            vmm_bus_write(bus, VMM_PORTS, port, bytes, hw_le_load(at, bytes));
        else
            hw_le_store(at, bytes, vmm_bus_read(bus, VMM_PORTS, port, bytes));
    }
}

void vmm_bus_mmio(struct vmm_bus *bus, uint64_t at, bool write, unsigned bytes, uint8_t data[8])
{
    const unsigned step = (bytes & (bytes - 1)) == 0 ? bytes : 1; /* 3, 5, 6, 7: as bytes */

    for (unsigned i = 0; i < bytes; i += step) {
        if (write)
            vmm_bus_write(bus, VMM_MMIO, at + i, step, hw_le_load(data + i, step));
        else
            hw_le_store(data + i, step, vmm_bus_read(bus, VMM_MMIO, at + i, step));
    }
}
