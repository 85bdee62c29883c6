/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine needs of its host: format, sizes, the processor's maker and features as its guest
 * was told them, the MSRs that are saved, its devices.
 */
#include "config.h"

#include <errno.h>
#include <xxhash.h>

#include "vmm-core/kvm/vmm_cpuid.h"
#include "vmm-core/machine/vmm_dev_ids.h"
#include "vmm-core/run/vmm_machine_priv.h"
#include "vmm-core/run/vmm_machine_save.h"

enum { EAX, EBX, ECX, EDX };

/* A word of CPUID in which each bit is something that a processor can, or cannot, do. */
struct word {
    uint32_t function, index;
    unsigned of;
    uint32_t own; /* bits that say how the processor was set up (Intel SDM 2A, CPUID) */
};

#define BIT(n) (UINT32_C(1) << (n))

static const struct word words[] = {
    { 0x1, 0, ECX, BIT(27) /* OSXSAVE */ },
    { 0x1, 0, EDX, BIT(9) /* APIC */ },
    { 0x6, 0, EAX, 0 },
    { 0x7, 0, EBX, 0 },
    { 0x7, 0, ECX, BIT(4) /* OSPKE */ },
    { 0x7, 0, EDX, 0 },
    { 0x7, 1, EAX, 0 },
    { 0xd, 0, EAX, 0 },
    { 0xd, 0, EDX, 0 },
    { 0xd, 1, EAX, 0 },
    { 0x40000001, 0, EAX, 0 },
    { 0x80000001, 0, ECX, 0 },
    { 0x80000001, 0, EDX, BIT(9) /* APIC */ },
    { 0x80000007, 0, EDX, 0 },
    { 0x80000008, 0, EBX, 0 },
};

static uint32_t value_of(const struct kvm_cpuid_entry2 *entry, unsigned of)
{
    const uint32_t values[] = { entry->eax, entry->ebx, entry->ecx, entry->edx };

    return values[of];
}

/* The word's name in the list: range of the leaf, leaf, index, register. */
static uint32_t name_of(const struct word *word)
{
    return (word->function & 0xf0000000) | (word->function & 0xffff) << 8 | word->index << 2 |
           word->of;
}

static int add_leaf(const struct kvm_cpuid_entry2 *entry, struct vmm_save_needs *needs)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
        const struct word *word = &words[i];
        const uint32_t value = value_of(entry, word->of) & ~word->own;

        if (word->function == entry->function && word->index == entry->index && value != 0)
            rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_CPUID, name_of(word), value);
    }
    if (rc == 0 && entry->function == 0) {
        const uint32_t maker[] = { entry->ebx, entry->edx, entry->ecx };

        rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_CPU_MODEL, 0,
                                XXH3_64bits(maker, sizeof(maker)));
    }
    return rc;
}

static int add_cpuid(const struct vmm_machine *machine, struct vmm_save_needs *needs)
{
    struct kvm_cpuid_entry2 entries[VMM_CPUID_MAX];
    int count = vmm_vcpu_cpuid(machine->vcpus[0], entries), rc = count < 0 ? count : 0;

    for (int i = 0; rc == 0 && i < count; i++)
        rc = add_leaf(&entries[i], needs);
    return rc;
}

static int add_msrs(const struct vmm_machine *machine, struct vmm_save_needs *needs)
{
    const uint32_t *indices;
    const unsigned count = vmm_kvm_msrs(machine->kvm, &indices);
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < count; i++)
        rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_MSR, indices[i], 1);
    return rc;
}

static int add_devices(const struct vmm_machine *machine, struct vmm_save_needs *needs)
{
    int rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_DEVICE, VMM_DEV_VM, VMM_KVM_IMAGE_VERSION);

    if (rc == 0)
        rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_DEVICE, VMM_DEV_VCPU, VMM_VCPU_IMAGE_VERSION);
    for (unsigned i = 0; rc == 0 && i < machine->device_count; i++)
        rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_DEVICE, machine->devices[i].ops->id,
                                machine->devices[i].ops->version);
    return rc;
}

int vmm_machine_needs(const struct vmm_machine *machine, struct vmm_save_needs *needs)
{
    int rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_FORMAT, 0, STO_SAVED_MAJOR);

    if (rc == 0)
        rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_MEMORY, 0, machine->memory.bytes);
    if (rc == 0)
        rc = vmm_save_needs_add(needs, VMM_SAVE_NEED_CPUS, 0, machine->vcpu_count);
    if (rc == 0)
        rc = add_cpuid(machine, needs);
    if (rc == 0)
        rc = add_msrs(machine, needs);
    return rc < 0 ? rc : add_devices(machine, needs);
}
