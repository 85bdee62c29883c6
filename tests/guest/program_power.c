/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * off, reset, panic: how a machine ends.
 */
#include "tests/guest/call.h"
#include "tests/guest/program.h"

enum { SLP_EN = 0x2000, PANIC_PORT = 0x505, PANICKED = 1, RESET_CONTROL = 0xcf9 };
enum { END_US = 5000000 };

static void say_ending(const char *how)
{
    struct line line;

    line_begin(&line, "ending");
    line_text(&line, "how", how);
    say(&line);
}

/* The machine may take a moment to end. */
static void wait_for_end(void)
{
    const uint64_t until = tsc_read() + tsc_of_us(END_US);
    struct line line;

    while (tsc_read() < until)
        call_wait(NULL, 0, until);
    line_begin(&line, "still");
    say(&line);
}

/* off: by ACPI, into S5 */
void program_off(const char *command)
{
    (void)command;
    say_ending("off");
    call_out(guest.pm_control_port, 2, guest.pm_s5 | SLP_EN);
    wait_for_end();
}

/* reset [by=control|keyboard|port92|fault] */
void program_reset(const char *command)
{
    const char *by = word_value(command, "by");

    say_ending("reset");
    if (word_is(by, "keyboard")) {
        call_out(0x64, 1, 0xfe);
    } else if (word_is(by, "port92")) {
        call_out(0x92, 1, 1);
    } else if (word_is(by, "fault")) {
        (void)call_kernel(CALL_TRIPLE_FAULT, 0, 0, 0);
    } else {
        call_out(RESET_CONTROL, 1, 2);
        call_out(RESET_CONTROL, 1, 6);
    }
    wait_for_end();
}

/* panic: the host is told, and the guest goes on */
void program_panic(const char *command)
{
    (void)command;
    call_out(PANIC_PORT, 1, PANICKED);
}
