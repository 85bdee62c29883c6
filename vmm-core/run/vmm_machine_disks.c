/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's disks: a PCI function for each, the guest's memory for their servers, and KVM for
 * signals between the two.
 */
#include "config.h"

#include "vmm-core/run/vmm_machine_priv.h"
#include "vmm-core/virtio/vmm_virtio_blk.h"

static int kick(void *context, int fd, uint64_t at, bool on)
{
    return vmm_kvm_kick(((struct vmm_machine *)context)->kvm, fd, at, on);
}

static int call(void *context, int fd, uint64_t address, uint32_t data, unsigned *ret_number)
{
    return vmm_kvm_call(((struct vmm_machine *)context)->kvm, fd, address, data, ret_number);
}

static void end_call(void *context, int fd, unsigned number)
{
    vmm_kvm_end_call(((struct vmm_machine *)context)->kvm, fd, number);
}

static void lost(void *context, const char *text)
{
    machine_end(context, VMM_MACHINE_DISK_LOST, text);
}

static void tell(void *context, const char *text)
{
    const struct vmm_machine *machine = context;

    if (machine->config.disk_told != NULL)
        machine->config.disk_told(machine->callbacks.context, text);
}

static void service(void *context)
{
    vmm_vhost_service(context);
}

static struct vmm_virtio_blk_memory memory_of(const struct vmm_machine *machine)
{
    struct vmm_virtio_blk_memory memory = { .count = machine->memory.count };

    for (unsigned i = 0; i < memory.count; i++) {
        const struct vmm_memory_range *range = &machine->memory.ranges[i];

        memory.regions[i] = (struct vh_region) { .guest_addr = range->guest_at,
                                                 .bytes = range->bytes,
                                                 .user_addr = (uintptr_t)range->address,
                                                 .file_offset = range->file_offset_bytes };
        memory.fds[i] = machine->memory.fd;
    }
    return memory;
}

static int add_disk(struct vmm_machine *machine, unsigned i)
{
    const struct vmm_virtio_blk_memory memory = memory_of(machine);
    const struct vmm_virtio_wires wires = { kick, call, end_call, machine };
    const struct vmm_virtio_blk_callbacks callbacks = { lost, tell, machine };
    struct vmm_vhost *link = machine->config.disks[i];
    struct vmm_dev blk, msix;
    int rc = vmm_alarms_watch(machine->alarms, vmm_vhost_fd(link), service, link);

    if (rc == 0)
        rc = vmm_virtio_blk_new(machine->pci, MACHINE_DISK_SLOT + i, link, machine->rings, &memory,
                                &wires, &callbacks, &blk, &msix);
    if (rc < 0)
        return rc;
    *machine_place(machine) = blk;
    (void)machine_added(machine, 0);
    *machine_place(machine) = msix;
    return machine_added(machine, 0);
}

int machine_add_disks(struct vmm_machine *machine)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < machine->config.disk_count; i++)
        rc = add_disk(machine, i);
    return rc;
}

/* --- what their servers write --- */

int machine_log_disks(struct vmm_machine *machine, bool on)
{
    const struct vmm_memory_range *last = &machine->memory.ranges[machine->memory.count - 1];
    int rc = 0;

    for (unsigned i = 0; on && rc == 0 && i < machine->config.disk_count; i++)
        rc = vmm_vhost_log_begin(machine->config.disks[i], last->guest_at + last->bytes);
    for (unsigned i = 0; (!on || rc < 0) && i < machine->config.disk_count; i++)
        vmm_vhost_log_end(machine->config.disks[i]);
    return rc;
}

bool machine_logs_disks(const struct vmm_machine *machine)
{
    for (unsigned i = 0; i < machine->config.disk_count; i++)
        if (vmm_vhost_logging(machine->config.disks[i]) != 1)
            return false;
    return true;
}

void machine_take_disks(struct vmm_machine *machine, unsigned range, uint64_t *bitmap)
{
    const struct vmm_memory_range *of = &machine->memory.ranges[range];

    for (unsigned i = 0; i < machine->config.disk_count; i++)
        vmm_vhost_log_take(machine->config.disks[i], of->guest_at, of->bytes, bitmap);
}
