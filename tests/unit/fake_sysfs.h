/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sysfs (and /dev) of a test's own in a temporary folder, as far as the block backend reads it:
 * disks and kernel iSCSI sessions.
 */
#ifndef FAKE_SYSFS_H
#define FAKE_SYSFS_H

#include <stdbool.h>

struct fake_sysfs {
    char root[64];  /* removed at the end */
    char sysfs[72]; /* root/sys */
    char dev[72];   /* root/dev */
};

/* False: no temporary folder. */
bool fake_sysfs_begin(struct fake_sysfs *fake);
void fake_sysfs_end(struct fake_sysfs *fake);
/* Write a file below `sysfs`, with the folders above it. */
void fake_sysfs_put(const struct fake_sysfs *fake, const char *path, const char *text);
/* The file's text, at most 63 bytes, in a static place of the caller's choice; "" if absent. */
const char *fake_sysfs_get(const struct fake_sysfs *fake, const char *path, char text[64]);
/* A disk with device number MAJOR:MINOR ("8:0"): SCSI if `scsi`. */
void fake_sysfs_disk(const struct fake_sysfs *fake, const char *number, const char *name,
                     bool scsi);
/* A session that is logged in, without disks. */
void fake_sysfs_session(const struct fake_sysfs *fake, unsigned session, const char *target,
                        const char *address, const char *port);
/* Hang a disk under a session as this LUN. */
void fake_sysfs_attach(const struct fake_sysfs *fake, unsigned session, unsigned lun,
                       const char *name);

#endif
