/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main() of every unit test program: runs unit_cases[] under CUnit, one CUnit test at a time, and
 * reports each as a line of TAP (testanything.org) with the failed assertions above it as comments.
 * An argument picks the cases whose name contains it.
 */
#include <config.h>

#include "tests/unit/unit.h"

#include <CUnit/TestDB.h>
#include <CUnit/TestRun.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *skip_reason;

void unit_skip(const char *reason)
{
    skip_reason = reason;
}

/* Run one case; true unless an assertion failed or CUnit could not run it. */
static bool run_case(CU_pSuite suite, CU_pTest test, const struct unit_case *unit_case,
                     unsigned number)
{
    bool passed;

    skip_reason = NULL;
    passed = CU_run_test(suite, test) == CUE_SUCCESS && CU_get_number_of_failures() == 0;
    for (CU_pFailureRecord failure = CU_get_failure_list(); failure; failure = failure->pNext)
        printf("# %s:%u: %s\n", failure->strFileName ? failure->strFileName : "?",
               failure->uiLineNumber, failure->strCondition ? failure->strCondition : "?");
    printf("%s %u - %s%s%s\n", passed ? "ok" : "not ok", number, unit_case->name,
           passed && skip_reason ? " # SKIP " : "", passed && skip_reason ? skip_reason : "");
    (void)fflush(stdout);
    return passed;
}

static bool is_wanted(const struct unit_case *unit_case, const char *part)
{
    return !part || strstr(unit_case->name, part) != NULL;
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : NULL;
    unsigned planned = 0, number = 0, failed = 0;
    CU_pSuite suite;

    for (const struct unit_case *c = unit_cases; c->name; c++)
        planned += is_wanted(c, part) ? 1 : 0;
    if (CU_initialize_registry() != CUE_SUCCESS || !(suite = CU_add_suite("unit", NULL, NULL))) {
        printf("Bail out! CUnit: %s\n", CU_get_error_msg());
        return 1;
    }
    CU_set_error_action(CUEA_IGNORE);
    printf("1..%u\n", planned);
    for (const struct unit_case *c = unit_cases; c->name; c++) {
        CU_pTest test;

        if (!is_wanted(c, part))
            continue;
        test = CU_add_test(suite, c->name, c->run);
        if (!test) {
            printf("Bail out! CUnit: %s: %s\n", c->name, CU_get_error_msg());
            return 1;
        }
        failed += run_case(suite, test, c, ++number) ? 0 : 1;
    }
    CU_cleanup_registry();
    return failed > 0 ? 1 : 0;
}
