/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the folders and files of a small sysfs. */
#include <config.h>

#include "tests/unit/fake_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool fake_sysfs_begin(struct fake_sysfs *fake)
{
    strcpy(fake->root, "/tmp/hawser-sysfs.XXXXXX");
    if (!mkdtemp(fake->root))
        return false;
    snprintf(fake->sysfs, sizeof(fake->sysfs), "%s/sys", fake->root);
    snprintf(fake->dev, sizeof(fake->dev), "%s/dev", fake->root);
    return mkdir(fake->sysfs, 0700) == 0 && mkdir(fake->dev, 0700) == 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void fake_sysfs_end(struct fake_sysfs *fake)
{
    nftw(fake->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Make the folders above `path`. */
static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            abort();
        *slash = '/';
    }
}

void fake_sysfs_put(const struct fake_sysfs *fake, const char *path, const char *text)
{
    char full[PATH_MAX];
    FILE *file;

    snprintf(full, sizeof(full), "%s/%s", fake->sysfs, path);
    make_parents(full);
    file = fopen(full, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

const char *fake_sysfs_get(const struct fake_sysfs *fake, const char *path, char text[64])
{
    char full[PATH_MAX];
    size_t got = 0;
    FILE *file;

    snprintf(full, sizeof(full), "%s/%s", fake->sysfs, path);
    file = fopen(full, "r");
    if (file) {
        got = fread(text, 1, 63, file);
        (void)fclose(file);
    }
    text[got] = '\0';
    return text;
}

static void link_to(const struct fake_sysfs *fake, const char *path, const char *to)
{
    char full[PATH_MAX], target[PATH_MAX];

    snprintf(full, sizeof(full), "%s/%s", fake->sysfs, path);
    snprintf(target, sizeof(target), "%s/%s", fake->sysfs, to);
    make_parents(full);
    if (symlink(target, full) < 0)
        abort();
}

void fake_sysfs_disk(const struct fake_sysfs *fake, const char *number, const char *name, bool scsi)
{
    char path[PATH_MAX], to[128];

    snprintf(to, sizeof(to), "devices/%s", name);
    snprintf(path, sizeof(path), "%s/size", to);
    fake_sysfs_put(fake, path, "131072\n");
    snprintf(path, sizeof(path), "%s/device/%s", to, scsi ? "scsi_level" : "vendor");
    fake_sysfs_put(fake, path, "6\n");
    snprintf(path, sizeof(path), "%s/device/rescan", to);
    fake_sysfs_put(fake, path, "");
    snprintf(path, sizeof(path), "dev/block/%s", number);
    link_to(fake, path, to);
    snprintf(path, sizeof(path), "class/block/%s", name);
    link_to(fake, path, to);
}

void fake_sysfs_session(const struct fake_sysfs *fake, unsigned session, const char *target,
                        const char *address, const char *port)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "class/iscsi_session/session%u/targetname", session);
    fake_sysfs_put(fake, path, target);
    snprintf(path, sizeof(path), "class/iscsi_session/session%u/state", session);
    fake_sysfs_put(fake, path, "LOGGED_IN\n");
    snprintf(path, sizeof(path), "class/iscsi_session/session%u/recovery_tmo", session);
    fake_sysfs_put(fake, path, "120\n");
    snprintf(path, sizeof(path), "class/iscsi_connection/connection%u:0/persistent_address",
             session);
    fake_sysfs_put(fake, path, address);
    snprintf(path, sizeof(path), "class/iscsi_connection/connection%u:0/persistent_port", session);
    fake_sysfs_put(fake, path, port);
}

void fake_sysfs_attach(const struct fake_sysfs *fake, unsigned session, unsigned lun,
                       const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path),
             "class/iscsi_session/session%u/device/target%u:0:0/%u:0:0:%u/block"
             "/%s/size",
             session, session, session, lun, name);
    fake_sysfs_put(fake, path, "131072\n");
}
