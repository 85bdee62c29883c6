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
    READINGS = 8,
};

static uint32_t pm_timer(void)
{
    return io_in(guest.pm_timer_port, 4) & PM_MASK;
}

/* Counters at one moment: of some readings the one that took least, for the host may be busy. */
struct moment {
    uint64_t tsc;
    uint32_t pm, apic_left;
};

static struct moment read_moment(void)
{
    struct moment best = { 0 };
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < READINGS; i++) {
        const uint64_t before = tsc_read();
        const uint32_t pm = pm_timer(), left = kernel_apic_timer_left();
        const uint64_t took = tsc_read() - before;

        if (took >= least)
            continue;
        least = took;
        best = (struct moment) { before + took / 2, pm, left };
    }
    return best;
}

/* For a 20th of a second by the power management's timer. */
static void measure(uint64_t *ret_tsc_khz, uint64_t *ret_apic_khz)
{
    struct moment first, last;
    uint64_t ticks;

    kernel_apic_timer(UINT32_MAX);
    first = read_moment();
    while (((pm_timer() - first.pm) & PM_MASK) < MEASURE_TICKS)
        ;
    last = read_moment();
    kernel_apic_timer(0);
    ticks = (last.pm - first.pm) & PM_MASK;
    *ret_tsc_khz = scale(last.tsc - first.tsc, PM_HZ, ticks * 1000);
    *ret_apic_khz = scale(first.apic_left - last.apic_left, PM_HZ, ticks * 1000);
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
