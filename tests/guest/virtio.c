/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver's side of virtio over PCI. What the device says of itself is judged: it is what is
 * under test.
 */
#include "tests/guest/virtio.h"

#include "tests/guest/call.h"
#include "tests/guest/pci.h"
#include "tests/guest/program.h"

/* Structures in BARs (4.1.4). */
enum { CAPABILITY_COMMON = 1, CAPABILITY_NOTIFY = 2, CAPABILITY_DEVICE = 4 };

/* The common one (4.1.4.3). */
enum {
    DEVICE_FEATURE_SELECT = 0x00,
    DEVICE_FEATURE = 0x04,
    DRIVER_FEATURE_SELECT = 0x08,
    DRIVER_FEATURE = 0x0c,
    CONFIG_VECTOR = 0x10,
    QUEUE_COUNT = 0x12,
    STATUS = 0x14,
    QUEUE_SELECT = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_VECTOR = 0x1a,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY = 0x1e,
    QUEUE_DESCRIPTORS = 0x20,
    QUEUE_DRIVER = 0x28,
    QUEUE_DEVICE = 0x30,
};

enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
enum { HAS_NEXT = 1, DEVICE_WRITES = 2, IS_TABLE = 4 };
enum { NO_VECTOR = 0xffff, NO_INTERRUPT = 1, MSIX_ENABLE = 0x80, LATE_US = 1000000 };
#define MODERN_DEVICE UINT32_C(0x1040)
#define VENDOR        UINT32_C(0x1af4)
#define APIC_ADDRESS  UINT32_C(0xfee00000)

/* --- registers; each with the width that it has (4.1.3.1) --- */

static uint16_t read16(const volatile uint8_t *at)
{
    return *(const volatile uint16_t *)at;
}

static void write16(volatile uint8_t *at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}

static uint32_t read32(const volatile uint8_t *at)
{
    return *(const volatile uint32_t *)at;
}

static void write32(volatile uint8_t *at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}

static void write64(volatile uint8_t *at, uint64_t value)
{
    write32(at, (uint32_t)value);
    write32(at + 4, (uint32_t)(value >> 32));
}

static void fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* --- a device --- */

static volatile uint8_t *structure(unsigned where, unsigned capability)
{
    const unsigned bar = pci_read(where, capability + 4, 1);
    const uint64_t at = bar < PCI_BARS ? pci_bar(where, bar) : 0;

    return at == 0 ? NULL : (volatile uint8_t *)(at + pci_read(where, capability + 8, 4));
}

static void find_structures(struct virtio *virtio)
{
    const unsigned where = virtio->where;

    for (unsigned at = pci_capability(where, PCI_CAPABILITY_VENDOR, 0); at != 0;
         at = pci_capability(where, PCI_CAPABILITY_VENDOR, at)) {
        const unsigned type = pci_read(where, at + 3, 1);

        if (type == CAPABILITY_COMMON && virtio->common == NULL)
            virtio->common = structure(where, at);
        if (type == CAPABILITY_NOTIFY && virtio->notify == NULL) {
            virtio->notify = structure(where, at);
            virtio->notify_step = pci_read(where, at + 16, 4);
        }
        if (type == CAPABILITY_DEVICE && virtio->config == NULL)
            virtio->config = structure(where, at);
    }
}

static const char *enable_msix(struct virtio *virtio)
{
    const unsigned at = pci_capability(virtio->where, PCI_CAPABILITY_MSIX, 0);
    uint32_t table;
    uint64_t bar;

    if (at == 0)
        return "no-msix";
    table = pci_read(virtio->where, at + 4, 4);
    bar = (table & 7) < PCI_BARS ? pci_bar(virtio->where, table & 7) : 0;
    if (bar == 0)
        return "no-msix-table";
    virtio->vectors = (volatile uint32_t *)(bar + (table & ~UINT32_C(7)));
    pci_write(virtio->where, at + 3, 1, MSIX_ENABLE);
    return NULL;
}

static const char *agree(struct virtio *virtio, uint64_t features)
{
    uint64_t offered;

    write32(virtio->common + DEVICE_FEATURE_SELECT, 0);
    offered = read32(virtio->common + DEVICE_FEATURE);
    write32(virtio->common + DEVICE_FEATURE_SELECT, 1);
    offered |= (uint64_t)read32(virtio->common + DEVICE_FEATURE) << 32;
    if ((offered & VIRTIO_MODERN) == 0)
        return "not-modern";
    virtio->features = offered & (features | VIRTIO_MODERN);
    write32(virtio->common + DRIVER_FEATURE_SELECT, 0);
    write32(virtio->common + DRIVER_FEATURE, (uint32_t)virtio->features);
    write32(virtio->common + DRIVER_FEATURE_SELECT, 1);
    write32(virtio->common + DRIVER_FEATURE, (uint32_t)(virtio->features >> 32));
    virtio->common[STATUS] = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    return (virtio->common[STATUS] & FEATURES_OK) != 0 ? NULL : "features-refused";
}

const char *virtio_begin(struct virtio *virtio, unsigned type, unsigned n, uint64_t features)
{
    const char *why;

    memset(virtio, 0, sizeof(*virtio));
    virtio->where = pci_find(VENDOR | (MODERN_DEVICE + type) << 16, n);
    if (virtio->where == PCI_NONE)
        return "no-device";
    find_structures(virtio);
    if (virtio->common == NULL || virtio->notify == NULL)
        return "no-structures";
    pci_enable(virtio->where);
    why = enable_msix(virtio);
    if (why != NULL)
        return why;
    virtio_end(virtio);
    virtio->common[STATUS] = ACKNOWLEDGE;
    virtio->common[STATUS] = ACKNOWLEDGE | DRIVER;
    return agree(virtio, features);
}

static void set_vector(struct virtio *virtio, unsigned entry, unsigned vector)
{
    volatile uint32_t *at = virtio->vectors + (size_t)entry * 4;

    at[0] = APIC_ADDRESS | cpu_at(0)->apic_id << 12;
    at[1] = 0;
    at[2] = vector;
    at[3] = 0; /* not masked */
}

void virtio_mask(struct virtio *virtio, unsigned queue)
{
    virtio->vectors[(size_t)queue * 4 + 3] = 1;
}

static void begin_queue(struct virtio_queue *queue, struct virtio_rings *rings)
{
    memset(rings, 0, sizeof(*rings));
    queue->rings = rings;
    for (unsigned i = 0; i < queue->size; i++)
        rings->descriptors[i].next = (uint16_t)(i + 1);
    queue->free_count = queue->size;
}

const char *virtio_add_queue(struct virtio *virtio, struct virtio_rings *rings, unsigned size)
{
    const unsigned index = virtio->queue_count;
    struct virtio_queue *queue = &virtio->queues[index];
    volatile uint8_t *common = virtio->common;
    unsigned most;

    if (index == VIRTIO_QUEUES || index >= read16(common + QUEUE_COUNT))
        return "no-queue";
    write16(common + QUEUE_SELECT, (uint16_t)index);
    most = read16(common + QUEUE_SIZE);
    if (size == 0 || size > VIRTIO_QUEUE_SIZE)
        size = VIRTIO_QUEUE_SIZE;
    while (size > most)
        size /= 2;
    if (size == 0)
        return "queue-is-empty";
    queue->index = (uint16_t)index;
    queue->size = (uint16_t)size;
    queue->vector = VECTOR_MSI + index;
    queue->indirect = (virtio->features & VIRTIO_INDIRECT) != 0;
    queue->interrupts = guest.interrupts[queue->vector];
    begin_queue(queue, rings);
    set_vector(virtio, index, queue->vector);
    write16(common + QUEUE_SIZE, (uint16_t)size);
    write16(common + QUEUE_VECTOR, (uint16_t)index);
    if (read16(common + QUEUE_VECTOR) != index)
        return "vector-refused";
    write64(common + QUEUE_DESCRIPTORS, (uint64_t)rings->descriptors);
    write64(common + QUEUE_DRIVER, (uint64_t)&rings->offer_flags);
    write64(common + QUEUE_DEVICE, (uint64_t)&rings->used_flags);
    queue->notify = (volatile uint16_t *)(virtio->notify + (size_t)virtio->notify_step *
                                                               read16(common + QUEUE_NOTIFY));
    write16(common + QUEUE_ENABLE, 1);
    virtio->queue_count++;
    return read16(common + QUEUE_ENABLE) == 1 ? NULL : "queue-refused";
}

void virtio_ready(struct virtio *virtio)
{
    virtio->common[STATUS] = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
}

void virtio_end(struct virtio *virtio)
{
    virtio->common[STATUS] = 0;
    while (virtio->common[STATUS] != 0)
        __asm__ volatile("pause");
}

/* --- a queue --- */

static void describe(struct virtio_descriptor *descriptor, const struct virtio_piece *piece,
                     unsigned flags, unsigned next)
{
    descriptor->at = (uint64_t)piece->at;
    descriptor->bytes = piece->bytes;
    descriptor->flags = (uint16_t)flags;
    descriptor->next = (uint16_t)next;
}

static unsigned flags_of(unsigned i, unsigned out, unsigned in)
{
    return (i >= out ? DEVICE_WRITES : 0U) | (i + 1 < out + in ? HAS_NEXT : 0U);
}

int virtio_offer(struct virtio_queue *queue, const struct virtio_piece *pieces, unsigned out,
                 unsigned in)
{
    struct virtio_rings *rings = queue->rings;
    const unsigned head = queue->free_head, count = out + in, takes = queue->indirect ? 1 : count;

    if (queue->free_count < takes)
        return -1;
    if (queue->indirect) {
        const struct virtio_piece table = { rings->tables[head],
                                            count * (uint32_t)sizeof(rings->tables[head][0]) };

        for (unsigned i = 0; i < count; i++)
            describe(&rings->tables[head][i], &pieces[i], flags_of(i, out, in), i + 1);
        queue->free_head = rings->descriptors[head].next;
        describe(&rings->descriptors[head], &table, IS_TABLE, queue->free_head);
    } else {
        for (unsigned i = 0; i < count; i++) {
            struct virtio_descriptor *descriptor = &rings->descriptors[queue->free_head];

            queue->free_head = descriptor->next;
            describe(descriptor, &pieces[i], flags_of(i, out, in), queue->free_head);
        }
    }
    queue->free_count = (uint16_t)(queue->free_count - takes);
    rings->offers[rings->offer_index % queue->size] = (uint16_t)head;
    fence();
    rings->offer_index++;
    return (int)head;
}

void virtio_notify(struct virtio_queue *queue)
{
    fence();
    if ((queue->rings->used_flags & NO_INTERRUPT) == 0) /* no notification, here */
        *queue->notify = queue->index;
}

int virtio_take(struct virtio_queue *queue, uint32_t *ret_bytes)
{
    struct virtio_rings *rings = queue->rings;
    unsigned head, last, takes = 1;

    queue->interrupts = guest.interrupts[queue->vector]; /* before it is looked: virtio_wait() */
    fence();
    if (rings->used_index == queue->seen)
        return -1;
    fence();
    head = rings->used[queue->seen % queue->size].head;
    *ret_bytes = rings->used[queue->seen % queue->size].bytes;
    queue->seen++;
    if (head >= queue->size)
        return -1;
    for (last = head; (rings->descriptors[last].flags & HAS_NEXT) != 0; takes++)
        last = rings->descriptors[last].next;
    rings->descriptors[last].next = queue->free_head;
    queue->free_head = (uint16_t)head;
    queue->free_count = (uint16_t)(queue->free_count + takes);
    return (int)head;
}

static bool has_used(const struct virtio_queue *queue)
{
    return queue->rings->used_index != queue->seen;
}

/* An answer comes with its interrupt, or a little before. */
void virtio_wait(struct virtio_queue *queue, uint64_t until_tsc)
{
    const volatile uint32_t *counter = &guest.interrupts[queue->vector];
    uint64_t late;

    while (!has_used(queue) && *counter == queue->interrupts && tsc_read() < until_tsc)
        call_wait(counter, queue->interrupts, until_tsc);
    if (!has_used(queue))
        return;
    late = tsc_read() + tsc_of_us(LATE_US);
    while (*counter == queue->interrupts && tsc_read() < late)
        call_wait(counter, queue->interrupts, late);
    queue->late += *counter == queue->interrupts;
}
