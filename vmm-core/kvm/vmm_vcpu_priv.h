/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a vCPU, for what takes and gives its registers.
 */
#ifndef VMM_VCPU_PRIV_H
#define VMM_VCPU_PRIV_H

#include <pthread.h>

#include "vmm-core/kvm/vmm_vcpu.h"

enum vcpu_want { VCPU_STAND, VCPU_RUN, VCPU_END };

struct vmm_vcpu {
    struct vmm_kvm *kvm;
    unsigned index;
    int fd;
    struct kvm_run *run;
    struct vmm_vcpu_callbacks callbacks;
    bool lives; /* there is a thread */
    pthread_t thread;
    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t changed;
    enum vcpu_want want;
    bool stands; /* outside of KVM_RUN, nothing half done */
};

#endif
