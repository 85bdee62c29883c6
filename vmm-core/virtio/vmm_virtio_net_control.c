/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue of a network device (virtio 1.2 5.1.6.5): which frames the driver wants to
 * hear, and its address. A command is copied and judged piece by piece; one that is wrong changes
 * nothing, and is answered so.
 */
#include "config.h"

#include <string.h>

#include "vmm-core/virtio/vmm_virtio_net_priv.h"

enum { TURN_COMMANDS = 64 };
enum { CLASS_RX = 0, CLASS_MAC = 1, CLASS_ANNOUNCE = 3 };
enum { MAC_TABLES = 0, MAC_ADDRESS = 1 };
enum { ANNOUNCE_ACK = 0 };
enum { OK = 0, ERR = 1 };

/* --- what is heard --- */

void net_filter_reset(struct vmm_virtio_net *net)
{
    memset(net->mode, 0, sizeof(net->mode));
    net->mode[NET_PROMISCUOUS] = true;
    memset(net->filters, 0, sizeof(net->filters));
}

static bool is_listed(const struct net_filter *filter, const uint8_t *mac)
{
    for (unsigned i = 0; i < filter->count; i++)
        if (memcmp(filter->macs[i], mac, VMM_VIRTIO_NET_MAC_BYTES) == 0)
            return true;
    return filter->all;
}

bool net_filter_wants(const struct vmm_virtio_net *net, const uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES])
{
    static const uint8_t broadcast[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    const bool *mode = net->mode;
    uint8_t own[VMM_VIRTIO_NET_MAC_BYTES];

    if (mode[NET_PROMISCUOUS])
        return true;
    if (memcmp(mac, broadcast, sizeof(broadcast)) == 0)
        return !mode[NET_NO_BROADCAST];
    if ((mac[0] & 1) != 0)
        return !mode[NET_NO_MULTICAST] &&
               (mode[NET_ALL_MULTICAST] || is_listed(&net->filters[NET_MULTICAST], mac));
    vmm_virtio_net_mac(net, own);
    return !mode[NET_NO_UNICAST] && (mode[NET_ALL_UNICAST] || memcmp(mac, own, sizeof(own)) == 0 ||
                                     is_listed(&net->filters[NET_UNICAST], mac));
}

void net_filter_state(struct vmm_virtio_net *net, struct vmm_state *state)
{
    for (unsigned i = 0; i < NET_MODES; i++)
        vmm_state_bool(state, &net->mode[i]);
    for (unsigned i = 0; i < NET_FILTER_KINDS; i++) {
        struct net_filter *filter = &net->filters[i];

        vmm_state_bool(state, &filter->all);
        vmm_state_u16(state, &filter->count);
        vmm_state_bytes(state, filter->macs, sizeof(filter->macs));
        vmm_state_require(state, filter->count <= VMM_VIRTIO_NET_FILTERS);
        if (state->wrong)
            filter->count = 0;
    }
}

/* --- commands --- */

/* What the driver gave, read from its begin. */
struct command {
    const struct vh_chain *chain;
    unsigned piece;
    size_t at; /* in it */
};

/* False: it has no more so many bytes. NULL: they are passed over. */
static bool take(struct command *command, uint8_t *ret_bytes, size_t count)
{
    while (count > 0 && command->piece < command->chain->out_count) {
        const struct iovec *piece = &command->chain->pieces[command->piece];
        const size_t left = piece->iov_len - command->at;
        const size_t part = left < count ? left : count;

        if (ret_bytes != NULL) {
            memcpy(ret_bytes, (const uint8_t *)piece->iov_base + command->at, part);
            ret_bytes += part;
        }
        command->at += part;
        count -= part;
        if (command->at == piece->iov_len) {
            command->piece++;
            command->at = 0;
        }
    }
    return count == 0;
}

static int set_mode(struct vmm_virtio_net *net, struct command *command, uint8_t mode)
{
    const uint64_t needs = mode <= NET_ALL_MULTICAST ? NET_CTRL_RX : NET_CTRL_RX_EXTRA;
    uint8_t on;

    if (mode >= NET_MODES || !vmm_virtio_has(net->virtio, needs) || !take(command, &on, 1))
        return ERR;
    net->mode[mode] = on != 0;
    return OK;
}

static bool take_filter(struct command *command, struct net_filter *filter)
{
    uint8_t le[4];
    uint64_t count, kept;

    if (!take(command, le, sizeof(le)))
        return false;
    count = le[0] | (uint32_t)le[1] << 8 | (uint32_t)le[2] << 16 | (uint32_t)le[3] << 24;
    kept = count <= VMM_VIRTIO_NET_FILTERS ? count : 0;
    *filter = (struct net_filter) { .all = kept < count, .count = (uint16_t)kept };
    return take(command, filter->macs[0], kept * VMM_VIRTIO_NET_MAC_BYTES) &&
           take(command, NULL, (count - kept) * VMM_VIRTIO_NET_MAC_BYTES);
}

static int set_filters(struct vmm_virtio_net *net, struct command *command)
{
    struct net_filter filters[NET_FILTER_KINDS];

    if (!vmm_virtio_has(net->virtio, NET_CTRL_RX))
        return ERR;
    for (unsigned i = 0; i < NET_FILTER_KINDS; i++)
        if (!take_filter(command, &filters[i]))
            return ERR;
    memcpy(net->filters, filters, sizeof(filters));
    return OK;
}

static int set_address(struct vmm_virtio_net *net, struct command *command)
{
    uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES];

    if (!vmm_virtio_has(net->virtio, NET_CTRL_MAC_ADDR) || !take(command, mac, sizeof(mac)))
        return ERR;
    vmm_virtio_configure(net->virtio, NET_CONFIG_MAC, mac, sizeof(mac));
    return OK;
}

static int announced(struct vmm_virtio_net *net)
{
    if (!vmm_virtio_has(net->virtio, NET_GUEST_ANNOUNCE))
        return ERR;
    net_set_status(net, NET_ANNOUNCE, false);
    return OK;
}

static int obey(struct vmm_virtio_net *net)
{
    struct command command = { .chain = &net->chain };
    uint8_t words[2];

    if (!take(&command, words, sizeof(words)))
        return ERR;
    if (words[0] == CLASS_RX)
        return set_mode(net, &command, words[1]);
    if (words[0] == CLASS_MAC && words[1] == MAC_TABLES)
        return set_filters(net, &command);
    if (words[0] == CLASS_MAC && words[1] == MAC_ADDRESS)
        return set_address(net, &command);
    if (words[0] == CLASS_ANNOUNCE && words[1] == ANNOUNCE_ACK)
        return announced(net);
    return ERR;
}

/* Into the first byte that there is room for. */
static uint32_t answer(const struct vmm_virtio_net *net, uint8_t with)
{
    const struct vh_chain *chain = &net->chain;

    for (unsigned i = 0; i < chain->in_count; i++) {
        const struct iovec *piece = &chain->pieces[chain->out_count + i];

        if (piece->iov_len == 0)
            continue;
        *(uint8_t *)piece->iov_base = with;
        vmm_virtio_wrote(net->virtio, piece->iov_base, 1);
        return 1;
    }
    return 0;
}

bool net_control(struct vmm_virtio_net *net)
{
    unsigned count = 0;

    while (count < TURN_COMMANDS && vmm_virtio_pop(net->virtio, NET_CONTROL, &net->chain)) {
        const int with = obey(net);

        vmm_virtio_push(net->virtio, NET_CONTROL, net->chain.head, answer(net, (uint8_t)with));
        count++;
    }
    if (count > 0)
        vmm_virtio_signal(net->virtio, NET_CONTROL);
    return count == TURN_COMMANDS;
}
