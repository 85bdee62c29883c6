/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of a vCPU and all that KVM keeps of a VM beside its memory, as data: what a saved state holds
 * of them, field by field (vmm_state.h). The structs are KVM's (Linux, api.rst), so that taking and
 * giving them copies nothing twice; the codec is ours. A guest is never offered VMX or SVM, so
 * there is no nested state. Pure.
 */
#ifndef VMM_VCPU_IMAGE_H
#define VMM_VCPU_IMAGE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm-core/machine/vmm_state.h"

enum {
    VMM_XSAVE_MAX_BYTES = 16384,
    VMM_CPUID_MAX = 256,
    VMM_MSRS_MAX = 1024,
    VMM_IRQCHIPS = 3, /* both PICs and the I/O APIC */
    VMM_VCPU_IMAGE_VERSION = 1,
    VMM_KVM_IMAGE_VERSION = 1,
};

struct vmm_vcpu_image {
    struct kvm_mp_state mp_state;
    struct kvm_regs regs;
    struct kvm_sregs2 sregs;
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debugregs;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    uint32_t tsc_khz;
    bool has_tsc_offset;
    uint64_t tsc, tsc_offset;
    uint32_t xsave_bytes, cpuid_count, msr_count;
    uint8_t xsave[VMM_XSAVE_MAX_BYTES];
    struct kvm_cpuid_entry2 cpuid[VMM_CPUID_MAX];
    struct kvm_msr_entry msrs[VMM_MSRS_MAX]; /* but for the time stamp counter */
};

struct vmm_kvm_image {
    struct kvm_clock_data clock;
    struct kvm_pit_state2 pit;
    struct kvm_irqchip irqchips[VMM_IRQCHIPS];
};

/* The fields, out or in; what no vCPU can have is told by the state (-EBADMSG). */
void vmm_vcpu_image_state(struct vmm_vcpu_image *image, struct vmm_state *state);
void vmm_kvm_image_state(struct vmm_kvm_image *image, struct vmm_state *state); /* the same */

#endif
