/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's virtio devices. Their rings lie in guest memory and are used where it is mapped
 * already, so that whoever guards that mapping sees them. What they write is, like all DMA of ours,
 * not in KVM's log, but in the machine's.
 */
#include "config.h"

#include <sys/random.h>

#include "vmm-core/run/vmm_machine_priv.h"
#include "vmm-core/virtio/vmm_virtio_rng.h"

enum { RNG_SLOT = 30 }; /* lower ones are for disks and NICs */

static int map_rings(struct vmm_machine *machine)
{
    int rc;

    const struct vmm_memory *memory = &machine->memory;
    struct vh_region regions[2];
    void *addresses[2];

    for (unsigned i = 0; i < memory->count; i++) {
        const struct vmm_memory_range *range = &memory->ranges[i];

        regions[i] = (struct vh_region) { .guest_addr = range->guest_at,
                                          .bytes = range->bytes,
                                          .user_addr = range->guest_at };
        addresses[i] = range->address;
    }
    rc = vh_mem_over(regions, addresses, memory->count, &machine->rings);
    if (rc == 0)
        vh_mem_set_log(machine->rings, &machine->log);
    return rc;
}

/* From the kernel, which is not waited for if it has none yet. */
static size_t fill(void *context, void *bytes, size_t count)
{
    const ssize_t got = getrandom(bytes, count, GRND_NONBLOCK);

    (void)context;
    return got > 0 ? (size_t)got : 0;
}

static int add_rng(struct vmm_machine *machine)
{
    const struct vmm_entropy entropy = { fill, NULL };
    struct vmm_dev rng, msix;
    int rc = vmm_virtio_rng_new(machine->pci, RNG_SLOT, machine->rings, &entropy, &rng, &msix);

    if (rc < 0)
        return rc;
    *machine_place(machine) = rng;
    (void)machine_added(machine, 0);
    *machine_place(machine) = msix;
    return machine_added(machine, 0);
}

int machine_add_virtio(struct vmm_machine *machine)
{
    const int rc = map_rings(machine);

    return rc < 0 ? rc : add_rng(machine);
}
