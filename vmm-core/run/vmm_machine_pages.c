/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's pages. KVM's log has what vCPUs and KVM itself wrote; what devices wrote is in a log
 * of the machine's own, which stands in shared memory so that a disk's server can write it, too.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "vmm-core/run/vmm_machine_priv.h"
#include "vmm-core/run/vmm_machine_save.h"

/* --- memory --- */

/* Pages are counted as they lie in the memfd. */
static int next_data(void *context, uint64_t page, uint64_t *ret_first, uint64_t *ret_count)
{
    const struct vmm_memory *memory = context;
    const off_t data = lseek(memory->fd, (off_t)(page * VMM_SAVE_PAGE_BYTES), SEEK_DATA);
    off_t hole;

    if (data < 0)
        return errno == ENXIO ? -ENOENT : -errno;
    hole = lseek(memory->fd, data, SEEK_HOLE);
    if (hole < 0)
        return -errno;
    *ret_first = (uint64_t)data / VMM_SAVE_PAGE_BYTES;
    *ret_count = ((uint64_t)hole + VMM_SAVE_PAGE_BYTES - 1) / VMM_SAVE_PAGE_BYTES - *ret_first;
    return 0;
}

void machine_divide_pages(struct vmm_machine *machine)
{
    for (unsigned i = 0; i < machine->memory.count; i++) {
        const struct vmm_memory_range *range = &machine->memory.ranges[i];

        machine->pages[i] =
            (struct vmm_save_range) { range->address, range->bytes, range->file_offset_bytes };
    }
}

void vmm_machine_pages(const struct vmm_machine *machine, struct vmm_save_memory *ret_memory)
{
    *ret_memory = (struct vmm_save_memory) { machine->pages, machine->memory.count, next_data,
                                             (void *)(uintptr_t)&machine->memory };
}

unsigned vmm_machine_cpus(const struct vmm_machine *machine)
{
    return machine->vcpu_count;
}

int vmm_machine_clear(struct vmm_machine *machine)
{
    return vmm_memory_clear(&machine->memory);
}

/* --- what was written --- */

static uint64_t log_bytes(const struct vmm_machine *machine)
{
    const struct vmm_memory_range *last = &machine->memory.ranges[machine->memory.count - 1];

    return (last->guest_at + last->bytes) / VH_LOG_PAGE_BYTES / 8;
}

static int open_log(struct vmm_machine *machine)
{
    if (machine->log_fd < 0)
        machine->log_fd = memfd_create("hawser-log", MFD_CLOEXEC);
    if (machine->log_fd < 0 || ftruncate(machine->log_fd, 0) < 0 ||
        ftruncate(machine->log_fd, (off_t)log_bytes(machine)) < 0)
        return -errno;
    return vh_log_map(&machine->log, machine->log_fd, 0, log_bytes(machine));
}

int vmm_machine_track(struct vmm_machine *machine, bool on)
{
    int rc = 0;

    (void)pthread_mutex_lock(&machine->mutex);
    if (on)
        rc = open_log(machine);
    if (on && rc == 0) {
        rc = machine_log_disks(machine, true);
        machine->unlogged = machine->config.disk_count > 0;
    }
    if (!on || rc < 0) {
        (void)machine_log_disks(machine, false);
        vh_log_unmap(&machine->log);
    }
    (void)pthread_mutex_unlock(&machine->mutex);
    return rc < 0 ? rc : vmm_kvm_log_dirty(machine->kvm, on);
}

/* KVM's of one range; ranges are multiples of 1 MiB, so that no word has pages of two. */
static int take_kvm(const struct vmm_machine *machine, unsigned range, uint64_t *bitmap)
{
    const uint64_t words = machine->memory.ranges[range].bytes / VMM_SAVE_PAGE_BYTES / 64;
    hw_auto_free uint64_t *bits = calloc(words, sizeof(*bits));
    int rc = bits == NULL ? -ENOMEM : vmm_kvm_dirty(machine->kvm, range, bits);

    for (uint64_t i = 0; rc == 0 && i < words; i++)
        bitmap[i] |= bits[i];
    return rc;
}

/* The devices' of one range; byte by byte as they set it. */
static void take_own(const struct vmm_machine *machine, unsigned range, uint64_t *bitmap)
{
    const struct vmm_memory_range *of = &machine->memory.ranges[range];
    const uint64_t first = of->guest_at / VH_LOG_PAGE_BYTES / 8;

    for (uint64_t i = 0; i < of->bytes / VH_LOG_PAGE_BYTES / 8; i++) {
        uint8_t *byte = &machine->log.bits[first + i];

        if (__atomic_load_n(byte, __ATOMIC_RELAXED) != 0)
            bitmap[i / 8] |= (uint64_t)__atomic_exchange_n(byte, 0, __ATOMIC_SEQ_CST) << i % 8 * 8;
    }
}

/* A disk's server begins to note what it writes some time after it was asked: all that was written
 * before, and not noted, may be anywhere. */
static void take_disks(struct vmm_machine *machine, uint64_t *bitmap)
{
    for (unsigned i = 0; i < machine->memory.count; i++)
        machine_take_disks(machine, i,
                           bitmap + machine->memory.ranges[i].file_offset_bytes /
                                        VMM_SAVE_PAGE_BYTES / 64);
    if (!machine->unlogged)
        return;
    memset(bitmap, UINT8_MAX, machine->memory.bytes / VMM_SAVE_PAGE_BYTES / 8);
    machine->unlogged = !machine_logs_disks(machine);
}

int vmm_machine_dirty(struct vmm_machine *machine, uint64_t *bitmap)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < machine->memory.count; i++)
        rc = take_kvm(machine, i,
                      bitmap +
                          machine->memory.ranges[i].file_offset_bytes / VMM_SAVE_PAGE_BYTES / 64);
    (void)pthread_mutex_lock(&machine->mutex); /* a device is not between its look and its write */
    for (unsigned i = 0; machine->log.bits != NULL && i < machine->memory.count; i++)
        take_own(machine, i,
                 bitmap + machine->memory.ranges[i].file_offset_bytes / VMM_SAVE_PAGE_BYTES / 64);
    if (machine->log.bits != NULL)
        take_disks(machine, bitmap);
    (void)pthread_mutex_unlock(&machine->mutex);
    return rc;
}

/* --- standing --- */

bool vmm_machine_has_ended(struct vmm_machine *machine)
{
    bool ended;

    (void)pthread_mutex_lock(&machine->mutex);
    ended = machine->ended;
    (void)pthread_mutex_unlock(&machine->mutex);
    return ended;
}

bool vmm_machine_drained(struct vmm_machine *machine)
{
    bool drained = true;

    (void)pthread_mutex_lock(&machine->mutex);
    for (unsigned i = 0; i < machine->device_count; i++)
        drained &= vmm_dev_drained(&machine->devices[i]);
    (void)pthread_mutex_unlock(&machine->mutex);
    return drained;
}
