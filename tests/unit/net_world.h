/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of the network device share: one on a bus, whose wire is here, and a driver's way to
 * give it chains.
 */
#ifndef NET_WORLD_H
#define NET_WORLD_H

#include "tests/unit/virtio_world.h"
#include "vmm-core/virtio/vmm_virtio_net.h"

enum { RECEIVE, TRANSMIT, CONTROL, SIZE = 64, HEADER = VMM_VIRTIO_NET_HEADER_BYTES };
enum { NET_STATUS_AT = CONFIG_PAGE + 6, LINK_UP = 1, ANNOUNCE = 2, ISR_CONFIG = 2 };

struct net_world {
    struct virtio_world world;
    struct vmm_virtio_net *net;
    /* the last frame sent, with its header */
    uint8_t sent[VMM_VIRTIO_NET_FRAME_BYTES];
    size_t sent_bytes;
    unsigned sends, rooms, laters, offloads_told, offloads;
    bool goes_on; /* the guest sends again meanwhile */
    /* frames to be received: `frames` of so many bytes, header and all, to `to` */
    unsigned frames, reads;
    size_t frame_bytes;
    uint8_t to[6];
};

/* The wire: keeps the frame. */
static inline void net_send(void *context, const struct iovec *pieces, unsigned count)
{
    struct net_world *world = context;

    world->sends++;
    world->sent_bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        CU_ASSERT_FATAL(world->sent_bytes + pieces[i].iov_len <= sizeof(world->sent));
        memcpy(world->sent + world->sent_bytes, pieces[i].iov_base, pieces[i].iov_len);
        world->sent_bytes += pieces[i].iov_len;
    }
    if (world->goes_on)
        offer(&world->world, TRANSMIT, SIZE, 0);
}

/* As a tap interface: byte i of a frame is i, and 2 bytes of the header are not written. */
static inline size_t net_receive_frame(void *context, const struct iovec *pieces, unsigned count)
{
    struct net_world *world = context;
    size_t at = 0;

    world->reads++;
    if (world->frames == 0)
        return 0;
    world->frames--;
    for (unsigned i = 0; i < count; i++)
        for (size_t n = 0; n < pieces[i].iov_len && at < world->frame_bytes; n++, at++)
            if (at != 10 && at != 11)
                ((uint8_t *)pieces[i].iov_base)[n] =
                    at >= HEADER && at < HEADER + 6 ? world->to[at - HEADER] : (uint8_t)at;
    CU_ASSERT_EQUAL(at, world->frame_bytes); /* there was room for it */
    return at;
}

/* What it is told. */
static inline void net_offload(void *context, unsigned offloads)
{
    struct net_world *world = context;

    world->offloads_told++;
    world->offloads = offloads;
}

/* Counts. */
static inline void net_has_room(void *context)
{
    ((struct net_world *)context)->rooms++;
}

/* Counts. */
static inline void net_later(void *context)
{
    ((struct net_world *)context)->laters++;
}

static const uint8_t net_mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };

/* The device; 0 or -errno. */
static inline int net_make(struct net_world *world)
{
    const struct vmm_virtio_net_port port = { net_send,     net_receive_frame, net_offload,
                                              net_has_room, net_later,         world };
    struct virtio_world *w = &world->world;

    return vmm_virtio_net_new(w->pci, VIRTIO_SLOT, w->mem, net_mac, &port, &w->dev, &w->msix,
                              &world->net);
}

/* With a driver of these features. */
static inline void net_begin(struct net_world *world, uint64_t features)
{
    memset(world, 0, sizeof(*world));
    virtio_world_begin(&world->world);
    CU_ASSERT_EQUAL_FATAL(net_make(world), 0);
    virtio_drive(&world->world, VERSION_1 | features, 3, SIZE);
    world->rooms = 0;
    world->frame_bytes = HEADER + 60;
    memcpy(world->to, net_mac, sizeof(net_mac));
}

/* The device ends. */
static inline void net_end(struct net_world *world)
{
    world->world.msix.ops->fini(world->world.msix.dev);
    world->world.dev.ops->fini(world->world.dev.dev);
    virtio_world_end(&world->world);
}

/* Descriptor `i` of `queue`, at DATA + at. */
static inline void net_piece(const struct net_world *world, unsigned queue, unsigned i, unsigned at,
                             unsigned bytes, unsigned flags)
{
    const struct vh_desc desc = { DATA + at, bytes, (uint16_t)flags, (uint16_t)(i + 1) };

    descriptor(&world->world, queue * QUEUE_STEP, i, &desc);
}

/* How many chains of `queue` were given back. */
static inline unsigned net_used(const struct net_world *world, unsigned queue)
{
    return word(&world->world, queue * QUEUE_STEP + USED + 2);
}

/* With how many bytes the i-th was. */
static inline unsigned net_used_bytes(const struct net_world *world, unsigned queue, unsigned i)
{
    const unsigned at = queue * QUEUE_STEP + USED + 4 + i * 8 + 4;

    return word(&world->world, at) | (unsigned)word(&world->world, at + 2) << 16;
}

#endif
