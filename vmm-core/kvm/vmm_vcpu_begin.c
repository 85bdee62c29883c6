/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first registers of a vCPU that no firmware starts.
 */
#include "config.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "vmm-core/kvm/vmm_vcpu_priv.h"

/* Types of segment descriptors, accessed (Intel SDM 3A 3.4.5.1, 3.5). */
enum { DATA_WRITE = 3, CODE_READ = 11, TSS_BUSY = 11, CR0_PE = 1, RFLAGS_ONE = 2 };
/* Control registers (Intel SDM 3A 2.5) and EFER (2.2.1). */
enum { CR4_PAE = 0x20, EFER_LME = 0x100, EFER_LMA = 0x400 };
#define CR0_PG UINT64_C(0x80000000)

static struct kvm_segment real_segment(uint8_t type)
{
    return (struct kvm_segment) { .limit = 0xffff, .type = type, .present = 1, .s = 1 };
}

static struct kvm_segment flat_segment(uint8_t type, uint16_t selector)
{
    return (struct kvm_segment) { .limit = 0xffffffff,
                                  .selector = selector,
                                  .type = type,
                                  .present = 1,
                                  .db = 1,
                                  .s = 1,
                                  .g = 1 };
}

static void set_task(struct kvm_sregs2 *sregs)
{
    sregs->tr =
        (struct kvm_segment) { .limit = 0x67, .selector = 0x18, .type = TSS_BUSY, .present = 1 };
}

static void set_segments(struct kvm_sregs2 *sregs, enum vmm_vcpu_mode mode)
{
    const bool flat = mode == VMM_VCPU_PROTECTED;
    const struct kvm_segment data =
        flat ? flat_segment(DATA_WRITE, 0x10) : real_segment(DATA_WRITE);

    sregs->cs = flat ? flat_segment(CODE_READ, 0x8) : real_segment(CODE_READ);
    sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
    if (!flat)
        return;
    set_task(sregs);
    sregs->cr0 |= CR0_PE;
}

static int set(const struct vmm_vcpu *vcpu, const struct kvm_sregs2 *sregs,
               const struct kvm_regs *regs)
{
    return ioctl(vcpu->fd, KVM_SET_SREGS2, sregs) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, regs) < 0
               ? -errno
               : 0;
}

int vmm_vcpu_begin(struct vmm_vcpu *vcpu, enum vmm_vcpu_mode mode, uint32_t ip, uint32_t bx)
{
    const struct kvm_regs regs = { .rip = ip, .rbx = bx, .rflags = RFLAGS_ONE };
    struct kvm_sregs2 sregs;

    if (ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs) < 0)
        return -errno;
    set_segments(&sregs, mode);
    return set(vcpu, &sregs, &regs);
}

int vmm_vcpu_begin_long(struct vmm_vcpu *vcpu, const struct vmm_vcpu_long *begin)
{
    const struct kvm_regs regs = { .rip = begin->ip, .rsi = begin->si, .rflags = RFLAGS_ONE };
    const struct kvm_segment data = flat_segment(DATA_WRITE, 0x18);
    struct kvm_sregs2 sregs;

    if (ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs) < 0)
        return -errno;
    sregs.cs = flat_segment(CODE_READ, 0x10);
    sregs.cs.db = 0;
    sregs.cs.l = 1;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    set_task(&sregs);
    sregs.gdt =
        (struct kvm_dtable) { .base = begin->gdt, .limit = (uint16_t)(begin->gdt_bytes - 1) };
    sregs.cr3 = begin->page_tables;
    sregs.cr4 |= CR4_PAE;
    sregs.efer |= EFER_LME | EFER_LMA;
    sregs.cr0 |= CR0_PG | CR0_PE;
    return set(vcpu, &sregs, &regs);
}
