/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the test guest: those of the kernel's command line, separated by semicolons, and then
 * those that come on the serial port, a line each. And how processors share the work.
 */
#include "tests/guest/program.h"

#include "tests/guest/call.h"

enum { INPUT_BYTES = 512, LOOK_US = 10000, IDLE_US = 5000 };

/* The first processor's alone. */
static struct {
    char bytes[INPUT_BYTES];
    unsigned count;
    bool whole; /* a line, terminated */
    uint64_t looked_tsc;
} input;

struct shared_job {
    job_fn run;
    void *argument;
};

/* What the other processors do meanwhile. */
static struct shared_job others;
static bool others_work;

static void program_help(const char *command);

static const struct program programs[] = {
    { "fill", program_fill },
    { "check", program_check },
    { "spoil", program_spoil },
    { "dirty", program_dirty },
    { "dirtyend", program_dirtyend },
    { "beats", program_beats },
    { "clocks", program_clocks },
    { "pci", program_pci },
    { "entropy", program_entropy },
    { "diskwrite", program_diskwrite },
    { "diskverify", program_diskverify },
    { "netecho", program_netecho },
    { "netping", program_netping },
    { "off", program_off },
    { "reset", program_reset },
    { "panic", program_panic },
    { "button", program_button },
    { "help", program_help },
};

/* --- time --- */

uint64_t tsc_of_us(uint64_t us)
{
    return scale(us, guest.tsc_khz, 1000);
}

uint64_t us_of_tsc(uint64_t tsc)
{
    return scale(tsc, 1000, guest.tsc_khz);
}

uint64_t ns_of_tsc(uint64_t tsc)
{
    return scale(tsc, 1000000, guest.tsc_khz);
}

/* --- lines --- */

void say(struct line *line)
{
    line_end(line);
    (void)call_kernel(CALL_WRITE, (uint64_t)line->bytes, line->count, 0);
}

static void look_for_input(void)
{
    while (!input.whole) {
        const uint64_t byte = call_kernel(CALL_READ, 0, 0, 0);

        if (byte == UINT64_MAX && power_button_was_pressed()) {
            memcpy(input.bytes, "off", sizeof("off")); /* as if somebody had written it */
            input.whole = true;
        }
        if (byte == UINT64_MAX)
            return;
        if (byte == '\r')
            continue;
        input.whole = byte == '\n';
        if (input.whole)
            input.bytes[input.count] = '\0';
        else if (input.count < INPUT_BYTES - 1)
            input.bytes[input.count++] = (char)byte;
    }
}

bool was_told_to_stop(void)
{
    const uint64_t now = tsc_read();

    if (!input.whole && us_of_tsc(now - input.looked_tsc) >= LOOK_US) {
        look_for_input();
        input.looked_tsc = now;
    }
    return input.whole;
}

/* What has come was seen. */
static void next_input(void)
{
    input.count = 0;
    input.whole = false;
}

void say_busy(const char *name)
{
    struct line line;

    line_begin(&line, "busy");
    line_text(&line, "command", name);
    say(&line);
}

void say_running(const char *name)
{
    struct line line;

    line_begin(&line, "running");
    line_text(&line, "command", name);
    say(&line);
}

/* --- processors --- */

struct cpu *cpu_at(unsigned index)
{
    return &cpu_blocks[index].cpu;
}

static void other_processor(void *argument, unsigned unused)
{
    const struct shared_job *job = argument;
    uint64_t sp;

    (void)unused;
    __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
    job->run(job->argument, ((struct cpu *)(sp & ~(uint64_t)(CPU_BLOCK_BYTES - 1)))->index);
    (void)call_kernel(CALL_EXIT, 0, 0, 0);
}

static void hand_out(struct shared_job *job, unsigned cpus)
{
    for (unsigned i = 1; i < cpus; i++) {
        struct cpu *cpu = cpu_at(i);

        cpu->job = other_processor;
        cpu->argument = job;
        __atomic_store_n(&cpu->job_given, cpu->job_given + 1, __ATOMIC_SEQ_CST);
        (void)call_kernel(CALL_WAKE, i, 0, 0);
    }
}

static void wait_for(unsigned cpus)
{
    for (unsigned i = 1; i < cpus; i++)
        while (cpu_at(i)->job_done != cpu_at(i)->job_given)
            call_wait(NULL, 0, tsc_read() + tsc_of_us(500));
}

void run_on(unsigned cpus, job_fn run, void *argument)
{
    struct shared_job job = { run, argument };

    if (cpus > guest.cpus)
        cpus = guest.cpus;
    if (others_work)
        cpus = 1;
    hand_out(&job, cpus);
    run(argument, 0);
    wait_for(cpus);
}

bool start_others(job_fn run, void *argument)
{
    if (others_work || guest.cpus < 2)
        return false;
    others = (struct shared_job) { run, argument };
    others_work = true;
    hand_out(&others, guest.cpus);
    return true;
}

bool others_are_busy(void)
{
    return others_work;
}

void end_others(void)
{
    if (others_work)
        wait_for(guest.cpus);
    others_work = false;
}

/* --- commands --- */

static void program_help(const char *command)
{
    struct line line;

    (void)command;
    line_begin(&line, "commands");
    for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        line_text(&line, "name", programs[i].name);
    say(&line);
}

static bool is_program(const char *command, const char *name)
{
    while (*name != '\0' && *command == *name) {
        command++;
        name++;
    }
    return *name == '\0' && (*command == '\0' || *command == ' ' || *command == ';');
}

static void obey(const char *command)
{
    struct line line;

    while (*command == ' ')
        command++;
    if (*command == '\0' || *command == ';' || word_is(command, "stop"))
        return;
    for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (is_program(command, programs[i].name)) {
            programs[i].run(command);
            if (input.whole && word_is(input.bytes, "stop"))
                next_input();
            line_begin(&line, "done");
            line_text(&line, "command", programs[i].name);
            say(&line);
            return;
        }
    line_begin(&line, "unknown");
    say(&line);
}

static void say_ready(void)
{
    struct line line;

    line_begin(&line, "ready");
    line_number(&line, "cpus", guest.cpus);
    line_number(&line, "memory_kb", guest.memory_bytes / 1024);
    line_number(&line, "high_kb", guest.high_bytes / 1024);
    line_number(&line, "pages", guest.pages);
    line_number(&line, "tsc_khz", guest.tsc_khz);
    line_number(&line, "apic_khz", guest.apic_khz);
    line_number(&line, "kvmclock", guest.kvm_clock);
    say(&line);
}

void program_main(void *unused, unsigned unused_cpu)
{
    const char *command = guest.command;

    (void)unused;
    (void)unused_cpu;
    memset(guest.generations, 0, guest.pages * sizeof(*guest.generations));
    power_begin();
    say_ready();
    while (*command != '\0') {
        obey(command);
        while (*command != '\0' && *command != ';')
            command++;
        if (*command == ';')
            command++;
    }
    for (;;) {
        char line[INPUT_BYTES];

        while (!was_told_to_stop())
            call_wait(NULL, 0, tsc_read() + tsc_of_us(IDLE_US));
        memcpy(line, input.bytes, sizeof(line));
        next_input();
        obey(line);
    }
}
