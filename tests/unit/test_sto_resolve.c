/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_resolve: addresses in digits at once, names in the background, and a lookup that is
 * given up early leaves nothing behind (the sanitizers would see it).
 */
#include <config.h>

#include "storage/sto_resolve.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

static void digits_at_once(void)
{
    struct sto_addresses addresses;

    CU_ASSERT_TRUE(sto_resolve_numeric("192.0.2.7", &addresses));
    CU_ASSERT_EQUAL(addresses.count, 1);
    CU_ASSERT_STRING_EQUAL(addresses.text[0], "192.0.2.7");
    CU_ASSERT_TRUE(sto_resolve_numeric("2001:DB8::1", &addresses));
    CU_ASSERT_STRING_EQUAL(addresses.text[0], "2001:db8::1");
    CU_ASSERT_FALSE(sto_resolve_numeric("localhost", &addresses));
}

static void names_in_the_background(void)
{
    struct sto_resolve *resolve = NULL;
    struct sto_addresses addresses = { 0 };
    int rc;

    CU_ASSERT_EQUAL_FATAL(sto_resolve_start("localhost", &resolve), 0);
    while ((rc = sto_resolve_poll(resolve, &addresses)) == -EINPROGRESS)
        poll(NULL, 0, 1);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_TRUE(addresses.count >= 1);
    CU_ASSERT_TRUE(strcmp(addresses.text[0], "127.0.0.1") == 0 ||
                   strcmp(addresses.text[0], "::1") == 0);
    sto_resolve_free(resolve);
}

static void given_up_early(void)
{
    for (unsigned i = 0; i < 50; i++) {
        struct sto_resolve *resolve = NULL;

        CU_ASSERT_EQUAL_FATAL(sto_resolve_start("localhost", &resolve), 0);
        sto_resolve_free(resolve);
    }
    sto_resolve_free(NULL);
}

static void without_memory(void)
{
    struct sto_resolve *resolve = NULL;

    fail_alloc_arm(0);
    CU_ASSERT_EQUAL(sto_resolve_start("localhost", &resolve), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
    CU_ASSERT_PTR_NULL(resolve);
}

const struct unit_case unit_cases[] = {
    { "addresses in digits are taken at once", digits_at_once },
    { "names are looked up in the background", names_in_the_background },
    { "a lookup can be given up at any time", given_up_early },
    { "no memory is reported", without_memory },
    { 0 },
};
