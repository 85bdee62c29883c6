/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads sysfs: attributes are one short line each, places are found by pattern. What cannot be
 * read counts as absent, since devices come and go while one looks.
 */
#include <config.h>

#include "storage/sto_block_sysfs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/hw_cleanup.h"

enum { LINE_BYTES = 256 };

const char *sto_block_kind_reason(enum sto_block_kind kind)
{
    switch (kind) {
    case STO_BLOCK_SCSI:
        return NULL;
    case STO_BLOCK_NVME:
        return "is an NVMe device; reservations of NVMe are not supported yet";
    case STO_BLOCK_MULTIPATH:
        return "is a dm-multipath device; several paths are not supported yet";
    case STO_BLOCK_MULTIPATH_PATH:
        return "is a path of a dm-multipath device; several paths are not supported yet";
    case STO_BLOCK_MAPPED:
        return "is a device-mapper device, which does not pass reservations on";
    case STO_BLOCK_PARTITION:
        return "is a partition; a reservation covers a whole LUN";
    case STO_BLOCK_OTHER:
        return "takes no SCSI commands, so it has no reservations";
    }
    return "is of an unknown kind";
}

/* One attribute's line, without its end, into `line`. 0 or -errno. */
static int read_line(const char *path, char line[LINE_BYTES])
{
    hw_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return -errno;
    got = read(fd, line, LINE_BYTES - 1);
    if (got < 0)
        return -errno;
    line[got] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return 0;
}

static int write_line(const char *path, const char *line)
{
    hw_auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t length = strlen(line);
    ssize_t put;

    if (fd < 0)
        return -errno;
    put = write(fd, line, length);
    if (put < 0)
        return -errno;
    return (size_t)put == length ? 0 : -EIO;
}

/* Whether the attribute holds exactly this line. */
static bool line_is(const char *path, const char *wanted)
{
    char line[LINE_BYTES];

    return read_line(path, line) == 0 && strcmp(line, wanted) == 0;
}

static bool exists(const char *directory, const char *name)
{
    char path[PATH_MAX + 64];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

/* Whether a device-mapper device's uuid says that multipath made it. */
static bool uuid_is_multipath(const char *path)
{
    char line[LINE_BYTES];

    return read_line(path, line) == 0 && strncmp(line, "mpath-", 6) == 0;
}

static bool has_multipath_holder(const char *directory)
{
    char pattern[PATH_MAX + 64];
    glob_t found;
    bool is = false;

    snprintf(pattern, sizeof(pattern), "%s/holders/*/dm/uuid", directory);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t at = 0; at < found.gl_pathc && !is; at++)
            is = uuid_is_multipath(found.gl_pathv[at]);
        globfree(&found);
    }
    return is;
}

static enum sto_block_kind kind_of(const char *directory, const char *disk)
{
    char path[PATH_MAX + 64];

    if (strncmp(disk, "nvme", 4) == 0)
        return STO_BLOCK_NVME;
    snprintf(path, sizeof(path), "%s/dm/uuid", directory);
    if (uuid_is_multipath(path))
        return STO_BLOCK_MULTIPATH;
    if (exists(directory, "dm"))
        return STO_BLOCK_MAPPED;
    if (exists(directory, "partition"))
        return STO_BLOCK_PARTITION;
    if (!exists(directory, "device/scsi_level"))
        return STO_BLOCK_OTHER;
    return has_multipath_holder(directory) ? STO_BLOCK_MULTIPATH_PATH : STO_BLOCK_SCSI;
}

int sto_block_sysfs_classify(const char *sysfs, dev_t number, enum sto_block_kind *ret_kind,
                             char disk[STO_BLOCK_DISK_BYTES])
{
    char path[PATH_MAX];
    hw_auto_free char *directory = NULL;
    const char *name;

    snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sysfs, major(number), minor(number));
    directory = realpath(path, NULL);
    if (!directory)
        return errno == ENOMEM ? -ENOMEM : -ENODEV;
    name = strrchr(directory, '/') + 1;
    if (strlen(name) >= STO_BLOCK_DISK_BYTES)
        return -ENODEV;
    *ret_kind = kind_of(directory, name);
    memcpy(disk, name, strlen(name) + 1);
    return 0;
}

static bool is_address(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* Whether the session's connection goes to this portal. */
static bool session_uses(const char *sysfs, unsigned session, const struct sto_portal *portal)
{
    char path[PATH_MAX], port[8];

    snprintf(path, sizeof(path), "%s/class/iscsi_connection/connection%u:0/persistent_port", sysfs,
             session);
    snprintf(port, sizeof(port), "%u", portal->port);
    if (!line_is(path, port))
        return false;
    snprintf(path, sizeof(path), "%s/class/iscsi_connection/connection%u:0/persistent_address",
             sysfs, session);
    return !is_address(portal->host) || line_is(path, portal->host);
}

static bool session_serves(const char *sysfs, const char *directory,
                           const struct sto_block_name *name, unsigned *ret_session)
{
    char path[PATH_MAX];
    const char *mark = strrchr(directory, '/');
    unsigned session;

    if (!mark || sscanf(mark, "/session%u", &session) != 1)
        return false;
    snprintf(path, sizeof(path), "%s/targetname", directory);
    if (!line_is(path, name->target))
        return false;
    snprintf(path, sizeof(path), "%s/state", directory);
    if (!line_is(path, "LOGGED_IN") || !session_uses(sysfs, session, &name->portal))
        return false;
    *ret_session = session;
    return true;
}

int sto_block_sysfs_session(const char *sysfs, const struct sto_block_name *name,
                            unsigned *ret_session)
{
    char pattern[PATH_MAX];
    glob_t found;
    int rc = -ENOENT;

    snprintf(pattern, sizeof(pattern), "%s/class/iscsi_session/session*", sysfs);
    if (glob(pattern, 0, NULL, &found) != 0)
        return -ENOENT;
    for (size_t at = 0; at < found.gl_pathc && rc < 0; at++)
        if (session_serves(sysfs, found.gl_pathv[at], name, ret_session))
            rc = 0;
    globfree(&found);
    return rc;
}

int sto_block_sysfs_disk(const char *sysfs, unsigned session, uint16_t lun,
                         char disk[STO_BLOCK_DISK_BYTES])
{
    char pattern[PATH_MAX];
    glob_t found;
    int rc = -ENOENT;

    snprintf(pattern, sizeof(pattern),
             "%s/class/iscsi_session/session%u/device/target*/*:%u/block/*", sysfs, session, lun);
    if (glob(pattern, 0, NULL, &found) != 0)
        return -ENOENT;
    for (size_t at = 0; at < found.gl_pathc && rc < 0; at++) {
        const char *name = strrchr(found.gl_pathv[at], '/') + 1;

        if (strlen(name) < STO_BLOCK_DISK_BYTES) {
            memcpy(disk, name, strlen(name) + 1);
            rc = 0;
        }
    }
    globfree(&found);
    return rc;
}

unsigned sto_block_sysfs_disk_count(const char *sysfs, unsigned session)
{
    char pattern[PATH_MAX];
    glob_t found;
    unsigned count;

    snprintf(pattern, sizeof(pattern), "%s/class/iscsi_session/session%u/device/target*/*/block/*",
             sysfs, session);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return 0;
    count = (unsigned)found.gl_pathc;
    globfree(&found);
    return count;
}

int sto_block_sysfs_bound_recovery(const char *sysfs, unsigned session, unsigned seconds)
{
    char path[PATH_MAX], line[LINE_BYTES];
    int rc;
    long now;

    snprintf(path, sizeof(path), "%s/class/iscsi_session/session%u/recovery_tmo", sysfs, session);
    rc = read_line(path, line);
    if (rc < 0)
        return rc;
    now = strtol(line, NULL, 10); /* negative: for ever */
    if (now >= 0 && now <= (long)seconds)
        return 0;
    snprintf(line, sizeof(line), "%u", seconds);
    return write_line(path, line);
}

int sto_block_sysfs_rescan(const char *sysfs, const char *disk)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/class/block/%s/device/rescan", sysfs, disk);
    return write_line(path, "1");
}
