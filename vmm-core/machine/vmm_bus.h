/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who answers at which port and address. Two sorted arrays of ranges that never overlap, searched
 * by halves. An access that one range holds in full goes to it as it is; another one is taken apart
 * into bytes. Where nobody answers, reads give all ones and writes go nowhere, as on a PC. Pure:
 * the lock and the vCPUs are the caller's.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vmm_space { VMM_PORTS, VMM_MMIO };

struct vmm_range_ops {
    /* `bytes` (1, 2, 4 or 8) from `offset` in the range; little-endian in the value's low end. */
    uint64_t (*read)(void *dev, uint64_t offset, unsigned bytes);
    void (*write)(void *dev, uint64_t offset, unsigned bytes, uint64_t value);
};

struct vmm_bus;

/* An empty bus. NULL: out of memory. */
struct vmm_bus *vmm_bus_new(void);
void vmm_bus_free(struct vmm_bus *bus); /* NULL is allowed */

/*
 * `dev` answers at `first` and the `count` - 1 ports or bytes behind it. `ops` must live as long.
 * -EINVAL: empty, or beyond the end of the space (65536 ports); -EEXIST: another range is there;
 * -ENOMEM.
 */
int vmm_bus_add(struct vmm_bus *bus, enum vmm_space space, uint64_t first, uint64_t count,
                const struct vmm_range_ops *ops, void *dev);
/* Room for `more` ranges beside those of now: to add so many cannot fail with -ENOMEM. 0, -ENOMEM
 * or -EOVERFLOW. */
int vmm_bus_reserve(struct vmm_bus *bus, enum vmm_space space, size_t more);
/* The range that begins at `first` goes away; -ENOENT if there is none. */
int vmm_bus_remove(struct vmm_bus *bus, enum vmm_space space, uint64_t first);

/* One access of `bytes` (1, 2, 4 or 8) at `at`; one that runs over the end of the space is open bus
 * there. */
uint64_t vmm_bus_read(struct vmm_bus *bus, enum vmm_space space, uint64_t at, unsigned bytes);
void vmm_bus_write(struct vmm_bus *bus, enum vmm_space space, uint64_t at, unsigned bytes,
                   uint64_t value);
/*
 * KVM_EXIT_IO (KVM API 5): `count` times `bytes` (1, 2 or 4) at the same port, `data` going on from
 * one to the next (string instructions).
 */
void vmm_bus_port_io(struct vmm_bus *bus, uint16_t port, bool out, unsigned bytes, size_t count,
                     void *data);
/* KVM_EXIT_MMIO (KVM API 5): `bytes` from 1 to 8 of `data`. */
void vmm_bus_mmio(struct vmm_bus *bus, uint64_t at, bool write, unsigned bytes, uint8_t data[8]);

#endif
