/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A unit test program: cases in a table, run as one CUnit suite, reported as TAP. The program
 * defines unit_cases[], ended by an entry without a name; main() is in libunit.a.
 *   static void reads_past_end(void) { CU_ASSERT_EQUAL(...); }
 *   const struct unit_case unit_cases[] = { { "a read past the end fails", reads_past_end }, { 0 }
 * };
 */
#ifndef UNIT_H
#define UNIT_H

#include <CUnit/CUnit.h>

struct unit_case {
    const char *name;
    void (*run)(void);
};

/* Defined by each test program; the last entry has a NULL name. */
extern const struct unit_case unit_cases[];

/* Report the running case as skipped, for `reason` (a literal); the case then returns by itself. */
void unit_skip(const char *reason);

#endif
