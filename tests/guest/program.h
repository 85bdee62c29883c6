/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ring 3 of the test guest: programs, which are commands on the kernel's command line or the serial
 * port, and what they share. All say what they found in lines of base.h.
 */
#ifndef GUEST_PROGRAM_H
#define GUEST_PROGRAM_H

#include "tests/guest/base.h"

/* The first processor's job: commands, for ever. */
void program_main(void *unused, unsigned unused_cpu);

struct program {
    const char *name;
    /* `command` are its words. */
    void (*run)(const char *command);
};

/* --- program_main.c --- */

void say(struct line *line); /* end it and write it, whole */
/* Before a program that ends when it is told to: from now on it can be. */
void say_running(const char *name);
/* Each processor below `cpus` (at most guest.cpus) does it, this one too; back when all have. */
void run_on(unsigned cpus, job_fn run, void *argument);
/* The other processors do it while this one goes on; run_on() then has this one only. False: there
 * are none, or they are busy. Whoever ends it sees to it that it ends, and then waits for that. */
bool start_others(job_fn run, void *argument);
bool others_are_busy(void);
void end_others(void);
/* A program cannot run, for the others are busy. */
void say_busy(const char *name);
/* A line has come on the serial port: whoever runs without an end stops. Asks the port at most
 * every 10 ms. */
bool was_told_to_stop(void);
struct cpu *cpu_at(unsigned index);

/* --- time by the time stamp counter --- */

uint64_t tsc_of_us(uint64_t us);
uint64_t us_of_tsc(uint64_t tsc);
uint64_t ns_of_tsc(uint64_t tsc);

/* --- pages: 0 to guest.pages - 1 (program_pages.c) --- */

uint64_t *page_at(uint64_t page);
void page_write(uint64_t page, uint32_t generation);
bool page_is(uint64_t page, uint32_t generation);

/* --- program_power.c --- */

void power_begin(void);
/* Since it was asked last, and it is to switch the machine off. */
bool power_button_was_pressed(void);

/* --- the programs --- */

void program_fill(const char *command);
void program_check(const char *command);
void program_spoil(const char *command);
void program_dirty(const char *command);
void program_dirtyend(const char *command);
void program_beats(const char *command);
void program_clocks(const char *command);
void program_pci(const char *command);
void program_entropy(const char *command);
void program_diskwrite(const char *command);
void program_diskverify(const char *command);
void program_netecho(const char *command);
void program_netping(const char *command);
void program_off(const char *command);
void program_reset(const char *command);
void program_button(const char *command);
void program_panic(const char *command);

#endif
