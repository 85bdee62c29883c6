/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * beats: every millisecond a page of a working set is touched, at random; how late that was, as a
 * histogram, and the longest gap between two of them. What a guest feels when its host pauses it,
 * moves it or is slow.
 */
#include "tests/guest/call.h"
#include "tests/guest/program.h"

enum { BUCKETS = 16, WORDS = GUEST_PAGE / 8 };

struct beats {
    uint64_t first, pages, beats, longest_tsc, longest_ns, longest_at_us;
    uint64_t buckets[BUCKETS]; /* late by less than 2^(n+6) us: 64 us, 128 us ... and the rest */
    uint64_t wrong;
};

static void count_late(struct beats *beats, uint64_t late_us)
{
    unsigned bucket = 0;

    while (bucket < BUCKETS - 1 && late_us >= UINT64_C(64) << bucket)
        bucket++;
    beats->buckets[bucket]++;
}

/* One word of the page; both what it holds and what comes there are of its pattern's making. */
static void touch(struct beats *beats, uint64_t *random)
{
    const uint64_t page = beats->first + random_next(random) % beats->pages;
    const uint32_t generation = guest.generations[page];

    if (generation != 0 && !page_is(page, generation))
        beats->wrong++;
    page_write(page, generation + 1 == 0 ? 1 : generation + 1);
}

static uint64_t kvm_ns(void)
{
    return guest.kvm_clock ? kvm_clock_ns(&cpu_at(0)->clock) : 0;
}

static void gap(struct beats *beats, uint64_t gap_tsc, uint64_t gap_ns, uint64_t since_tsc)
{
    if (gap_tsc > beats->longest_tsc) {
        beats->longest_tsc = gap_tsc;
        beats->longest_at_us = us_of_tsc(since_tsc);
    }
    if (gap_ns > beats->longest_ns)
        beats->longest_ns = gap_ns;
}

static void beat(struct beats *beats, uint64_t seconds)
{
    const uint64_t began = tsc_read(), every = tsc_of_us(1000);
    uint64_t due = began, last = began, last_ns = kvm_ns(), random = 1;

    while (!was_told_to_stop() && (seconds == 0 || due < began + seconds * 1000 * every)) {
        uint64_t now = tsc_read(), now_ns;

        while (now < due) {
            call_wait(NULL, 0, due);
            now = tsc_read();
        }
        touch(beats, &random);
        now = tsc_read();
        now_ns = kvm_ns();
        count_late(beats, us_of_tsc(now - due));
        gap(beats, now - last, now_ns - last_ns, now - began);
        last = now;
        last_ns = now_ns;
        beats->beats++;
        due += every;
        if (now > due + every) /* those that were missed are not made up for */
            due = now;
    }
}

/* beats [mb=N] [at_mb=N] [seconds=N]; seconds=0: until a line comes. */
void program_beats(const char *command)
{
    static const char *const names[BUCKETS] = {
        "lt64us", "lt128us", "lt256us", "lt512us", "lt1ms",   "lt2ms",   "lt4ms", "lt8ms",
        "lt16ms", "lt32ms",  "lt65ms",  "lt131ms", "lt262ms", "lt524ms", "lt1s",  "more",
    };
    const uint64_t mb_pages = (1 << 20) / GUEST_PAGE;
    const uint64_t seconds = word_number(command, "seconds", 1);
    struct beats beats = { .first = word_number(command, "at_mb", 0) * mb_pages,
                           .pages = word_number(command, "mb", 4) * mb_pages };
    struct line line;

    if (beats.first >= guest.pages)
        beats.first = 0;
    if (beats.pages == 0 || beats.pages > guest.pages - beats.first)
        beats.pages = guest.pages - beats.first;
    if (seconds == 0)
        say_running("beats");
    beat(&beats, seconds);
    line_begin(&line, "beats");
    line_number(&line, "count", beats.beats);
    line_number(&line, "wrong", beats.wrong);
    line_number(&line, "longest_us", us_of_tsc(beats.longest_tsc));
    line_number(&line, "at_us", beats.longest_at_us);
    if (guest.kvm_clock)
        line_number(&line, "longest_kvmclock_us", beats.longest_ns / 1000);
    for (unsigned i = 0; i < BUCKETS; i++)
        if (beats.buckets[i] != 0)
            line_number(&line, names[i], beats.buckets[i]);
    say(&line);
}
