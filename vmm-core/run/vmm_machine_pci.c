/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's PCI bus with its bridges and power management, wired to KVM and to whoever holds
 * the machine.
 */
#include "config.h"

#include <time.h>

#include "common/hw_clock.h"
#include "vmm-core/run/vmm_machine_priv.h"

/* --- what they ask for; with the lock held --- */

static void send_msi(void *context, uint64_t address, uint32_t data)
{
    vmm_kvm_send_msi(((struct vmm_machine *)context)->kvm, address, data);
}

static void reset(void *context)
{
    machine_end(context, VMM_MACHINE_RESET, "by the reset control register");
}

static void power_off(void *context)
{
    machine_end(context, VMM_MACHINE_POWER_OFF, "by ACPI");
}

static uint64_t now_ns(void *context)
{
    return vmm_kvm_clock_ns(((struct vmm_machine *)context)->kvm);
}

/* By the host's clock: should the guest's be late then, it is asked for again. */
static void wake_at(void *context, uint64_t at_ns)
{
    const struct vmm_machine *machine = context;
    const uint64_t guest_ns = now_ns(context);
    const uint64_t in_ns = at_ns > guest_ns ? at_ns - guest_ns : 0;
    int64_t alarm_ns;

    if (at_ns == UINT64_MAX ||
        __builtin_add_overflow(hw_clock_now_ns(hw_clock_boottime()), in_ns, &alarm_ns))
        alarm_ns = INT64_MAX;
    vmm_alarms_set(machine->alarms, machine->timer_alarm, alarm_ns);
}

static void wake(void *context)
{
    vmm_pm_wake(((struct vmm_machine *)context)->pm);
}

/* --- making them --- */

static int add_bus(struct vmm_machine *machine)
{
    const struct vmm_pci_callbacks callbacks = { send_msi, reset, machine };

    return machine_added(
        machine, vmm_pci_new(machine->bus, &callbacks, machine_place(machine), &machine->pci));
}

static int add_piix3(struct vmm_machine *machine)
{
    return machine_added(machine, vmm_piix3_new(machine->pci, machine_set_line, machine,
                                                machine_place(machine), &machine->piix3));
}

static int add_pm(struct vmm_machine *machine)
{
    const struct vmm_line sci = vmm_piix3_sci(machine->piix3);
    const struct vmm_pm_callbacks callbacks = { now_ns, wake_at, power_off, machine };
    int rc = vmm_alarms_add(machine->alarms, CLOCK_BOOTTIME, wake, machine, &machine->timer_alarm);

    if (rc == 0)
        rc = vmm_pm_new(machine->pci, &sci, &callbacks, machine_place(machine), &machine->pm);
    return machine_added(machine, rc);
}

int machine_add_pci(struct vmm_machine *machine)
{
    int rc = add_bus(machine);

    if (rc == 0)
        rc = add_piix3(machine);
    return rc < 0 ? rc : add_pm(machine);
}

/* --- from outside --- */

void vmm_machine_power_button(struct vmm_machine *machine)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_pm_power_button(machine->pm);
    (void)pthread_mutex_unlock(&machine->mutex);
}
