/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network device's wire: a tap interface. What the guest sends goes out in its vCPU's own thread,
 * what is for the guest comes in by the main loop, and waits in the interface, as far as that holds
 * it, while the guest has no room.
 */
#ifndef VMM_NET_H
#define VMM_NET_H

#include <qb/qbloop.h>

#include "vmm-core/run/vmm_machine.h"

struct vmm_net;

/* The machine's network devices, see vmm_machine.h. */
struct vmm_net_device {
    bool (*receive)(struct vmm_machine *machine, unsigned i);
    void (*go_on)(struct vmm_machine *machine, unsigned i);
    void (*set_link)(struct vmm_machine *machine, unsigned i, bool up);
    void (*announce)(struct vmm_machine *machine, unsigned i);
    void (*mac)(struct vmm_machine *machine, unsigned i, uint8_t ret_mac[VMM_VIRTIO_NET_MAC_BYTES]);
};

/* Over `fd`, which is closed with it, named `name` for people; it is the machine's `device` number
 * `index`. 0 or -errno, and then `fd` is the caller's still. */
int vmm_net_new(qb_loop_t *loop, const struct vmm_net_device *device, unsigned index,
                const char *name, int fd, struct vmm_net **ret_net);
void vmm_net_free(struct vmm_net *net); /* NULL is allowed */

/* For the machine's device; it lives as long. */
const struct vmm_virtio_net_port *vmm_net_port(const struct vmm_net *net);
/* From now on it serves this machine, or none (NULL). Main loop only, like what follows. */
void vmm_net_set_machine(struct vmm_net *net, struct vmm_machine *machine);
/* The guest goes on, on another host than before: its driver tells its neighbours if it can, and
 * the bridges on the way learn it from RARP requests in its name, now and after 50, 150, 300 and
 * 550 ms, for one may be lost. */
void vmm_net_announce(struct vmm_net *net);

#endif
