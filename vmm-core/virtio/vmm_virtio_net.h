/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio network device (virtio 1.2 5.1) with one pair of queues and a control queue. Frames go
 * from and to guest memory where they lie, with checksums and segmentation left to whoever takes
 * them; what nobody takes is lost, as on any wire.
 */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include <sys/types.h>

#include "vmm-core/virtio/vmm_virtio.h"

enum {
    VMM_VIRTIO_NET_QUEUE_SIZE = 256,
    VMM_VIRTIO_NET_MAC_BYTES = 6,
    VMM_VIRTIO_NET_HEADER_BYTES = 12,   /* before each frame (5.1.6), on both sides */
    VMM_VIRTIO_NET_FRAME_BYTES = 65562, /* the most with it: 64 KiB, Ethernet, a tag */
    VMM_VIRTIO_NET_PIECES = 768,        /* the most that a frame is in */
    VMM_VIRTIO_NET_FILTERS = 64,        /* addresses of each kind that are told apart */
};

/* What the driver can receive that is not whole yet: a checksum, large segments. */
enum vmm_virtio_net_offload {
    VMM_VIRTIO_NET_CSUM = 1,
    VMM_VIRTIO_NET_TSO4 = 2,
    VMM_VIRTIO_NET_TSO6 = 4,
    VMM_VIRTIO_NET_ECN = 8,
};

struct vmm_virtio_net;

/* The wire. All with the machine's lock held, from any thread; none calls the machine, none
 * blocks. Pieces lie in guest memory, which may change meanwhile. */
struct vmm_virtio_net_port {
    /* A header and a frame, of the guest's making. */
    void (*send)(void *context, const struct iovec *pieces, unsigned count);
    /* The next frame and its header into so many pieces, which have room for each; 0: there is
     * none. Else how long they are. */
    size_t (*receive)(void *context, const struct iovec *pieces, unsigned count);
    /* From now on the driver can take these (enum vmm_virtio_net_offload). */
    void (*offload)(void *context, unsigned offloads);
    /* The guest may have room: see vmm_virtio_net_receive(). */
    void (*has_room)(void *context);
    /* A turn was over before all was done: vmm_virtio_net_go_on() is to be called soon. */
    void (*later)(void *context);
    void *context;
};

/*
 * One in `slot` of `pci` with this address (a unicast one), for buffers in `mem`; its link is up.
 * `ret_dev` and `ret_msix` are for the machine, in this order; `ret_net` is for the calls below and
 * ends with the device. 0 or what vmm_virtio_new() says.
 */
int vmm_virtio_net_new(struct vmm_pci *pci, unsigned slot, struct vh_mem *mem,
                       const uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES],
                       const struct vmm_virtio_net_port *port, struct vmm_dev *ret_dev,
                       struct vmm_dev *ret_msix, struct vmm_virtio_net **ret_net);

/* Take frames for the guest, as many as a turn may cost. False: it has no room, or it stands;
 * port.has_room() follows. */
bool vmm_virtio_net_receive(struct vmm_virtio_net *net);
/* After port.later(): one more turn. */
void vmm_virtio_net_go_on(struct vmm_virtio_net *net);
/* The cable is plugged in, or not: the driver is told (5.1.4, VIRTIO_NET_S_LINK_UP). */
void vmm_virtio_net_set_link(struct vmm_virtio_net *net, bool up);
/* The guest is on another wire than before: its driver, if it can, tells everybody there
 * (5.1.6.5.4). */
void vmm_virtio_net_announce(struct vmm_virtio_net *net);
/* The address that it has now; its driver may have changed it. */
void vmm_virtio_net_mac(const struct vmm_virtio_net *net,
                        uint8_t ret_mac[VMM_VIRTIO_NET_MAC_BYTES]);

#endif
