/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tap interface in the main loop. It is watched only while the guest has room. One that is gone
 * is a cable that was pulled: the guest's link is down, and that is all.
 */
#include "config.h"

#include "vmm-core/run/vmm_net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm-core/run/vmm_tap.h"

enum { ANNOUNCEMENTS = 5 };
#define MS UINT64_C(1000000)

struct vmm_net {
    qb_loop_t *loop;
    const struct vmm_net_device *device;
    unsigned index;
    char name[IFNAMSIZ];
    int fd, wake_fd;
    struct vmm_virtio_net_port port;
    struct vmm_machine *machine;
    bool watched, gone;
    bool later; /* atomic: written by vCPUs' threads */
    unsigned announced;
    qb_loop_timer_handle timer;
};

/* --- the device's side --- */

/* What an interface that is full, down or gone does not take is lost. */
static void send_frame(void *context, const struct iovec *pieces, unsigned count)
{
    const struct vmm_net *net = context;

    while (writev(net->fd, pieces, (int)count) < 0 && errno == EINTR)
        ;
}

static size_t receive_frame(void *context, const struct iovec *pieces, unsigned count)
{
    const struct vmm_net *net = context;
    ssize_t got;

    do
        got = readv(net->fd, pieces, (int)count);
    while (got < 0 && errno == EINTR);
    return got < 0 ? 0 : (size_t)got;
}

static void offload(void *context, unsigned offloads)
{
    vmm_tap_set_offloads(((struct vmm_net *)context)->fd, offloads);
}

static void has_room(void *context)
{
    (void)eventfd_write(((struct vmm_net *)context)->wake_fd, 1);
}

static void later(void *context)
{
    struct vmm_net *net = context;

    __atomic_store_n(&net->later, true, __ATOMIC_RELEASE);
    (void)eventfd_write(net->wake_fd, 1);
}

/* --- the main loop's side --- */

static int32_t frames_ready(int32_t fd, int32_t revents, void *data);

static void watch(struct vmm_net *net, bool wanted)
{
    wanted = wanted && !net->gone && net->machine != NULL;
    if (wanted == net->watched)
        return;
    if (!wanted)
        (void)qb_loop_poll_del(net->loop, net->fd);
    else if (qb_loop_poll_add(net->loop, QB_LOOP_MED, net->fd, POLLIN, net, frames_ready) < 0)
        return;
    net->watched = wanted;
}

static int32_t frames_ready(int32_t fd, int32_t revents, void *data)
{
    struct vmm_net *net = data;

    (void)fd;
    if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        net->gone = true;
        watch(net, false);
        (void)fprintf(stderr, "hawser-vmm: %s: is gone; the guest's link is down\n", net->name);
        net->device->set_link(net->machine, net->index, false);
    } else if (!net->device->receive(net->machine, net->index)) {
        watch(net, false);
    }
    return 0;
}

static int32_t woken(int32_t fd, int32_t revents, void *data)
{
    struct vmm_net *net = data;
    eventfd_t count;

    (void)revents;
    (void)eventfd_read(fd, &count);
    if (net->machine == NULL)
        return 0;
    if (__atomic_exchange_n(&net->later, false, __ATOMIC_ACQUIRE))
        net->device->go_on(net->machine, net->index);
    watch(net, true);
    return 0;
}

void vmm_net_set_machine(struct vmm_net *net, struct vmm_machine *machine)
{
    watch(net, false);
    net->machine = machine;
    if (machine != NULL && net->gone)
        net->device->set_link(machine, net->index, false);
    watch(net, true);
}

/* --- after a move --- */

/* A RARP request (RFC 903): who has this address asks for its own. Nobody answers; bridges learn
 * where it is. */
static void send_rarp(const struct vmm_net *net)
{
    enum { FRAME_BYTES = 60, ARP_AT = 14, SENDER_AT = 22, TARGET_AT = 32 };
    static const uint8_t arp[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };
    uint8_t frame[VMM_VIRTIO_NET_HEADER_BYTES + FRAME_BYTES] = { 0 };
    uint8_t *ethernet = frame + VMM_VIRTIO_NET_HEADER_BYTES, *mac = ethernet + 6;
    const struct iovec piece = { frame, sizeof(frame) };

    net->device->mac(net->machine, net->index, mac);
    memset(ethernet, 0xff, VMM_VIRTIO_NET_MAC_BYTES);
    memcpy(ethernet + ARP_AT - 2, arp, sizeof(arp));
    memcpy(ethernet + SENDER_AT, mac, VMM_VIRTIO_NET_MAC_BYTES);
    memcpy(ethernet + TARGET_AT, mac, VMM_VIRTIO_NET_MAC_BYTES);
    send_frame((void *)(uintptr_t)net, &piece, 1);
}

static void announce_next(void *data)
{
    static const uint16_t waits_ms[ANNOUNCEMENTS - 1] = { 50, 100, 150, 250 };
    struct vmm_net *net = data;
    const unsigned before = net->announced++;

    if (net->machine == NULL)
        return;
    send_rarp(net);
    if (before < ANNOUNCEMENTS - 1)
        (void)qb_loop_timer_add(net->loop, QB_LOOP_HIGH, waits_ms[before] * MS, net, announce_next,
                                &net->timer);
}

void vmm_net_announce(struct vmm_net *net)
{
    if (net->machine == NULL)
        return;
    (void)qb_loop_timer_del(net->loop, net->timer);
    net->announced = 0;
    net->device->announce(net->machine, net->index);
    announce_next(net);
}

/* --- its life --- */

const struct vmm_virtio_net_port *vmm_net_port(const struct vmm_net *net)
{
    return &net->port;
}

int vmm_net_new(qb_loop_t *loop, const struct vmm_net_device *device, unsigned index,
                const char *name, int fd, struct vmm_net **ret_net)
{
    struct vmm_net *net = calloc(1, sizeof(*net));
    int rc;

    if (net == NULL)
        return -ENOMEM;
    net->loop = loop;
    net->device = device;
    net->index = index;
    (void)snprintf(net->name, sizeof(net->name), "%s", name);
    net->port =
        (struct vmm_virtio_net_port) { send_frame, receive_frame, offload, has_room, later, net };
    net->fd = -1;
    net->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = net->wake_fd < 0 ? -errno
                          : qb_loop_poll_add(loop, QB_LOOP_HIGH, net->wake_fd, POLLIN, net, woken);
    if (rc < 0) {
        vmm_net_free(net);
        return rc;
    }
    net->fd = fd;
    *ret_net = net;
    return 0;
}

void vmm_net_free(struct vmm_net *net)
{
    if (net == NULL)
        return;
    watch(net, false);
    (void)qb_loop_timer_del(net->loop, net->timer);
    if (net->wake_fd >= 0) {
        (void)qb_loop_poll_del(net->loop, net->wake_fd);
        (void)close(net->wake_fd);
    }
    if (net->fd >= 0)
        (void)close(net->fd);
    free(net);
}
