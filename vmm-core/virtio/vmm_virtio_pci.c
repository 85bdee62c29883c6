/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The function's BAR, a page for each structure, the capabilities that say so (virtio 1.2 4.1.4),
 * and the window through the configuration space (4.1.4.9) for who cannot reach the BAR.
 */
#include "config.h"

#include "vmm-core/virtio/vmm_virtio_priv.h"

#include "common/hw_le.h"

/* struct virtio_pci_cap (4.1.4) and what follows it in two of its types */
enum { CAPABILITY_ID = 9, CAPABILITY_BYTES = 16, MORE_BYTES = 4 };
enum { CAP_LEN = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_MORE = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4, TYPE_ACCESS = 5 };
enum { VENDOR = 0x1af4, FIRST_DEVICE = 0x1040, SUBSYSTEM = 0x1100, REVISION = 1, INTA = 1 };

/* --- the BAR --- */

static uint64_t read_isr(struct vmm_virtio *virtio)
{
    const uint8_t isr = virtio->isr;

    virtio->isr = 0;
    virtio_update_pin(virtio);
    return isr;
}

static uint64_t read_config(const struct vmm_virtio *virtio, unsigned at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && at + i < virtio->kind->config_bytes; i++)
        value |= (uint64_t)virtio->config[at + i] << (i * 8);
    return value;
}

/* What is not the driver's to write stays as it is. */
static void write_config(struct vmm_virtio *virtio, unsigned at, unsigned bytes, uint64_t value)
{
    const unsigned first = virtio->kind->writable_at;
    bool written = false;

    for (unsigned i = 0; i < bytes; i++) {
        if (at + i < first || at + i - first >= virtio->kind->writable_bytes)
            continue;
        virtio->config[at + i] = (uint8_t)(value >> (i * 8));
        written = true;
    }
    if (written)
        virtio->kind->configured(virtio->dev);
}

static uint64_t bar_read(void *dev, uint64_t offset, unsigned bytes)
{
    struct vmm_virtio *virtio = dev;
    const unsigned at = offset % PAGE_BYTES;

    switch (offset / PAGE_BYTES) {
    case COMMON_PAGE:
        return virtio_common_read(virtio, at, bytes);
    case ISR_PAGE:
        return at == 0 ? read_isr(virtio) : 0;
    case DEVICE_PAGE:
        return read_config(virtio, at, bytes);
    default:
        return 0;
    }
}

static void bar_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct vmm_virtio *virtio = dev;
    const unsigned at = offset % PAGE_BYTES;

    if (offset / PAGE_BYTES == COMMON_PAGE)
        virtio_common_write(virtio, at, bytes, value);
    else if (offset / PAGE_BYTES == DEVICE_PAGE)
        write_config(virtio, at, bytes, value);
    else if (offset / PAGE_BYTES == NOTIFY_PAGE && at % NOTIFY_BYTES == 0)
        virtio_serve(virtio, at / NOTIFY_BYTES);
}

static const struct vmm_range_ops bar_ops = { bar_read, bar_write };

/* --- the window through the configuration space --- */

struct access {
    const struct vmm_pci_window *bar; /* NULL: it says nothing that there is */
    uint32_t offset, bytes;
};

static struct access access_of(const struct vmm_virtio *virtio)
{
    const uint8_t *capability = virtio->function.config + virtio->access;
    const uint8_t i = capability[CAP_BAR];
    struct access access = { .offset = (uint32_t)hw_le_load(capability + CAP_OFFSET, 4),
                             .bytes = (uint32_t)hw_le_load(capability + CAP_LENGTH, 4) };
    const struct vmm_pci_window *bar = &virtio->function.windows[i < VMM_PCI_BARS ? i : 0];

    if (i < VMM_PCI_BARS && (access.bytes == 1 || access.bytes == 2 || access.bytes == 4) &&
        access.offset % access.bytes == 0 && access.offset < bar->bytes)
        access.bar = bar;
    return access;
}

/* These bytes have to do with its data. */
static bool is_data(const struct vmm_virtio *virtio, unsigned at, unsigned count)
{
    const unsigned data = virtio->access + CAP_MORE;

    return count <= MORE_BYTES && at < data + MORE_BYTES && at + count > data;
}

static void reading(void *dev, unsigned at, unsigned count)
{
    struct vmm_virtio *virtio = dev;
    uint8_t *data = virtio->function.config + virtio->access + CAP_MORE;
    struct access access;

    if (!is_data(virtio, at, count))
        return;
    access = access_of(virtio);
    if (access.bar == NULL)
        return;
    hw_le_store(data, access.bytes,
                access.bar->ops->read(access.bar->dev, access.offset, access.bytes));
}

static void write_through(struct vmm_virtio *virtio)
{
    const uint8_t *data = virtio->function.config + virtio->access + CAP_MORE;
    const struct access access = access_of(virtio);

    if (access.bar != NULL)
        access.bar->ops->write(access.bar->dev, access.offset, access.bytes,
                               (uint32_t)hw_le_load(data, 4));
}

/* All at once is a reset or a load, which is no access of the guest. */
static void changed(void *dev, unsigned at, unsigned count)
{
    struct vmm_virtio *virtio = dev;

    vmm_msix_changed(virtio->msix);
    if (count == VMM_PCI_CONFIG_BYTES)
        return;
    virtio_update_pin(virtio);
    virtio_changed(virtio);
    if (at <= VMM_PCI_COMMAND && at + count > VMM_PCI_COMMAND)
        virtio_serve_all(virtio); /* it may have become a bus master */
    if (is_data(virtio, at, count))
        write_through(virtio);
}

static void moved(void *dev)
{
    virtio_changed(dev);
}

uint64_t vmm_virtio_notify_at(const struct vmm_virtio *virtio, unsigned i)
{
    const uint64_t bar = vmm_pci_bar_at(&virtio->function, VMM_VIRTIO_BAR);

    return bar == 0 ? 0 : bar + NOTIFY_PAGE * PAGE_BYTES + (uint64_t)i * NOTIFY_BYTES;
}

/* --- set up --- */

/* Returns where the capability is, or -ENOSPC. */
static int add(struct vmm_virtio *virtio, uint8_t type, unsigned page, uint32_t length,
               unsigned more_bytes)
{
    struct vmm_pci_function *function = &virtio->function;
    const unsigned bytes = CAPABILITY_BYTES + more_bytes;
    const int at = vmm_pci_add_capability(function, CAPABILITY_ID, bytes);

    if (at < 0)
        return at;
    function->config[at + CAP_LEN] = (uint8_t)bytes;
    function->config[at + CAP_TYPE] = type;
    function->config[at + CAP_BAR] = VMM_VIRTIO_BAR;
    hw_le_store(function->config + at + CAP_OFFSET, 4, page * PAGE_BYTES);
    hw_le_store(function->config + at + CAP_LENGTH, 4, length);
    return at;
}

static int add_access(struct vmm_virtio *virtio)
{
    struct vmm_pci_function *function = &virtio->function;
    const int at = add(virtio, TYPE_ACCESS, COMMON_PAGE, 0, MORE_BYTES);

    if (at < 0)
        return at;
    virtio->access = (unsigned)at;
    function->writable[at + CAP_BAR] = UINT8_MAX;
    for (unsigned i = CAP_OFFSET; i < CAP_MORE + MORE_BYTES; i++)
        function->writable[(unsigned)at + i] = UINT8_MAX;
    return 0;
}

static int add_capabilities(struct vmm_virtio *virtio)
{
    const struct vmm_virtio_kind *kind = virtio->kind;
    int at = add(virtio, TYPE_COMMON, COMMON_PAGE, COMMON_BYTES, 0);

    if (at >= 0)
        at = add(virtio, TYPE_ISR, ISR_PAGE, 1, 0);
    if (at >= 0 && kind->config_bytes > 0)
        at = add(virtio, TYPE_DEVICE, DEVICE_PAGE, kind->config_bytes, 0);
    if (at >= 0)
        at = add(virtio, TYPE_NOTIFY, NOTIFY_PAGE, kind->queues * NOTIFY_BYTES, MORE_BYTES);
    if (at < 0)
        return at;
    hw_le_store(virtio->function.config + at + CAP_MORE, 4, NOTIFY_BYTES);
    return add_access(virtio);
}

int virtio_pci_describe(struct vmm_virtio *virtio, struct vmm_dev *ret_msix)
{
    const struct vmm_pci_identity identity = {
        .vendor = VENDOR,
        .device = (uint16_t)(FIRST_DEVICE + virtio->kind->type),
        .subsystem_vendor = VENDOR,
        .subsystem = SUBSYSTEM,
        .class_code = virtio->kind->class_code,
        .revision = REVISION,
        .pin = INTA,
    };
    struct vmm_pci_function *function = &virtio->function;
    int rc;

    vmm_pci_begin(function, &identity);
    rc = vmm_pci_add_bar(function, VMM_VIRTIO_BAR, VMM_PCI_BAR_MEMORY, BAR_BYTES, &bar_ops, virtio);
    if (rc == 0)
        rc = add_capabilities(virtio);
    if (rc == 0)
        rc = vmm_msix_new(function, VMM_VIRTIO_MSIX_BAR, virtio->vectors, ret_msix, &virtio->msix);
    function->changed = changed;
    function->reading = reading;
    function->moved = moved;
    function->dev = virtio;
    return rc;
}
