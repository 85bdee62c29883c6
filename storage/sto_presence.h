/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One process of a node acts on a LUN at a time. The reservation cannot tell two processes of one
 * node apart: the second would take the first one's key for its own, left over from a crash, and
 * preempt it under a running VM. So whoever owns, or is about to, holds a name on this host (an
 * abstract unix socket, unix(7), in this network namespace), which ends with the process, however
 * that ends: one for the LUN's URL, before anything is sent, and one for its WWID as soon as that
 * is known. It keeps nobody on another host out: that is what reservations are for.
 */
#ifndef STO_PRESENCE_H
#define STO_PRESENCE_H

#include <stdint.h>

#include "common/hw_error.h"
#include "storage/sto_url.h"

/*
 * Take the name of this node on this LUN. 0 and a descriptor that the caller keeps open as long as
 * it acts, and closes; or -EBUSY (refused) with the process that holds it in `error`, or another
 * -errno. The LUN is told by what names it at its target (target and number; device; file), not by
 * the way to it. Blocks no longer than a local connect(2).
 */
int sto_presence_take(const struct sto_url *url, const uint8_t cluster_uuid[16], uint16_t node,
                      int *ret_fd, struct hw_error *error);

/*
 * The same for the LUN that answers there: it may have another URL (a second target, the kernel's
 * device). To be taken, besides, before the first command that changes a registration. With an
 * empty WWID there is nothing to take: 0. `url` is for the message. `fd` is the caller's, from
 * sto_presence_socket(), and bears the name then: behind the sandbox no such socket can be made,
 * and nobody can be asked who holds it.
 */
int sto_presence_take_wwid(const struct sto_url *url, const char *wwid,
                           const uint8_t cluster_uuid[16], uint16_t node, int fd,
                           struct hw_error *error);
/* A socket that can bear a name. A descriptor that is the caller's, or -errno with the message. */
int sto_presence_socket(struct hw_error *error);

/*
 * This host's boot id, as an owner puts it into its record: it tells a process that died from a
 * host that did. Left as it is where the kernel does not say it. To be asked before the sandbox
 * shuts.
 */
void sto_presence_boot_id(uint8_t ret_boot_id[16]);

#endif
