/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/vhost/vh_back with storage/vhost/vh_msg: two front ends that send any messages
 * with any descriptors, close when they like, and write anything into the memory that they handed
 * over. The back end ends at the most their connections, keeps no descriptor of theirs, and hands
 * out nothing but requests that lie within the disk.
 */
#include <config.h>

#include "storage/vhost/vh_back.h"
#include "storage/vhost/vh_msg.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 2, MEMORY = 16 * 1024, SHARED = 4096, SECTORS = 64, WATCHED = 64, HELD = 256 };
enum { TURNS = 4 };

struct world {
    struct vh_back *back;
    int listener, clients[CLIENTS];
    int memory_fd, shared_fd, event_fd;
    unsigned watched_count, held_count;
    struct pollfd watched[WATCHED];
    struct vh_request *held[HELD];
};

static void watch(void *context, int fd, short events)
{
    struct world *world = context;
    unsigned i = 0;

    while (i < world->watched_count && world->watched[i].fd != fd)
        i++;
    if (events == 0) {
        if (i < world->watched_count)
            world->watched[i] = world->watched[--world->watched_count];
        return;
    }
    fuzz_require(i < WATCHED);
    world->watched[i] = (struct pollfd) { .fd = fd, .events = events };
    if (i == world->watched_count)
        world->watched_count++;
}

static void request(void *context, struct vh_request *request)
{
    struct world *world = context;

    fuzz_require(request->sector <= SECTORS && request->sectors <= SECTORS - request->sector);
    for (unsigned i = 0; i < request->iov_count; i++)
        if (request->type == VH_BLK_IN)
            memset(request->iov[i].iov_base, 0x5a, request->iov[i].iov_len);
    if (world->held_count < HELD && request->sector % 2 == 0)
        world->held[world->held_count++] = request;
    else
        vh_request_done(request, VH_BLK_OK, true);
}

static void answer_held(struct world *world)
{
    const unsigned count = world->held_count;
    struct vh_request *held[HELD];

    memcpy(held, world->held, count * sizeof(held[0]));
    world->held_count = 0;
    for (unsigned i = 0; i < count; i++)
        vh_request_done(held[i], VH_BLK_IOERR, true);
}

static void abandon(void *context, struct vh_request *request)
{
    (void)context, (void)request; /* answered with the held ones */
}

static void tell(void *context, bool connected, const char *text)
{
    (void)context, (void)connected;
    fuzz_require(text != NULL);
}

static void turn(struct world *world)
{
    for (unsigned i = 0; i < TURNS; i++) {
        struct pollfd fds[WATCHED];
        const unsigned count = world->watched_count;

        memcpy(fds, world->watched, count * sizeof(fds[0]));
        if (poll(fds, count, 0) <= 0)
            return;
        for (unsigned k = 0; k < count; k++)
            if (fds[k].revents != 0)
                vh_back_service(world->back, fds[k].fd, fds[k].revents);
        vh_back_flush(world->back);
    }
}

/* Close a front end's socket, if it is there, and connect a new one in its place. */
static void reconnect(struct world *world, unsigned i)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);

    if (world->clients[i] >= 0)
        close(world->clients[i]);
    turn(world); /* it goes before the next one comes, or there may be no room */
    world->clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fuzz_require(getsockname(world->listener, (struct sockaddr *)&address, &length) == 0);
    if (connect(world->clients[i], (struct sockaddr *)&address, length) < 0) { /* backlog is full */
        close(world->clients[i]);
        world->clients[i] = -1;
    }
    turn(world);
}

static struct vh_events *events;

static void begin(struct world *world)
{
    const struct vh_back_callbacks callbacks = { .request = request,
                                                 .abandon = abandon,
                                                 .watch = watch,
                                                 .tell = tell,
                                                 .context = world,
                                                 .events = events };
    const struct vh_blk_device device = { .sectors = SECTORS,
                                          .block_bytes = 512,
                                          .physical_block_bytes = 512,
                                          .queues = 2,
                                          .discard = true,
                                          .write_zeroes = true };
    const struct sockaddr_un address = { .sun_family =
                                             AF_UNIX }; /* a name of the kernel's choice */

    memset(world, 0, sizeof(*world));
    (void)signal(SIGPIPE, SIG_IGN);
    world->memory_fd = memfd_create("fuzz", MFD_CLOEXEC);
    world->shared_fd = memfd_create("fuzz", MFD_CLOEXEC);
    world->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fuzz_require(ftruncate(world->memory_fd, MEMORY) == 0);
    fuzz_require(ftruncate(world->shared_fd, SHARED) == 0);
    fuzz_require(bind(world->listener, (const struct sockaddr *)&address, sizeof(sa_family_t)) ==
                 0);
    fuzz_require(listen(world->listener, CLIENTS) == 0);
    fuzz_require(vh_back_new(world->listener, 8, &callbacks, &world->back) == 0);
    vh_back_ready(world->back, &device);
    vh_back_hold(world->back, false);
    for (unsigned i = 0; i < CLIENTS; i++) {
        world->clients[i] = -1;
        reconnect(world, i);
    }
}

static void end(struct world *world, int first_free)
{
    int next;

    for (unsigned i = 0; i < CLIENTS; i++)
        if (world->clients[i] >= 0)
            close(world->clients[i]);
    turn(world);
    while (world->held_count > 0) {
        answer_held(world);
        vh_back_flush(world->back);
        turn(world);
    }
    fuzz_require(vh_back_in_flight(world->back) == 0);
    vh_back_free(world->back);
    close(world->memory_fd);
    close(world->shared_fd);
    close(world->event_fd);
    next = dup(STDERR_FILENO); /* the lowest free number: nothing was left open */
    fuzz_require(next == first_free);
    close(next);
}

/* One record: who and which descriptor, message, length, payload. Returns its bytes. */
static size_t play(struct world *world, const uint8_t *data, size_t size)
{
    const unsigned who = data[0] % CLIENTS;
    const int fds[] = { -1, world->memory_fd, world->event_fd, world->shared_fd };
    const size_t bytes = data[2] < size - 3 ? data[2] : size - 3;
    struct vh_msg msg = { .request = data[1], .flags = VH_VERSION, .size = (uint32_t)bytes };

    memcpy(msg.payload, data + 3, bytes);
    msg.fds[0] = msg.fds[1] = fds[data[0] >> 1 & 3];
    msg.fd_count = msg.fds[0] < 0 ? 0 : 1 + (data[0] >> 6 & 1);
    if ((data[0] & 0x80) != 0)
        msg.flags |= VH_FLAG_NEED_REPLY;
    if ((data[0] & 0x08) != 0) { /* into the memory instead, and a kick */
        (void)pwrite((data[0] & 2) != 0 ? world->shared_fd : world->memory_fd, data + 3, bytes,
                     data[1] * 16);
        (void)eventfd_write(world->event_fd, 1);
    } else if (data[1] >= 250) {
        reconnect(world, who);
    } else if (data[1] >= 248) {
        vh_back_hold(world->back, data[1] == 248);
    } else if (world->clients[who] >= 0) {
        uint8_t drop[1024];

        while (recv(world->clients[who], drop, sizeof(drop), MSG_DONTWAIT) > 0)
            continue;
        (void)vh_msg_send(world->clients[who], &msg);
    }
    if ((data[0] & 0x10) == 0)
        turn(world);
    if ((data[0] & 0x20) != 0)
        answer_held(world);
    return 3 + bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world;
    int first_free;

    if (events == NULL) /* one for all runs: to end it takes longer than a run */
        fuzz_require(vh_events_new(&events) == 0);
    first_free = dup(STDERR_FILENO);
    close(first_free);
    begin(&world);
    while (size >= 3) {
        const size_t bytes = play(&world, data, size);

        data += bytes;
        size -= bytes;
    }
    end(&world, first_free);
    return 0;
}
