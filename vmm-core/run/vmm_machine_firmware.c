/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's firmware: its ROM at the end of 4 GiB, and what of ROM and memory is to be seen
 * below 1 MiB, as the host bridge says. What KVM has no memory for comes here: a segment that is
 * written to and not read from is memory for writes alone.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm-core/kvm/vmm_kvm_slots.h"
#include "vmm-core/machine/vmm_boot_order.h"
#include "vmm-core/machine/vmm_firmware.h"
#include "vmm-core/run/vmm_machine_priv.h"

enum { PAGE = 4096, SEGMENTS_BYTES = VMM_KVM_SEGMENTS * VMM_KVM_SEGMENT_BYTES };
_Static_assert((int)VMM_KVM_ROM_BYTES == (int)VMM_FIRMWARE_BYTES, "one ROM");
_Static_assert((int)VMM_KVM_SEGMENTS == (int)VMM_PCI_SHADOW_SEGMENTS, "the same segments");
_Static_assert((int)VMM_MACHINE_DISKS <= (int)VMM_BOOT_DEVICES, "all of them");
#define ROM_AT (UINT64_C(0x100000000) - VMM_KVM_ROM_BYTES)

/* --- what KVM has no memory for --- */

static uint64_t read_nothing(void *dev, uint64_t offset, unsigned bytes)
{
    (void)dev;
    (void)offset;
    (void)bytes;
    return UINT64_MAX;
}

static void write_nothing(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    (void)dev;
    (void)offset;
    (void)bytes;
    (void)value;
}

static void write_segment(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct vmm_machine *machine = dev;
    uint8_t *at = vmm_memory_at(&machine->memory, VMM_KVM_SEGMENTS_AT, SEGMENTS_BYTES);

    for (unsigned i = 0; i < bytes; i++) {
        const unsigned segment = (unsigned)((offset + i) / VMM_KVM_SEGMENT_BYTES);

        if (machine->shadow[segment] != VMM_PCI_SHADOW_WRITE)
            continue;
        at[offset + i] = (uint8_t)(value >> (8 * i));
        vmm_kvm_touch(machine->kvm, segment);
    }
}

static const struct vmm_range_ops segment_ops = { read_nothing, write_segment };
static const struct vmm_range_ops rom_ops = { read_nothing, write_nothing };

/* --- what the host bridge says --- */

static enum vmm_kvm_view view_of(unsigned attributes)
{
    if ((attributes & VMM_PCI_SHADOW_READ) == 0)
        return VMM_KVM_ROM;
    return (attributes & VMM_PCI_SHADOW_WRITE) != 0 ? VMM_KVM_RAM : VMM_KVM_RAM_READ_ONLY;
}

static void set_shadow(void *context, unsigned segment, unsigned attributes)
{
    struct vmm_machine *machine = context;

    machine->shadow[segment] = (uint8_t)attributes;
    if (vmm_kvm_show(machine->kvm, segment, view_of(attributes)) < 0)
        machine_end(machine, VMM_MACHINE_BROKEN, "KVM cannot show the memory behind the firmware");
}

/* --- making it --- */

int machine_add_rom(struct vmm_machine *machine)
{
    const struct vmm_machine_firmware *firmware = machine->config.firmware;
    int rc;

    if (firmware == NULL)
        return 0;
    machine->rom = aligned_alloc(PAGE, VMM_KVM_ROM_BYTES);
    if (machine->rom == NULL)
        return -ENOMEM;
    rc = machine_added(machine, vmm_firmware_new(machine->rom, firmware->image, firmware->bytes,
                                                 machine_place(machine)));
    if (rc == 0)
        rc = vmm_kvm_set_rom(machine->kvm, machine->rom);
    if (rc == 0)
        rc = vmm_bus_add(machine->bus, VMM_MMIO, VMM_KVM_SEGMENTS_AT, SEGMENTS_BYTES, &segment_ops,
                         machine);
    return rc < 0
               ? rc
               : vmm_bus_add(machine->bus, VMM_MMIO, ROM_AT, VMM_KVM_ROM_BYTES, &rom_ops, machine);
}

int machine_offer_boot(struct vmm_machine *machine)
{
    const struct vmm_machine_config *config = &machine->config;
    struct vmm_boot_device devices[VMM_BOOT_DEVICES];
    char order[VMM_BOOT_ORDER_BYTES];
    unsigned count = 0;

    if (config->firmware == NULL)
        return 0;
    vmm_pci_set_shadow(machine->pci, set_shadow, machine);
    for (unsigned i = 0; i < config->disk_count; i++)
        devices[count++] = (struct vmm_boot_device) { .slot = MACHINE_DISK_SLOT + i };
    (void)vmm_boot_order(devices, count, config->firmware->network_first, order);
    return vmm_fwcfg_offer_boot_order(machine->fwcfg, order);
}
