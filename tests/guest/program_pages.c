/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in a page: 512 words that all depend on where it is and on its generation, so that a page
 * that is old, another one's, or half written shows. fill, check and spoil. Pages that no program
 * has written (generation 0) may hold anything.
 */
#include "tests/guest/call.h"
#include "tests/guest/program.h"

enum { WORDS = GUEST_PAGE / 8, CHUNK = 256 };
#define STEP UINT64_C(0xbf58476d1ce4e5b9)

uint64_t *page_at(uint64_t page)
{
    for (unsigned i = 0; i < guest.range_count; i++) {
        const uint64_t pages = guest.ranges[i].bytes / GUEST_PAGE;

        if (page < pages)
            return (uint64_t *)(guest.ranges[i].at + page * GUEST_PAGE);
        page -= pages;
    }
    return NULL;
}

static uint64_t first_word(const uint64_t *at, uint32_t generation)
{
    return mix((uint64_t)at ^ mix(generation));
}

void page_write(uint64_t page, uint32_t generation)
{
    volatile uint64_t *at = page_at(page); /* volatile: word by word, as a guest writes */
    uint64_t word = first_word((const uint64_t *)at, generation);

    for (unsigned i = 0; i < WORDS; i++, word += STEP)
        at[i] = word;
    guest.generations[page] = generation;
}

bool page_is(uint64_t page, uint32_t generation)
{
    const volatile uint64_t *at = page_at(page);
    uint64_t word = first_word((const uint64_t *)at, generation), wrong = 0;

    for (unsigned i = 0; i < WORDS; i++, word += STEP)
        wrong |= at[i] ^ word;
    return wrong == 0;
}

/* --- fill, check: the processors take chunks of pages in turn --- */

struct sweep {
    uint32_t generation; /* to write; 0: check */
    volatile uint64_t next, pages, wrong, first_wrong;
};

static void check_page(struct sweep *sweep, uint64_t page)
{
    const uint32_t generation = guest.generations[page];
    uint64_t first = sweep->first_wrong;

    if (generation == 0)
        return;
    __atomic_fetch_add(&sweep->pages, 1, __ATOMIC_SEQ_CST);
    if (page_is(page, generation))
        return;
    __atomic_fetch_add(&sweep->wrong, 1, __ATOMIC_SEQ_CST);
    while (page < first && !__atomic_compare_exchange_n(&sweep->first_wrong, &first, page, false,
                                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

static void sweep_some(void *argument, unsigned cpu)
{
    struct sweep *sweep = argument;

    (void)cpu;
    for (;;) {
        const uint64_t first = __atomic_fetch_add(&sweep->next, CHUNK, __ATOMIC_SEQ_CST);

        if (first >= guest.pages)
            return;
        for (uint64_t page = first; page < first + CHUNK && page < guest.pages; page++)
            if (sweep->generation == 0) {
                check_page(sweep, page);
            } else {
                page_write(page, sweep->generation);
                __atomic_fetch_add(&sweep->pages, 1, __ATOMIC_SEQ_CST);
            }
    }
}

static void say_sweep(const struct sweep *sweep, const char *event, uint64_t took_tsc)
{
    struct line line;

    line_begin(&line, event);
    line_number(&line, "pages", sweep->pages);
    if (sweep->generation != 0)
        line_number(&line, "generation", sweep->generation);
    else
        line_number(&line, "wrong", sweep->wrong);
    if (sweep->wrong != 0) {
        const uint64_t *at = page_at(sweep->first_wrong);

        line_number(&line, "first_wrong", sweep->first_wrong);
        line_hex(&line, "at", (uint64_t)at);
        line_number(&line, "wanted_generation", guest.generations[sweep->first_wrong]);
        line_hex(&line, "wanted", first_word(at, guest.generations[sweep->first_wrong]));
        line_hex(&line, "is", at[0]);
    }
    line_number(&line, "us", us_of_tsc(took_tsc));
    say(&line);
}

/* fill [generation=N]: every page of memory, generation 1 or N */
void program_fill(const char *command)
{
    struct sweep sweep = { .generation = (uint32_t)word_number(command, "generation", 1),
                           .first_wrong = UINT64_MAX };
    const uint64_t began = tsc_read();

    if (others_are_busy()) {
        say_busy("fill");
        return;
    }
    if (sweep.generation == 0)
        sweep.generation = 1;
    run_on(guest.cpus, sweep_some, &sweep);
    say_sweep(&sweep, "filled", tsc_read() - began);
}

/* spoil [page=N] [bit=N]: turns one bit over behind everybody's back, to see that check sees it */
void program_spoil(const char *command)
{
    const uint64_t bit = word_number(command, "bit", 0);
    uint64_t *at = page_at(word_number(command, "page", 0));

    if (at != NULL)
        at[bit / 64 % WORDS] ^= UINT64_C(1) << (bit % 64);
}

/* check: every page that was written holds what was written last */
void program_check(const char *command)
{
    struct sweep sweep = { .first_wrong = UINT64_MAX };
    const uint64_t began = tsc_read();

    (void)command;
    if (others_are_busy()) {
        say_busy("check");
        return;
    }
    run_on(guest.cpus, sweep_some, &sweep);
    say_sweep(&sweep, "checked", tsc_read() - began);
}
