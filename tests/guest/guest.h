/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test guest: what its two halves share. A small kernel (kernel*.c, start.S) runs in ring 0 and
 * does as little as it can, everything else (ring 3) does the work: where KVM has no hardware below
 * it, ring 0 is emulated and a thousand times slower. Both are in one address space, in which all
 * memory is where it is (identity), and trust each other. No code of the product is in here.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GUEST_CPUS = 16,
    GUEST_RANGES = 16,
    GUEST_COMMAND_BYTES = 4096,
    GUEST_PAGE = 4096,
    CPU_BLOCK_BYTES = 32768, /* start.S */
    VECTORS = 256,
};

/* An exception that is a system call, and vectors of the local APIC; those of message signalled
 * interrupts are from VECTOR_MSI on. */
enum {
    VECTOR_CALL = 6,
    VECTOR_TIMER = 0x40,
    VECTOR_WAKE = 0x41,
    VECTOR_MSI = 0x50,
    VECTOR_SPURIOUS = 0xff
};

/* What a processor is to do in ring 3, from its own stack. */
typedef void (*job_fn)(void *argument, unsigned cpu);

/* KVM's clock as the host writes it (Linux, Documentation/virt/kvm/x86/msr.rst). */
struct kvm_clock {
    uint32_t version, pad;
    uint64_t tsc, ns;
    uint32_t multiplier;
    int8_t shift;
    uint8_t flags, pad2[2];
};

/* Task state segment of long mode (Intel SDM 3A 8.7). */
struct tss {
    uint32_t words[26];
};

/* One processor: it is at the start of its block, behind which its stacks are. */
struct cpu {
    uint64_t kernel_sp; /* start.S: where leave_user() goes back to */
    uint32_t index, apic_id;
    volatile uint32_t alive;
    volatile uint32_t job_given, job_done; /* numbers of jobs; equal: idle */
    job_fn job;
    void *argument;
    struct kvm_clock clock __attribute__((aligned(64)));
    struct tss tss;
};

struct cpu_block {
    struct cpu cpu;
    uint8_t stacks[CPU_BLOCK_BYTES - sizeof(struct cpu)];
};

/* Memory that the programs may use: whole pages. */
struct range {
    uint64_t at, bytes;
};

/* What the kernel found, complete before ring 3 begins; but for the counters nothing changes. */
struct guest {
    unsigned cpus;
    unsigned range_count;
    struct range ranges[GUEST_RANGES]; /* usable by the programs */
    uint64_t memory_bytes;             /* all of the machine's, as its map says */
    uint64_t high_bytes;               /* of this above 4 GiB */
    uint32_t *generations;             /* one a page of the ranges; 0: never written */
    uint64_t pages;                    /* in the ranges */
    uint64_t tsc_khz, apic_khz;
    bool kvm_clock;
    uint16_t pm_timer_port; /* 0: none */
    uint16_t pm_event_port, pm_enable_port, pm_control_port;
    uint16_t pm_s5; /* SLP_TYP, at its place */
    char command[GUEST_COMMAND_BYTES];
    volatile uint32_t interrupts[VECTORS];
};

extern struct guest guest;
extern struct cpu_block cpu_blocks[GUEST_CPUS];

#endif
