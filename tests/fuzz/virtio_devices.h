/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for fuzz_vmm_virtio_devices.c: PCI bus, memory in two pieces that adjoin for the guest
 * only, and a device of each kind, from slot 1 on, with what is outside of them.
 */
#ifndef VIRTIO_DEVICES_H
#define VIRTIO_DEVICES_H

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/guest_bus.h"
#include "vmm-core/virtio/vmm_virtio_balloon.h"
#include "vmm-core/virtio/vmm_virtio_console.h"
#include "vmm-core/virtio/vmm_virtio_net.h"

enum { PIECE_BYTES = 32768, GUEST_BYTES = PIECES * PIECE_BYTES };
enum { CONSOLE, NET, BALLOON, DEVICES };
enum { STATES = 2 * DEVICES };

struct world {
    struct guest_bus guest;
    struct vmm_dev devices[STATES]; /* each with its MSI-X device behind it */
    struct vmm_virtio_console *console;
    unsigned room; /* of who listens to the console */
    struct vmm_virtio_balloon *balloon;
    uint64_t dropped_bytes; /* in this call of the guest */
    struct vmm_virtio_net *net;
    unsigned frames; /* that wait on the wire, */
    size_t frame_bytes;
    unsigned offloads; /* that its driver can take */
    bool stands;
};

/* Who listens to the console; what comes without a queue is no memory of the guest's. */
static inline size_t console_write(void *context, const void *bytes, size_t count)
{
    struct world *world = context;
    const size_t taken = count < world->room ? count : world->room;

    if (count > 1)
        guest_check(&world->guest, bytes, count);
    world->room -= (unsigned)taken;
    return taken;
}

/* The guest may have room: somebody looks later. */
static inline void console_has_room(void *context)
{
    (void)context;
}

/* Where pages go: whole ones, and no more than a call for each queue may cost. */
static inline void balloon_drop(void *context, uint64_t guest_at, uint64_t bytes)
{
    struct world *world = context;

    fuzz_require(guest_at % 4096 == 0 && bytes % 4096 == 0 && bytes > 0 && !world->stands);
    world->dropped_bytes += bytes;
    fuzz_require(world->dropped_bytes <= 4 * (uint64_t)VMM_VIRTIO_BALLOON_TURN_BYTES);
}

/* The wire: what comes from the guest lies in its memory, and is no more than a frame. */
static inline void net_send(void *context, const struct iovec *pieces, unsigned count)
{
    size_t bytes = 0;

    fuzz_require(count > 0 && count <= VH_SEGMENTS);
    for (unsigned i = 0; i < count; i++) {
        guest_check(&((struct world *)context)->guest, pieces[i].iov_base, pieces[i].iov_len);
        bytes += pieces[i].iov_len;
    }
    fuzz_require(bytes > VMM_VIRTIO_NET_HEADER_BYTES && bytes <= VMM_VIRTIO_NET_FRAME_BYTES);
}

/* What goes to the guest does so too, but for what has no room. */
static inline size_t net_receive(void *context, const struct iovec *pieces, unsigned count)
{
    struct world *world = context;
    size_t done = 0;

    fuzz_require(!world->stands && count > 1 && count <= VMM_VIRTIO_NET_PIECES);
    for (unsigned i = 0; i + 1 < count; i++)
        guest_check(&world->guest, pieces[i].iov_base, pieces[i].iov_len);
    if (world->frames == 0)
        return 0;
    world->frames--;
    for (unsigned i = 0; i < count && done < world->frame_bytes; i++) {
        const size_t left = world->frame_bytes - done;
        const size_t part = pieces[i].iov_len < left ? pieces[i].iov_len : left;

        memset(pieces[i].iov_base, (int)world->frames, part);
        done += part;
    }
    fuzz_require(done == world->frame_bytes);
    return done;
}

/* Keeps them. */
static inline void net_offload(void *context, unsigned offloads)
{
    ((struct world *)context)->offloads = offloads;
}

/* Both come when they like. */
static inline void net_has_room(void *context)
{
    (void)context;
}

/* All of it, as after power-on. */
static inline void begin(struct world *world)
{
    const struct vmm_virtio_console_port port = { console_write, console_has_room, world };
    const struct vmm_virtio_net_port wire = { net_send,     net_receive,  net_offload,
                                              net_has_room, net_has_room, world };
    const struct vmm_virtio_balloon_port pages = { balloon_drop, world };
    const uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES] = { 2 };

    memset(world, 0, sizeof(*world));
    guest_begin(&world->guest, PIECE_BYTES);
    fuzz_require(vmm_virtio_console_new(world->guest.pci, 1 + CONSOLE, world->guest.mem, &port,
                                        &world->devices[2 * CONSOLE],
                                        &world->devices[2 * CONSOLE + 1], &world->console) == 0);
    fuzz_require(vmm_virtio_net_new(world->guest.pci, 1 + NET, world->guest.mem, mac, &wire,
                                    &world->devices[2 * NET], &world->devices[2 * NET + 1],
                                    &world->net) == 0);
    fuzz_require(vmm_virtio_balloon_new(world->guest.pci, 1 + BALLOON, world->guest.mem, &pages,
                                        &world->devices[2 * BALLOON],
                                        &world->devices[2 * BALLOON + 1], &world->balloon) == 0);
}

/* End all of it. */
static inline void end(struct world *world)
{
    for (unsigned i = STATES; i > 0; i--)
        world->devices[i - 1].ops->fini(world->devices[i - 1].dev);
    guest_end(&world->guest);
}

#endif
