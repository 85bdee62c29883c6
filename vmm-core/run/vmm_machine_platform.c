/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices of the machine that are at fixed ports: what they need of it, and what they tell it.
 */
#include "config.h"

#include <errno.h>
#include <time.h>

#include "vmm-core/machine/vmm_acpi.h"
#include "vmm-core/machine/vmm_cmos.h"
#include "vmm-core/machine/vmm_fwcfg.h"
#include "vmm-core/machine/vmm_i8042.h"
#include "vmm-core/machine/vmm_ports.h"
#include "vmm-core/run/vmm_machine_priv.h"

enum { UART_PORT = 0x3f8, PVPANIC_PORT = 0x505, FWCFG_PORT = 0x510 };
enum { KEYBOARD_GSI = 1, UART_GSI = 4, CLOCK_GSI = 8 };
enum { BOOT_WAIT_MS = 10000 }; /* a disk or a network may be late */
#define SECOND INT64_C(1000000000)

void machine_set_line(void *context, unsigned number, bool high)
{
    vmm_kvm_line(((struct vmm_machine *)context)->kvm, number, high);
}

static struct vmm_line line_of(struct vmm_machine *machine, unsigned gsi)
{
    return (struct vmm_line) { machine_set_line, machine, gsi };
}

struct vmm_dev *machine_place(struct vmm_machine *machine)
{
    return &machine->devices[machine->device_count];
}

int machine_added(struct vmm_machine *machine, int rc)
{
    struct vmm_dev *device = machine_place(machine);

    if (rc < 0)
        return rc;
    device->instance = 0;
    for (unsigned i = 0; i < machine->device_count; i++)
        device->instance += machine->devices[i].ops->id == device->ops->id;
    machine->device_count++;
    return 0;
}

/* --- serial port, keyboard controller --- */

static int add_uart(struct vmm_machine *machine)
{
    const struct vmm_line line = line_of(machine, UART_GSI);
    const struct vmm_uart_callbacks callbacks = { machine->callbacks.console,
                                                  machine->callbacks.console_read,
                                                  machine->callbacks.context };

    return machine_added(machine, vmm_uart_new(machine->bus, UART_PORT, &line, &callbacks,
                                               machine_place(machine), &machine->uart));
}

static void reset_by_keyboard(void *context)
{
    machine_end(context, VMM_MACHINE_RESET, "by the keyboard controller");
}

static int add_i8042(struct vmm_machine *machine)
{
    const struct vmm_line line = line_of(machine, KEYBOARD_GSI);

    return machine_added(machine, vmm_i8042_new(machine->bus, &line, reset_by_keyboard, machine,
                                                machine_place(machine)));
}

/* --- the clock --- */

static int64_t wall_ns(void *context)
{
    struct timespec now = { 0 };

    (void)context;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void wake_clock_at(void *context, int64_t at_ns)
{
    const struct vmm_machine *machine = context;

    vmm_alarms_set(machine->alarms, machine->clock_alarm, at_ns);
}

static void wake_clock(void *context)
{
    vmm_cmos_wake(((struct vmm_machine *)context)->cmos);
}

static uint64_t low_bytes(const struct vmm_machine *machine)
{
    return machine->memory.ranges[0].bytes;
}

static uint64_t high_bytes(const struct vmm_machine *machine)
{
    return machine->memory.count > 1 ? machine->memory.ranges[1].bytes : 0;
}

static int add_cmos(struct vmm_machine *machine)
{
    const struct vmm_line line = line_of(machine, CLOCK_GSI);
    const struct vmm_cmos_clock clock = { wall_ns, wake_clock_at, machine };
    const struct vmm_machine_firmware *firmware = machine->config.firmware;
    const bool network_first = firmware != NULL && firmware->network_first;
    const struct vmm_cmos_config config = {
        .low_bytes = low_bytes(machine),
        .high_bytes = high_bytes(machine),
        .cpus = machine->config.cpus,
        .boot = { network_first ? VMM_CMOS_BOOT_NETWORK : VMM_CMOS_BOOT_DISK,
                  network_first ? VMM_CMOS_BOOT_DISK : VMM_CMOS_BOOT_NETWORK },
        .battery = &machine->config.battery,
    };
    int rc =
        vmm_alarms_add(machine->alarms, CLOCK_REALTIME, wake_clock, machine, &machine->clock_alarm);

    if (rc == 0)
        rc = vmm_cmos_new(machine->bus, &line, &config, &clock, machine_place(machine),
                          &machine->cmos);
    return machine_added(machine, rc);
}

/* --- small ports --- */

static void reset_by_port(void *context)
{
    machine_end(context, VMM_MACHINE_RESET, "by port 92h");
}

static void guest_event(void *context, unsigned events)
{
    const struct vmm_machine *machine = context;

    if ((events & (VMM_PORTS_PANIC | VMM_PORTS_CRASH)) != 0)
        machine->callbacks.panicked(machine->callbacks.context);
}

static void firmware_line(void *context, const char *text)
{
    const struct vmm_machine *machine = context;
    const struct vmm_machine_firmware *firmware = machine->config.firmware;

    if (firmware != NULL && firmware->line != NULL)
        firmware->line(firmware->context, text);
}

static int add_ports(struct vmm_machine *machine)
{
    const struct vmm_ports_callbacks callbacks = { reset_by_port, guest_event, firmware_line,
                                                   machine };

    return machine_added(machine, vmm_ports_new(machine->bus, &callbacks, machine_place(machine)));
}

/* --- firmware configuration --- */

static void *memory_at(void *context, uint64_t guest_at, uint64_t bytes, bool writes)
{
    const struct vmm_machine *machine = context;
    void *at = vmm_memory_at(&machine->memory, guest_at, bytes);

    if (writes && at != NULL)
        vh_log_mark(&machine->log, guest_at, bytes); /* KVM's log does not see it */
    return at;
}

static struct vmm_dma dma_of(struct vmm_machine *machine)
{
    return (struct vmm_dma) { memory_at, machine };
}

static void make_tables(const struct vmm_machine *machine, struct vmm_acpi_tables *tables)
{
    const struct vmm_acpi_config config = {
        .cpus = machine->config.cpus,
        .memory_gap_at = (uint32_t)VMM_MEMORY_GAP_AT,
        .serial_port = UART_PORT,
        .panic_port = PVPANIC_PORT,
        .fwcfg_port = FWCFG_PORT,
    };

    vmm_acpi_make(&config, tables);
}

int machine_place_tables(struct vmm_machine *machine, uint64_t *ret_rsdp_at)
{
    const struct vmm_dma dma = dma_of(machine);
    struct vmm_acpi_tables tables;

    make_tables(machine, &tables);
    return vmm_acpi_place(&tables, &dma, ret_rsdp_at);
}

static int add_fwcfg(struct vmm_machine *machine)
{
    const struct vmm_dma dma = dma_of(machine);
    const struct vmm_fwcfg_platform platform = {
        .low_bytes = low_bytes(machine),
        .high_bytes = high_bytes(machine),
        .cpus = (uint16_t)machine->config.cpus,
        .console_port = UART_PORT,
        .panic_port = PVPANIC_PORT,
        .boot_menu = machine->config.firmware != NULL && machine->config.firmware->menu,
        .boot_wait_ms = BOOT_WAIT_MS,
    };
    struct vmm_acpi_tables tables;
    int rc = machine_added(
        machine, vmm_fwcfg_new(machine->bus, &dma, machine_place(machine), &machine->fwcfg));

    if (rc == 0)
        rc = vmm_fwcfg_describe(machine->fwcfg, &platform);
    if (rc < 0)
        return rc;
    make_tables(machine, &tables);
    return vmm_acpi_offer(&tables, machine->fwcfg);
}

int machine_add_platform(struct vmm_machine *machine)
{
    int rc = add_uart(machine);

    if (rc == 0)
        rc = add_i8042(machine);
    if (rc == 0)
        rc = add_cmos(machine);
    if (rc == 0)
        rc = add_ports(machine);
    return rc < 0 ? rc : add_fwcfg(machine);
}

void vmm_machine_keep(struct vmm_machine *machine, struct vmm_machine_config *config)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_cmos_keep(machine->cmos, &config->battery);
    (void)pthread_mutex_unlock(&machine->mutex);
}
