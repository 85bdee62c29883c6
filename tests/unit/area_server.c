/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See the header. */
#include <config.h>

#include "tests/unit/area_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "storage/sto_state_area.h"
#include "storage/vhost/vh_back.h"

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    abort();
}

/* --- the file --- */

static void flush(struct area_server *server)
{
    for (uint64_t page = 0; page < server->bytes / AREA_PAGE_BYTES; page++) {
        const uint64_t at = page * AREA_PAGE_BYTES;

        if (server->changed[page] == 0)
            continue;
        must(pwrite(server->fd, server->cache + at, AREA_PAGE_BYTES, (off_t)at) == AREA_PAGE_BYTES,
             "pwrite");
        server->changed[page] = 0;
    }
}

static bool move(struct area_server *server, const struct vh_request *request)
{
    uint64_t at = request->sector * 512;

    for (unsigned i = 0; i < request->iov_count; i++) {
        const struct iovec *piece = &request->iov[i];

        if (piece->iov_len > server->bytes - at)
            return false;
        if (request->type == VH_BLK_IN) {
            memcpy(piece->iov_base, server->cache + at, piece->iov_len);
        } else {
            memcpy(server->cache + at, piece->iov_base, piece->iov_len);
            memset(server->changed + at / AREA_PAGE_BYTES, 1,
                   (at + piece->iov_len - 1) / AREA_PAGE_BYTES - at / AREA_PAGE_BYTES + 1);
        }
        at += piece->iov_len;
    }
    return true;
}

/* --- the server --- */

unsigned area_server_ops(const struct area_server *server)
{
    return server->writes + server->flushes;
}

static bool is_hit(const struct area_server *server, unsigned at)
{
    const unsigned op = area_server_ops(server);

    return at != 0 && op >= at && op <= at + server->fails;
}

static void end_job(void *data)
{
    area_server_end(data);
}

/* Is it the header of a state that can be restored from now on? */
static bool commits(const struct area_server *server, const struct vh_request *request)
{
    struct sto_saved saved;
    const uint64_t at = request->sector * 512;

    return request->type == VH_BLK_OUT && at % STO_STATE_HEADER_BYTES == 0 &&
           at / STO_STATE_HEADER_BYTES < STO_SAVED_SLOTS &&
           sto_saved_decode(server->cache + at, &saved) == 0 && saved.state == STO_SAVED_COMMITTED;
}

static void note_commit(struct area_server *server)
{
    server->lose_at = area_server_ops(server) + 1;
    if (server->dies_behind > 0)
        server->die_at = server->lose_at + server->dies_behind;
    server->loses_commit = false;
}

static enum vh_blk_status carry_out(struct area_server *server, const struct vh_request *request)
{
    if (request->type == VH_BLK_IN) {
        server->reads++;
        return move(server, request) ? VH_BLK_OK : VH_BLK_IOERR;
    }
    if (is_hit(server, server->fail_at))
        return VH_BLK_IOERR;
    if (request->type == VH_BLK_FLUSH)
        flush(server);
    else if (!move(server, request))
        return VH_BLK_IOERR;
    if (server->loses_commit && commits(server, request))
        note_commit(server);
    return is_hit(server, server->lose_at) ? VH_BLK_IOERR : VH_BLK_OK;
}

static void on_request(void *context, struct vh_request *request)
{
    struct area_server *server = context;

    server->writes += request->type == VH_BLK_OUT;
    server->flushes += request->type == VH_BLK_FLUSH;
    if (request->type != VH_BLK_IN && area_server_ops(server) == server->die_at)
        _exit(77);
    if (server->leave_at != 0 && area_server_ops(server) >= server->leave_at) {
        if (!server->leaving)
            (void)qb_loop_job_add(server->loop, QB_LOOP_HIGH, server, end_job);
        server->leaving = true;
        vh_request_done(request, VH_BLK_OK, false);
        return;
    }
    vh_request_done(request, carry_out(server, request), true);
}

static void on_abandon(void *context, struct vh_request *request)
{
    (void)context;
    (void)request;
}

static int32_t ready(int32_t fd, int32_t revents, void *data)
{
    struct area_server *server = data;

    if (server->back == NULL)
        return 0;
    vh_back_service(server->back, fd, (short)revents);
    vh_back_flush(server->back);
    return 0;
}

static void watch(void *context, int fd, short events)
{
    struct area_server *server = context;

    if (events == 0)
        (void)qb_loop_poll_del(server->loop, fd);
    else if (qb_loop_poll_mod(server->loop, QB_LOOP_MED, fd, events, server, ready) < 0)
        (void)qb_loop_poll_add(server->loop, QB_LOOP_MED, fd, events, server, ready);
}

static void tell(void *context, bool connected, const char *text)
{
    (void)context;
    (void)connected;
    (void)text;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)unlink(path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    must(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
             listen(fd, 4) == 0,
         "listen");
    return fd;
}

void area_server_make(struct area_server *server, qb_loop_t *loop, uint64_t bytes)
{
    *server = (struct area_server) { .loop = loop, .bytes = bytes, .fd = -1 };
    (void)snprintf(server->directory, sizeof(server->directory), "/tmp/hawser-area-XXXXXX");
    must(mkdtemp(server->directory) != NULL, "mkdtemp");
    (void)snprintf(server->socket, sizeof(server->socket), "%s/socket", server->directory);
    (void)snprintf(server->file, sizeof(server->file), "%s/file", server->directory);
    server->fd = open(server->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(server->fd >= 0 && ftruncate(server->fd, (off_t)bytes) == 0, "file");
}

void area_server_remove(struct area_server *server)
{
    (void)close(server->fd);
    (void)unlink(server->socket);
    (void)unlink(server->file);
    (void)rmdir(server->directory);
}

void area_server_begin(struct area_server *server)
{
    const struct vh_back_callbacks callbacks = {
        on_request, on_abandon, watch, tell, server, NULL
    };
    const struct vh_blk_device device = { .sectors = server->bytes / 512,
                                          .block_bytes = 512,
                                          .physical_block_bytes = 4096,
                                          .queues = 1 };

    server->cache = mmap(NULL, server->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, server->fd, 0);
    server->changed = calloc(1, server->bytes / AREA_PAGE_BYTES);
    must(server->cache != MAP_FAILED && server->changed != NULL, "cache");
    must(vh_back_new(listen_at(server->socket), 0, &callbacks, &server->back) == 0, "back end");
    vh_back_ready(server->back, &device);
    vh_back_hold(server->back, server->holds);
}

void area_server_end(struct area_server *server)
{
    if (server->back == NULL)
        return;
    vh_back_free(server->back);
    server->back = NULL;
    (void)unlink(server->socket);
    (void)munmap(server->cache, server->bytes);
    free(server->changed);
    server->leave_at = 0;
    server->leaving = false;
}

void area_server_hold(struct area_server *server, bool hold)
{
    server->holds = hold;
    if (server->back == NULL)
        return;
    vh_back_hold(server->back, hold);
    vh_back_flush(server->back);
}

void area_server_look(const struct area_server *server, struct sto_saved_look *ret_look)
{
    uint8_t slots[STO_SAVED_SLOTS][STO_SAVED_BYTES];

    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++)
        must(pread(server->fd, slots[i], sizeof(slots[i]), (off_t)i * STO_STATE_HEADER_BYTES) ==
                 sizeof(slots[i]),
             "pread");
    sto_saved_judge(slots[0], slots[1], ret_look);
}

void area_server_flip(const struct area_server *server, uint64_t at)
{
    uint8_t byte;

    must(pread(server->fd, &byte, 1, (off_t)at) == 1, "pread");
    byte ^= 1;
    must(pwrite(server->fd, &byte, 1, (off_t)at) == 1, "pwrite");
}
