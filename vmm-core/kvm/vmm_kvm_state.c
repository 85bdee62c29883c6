/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What KVM keeps of a VM, taken and given; and how the guest's time goes on. The clock is set
 * before any vCPU runs (a guest that sees it jump hangs for minutes), and the time stamp counters
 * are moved by what the clock moved and by the difference of the hosts' counters (Linux,
 * devices/vcpu.rst, KVM_VCPU_TSC_OFFSET), once.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm-core/kvm/vmm_kvm_priv.h"

/* What both hosts have to tell for the formula. */
enum { CLOCK_TOLD = KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC };

static int failed(const char *what, const char **ret_what)
{
    const int code = errno;

    *ret_what = what;
    return code != 0 ? -code : -EIO;
}

int vmm_kvm_take(const struct vmm_kvm *kvm, struct vmm_kvm_image *image, const char **ret_what)
{
    memset(image, 0, sizeof(*image));
    if (ioctl(kvm->vm_fd, KVM_GET_CLOCK, &image->clock) < 0)
        return failed("the clock", ret_what);
    if (ioctl(kvm->vm_fd, KVM_GET_PIT2, &image->pit) < 0)
        return failed("the timer", ret_what);
    for (unsigned i = 0; i < VMM_IRQCHIPS; i++) {
        image->irqchips[i].chip_id = i;
        if (ioctl(kvm->vm_fd, KVM_GET_IRQCHIP, &image->irqchips[i]) < 0)
            return failed("an interrupt controller", ret_what);
    }
    return 0;
}

static int set_clock(const struct vmm_kvm *kvm, const struct kvm_clock_data *saved,
                     struct vmm_kvm_shift *ret_shift)
{
    const struct kvm_clock_data set = { .clock = saved->clock,
                                        .flags = saved->flags & KVM_CLOCK_REALTIME,
                                        .realtime = saved->realtime };
    struct kvm_clock_data now = { 0 };

    if (ioctl(kvm->vm_fd, KVM_SET_CLOCK, &set) < 0 || ioctl(kvm->vm_fd, KVM_GET_CLOCK, &now) < 0)
        return -errno;
    ret_shift->known =
        (saved->flags & CLOCK_TOLD) == CLOCK_TOLD && (now.flags & KVM_CLOCK_HOST_TSC) != 0;
    ret_shift->tsc = (int64_t)(saved->host_tsc - now.host_tsc);
    ret_shift->clock_ns = (int64_t)(now.clock - saved->clock);
    return 0;
}

int vmm_kvm_give(const struct vmm_kvm *kvm, const struct vmm_kvm_image *image,
                 struct vmm_kvm_shift *ret_shift, const char **ret_what)
{
    for (unsigned i = 0; i < VMM_IRQCHIPS; i++)
        if (ioctl(kvm->vm_fd, KVM_SET_IRQCHIP, &image->irqchips[i]) < 0)
            return failed("an interrupt controller", ret_what);
    if (ioctl(kvm->vm_fd, KVM_SET_PIT2, &image->pit) < 0)
        return failed("the timer", ret_what);
    memset(ret_shift, 0, sizeof(*ret_shift));
    if (set_clock(kvm, &image->clock, ret_shift) < 0)
        return failed("the clock", ret_what);
    return 0;
}
