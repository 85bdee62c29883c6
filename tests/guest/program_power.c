/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * off, reset, panic, and the power button: how a machine ends.
 */
#include "tests/guest/call.h"
#include "tests/guest/program.h"

enum {
    POWER_BUTTON = 0x100,
    SLP_EN = 0x2000,
    PANIC_PORT = 0x505,
    PANICKED = 1,
    RESET_CONTROL = 0xcf9
};
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

/* --- the power button (ACPI 6.4, 4.8.2.2.1) --- */

static bool ignores_button; /* the first processor's alone */

void power_begin(void)
{
    if (guest.pm_event_port != 0)
        call_out(guest.pm_enable_port, 2, POWER_BUTTON); /* nobody takes the interrupt */
}

bool power_button_was_pressed(void)
{
    struct line line;

    if (guest.pm_event_port == 0 || (call_in(guest.pm_event_port, 2) & POWER_BUTTON) == 0)
        return false;
    call_out(guest.pm_event_port, 2, POWER_BUTTON); /* seen */
    line_begin(&line, "button");
    line_number(&line, "ignored", ignores_button);
    say(&line);
    return !ignores_button;
}

/* button [do=off|ignore]: what follows when it is pressed */
void program_button(const char *command)
{
    ignores_button = word_is(word_value(command, "do"), "ignore");
}

/* panic: the host is told, and the guest goes on */
void program_panic(const char *command)
{
    (void)command;
    call_out(PANIC_PORT, 1, PANICKED);
}
