/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a network device.
 */
#ifndef VMM_VIRTIO_NET_PRIV_H
#define VMM_VIRTIO_NET_PRIV_H

#include "vmm-core/virtio/vmm_virtio_net.h"

enum net_queue { NET_RECEIVE, NET_TRANSMIT, NET_CONTROL, NET_QUEUES };
enum { NET_BUFFERS = 64 /* chains that one frame may take */ };

/* Features (5.1.3). */
#define NET_CSUM           (UINT64_C(1) << 0)
#define NET_GUEST_CSUM     (UINT64_C(1) << 1)
#define NET_MAC            (UINT64_C(1) << 5)
#define NET_GUEST_TSO4     (UINT64_C(1) << 7)
#define NET_GUEST_TSO6     (UINT64_C(1) << 8)
#define NET_GUEST_ECN      (UINT64_C(1) << 9)
#define NET_HOST_TSO4      (UINT64_C(1) << 11)
#define NET_HOST_TSO6      (UINT64_C(1) << 12)
#define NET_HOST_ECN       (UINT64_C(1) << 13)
#define NET_MRG_RXBUF      (UINT64_C(1) << 15)
#define NET_STATUS         (UINT64_C(1) << 16)
#define NET_CTRL_VQ        (UINT64_C(1) << 17)
#define NET_CTRL_RX        (UINT64_C(1) << 18)
#define NET_CTRL_RX_EXTRA  (UINT64_C(1) << 20)
#define NET_GUEST_ANNOUNCE (UINT64_C(1) << 21)
#define NET_CTRL_MAC_ADDR  (UINT64_C(1) << 23)

/* What the driver wants to hear (5.1.6.5.1). */
enum net_mode {
    NET_PROMISCUOUS,
    NET_ALL_MULTICAST,
    NET_ALL_UNICAST,
    NET_NO_MULTICAST,
    NET_NO_UNICAST,
    NET_NO_BROADCAST,
    NET_MODES,
};

enum net_filter_kind { NET_UNICAST, NET_MULTICAST, NET_FILTER_KINDS };

/* Addresses besides its own; with `all` they were too many to be told apart. */
struct net_filter {
    bool all;
    uint16_t count;
    uint8_t macs[VMM_VIRTIO_NET_FILTERS][VMM_VIRTIO_NET_MAC_BYTES];
};

/* The struct virtio_net_config that is offered (5.1.4). */
enum { NET_CONFIG_MAC = 0, NET_CONFIG_STATUS = 6, NET_CONFIG_BYTES = 8 };
enum net_status { NET_LINK_UP = 1, NET_ANNOUNCE = 2 };

/* Chains for frames, taken from the queue and not given back; their pieces one after the other. */
struct net_buffers {
    unsigned count, piece_count;
    size_t room_bytes;
    struct net_buffer {
        uint16_t head;
        unsigned pieces;
        size_t bytes;
    } buffer[NET_BUFFERS];
    struct iovec pieces[VMM_VIRTIO_NET_PIECES];
};

struct vmm_virtio_net {
    struct vmm_virtio *virtio; /* NULL: it is being made */
    struct vmm_virtio_net_port port;
    uint8_t factory_mac[VMM_VIRTIO_NET_MAC_BYTES];
    bool link_up, paused;
    bool offloads_told; /* to port */
    bool mode[NET_MODES];
    struct net_filter filters[NET_FILTER_KINDS];
    struct vh_chain chain;
    struct net_buffers buffers; /* empty between calls */
    uint8_t spare[VMM_VIRTIO_NET_FRAME_BYTES];
};

/* As a driver finds it (5.1.6.5.1: it hears everything). */
void net_filter_reset(struct vmm_virtio_net *net);
/* The driver wants to hear what is sent to `mac`. */
bool net_filter_wants(const struct vmm_virtio_net *net,
                      const uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES]);
/* The fields of all that, 6 bytes and 387 of each kind. */
void net_filter_state(struct vmm_virtio_net *net, struct vmm_state *state);

/* The control queue; true: there is more. */
bool net_control(struct vmm_virtio_net *net);
/* Status bits of its configuration, set or not. */
void net_set_status(struct vmm_virtio_net *net, enum net_status bits, bool on);

/* Frames for the guest, see vmm_virtio_net_receive(). */
bool net_receive(struct vmm_virtio_net *net);

#endif
