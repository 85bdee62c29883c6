/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory slots. Without a ROM there is one for each range of memory. With one, the first range is
 * what is below the segments, the segments, and what is above them. KVM does not change a slot's
 * place or whether it may be written: such a slot is taken away and made anew, and what it noted is
 * made up for by taking all of it as changed.
 */
#include "config.h"

#include "vmm-core/kvm/vmm_kvm_slots.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm-core/kvm/vmm_kvm_priv.h"

enum { PAGE = 4096, WORD_BITS = 64 };
enum { ABOVE_SLOT = 2, ROM_SLOT = 3, SEGMENT_SLOT = 4 }; /* 0 and 1: the ranges of memory */
enum { ROM_SEGMENT_FIRST = 8 }; /* E0000h: where the last 128 KiB of the ROM are seen */
#define FOUR_GIB    UINT64_C(0x100000000)
#define SEGMENT_END (VMM_KVM_SEGMENTS_AT + VMM_KVM_SEGMENTS * VMM_KVM_SEGMENT_BYTES)

/* Is there memory that the guest may write? */
static bool is_noted(const struct kvm_slot *slot)
{
    return slot->bytes != 0 && slot->memory && !slot->read_only;
}

static int set_slot(const struct vmm_kvm *kvm, unsigned i)
{
    const struct kvm_slot *slot = &kvm->slots.slots[i];
    const bool logs = kvm->slots.logs && is_noted(slot);
    const struct kvm_userspace_memory_region region = {
        .slot = i,
        .flags = (logs ? KVM_MEM_LOG_DIRTY_PAGES : 0U) | (slot->read_only ? KVM_MEM_READONLY : 0U),
        .guest_phys_addr = slot->guest_at,
        .memory_size = slot->bytes,
        .userspace_addr = (uintptr_t)slot->address,
    };

    return ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

static void drop_slot(struct vmm_kvm *kvm, unsigned i)
{
    const struct kvm_userspace_memory_region region = { .slot = i };

    if (kvm->slots.slots[i].bytes != 0)
        (void)ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
    kvm->slots.slots[i].bytes = 0;
}

static int replace_slot(struct vmm_kvm *kvm, unsigned i, const struct kvm_slot *slot)
{
    int rc;

    drop_slot(kvm, i);
    kvm->slots.slots[i] = *slot;
    rc = set_slot(kvm, i);
    if (rc < 0)
        kvm->slots.slots[i].bytes = 0;
    return rc;
}

int kvm_slots_begin(struct vmm_kvm *kvm)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < kvm->memory->count; i++) {
        const struct vmm_memory_range *range = &kvm->memory->ranges[i];
        const struct kvm_slot slot = { .guest_at = range->guest_at,
                                       .bytes = range->bytes,
                                       .address = range->address,
                                       .memory = true };

        rc = replace_slot(kvm, i, &slot);
    }
    return rc;
}

/* --- the ROM --- */

static void touch(struct vmm_kvm *kvm, unsigned segment)
{
    const unsigned pages = VMM_KVM_SEGMENT_BYTES / PAGE;

    kvm->slots.touched |= ((UINT64_C(1) << pages) - 1) << (segment * pages);
}

static int show(struct vmm_kvm *kvm, unsigned segment, enum vmm_kvm_view view)
{
    const uint64_t at = (uint64_t)segment * VMM_KVM_SEGMENT_BYTES;
    struct kvm_slot slot = { .guest_at = VMM_KVM_SEGMENTS_AT + at,
                             .bytes = VMM_KVM_SEGMENT_BYTES,
                             .address = kvm->memory->ranges[0].address + VMM_KVM_SEGMENTS_AT + at,
                             .memory = true,
                             .read_only = view != VMM_KVM_RAM };

    touch(kvm, segment);
    if (view == VMM_KVM_ROM) {
        if (segment < ROM_SEGMENT_FIRST) {
            drop_slot(kvm, SEGMENT_SLOT + segment);
            return 0;
        }
        slot.memory = false;
        slot.address = kvm->slots.rom + VMM_KVM_ROM_BYTES - (SEGMENT_END - slot.guest_at);
    }
    return replace_slot(kvm, SEGMENT_SLOT + segment, &slot);
}

int vmm_kvm_set_rom(struct vmm_kvm *kvm, void *rom)
{
    struct kvm_slot below = kvm->slots.slots[0], above = kvm->slots.slots[0];
    const struct kvm_slot top = { .guest_at = FOUR_GIB - VMM_KVM_ROM_BYTES,
                                  .bytes = VMM_KVM_ROM_BYTES,
                                  .address = rom,
                                  .read_only = true };
    int rc;

    kvm->slots.rom = rom;
    below.bytes = VMM_KVM_SEGMENTS_AT;
    above.guest_at = SEGMENT_END;
    above.bytes -= SEGMENT_END;
    above.address += SEGMENT_END;
    rc = replace_slot(kvm, 0, &below);
    if (rc == 0)
        rc = replace_slot(kvm, ABOVE_SLOT, &above);
    if (rc == 0)
        rc = replace_slot(kvm, ROM_SLOT, &top);
    for (unsigned i = 0; rc == 0 && i < VMM_KVM_SEGMENTS; i++) {
        kvm->slots.views[i] = VMM_KVM_ROM;
        rc = show(kvm, i, VMM_KVM_ROM);
    }
    return rc;
}

int vmm_kvm_show(struct vmm_kvm *kvm, unsigned segment, enum vmm_kvm_view view)
{
    int rc;

    (void)pthread_mutex_lock(&kvm->slots.mutex);
    rc = kvm->slots.views[segment] == view ? 0 : show(kvm, segment, view);
    if (rc == 0)
        kvm->slots.views[segment] = view;
    (void)pthread_mutex_unlock(&kvm->slots.mutex);
    return rc;
}

void vmm_kvm_touch(struct vmm_kvm *kvm, unsigned segment)
{
    (void)pthread_mutex_lock(&kvm->slots.mutex);
    touch(kvm, segment);
    (void)pthread_mutex_unlock(&kvm->slots.mutex);
}

/* --- what was written --- */

static int log_dirty(struct vmm_kvm *kvm, bool on)
{
    int rc = 0;

    kvm->slots.logs = on;
    kvm->slots.touched = 0;
    for (unsigned i = 0; rc == 0 && i < KVM_SLOTS; i++)
        if (is_noted(&kvm->slots.slots[i]))
            rc = set_slot(kvm, i);
    return rc;
}

int vmm_kvm_log_dirty(struct vmm_kvm *kvm, bool on)
{
    int rc;

    (void)pthread_mutex_lock(&kvm->slots.mutex);
    rc = log_dirty(kvm, on);
    (void)pthread_mutex_unlock(&kvm->slots.mutex);
    return rc;
}

/* Slot `i`'s into the bits of the range that begins at `range_at`; a slot of less than a word lies
 * within one. */
static int slot_dirty(const struct vmm_kvm *kvm, unsigned i, uint64_t range_at, uint64_t *bits)
{
    const struct kvm_slot *slot = &kvm->slots.slots[i];
    const uint64_t first = (slot->guest_at - range_at) / PAGE;
    const bool small = slot->bytes / PAGE < WORD_BITS;
    uint64_t word = 0;
    const struct kvm_dirty_log log = { .slot = i,
                                       .dirty_bitmap = small ? &word : bits + first / WORD_BITS };

    if (ioctl(kvm->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0)
        return -errno;
    if (small)
        bits[first / WORD_BITS] |= word << (first % WORD_BITS);
    return 0;
}

static int range_dirty(struct vmm_kvm *kvm, unsigned range, uint64_t *bits)
{
    const struct vmm_memory_range *of = &kvm->memory->ranges[range];
    int rc;

    if (range >= kvm->memory->count)
        return -ENOENT;
    if (range == 0) {
        bits[VMM_KVM_SEGMENTS_AT / PAGE / WORD_BITS] = kvm->slots.touched;
        kvm->slots.touched = 0;
    }
    if (kvm->slots.rom == NULL || range != 0)
        return slot_dirty(kvm, range, of->guest_at, bits);
    rc = slot_dirty(kvm, 0, of->guest_at, bits);
    if (rc == 0)
        rc = slot_dirty(kvm, ABOVE_SLOT, of->guest_at, bits);
    for (unsigned i = 0; rc == 0 && i < VMM_KVM_SEGMENTS; i++)
        if (is_noted(&kvm->slots.slots[SEGMENT_SLOT + i]))
            rc = slot_dirty(kvm, SEGMENT_SLOT + i, of->guest_at, bits);
    return rc;
}

int vmm_kvm_dirty(struct vmm_kvm *kvm, unsigned range, uint64_t *bits)
{
    int rc;

    (void)pthread_mutex_lock(&kvm->slots.mutex);
    rc = range_dirty(kvm, range, bits);
    (void)pthread_mutex_unlock(&kvm->slots.mutex);
    return rc;
}
