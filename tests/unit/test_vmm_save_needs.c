/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save_needs: what a target lacks is found and named, whatever the order it was
 * told in; the digest tells lists apart.
 */
#include <config.h>

#include "vmm-core/save/vmm_save_needs.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static struct vmm_save_needs sample(void)
{
    struct vmm_save_needs needs = { .count = 0 };

    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_DEVICE, 2, 3), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_MEMORY, 0, 128 << 20), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_CPUID, 7, 0xf0), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_CPUID, 1, 0xff), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_CPUID, 7, 0x0f), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_MSR, 0xc0000080, 1), 0);
    return needs;
}

static void keeps_order(void)
{
    struct vmm_save_needs needs = sample(), back;
    uint8_t bytes[5 * VMM_SAVE_NEED_BYTES];
    static const uint8_t first[] = { 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0 };

    CU_ASSERT_EQUAL(needs.count, 5);
    CU_ASSERT_EQUAL(vmm_save_needs_encode(&needs, bytes, sizeof(bytes) - 1), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_encode(&needs, bytes, sizeof(bytes)), sizeof(bytes));
    CU_ASSERT_EQUAL(memcmp(bytes, first, sizeof(first)), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_decode(bytes, sizeof(bytes), &back), 0);
    CU_ASSERT_EQUAL(memcmp(&needs, &back, sizeof(needs.items[0]) * needs.count), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_decode(bytes, sizeof(bytes) - 1, &back), -EBADMSG);
    memcpy(bytes + VMM_SAVE_NEED_BYTES, bytes, VMM_SAVE_NEED_BYTES); /* one twice */
    CU_ASSERT_EQUAL(vmm_save_needs_decode(bytes, sizeof(bytes), &back), -EBADMSG);
}

static void joins_bits_only(void)
{
    struct vmm_save_needs needs = sample();

    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_MEMORY, 0, 128 << 20), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_MEMORY, 0, 64 << 20), -EEXIST);
    needs.count = 0;
    for (uint32_t i = 0; i < VMM_SAVE_NEEDS_MAX; i++)
        CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_MSR, i * 7 % 512, 1), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, VMM_SAVE_NEED_MSR, 9999, 1), -ENOSPC);
}

static void names_what_is_missing(void)
{
    struct vmm_save_needs needs = sample(), has;
    struct vmm_save_need missing = { 0 };

    CU_ASSERT_EQUAL(vmm_save_needs_check(&needs, &needs, &missing), 0);
    for (uint32_t i = 0; i < needs.count; i++) {
        has = needs;
        memmove(&has.items[i], &has.items[i + 1], (has.count - i - 1) * sizeof(has.items[0]));
        has.count--;
        CU_ASSERT_EQUAL(vmm_save_needs_check(&needs, &has, &missing), -ENOTSUP);
        CU_ASSERT_TRUE(missing.kind == needs.items[i].kind && missing.id == needs.items[i].id);
        CU_ASSERT_STRING_NOT_EQUAL(vmm_save_need_name(missing.kind), "?");
        has = needs;
        has.items[i].value--; /* less memory, an older device, no lowest bit */
        CU_ASSERT_EQUAL(vmm_save_needs_check(&needs, &has, &missing), -ENOTSUP);
        CU_ASSERT_TRUE(missing.kind == needs.items[i].kind && missing.id == needs.items[i].id);
    }
    has = needs;
    CU_ASSERT_EQUAL(vmm_save_needs_add(&has, VMM_SAVE_NEED_CPUID, 1, 0x100), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_add(&has, VMM_SAVE_NEED_CPUID, 9, 1), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_check(&needs, &has, &missing), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_check(&has, &needs, &missing), -ENOTSUP);
}

/* A later version's need: no host of this version has it, even if it says so. */
static void refuses_unknown_kinds(void)
{
    struct vmm_save_needs needs = sample();
    struct vmm_save_need missing = { 0 };

    CU_ASSERT_EQUAL(vmm_save_needs_add(&needs, (enum vmm_save_need_kind)4711, 0, 0), 0);
    CU_ASSERT_EQUAL(vmm_save_needs_check(&needs, &needs, &missing), -ENOTSUP);
    CU_ASSERT_EQUAL(missing.kind, 4711);
    CU_ASSERT_STRING_EQUAL(vmm_save_need_name(missing.kind), "?");
}

static void digests_differ(void)
{
    struct vmm_save_needs needs = sample(), other = sample();
    uint8_t a[STO_SAVED_DIGEST_BYTES], b[STO_SAVED_DIGEST_BYTES];

    vmm_save_needs_digest(&needs, a);
    vmm_save_needs_digest(&other, b);
    CU_ASSERT_EQUAL(memcmp(a, b, sizeof(a)), 0);
    other.items[3].value ^= 1;
    vmm_save_needs_digest(&other, b);
    CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof(a)), 0);
}

const struct unit_case unit_cases[] = {
    { "encoded in order, none twice", keeps_order },
    { "bits are joined, other values are not", joins_bits_only },
    { "what is missing is named", names_what_is_missing },
    { "needs of a later version are not met", refuses_unknown_kinds },
    { "the digest", digests_differ },
    { 0 },
};
