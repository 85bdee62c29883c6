/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_vector: pushes keep order, and a push that fails leaves the vector as it was.
 */
#include <config.h>

#include "common/hw_vector.h"

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdint.h>

struct pair {
    int left;
    int right;
};

static void keeps_order(void)
{
    HW_VECTOR(struct pair) pairs = HW_VECTOR_INIT;

    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(hw_vector_push(&pairs, (struct pair) { i, -i }), 0);
    CU_ASSERT_EQUAL_FATAL(pairs.count, 1000);
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL(pairs.items[i].left, i);
        CU_ASSERT_EQUAL(pairs.items[i].right, -i);
    }
    hw_vector_free(&pairs);
    CU_ASSERT_PTR_NULL(pairs.items);
    CU_ASSERT_EQUAL(pairs.count, 0);
    CU_ASSERT_EQUAL(pairs.capacity, 0);
}

static void reserves_once(void)
{
    HW_VECTOR(int) numbers = HW_VECTOR_INIT;
    int *before;

    CU_ASSERT_EQUAL_FATAL(hw_vector_reserve(&numbers, 100), 0);
    CU_ASSERT_TRUE(numbers.capacity >= 100);
    before = numbers.items;
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(hw_vector_push(&numbers, i), 0);
    CU_ASSERT_PTR_EQUAL(numbers.items, before);
    hw_vector_free(&numbers);
}

static void inserts_and_removes(void)
{
    HW_VECTOR(int) numbers = HW_VECTOR_INIT;

    CU_ASSERT_EQUAL(hw_vector_insert(&numbers, 0, 2), 0);
    CU_ASSERT_EQUAL(hw_vector_insert(&numbers, 1, 4), 0);
    CU_ASSERT_EQUAL(hw_vector_insert(&numbers, 1, 3), 0);
    CU_ASSERT_EQUAL(hw_vector_insert(&numbers, 0, 1), 0);
    CU_ASSERT_EQUAL_FATAL(numbers.count, 4);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(numbers.items[i], i + 1);
    hw_vector_remove(&numbers, 3);
    hw_vector_remove(&numbers, 0);
    CU_ASSERT_EQUAL(numbers.count, 2);
    CU_ASSERT_EQUAL(numbers.items[0], 2);
    CU_ASSERT_EQUAL(numbers.items[1], 3);
    fail_alloc_arm(0);
    while (numbers.count < numbers.capacity)
        CU_ASSERT_EQUAL(hw_vector_insert(&numbers, 0, 0), 0);
    CU_ASSERT_EQUAL(hw_vector_insert(&numbers, 0, 9), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
    CU_ASSERT_EQUAL(numbers.count, numbers.capacity);
    CU_ASSERT_EQUAL(numbers.items[numbers.count - 1], 3);
    hw_vector_free(&numbers);
}

/* Fail allocation 0, 1, 2 ... of 100 pushes until none is left to fail. */
static void survives_failed_allocations(void)
{
    unsigned failures = 0;

    for (unsigned n = 0;; n++) {
        HW_VECTOR(int) numbers = HW_VECTOR_INIT;
        int rc = 0;
        int pushed = 0;

        fail_alloc_arm(n);
        while (rc == 0 && pushed < 100) {
            rc = hw_vector_push(&numbers, pushed);
            pushed += rc == 0 ? 1 : 0;
        }
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT_EQUAL(pushed, 100);
            hw_vector_free(&numbers);
            break;
        }
        failures++;
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_EQUAL(numbers.count, (size_t)pushed);
        for (int i = 0; i < pushed; i++)
            CU_ASSERT_EQUAL(numbers.items[i], i);
        CU_ASSERT_EQUAL(hw_vector_push(&numbers, pushed), 0); /* and goes on afterwards */
        hw_vector_free(&numbers);
    }
    CU_ASSERT_TRUE(failures > 1);
}

static void refuses_what_overflows(void)
{
    HW_VECTOR(struct pair) pairs = HW_VECTOR_INIT;

    CU_ASSERT_EQUAL_FATAL(hw_vector_push(&pairs, (struct pair) { 1, 2 }), 0);
    CU_ASSERT_EQUAL(hw_vector_reserve(&pairs, SIZE_MAX), -EOVERFLOW);
    CU_ASSERT_EQUAL(hw_vector_reserve(&pairs, SIZE_MAX / sizeof(struct pair)), -EOVERFLOW);
    CU_ASSERT_EQUAL(pairs.count, 1);
    CU_ASSERT_EQUAL(pairs.items[0].right, 2);
    hw_vector_free(&pairs);
}

const struct unit_case unit_cases[] = {
    { "inserts and removes anywhere", inserts_and_removes },
    { "pushes keep order", keeps_order },
    { "reserved room is used", reserves_once },
    { "a failed allocation leaves the vector as it was", survives_failed_allocations },
    { "sizes that overflow are refused", refuses_what_overflows },
    { 0 },
};
