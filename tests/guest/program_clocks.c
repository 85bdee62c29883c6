/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clocks: neither the time stamp counter nor KVM's clock goes back, on one processor or from one to
 * the next, and both run as fast as the timers of the board (8254, and ACPI 6.4, 4.8.3.3).
 */
#include "tests/guest/call.h"
#include "tests/guest/program.h"

enum { PM_HZ = 3579545, PM_MASK = 0xffffff, PIT_HZ = 1193182 };
enum { PIT_CHANNEL2 = 0x42, PIT_ORDER = 0x43, PIT_GATE = 0x61 };
enum { READINGS = 8, TRIES = 100 };
#define MILLION UINT64_C(1000000)

struct clock_check {
    uint64_t end_tsc;
    volatile uint32_t lock, stop;
    /* under the lock */
    uint64_t last_tsc, last_ns, looks, tsc_backs, ns_backs, tsc_back_most, ns_back_most;
};

static void lock(volatile uint32_t *word)
{
    while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE) != 0)
        __asm__ volatile("pause");
}

static void unlock(volatile uint32_t *word)
{
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

static void compare(uint64_t now, uint64_t *last, uint64_t *backs, uint64_t *most)
{
    if (now < *last) {
        (*backs)++;
        if (*last - now > *most)
            *most = *last - now;
    }
    *last = now;
}

static void watch_clocks(void *argument, unsigned cpu)
{
    struct clock_check *check = argument;

    while (check->stop == 0) {
        uint64_t now;

        lock(&check->lock);
        now = tsc_read();
        compare(now, &check->last_tsc, &check->tsc_backs, &check->tsc_back_most);
        if (guest.kvm_clock)
            compare(kvm_clock_ns(&cpu_at(cpu)->clock), &check->last_ns, &check->ns_backs,
                    &check->ns_back_most);
        check->looks++;
        unlock(&check->lock);
        if (now >= check->end_tsc || (cpu == 0 && was_told_to_stop()))
            check->stop = 1;
    }
}

/* --- how fast --- */

static uint64_t kvm_ns(void)
{
    return guest.kvm_clock ? kvm_clock_ns(&cpu_at(0)->clock) : 0;
}

/* The counter's rate by `ticks` of a timer of `hz`, kHz. */
static uint64_t khz(uint64_t tsc, uint64_t ticks, uint64_t hz)
{
    return scale(tsc, hz, ticks * 1000);
}

static uint32_t pm_count(void)
{
    return call_in(guest.pm_timer_port, 4) & PM_MASK;
}

static uint32_t pit_count(void)
{
    uint32_t low;

    call_out(PIT_ORDER, 1, 0x80); /* latch channel 2 */
    low = call_in(PIT_CHANNEL2, 1);
    return 0xffff - (low | call_in(PIT_CHANNEL2, 1) << 8);
}

/* Counters at one moment: of some readings the one that took least, for the host may be busy. */
struct moment {
    uint64_t tsc, ns;
    uint32_t ticks;
};

static struct moment read_moment(uint32_t (*count)(void))
{
    struct moment best = { 0 };
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < READINGS; i++) {
        const uint64_t before = tsc_read();
        const uint32_t ticks = count();
        const uint64_t took = tsc_read() - before;

        if (took >= least)
            continue;
        least = took;
        best = (struct moment) { before + took / 2, kvm_ns(), ticks };
    }
    return best;
}

/* 200 ms of it. */
static void by_pm_timer(struct line *line)
{
    const struct moment first = read_moment(pm_count);
    const uint64_t until = first.tsc + tsc_of_us(200000);
    struct moment last;
    uint32_t ticks;

    while (tsc_read() < until)
        call_wait(NULL, 0, until);
    last = read_moment(pm_count);
    ticks = (last.ticks - first.ticks) & PM_MASK;
    line_number(line, "tsc_khz_by_pm", khz(last.tsc - first.tsc, ticks, PM_HZ));
    if (guest.kvm_clock)
        line_number(line, "kvmclock_ppm_of_pm",
                    scale(last.ns - first.ns, PM_HZ, ticks * UINT64_C(1000)));
}

/* Its channel 2 counts down from FFFFh, once around in 55 ms. */
static void measure_pit(struct moment *first, struct moment *last)
{
    uint64_t until;

    call_out(PIT_GATE, 1, (call_in(PIT_GATE, 1) & 0xfc) | 1);
    call_out(PIT_ORDER, 1, 0xb0); /* both bytes, mode 0 */
    call_out(PIT_CHANNEL2, 1, 0xff);
    call_out(PIT_CHANNEL2, 1, 0xff);
    *first = read_moment(pit_count);
    until = first->tsc + tsc_of_us(30000);
    while (tsc_read() < until)
        __asm__ volatile("pause");
    *last = read_moment(pit_count);
}

/* 30 ms of it; again, if the host was busy meanwhile. */
static void by_pit(struct line *line)
{
    struct moment first, last;
    unsigned tries = 0;

    do
        measure_pit(&first, &last);
    while (last.tsc - first.tsc > tsc_of_us(45000) && ++tries < TRIES);
    line_number(line, "tsc_khz_by_pit",
                khz(last.tsc - first.tsc, (last.ticks - first.ticks) & 0xffff, PIT_HZ));
}

/* The counter that ring 0 sees is that of ring 3, which may be the host's own. */
static void between_rings(struct line *line)
{
    const uint64_t before = tsc_read(), ring0 = call_kernel(CALL_TSC, 0, 0, 0), after = tsc_read();

    line_number(line, "ring0_between", before <= ring0 && ring0 <= after);
}

/* clocks [seconds=N] [cpus=N] */
void program_clocks(const char *command)
{
    struct clock_check check = { 0 };
    const unsigned cpus = (unsigned)word_number(command, "cpus", guest.cpus);
    struct line line;

    check.end_tsc = tsc_read() + tsc_of_us(word_number(command, "seconds", 1) * MILLION);
    run_on(cpus, watch_clocks, &check);
    line_begin(&line, "clocks");
    line_number(&line, "cpus", cpus < guest.cpus ? cpus : guest.cpus);
    line_number(&line, "looks", check.looks);
    line_number(&line, "tsc_back", check.tsc_backs);
    line_number(&line, "tsc_back_most", check.tsc_back_most);
    if (guest.kvm_clock) {
        line_number(&line, "kvmclock_back", check.ns_backs);
        line_number(&line, "kvmclock_back_most_ns", check.ns_back_most);
    }
    line_number(&line, "tsc_khz", guest.tsc_khz);
    if (guest.pm_timer_port != 0)
        by_pm_timer(&line);
    by_pit(&line);
    between_rings(&line);
    say(&line);
}
