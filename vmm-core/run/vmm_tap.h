/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tap interfaces of the host (Documentation/networking/tuntap.rst): named by the command line,
 * opened with the headers that virtio puts before each frame, so that checksums and segmentation
 * are the host's business.
 */
#ifndef VMM_TAP_H
#define VMM_TAP_H

#include <net/if.h>

#include "common/hw_error.h"
#include "vmm-core/virtio/vmm_virtio_net.h"

/* "tap=NAME,mac=MAC" or "tap=fd:N,mac=MAC". */
struct vmm_tap_words {
    char name[IFNAMSIZ]; /* "": it is `fd` */
    int fd;              /* inherited */
    uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES];
};

/* Read them. 0 or -EINVAL with the error. */
int vmm_tap_read_words(const char *text, struct vmm_tap_words *ret_words, struct hw_error *error);

/*
 * A descriptor of that interface, which is there already and nobody else's; the caller closes it,
 * also one that was inherited. `ret_name` is the interface's. 0 or -errno with the error.
 */
int vmm_tap_open(const struct vmm_tap_words *words, char ret_name[IFNAMSIZ], int *ret_fd,
                 struct hw_error *error);

/* What may be given to whoever reads there (enum vmm_virtio_net_offload). */
void vmm_tap_set_offloads(int fd, unsigned offloads);

#endif
