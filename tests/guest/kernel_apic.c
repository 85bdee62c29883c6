/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC of each processor of the test guest (Intel SDM 3A, chapter 11), and how the first
 * one starts the others.
 */
#include "tests/guest/kernel.h"

#include "tests/guest/base.h"

enum {
    APIC_ID = 0x20,
    APIC_TASK = 0x80,
    APIC_END = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_ORDER = 0x300,
    APIC_ORDER_TO = 0x310,
    APIC_TIMER = 0x320,
    APIC_LINT0 = 0x350,
    APIC_LINT1 = 0x360,
    APIC_COUNT = 0x380,
    APIC_COUNT_LEFT = 0x390,
    APIC_DIVIDE = 0x3e0,
    ENABLED = 0x100,
    MASKED = 0x10000,
    DIVIDE_BY_1 = 0xb,
    ORDER_PENDING = 0x1000,
    ORDER_INIT = 0x4500,
    ORDER_START = 0x4600,
    TRAMPOLINE = 0x8000,
};

static volatile uint32_t *apic(unsigned at)
{
    return (volatile uint32_t *)(UINT64_C(0xfee00000) + at);
}

void kernel_apic_here(struct cpu *cpu)
{
    *apic(APIC_SPURIOUS) = ENABLED | VECTOR_SPURIOUS;
    *apic(APIC_TASK) = 0;
    *apic(APIC_LINT0) = MASKED;
    *apic(APIC_LINT1) = MASKED;
    *apic(APIC_DIVIDE) = DIVIDE_BY_1;
    *apic(APIC_TIMER) = VECTOR_TIMER; /* once */
    cpu->apic_id = *apic(APIC_ID) >> 24;
}

void kernel_apic_send(uint32_t apic_id, uint32_t order)
{
    *apic(APIC_ORDER_TO) = apic_id << 24;
    *apic(APIC_ORDER) = order;
    while ((*apic(APIC_ORDER) & ORDER_PENDING) != 0)
        ;
}

void kernel_apic_timer(uint32_t count)
{
    *apic(APIC_COUNT) = count;
}

uint32_t kernel_apic_timer_left(void)
{
    return *apic(APIC_COUNT_LEFT);
}

void kernel_apic_end(void)
{
    *apic(APIC_END) = 0;
}

static void pause_us(uint64_t us)
{
    const uint64_t until = tsc_read() + us * guest.tsc_khz / 1000;

    while (tsc_read() < until)
        __asm__ volatile("pause");
}

static bool comes_alive(const struct cpu *cpu, uint64_t within_us)
{
    const uint64_t until = tsc_read() + within_us * guest.tsc_khz / 1000;

    while (cpu->alive == 0 && tsc_read() < until)
        __asm__ volatile("pause");
    return cpu->alive != 0;
}

/* One after the other, so that the n-th to come is the n-th here. */
void kernel_apic_start(const uint32_t *ids, unsigned count)
{
    unsigned index = 1;

    memcpy((void *)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
    for (unsigned i = 0; i < count; i++) {
        const struct cpu *cpu = &cpu_blocks[index].cpu;

        if (ids[i] == cpu_blocks[0].cpu.apic_id)
            continue;
        kernel_apic_send(ids[i], ORDER_INIT);
        pause_us(10000);
        kernel_apic_send(ids[i], ORDER_START | TRAMPOLINE / GUEST_PAGE);
        if (!comes_alive(cpu, 1000000)) {
            kernel_apic_send(ids[i], ORDER_START | TRAMPOLINE / GUEST_PAGE);
            if (!comes_alive(cpu, 30000000))
                kernel_fatal("a processor does not start", NULL);
        }
        index++;
    }
}
