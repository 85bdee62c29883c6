/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames for the guest: chains are taken from its queue until the largest frame has room, the frame
 * is read into them, and what it did not need goes back. So nothing is held between two calls. A
 * frame that is larger than what the guest has offered is lost.
 */
#include "config.h"

#include <string.h>

#include "vmm-core/virtio/vmm_virtio_net_priv.h"

enum { TURN_FRAMES = 64, TURN_BYTES = 1 << 20 };
enum { HEADER_BUFFERS_AT = 10 /* num_buffers, 2 bytes (5.1.6) */ };
enum { WHOLE_BYTES = 9 * 1024 /* a frame that was never put together, jumbo ones too */ };

/* --- chains --- */

static bool merges(const struct vmm_virtio_net *net)
{
    return vmm_virtio_has(net->virtio, NET_MRG_RXBUF);
}

static size_t wanted_room(const struct vmm_virtio_net *net)
{
    return vmm_virtio_has(net->virtio, NET_GUEST_TSO4 | NET_GUEST_TSO6) ? VMM_VIRTIO_NET_FRAME_BYTES
                                                                        : WHOLE_BYTES;
}

static void add(struct net_buffers *buffers, const struct vh_chain *chain)
{
    struct net_buffer *buffer = &buffers->buffer[buffers->count++];

    *buffer = (struct net_buffer) { .head = chain->head, .pieces = chain->in_count };
    for (unsigned i = 0; i < chain->in_count; i++) {
        buffers->pieces[buffers->piece_count] = chain->pieces[chain->out_count + i];
        buffer->bytes += buffers->pieces[buffers->piece_count++].iov_len;
    }
    buffers->room_bytes += buffer->bytes;
}

/* The first `count` chains are used up. */
static void drop(struct net_buffers *buffers, unsigned count)
{
    unsigned pieces = 0;

    for (unsigned i = 0; i < count; i++) {
        pieces += buffers->buffer[i].pieces;
        buffers->room_bytes -= buffers->buffer[i].bytes;
    }
    buffers->count -= count;
    buffers->piece_count -= pieces;
    memmove(buffers->buffer, buffers->buffer + count, buffers->count * sizeof(buffers->buffer[0]));
    memmove(buffers->pieces, buffers->pieces + pieces,
            buffers->piece_count * sizeof(buffers->pieces[0]));
}

/* In front of a frame a chain without room is of no use: it goes back, and costs the turn as much
 * as a frame. */
static void shed(struct vmm_virtio_net *net, unsigned *frames)
{
    while (net->buffers.count > 0 && net->buffers.buffer[0].bytes == 0 && *frames < TURN_FRAMES) {
        vmm_virtio_push(net->virtio, NET_RECEIVE, net->buffers.buffer[0].head, 0);
        drop(&net->buffers, 1);
        ++*frames;
    }
}

/* One chain, or where the driver merges them as many as a frame may need. */
static void gather(struct vmm_virtio_net *net, unsigned *frames)
{
    struct net_buffers *buffers = &net->buffers;
    const unsigned most = merges(net) ? NET_BUFFERS : 1;

    shed(net, frames);
    while (*frames < TURN_FRAMES && buffers->count < most &&
           buffers->room_bytes < wanted_room(net) &&
           buffers->piece_count + VH_SEGMENTS < VMM_VIRTIO_NET_PIECES &&
           vmm_virtio_pop(net->virtio, NET_RECEIVE, &net->chain)) {
        add(buffers, &net->chain);
        shed(net, frames);
    }
}

static void put_back(struct vmm_virtio_net *net)
{
    vmm_virtio_unpop(net->virtio, NET_RECEIVE, net->buffers.count);
    net->buffers.count = net->buffers.piece_count = 0;
    net->buffers.room_bytes = 0;
}

/* --- one frame --- */

/* `count` bytes of it at `at`; all of them lie in the chains. */
static void copy_out(const struct net_buffers *buffers, size_t at, uint8_t *bytes, size_t count)
{
    for (unsigned i = 0; count > 0; at -= buffers->pieces[i++].iov_len) {
        const struct iovec *piece = &buffers->pieces[i];

        for (; at < piece->iov_len && count > 0; count--)
            *bytes++ = ((const uint8_t *)piece->iov_base)[at++];
        if (at < piece->iov_len)
            return;
    }
}

static void copy_in(const struct net_buffers *buffers, size_t at, const uint8_t *bytes,
                    size_t count)
{
    for (unsigned i = 0; count > 0; at -= buffers->pieces[i++].iov_len) {
        const struct iovec *piece = &buffers->pieces[i];

        for (; at < piece->iov_len && count > 0; count--)
            ((uint8_t *)piece->iov_base)[at++] = *bytes++;
        if (at < piece->iov_len)
            return;
    }
}

/* How many chains it lies in. */
static unsigned covered(const struct net_buffers *buffers, size_t frame_bytes)
{
    unsigned count = 0;

    for (size_t bytes = 0; bytes < frame_bytes; count++)
        bytes += buffers->buffer[count].bytes;
    return count;
}

static void note_written(const struct vmm_virtio_net *net, size_t bytes)
{
    for (unsigned i = 0; bytes > 0 && i < net->buffers.piece_count; i++) {
        const struct iovec *piece = &net->buffers.pieces[i];
        const size_t part = piece->iov_len < bytes ? piece->iov_len : bytes;

        vmm_virtio_wrote(net->virtio, piece->iov_base, part);
        bytes -= part;
    }
}

/* It is there, `bytes` with its header: the driver gets it. */
static void deliver(struct vmm_virtio_net *net, size_t bytes)
{
    struct net_buffers *buffers = &net->buffers;
    const unsigned count = covered(buffers, bytes);
    const uint8_t number[2] = { (uint8_t)count, 0 };

    copy_in(buffers, HEADER_BUFFERS_AT, number, sizeof(number));
    note_written(net, bytes);
    for (unsigned i = 0; i < count; i++) {
        const struct net_buffer *buffer = &buffers->buffer[i];
        const size_t part = buffer->bytes < bytes ? buffer->bytes : bytes;

        vmm_virtio_push(net->virtio, NET_RECEIVE, buffer->head, (uint32_t)part);
        bytes -= part;
    }
    drop(buffers, count);
}

/* Its length with its header; 0: there is none. What does not fit stands in `spare`. */
static size_t read_frame(struct vmm_virtio_net *net)
{
    struct net_buffers *buffers = &net->buffers;

    buffers->pieces[buffers->piece_count] = (struct iovec) { net->spare, sizeof(net->spare) };
    return net->port.receive(net->port.context, buffers->pieces, buffers->piece_count + 1);
}

/* False: there is no frame. What has no room, or nobody wants, is lost. */
static bool receive_one(struct vmm_virtio_net *net, size_t *turn_bytes)
{
    uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES];
    const size_t bytes = read_frame(net);

    if (bytes == 0)
        return false;
    *turn_bytes += bytes;
    if (bytes < VMM_VIRTIO_NET_HEADER_BYTES + sizeof(mac) || bytes > net->buffers.room_bytes) {
        note_written(net, bytes);
        return true;
    }
    copy_out(&net->buffers, VMM_VIRTIO_NET_HEADER_BYTES, mac, sizeof(mac));
    if (net_filter_wants(net, mac))
        deliver(net, bytes);
    else
        note_written(net, bytes);
    return true;
}

/* --- many --- */

/* Before the first frame, for what is offered to the wire is what the driver can take. */
static void tell_offloads(struct vmm_virtio_net *net)
{
    static const struct {
        uint64_t feature;
        enum vmm_virtio_net_offload offload;
    } known[] = { { NET_GUEST_CSUM, VMM_VIRTIO_NET_CSUM },
                  { NET_GUEST_TSO4, VMM_VIRTIO_NET_TSO4 },
                  { NET_GUEST_TSO6, VMM_VIRTIO_NET_TSO6 },
                  { NET_GUEST_ECN, VMM_VIRTIO_NET_ECN } };
    unsigned offloads = 0;

    if (net->offloads_told)
        return;
    net->offloads_told = true;
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (vmm_virtio_has(net->virtio, known[i].feature))
            offloads |= known[i].offload;
    net->port.offload(net->port.context, offloads);
}

bool net_receive(struct vmm_virtio_net *net)
{
    bool has_room = true, more = true;
    size_t bytes = 0;
    unsigned frames = 0;

    while (more && has_room && frames < TURN_FRAMES && bytes < TURN_BYTES) {
        gather(net, &frames);
        has_room = net->buffers.count > 0 || frames == TURN_FRAMES;
        if (net->buffers.room_bytes == 0)
            break;
        tell_offloads(net);
        more = receive_one(net, &bytes);
        frames += more;
    }
    if (net->buffers.count > 0)
        put_back(net);
    if (frames > 0)
        vmm_virtio_signal(net->virtio, NET_RECEIVE);
    return has_room;
}
