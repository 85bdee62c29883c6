/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest sees of its memory below 1 MiB, where firmware lives: KVM's memory slots there.
 */
#ifndef VMM_KVM_SLOTS_H
#define VMM_KVM_SLOTS_H

#include "vmm-core/kvm/vmm_kvm.h"

enum {
    VMM_KVM_ROM_BYTES = 256 << 10, /* ends where 4 GiB end */
    VMM_KVM_SEGMENTS = 16,         /* of C0000h to FFFFFh, 16 KiB each */
    VMM_KVM_SEGMENT_BYTES = 16 << 10,
};
#define VMM_KVM_SEGMENTS_AT UINT64_C(0xc0000)

/* What is behind a segment; what is no memory is answered by whoever has KVM_EXIT_MMIO. */
enum vmm_kvm_view {
    VMM_KVM_RAM,           /* memory */
    VMM_KVM_RAM_READ_ONLY, /* memory; writes are not */
    VMM_KVM_ROM, /* the last 128 KiB of the ROM, below C0000h + 128 KiB nothing; likewise */
};

/*
 * Before any vCPU has run: `rom`, VMM_KVM_ROM_BYTES on whole pages that live as long, is what the
 * guest reads at the end of 4 GiB, and all segments are VMM_KVM_ROM. 0 or -errno.
 */
int vmm_kvm_set_rom(struct vmm_kvm *kvm, void *rom);
/* With a ROM: from now on this is behind `segment`. From a vCPU's thread, too. 0 or -errno, and
 * then nothing is. */
int vmm_kvm_show(struct vmm_kvm *kvm, unsigned segment, enum vmm_kvm_view view);
/* The memory of `segment` was written from outside the guest: all of it is taken as changed. */
void vmm_kvm_touch(struct vmm_kvm *kvm, unsigned segment);

#endif
