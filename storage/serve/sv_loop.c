/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop: libqb's, with the LUNs' descriptors, timers and signals. What guests wait for has
 * the high priority: libqb makes every second turn for that alone, and only asks the kernel once
 * more when what is ready has the medium one, which control sockets have. What a LUN waits for may
 * change with every call into it, so everything that happens ends in server_settle().
 */
#include "config.h"

#include "storage/serve/sv_server_priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

static struct server_lun *find_lun(struct sv_server *server, int fd)
{
    for (unsigned i = 0; i < server->lun_count; i++)
        if (sv_lun_fd(server->luns[i].lun) == fd)
            return &server->luns[i];
    return NULL;
}

static int32_t lun_ready(int32_t fd, int32_t revents, void *data)
{
    struct sv_server *server = data;
    struct server_lun *lun = find_lun(server, fd);

    if (lun != NULL)
        sv_lun_service(lun->lun, (short)revents);
    server_settle(server);
    return 0;
}

/* The lease goes on: what waits at the gates goes out. */
static int32_t lease_woke(int32_t fd, int32_t revents, void *data)
{
    struct sv_server *server = data;
    eventfd_t count;

    (void)revents;
    (void)eventfd_read(fd, &count);
    for (unsigned i = 0; i < server->lun_count; i++)
        sv_lun_service(server->luns[i].lun, 0);
    server_judge(server);
    server_settle(server);
    return 0;
}

static int32_t control_ready(int32_t fd, int32_t revents, void *data)
{
    struct sv_server *server = data;

    hw_control_service(server->control, fd, (short)revents);
    server_settle(server);
    return 0;
}

void server_watch_control(void *context, int fd, short events)
{
    struct sv_server *server = context;

    if (events == 0)
        (void)qb_loop_poll_del(server->loop, fd);
    else if (qb_loop_poll_mod(server->loop, QB_LOOP_MED, fd, events, server, control_ready) < 0)
        (void)qb_loop_poll_add(server->loop, QB_LOOP_MED, fd, events, server, control_ready);
}

static void timer_due(void *data)
{
    struct sv_server *server = data;

    server->timer_ns = INT64_MAX;
    for (unsigned i = 0; i < server->lun_count; i++)
        sv_lun_service(server->luns[i].lun, 0);
    if (server->abandon_ns <= hw_clock_now_ns(hw_clock_boottime()))
        server_end(server, 3, &server->error);
    if (server->saved_retry_ns <= hw_clock_now_ns(hw_clock_boottime()))
        server_look(server);
    server_judge(server);
    server_settle(server);
}

static int32_t signalled(int32_t number, void *data)
{
    struct sv_server *server = data;

    (void)number;
    server_end(server, 0, NULL);
    return 0;
}

static void set_timer(struct sv_server *server, int64_t at_ns)
{
    int64_t left_ns = at_ns - hw_clock_now_ns(hw_clock_boottime());

    if (at_ns == server->timer_ns)
        return;
    if (server->timer_ns != INT64_MAX)
        (void)qb_loop_timer_del(server->loop, server->timer);
    server->timer_ns = INT64_MAX;
    if (at_ns == INT64_MAX)
        return;
    if (qb_loop_timer_add(server->loop, QB_LOOP_HIGH, left_ns > 0 ? (uint64_t)left_ns : 0, server,
                          timer_due, &server->timer) == 0)
        server->timer_ns = at_ns;
}

static void settle_lun(struct sv_server *server, struct server_lun *lun)
{
    short events = sv_lun_events(lun->lun);

    if (events == lun->watched)
        return;
    if (qb_loop_poll_mod(server->loop, QB_LOOP_HIGH, sv_lun_fd(lun->lun), events, server,
                         lun_ready) == 0)
        lun->watched = events;
}

/* When the gate's verdict changes by time alone: the end of a lease. */
static int64_t lease_end_ns(const struct sv_server *server)
{
    return server->lease_was_over || !server->verdict_told ? INT64_MAX
                                                           : server_lease_end_ns(server);
}

void server_settle(struct sv_server *server)
{
    int64_t next_ns =
        server->abandon_ns < server->saved_retry_ns ? server->abandon_ns : server->saved_retry_ns;

    if (server->verdict_told && server_lease_over(server) != server->lease_was_over)
        server_judge(server); /* a confirmation came */
    server_check_orders(server);
    server_publish(server);
    for (unsigned i = 0; i < server->config->disk_count; i++)
        server_disk_settle(server->disks[i]);
    for (unsigned i = 0; i < server->lun_count; i++) {
        int64_t lun_ns = sv_lun_next_ns(server->luns[i].lun);

        settle_lun(server, &server->luns[i]);
        next_ns = lun_ns < next_ns ? lun_ns : next_ns;
    }
    if (lease_end_ns(server) < next_ns)
        next_ns = lease_end_ns(server);
    set_timer(server, next_ns);
}

int server_watch_all(struct sv_server *server)
{
    qb_loop_signal_handle handle;
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < server->lun_count; i++) {
        struct server_lun *lun = &server->luns[i];

        lun->watched = sv_lun_events(lun->lun);
        rc = qb_loop_poll_add(server->loop, QB_LOOP_HIGH, sv_lun_fd(lun->lun), lun->watched, server,
                              lun_ready);
    }
    if (rc == 0)
        rc = qb_loop_poll_add(server->loop, QB_LOOP_HIGH, server->wake_fd, POLLIN, server,
                              lease_woke);
    if (rc == 0)
        rc = qb_loop_signal_add(server->loop, QB_LOOP_HIGH, SIGTERM, server, signalled, &handle);
    if (rc == 0)
        rc = qb_loop_signal_add(server->loop, QB_LOOP_HIGH, SIGINT, server, signalled, &handle);
    return rc;
}

void server_end(struct sv_server *server, int status, const struct hw_error *error)
{
    if (server->ended)
        return;
    server->ended = true;
    server->status = status;
    if (error != NULL)
        server->error = *error;
    qb_loop_stop(server->loop);
}
