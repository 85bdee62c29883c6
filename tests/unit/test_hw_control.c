/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_control: orders come in and answers go out, whatever a connection does.
 */
#include <config.h>

#include "common/hw_control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/hw_socket.h"
#include "tests/unit/unit.h"
#include "tests/unit/unix_path.h"
#include "tests/unit/watch_loop.h"

static char path[UNIX_PATH_BYTES];

static struct watch_loop loop;
static struct hw_control *control;
static unsigned orders;
static int pass_fd = -1;

static void control_ready(void *context, int fd, short revents)
{
    (void)context;
    hw_control_service(control, fd, revents);
}

static void control_watch(void *context, int fd, short events)
{
    (void)context;
    watch_loop_set(&loop, fd, events, control_ready, NULL);
}

static void control_order(void *context, json_t *object, struct hw_asker asker)
{
    const char *command = hw_order_command(object);

    (void)context;
    orders++;
    if (strcmp(command, "events") == 0)
        hw_control_subscribe(control, &asker);
    hw_control_answer(control, &asker, json_pack("{s:s}", "did", command),
                      strcmp(command, "page") == 0 ? pass_fd : -1);
}

static void settle(void)
{
    while (watch_loop_turn(&loop, 30))
        continue;
}

static const char *exchange(int fd, const char *line)
{
    static char answer[2048];
    ssize_t got;

    CU_ASSERT_EQUAL(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
    settle();
    got = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
    answer[got > 0 ? got : 0] = '\0';
    return answer;
}

static void takes_orders(void)
{
    const struct hw_control_callbacks callbacks = { .order = control_order,
                                                    .watch = control_watch,
                                                    .remedy = "see x(8)" };
    char long_line[HW_ORDER_BYTES + 100];
    int listener, client, other, clients[HW_CONTROL_CLIENTS];

    memset(&loop, 0, sizeof(loop));
    unix_path_make(path, "control");
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(hw_control_new(listener, &callbacks, &control), 0);
    client = unix_path_connect(path, SOCK_STREAM);
    other = unix_path_connect(path, SOCK_STREAM);
    settle();
    CU_ASSERT_PTR_NOT_NULL(
        strstr(exchange(client, "{\"command\":\"status\",\"id\":3}\n"), "\"id\":3"));
    CU_ASSERT_STRING_EQUAL(exchange(client, "{\"command\":\"sta"), "");
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, "tus\"}\n\n"), "\"ok\":true"));
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, "nonsense\n"), "\"kind\":\"usage\""));
    memset(long_line, 'x', sizeof(long_line));
    long_line[sizeof(long_line) - 1] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, long_line), "longer"));
    CU_ASSERT_STRING_EQUAL(exchange(client, "more of it\n"), ""); /* the rest of that line */
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, "{\"command\":\"hold\"}\n"), "hold"));
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(other, "{\"command\":\"events\"}\n"), "events"));
    hw_control_event(control, json_pack("{s:s}", "event", "gate"));
    CU_ASSERT_STRING_EQUAL(exchange(client, "\n"), "");
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(other, "\n"), "gate"));
    CU_ASSERT_EQUAL(orders, 4);
    for (unsigned i = 0; i < HW_CONTROL_CLIENTS; i++) /* more than it has places for */
        clients[i] = unix_path_connect(path, SOCK_STREAM);
    settle();
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, "{\"command\":\"status\"}\n"), "ok"));
    for (unsigned i = 0; i < HW_CONTROL_CLIENTS; i++)
        close(clients[i]);
    /* who does not read is dropped, and nobody waits */
    for (unsigned i = 0; i < 100000 && hw_control_has_output(control) == (i > 0); i++)
        hw_control_event(control, json_pack("{s:s}", "event", "gate"));
    settle();
    close(client), close(other);
    settle();
    hw_control_free(control);
    unlink(path);
}

static void hands_a_descriptor(void)
{
    const struct hw_control_callbacks callbacks = { .order = control_order,
                                                    .watch = control_watch,
                                                    .remedy = "see x(8)" };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } rights;
    char text[256];
    struct iovec iov = { text, sizeof(text) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)
    };
    int listener, client, got = -1;

    memset(&loop, 0, sizeof(loop));
    unix_path_make(path, "control");
    pass_fd = memfd_create("unit", MFD_CLOEXEC);
    CU_ASSERT_EQUAL(ftruncate(pass_fd, 12345), 0);
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(hw_control_new(listener, &callbacks, &control), 0);
    client = unix_path_connect(path, SOCK_STREAM);
    CU_ASSERT_TRUE(send(client, "{\"command\":\"page\"}\n", 19, 0) == 19);
    settle();
    CU_ASSERT_TRUE(recvmsg(client, &message, MSG_DONTWAIT) > 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(CMSG_FIRSTHDR(&message));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
    CU_ASSERT_EQUAL(lseek(got, 0, SEEK_END), 12345);
    close(got), close(client), close(pass_fd);
    hw_control_free(control);
    unlink(path);
}

/* Without its descriptor the answer would be a lie: it is an error, and says what to do. */
static void says_that_no_descriptor_goes(void)
{
    const struct hw_control_callbacks callbacks = { .order = control_order,
                                                    .watch = control_watch,
                                                    .remedy = "see x(8)" };
    static char rest[1 << 20];
    size_t have = 0;
    ssize_t got;
    int listener, client;

    memset(&loop, 0, sizeof(loop));
    unix_path_make(path, "control");
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(hw_control_new(listener, &callbacks, &control), 0);
    client = unix_path_connect(path, SOCK_STREAM);
    settle();
    pass_fd = 1 << 20; /* names none */
    CU_ASSERT_PTR_NOT_NULL(
        strstr(exchange(client, "{\"command\":\"page\",\"id\":4}\n"), "\"id\":4"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(exchange(client, "{\"command\":\"page\"}\n"), "\"remedy\":\"ask again"));
    /* its reader is behind: other lines stand before it */
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, "{\"command\":\"events\"}\n"), "events"));
    while (!hw_control_has_output(control))
        hw_control_event(control, json_pack("{s:s}", "event", "gate"));
    pass_fd = listener;
    CU_ASSERT_EQUAL(send(client, "{\"command\":\"page\"}\n", 19, 0), 19);
    do {
        settle();
        got = recv(client, rest + have, sizeof(rest) - 1 - have, MSG_DONTWAIT);
        have += got > 0 ? (size_t)got : 0;
    } while (got > 0 && have < sizeof(rest) - 1);
    rest[have] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(rest, "\"ok\":false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(rest, "\"remedy\":\"read it"));
    close(client);
    settle();
    hw_control_free(control);
    unlink(path);
}

static struct hw_asker last;
static unsigned drains;

static void keep_asker(void *context, json_t *object, struct hw_asker asker)
{
    (void)context;
    (void)object;
    last = asker;
    hw_control_answer(control, &asker, json_object(), -1);
}

static void drained(void *context, const struct hw_asker *asker)
{
    (void)context;
    drains += asker->serial == last.serial;
    hw_control_tell(control, asker, json_pack("{s:s}", "event", "more"));
}

/* One connection is told as much as it takes, and the others nothing. */
static void tells_one(void)
{
    const struct hw_control_callbacks callbacks = {
        .order = keep_asker, .watch = control_watch, .drained = drained, .remedy = "see x(8)"
    };
    static char rest[1 << 20];
    int listener, client, other;

    memset(&loop, 0, sizeof(loop));
    drains = 0;
    unix_path_make(path, "control");
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(hw_control_new(listener, &callbacks, &control), 0);
    client = unix_path_connect(path, SOCK_STREAM);
    other = unix_path_connect(path, SOCK_STREAM);
    settle();
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, "{\"command\":\"x\"}\n"), "ok"));
    CU_ASSERT_EQUAL(hw_control_check(control, &last), 0);
    while (hw_control_check(control, &last) == 0)
        hw_control_tell(control, &last, json_pack("{s:s}", "event", "console"));
    CU_ASSERT_EQUAL(hw_control_check(control, &last), -EAGAIN);
    settle();
    CU_ASSERT_EQUAL(drains, 0);
    while (drains == 0) {
        CU_ASSERT_TRUE_FATAL(recv(client, rest, sizeof(rest), MSG_DONTWAIT) > 0);
        settle();
    }
    CU_ASSERT_EQUAL(drains, 1);
    CU_ASSERT_TRUE(recv(client, rest, sizeof(rest), MSG_DONTWAIT) > 0);
    CU_ASSERT_TRUE(recv(other, rest, sizeof(rest), MSG_DONTWAIT) < 0);
    close(client);
    settle();
    CU_ASSERT_EQUAL(hw_control_check(control, &last), -ESRCH);
    hw_control_tell(control, &last, json_object()); /* to nobody */
    close(other);
    settle();
    hw_control_free(control);
    unlink(path);
}

static void tells_all(void)
{
    const struct hw_control_callbacks callbacks = {
        .order = control_order, .watch = control_watch, .remedy = "see x(8)", .tells_all = true
    };
    int listener, client;

    memset(&loop, 0, sizeof(loop));
    unix_path_make(path, "control");
    CU_ASSERT_EQUAL_FATAL(hw_socket_listen(path, SOCK_STREAM, geteuid(), &listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(hw_control_new(listener, &callbacks, &control), 0);
    client = unix_path_connect(path, SOCK_STREAM);
    settle();
    hw_control_event(control, json_pack("{s:s}", "event", "paused"));
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, "\n"), "paused"));
    CU_ASSERT_PTR_NOT_NULL(strstr(exchange(client, "x\n"), "\"remedy\":\"see x(8)\""));
    close(client);
    settle();
    hw_control_free(control);
    unlink(path);
}

const struct unit_case unit_cases[] = {
    { "orders come by lines, and nobody is waited for", takes_orders },
    { "a descriptor goes with its answer", hands_a_descriptor },
    { "or the answer is an error", says_that_no_descriptor_goes },
    { "each connection is told events, if all are", tells_all },
    { "or one alone, as it reads", tells_one },
    { 0 },
};
