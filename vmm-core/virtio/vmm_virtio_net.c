/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network device: frames from the guest, and its life.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"
#include "vmm-core/virtio/vmm_virtio_net_priv.h"

enum { TURN_FRAMES = 64, TURN_BYTES = 1 << 20, LEAST_BYTES = VMM_VIRTIO_NET_HEADER_BYTES + 14 };

/* --- frames from the guest --- */

static size_t bytes_of(const struct vh_chain *chain)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < chain->out_count; i++)
        bytes += chain->pieces[i].iov_len; /* each less than 4 GiB */
    return bytes;
}

/* True: the turn is over, and there may be more. What is no frame is nobody's. */
static bool transmit(struct vmm_virtio_net *net)
{
    const struct vh_chain *chain = &net->chain;
    unsigned count = 0;
    size_t bytes = 0;

    while (count < TURN_FRAMES && bytes < TURN_BYTES &&
           vmm_virtio_pop(net->virtio, NET_TRANSMIT, &net->chain)) {
        const size_t frame = bytes_of(chain);

        if (frame >= LEAST_BYTES && frame <= VMM_VIRTIO_NET_FRAME_BYTES && net->link_up) {
            net->port.send(net->port.context, chain->pieces, chain->out_count);
            bytes += frame;
        }
        vmm_virtio_push(net->virtio, NET_TRANSMIT, chain->head, 0);
        count++;
    }
    if (count > 0)
        vmm_virtio_signal(net->virtio, NET_TRANSMIT);
    return count == TURN_FRAMES || bytes >= TURN_BYTES;
}

static void serve(void *dev, unsigned queue)
{
    struct vmm_virtio_net *net = dev;
    bool more = false;

    if (queue == NET_RECEIVE)
        net->port.has_room(net->port.context);
    else
        more = queue == NET_TRANSMIT ? transmit(net) : net_control(net);
    if (more)
        net->port.later(net->port.context);
}

void vmm_virtio_net_go_on(struct vmm_virtio_net *net)
{
    bool more;

    if (net->paused)
        return; /* all queues are looked at when it goes on */
    more = transmit(net);
    if (net_control(net) || more)
        net->port.later(net->port.context);
}

bool vmm_virtio_net_receive(struct vmm_virtio_net *net)
{
    return !net->paused && net_receive(net);
}

/* --- its configuration --- */

void net_set_status(struct vmm_virtio_net *net, enum net_status bits, bool on)
{
    uint8_t status;

    vmm_virtio_config(net->virtio, NET_CONFIG_STATUS, &status, sizeof(status));
    status = (uint8_t)(on ? status | bits : status & ~bits);
    vmm_virtio_configure(net->virtio, NET_CONFIG_STATUS, &status, sizeof(status));
}

void vmm_virtio_net_set_link(struct vmm_virtio_net *net, bool up)
{
    net->link_up = up;
    if (!net->paused)
        net_set_status(net, NET_LINK_UP, up);
}

void vmm_virtio_net_announce(struct vmm_virtio_net *net)
{
    if (vmm_virtio_has(net->virtio, NET_GUEST_ANNOUNCE) && vmm_virtio_has(net->virtio, NET_STATUS))
        net_set_status(net, NET_ANNOUNCE, true);
}

void vmm_virtio_net_mac(const struct vmm_virtio_net *net, uint8_t ret_mac[VMM_VIRTIO_NET_MAC_BYTES])
{
    vmm_virtio_config(net->virtio, NET_CONFIG_MAC, ret_mac, VMM_VIRTIO_NET_MAC_BYTES);
}

/* --- for the machine --- */

static void forget(void *dev)
{
    struct vmm_virtio_net *net = dev;
    const uint8_t status[2] = { net->link_up ? NET_LINK_UP : 0, 0 };

    net_filter_reset(net);
    if (net->virtio == NULL)
        return;
    if (net->offloads_told)
        net->port.offload(net->port.context, 0);
    net->offloads_told = false;
    vmm_virtio_configure(net->virtio, NET_CONFIG_MAC, net->factory_mac, sizeof(net->factory_mac));
    vmm_virtio_configure(net->virtio, NET_CONFIG_STATUS, status, sizeof(status));
}

static const struct vmm_virtio_kind kind = {
    .type = 1,
    .class_code = 0x020000,
    .features = NET_CSUM | NET_GUEST_CSUM | NET_MAC | NET_GUEST_TSO4 | NET_GUEST_TSO6 |
                NET_GUEST_ECN | NET_HOST_TSO4 | NET_HOST_TSO6 | NET_HOST_ECN | NET_MRG_RXBUF |
                NET_STATUS | NET_CTRL_VQ | NET_CTRL_RX | NET_CTRL_RX_EXTRA | NET_GUEST_ANNOUNCE |
                NET_CTRL_MAC_ADDR | VMM_VIRTIO_EVENT_IDX,
    .queues = NET_QUEUES,
    .queue_size = VMM_VIRTIO_NET_QUEUE_SIZE,
    .config_bytes = NET_CONFIG_BYTES,
    .serve = serve,
    .forget = forget,
};

static void net_reset(void *dev)
{
    struct vmm_virtio_net *net = dev;

    net->paused = false;
    vmm_virtio_reset(net->virtio);
}

static void net_pause(void *dev)
{
    ((struct vmm_virtio_net *)dev)->paused = true;
}

/* The link is as it is here, and the driver is told if that is not what it was told before. */
static void net_resume(void *dev)
{
    struct vmm_virtio_net *net = dev;

    net->paused = false;
    net_set_status(net, NET_LINK_UP, net->link_up);
    vmm_virtio_resume(net->virtio);
}

/* What the driver reads comes first: until the function's own fields are loaded there is no driver
 * that would be told of it. */
static void net_state(void *dev, struct vmm_state *state)
{
    struct vmm_virtio_net *net = dev;
    uint8_t config[NET_CONFIG_BYTES];

    vmm_virtio_config(net->virtio, 0, config, sizeof(config));
    vmm_state_bytes(state, config, sizeof(config));
    vmm_state_require(state, config[NET_CONFIG_STATUS] <= (NET_LINK_UP | NET_ANNOUNCE) &&
                                 config[NET_CONFIG_STATUS + 1] == 0);
    net_filter_state(net, state);
    if (state->loading && !state->wrong)
        vmm_virtio_configure(net->virtio, 0, config, sizeof(config));
    vmm_virtio_state(net->virtio, state);
}

static void net_fini(void *dev)
{
    struct vmm_virtio_net *net = dev;

    vmm_virtio_free(net->virtio);
    free(net);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "virtio network device",
    .id = VMM_DEV_VIRTIO_NET,
    .version = 1,
    .reset = net_reset,
    .pause = net_pause,
    .resume = net_resume,
    .state = net_state,
    .fini = net_fini,
};

int vmm_virtio_net_new(struct vmm_pci *pci, unsigned slot, struct vh_mem *mem,
                       const uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES],
                       const struct vmm_virtio_net_port *port, struct vmm_dev *ret_dev,
                       struct vmm_dev *ret_msix, struct vmm_virtio_net **ret_net)
{
    struct vmm_virtio_net *net = calloc(1, sizeof(*net));
    int rc;

    if (net == NULL)
        return -ENOMEM;
    net->port = *port;
    net->link_up = true;
    memcpy(net->factory_mac, mac, sizeof(net->factory_mac));
    rc = vmm_virtio_new(pci, slot, &kind, mem, net, ret_msix, &net->virtio);
    if (rc < 0) {
        free(net);
        return rc;
    }
    forget(net); /* into its configuration */
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = net };
    *ret_net = net;
    return 0;
}
