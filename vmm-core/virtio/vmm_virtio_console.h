/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio console device (virtio 1.2 5.3) with its one port: what the guest writes waits in its
 * queue until it is taken, what is for the guest is taken as it has room.
 */
#ifndef VMM_VIRTIO_CONSOLE_H
#define VMM_VIRTIO_CONSOLE_H

#include "vmm-core/virtio/vmm_virtio.h"

enum { VMM_VIRTIO_CONSOLE_QUEUE_SIZE = 64 };

struct vmm_virtio_console;

/* Where it leads. All with the machine's lock held, from any thread; none calls the machine, none
 * blocks. */
struct vmm_virtio_console_port {
    /* `count` bytes of the guest, which may change them meanwhile; how many were taken. If not all,
     * vmm_virtio_console_has_room() follows. Whatever `count` is, this takes no longer than a few
     * KiB do. */
    size_t (*write)(void *context, const void *bytes, size_t count);
    /* The guest may have room: see vmm_virtio_console_receive(). */
    void (*has_room)(void *context);
    void *context;
};

/*
 * One in `slot` of `pci`, for buffers in `mem`. `ret_dev` and `ret_msix` are for the machine, in
 * this order; `ret_console` is for the calls below and ends with the device. 0 or what
 * vmm_virtio_new() says.
 */
int vmm_virtio_console_new(struct vmm_pci *pci, unsigned slot, struct vh_mem *mem,
                           const struct vmm_virtio_console_port *port, struct vmm_dev *ret_dev,
                           struct vmm_dev *ret_msix, struct vmm_virtio_console **ret_console);

/* Bytes for the guest; how many it had room for. If not all, port.has_room() follows. */
size_t vmm_virtio_console_receive(struct vmm_virtio_console *console, const uint8_t *bytes,
                                  size_t count);
/* port.write() takes bytes again. */
void vmm_virtio_console_has_room(struct vmm_virtio_console *console);

#endif
