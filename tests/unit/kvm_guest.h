/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of some instructions in real mode, for tests of what KVM does: one vCPU, 16 MiB, its code
 * at GUEST_CODE_AT. It counts its exits, and can stand at a given one.
 */
#ifndef KVM_GUEST_H
#define KVM_GUEST_H

#include <pthread.h>

#include "vmm-core/kvm/vmm_vcpu.h"

enum { GUEST_BYTES = 16 << 20, GUEST_CODE_AT = 0x1000, GUEST_DATA_AT = 0x2000 };

struct kvm_guest {
    int kvm_fd;
    struct vmm_memory memory;
    struct vmm_kvm *kvm;
    struct vmm_vcpu *vcpu;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned exits, pauses_at; /* it pauses itself at this exit; 0: never */
    uint8_t last_out;
    uint16_t last_port;
    int broken;
};

/* True if there is /dev/kvm; else the running case is skipped. */
bool kvm_guest_possible(void);
/* Make it, standing at the start of `code`; without code as after reset. IN reads 5ah. */
void kvm_guest_begin(struct kvm_guest *guest, const uint8_t *code, size_t bytes);
void kvm_guest_end(struct kvm_guest *guest); /* end it, wherever it is */
/* Wait until it has made so many exits, or is broken. */
void kvm_guest_wait(struct kvm_guest *guest, unsigned exits);
/* Let it run to its exit `exits`, and wait until it stands there. */
void kvm_guest_run_to(struct kvm_guest *guest, unsigned exits);
/* A word of its data. */
uint16_t kvm_guest_word(const struct kvm_guest *guest);

#endif
