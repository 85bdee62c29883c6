/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a VM, for the vCPUs and what saves and loads them.
 */
#ifndef VMM_KVM_PRIV_H
#define VMM_KVM_PRIV_H

#include <linux/kvm.h>

#include "vmm-core/kvm/vmm_kvm.h"
#include "vmm-core/kvm/vmm_kvm_slots_priv.h"
#include "vmm-core/kvm/vmm_vcpu_image.h"

/* A message that an eventfd sends. */
struct kvm_route {
    bool set, used; /* KVM knows it; an eventfd leads there */
    uint64_t address;
    uint32_t data;
};

enum { KVM_ROUTES = 512 };

struct vmm_kvm {
    int kvm_fd; /* the caller's */
    int vm_fd;
    const struct vmm_memory *memory;
    struct kvm_slots slots;
    size_t run_bytes;          /* of a vCPU's shared page */
    size_t xsave_bytes;        /* of KVM_GET_XSAVE2; 4096 without it */
    struct kvm_cpuid2 *cpuid;  /* what this host can offer a guest */
    struct kvm_msr_list *msrs; /* what has to be saved */
    struct kvm_route routes[KVM_ROUTES];
};

/* KVM_CHECK_EXTENSION of the VM. */
int kvm_can(const struct vmm_kvm *kvm, int capability);

#endif
