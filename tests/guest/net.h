/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network card of the test guest: virtio-net (virtio 1.2 5.1) with one pair of queues and no
 * offloads. Ring 3, the first processor.
 */
#ifndef GUEST_NET_H
#define GUEST_NET_H

#include "tests/guest/virtio.h"

enum { NET_FRAMES = 64, NET_FRAME_BYTES = 1514, NET_MAC_BYTES = 6 };
enum { NET_LEAST_BYTES = 60 }; /* of a frame on the wire, without its check sequence */

/* With the header in front that every packet has (5.1.6). */
struct net_frame {
    uint8_t header[12];
    uint8_t bytes[NET_FRAME_BYTES];
    uint8_t pad[2];
};

struct net {
    struct virtio virtio;
    uint8_t mac[NET_MAC_BYTES];
    uint8_t received_of[VIRTIO_QUEUE_SIZE], sent_of[VIRTIO_QUEUE_SIZE]; /* heads' frames */
    bool sends[NET_FRAMES];
};

/* The n-th card. NULL, or why not. */
const char *net_begin(struct net *net, unsigned n);
void net_end(struct net *net);
/* A frame that came, and its length; NULL: none. It is the caller's until it is given back. */
struct net_frame *net_receive(struct net *net, uint32_t *ret_bytes);
void net_give_back(struct net *net, struct net_frame *frame);
/* A frame of `bytes` goes out, copied. False: there is no room. */
bool net_send(struct net *net, const void *bytes, uint32_t count);
/* Until a frame may have come, or the counter `until_tsc` is reached. */
void net_wait(struct net *net, uint64_t until_tsc);

#endif
