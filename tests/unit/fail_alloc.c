/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation calls of the objects linked into a unit test come here (ld --wrap, see configure.ac)
 * and go on to the C library unless it is their turn to fail. Not for threads.
 */
#include <config.h>

#include "tests/unit/fail_alloc.h"

#include <errno.h>
#include <stddef.h>

#include "tests/unit/unit.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
int __real_posix_memalign(void **ret_memory, size_t alignment, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_posix_memalign(void **ret_memory, size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool is_armed, has_fired;
static unsigned left;

void fail_alloc_arm(unsigned n)
{
    is_armed = true;
    has_fired = false;
    left = n;
}

bool fail_alloc_disarm(void)
{
    is_armed = false;
    return has_fired;
}

unsigned fail_alloc_each(int (*make)(void))
{
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = make();
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            return n;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
}

static bool is_its_turn(void)
{
    if (!is_armed || has_fired)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    has_fired = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_its_turn() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_its_turn() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_its_turn() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return is_its_turn() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return is_its_turn() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return is_its_turn() ? NULL : __real_strndup(text, size);
}

int __wrap_posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
    return is_its_turn() ? ENOMEM : __real_posix_memalign(ret_memory, alignment, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return is_its_turn() ? NULL : __real_aligned_alloc(alignment, size);
}
