/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the memory slots.
 */
#ifndef VMM_KVM_SLOTS_PRIV_H
#define VMM_KVM_SLOTS_PRIV_H

#include <pthread.h>

#include "vmm-core/kvm/vmm_kvm_slots.h"

enum { KVM_SLOTS = 4 + VMM_KVM_SEGMENTS };

/* A memory slot of KVM's. */
struct kvm_slot {
    uint64_t guest_at, bytes; /* of no bytes: there is none */
    uint8_t *address;
    bool memory; /* else ROM */
    bool read_only;
};

struct kvm_slots {
    pthread_mutex_t mutex; /* over what follows */
    struct kvm_slot slots[KVM_SLOTS];
    enum vmm_kvm_view views[VMM_KVM_SEGMENTS]; /* with a ROM */
    uint8_t *rom;                              /* NULL: there is none */
    bool logs;
    uint64_t touched; /* a bit for each page of the segments: changed, as far as anybody knows */
};

/* The slots of its memory, while it is made. 0 or -errno. */
int kvm_slots_begin(struct vmm_kvm *kvm);

#endif
