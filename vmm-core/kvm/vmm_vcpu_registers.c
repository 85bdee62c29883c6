/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU's state, taken and given by KVM's calls in the order that they depend on each other: on
 * the way out MP_STATE comes first, because it lets pending interrupts of the APIC take effect, and
 * the events last; on the way in CPUID decides what the rest may be, the APIC's base is a system
 * register, the deadline timer needs the counter, and setting registers clears events.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm-core/kvm/vmm_kvm_priv.h"
#include "vmm-core/kvm/vmm_vcpu_priv.h"

enum { MSR_TSC = 0x10, MSR_TSC_DEADLINE = 0x6e0, MSRS_A_CALL = 256 };
/* A counter that runs this much beside the saved one's rate is the same (KVM's own tolerance). */
enum { TSC_TOLERANCE_PPM = 250 };

/* struct kvm_msrs with its entries. */
struct msr_batch {
    __u32 count, pad;
    struct kvm_msr_entry entries[MSRS_A_CALL];
};

static int failed(const char *what, const char **ret_what)
{
    const int code = errno;

    *ret_what = what;
    return code != 0 ? -code : -EIO;
}

/* --- out --- */

/* One call of at most MSRS_A_CALL; KVM stops before the first that it refuses, which is left out.
 */
static int take_msrs(const struct vmm_vcpu *vcpu, struct vmm_vcpu_image *image)
{
    const struct kvm_msr_list *list = vcpu->kvm->msrs;
    struct msr_batch batch = { 0 };
    unsigned at = 0;

    image->msr_count = 0;
    while (at < list->nmsrs) {
        unsigned count = 0;
        int done;

        for (; count < MSRS_A_CALL && at + count < list->nmsrs; count++)
            batch.entries[count].index = list->indices[at + count];
        batch.count = count;
        done = ioctl(vcpu->fd, KVM_GET_MSRS, &batch);
        if (done < 0)
            return -errno;
        for (int i = 0; i < done && image->msr_count < VMM_MSRS_MAX; i++)
            if (batch.entries[i].index != MSR_TSC)
                image->msrs[image->msr_count++] = batch.entries[i];
        at += (unsigned)done < count ? (unsigned)done + 1 : count;
    }
    return 0;
}

static int take_tsc(const struct vmm_vcpu *vcpu, struct vmm_vcpu_image *image)
{
    const struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
                                          .attr = KVM_VCPU_TSC_OFFSET,
                                          .addr = (uintptr_t)&image->tsc_offset };
    struct msr_batch batch = { .count = 1, .entries[0].index = MSR_TSC };
    int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

    if (khz < 0 || ioctl(vcpu->fd, KVM_GET_MSRS, &batch) != 1)
        return -errno;
    image->tsc_khz = (uint32_t)khz;
    image->tsc = batch.entries[0].data;
    image->has_tsc_offset = ioctl(vcpu->fd, KVM_GET_DEVICE_ATTR, &attr) == 0;
    return 0;
}

static int take_xsave(const struct vmm_vcpu *vcpu, struct vmm_vcpu_image *image)
{
    image->xsave_bytes = (uint32_t)vcpu->kvm->xsave_bytes;
    if (kvm_can(vcpu->kvm, KVM_CAP_XSAVE2) > 0)
        return ioctl(vcpu->fd, KVM_GET_XSAVE2, image->xsave);
    return ioctl(vcpu->fd, KVM_GET_XSAVE, image->xsave);
}

/* Which leaves it was given; KVM_GET_CPUID2 wants the room told and tells what it used. */
int vmm_vcpu_cpuid(const struct vmm_vcpu *vcpu, struct kvm_cpuid_entry2 *ret_entries)
{
    const size_t bytes = VMM_CPUID_MAX * sizeof(*ret_entries);
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + bytes);
    int rc;

    if (cpuid == NULL)
        return -ENOMEM;
    cpuid->nent = VMM_CPUID_MAX;
    rc = ioctl(vcpu->fd, KVM_GET_CPUID2, cpuid) < 0 ? -errno : (int)cpuid->nent;
    if (rc > 0)
        memcpy(ret_entries, cpuid->entries, (size_t)rc * sizeof(*ret_entries));
    free(cpuid);
    return rc;
}

static int take_cpuid(const struct vmm_vcpu *vcpu, struct vmm_vcpu_image *image)
{
    const int count = vmm_vcpu_cpuid(vcpu, image->cpuid);

    image->cpuid_count = count > 0 ? (uint32_t)count : 0;
    return count < 0 ? count : 0;
}

int vmm_vcpu_take(struct vmm_vcpu *vcpu, struct vmm_vcpu_image *image, const char **ret_what)
{
    memset(image, 0, sizeof(*image));
    (void)ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0); /* refused by a guest without that clock */
    if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &image->mp_state) < 0)
        return failed("its run state", ret_what);
    if (ioctl(vcpu->fd, KVM_GET_REGS, &image->regs) < 0 ||
        ioctl(vcpu->fd, KVM_GET_SREGS2, &image->sregs) < 0 ||
        ioctl(vcpu->fd, KVM_GET_XCRS, &image->xcrs) < 0 ||
        ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &image->debugregs) < 0)
        return failed("its registers", ret_what);
    if (take_xsave(vcpu, image) < 0)
        return failed("its vector registers", ret_what);
    if (ioctl(vcpu->fd, KVM_GET_LAPIC, &image->lapic) < 0)
        return failed("its APIC", ret_what);
    if (take_tsc(vcpu, image) < 0)
        return failed("its time stamp counter", ret_what);
    if (take_cpuid(vcpu, image) < 0)
        return failed("its features", ret_what);
    if (take_msrs(vcpu, image) < 0)
        return failed("its model-specific registers", ret_what);
    if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &image->events) < 0)
        return failed("its pending events", ret_what);
    return 0;
}

/* --- in --- */

static int give_cpuid(const struct vmm_vcpu *vcpu, const struct vmm_vcpu_image *image)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + sizeof(image->cpuid));
    int rc;

    if (cpuid == NULL)
        return -ENOMEM;
    cpuid->nent = image->cpuid_count;
    memcpy(cpuid->entries, image->cpuid, image->cpuid_count * sizeof(image->cpuid[0]));
    rc = ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
    free(cpuid);
    return rc;
}

/* Those that are (`deadline`) the deadline timer, or are not. 0, or the index that was refused. */
static uint32_t give_msrs(const struct vmm_vcpu *vcpu, const struct vmm_vcpu_image *image,
                          bool deadline)
{
    for (unsigned at = 0; at < image->msr_count;) {
        struct msr_batch batch = { 0 };
        int done;

        for (; at < image->msr_count && batch.count < MSRS_A_CALL; at++)
            if ((image->msrs[at].index == MSR_TSC_DEADLINE) == deadline)
                batch.entries[batch.count++] = image->msrs[at];
        done = batch.count == 0 ? 0 : ioctl(vcpu->fd, KVM_SET_MSRS, &batch);
        if (done != (int)batch.count)
            return batch.entries[done < 0 ? 0 : done].index;
    }
    return 0;
}

/* The saved counter's rate, if it is not this host's. */
static int give_tsc_rate(const struct vmm_vcpu *vcpu, const struct vmm_vcpu_image *image)
{
    const int64_t here = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0), there = image->tsc_khz;

    if (here < 0 || (here - there) * 1000000 / (there + 1) > TSC_TOLERANCE_PPM ||
        (there - here) * 1000000 / (there + 1) > TSC_TOLERANCE_PPM)
        return ioctl(vcpu->fd, KVM_SET_TSC_KHZ, (unsigned long)image->tsc_khz);
    return 0;
}

/* ns of the guest's clock in steps of its counter; 128 bits, since years may have passed. */
static int64_t tsc_of_ns(int64_t ns, uint32_t khz)
{
    return (int64_t)((__int128)ns * khz / 1000000);
}

static int give_tsc(const struct vmm_vcpu *vcpu, const struct vmm_vcpu_image *image,
                    const struct vmm_kvm_shift *clock)
{
    uint64_t offset = image->tsc_offset + (uint64_t)clock->tsc +
                      (uint64_t)tsc_of_ns(clock->clock_ns, image->tsc_khz);
    const struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
                                          .attr = KVM_VCPU_TSC_OFFSET,
                                          .addr = (uintptr_t)&offset };
    struct msr_batch batch = { .count = 1, .entries[0] = { .index = MSR_TSC, .data = image->tsc } };

    if (image->has_tsc_offset && clock->known && ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &attr) == 0)
        return 0;
    return ioctl(vcpu->fd, KVM_SET_MSRS, &batch) == 1 ? 0 : -1;
}

int vmm_vcpu_give(struct vmm_vcpu *vcpu, const struct vmm_vcpu_image *image,
                  const struct vmm_kvm_shift *clock, const char **ret_what)
{
    if (image->xsave_bytes != vcpu->kvm->xsave_bytes) {
        *ret_what = "the size of its vector registers";
        return -EPROTONOSUPPORT;
    }
    if (give_cpuid(vcpu, image) < 0)
        return failed("its features", ret_what);
    if (give_tsc_rate(vcpu, image) < 0)
        return failed("the rate of its time stamp counter", ret_what);
    if (ioctl(vcpu->fd, KVM_SET_MP_STATE, &image->mp_state) < 0)
        return failed("its run state", ret_what);
    if (ioctl(vcpu->fd, KVM_SET_REGS, &image->regs) < 0 ||
        ioctl(vcpu->fd, KVM_SET_SREGS2, &image->sregs) < 0)
        return failed("its registers", ret_what);
    if (ioctl(vcpu->fd, KVM_SET_XSAVE, image->xsave) < 0 ||
        ioctl(vcpu->fd, KVM_SET_XCRS, &image->xcrs) < 0)
        return failed("its vector registers", ret_what);
    if (ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &image->debugregs) < 0)
        return failed("its debug registers", ret_what);
    if (ioctl(vcpu->fd, KVM_SET_LAPIC, &image->lapic) < 0)
        return failed("its APIC", ret_what);
    if (give_msrs(vcpu, image, false) != 0)
        return failed("its model-specific registers", ret_what);
    if (give_tsc(vcpu, image, clock) < 0)
        return failed("its time stamp counter", ret_what);
    if (give_msrs(vcpu, image, true) != 0)
        return failed("its deadline timer", ret_what);
    if (ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &image->events) < 0)
        return failed("its pending events", ret_what);
    return 0;
}
