/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of block devices that say which iSCSI LUN they are: udev's
 *   /dev/disk/by-path/ip-HOST:PORT-iscsi-TARGET-lun-N
 * Such a name is enough to log in, also where udev never made the link. Pure: nothing is opened.
 */
#ifndef STO_BLOCK_NAME_H
#define STO_BLOCK_NAME_H

#include <stdint.h>

#include "storage/sto_url.h"

/* Which LUN of which target a name speaks of. */
struct sto_block_name {
    struct sto_portal portal;
    char target[STO_URL_TARGET_BYTES];
    uint16_t lun;
};

enum { STO_BLOCK_PORTAL_BYTES = STO_URL_HOST_BYTES + 8 };

/*
 * Read the last component of `path`. 0, or -ENOENT: not a by-path name of an iSCSI disk, which
 * is no error for a block device; -EINVAL: begins like one but is malformed, or names a
 * partition.
 */
int sto_block_name_parse(const char *path, struct sto_block_name *ret_name);

/* "HOST:PORT" as iscsiadm takes it, IPv6 in brackets, into `text`. Returns `text`. */
const char *sto_block_portal_text(const struct sto_portal *portal,
                                  char text[STO_BLOCK_PORTAL_BYTES]);

#endif
