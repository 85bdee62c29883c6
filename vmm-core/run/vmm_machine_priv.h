/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a machine.
 */
#ifndef VMM_MACHINE_PRIV_H
#define VMM_MACHINE_PRIV_H

#include <pthread.h>

#include "storage/vhost/vh_log.h"
#include "storage/vhost/vh_mem.h"
#include "vmm-core/kvm/vmm_vcpu.h"
#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_cmos.h"
#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_fwcfg.h"
#include "vmm-core/machine/vmm_pci.h"
#include "vmm-core/machine/vmm_piix3.h"
#include "vmm-core/machine/vmm_pm.h"
#include "vmm-core/machine/vmm_uart.h"
#include "vmm-core/run/vmm_alarms.h"
#include "vmm-core/run/vmm_machine.h"
#include "vmm-core/save/vmm_save_memory.h"

enum { MACHINE_DEVICES = 80 };

struct vmm_machine {
    struct vmm_machine_config config;
    struct vmm_machine_callbacks callbacks;
    struct vmm_memory memory;
    struct vmm_save_range pages[2]; /* of memory */
    int log_fd;                     /* of what devices write; -1: there was none yet */
    struct vh_log log;              /* under the mutex; no bits: nothing is noted */
    bool unlogged;                  /* since the last look a disk may have written unnoted */
    struct vmm_kvm *kvm;
    struct vmm_vcpu *vcpus[VMM_MACHINE_CPUS];
    unsigned vcpu_count;
    pthread_mutex_t mutex; /* over what follows */
    struct vmm_bus *bus;
    struct vmm_dev devices[MACHINE_DEVICES];
    unsigned device_count;
    uint8_t *rom;                            /* of firmware; NULL: none */
    uint8_t shadow[VMM_PCI_SHADOW_SEGMENTS]; /* what the guest may do there, with firmware */
    struct vmm_uart *uart;
    struct vmm_cmos *cmos;
    struct vmm_fwcfg *fwcfg;
    struct vmm_alarms *alarms;
    unsigned clock_alarm; /* of cmos */
    struct vmm_pci *pci;
    struct vmm_piix3 *piix3;
    struct vmm_pm *pm;
    unsigned timer_alarm; /* of pm */
    struct vh_mem *rings; /* memory, for rings in it */
    uint64_t exits[VMM_MACHINE_CPUS][VMM_EXIT_COUNT];
    struct vmm_virtio_console *console; /* NULL: none */
    struct vmm_virtio_balloon *balloon;
    struct vmm_virtio_net *nets[VMM_MACHINE_NETS];
    bool ended;
};

/* Tell it once, and ask all vCPUs to stand. With the lock held. */
void machine_end(struct vmm_machine *machine, enum vmm_machine_end end, const char *text);
/* A struct vmm_line's set(): `number` is a global system interrupt. */
void machine_set_line(void *context, unsigned number, bool high);
/* The place for one more device; and it is there, if `rc` is 0. Returns that. */
struct vmm_dev *machine_place(struct vmm_machine *machine);
int machine_added(struct vmm_machine *machine, int rc);
/* While it is made, with memory, KVM and bus: its firmware, if it has one; with its PCI bus, what
 * that boots from. 0 or -errno. */
int machine_add_rom(struct vmm_machine *machine);
int machine_offer_boot(struct vmm_machine *machine); /* likewise */
/* Where its disks are on that bus: from this slot on, up to 18. */
enum { MACHINE_DISK_SLOT = 3 };
/* Its devices at fixed ports. 0 or -errno. */
int machine_add_platform(struct vmm_machine *machine);
/* Behind them, for the guest can move what is on it (vmm_pci_new()): the PCI bus. 0 or -errno. */
int machine_add_pci(struct vmm_machine *machine);
/* And its virtio devices on that. 0 or -errno. */
int machine_add_virtio(struct vmm_machine *machine);
/* What of its memory is saved. */
void machine_divide_pages(struct vmm_machine *machine);
/* And its disks. 0 or -errno. */
int machine_add_disks(struct vmm_machine *machine);
/* Their servers are to note what they write, or no more. 0; -ENOTSUP: one cannot; or -errno: then
 * none notes anything. With the lock held, as the next two. */
int machine_log_disks(struct vmm_machine *machine, bool on);
/* All of them do so by now. */
bool machine_logs_disks(const struct vmm_machine *machine);
/* Add what was noted of one range of memory to `bitmap`, and take it as seen. */
void machine_take_disks(struct vmm_machine *machine, unsigned range, uint64_t *bitmap);
/* The ACPI tables into its memory, for a boot without firmware. 0 or -errno. */
int machine_place_tables(struct vmm_machine *machine, uint64_t *ret_rsdp_at);

#endif
