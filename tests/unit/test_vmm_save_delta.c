/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save_delta: against a plain array of pages, over random puts and drops; what
 * was written loads again; entries that cannot be are refused.
 */
#include <config.h>

#include "vmm-core/save/vmm_save_delta.h"

#include "common/hw_prng.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

enum { SLOTS = 64, PAGES = 400 };

static uint8_t bytes[SLOTS * VMM_SAVE_DELTA_ENTRY_BYTES];
static uint64_t model[PAGES]; /* hash of the page, 0: has no slot */

static void compare(const struct vmm_save_delta *delta)
{
    uint32_t held = 0;
    bool taken[SLOTS] = { false };

    for (uint64_t page = 0; page < PAGES; page++) {
        uint32_t slot = vmm_save_delta_find(delta, page);
        uint64_t found = UINT64_MAX, hash = 0;

        CU_ASSERT_EQUAL(slot != VMM_SAVE_NO_SLOT, model[page] != 0);
        if (slot == VMM_SAVE_NO_SLOT)
            continue;
        held++;
        CU_ASSERT_FALSE(taken[slot]);
        taken[slot] = true;
        CU_ASSERT_EQUAL(vmm_save_delta_entry(delta, slot, &found, &hash), 0);
        CU_ASSERT_TRUE(found == page && hash == model[page]);
    }
    CU_ASSERT_EQUAL(vmm_save_delta_room(delta), SLOTS - held);
}

static void keeps_pages_apart(void)
{
    struct hw_prng prng = hw_prng_seeded(7);
    struct vmm_save_delta delta, loaded;
    uint8_t copy[sizeof(bytes)];
    uint32_t bad;

    memset(model, 0, sizeof(model));
    CU_ASSERT_EQUAL(vmm_save_delta_init(&delta, bytes, SLOTS), 0);
    for (unsigned i = 0; i < 4000; i++) {
        uint64_t page = hw_prng_below(&prng, PAGES), hash = hw_prng_next(&prng) | 1;

        if (hw_prng_chance(&prng, 1, 3)) {
            vmm_save_delta_drop(&delta, page);
            model[page] = 0;
        } else {
            uint32_t before = vmm_save_delta_find(&delta, page), room = vmm_save_delta_room(&delta);
            uint32_t slot = vmm_save_delta_put(&delta, page, hash);

            CU_ASSERT_EQUAL(slot == VMM_SAVE_NO_SLOT, before == VMM_SAVE_NO_SLOT && room == 0);
            CU_ASSERT_TRUE(before == VMM_SAVE_NO_SLOT || slot == before);
            if (slot != VMM_SAVE_NO_SLOT)
                model[page] = hash;
        }
        if (i % 16 == 0)
            compare(&delta);
    }
    compare(&delta);
    memcpy(copy, bytes, sizeof(copy));
    CU_ASSERT_EQUAL(vmm_save_delta_load(&loaded, copy, SLOTS, delta.used, PAGES, &bad), 0);
    compare(&loaded);
    CU_ASSERT_EQUAL(loaded.free_count, delta.free_count);
    vmm_save_delta_free(&delta);
    vmm_save_delta_free(&loaded);
}

static void keeps_the_format(void)
{
    static const uint8_t expected[] = {
        5, 0, 0, 0, 0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0
    };
    static const uint8_t dropped[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0,    0,    0,    0,    0,    0,    0,    0 };
    struct vmm_save_delta delta;
    uint64_t page, hash;

    CU_ASSERT_EQUAL(vmm_save_delta_init(&delta, bytes, SLOTS), 0);
    CU_ASSERT_EQUAL(vmm_save_delta_find(&delta, 5), VMM_SAVE_NO_SLOT);
    CU_ASSERT_EQUAL(vmm_save_delta_put(&delta, 5, 0x11223344), 0);
    CU_ASSERT_EQUAL(memcmp(bytes, expected, sizeof(expected)), 0);
    vmm_save_delta_drop(&delta, 5);
    CU_ASSERT_EQUAL(memcmp(bytes, dropped, sizeof(dropped)), 0);
    CU_ASSERT_EQUAL(vmm_save_delta_entry(&delta, 0, &page, &hash), -ENOENT);
    CU_ASSERT_EQUAL(vmm_save_delta_entry(&delta, 1, &page, &hash), -ENOENT);
    vmm_save_delta_free(&delta);
}

static void refuses_bad_indexes(void)
{
    struct vmm_save_delta delta, loaded;
    uint32_t bad = 77;

    CU_ASSERT_EQUAL(vmm_save_delta_init(&delta, bytes, SLOTS), 0);
    for (uint64_t page = 0; page < 10; page++)
        vmm_save_delta_put(&delta, page * 3, page);
    CU_ASSERT_EQUAL(vmm_save_delta_load(&loaded, bytes, SLOTS, 10, 27, &bad), -EBADMSG);
    CU_ASSERT_EQUAL(bad, 9);
    bytes[4 * VMM_SAVE_DELTA_ENTRY_BYTES] = 6; /* as in slot 2 */
    CU_ASSERT_EQUAL(vmm_save_delta_load(&loaded, bytes, SLOTS, 10, PAGES, &bad), -EBADMSG);
    CU_ASSERT_EQUAL(bad, 4);
    CU_ASSERT_EQUAL(vmm_save_delta_load(&loaded, bytes, SLOTS, SLOTS + 1, PAGES, &bad), -EBADMSG);
    vmm_save_delta_free(&delta);
}

static void fails_allocations(void)
{
    for (unsigned n = 0;; n++) {
        struct vmm_save_delta delta = { 0 };
        uint32_t bad;
        int rc;

        fail_alloc_arm(n);
        rc = vmm_save_delta_load(&delta, bytes, SLOTS, 0, PAGES, &bad);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            vmm_save_delta_free(&delta);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_PTR_NULL(delta.map);
    }
}

const struct unit_case unit_cases[] = {
    { "a page has one slot, a slot one page", keeps_pages_apart },
    { "the index, byte by byte", keeps_the_format },
    { "indexes that cannot be", refuses_bad_indexes },
    { "no memory", fails_allocations },
    { 0 },
};
