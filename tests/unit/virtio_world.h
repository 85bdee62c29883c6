/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of virtio devices share: a PCI bus, guest memory, and a driver's way to the one device
 * in VIRTIO_SLOT. Queue i has its three parts from i * QUEUE_STEP on; what is from DATA on is free.
 */
#ifndef VIRTIO_WORLD_H
#define VIRTIO_WORLD_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/vhost/vh_proto.h"
#include "tests/unit/pci_world.h"
#include "vmm-core/virtio/vmm_virtio.h"

enum { VIRTIO_SLOT = 1, QUEUE_STEP = 4096, AVAIL = 1024, USED = 2048, DATA = 16384 };
enum { GUEST_BYTES = 65536, MESSAGES = 32 };
/* registers of the common configuration */
enum {
    DEVICE_SELECT = 0,
    DEVICE_FEATURES = 4,
    DRIVER_SELECT = 8,
    DRIVER_FEATURES = 12,
    CONFIG_VECTOR = 16,
    QUEUE_COUNT = 18,
    DEVICE_STATUS = 20,
    GENERATION = 21,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_VECTOR = 26,
    QUEUE_ENABLE = 28,
    NOTIFY_OFF = 30,
    QUEUE_PARTS = 32,
    QUEUE_RESET = 58,
};
enum { ISR_PAGE = 4096, CONFIG_PAGE = 8192, NOTIFY_PAGE = 12288 };
enum { MSIX_AT = 0x98, NEEDS_RESET = 64, VIRTIO_OK = 15 };
#define BAR       UINT32_C(0xfe000000)
#define MSIX_BAR  UINT32_C(0xfe010000)
#define VERSION_1 (UINT64_C(1) << 32)
#define INDIRECT  (UINT64_C(1) << 28)
#define RESETS    (UINT64_C(1) << 40)

struct virtio_world {
    struct vmm_bus *bus;
    struct vmm_dev pci_dev, dev, msix;
    struct vmm_pci *pci;
    uint8_t *memory;
    int memory_fd;
    struct vh_mem *mem;
    unsigned pirqs, count;
    uint32_t messages[MESSAGES];
};

/* The bus's callback: keeps the message's data. */
static inline void virtio_send_msi(void *context, uint64_t address, uint32_t data)
{
    struct virtio_world *world = context;

    (void)address;
    CU_ASSERT_FATAL(world->count < MESSAGES);
    world->messages[world->count++] = data;
}

/* The bus's callback: nobody resets. */
static inline void virtio_no_reset(void *context)
{
    (void)context;
}

/* The bus's router: keeps which are active. */
static inline void virtio_set_pirq(void *context, unsigned pirq, bool active)
{
    struct virtio_world *world = context;

    world->pirqs = (world->pirqs & ~(1U << pirq)) | (unsigned)active << pirq;
}

/* Bus and memory, no device yet. */
static inline void virtio_world_begin(struct virtio_world *world)
{
    const struct vmm_pci_callbacks callbacks = { virtio_send_msi, virtio_no_reset, world };
    const struct vh_region region = { .bytes = GUEST_BYTES };
    const int fd = memfd_create("guest", MFD_CLOEXEC);
    void *memory;

    CU_ASSERT_TRUE_FATAL(fd >= 0 && ftruncate(fd, GUEST_BYTES) == 0);
    memory = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CU_ASSERT_PTR_NOT_EQUAL_FATAL(memory, MAP_FAILED);
    *world = (struct virtio_world) { .bus = vmm_bus_new(), .memory = memory, .memory_fd = fd };
    CU_ASSERT_EQUAL_FATAL(vmm_pci_new(world->bus, &callbacks, &world->pci_dev, &world->pci), 0);
    vmm_pci_set_router(world->pci, virtio_set_pirq, world);
    CU_ASSERT_EQUAL_FATAL(vh_mem_over(&region, &memory, 1, &world->mem), 0);
}

/* The device ends before. */
static inline void virtio_world_end(struct virtio_world *world)
{
    world->pci_dev.ops->fini(world->pci_dev.dev);
    vmm_bus_free(world->bus);
    vh_mem_unref(world->mem);
    CU_ASSERT_EQUAL(munmap(world->memory, GUEST_BYTES), 0);
    CU_ASSERT_EQUAL(close(world->memory_fd), 0);
}

/* A register of the BAR. */
static inline uint64_t reg(const struct virtio_world *world, unsigned at, unsigned bytes)
{
    return vmm_bus_read(world->bus, VMM_MMIO, BAR + at, bytes);
}

/* Write it. */
static inline void set(const struct virtio_world *world, unsigned at, unsigned bytes,
                       uint64_t value)
{
    vmm_bus_write(world->bus, VMM_MMIO, BAR + at, bytes, value);
}

/* As firmware does: BARs, memory and bus master. */
static inline void virtio_map(const struct virtio_world *world)
{
    pci_write(world->bus, VIRTIO_SLOT, 0, VMM_PCI_BAR0, 4, BAR);
    pci_write(world->bus, VIRTIO_SLOT, 0, VMM_PCI_BAR0 + 4, 4, MSIX_BAR);
    pci_write(world->bus, VIRTIO_SLOT, 0, VMM_PCI_COMMAND, 2, VMM_PCI_MEMORY | VMM_PCI_MASTER);
}

/* The driver's features. */
static inline void virtio_accept(const struct virtio_world *world, uint64_t features)
{
    for (unsigned half = 0; half < 2; half++) {
        set(world, DRIVER_SELECT, 4, half);
        set(world, DRIVER_FEATURES, 4, features >> (half * 32) & UINT32_MAX);
    }
}

/* Queue `i`, of `size`, in its place. */
static inline void virtio_queue(const struct virtio_world *world, unsigned i, unsigned size)
{
    set(world, QUEUE_SELECT, 2, i);
    set(world, QUEUE_SIZE, 2, size);
    set(world, QUEUE_PARTS, 8, i * QUEUE_STEP);
    set(world, QUEUE_PARTS + 8, 8, i * QUEUE_STEP + AVAIL);
    set(world, QUEUE_PARTS + 16, 8, i * QUEUE_STEP + USED);
    set(world, QUEUE_ENABLE, 2, 1);
}

/* As a driver does (virtio 1.2 3.1.1), with the first `queues`, each of `size`. */
static inline void virtio_drive(const struct virtio_world *world, uint64_t features,
                                unsigned queues, unsigned size)
{
    virtio_map(world);
    set(world, DEVICE_STATUS, 1, 0);
    set(world, DEVICE_STATUS, 1, 1);
    set(world, DEVICE_STATUS, 1, 3);
    virtio_accept(world, features);
    set(world, DEVICE_STATUS, 1, 11);
    for (unsigned i = 0; i < queues; i++)
        virtio_queue(world, i, size);
    set(world, DEVICE_STATUS, 1, VIRTIO_OK);
}

/* 2 bytes of guest memory. */
static inline uint16_t word(const struct virtio_world *world, unsigned at)
{
    return (uint16_t)(world->memory[at] | world->memory[at + 1] << 8);
}

/* Write them. */
static inline void set_word(const struct virtio_world *world, unsigned at, unsigned value)
{
    world->memory[at] = (uint8_t)value;
    world->memory[at + 1] = (uint8_t)(value >> 8);
}

/* Descriptor `i` of the table at `table`. */
static inline void descriptor(const struct virtio_world *world, unsigned table, unsigned i,
                              const struct vh_desc *desc)
{
    memcpy(world->memory + table + i * sizeof(*desc), desc, sizeof(*desc));
}

/* Make the chain at `head` available in queue `i` of `size`, and tell nobody. */
static inline void offer(const struct virtio_world *world, unsigned i, unsigned size, unsigned head)
{
    const unsigned avail = i * QUEUE_STEP + AVAIL, index = word(world, avail + 2);

    set_word(world, avail + 4 + index % size * 2, head);
    set_word(world, avail + 2, index + 1);
}

/* Tell of queue `i`. */
static inline void kick(const struct virtio_world *world, unsigned i)
{
    set(world, NOTIFY_PAGE + i * 4, 2, i);
}

/* Switch MSI-X on; every vector sends its number. */
static inline void virtio_use_vectors(const struct virtio_world *world, unsigned vectors)
{
    for (unsigned i = 0; i < vectors; i++) {
        vmm_bus_write(world->bus, VMM_MMIO, MSIX_BAR + i * 16, 8, 0xfee00000);
        vmm_bus_write(world->bus, VMM_MMIO, MSIX_BAR + i * 16 + 8, 8, i);
    }
    pci_write(world->bus, VIRTIO_SLOT, 0, MSIX_AT + 2, 2, 0x8000);
}

#endif
