/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/kvm/vmm_kvm_slots: what is noted as written of memory behind a ROM. What the guest sees
 * there is in test_vmm_machine_boot.c. Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/kvm/vmm_kvm_slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/kvm_guest.h"
#include "tests/unit/unit.h"

enum { PAGES = GUEST_BYTES / 4096, SEGMENTS_WORD = 3, SEGMENT = 5 };

/* Writes into segment 5 and above 1 MiB by turns, with an exit after each. */
static const uint8_t writes[] = {
    0xb8, 0x00, 0xd4, 0x8e, 0xd8, /* mov ax,0d400h; mov ds,ax */
    0xb8, 0xff, 0xff, 0x8e, 0xc0, /* mov ax,0ffffh; mov es,ax */
    0xa2, 0x00, 0x10, 0xe6, 0x80, /* l: mov [1000h],al; out 80h,al */
    0x26, 0xa2, 0x10, 0x10, 0xe6, /* mov es:[1010h],al; out 80h,al */
    0x80, 0xeb, 0xf3,             /* jmp l */
};

static unsigned count(const uint64_t *bits)
{
    unsigned pages = 0;

    for (unsigned i = 0; i < PAGES / 64; i++)
        pages += (unsigned)__builtin_popcountll(bits[i]);
    return pages;
}

static bool noted(const uint64_t *bits, unsigned page)
{
    return (bits[page / 64] >> (page % 64) & 1) != 0;
}

static uint64_t segment_bits(unsigned segment)
{
    return UINT64_C(0xf) << (segment * 4);
}

/* A guest with RAM in its segment, whose writes are noted. Returns its ROM, for free(). */
static void *begin_noting(struct kvm_guest *guest)
{
    void *rom = aligned_alloc(4096, VMM_KVM_ROM_BYTES);

    memset(rom, 0xff, VMM_KVM_ROM_BYTES);
    kvm_guest_begin(guest, writes, sizeof(writes));
    CU_ASSERT_EQUAL_FATAL(vmm_kvm_set_rom(guest->kvm, rom), 0);
    CU_ASSERT_EQUAL(vmm_kvm_show(guest->kvm, SEGMENT, VMM_KVM_RAM), 0);
    CU_ASSERT_EQUAL(vmm_kvm_log_dirty(guest->kvm, true), 0);
    return rom;
}

static void notes_what_is_written_there(void)
{
    uint64_t bits[PAGES / 64];
    struct kvm_guest guest;
    void *rom;

    if (!kvm_guest_possible())
        return;
    rom = begin_noting(&guest);
    kvm_guest_run_to(&guest, 2);
    memset(bits, 0xee, sizeof(bits));
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 0, bits), 0);
    CU_ASSERT_EQUAL(count(bits), 2);
    CU_ASSERT_TRUE(noted(bits, 0xd5));
    CU_ASSERT_TRUE(noted(bits, 0x101));
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 0, bits), 0);
    CU_ASSERT_EQUAL(count(bits), 0);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 1, bits), -ENOENT);
    CU_ASSERT_EQUAL(vmm_kvm_log_dirty(guest.kvm, false), 0);
    kvm_guest_end(&guest);
    free(rom);
}

/* What KVM noted of a slot goes with the slot: all of it is taken as written then. */
static void loses_nothing_when_the_view_changes(void)
{
    uint64_t bits[PAGES / 64];
    struct kvm_guest guest;
    void *rom;

    if (!kvm_guest_possible())
        return;
    rom = begin_noting(&guest);
    kvm_guest_run_to(&guest, 1);
    CU_ASSERT_EQUAL(vmm_kvm_show(guest.kvm, SEGMENT, VMM_KVM_RAM), 0); /* no change */
    CU_ASSERT_EQUAL(vmm_kvm_show(guest.kvm, SEGMENT, VMM_KVM_RAM_READ_ONLY), 0);
    vmm_kvm_touch(guest.kvm, 15);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 0, bits), 0);
    CU_ASSERT_EQUAL(bits[SEGMENTS_WORD], segment_bits(SEGMENT) | segment_bits(15));
    CU_ASSERT_EQUAL(vmm_kvm_show(guest.kvm, SEGMENT, VMM_KVM_RAM_READ_ONLY), 0);
    CU_ASSERT_EQUAL(vmm_kvm_dirty(guest.kvm, 0, bits), 0);
    CU_ASSERT_EQUAL(count(bits), 0);
    kvm_guest_end(&guest);
    free(rom);
}

const struct unit_case unit_cases[] = {
    { "what is written behind a ROM is noted", notes_what_is_written_there },
    { "also when what is to be seen changes", loses_nothing_when_the_view_changes },
    { 0 },
};
