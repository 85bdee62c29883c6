/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fails the n-th allocation of the code under test (malloc, calloc, realloc, reallocarray, strdup,
 * strndup, posix_memalign, aligned_alloc; not those made inside shared libraries). The loop fails
 * call 0, 1, 2 ... until none is left to fail:
 *   for (unsigned n = 0;; n++) {
 *       fail_alloc_arm(n);
 *       int rc = claim(...);
 *       if (!fail_alloc_disarm()) { CU_ASSERT_EQUAL(rc, 0); break; }
 *       CU_ASSERT_EQUAL(rc, -ENOMEM);
 *   }
 */
#ifndef FAIL_ALLOC_H
#define FAIL_ALLOC_H

#include <stdbool.h>

/* From now on let `n` allocations succeed and fail the one after. */
void fail_alloc_arm(unsigned n);
/* The whole loop, for a `make` that takes nothing: -ENOMEM each time, then 0. How many failed. */
unsigned fail_alloc_each(int (*make)(void));
/* Stop failing. True if an allocation has been failed since it was armed. */
bool fail_alloc_disarm(void);

#endif
