/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ring 0 of the test guest.
 */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include "tests/guest/guest.h"

/* What an interrupt leaves on the stack (start.S). */
struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, flags, rsp, ss;
};

/* start.S */
extern uint64_t gdt[], idt[512], page_directories[512];
extern uint8_t interrupt_entries[], trampoline[], trampoline_end[];
void load_tables(uint16_t task);
void system_entry(void);
void enter_user(struct cpu *cpu, job_fn run, void *argument, uint8_t *stack);
__attribute__((noreturn)) void leave_user(struct cpu *cpu);

/* From start.S; the first and the last do not come back to it. */
void kernel_main(uint64_t start_info_at);
void kernel_processor(struct cpu *cpu, unsigned index);
void kernel_interrupt(struct frame *frame);
uint64_t kernel_call(uint64_t a, uint64_t b, uint64_t c, uint64_t number);

/* kernel_memory.c: the machine's map into guest.ranges; all of it into the page tables. */
void kernel_memory(uint64_t map_at, unsigned entries);
/* kernel_acpi.c: what the tables say of power management; the APIC IDs of the processors into
 * `ids`, and how many there are. */
unsigned kernel_acpi(uint64_t rsdp_at, uint32_t ids[GUEST_CPUS]);
/* kernel_clock.c: the rates of the clocks, this processor's KVM clock. */
void kernel_clock(void);
void kernel_clock_here(struct cpu *cpu);
/* kernel_apic.c */
void kernel_apic_here(struct cpu *cpu);
void kernel_apic_send(uint32_t apic_id, uint32_t order);
void kernel_apic_start(const uint32_t *ids, unsigned count);
void kernel_apic_timer(uint32_t count);
uint32_t kernel_apic_timer_left(void);
void kernel_apic_end(void);

void kernel_write(const char *bytes, size_t count);
/* It is over: says what and where, tells the host of the panic, and stands still. */
__attribute__((noreturn)) void kernel_fatal(const char *what, const struct frame *frame);

static inline void io_out(uint16_t port, unsigned bytes, uint32_t value)
{
    if (bytes == 1)
        __asm__ volatile("outb %b0, %1" : : "a"(value), "Nd"(port));
    else if (bytes == 2)
        __asm__ volatile("outw %w0, %1" : : "a"(value), "Nd"(port));
    else
        __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t io_in(uint16_t port, unsigned bytes)
{
    uint32_t value = 0;

    if (bytes == 1)
        __asm__ volatile("inb %1, %b0" : "+a"(value) : "Nd"(port));
    else if (bytes == 2)
        __asm__ volatile("inw %1, %w0" : "+a"(value) : "Nd"(port));
    else
        __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t msr_read(uint32_t number)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return low | (uint64_t)high << 32;
}

static inline void msr_write(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(number)
                     : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
}

#endif
