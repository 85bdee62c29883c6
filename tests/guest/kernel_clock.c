/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks of the test guest: the rate of the time stamp counter, as the host says it or as the power
 * management's timer measures it, that of the local APIC's timer, and KVM's clock on each
 * processor (Linux, Documentation/virt/kvm/x86/msr.rst and cpuid.rst).
 */
#include "tests/guest/kernel.h"

#include "tests/guest/base.h"

enum {
    KVM_LEAF = 0x40000000,
    KVM_FEATURES = 0x40000001,
    KVM_RATES = 0x40000010,
    KVM_CLOCK2 = 1 << 3,
    MSR_KVM_CLOCK = 0x4b564d01,
    PM_HZ = 3579545,
    PM_MASK = 0xffffff,
    MEASURE_TICKS = PM_HZ / 20,
};

static uint32_t pm_timer(void)
{
    return io_in(guest.pm_timer_port, 4) & PM_MASK;
}

/* For a 20th of a second by the power management's timer. */
static void measure(uint64_t *ret_tsc_khz, uint64_t *ret_apic_khz)
{
    uint32_t first, ticks, apic;
    uint64_t tsc;

    kernel_apic_timer(UINT32_MAX);
    first = pm_timer();
    tsc = tsc_read();
    apic = kernel_apic_timer_left();
    do
        ticks = (pm_timer() - first) & PM_MASK;
    while (ticks < MEASURE_TICKS);
    tsc = tsc_read() - tsc;
    apic -= kernel_apic_timer_left();
    kernel_apic_timer(0);
    *ret_tsc_khz = scale(tsc, PM_HZ, (uint64_t)ticks * 1000);
    *ret_apic_khz = scale(apic, PM_HZ, (uint64_t)ticks * 1000);
}

void kernel_clock(void)
{
    uint32_t out[4];
    uint32_t last;

    cpuid(KVM_LEAF, out);
    if (memcmp(&out[1], "KVMKVMKVM\0\0", 12) == 0) {
        last = out[0];
        cpuid(KVM_FEATURES, out);
        guest.kvm_clock = (out[0] & KVM_CLOCK2) != 0;
        if (last >= KVM_RATES) {
            cpuid(KVM_RATES, out);
            guest.tsc_khz = out[0];
            guest.apic_khz = out[1];
        }
    }
    if (guest.tsc_khz != 0 && guest.apic_khz != 0)
        return;
    if (guest.pm_timer_port == 0)
        kernel_fatal("no timer to measure with", NULL);
    measure(&guest.tsc_khz, &guest.apic_khz);
}

void kernel_clock_here(struct cpu *cpu)
{
    if (guest.kvm_clock)
        msr_write(MSR_KVM_CLOCK, (uint64_t)&cpu->clock | 1);
}
