/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a machine, and what its vCPUs come out of the guest for. Exits are answered in the vCPU's
 * own thread under the machine's lock; no thread waits for a vCPU while it holds that lock.
 */
#include "config.h"

#include "vmm-core/run/vmm_machine_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int no_memory(struct hw_error *error)
{
    return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
}

static int no_devices(struct hw_error *error, int code)
{
    if (code == ENOMEM)
        return no_memory(error);
    return hw_error_setf(error, HW_ERROR_FAILED, code, "VM", "allow more open files",
                         "its devices cannot be made: %s", strerror(code));
}

/* --- what the guest does --- */

void machine_end(struct vmm_machine *machine, enum vmm_machine_end end, const char *text)
{
    if (machine->ended)
        return;
    machine->ended = true;
    for (unsigned i = 0; i < machine->vcpu_count; i++)
        vmm_vcpu_pause(machine->vcpus[i]);
    machine->callbacks.ended(machine->callbacks.context, end, text);
}

static void end_by_kvm(struct vmm_machine *machine, const struct kvm_run *run)
{
    char text[96];

    if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
        (void)snprintf(text, sizeof(text), "KVM cannot emulate an instruction (suberror %u)",
                       run->internal.suberror);
    else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
        (void)snprintf(text, sizeof(text), "the processor refuses the guest's state (reason %llx)",
                       (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
    else
        (void)snprintf(text, sizeof(text), "KVM came back for a reason that is not known (%u)",
                       run->exit_reason);
    machine_end(machine, VMM_MACHINE_BROKEN, text);
}

static enum vmm_exit exit_of(const struct kvm_run *run)
{
    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        return VMM_EXIT_PORT;
    case KVM_EXIT_MMIO:
        return VMM_EXIT_MMIO;
    case KVM_EXIT_INTR:
        return VMM_EXIT_INTERRUPT;
    default:
        return VMM_EXIT_OTHER;
    }
}

static void exited(void *context, struct vmm_vcpu *vcpu, struct kvm_run *run)
{
    struct vmm_machine *machine = context;

    (void)pthread_mutex_lock(&machine->mutex);
    machine->exits[vmm_vcpu_index(vcpu)][exit_of(run)]++;
    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        vmm_bus_port_io(machine->bus, run->io.port, run->io.direction == KVM_EXIT_IO_OUT,
                        run->io.size, run->io.count, (uint8_t *)run + run->io.data_offset);
        break;
    case KVM_EXIT_MMIO:
        vmm_bus_mmio(machine->bus, run->mmio.phys_addr, run->mmio.is_write != 0, run->mmio.len,
                     run->mmio.data);
        break;
    case KVM_EXIT_SHUTDOWN:
        machine_end(machine, VMM_MACHINE_RESET, "triple fault");
        break;
    case KVM_EXIT_INTR:
        break;
    default:
        end_by_kvm(machine, run);
        break;
    }
    (void)pthread_mutex_unlock(&machine->mutex);
}

static void broken(void *context, struct vmm_vcpu *vcpu, int code)
{
    struct vmm_machine *machine = context;
    char text[96];

    (void)snprintf(text, sizeof(text), "vCPU %u cannot run: %s", vmm_vcpu_index(vcpu),
                   strerror(code));
    (void)pthread_mutex_lock(&machine->mutex);
    machine_end(machine, VMM_MACHINE_BROKEN, text);
    (void)pthread_mutex_unlock(&machine->mutex);
}

/* --- making it --- */

static int add_vcpus(struct vmm_machine *machine, struct hw_error *error)
{
    const struct vmm_vcpu_callbacks callbacks = { exited, broken, machine };
    int rc = 0;

    while (rc == 0 && machine->vcpu_count < machine->config.cpus) {
        rc = vmm_vcpu_new(machine->kvm, machine->vcpu_count, &callbacks,
                          &machine->vcpus[machine->vcpu_count], error);
        machine->vcpu_count += rc == 0;
    }
    return rc;
}

static int make(struct vmm_machine *machine, int kvm_fd, struct hw_error *error)
{
    int rc = vmm_memory_new(machine->config.memory_bytes, &machine->memory, error);

    if (rc == 0)
        machine_divide_pages(machine);
    if (rc == 0)
        rc = vmm_kvm_new(kvm_fd, &machine->memory, &machine->kvm, error);
    if (rc < 0)
        return rc;
    machine->bus = vmm_bus_new();
    rc = machine->bus == NULL ? -ENOMEM : vmm_alarms_new(&machine->alarms);
    if (rc == 0)
        rc = machine_add_rom(machine);
    if (rc == 0)
        rc = machine_add_platform(machine);
    if (rc == 0)
        rc = machine_add_pci(machine);
    if (rc == 0)
        rc = machine_offer_boot(machine);
    if (rc == 0)
        rc = machine_add_virtio(machine);
    if (rc == 0)
        rc = machine_add_disks(machine);
    if (rc < 0)
        return no_devices(error, -rc);
    return add_vcpus(machine, error);
}

int vmm_machine_new(int kvm_fd, const struct vmm_machine_config *config,
                    const struct vmm_machine_callbacks *callbacks, struct vmm_machine **ret_machine,
                    struct hw_error *error)
{
    struct vmm_machine *machine;
    int rc;

    if (config->cpus == 0 || config->cpus > VMM_MACHINE_CPUS)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--cpus", "is not from 1 to 16",
                            "choose another one");
    machine = calloc(1, sizeof(*machine));
    if (machine == NULL)
        return no_memory(error);
    machine->config = *config;
    machine->callbacks = *callbacks;
    machine->log_fd = -1;
    (void)pthread_mutex_init(&machine->mutex, NULL);
    rc = make(machine, kvm_fd, error);
    if (rc < 0) {
        vmm_machine_free(machine);
        return rc;
    }
    *ret_machine = machine;
    return 0;
}

void vmm_machine_free(struct vmm_machine *machine)
{
    if (machine == NULL)
        return;
    for (unsigned i = 0; i < machine->vcpu_count; i++)
        vmm_vcpu_free(machine->vcpus[i]);
    for (unsigned i = machine->device_count; i > 0; i--)
        machine->devices[i - 1].ops->fini(machine->devices[i - 1].dev);
    vh_mem_unref(machine->rings);
    vh_log_unmap(&machine->log);
    if (machine->log_fd >= 0)
        (void)close(machine->log_fd);
    vmm_alarms_free(machine->alarms);
    vmm_bus_free(machine->bus);
    vmm_kvm_free(machine->kvm);
    free(machine->rom);
    vmm_memory_free(&machine->memory);
    (void)pthread_mutex_destroy(&machine->mutex);
    free(machine);
}

/* --- from outside --- */

void vmm_machine_run(struct vmm_machine *machine)
{
    (void)pthread_mutex_lock(&machine->mutex);
    for (unsigned i = 0; i < machine->device_count; i++)
        vmm_dev_resume(&machine->devices[i]);
    for (unsigned i = 0; !machine->ended && i < machine->vcpu_count; i++)
        vmm_vcpu_run(machine->vcpus[i]);
    (void)pthread_mutex_unlock(&machine->mutex);
}

void vmm_machine_pause(struct vmm_machine *machine)
{
    for (unsigned i = 0; i < machine->vcpu_count; i++)
        vmm_vcpu_pause(machine->vcpus[i]);
    for (unsigned i = 0; i < machine->vcpu_count; i++)
        vmm_vcpu_wait(machine->vcpus[i]);
    (void)pthread_mutex_lock(&machine->mutex);
    for (unsigned i = 0; i < machine->device_count; i++)
        vmm_dev_pause(&machine->devices[i]);
    (void)pthread_mutex_unlock(&machine->mutex);
}

void vmm_machine_count(struct vmm_machine *machine, struct vmm_machine_counts *counts)
{
    (void)pthread_mutex_lock(&machine->mutex);
    for (unsigned i = 0; i < machine->vcpu_count; i++) {
        counts->cpu_ns[i] += vmm_vcpu_cpu_ns(machine->vcpus[i]);
        for (unsigned kind = 0; kind < VMM_EXIT_COUNT; kind++)
            counts->exits[i][kind] += machine->exits[i][kind];
    }
    (void)pthread_mutex_unlock(&machine->mutex);
}

size_t vmm_machine_console_write(struct vmm_machine *machine, const uint8_t *bytes, size_t count)
{
    size_t taken;

    (void)pthread_mutex_lock(&machine->mutex);
    taken = vmm_uart_receive(machine->uart, bytes, count);
    (void)pthread_mutex_unlock(&machine->mutex);
    return taken;
}

void vmm_machine_has_room(struct vmm_machine *machine)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_uart_has_room(machine->uart);
    (void)pthread_mutex_unlock(&machine->mutex);
}

int vmm_machine_alarm_fd(const struct vmm_machine *machine)
{
    return vmm_alarms_fd(machine->alarms);
}

void vmm_machine_alarm(struct vmm_machine *machine)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_alarms_fire(machine->alarms);
    (void)pthread_mutex_unlock(&machine->mutex);
}

const struct vmm_memory *vmm_machine_memory(const struct vmm_machine *machine)
{
    return &machine->memory;
}
