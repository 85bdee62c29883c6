/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ring 0 of the test guest: from the start info to the first system call, what each processor does
 * when it has nothing to do, interrupts, system calls.
 */
#include "tests/guest/kernel.h"

#include "tests/guest/base.h"
#include "tests/guest/call.h"
#include "tests/guest/program.h"

enum {
    INFO_MAGIC = 0x336ec578, /* Xen's public header arch-x86/hvm/start_info.h */
    SERIAL = 0x3f8,
    SERIAL_STATUS = SERIAL + 5,
    DATA_READY = 1,
    ROOM = 0x20,
    PANIC_PORT = 0x505,
    TSS_SELECTOR = 0x30,
    GATE_PRESENT = 0x8e,
    EXCEPTIONS = 32,
};

/* All but the last 8 bytes of a stack of ring 3, which a function expects its caller to be at. */
enum { STACK_TOP = CPU_BLOCK_BYTES - 8, STACK_INTERRUPTS = 8192 };

struct guest guest;
struct cpu_block cpu_blocks[GUEST_CPUS] __attribute__((aligned(CPU_BLOCK_BYTES)));

struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t modules_at, command_at, rsdp_at, map_at;
    uint32_t map_entries, reserved;
};

/* --- the serial port --- */

void kernel_write(const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while ((io_in(SERIAL_STATUS, 1) & ROOM) == 0)
            ;
        io_out(SERIAL, 1, (uint8_t)bytes[i]);
    }
}

static uint64_t read_byte(void)
{
    return (io_in(SERIAL_STATUS, 1) & DATA_READY) != 0 ? io_in(SERIAL, 1) : UINT64_MAX;
}

void kernel_fatal(const char *what, const struct frame *frame)
{
    struct line line;
    uint64_t address;

    line_begin(&line, "fatal");
    line_text(&line, "what", what);
    if (frame != NULL) {
        __asm__ volatile("movq %%cr2, %0" : "=r"(address));
        line_number(&line, "vector", frame->vector);
        line_hex(&line, "error", frame->error);
        line_hex(&line, "rip", frame->rip);
        line_hex(&line, "cs", frame->cs);
        line_hex(&line, "rsp", frame->rsp);
        line_hex(&line, "cr2", address);
    }
    line_end(&line);
    kernel_write(line.bytes, line.count);
    io_out(PANIC_PORT, 1, 1);
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* --- interrupts --- */

void kernel_interrupt(struct frame *frame)
{
    const unsigned vector = (unsigned)frame->vector;

    if (vector < EXCEPTIONS)
        kernel_fatal("exception", frame);
    __atomic_fetch_add(&guest.interrupts[vector], 1, __ATOMIC_SEQ_CST);
    if (vector != VECTOR_SPURIOUS)
        kernel_apic_end();
}

static void make_gate(unsigned vector, unsigned flags, uint64_t at)
{
    idt[(size_t)vector * 2] =
        (at & 0xffff) | UINT64_C(0x08) << 16 | (uint64_t)flags << 40 | (at >> 16 & 0xffff) << 48;
    idt[(size_t)vector * 2 + 1] = at >> 32;
}

static void make_task(struct cpu *cpu)
{
    const uint64_t at = (uint64_t)&cpu->tss, stack = (uint64_t)cpu + STACK_INTERRUPTS;
    const size_t entry = TSS_SELECTOR / 8 + (size_t)cpu->index * 2;

    cpu->tss.words[1] = (uint32_t)stack; /* RSP0 */
    cpu->tss.words[2] = (uint32_t)(stack >> 32);
    cpu->tss.words[25] = (uint32_t)sizeof(cpu->tss) << 16; /* no I/O bit map */
    gdt[entry] = (sizeof(cpu->tss) - 1) | (at & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
                 (at >> 24 & 0xff) << 56;
    gdt[entry + 1] = at >> 32;
}

/* --- system calls --- */

static void wait_once(const volatile uint32_t *counter, uint32_t seen, uint64_t until_tsc)
{
    if (until_tsc != 0) {
        const uint64_t now = tsc_read();

        if (now >= until_tsc)
            return;
        if (until_tsc - now > guest.tsc_khz * 1000) /* a second is enough for one wait */
            until_tsc = now + guest.tsc_khz * 1000;
        kernel_apic_timer((uint32_t)(scale(until_tsc - now, guest.apic_khz, guest.tsc_khz) + 1));
    }
    if (counter == NULL || *counter == seen)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    if (until_tsc != 0)
        kernel_apic_timer(0);
}

static struct cpu *this_cpu(void)
{
    uint64_t sp;

    __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
    return (struct cpu *)(sp & ~(uint64_t)(CPU_BLOCK_BYTES - 1));
}

uint64_t kernel_call(uint64_t a, uint64_t b, uint64_t c, uint64_t number)
{
    switch (number) {
    case CALL_IN:
        return io_in((uint16_t)a, (unsigned)b);
    case CALL_OUT:
        io_out((uint16_t)a, (unsigned)b, (uint32_t)c);
        return 0;
    case CALL_WRITE:
        kernel_write((const char *)a, b);
        return 0;
    case CALL_READ:
        return read_byte();
    case CALL_WAIT:
        wait_once((const volatile uint32_t *)a, (uint32_t)b, c);
        return 0;
    case CALL_WAKE:
        kernel_apic_send(cpu_blocks[a].cpu.apic_id, VECTOR_WAKE);
        return 0;
    case CALL_TSC:
        return tsc_read();
    case CALL_TRIPLE_FAULT: {
        const struct {
            uint16_t limit;
            uint64_t at;
        } __attribute__((packed)) none = { 0, 0 };

        __asm__ volatile("lidt %0; ud2" : : "m"(none));
        return 0;
    }
    case CALL_EXIT:
        leave_user(this_cpu());
    default:
        kernel_fatal("no such call", NULL);
    }
}

/* --- processors --- */

static void begin_cpu(struct cpu *cpu, unsigned index)
{
    cpu->index = index;
    make_task(cpu);
    load_tables((uint16_t)(TSS_SELECTOR + index * 16));
    kernel_apic_here(cpu);
}

static void run_job(struct cpu *cpu, job_fn run, void *argument)
{
    enter_user(cpu, run, argument, (uint8_t *)cpu + STACK_TOP);
}

void kernel_processor(struct cpu *cpu, unsigned index)
{
    if (index != 0) {
        begin_cpu(cpu, index);
        kernel_clock_here(cpu);
        cpu->alive = 1;
    } else {
        run_job(cpu, program_main, NULL);
        kernel_fatal("ring 3 has ended", NULL);
    }
    for (;;) {
        while (cpu->job_done == cpu->job_given)
            __asm__ volatile("sti; hlt; cli" : : : "memory");
        run_job(cpu, cpu->job, cpu->argument);
        __atomic_store_n(&cpu->job_done, cpu->job_done + 1, __ATOMIC_SEQ_CST);
    }
}

void kernel_main(uint64_t start_info_at)
{
    const struct start_info *info = (const struct start_info *)start_info_at;
    uint32_t ids[GUEST_CPUS];
    unsigned count;

    if (info->magic != INFO_MAGIC || info->version < 1)
        kernel_fatal("no start info with a memory map", NULL);
    io_out(0x21, 1, 0xff); /* both PICs: nothing */
    io_out(0xa1, 1, 0xff);
    io_out(SERIAL + 1, 1, 0);
    io_out(SERIAL + 2, 1, 1); /* FIFO */
    if (info->command_at != 0)
        for (unsigned i = 0; i < GUEST_COMMAND_BYTES - 1; i++) {
            guest.command[i] = ((const char *)info->command_at)[i];
            if (guest.command[i] == '\0')
                break;
        }
    for (unsigned vector = 0; vector < VECTORS; vector++)
        make_gate(vector, GATE_PRESENT, (uint64_t)(interrupt_entries + (size_t)vector * 16));
    make_gate(VECTOR_CALL, GATE_PRESENT, (uint64_t)system_entry);
    begin_cpu(&cpu_blocks[0].cpu, 0);
    cpu_blocks[0].cpu.alive = 1;
    count = kernel_acpi(info->rsdp_at, ids);
    kernel_memory(info->map_at, info->map_entries);
    kernel_clock();
    kernel_clock_here(&cpu_blocks[0].cpu);
    guest.cpus = count;
    kernel_apic_start(ids, count);
}
