/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU and its thread. It runs, or stands still between two instructions with nothing half done:
 * an exit that was handled is completed by KVM before it stands (KVM API 5, immediate_exit), so
 * that its registers are whole. It is made standing.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <linux/kvm.h>
#include <stdbool.h>

#include "vmm-core/kvm/vmm_kvm.h"
#include "vmm-core/kvm/vmm_vcpu_image.h"

struct vmm_kvm_shift;

enum { VMM_VCPU_SIGNAL_OFFSET = 3 }; /* SIGRTMIN + this kicks a vCPU out of KVM_RUN */

struct vmm_vcpu;

struct vmm_vcpu_callbacks {
    /* In the vCPU's thread, after KVM_RUN came back with an exit (run->exit_reason). May ask to
     * pause. */
    void (*exited)(void *context, struct vmm_vcpu *vcpu, struct kvm_run *run);
    /* In the vCPU's thread: KVM_RUN failed for good with this errno; the vCPU stands. */
    void (*broken)(void *context, struct vmm_vcpu *vcpu, int code);
    void *context;
};

/*
 * vCPU `index` of `kvm` (which must live as long), standing, as after reset; index 0 is the boot
 * processor. 0 or -errno with the error.
 */
int vmm_vcpu_new(struct vmm_kvm *kvm, unsigned index, const struct vmm_vcpu_callbacks *callbacks,
                 struct vmm_vcpu **ret_vcpu, struct hw_error *error);
/* Stop, end the thread, free. NULL is allowed. */
void vmm_vcpu_free(struct vmm_vcpu *vcpu);
unsigned vmm_vcpu_index(const struct vmm_vcpu *vcpu); /* as it was made with */
/* How long its thread has had a processor, the guest's instructions among it. */
uint64_t vmm_vcpu_cpu_ns(const struct vmm_vcpu *vcpu);

void vmm_vcpu_run(struct vmm_vcpu *vcpu);   /* go on; never blocks */
void vmm_vcpu_pause(struct vmm_vcpu *vcpu); /* ask it to stand; never blocks, from any thread */
/* Wait until it stands. Not from its own thread. */
void vmm_vcpu_wait(struct vmm_vcpu *vcpu);

/* How a vCPU begins when no firmware does. */
enum vmm_vcpu_mode {
    VMM_VCPU_REAL,      /* segments from 0, interrupts off */
    VMM_VCPU_PROTECTED, /* 32 bits, flat segments, no paging (PVH, Xen's x86/hvm/start_info.h) */
};

/*
 * While it stands, and before it has run: begin at `ip` in this mode, with `bx` in EBX, the other
 * registers 0. 0 or -errno.
 */
int vmm_vcpu_begin(struct vmm_vcpu *vcpu, enum vmm_vcpu_mode mode, uint32_t ip, uint32_t bx);

/* In 64 bits with paging, as Linux wants it (Documentation/arch/x86/boot.rst, "64-bit Boot
 * Protocol"): code by selector 10h, data by 18h, flat. */
struct vmm_vcpu_long {
    uint64_t ip, si;
    uint64_t page_tables, gdt; /* where the guest's memory has them */
    uint16_t gdt_bytes;
};

/* Likewise: begin as `begin` says, the other registers 0. 0 or -errno. */
int vmm_vcpu_begin_long(struct vmm_vcpu *vcpu, const struct vmm_vcpu_long *begin);

/* While it stands: the leaves that its guest is told, into `ret_entries` (VMM_CPUID_MAX). How many,
 * or -errno. */
int vmm_vcpu_cpuid(const struct vmm_vcpu *vcpu, struct kvm_cpuid_entry2 *ret_entries);
/* While it stands: all of its state into `image`. 0 or -errno; `ret_what` names what failed. */
int vmm_vcpu_take(struct vmm_vcpu *vcpu, struct vmm_vcpu_image *image, const char **ret_what);
/*
 * While it stands, and once only: all of its state out of `image`. Its time stamp counter goes on
 * as `clock` says (vmm_kvm_give()). 0; -EPROTONOSUPPORT if the host does not have what the image
 * needs; -errno; `ret_what` names what failed.
 */
int vmm_vcpu_give(struct vmm_vcpu *vcpu, const struct vmm_vcpu_image *image,
                  const struct vmm_kvm_shift *clock, const char **ret_what);

#endif
