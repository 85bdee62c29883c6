/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management: function 00:01.3, 8086:7113 (Intel 82371AB, PIIX4, data sheet) with the fixed
 * registers of ACPI (6.4, 4.8): PM1 status, enable and control, the timer, and general purpose
 * events. They are at PMBASE, 600h unless the guest moves them. There is no system management mode:
 * ACPI is always on (SCI_EN), and SMI_CMD of the FADT has to be 0. The one sleep state is S5, soft
 * off, with 0 as its SLP_TYP. Pure.
 */
#ifndef VMM_PM_H
#define VMM_PM_H

#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_pci.h"

/* Offsets from PMBASE, for the FADT (ACPI 6.4, 5.2.9). */
enum {
    VMM_PM_BASE = 0x600,
    VMM_PM_EVENT = 0,   /* PM1a_EVT_BLK, 4 ports */
    VMM_PM_CONTROL = 4, /* PM1a_CNT_BLK, 2 ports */
    VMM_PM_TIMER = 8,   /* PM_TMR_BLK, 4 ports, a counter of 24 bits */
    VMM_PM_GPE0 = 12,   /* GPE0_BLK, 4 ports */
    VMM_PM_PORTS = 64,
    VMM_PM_GPES = 16,
    VMM_PM_TIMER_HZ = 3579545,
};

/* All come with the machine's lock held; none blocks. */
struct vmm_pm_callbacks {
    /* The guest's clock, which goes on where the guest is saved and loaded. Nanoseconds. */
    uint64_t (*now_ns)(void *context);
    /* Call vmm_pm_wake() when it shows `at_ns`; UINT64_MAX: do not. One order takes the place of
     * the one before. From within any call. */
    void (*wake_at)(void *context, uint64_t at_ns);
    void (*power_off)(void *context); /* the guest has switched itself off; within its access */
    void *context;
};

struct vmm_pm;

/*
 * On `pci`, which must live longer; it raises `sci`. `ret_dev` is for the machine; `ret_pm` lives
 * as long. 0, -ENOMEM, or what vmm_pci_add() says.
 */
int vmm_pm_new(struct vmm_pci *pci, const struct vmm_line *sci,
               const struct vmm_pm_callbacks *callbacks, struct vmm_dev *ret_dev,
               struct vmm_pm **ret_pm);
/* The power button was pressed: the guest is asked to end (ACPI 6.4, 4.8.2.2.1). */
void vmm_pm_power_button(struct vmm_pm *pm);
/* General purpose event `gpe` (below VMM_PM_GPES) has happened (ACPI 6.4, 4.8.4.1). */
void vmm_pm_raise_gpe(struct vmm_pm *pm, unsigned gpe);
/* What callbacks.wake_at() asked for; too early or once too often does no harm. */
void vmm_pm_wake(struct vmm_pm *pm);

#endif
