/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty: pages are written at a given rate, each after a look at what it holds; as a guest does
 * that is saved or moved while it runs.
 */
#include "tests/guest/call.h"
#include "tests/guest/program.h"

struct dirty {
    unsigned first_cpu, cpus;
    bool random, checks;
    uint64_t first, pages;   /* the working set */
    uint64_t pages_a_second; /* of each processor; 0: as fast as it can */
    uint64_t end_tsc;        /* 0: until it is told to stop */
    uint64_t began_tsc;
    volatile uint32_t stop;
    volatile uint64_t written, wrong, first_wrong, longest_tsc;
};

static struct dirty background; /* what the other processors do, between dirty and dirtyend */

static void raise_to(volatile uint64_t *most, uint64_t value)
{
    uint64_t seen = *most;

    while (value > seen && !__atomic_compare_exchange_n(most, &seen, value, false, __ATOMIC_SEQ_CST,
                                                        __ATOMIC_SEQ_CST))
        ;
}

/* A page that only this processor writes: every cpus-th of the working set. */
static uint64_t choose(const struct dirty *dirty, unsigned cpu, uint64_t turn, uint64_t *random)
{
    const uint64_t mine = (dirty->pages - cpu + dirty->cpus - 1) / dirty->cpus;

    if (dirty->random)
        turn = random_next(random);
    return dirty->first + turn % mine * dirty->cpus + cpu;
}

static void dirty_page(struct dirty *dirty, uint64_t page)
{
    const uint32_t generation = guest.generations[page];

    if (dirty->checks && generation != 0 && !page_is(page, generation)) {
        if (__atomic_fetch_add(&dirty->wrong, 1, __ATOMIC_SEQ_CST) == 0)
            dirty->first_wrong = page;
    }
    page_write(page, generation + 1 == 0 ? 1 : generation + 1);
    __atomic_fetch_add(&dirty->written, 1, __ATOMIC_SEQ_CST);
}

static bool is_over(struct dirty *dirty, unsigned processor, uint64_t now)
{
    if (dirty->end_tsc != 0 && now >= dirty->end_tsc)
        return true;
    if (processor == 0 && was_told_to_stop())
        dirty->stop = 1;
    return dirty->stop != 0;
}

static void dirty_some(void *argument, unsigned processor)
{
    struct dirty *dirty = argument;
    const unsigned cpu = processor - dirty->first_cpu;
    const uint64_t began = tsc_read();
    uint64_t random = cpu + 1, now = began, before = began;

    if (cpu >= dirty->pages)
        return;
    for (uint64_t turn = 0; !is_over(dirty, processor, now); turn++) {
        const uint64_t due = dirty->pages_a_second == 0
                                 ? now
                                 : began + scale(turn, guest.tsc_khz * 1000, dirty->pages_a_second);

        while (now < due && !is_over(dirty, processor, now)) {
            call_wait(NULL, 0, due);
            now = before = tsc_read();
        }
        dirty_page(dirty, choose(dirty, cpu, turn, &random));
        now = tsc_read();
        raise_to(&dirty->longest_tsc, now - before);
        before = now;
    }
}

static void say_dirtied(const struct dirty *dirty)
{
    struct line line;

    line_begin(&line, "dirtied");
    line_number(&line, "written", dirty->written);
    line_number(&line, "pages", dirty->pages);
    line_hex(&line, "at", (uint64_t)page_at(dirty->first));
    line_number(&line, "wrong", dirty->wrong);
    if (dirty->wrong != 0)
        line_number(&line, "first_wrong", dirty->first_wrong);
    line_number(&line, "longest_us", us_of_tsc(dirty->longest_tsc));
    line_number(&line, "us", us_of_tsc(tsc_read() - dirty->began_tsc));
    say(&line);
}

static struct dirty read_words(const char *command, unsigned first_cpu)
{
    const unsigned most = guest.cpus - first_cpu;
    const uint64_t mb_pages = (1 << 20) / GUEST_PAGE;
    struct dirty dirty = { .first_cpu = first_cpu,
                           .cpus = (unsigned)word_number(command, "cpus", most),
                           .random = word_is(word_value(command, "mode"), "random"),
                           .checks = word_number(command, "check", 1) != 0,
                           .first = word_number(command, "at_mb", 0) * mb_pages,
                           .pages = word_number(command, "mb", 0) * mb_pages,
                           .began_tsc = tsc_read() };

    if (dirty.cpus == 0 || dirty.cpus > most || first_cpu != 0)
        dirty.cpus = most;
    if (dirty.first >= guest.pages)
        dirty.first = 0;
    if (dirty.pages == 0 || dirty.pages > guest.pages - dirty.first)
        dirty.pages = guest.pages - dirty.first;
    dirty.pages_a_second = word_number(command, "rate", 0) * mb_pages / dirty.cpus;
    return dirty;
}

/*
 * dirty [mode=seq|random] [mb=N] [at_mb=N] [rate=MB/s] [seconds=N] [check=0|1] [cpus=N]: each page
 * goes on to its next generation, after a look at what it holds. mb=0: all memory; rate=0: as fast
 * as it can; seconds=0: until a line comes. With background=1 all other processors do it until
 * dirtyend.
 */
void program_dirty(const char *command)
{
    const uint64_t seconds = word_number(command, "seconds", 1);
    struct dirty dirty;

    if (others_are_busy() || (word_number(command, "background", 0) != 0 && guest.cpus < 2)) {
        say_busy("dirty");
        return;
    }
    if (word_number(command, "background", 0) != 0) {
        background = read_words(command, 1);
        (void)start_others(dirty_some, &background);
        return;
    }
    dirty = read_words(command, 0);
    dirty.end_tsc = seconds == 0 ? 0 : dirty.began_tsc + tsc_of_us(seconds * 1000000);
    if (seconds == 0)
        say_running("dirty");
    run_on(dirty.cpus, dirty_some, &dirty);
    say_dirtied(&dirty);
}

/* dirtyend: the other processors have done enough */
void program_dirtyend(const char *command)
{
    (void)command;
    if (!others_are_busy())
        return;
    background.stop = 1;
    end_others();
    say_dirtied(&background);
}
