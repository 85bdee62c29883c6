/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals that KVM passes on by itself (KVM API, KVM_IOEVENTFD, KVM_IRQFD, KVM_SET_GSI_ROUTING):
 * the guest's writes to eventfds, eventfds to message signalled interrupts. Each of those has a
 * global system interrupt behind the I/O APIC's; a table that is set replaces the one of
 * KVM_CREATE_IRQCHIP, so that it begins with the same entries.
 */
#include "config.h"

#include "vmm-core/kvm/vmm_kvm_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "common/hw_cleanup.h"

enum { PIC_PINS = 8, PICS_PINS = 16, IOAPIC_PINS = 24, KICK_BYTES = 2 };

int vmm_kvm_kick(const struct vmm_kvm *kvm, int fd, uint64_t at, bool on)
{
    struct kvm_ioeventfd kick = {
        .addr = at, .len = KICK_BYTES, .fd = fd, .flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN
    };

    return ioctl(kvm->vm_fd, KVM_IOEVENTFD, &kick) < 0 ? -errno : 0;
}

static void add(struct kvm_irq_routing *table, unsigned gsi, unsigned chip, unsigned pin)
{
    table->entries[table->nr++] = (struct kvm_irq_routing_entry) { .gsi = gsi,
                                                                   .type = KVM_IRQ_ROUTING_IRQCHIP,
                                                                   .u.irqchip = { chip, pin } };
}

static int set_routes(const struct vmm_kvm *kvm)
{
    const size_t most = IOAPIC_PINS + PICS_PINS + KVM_ROUTES;
    hw_auto_free struct kvm_irq_routing *table =
        calloc(1, sizeof(*table) + most * sizeof(table->entries[0]));

    if (table == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        add(table, i, KVM_IRQCHIP_IOAPIC, i);
        if (i < PICS_PINS)
            add(table, i, i < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
                i % PIC_PINS);
    }
    for (unsigned i = 0; i < KVM_ROUTES; i++) {
        const struct kvm_route *route = &kvm->routes[i];

        if (route->set)
            table->entries[table->nr++] = (struct kvm_irq_routing_entry) {
                .gsi = IOAPIC_PINS + i,
                .type = KVM_IRQ_ROUTING_MSI,
                .u.msi = { .address_lo = (uint32_t)route->address,
                           .address_hi = (uint32_t)(route->address >> 32),
                           .data = route->data },
            };
    }
    return ioctl(kvm->vm_fd, KVM_SET_GSI_ROUTING, table) < 0 ? -errno : 0;
}

/* A route of that message which nobody uses; else the first free one, which is made it. */
static int take_route(struct vmm_kvm *kvm, uint64_t address, uint32_t data)
{
    unsigned free_one = KVM_ROUTES;
    struct kvm_route before;
    int rc;

    for (unsigned i = 0; i < KVM_ROUTES; i++) {
        const struct kvm_route *route = &kvm->routes[i];

        if (route->used)
            continue;
        if (route->set && route->address == address && route->data == data)
            return (int)i;
        if (free_one == KVM_ROUTES)
            free_one = i;
    }
    if (free_one == KVM_ROUTES)
        return -ENOSPC;
    before = kvm->routes[free_one];
    kvm->routes[free_one] = (struct kvm_route) { .set = true, .address = address, .data = data };
    rc = set_routes(kvm);
    if (rc == 0)
        return (int)free_one;
    kvm->routes[free_one] = before;
    return rc;
}

static int set_irqfd(const struct vmm_kvm *kvm, int fd, unsigned route, uint32_t flags)
{
    const struct kvm_irqfd irqfd = { .fd = (uint32_t)fd,
                                     .gsi = IOAPIC_PINS + route,
                                     .flags = flags };

    return ioctl(kvm->vm_fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

int vmm_kvm_call(struct vmm_kvm *kvm, int fd, uint64_t address, uint32_t data, unsigned *ret_number)
{
    const int route = take_route(kvm, address, data);
    int rc;

    if (route < 0)
        return route;
    rc = set_irqfd(kvm, fd, (unsigned)route, 0);
    if (rc < 0)
        return rc;
    kvm->routes[route].used = true;
    *ret_number = (unsigned)route;
    return 0;
}

void vmm_kvm_end_call(struct vmm_kvm *kvm, int fd, unsigned number)
{
    (void)set_irqfd(kvm, fd, number, KVM_IRQFD_FLAG_DEASSIGN); /* it is there */
    kvm->routes[number].used = false;
}
