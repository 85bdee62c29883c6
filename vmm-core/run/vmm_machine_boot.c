/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a machine begins: at a kernel that is placed in its memory.
 */
#include "config.h"

#include <string.h>

#include "vmm-core/boot/vmm_bzimage.h"
#include "vmm-core/boot/vmm_linux.h"
#include "vmm-core/run/vmm_machine_priv.h"

static int no_registers(struct hw_error *error, int rc)
{
    return rc < 0 ? hw_error_setf(error, HW_ERROR_FAILED, -rc, "KVM", "see the kernel's log",
                                  "the first registers are refused: %s", strerror(-rc))
                  : 0;
}

static int begin_pvh(struct vmm_machine *machine, const struct vmm_pvh_boot *boot,
                     const struct vmm_pvh_memory *memory, struct hw_error *error)
{
    struct vmm_pvh_entry entry;
    int rc = vmm_pvh_place(boot, memory, &entry, error);

    if (rc < 0)
        return rc;
    rc = vmm_vcpu_begin(machine->vcpus[0], VMM_VCPU_PROTECTED, entry.ip, entry.start_info);
    return no_registers(error, rc);
}

static int begin_linux(struct vmm_machine *machine, const struct vmm_pvh_boot *boot,
                       const struct vmm_pvh_memory *memory, struct hw_error *error)
{
    struct vmm_linux_entry entry;
    struct vmm_vcpu_long begin;
    int rc = vmm_linux_place(boot, memory, &entry, error);

    if (rc < 0)
        return rc;
    begin = (struct vmm_vcpu_long) { .ip = entry.ip,
                                     .si = entry.parameters,
                                     .page_tables = entry.page_tables,
                                     .gdt = entry.gdt,
                                     .gdt_bytes = entry.gdt_bytes };
    return no_registers(error, vmm_vcpu_begin_long(machine->vcpus[0], &begin));
}

static void *memory_at(void *context, uint64_t guest_at, uint64_t bytes)
{
    return vmm_memory_at(context, guest_at, bytes);
}

int vmm_machine_boot_pvh(struct vmm_machine *machine, const struct vmm_pvh_boot *boot,
                         struct hw_error *error)
{
    const struct vmm_memory *memory = &machine->memory;
    const struct vmm_pvh_memory view = {
        .low_bytes = memory->ranges[0].bytes,
        .high_bytes = memory->count > 1 ? memory->ranges[1].bytes : 0,
        .at = memory_at,
        .context = &machine->memory,
    };
    struct vmm_pvh_boot with_tables = *boot;
    const int rc = machine_place_tables(machine, &with_tables.rsdp_at);

    if (rc < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, -rc, "VM", "update hawser here",
                             "its ACPI tables cannot be placed: %s", strerror(-rc));
    return vmm_bzimage_is(boot->kernel, boot->kernel_bytes)
               ? begin_linux(machine, &with_tables, &view, error)
               : begin_pvh(machine, &with_tables, &view, error);
}
