/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_socket: who may listen where.
 */
#include <config.h>

#include "common/hw_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "tests/unit/unix_path.h"

static char path[UNIX_PATH_BYTES];

static void listens(void)
{
    struct hw_error error = { 0 };
    struct stat stat;
    int first, second, client, accepted;
    unsigned filled;

    unix_path_make(path, "listen");
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &first, &error), 0);
    CU_ASSERT_EQUAL(lstat(path, &stat), 0);
    CU_ASSERT_EQUAL(stat.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL(hw_socket_accept(first, &accepted), -EAGAIN);
    client = unix_path_connect(path, SOCK_STREAM);
    CU_ASSERT_EQUAL(hw_socket_accept(first, &accepted), 0);
    close(accepted), close(client);
    CU_ASSERT_EQUAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &second, &error), -EADDRINUSE);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    close(first); /* its process died: the name is left */
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &second, &error), 0);
    close(unix_path_connect(path, SOCK_STREAM));
    close(second);
    /* one that is not to be connected to yet */
    CU_ASSERT_EQUAL(hw_socket_listen_full(path, SOCK_STREAM, geteuid(), &first, &filled, &error),
                    0);
    CU_ASSERT_TRUE(filled > 0);
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL(unix_path_try(path, client), -EAGAIN);
    CU_ASSERT_EQUAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &second, &error), -EADDRINUSE);
    hw_socket_empty(first, filled);
    CU_ASSERT_EQUAL(hw_socket_accept(first, &accepted), -EAGAIN);
    CU_ASSERT_EQUAL(unix_path_try(path, client), 0);
    CU_ASSERT_EQUAL(hw_socket_accept(first, &accepted), 0);
    close(accepted), close(client), close(first);
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    CU_ASSERT_EQUAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &second, &error), -EEXIST);
    unlink(path);
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(hw_socket_listen("/nowhere/at/all", SOCK_STREAM, geteuid(), &second, &error),
                    -ENOENT);
}

const struct unit_case unit_cases[] = {
    { "sockets of the dead are taken over, those of the living are not", listens },
    { 0 },
};
