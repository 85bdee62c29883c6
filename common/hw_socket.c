/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unix sockets. The name of a dead process's socket is replaced by renaming over it, so
 * that the path is never without one.
 */
#include "config.h"

#include "common/hw_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/hw_cleanup.h"

enum { BACKLOG = 16 };

static int fail(struct hw_error *error, const char *path, const char *what)
{
    int code = errno;

    return hw_error_setf(error, HW_ERROR_FAILED, code, path, "check the path and who may write it",
                         "%s: %s", what, strerror(code));
}

static int set_address(struct sockaddr_un *address, const char *path)
{
    size_t length = strlen(path);

    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (length >= sizeof(address->sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address->sun_path, path, length);
    return 0;
}

/* Is the path free, or does a dead process's socket stand there? */
static int look_at(const char *path, int type, struct hw_error *error)
{
    hw_auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;
    struct stat stat;

    if (fd < 0 || set_address(&address, path) < 0)
        return fail(error, path, "no socket can be made");
    if (lstat(path, &stat) < 0)
        return errno == ENOENT ? 0 : fail(error, path, "cannot be looked at");
    if (!S_ISSOCK(stat.st_mode))
        return hw_error_set(error, HW_ERROR_REFUSED, EEXIST, path, "is there, and is no socket",
                            "choose another path");
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
        errno == ECONNREFUSED)
        return 0;
    return hw_error_set(error, HW_ERROR_REFUSED, EADDRINUSE, path,
                        "another process listens there already", "stop it, or choose another path");
}

/* Connect to it until nobody can any more: one more than the backlog is taken (unix(7)). */
static void fill(const struct sockaddr_un *address, int type, unsigned *ret_filled)
{
    int rc = 0;

    for (*ret_filled = 0; rc == 0 && *ret_filled <= BACKLOG; *ret_filled += rc == 0) {
        hw_auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)address, sizeof(*address));
    }
}

/*
 * Listen under a name of our own, then put that in place: when others can see it, it is full if
 * that is wanted (`ret_filled` not NULL).
 */
static int listen_at(int fd, const char *path, int type, uid_t uid, unsigned *ret_filled,
                     struct hw_error *error)
{
    struct sockaddr_un address;
    char name[sizeof(address.sun_path) + 8];
    int rc;

    (void)snprintf(name, sizeof(name), "%s.%x", path, (unsigned)getpid() & 0xffffffu);
    if (set_address(&address, name) < 0) {
        /* no room behind a long name: straight there */
        (void)unlink(path);
        (void)snprintf(name, sizeof(name), "%s", path);
        (void)set_address(&address, name);
    }
    (void)unlink(name);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return fail(error, path, "cannot be made");
    rc = chmod(name, 0600);
    if (rc == 0 && uid != geteuid())
        rc = chown(name, uid, (gid_t)-1);
    if (rc == 0)
        rc = listen(fd, BACKLOG);
    if (rc == 0 && ret_filled != NULL && strcmp(name, path) != 0)
        fill(&address, type, ret_filled);
    if (rc == 0 && strcmp(name, path) != 0)
        rc = rename(name, path);
    if (rc < 0) {
        rc = fail(error, path, "cannot be made");
        (void)unlink(name);
    }
    return rc;
}

static int listen_if_free(const char *path, int type, uid_t uid, int *ret_fd, unsigned *ret_filled,
                          struct hw_error *error)
{
    hw_auto_close int fd = -1;
    int rc = look_at(path, type, error);

    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(error, path, "no socket can be made");
    rc = listen_at(fd, path, type, uid, ret_filled, error);
    if (rc == 0)
        *ret_fd = hw_take_fd(&fd);
    return rc;
}

int hw_socket_listen(const char *path, int type, uid_t uid, int *ret_fd, struct hw_error *error)
{
    return listen_if_free(path, type, uid, ret_fd, NULL, error);
}

int hw_socket_listen_full(const char *path, int type, uid_t uid, int *ret_fd, unsigned *ret_filled,
                          struct hw_error *error)
{
    *ret_filled = 0;
    return listen_if_free(path, type, uid, ret_fd, ret_filled, error);
}

void hw_socket_empty(int listener, unsigned filled)
{
    int fd;

    for (unsigned i = 0; i < filled && hw_socket_accept(listener, &fd) == 0; i++)
        (void)close(fd);
}

int hw_socket_accept(int listener, int *ret_fd)
{
    int fd;

    do
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

int hw_socket_connect(const char *path, int *ret_fd, struct hw_error *error)
{
    hw_auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;

    if (fd < 0 || set_address(&address, path) < 0)
        return fail(error, path, "no socket can be made");
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, errno, path,
                             "check the path, and that its process runs", "nobody answers: %s",
                             strerror(errno));
    *ret_fd = hw_take_fd(&fd);
    return 0;
}
