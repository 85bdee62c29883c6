/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The leaves that are not as the host offers them. Of KVM's features a guest gets those that a
 * saved state has all of: the clock, stable where the host says so, the time that is stolen from a
 * processor, and the end of interrupts through memory. Page faults in the background and hypercalls
 * are not offered, and neither are VMX and SVM, since nested state is not saved.
 */
#include "config.h"

#include "vmm-core/kvm/vmm_cpuid.h"

#include <errno.h>
#include <linux/kvm_para.h>

#define BIT(n) (UINT32_C(1) << (n))

#define KVM_FEATURES                                                           \
    (BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_CLOCKSOURCE2) |            \
     BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) | BIT(KVM_FEATURE_NOP_IO_DELAY) | \
     BIT(KVM_FEATURE_STEAL_TIME) | BIT(KVM_FEATURE_PV_EOI))

enum { ECX_VMX = 5, ECX_HYPERVISOR = 31, AMD_ECX_SVM = 2 };
enum { APIC_KHZ = 1000000 }; /* KVM's: 1 GHz */

static void set_features(struct kvm_cpuid_entry2 *entry, const struct vmm_cpuid_own *own)
{
    entry->ebx = (entry->ebx & 0x00ffffff) | own->apic_id << 24;
    entry->ecx = (entry->ecx & ~BIT(ECX_VMX)) | BIT(ECX_HYPERVISOR);
}

static void clear(struct kvm_cpuid_entry2 *entry)
{
    entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
}

static void set_leaf(struct kvm_cpuid_entry2 *entry, const struct vmm_cpuid_own *own)
{
    switch (entry->function) {
    case 1:
        set_features(entry, own);
        break;
    case 0xb:
    case 0x1f: /* topology */
        entry->edx = own->apic_id;
        break;
    case 0x80000001:
        entry->ecx &= ~BIT(AMD_ECX_SVM);
        break;
    case 0x8000000a: /* SVM */
        clear(entry);
        break;
    case KVM_CPUID_SIGNATURE:
        entry->eax = own->tsc_khz != 0 ? VMM_CPUID_RATES : KVM_CPUID_FEATURES;
        break;
    case KVM_CPUID_FEATURES:
        entry->eax &= KVM_FEATURES;
        entry->edx = 0; /* hints: none of the processors is the guest's alone */
        break;
    default:
        break;
    }
}

int vmm_cpuid_make(const struct kvm_cpuid_entry2 *offer, unsigned count,
                   const struct vmm_cpuid_own *own, struct kvm_cpuid_entry2 *ret_entries,
                   unsigned room)
{
    unsigned made = 0;

    for (unsigned i = 0; i < count; i++) {
        if (offer[i].function == VMM_CPUID_RATES)
            continue;
        if (made == room)
            return -E2BIG;
        ret_entries[made] = offer[i];
        set_leaf(&ret_entries[made++], own);
    }
    if (own->tsc_khz == 0)
        return (int)made;
    if (made == room)
        return -E2BIG;
    ret_entries[made++] = (struct kvm_cpuid_entry2) { .function = VMM_CPUID_RATES,
                                                      .eax = own->tsc_khz,
                                                      .ebx = APIC_KHZ };
    return (int)made;
}
