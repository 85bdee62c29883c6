/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_bus: who answers where, and what happens at the edges.
 */
#include <config.h>

#include "vmm-core/machine/vmm_bus.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

/* A device that keeps what is written to it, byte by byte, and counts. */
struct store {
    uint8_t bytes[64];
    unsigned reads, writes;
    uint64_t offset;
    unsigned width;
};

static uint64_t store_read(void *dev, uint64_t offset, unsigned bytes)
{
    struct store *store = dev;
    uint64_t value = UINT64_MAX << 32; /* more than was asked for */

    store->reads++;
    store->offset = offset;
    store->width = bytes;
    memcpy(&value, store->bytes + offset % 64, bytes);
    return value;
}

static void store_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct store *store = dev;

    store->writes++;
    store->offset = offset;
    store->width = bytes;
    CU_ASSERT_TRUE(bytes == 8 || value >> (bytes * 8) == 0);
    memcpy(store->bytes + offset % 64, &value, bytes);
}

static const struct vmm_range_ops ops = { store_read, store_write };

static void finds_the_right_one(void)
{
    struct vmm_bus *bus = vmm_bus_new();
    struct store stores[4] = { 0 };

    CU_ASSERT_PTR_NOT_NULL_FATAL(bus);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x60, 1, &ops, &stores[0]), 0);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x3f8, 8, &ops, &stores[1]), 0);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x64, 1, &ops, &stores[2]), 0);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_MMIO, 0x60, 16, &ops, &stores[3]), 0);
    vmm_bus_write(bus, VMM_PORTS, 0x3ff, 1, 0x1234);
    CU_ASSERT_EQUAL(stores[1].offset, 7);
    CU_ASSERT_EQUAL(stores[1].bytes[7], 0x34);
    vmm_bus_write(bus, VMM_PORTS, 0x64, 1, 0xfe);
    CU_ASSERT_EQUAL(stores[2].bytes[0], 0xfe);
    CU_ASSERT_EQUAL(vmm_bus_read(bus, VMM_PORTS, 0x64, 1), 0xfe);
    vmm_bus_write(bus, VMM_MMIO, 0x68, 8, 0x1122334455667788);
    CU_ASSERT_EQUAL(stores[3].width, 8);
    CU_ASSERT_EQUAL(vmm_bus_read(bus, VMM_MMIO, 0x68, 4), 0x55667788);
    CU_ASSERT_EQUAL(stores[0].reads + stores[0].writes, 0);
    vmm_bus_free(bus);
    vmm_bus_free(NULL);
}

static void is_open_where_nobody_answers(void)
{
    struct vmm_bus *bus = vmm_bus_new();
    struct store store = { .bytes = { 0x11 } };

    CU_ASSERT_EQUAL(vmm_bus_read(bus, VMM_PORTS, 0x80, 1), 0xff);
    CU_ASSERT_EQUAL(vmm_bus_read(bus, VMM_MMIO, 0xfffffffffffffffe, 4), 0xffffffff);
    CU_ASSERT_EQUAL(vmm_bus_read(bus, VMM_MMIO, 0, 8), UINT64_MAX);
    vmm_bus_write(bus, VMM_MMIO, 0xfffffffffffffffe, 4, 0);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x60, 1, &ops, &store), 0);
    CU_ASSERT_EQUAL(vmm_bus_read(bus, VMM_PORTS, 0x5f, 4), 0xffff11ff); /* by bytes */
    vmm_bus_write(bus, VMM_PORTS, 0x5f, 2, 0xaabb);
    CU_ASSERT_EQUAL(store.bytes[0], 0xaa);
    CU_ASSERT_EQUAL(store.width, 1);
    vmm_bus_free(bus);
}

static void refuses_what_overlaps(void)
{
    struct vmm_bus *bus = vmm_bus_new();
    struct store store = { 0 };

    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0, 0, &ops, &store), -EINVAL);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0xffff, 2, &ops, &store), -EINVAL);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_MMIO, UINT64_MAX, 2, &ops, &store), -EINVAL);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_MMIO, UINT64_MAX, 1, &ops, &store), 0);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x100, 16, &ops, &store), 0);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0xff, 2, &ops, &store), -EEXIST);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x10f, 1, &ops, &store), -EEXIST);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x100, 1, &ops, &store), -EEXIST);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0xf0, 64, &ops, &store), -EEXIST);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x110, 1, &ops, &store), 0);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0xff, 1, &ops, &store), 0);
    CU_ASSERT_EQUAL(vmm_bus_remove(bus, VMM_PORTS, 0x101), -ENOENT);
    CU_ASSERT_EQUAL(vmm_bus_remove(bus, VMM_PORTS, 0x100), 0);
    CU_ASSERT_EQUAL(vmm_bus_read(bus, VMM_PORTS, 0x100, 1), 0xff);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x100, 16, &ops, &store), 0);
    vmm_bus_free(bus);
}

/* Of string instructions, and of what KVM gives in eight bytes. */
static void takes_accesses_as_kvm_gives_them(void)
{
    struct vmm_bus *bus = vmm_bus_new();
    struct store store = { 0 };
    uint8_t string[6] = { 1, 2, 3, 4, 5, 6 }, data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, 0x510, 2, &ops, &store), 0);
    CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_MMIO, 0x1000, 64, &ops, &store), 0);
    vmm_bus_port_io(bus, 0x510, true, 2, 3, string);
    CU_ASSERT_EQUAL(store.writes, 3);
    CU_ASSERT_EQUAL(store.offset, 0); /* the same port each time */
    CU_ASSERT_EQUAL(store.bytes[0], 5);
    CU_ASSERT_EQUAL(store.bytes[1], 6);
    vmm_bus_port_io(bus, 0x510, false, 1, 6, string);
    CU_ASSERT_EQUAL(store.reads, 6);
    CU_ASSERT_EQUAL(string[5], 5);
    vmm_bus_mmio(bus, 0x1008, true, 8, data);
    CU_ASSERT_EQUAL(store.bytes[15], 8);
    vmm_bus_mmio(bus, 0x1010, true, 3, data);
    CU_ASSERT_EQUAL(store.bytes[0x12], 3);
    CU_ASSERT_EQUAL(store.bytes[0x13], 0);
    memset(data, 0, sizeof(data));
    vmm_bus_mmio(bus, 0x1008, false, 5, data);
    CU_ASSERT_EQUAL(data[4], 5);
    CU_ASSERT_EQUAL(data[5], 0);
    vmm_bus_free(bus);
}

static void without_memory(void)
{
    struct store store = { 0 };

    for (unsigned n = 0;; n++) {
        struct vmm_bus *bus;
        int rc = -ENOMEM;

        fail_alloc_arm(n);
        bus = vmm_bus_new();
        if (bus != NULL)
            rc = vmm_bus_add(bus, VMM_PORTS, 0x60, 1, &ops, &store);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            vmm_bus_free(bus);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        vmm_bus_free(bus);
    }
}

/* Room that was reserved is there when there is no memory. */
static void reserves_room(void)
{
    struct vmm_bus *bus = vmm_bus_new();
    struct store store = { 0 };

    for (unsigned i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, i, 1, &ops, &store), 0);
    fail_alloc_arm(0);
    CU_ASSERT_EQUAL(vmm_bus_reserve(bus, VMM_PORTS, 100), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
    CU_ASSERT_EQUAL(vmm_bus_reserve(bus, VMM_PORTS, 100), 0);
    fail_alloc_arm(0);
    for (unsigned i = 10; i < 110; i++)
        CU_ASSERT_EQUAL(vmm_bus_add(bus, VMM_PORTS, i, 1, &ops, &store), 0);
    CU_ASSERT_FALSE(fail_alloc_disarm());
    vmm_bus_free(bus);
}

const struct unit_case unit_cases[] = {
    { "the right one answers", finds_the_right_one },
    { "open bus", is_open_where_nobody_answers },
    { "ranges that overlap", refuses_what_overlaps },
    { "string instructions and odd sizes", takes_accesses_as_kvm_gives_them },
    { "without memory", without_memory },
    { "reserves room", reserves_room },
    { 0 },
};
