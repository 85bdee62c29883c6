/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest is told by CPUID (Intel SDM 2A, CPUID; AMD APM 3, appendix E; Linux,
 * virt/kvm/x86/cpuid.rst): the host's offer (KVM_GET_SUPPORTED_CPUID) with what each processor has
 * of its own, that it runs under KVM and with which of KVM's features, and the rate of its time
 * stamp counter. Pure.
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <linux/kvm.h>
#include <stdint.h>

enum {
    /* Beside those of linux/kvm_para.h. EAX: the counter, EBX: the APIC's timer, both in kHz. */
    VMM_CPUID_RATES = 0x40000010,
};

/* What of a processor is in its leaves. */
struct vmm_cpuid_own {
    uint32_t apic_id; /* below 256 */
    uint32_t tsc_khz; /* 0: not known, and not told */
};

/*
 * The leaves of one processor into `ret_entries`, which has room for `room`, out of the `count`
 * that the host offers. KVM itself fills in what follows from CR4, XCR0 and XSS (KVM_SET_CPUID2).
 * How many there are, or -E2BIG.
 */
int vmm_cpuid_make(const struct kvm_cpuid_entry2 *offer, unsigned count,
                   const struct vmm_cpuid_own *own, struct kvm_cpuid_entry2 *ret_entries,
                   unsigned room);

#endif
