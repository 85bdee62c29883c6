/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unix sockets of servers. What a dead process left at the path is taken away; a path where
 * somebody answers is refused.
 */
#ifndef HW_SOCKET_H
#define HW_SOCKET_H

#include <sys/types.h>

#include "common/hw_error.h"

/*
 * Listen at `path` (at most 107 bytes) with sockets of `type` (SOCK_STREAM, SOCK_SEQPACKET), not
 * blocking, closed to all but root and `uid`. 0 and a descriptor that is the caller's, or -errno
 * with the message: -EADDRINUSE (refused) if another process listens there, -EEXIST if something
 * else than a socket is there. The name stays when the descriptor is closed.
 */
int hw_socket_listen(const char *path, int type, uid_t uid, int *ret_fd, struct hw_error *error);

/*
 * The same, but nobody is connected yet: its backlog is full, of `ret_filled` connections of our
 * own, so that whoever connects waits in connect(2), or is told EAGAIN. A QEMU that was connected
 * would wait for an answer with all of its guest, and never start the disk again if this process
 * ended before it gave one.
 */
int hw_socket_listen_full(const char *path, int type, uid_t uid, int *ret_fd, unsigned *ret_filled,
                          struct hw_error *error);
/* Take those `filled` connections out again: whoever waits is connected now. */
void hw_socket_empty(int listener, unsigned filled);

/* Accept one connection, not blocking, closed on exec; -EAGAIN if there is none, or -errno. */
int hw_socket_accept(int listener, int *ret_fd);

/*
 * Connect a stream socket, not blocking, to whoever listens at `path`. 0 and a descriptor that is
 * the caller's, or -errno with the message: -ECONNREFUSED if its process is gone, -EAGAIN if it
 * does not take connections.
 */
int hw_socket_connect(const char *path, int *ret_fd, struct hw_error *error);

#endif
