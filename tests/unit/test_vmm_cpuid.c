/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/kvm/vmm_cpuid: tables as hosts offer them, and what a guest's processors are told.
 */
#include <config.h>

#include "vmm-core/kvm/vmm_cpuid.h"

#include <errno.h>
#include <linux/kvm_para.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { ROOM = 32, SUBLEAVES = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };

/* An offer with everything in it that a guest must not have, or has otherwise. */
static const struct kvm_cpuid_entry2 offer[] = {
    { .function = 0, .eax = 0x1f, .ebx = 0x68747541, .ecx = 0x444d4163, .edx = 0x69746e65 },
    { .function = 1, .eax = 0x60fb1, .ebx = 0x07020800, .ecx = 0x76f83223, .edx = 0x0f8bfbfd },
    { .function = 7, .flags = SUBLEAVES, .ebx = 0x19803ab, .ecx = 0x1020c, .edx = 0x20000000 },
    { .function = 0xb, .flags = SUBLEAVES, .edx = 9 },
    { .function = 0xb, .flags = SUBLEAVES, .index = 1, .ecx = 0x201, .edx = 9 },
    { .function = 0xd, .flags = SUBLEAVES, .eax = 0x207, .ebx = 0xa88, .ecx = 0xa88 },
    { .function = 0xd, .flags = SUBLEAVES, .index = 1, .eax = 5 },
    { .function = 0xd, .flags = SUBLEAVES, .index = 2, .eax = 0x100, .ebx = 0x240 },
    { .function = 0xd, .flags = SUBLEAVES, .index = 9, .eax = 8, .ebx = 0xa80 },
    { .function = 0x1f, .flags = SUBLEAVES, .edx = 9 },
    { .function = 0x80000001, .eax = 0x60fb1, .ecx = 0x75, .edx = 0xedd3fbfd },
    { .function = 0x80000007, .edx = 0x100 },
    { .function = 0x8000000a, .eax = 1, .ebx = 8, .ecx = 3, .edx = 0x10010021 },
    { .function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 77 },
    { .function = 0x40000001, .eax = 0xffffffff, .ebx = 3, .edx = 1 },
};

enum { OFFERED = sizeof(offer) / sizeof(offer[0]) };

static struct kvm_cpuid_entry2 made[ROOM];
static int count;

static void make(uint32_t apic_id, uint32_t tsc_khz)
{
    const struct vmm_cpuid_own own = { apic_id, tsc_khz };

    memset(made, 0xa5, sizeof(made));
    count = vmm_cpuid_make(offer, OFFERED, &own, made, ROOM);
    CU_ASSERT_TRUE_FATAL(count >= OFFERED);
}

/* The leaf as it was made; it is there once. */
static const struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
    static const struct kvm_cpuid_entry2 none;
    const struct kvm_cpuid_entry2 *found = NULL;

    for (int i = 0; i < count; i++)
        if (made[i].function == function && made[i].index == index) {
            CU_ASSERT_PTR_NULL(found);
            found = &made[i];
        }
    CU_ASSERT_PTR_NOT_NULL(found);
    return found != NULL ? found : &none;
}

static void it_runs_under_kvm(void)
{
    make(0, 2596138);
    CU_ASSERT_TRUE((leaf(1, 0)->ecx & UINT32_C(1) << 31) != 0);
    CU_ASSERT_EQUAL(memcmp(&leaf(0x40000000, 0)->ebx, "KVMKVMKVM\0\0\0", 9), 0);
    CU_ASSERT_EQUAL(leaf(0x40000000, 0)->eax, 0x40000010);
    CU_ASSERT_EQUAL(leaf(0x40000010, 0)->eax, 2596138);
    CU_ASSERT_EQUAL(leaf(0x40000010, 0)->ebx, 1000000);
    CU_ASSERT_EQUAL(count, OFFERED + 1);
    make(0, 0); /* a rate that nobody knows is not told */
    CU_ASSERT_EQUAL(leaf(0x40000000, 0)->eax, 0x40000001);
    CU_ASSERT_EQUAL(count, OFFERED);
}

/* Clock (old and new), no I/O delay, stolen time, end of interrupts, stable clock; no hints. */
static void only_what_can_be_saved(void)
{
    make(0, 1);
    CU_ASSERT_EQUAL(leaf(0x40000001, 0)->eax, 0x0100006b);
    CU_ASSERT_EQUAL(leaf(0x40000001, 0)->edx, 0);
    CU_ASSERT_EQUAL(leaf(1, 0)->ecx & 0x20, 0);      /* VMX */
    CU_ASSERT_EQUAL(leaf(0x80000001, 0)->ecx, 0x71); /* but SVM */
    CU_ASSERT_EQUAL(leaf(0x8000000a, 0)->eax | leaf(0x8000000a, 0)->ebx, 0);
    CU_ASSERT_EQUAL(leaf(0x8000000a, 0)->ecx | leaf(0x8000000a, 0)->edx, 0);
}

/* The clock is stable where the host says so only, and what it lacks is not made up. */
static void the_host_says_what_there_is(void)
{
    const struct kvm_cpuid_entry2 few = { .function = KVM_CPUID_FEATURES,
                                          .eax = 1 << KVM_FEATURE_CLOCKSOURCE2 };
    const struct vmm_cpuid_own own = { 0, 0 };
    struct kvm_cpuid_entry2 alone;

    CU_ASSERT_EQUAL(vmm_cpuid_make(&few, 1, &own, &alone, 1), 1);
    CU_ASSERT_EQUAL(alone.eax, 1 << KVM_FEATURE_CLOCKSOURCE2);
}

static void each_has_its_number(void)
{
    for (uint32_t id = 0; id < 256; id += 85) {
        make(id, 1);
        CU_ASSERT_EQUAL(leaf(1, 0)->ebx, 0x00020800 | id << 24);
        CU_ASSERT_EQUAL(leaf(0xb, 0)->edx, id);
        CU_ASSERT_EQUAL(leaf(0xb, 1)->edx, id);
        CU_ASSERT_EQUAL(leaf(0xb, 1)->ecx, 0x201);
        CU_ASSERT_EQUAL(leaf(0x1f, 0)->edx, id);
    }
}

/* Above all 0Dh: its sizes are one with the components that XCR0 may have, and KVM keeps EBX. */
static void the_rest_is_the_hosts(void)
{
    static const uint32_t kept[] = { 0, 7, 0xd, 0x80000007 };

    make(3, 1);
    for (unsigned i = 0; i < OFFERED; i++)
        for (unsigned k = 0; k < sizeof(kept) / sizeof(kept[0]); k++)
            if (offer[i].function == kept[k])
                CU_ASSERT_EQUAL(memcmp(leaf(kept[k], offer[i].index), &offer[i], sizeof(offer[i])),
                                0);
}

/* A host that tells the rates itself, as one that runs under KVM may, tells its own. */
static void rates_are_the_guests(void)
{
    const struct kvm_cpuid_entry2 rates = { .function = VMM_CPUID_RATES, .eax = 5, .ebx = 6 };
    const struct vmm_cpuid_own known = { 0, 7 }, unknown = { 0, 0 };
    struct kvm_cpuid_entry2 out;

    CU_ASSERT_EQUAL(vmm_cpuid_make(&rates, 1, &known, &out, 1), 1);
    CU_ASSERT_EQUAL(out.eax, 7);
    CU_ASSERT_EQUAL(vmm_cpuid_make(&rates, 1, &unknown, &out, 1), 0);
}

static void there_may_be_no_room(void)
{
    const struct vmm_cpuid_own own = { 0, 1 };

    for (unsigned room = 0; room < OFFERED + 1; room++) {
        made[room].function = 0xa5a5;
        CU_ASSERT_EQUAL(vmm_cpuid_make(offer, OFFERED, &own, made, room), -E2BIG);
        CU_ASSERT_EQUAL(made[room].function, 0xa5a5);
    }
    CU_ASSERT_EQUAL(vmm_cpuid_make(offer, OFFERED, &own, made, OFFERED + 1), OFFERED + 1);
}

const struct unit_case unit_cases[] = {
    { "it runs under KVM", it_runs_under_kvm },
    { "only what can be saved", only_what_can_be_saved },
    { "the host says what there is", the_host_says_what_there_is },
    { "each processor has its number", each_has_its_number },
    { "the rest is the host's", the_rest_is_the_hosts },
    { "rates are the guest's", rates_are_the_guests },
    { "there may be no room", there_may_be_no_room },
    { 0 },
};
