/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net. The memory of frames is here; there is one card in use at a time.
 */
#include "tests/guest/net.h"

#include "tests/guest/program.h"

enum { RECEIVE, SEND };
#define FEATURE_MAC (UINT64_C(1) << 5)

static struct virtio_rings rings[2];
static struct net_frame received[NET_FRAMES], sent[NET_FRAMES];

static void offer_frame(struct net *net, unsigned i)
{
    const struct virtio_piece piece = { &received[i],
                                        sizeof(received[i].header) + NET_FRAME_BYTES };
    const int head = virtio_offer(&net->virtio.queues[RECEIVE], &piece, 0, 1);

    if (head >= 0)
        net->received_of[head] = (uint8_t)i;
}

const char *net_begin(struct net *net, unsigned n)
{
    const char *why;

    memset(net, 0, sizeof(*net));
    why = virtio_begin(&net->virtio, VIRTIO_NET, n, FEATURE_MAC);
    for (unsigned i = 0; why == NULL && i < 2; i++)
        why = virtio_add_queue(&net->virtio, &rings[i], 0);
    if (why == NULL && (net->virtio.config == NULL || (net->virtio.features & FEATURE_MAC) == 0))
        why = "no-mac";
    if (why != NULL)
        return why;
    for (unsigned i = 0; i < NET_MAC_BYTES; i++)
        net->mac[i] = net->virtio.config[i];
    for (unsigned i = 0; i < NET_FRAMES; i++)
        offer_frame(net, i);
    virtio_ready(&net->virtio);
    virtio_notify(&net->virtio.queues[RECEIVE]);
    return NULL;
}

void net_end(struct net *net)
{
    virtio_end(&net->virtio);
}

struct net_frame *net_receive(struct net *net, uint32_t *ret_bytes)
{
    uint32_t bytes;
    const int head = virtio_take(&net->virtio.queues[RECEIVE], &bytes);
    struct net_frame *frame;

    if (head < 0)
        return NULL;
    frame = &received[net->received_of[head]];
    if (bytes > sizeof(frame->header) + NET_FRAME_BYTES)
        bytes = 0; /* more than it had room for */
    *ret_bytes = bytes < sizeof(frame->header) ? 0 : bytes - (uint32_t)sizeof(frame->header);
    return frame;
}

void net_give_back(struct net *net, struct net_frame *frame)
{
    offer_frame(net, (unsigned)(frame - received));
    virtio_notify(&net->virtio.queues[RECEIVE]);
}

static void take_sent(struct net *net)
{
    uint32_t bytes;
    int head;

    while ((head = virtio_take(&net->virtio.queues[SEND], &bytes)) >= 0)
        net->sends[net->sent_of[head]] = false;
}

bool net_send(struct net *net, const void *bytes, uint32_t count)
{
    unsigned i = 0;
    struct virtio_piece piece;
    int head;

    take_sent(net);
    while (i < NET_FRAMES && net->sends[i])
        i++;
    if (i == NET_FRAMES || count > NET_FRAME_BYTES)
        return false;
    memset(sent[i].header, 0, sizeof(sent[i].header));
    memcpy(sent[i].bytes, bytes, count);
    if (count < NET_LEAST_BYTES) {
        memset(sent[i].bytes + count, 0, NET_LEAST_BYTES - count);
        count = NET_LEAST_BYTES;
    }
    piece = (struct virtio_piece) { &sent[i], (uint32_t)sizeof(sent[i].header) + count };
    head = virtio_offer(&net->virtio.queues[SEND], &piece, 1, 0);
    if (head < 0)
        return false;
    net->sent_of[head] = (uint8_t)i;
    net->sends[i] = true;
    virtio_notify(&net->virtio.queues[SEND]);
    return true;
}

void net_wait(struct net *net, uint64_t until_tsc)
{
    virtio_wait(&net->virtio.queues[RECEIVE], until_tsc);
}
