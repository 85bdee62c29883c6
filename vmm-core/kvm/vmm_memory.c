/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memfd and its mapping. It is sealed, so that whoever is handed it can neither shrink it under
 * the guest nor let it grow.
 */
#include "config.h"

#include "vmm-core/kvm/vmm_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STEP_BYTES = 1 << 20, PAGE_BYTES = 4096 };

static int refuse(struct hw_error *error, int code, const char *what)
{
    return hw_error_setf(error, HW_ERROR_FAILED, code, "guest memory",
                         "give the guest less, or the host more", "%s: %s", what, strerror(code));
}

static void divide(struct vmm_memory *memory, uint8_t *address)
{
    const uint64_t low = memory->bytes < VMM_MEMORY_GAP_AT ? memory->bytes : VMM_MEMORY_GAP_AT;

    memory->ranges[0] = (struct vmm_memory_range) { .bytes = low, .address = address };
    memory->count = 1;
    if (memory->bytes == low)
        return;
    memory->ranges[1] = (struct vmm_memory_range) { .guest_at = VMM_MEMORY_HIGH_AT,
                                                    .bytes = memory->bytes - low,
                                                    .file_offset_bytes = low,
                                                    .address = address + low };
    memory->count = 2;
}

int vmm_memory_new(uint64_t bytes, struct vmm_memory *ret_memory, struct hw_error *error)
{
    struct vmm_memory memory = { .bytes = bytes };
    void *address;

    if (bytes < VMM_MEMORY_MIN_BYTES || bytes > VMM_MEMORY_MAX_BYTES || bytes % STEP_BYTES != 0)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "guest memory",
                            "is not from 16M to 64G in whole MiB", "choose another --memory");
    memory.fd = memfd_create("hawser-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory.fd < 0)
        return refuse(error, errno, "cannot be made");
    if (ftruncate(memory.fd, (off_t)bytes) < 0 ||
        fcntl(memory.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int code = errno;

        (void)close(memory.fd);
        return refuse(error, code, "cannot be sized");
    }
    address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory.fd, 0);
    if (address == MAP_FAILED) {
        int code = errno;

        (void)close(memory.fd);
        return refuse(error, code, "cannot be mapped");
    }
    (void)madvise(address, bytes, MADV_DONTDUMP); /* the guest's secrets, and too large */
    divide(&memory, address);
    *ret_memory = memory;
    return 0;
}

void vmm_memory_free(struct vmm_memory *memory)
{
    if (memory->count == 0)
        return;
    (void)munmap(memory->ranges[0].address, memory->bytes);
    (void)close(memory->fd);
    memory->count = 0;
}

/* `at` is in the memfd. */
static int punch(const struct vmm_memory *memory, uint64_t at, uint64_t bytes)
{
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

    return fallocate(memory->fd, mode, (off_t)at, (off_t)bytes) < 0 ? -errno : 0;
}

int vmm_memory_clear(const struct vmm_memory *memory)
{
    return punch(memory, 0, memory->bytes);
}

static const struct vmm_memory_range *find(const struct vmm_memory *memory, uint64_t guest_at,
                                           uint64_t bytes)
{
    for (unsigned i = 0; i < memory->count; i++) {
        const struct vmm_memory_range *range = &memory->ranges[i];

        if (guest_at >= range->guest_at && guest_at - range->guest_at <= range->bytes &&
            bytes <= range->bytes - (guest_at - range->guest_at))
            return range;
    }
    return NULL;
}

int vmm_memory_drop(const struct vmm_memory *memory, uint64_t guest_at, uint64_t bytes)
{
    const struct vmm_memory_range *range = find(memory, guest_at, bytes);

    if (range == NULL)
        return -EFAULT;
    if (bytes == 0 || guest_at % PAGE_BYTES != 0 || bytes % PAGE_BYTES != 0)
        return -EINVAL;
    return punch(memory, range->file_offset_bytes + (guest_at - range->guest_at), bytes);
}

void *vmm_memory_at(const struct vmm_memory *memory, uint64_t guest_at, uint64_t bytes)
{
    const struct vmm_memory_range *range = find(memory, guest_at, bytes);

    return range == NULL ? NULL : range->address + (guest_at - range->guest_at);
}
