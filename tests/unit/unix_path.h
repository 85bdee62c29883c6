/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A unix socket's path for unit tests, and connections to it.
 */
#ifndef UNIX_PATH_H
#define UNIX_PATH_H

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { UNIX_PATH_BYTES = 100 };

/* A path of this process, with nothing there. */
static inline void unix_path_make(char *path, const char *name)
{
    snprintf(path, UNIX_PATH_BYTES, "/tmp/hawser-unit-%d.%s", (int)getpid(), name);
    (void)unlink(path);
}

/* Connect this socket: 0 or -errno. */
static inline int unix_path_try(const char *path, int fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* A connection of this type. */
static inline int unix_path_connect(const char *path, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL(unix_path_try(path, fd), 0);
    return fd;
}

#endif
