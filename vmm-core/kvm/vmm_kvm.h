/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM of KVM (Linux, Documentation/virt/kvm/api.rst): its memory slots, the interrupt controllers
 * and the timer that KVM emulates, interrupt lines, and the dirty log. What a host lacks is told
 * before anything is made.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hw_error.h"
#include "vmm-core/kvm/vmm_memory.h"

struct vmm_kvm;

/* Open /dev/kvm. A descriptor, or -errno with what to do about it. */
int vmm_kvm_open(struct hw_error *error);

/*
 * A VM with `memory`, which must live as long, on the descriptor of /dev/kvm (kept, not closed): no
 * vCPU yet, PIC, I/O APIC and PIT inside KVM. 0 or -errno with the error.
 */
int vmm_kvm_new(int kvm_fd, const struct vmm_memory *memory, struct vmm_kvm **ret_kvm,
                struct hw_error *error);
/* End it, behind its vCPUs. NULL is allowed. */
void vmm_kvm_free(struct vmm_kvm *kvm);

/* Raise or lower the interrupt line of a global system interrupt (KVM_IRQ_LINE). */
void vmm_kvm_line(const struct vmm_kvm *kvm, unsigned gsi, bool high);

/* The write of a message signalled interrupt (KVM_SIGNAL_MSI); one that no vCPU takes is lost, as
 * on hardware. */
void vmm_kvm_send_msi(const struct vmm_kvm *kvm, uint64_t address, uint32_t data);
/* From now on the guest's writes of 2 bytes to `at` signal the eventfd `fd` and are no exits, or no
 * more; `fd` stays the caller's (KVM_IOEVENTFD). 0 or -errno. */
int vmm_kvm_kick(const struct vmm_kvm *kvm, int fd, uint64_t at, bool on);
/* From now on signals of the eventfd `fd` send that message, and nobody else takes them (KVM_IRQFD,
 * KVM_SET_GSI_ROUTING). 0 with a number for vmm_kvm_end_call(); -ENOSPC: too many; or -errno. */
int vmm_kvm_call(struct vmm_kvm *kvm, int fd, uint64_t address, uint32_t data,
                 unsigned *ret_number);
/* No more; none is on its way when this returns. */
void vmm_kvm_end_call(struct vmm_kvm *kvm, int fd, unsigned number);
/* The guest's clock (KVM_GET_CLOCK), which goes on where the VM is saved and loaded. */
uint64_t vmm_kvm_clock_ns(const struct vmm_kvm *kvm);

/* The MSRs that are saved of a vCPU, the VM's; how many. */
unsigned vmm_kvm_msrs(const struct vmm_kvm *kvm, const uint32_t **ret_indices);

/* Begin or end to note which pages are written. 0 or -errno. */
int vmm_kvm_log_dirty(struct vmm_kvm *kvm, bool on);
/*
 * Pages of range `range` of the memory that were written since the last time, one bit each in
 * `bits`, which has room for a multiple of 64; they count as clean from now on (KVM_GET_DIRTY_LOG).
 * 0 or -errno.
 */
int vmm_kvm_dirty(struct vmm_kvm *kvm, unsigned range, uint64_t *bits);

/* How far a loaded guest's time stamp counters have to be moved (vmm_kvm_give()). */
struct vmm_kvm_shift {
    bool known;  /* else each counter goes on from what it was when it was saved */
    int64_t tsc; /* at the counter's rate when it was saved, see vmm_vcpu_give() */
    int64_t clock_ns;
};

struct vmm_kvm_image;

/* While all vCPUs stand: clock, timer and interrupt controllers into `image`. 0 or -errno;
 * `ret_what` names what failed. */
int vmm_kvm_take(const struct vmm_kvm *kvm, struct vmm_kvm_image *image, const char **ret_what);
/*
 * Before any vCPU has run: the same out of `image`. The guest's clock goes on by the time that has
 * passed since, where both hosts tell the time of day with it. 0 or -errno; `ret_what` as above;
 * `ret_shift` is for each vCPU.
 */
int vmm_kvm_give(const struct vmm_kvm *kvm, const struct vmm_kvm_image *image,
                 struct vmm_kvm_shift *ret_shift, const char **ret_what);

#endif
