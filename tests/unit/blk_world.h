/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk's device with its driver on one side, and on the other a server in the same process: a
 * back end over memory, which answers at once or when the test says so, and can die and come back.
 */
#ifndef BLK_WORLD_H
#define BLK_WORLD_H

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "storage/vhost/vh_back.h"
#include "tests/unit/virtio_world.h"
#include "tests/unit/watch_loop.h"
#include "vmm-core/virtio/vmm_virtio_blk.h"

enum { SETTLE_TURNS = 200, SETTLE_MS = 25 /* less than between two tries */ };
enum { SECTORS = 256, HELD = 32, SERVER_QUEUES = 4, RING = 16, CHAIN = 3 };

struct blk_server {
    char path[100];
    struct vh_back *back; /* NULL: dead */
    struct watch_loop loop;
    struct vh_blk_device device;
    struct vh_back_origin origin;
    uint8_t disk[SECTORS * 512];
    bool answers_later;
    unsigned held_count, requests;
    struct vh_request *held[HELD];
};

struct blk_world {
    struct virtio_world world;
    struct blk_server *server;
    struct vmm_vhost *link;
    unsigned chains; /* put into queue 0 */
    unsigned losses, words;
    char said[500];
};

/* --- the server --- */

/* Carry it out. */
static inline void blk_answer(struct blk_server *server, struct vh_request *request)
{
    uint8_t *at = server->disk + request->sector * 512;

    for (unsigned i = 0; i < request->iov_count; i++) {
        if (request->type == VH_BLK_IN)
            memcpy(request->iov[i].iov_base, at, request->iov[i].iov_len);
        else
            memcpy(at, request->iov[i].iov_base, request->iov[i].iov_len);
        at += request->iov[i].iov_len;
    }
    vh_request_done(request, VH_BLK_OK, true);
}

/* The back end's callback. */
static inline void blk_request(void *context, struct vh_request *request)
{
    struct blk_server *server = context;

    server->requests++;
    if (!server->answers_later)
        blk_answer(server, request);
    else
        server->held[server->held_count++ % HELD] = request;
}

/* Likewise: answered when the test says so. */
static inline void blk_abandon(void *context, struct vh_request *request)
{
    (void)context;
    (void)request;
}

/* What was held is answered now. */
static inline void blk_answer_held(struct blk_server *server)
{
    for (unsigned i = 0; i < server->held_count; i++)
        blk_answer(server, server->held[i]);
    server->held_count = 0;
    server->answers_later = false;
    vh_back_flush(server->back);
}

/* The loop's. */
static inline void blk_back_ready(void *context, int fd, short revents)
{
    struct blk_server *server = context;

    if (server->back == NULL)
        return;
    vh_back_service(server->back, fd, revents);
    vh_back_flush(server->back);
}

/* The back end's callback. */
static inline void blk_watch(void *context, int fd, short events)
{
    struct blk_server *server = context;

    watch_loop_set(&server->loop, fd, events, blk_back_ready, server);
}

/* Likewise. */
static inline void blk_back_tell(void *context, bool connected, const char *text)
{
    (void)context;
    (void)connected;
    (void)text;
}

/* It lives, at its path, which is free. */
static inline void blk_server_live(struct blk_server *server)
{
    const struct vh_back_callbacks callbacks = { .request = blk_request,
                                                 .abandon = blk_abandon,
                                                 .watch = blk_watch,
                                                 .tell = blk_back_tell,
                                                 .context = server };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)unlink(server->path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 4), 0);
    CU_ASSERT_EQUAL_FATAL(vh_back_new(listener, 8, &callbacks, &server->back), 0);
    vh_back_ready(server->back, &server->device);
    vh_back_set_origin(server->back, &server->origin);
    vh_back_hold(server->back, false);
}

/* It is killed, and nobody learns what became of what it held. */
static inline void blk_server_die(struct blk_server *server)
{
    if (server->back == NULL)
        return;
    for (unsigned i = 0; i < server->held_count; i++)
        vh_request_done(server->held[i], VH_BLK_OK, false);
    server->held_count = 0;
    vh_back_free(server->back);
    server->back = NULL;
    (void)unlink(server->path);
}

/* A new one, with an empty disk. */
static inline void blk_server_begin(struct blk_server *server)
{
    memset(server, 0, sizeof(*server));
    (void)snprintf(server->path, sizeof(server->path), "/tmp/hawser-blk-%d.sock", (int)getpid());
    server->device = (struct vh_blk_device) { .sectors = SECTORS,
                                              .block_bytes = 512,
                                              .physical_block_bytes = 512,
                                              .queues = SERVER_QUEUES,
                                              .discard = true,
                                              .write_zeroes = true,
                                              .id = "unit" };
    server->origin = (struct vh_back_origin) { 7, 8 };
    blk_server_live(server);
}

struct blk_opening {
    struct watch_loop *loop;
    bool over;
};

/* The server's loop, in a thread while vmm_vhost_open() waits. */
static inline void *blk_turns(void *context)
{
    struct blk_opening *opening = context;

    while (!__atomic_load_n(&opening->over, __ATOMIC_ACQUIRE))
        (void)watch_loop_turn(opening->loop, 1);
    return NULL;
}

/* What vmm_vhost_open() says, with somebody at the other end. */
static inline int blk_open(struct watch_loop *loop, const char *path, unsigned queues,
                           struct vmm_vhost **ret_link, struct hw_error *error)
{
    struct blk_opening opening = { .loop = loop };
    pthread_t thread;
    int rc;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, blk_turns, &opening), 0);
    rc = vmm_vhost_open(path, queues, NULL, ret_link, error);
    __atomic_store_n(&opening.over, true, __ATOMIC_RELEASE);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    return rc;
}

/* --- the device --- */

/* Its machine's callbacks. */
static inline void blk_lost(void *context, const char *text)
{
    struct blk_world *w = context;

    w->losses++;
    (void)snprintf(w->said, sizeof(w->said), "%s", text);
}

/* Likewise. */
static inline void blk_tell(void *context, const char *text)
{
    struct blk_world *w = context;

    w->words++;
    (void)snprintf(w->said, sizeof(w->said), "%s", text);
}

/* The loop's. */
static inline void blk_link_ready(void *context, int fd, short revents)
{
    struct blk_world *w = context;

    (void)fd;
    (void)revents;
    vmm_vhost_service(w->link);
}

/* Memory as the server gets it. */
static inline struct vmm_virtio_blk_memory blk_memory(const struct blk_world *w)
{
    return (struct vmm_virtio_blk_memory) {
        .count = 1,
        .regions = { { .bytes = GUEST_BYTES, .user_addr = (uintptr_t)w->world.memory } },
        .fds = { w->world.memory_fd },
    };
}

/* A device with a link of its own to the server; `wires` may be NULL. */
static inline void blk_begin(struct blk_world *w, struct blk_server *server, unsigned queues,
                             const struct vmm_virtio_wires *wires)
{
    const struct vmm_virtio_blk_callbacks callbacks = { blk_lost, blk_tell, w };
    struct vmm_virtio_blk_memory memory;
    struct hw_error error = { 0 };

    memset(w, 0, sizeof(*w));
    w->server = server;
    virtio_world_begin(&w->world);
    CU_ASSERT_EQUAL_FATAL(blk_open(&server->loop, server->path, queues, &w->link, &error), 0);
    memory = blk_memory(w);
    CU_ASSERT_EQUAL_FATAL(vmm_virtio_blk_new(w->world.pci, VIRTIO_SLOT, w->link, w->world.mem,
                                             &memory, wires, &callbacks, &w->world.dev,
                                             &w->world.msix),
                          0);
    watch_loop_set(&server->loop, vmm_vhost_fd(w->link), POLLIN, blk_link_ready, w);
}

/* End both. */
static inline void blk_end(struct blk_world *w)
{
    watch_loop_set(&w->server->loop, vmm_vhost_fd(w->link), 0, NULL, NULL);
    w->world.msix.ops->fini(w->world.msix.dev);
    w->world.dev.ops->fini(w->world.dev.dev);
    vmm_vhost_close(w->link);
    virtio_world_end(&w->world);
}

/* The vCPUs are about to run. */
static inline void blk_resume(struct blk_world *w)
{
    vmm_dev_resume(&w->world.dev);
    vmm_dev_resume(&w->world.msix);
}

/* Turn until it holds. */
static inline bool blk_until(struct blk_world *w, bool (*holds)(void *context))
{
    return watch_loop_until(&w->server->loop, holds, w);
}

/* Nothing is to be done any more; at most the link tries again, some time later. */
static inline void blk_settle(struct watch_loop *loop)
{
    unsigned turns = 0;

    while (turns++ < SETTLE_TURNS && watch_loop_turn(loop, SETTLE_MS))
        continue;
}

/* --- its driver --- */

/* A request of one sector into queue 0, told to nobody; its data are at blk_data(). */
static inline void blk_put(struct blk_world *w, enum vh_blk_type type, unsigned sector)
{
    const unsigned n = w->chains++ % (RING / CHAIN), head = n * CHAIN, at = DATA + n * 1024;
    const uint8_t header[VH_BLK_HEADER_BYTES] = { [0] = (uint8_t)type, [8] = (uint8_t)sector };
    const uint16_t in = type == VH_BLK_IN ? VH_DESC_F_WRITE : 0;

    memcpy(w->world.memory + at, header, sizeof(header));
    w->world.memory[at + 1023] = 0xee;
    descriptor(&w->world, 0, head,
               &(struct vh_desc) { at, sizeof(header), VH_DESC_F_NEXT, (uint16_t)(head + 1) });
    descriptor(
        &w->world, 0, head + 1,
        &(struct vh_desc) { at + 256, 512, (uint16_t)(VH_DESC_F_NEXT | in), (uint16_t)(head + 2) });
    descriptor(&w->world, 0, head + 2, &(struct vh_desc) { at + 1023, 1, VH_DESC_F_WRITE, 0 });
    offer(&w->world, 0, RING, head);
}

/* The data of the n-th request (from 0), of the last five. */
static inline uint8_t *blk_data(const struct blk_world *w, unsigned n)
{
    return w->world.memory + DATA + n % (RING / CHAIN) * 1024 + 256;
}

/* The status of the n-th; eeh: none yet. */
static inline uint8_t blk_status(const struct blk_world *w, unsigned n)
{
    return w->world.memory[DATA + n % (RING / CHAIN) * 1024 + 1023];
}

/* All that was put is answered. */
static inline bool blk_all_answered(void *context)
{
    const struct blk_world *w = context;

    return word(&w->world, USED + 2) == word(&w->world, AVAIL + 2);
}

/* A driver is there, with so many queues. */
static inline void blk_drive(struct blk_world *w, unsigned queues)
{
    virtio_drive(&w->world, VERSION_1 | INDIRECT | VH_BLK_F_FLUSH | VH_BLK_F_MQ, queues, RING);
}

#endif
