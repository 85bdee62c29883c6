/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a machine.
 */
#ifndef VMM_MACHINE_PRIV_H
#define VMM_MACHINE_PRIV_H

#include <pthread.h>

#include "vmm-core/kvm/vmm_vcpu.h"
#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_cmos.h"
#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_uart.h"
#include "vmm-core/run/vmm_alarms.h"
#include "vmm-core/run/vmm_machine.h"

enum { MACHINE_DEVICES = 32 };

struct vmm_machine {
    struct vmm_machine_config config;
    struct vmm_machine_callbacks callbacks;
    struct vmm_memory memory;
    struct vmm_kvm *kvm;
    struct vmm_vcpu *vcpus[VMM_MACHINE_CPUS];
    unsigned vcpu_count;
    pthread_mutex_t mutex; /* over what follows */
    struct vmm_bus *bus;
    struct vmm_dev devices[MACHINE_DEVICES];
    unsigned device_count;
    struct vmm_uart *uart;
    struct vmm_cmos *cmos;
    struct vmm_alarms *alarms;
    unsigned clock_alarm; /* of cmos */
    bool ended;
};

/* Tell it once, and ask all vCPUs to stand. With the lock held. */
void machine_end(struct vmm_machine *machine, enum vmm_machine_end end, const char *text);
/* While it is made, with memory, KVM and bus: its devices at fixed ports. 0 or -errno. */
int machine_add_platform(struct vmm_machine *machine);

#endif
