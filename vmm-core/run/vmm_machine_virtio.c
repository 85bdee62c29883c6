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

enum {
    NET_SLOT = 19 /* up to 26 */,
    BALLOON_SLOT = 28,
    CONSOLE_SLOT = 29,
    RNG_SLOT = 30
}; /* lower ones are for disks and NICs */

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

/* A device and its MSI-X device are in their places, if `rc` is 0. Returns that. */
static int added(struct vmm_machine *machine, int rc, const struct vmm_dev *dev,
                 const struct vmm_dev *msix)
{
    if (rc < 0)
        return rc;
    *machine_place(machine) = *dev;
    (void)machine_added(machine, 0);
    *machine_place(machine) = *msix;
    return machine_added(machine, 0);
}

static int add_rng(struct vmm_machine *machine)
{
    const struct vmm_entropy entropy = { fill, NULL };
    struct vmm_dev rng, msix;
    int rc = vmm_virtio_rng_new(machine->pci, RNG_SLOT, machine->rings, &entropy, &rng, &msix);

    return added(machine, rc, &rng, &msix);
}

/* What the guest does not need is zero from now on, which whoever keeps account of changed memory
 * has to know. */
static void drop(void *context, uint64_t guest_at, uint64_t bytes)
{
    const struct vmm_machine *machine = context;
    const struct vh_log *log = vh_mem_log(machine->rings);

    if (vmm_memory_drop(&machine->memory, guest_at, bytes) == 0 && log != NULL)
        vh_log_mark(log, guest_at, bytes);
}

static int add_balloon(struct vmm_machine *machine)
{
    const struct vmm_virtio_balloon_port port = { drop, machine };
    struct vmm_dev balloon, msix;
    const int rc = vmm_virtio_balloon_new(machine->pci, BALLOON_SLOT, machine->rings, &port,
                                          &balloon, &msix, &machine->balloon);

    return added(machine, rc, &balloon, &msix);
}

static int add_console(struct vmm_machine *machine)
{
    struct vmm_dev console, msix;
    int rc;

    if (machine->config.console == NULL)
        return 0;
    rc = vmm_virtio_console_new(machine->pci, CONSOLE_SLOT, machine->rings, machine->config.console,
                                &console, &msix, &machine->console);
    return added(machine, rc, &console, &msix);
}

static int add_net(struct vmm_machine *machine, unsigned i)
{
    const struct vmm_machine_net *of = &machine->config.nets[i];
    struct vmm_dev net, msix;
    const int rc = vmm_virtio_net_new(machine->pci, NET_SLOT + i, machine->rings, of->mac, of->port,
                                      &net, &msix, &machine->nets[i]);

    return added(machine, rc, &net, &msix);
}

int machine_add_virtio(struct vmm_machine *machine)
{
    int rc = map_rings(machine);

    if (rc == 0)
        rc = add_rng(machine);
    if (rc == 0)
        rc = add_balloon(machine);
    if (rc == 0)
        rc = add_console(machine);
    for (unsigned i = 0; rc == 0 && i < machine->config.net_count; i++)
        rc = add_net(machine, i);
    return rc;
}

/* --- from outside --- */

void vmm_machine_balloon_set_target(struct vmm_machine *machine, uint64_t bytes)
{
    const uint64_t all = machine->memory.bytes;

    (void)pthread_mutex_lock(&machine->mutex);
    vmm_virtio_balloon_set_target(machine->balloon, bytes < all ? bytes : all);
    (void)pthread_mutex_unlock(&machine->mutex);
}

void vmm_machine_balloon_ask(struct vmm_machine *machine)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_virtio_balloon_ask(machine->balloon);
    (void)pthread_mutex_unlock(&machine->mutex);
}

void vmm_machine_balloon_status(struct vmm_machine *machine,
                                struct vmm_virtio_balloon_status *ret_status)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_virtio_balloon_status(machine->balloon, ret_status);
    (void)pthread_mutex_unlock(&machine->mutex);
}

size_t vmm_machine_virtio_console_write(struct vmm_machine *machine, const uint8_t *bytes,
                                        size_t count)
{
    size_t taken;

    (void)pthread_mutex_lock(&machine->mutex);
    taken = vmm_virtio_console_receive(machine->console, bytes, count);
    (void)pthread_mutex_unlock(&machine->mutex);
    return taken;
}

void vmm_machine_virtio_console_has_room(struct vmm_machine *machine)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_virtio_console_has_room(machine->console);
    (void)pthread_mutex_unlock(&machine->mutex);
}

bool vmm_machine_net_receive(struct vmm_machine *machine, unsigned i)
{
    bool has_room;

    (void)pthread_mutex_lock(&machine->mutex);
    has_room = vmm_virtio_net_receive(machine->nets[i]);
    (void)pthread_mutex_unlock(&machine->mutex);
    return has_room;
}

void vmm_machine_net_go_on(struct vmm_machine *machine, unsigned i)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_virtio_net_go_on(machine->nets[i]);
    (void)pthread_mutex_unlock(&machine->mutex);
}

void vmm_machine_net_set_link(struct vmm_machine *machine, unsigned i, bool up)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_virtio_net_set_link(machine->nets[i], up);
    (void)pthread_mutex_unlock(&machine->mutex);
}

void vmm_machine_net_announce(struct vmm_machine *machine, unsigned i)
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_virtio_net_announce(machine->nets[i]);
    (void)pthread_mutex_unlock(&machine->mutex);
}

void vmm_machine_net_mac(struct vmm_machine *machine, unsigned i,
                         uint8_t ret_mac[VMM_VIRTIO_NET_MAC_BYTES])
{
    (void)pthread_mutex_lock(&machine->mutex);
    vmm_virtio_net_mac(machine->nets[i], ret_mac);
    (void)pthread_mutex_unlock(&machine->mutex);
}
