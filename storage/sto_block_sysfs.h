/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sysfs says about block devices and kernel iSCSI sessions: what kind of device a number is,
 * which session serves a target, which disk is a LUN of it. Reads, and writes the two attributes
 * named below; never waits for anything to appear.
 */
#ifndef STO_BLOCK_SYSFS_H
#define STO_BLOCK_SYSFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "storage/sto_block_name.h"

enum sto_block_kind {
    STO_BLOCK_SCSI,           /* a whole SCSI disk: the only one that is taken */
    STO_BLOCK_NVME,           /* a controller or namespace of NVMe */
    STO_BLOCK_MULTIPATH,      /* a dm-multipath device */
    STO_BLOCK_MULTIPATH_PATH, /* a SCSI disk that is a path of one */
    STO_BLOCK_MAPPED,         /* any other device-mapper device */
    STO_BLOCK_PARTITION,
    STO_BLOCK_OTHER, /* takes no SCSI commands */
};

/* Why a device of this kind is refused, in words for an admin; NULL for STO_BLOCK_SCSI. */
const char *sto_block_kind_reason(enum sto_block_kind kind);

enum { STO_BLOCK_DISK_BYTES = 32 };

/*
 * What kind of device `number` (st_rdev of a block device) is, and the kernel's name of it
 * ("sda"). `sysfs` is "/sys" but in tests. 0, or -ENODEV: sysfs does not know it.
 */
int sto_block_sysfs_classify(const char *sysfs, dev_t number, enum sto_block_kind *ret_kind,
                             char disk[STO_BLOCK_DISK_BYTES]);

/*
 * The session that is logged in to the target through the portal. 0 with its number in
 * `ret_session`, or -ENOENT. A portal given as a host name matches no session's address: the
 * target's name decides then.
 */
int sto_block_sysfs_session(const char *sysfs, const struct sto_block_name *name,
                            unsigned *ret_session);

/* The disk of `lun` in a session. 0 with its name in `disk`, or -ENOENT: not scanned yet. */
int sto_block_sysfs_disk(const char *sysfs, unsigned session, uint16_t lun,
                         char disk[STO_BLOCK_DISK_BYTES]);

/* How many disks a session carries. */
unsigned sto_block_sysfs_disk_count(const char *sysfs, unsigned session);

/*
 * Bound how long the kernel queues commands of a session that lost its connection, before it
 * fails them (recovery_tmo, in seconds); a shorter bound is left. 0 or -errno.
 */
int sto_block_sysfs_bound_recovery(const char *sysfs, unsigned session, unsigned seconds);

/* Have the kernel read a disk's capacity and cache type again. Waits for the target. 0, -errno. */
int sto_block_sysfs_rescan(const char *sysfs, const char *disk);

#endif
