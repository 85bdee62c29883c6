/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/vhost/vh_front and storage/vhost/vh_drive: a server that answers anything, with
 * any descriptor, closes when it likes, and writes anything into the driver's rings. Each request
 * is done once at the most, with a status that there is, and no descriptor is left open.
 */
#include <config.h>

#include "storage/vhost/vh_drive.h"
#include "storage/vhost/vh_msg.h"
#include "tests/fuzz/fuzz.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE = 8, OPS = 12, MEMORY = 8192, WATCHED = 8, TURNS = 4 };

struct world {
    struct vh_drive *drive;
    uint8_t *memory;
    int memory_fd, server; /* -1: closed */
    int rings_fd, call_fd; /* what the driver handed over, or -1 */
    uint32_t asked;        /* the message that came last */
    unsigned watched_count;
    struct pollfd watched[WATCHED];
    struct vh_msg_reader reader;
    struct vh_drive_op ops[OPS];
    struct iovec iovs[OPS];
    bool under_way[OPS];
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

static void state(void *context, bool up, const char *text)
{
    (void)context, (void)up;
    fuzz_require(text != NULL);
}

static void done(struct vh_drive_op *op, enum vh_blk_status status)
{
    struct world *world = op->context;
    const size_t i = (size_t)(op - world->ops);

    fuzz_require(world->under_way[i]);
    fuzz_require(status == VH_BLK_OK || status == VH_BLK_IOERR || status == VH_BLK_UNSUPP);
    world->under_way[i] = false;
}

static void submit(struct world *world, unsigned i)
{
    static const enum vh_blk_type types[] = { VH_BLK_IN, VH_BLK_OUT, VH_BLK_FLUSH, VH_BLK_DISCARD };
    const enum vh_blk_type type = types[i % 4];

    if (world->under_way[i])
        return;
    world->iovs[i] = (struct iovec) { world->memory + i * 512, 512 };
    world->ops[i] = (struct vh_drive_op) { .type = type,
                                           .sector = i,
                                           .sectors = 1,
                                           .iov = &world->iovs[i],
                                           .iov_count = type == VH_BLK_IN || type == VH_BLK_OUT,
                                           .done = done,
                                           .context = world };
    world->under_way[i] = true;
    fuzz_require(vh_drive_submit(world->drive, &world->ops[i]) == 0);
}

static void replace(int *fd, int with)
{
    if (*fd >= 0)
        close(*fd);
    *fd = with;
}

/* The server reads, and keeps the rings' memory and the call. */
static void listen_to_it(struct world *world)
{
    while (world->server >= 0 && vh_msg_receive(&world->reader, world->server) == 1) {
        struct vh_msg *msg = &world->reader.msg;

        world->asked = msg->request;
        if (msg->request == VH_SET_MEM_TABLE && msg->fd_count > 0)
            replace(&world->rings_fd, vh_msg_take_fd(msg, 0));
        if (msg->request == VH_SET_VRING_CALL && msg->fd_count > 0)
            replace(&world->call_fd, vh_msg_take_fd(msg, 0));
        vh_msg_reader_next(&world->reader);
    }
}

static void turn(struct world *world)
{
    for (unsigned i = 0; i < TURNS; i++) {
        struct pollfd fds[WATCHED];
        const unsigned count = world->watched_count;

        memcpy(fds, world->watched, count * sizeof(fds[0]));
        if (poll(fds, count, 0) <= 0)
            break;
        for (unsigned k = 0; k < count; k++)
            if (fds[k].revents != 0)
                vh_drive_service(world->drive, fds[k].fd, fds[k].revents);
    }
    listen_to_it(world);
}

static void reconnect(struct world *world)
{
    int ends[2];

    vh_msg_reader_next(&world->reader);
    replace(&world->server, -1);
    turn(world);
    fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    if (vh_front_connect_fd(vh_drive_front(world->drive), ends[0]) == 0)
        world->server = ends[1];
    turn(world);
}

static struct vh_events *events;

static void begin(struct world *world)
{
    const struct vh_drive_callbacks callbacks = {
        .watch = watch, .state = state, .context = world, .events = events
    };
    struct vh_drive_region region = { .bytes = MEMORY };

    memset(world, 0, sizeof(*world));
    world->server = world->rings_fd = world->call_fd = -1;
    vh_msg_reader_init(&world->reader);
    (void)signal(SIGPIPE, SIG_IGN);
    world->memory_fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_require(world->memory_fd >= 0 && ftruncate(world->memory_fd, MEMORY) == 0);
    world->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, world->memory_fd, 0);
    fuzz_require(world->memory != MAP_FAILED);
    region.address = world->memory;
    region.fd = world->memory_fd;
    fuzz_require(vh_drive_new(QUEUE, &region, 1, &callbacks, &world->drive) == 0);
    reconnect(world);
}

static void end(struct world *world, int first_free)
{
    int next;

    vh_drive_free(world->drive);
    vh_msg_reader_next(&world->reader);
    replace(&world->server, -1);
    replace(&world->rings_fd, -1);
    replace(&world->call_fd, -1);
    munmap(world->memory, MEMORY);
    close(world->memory_fd);
    next = dup(STDERR_FILENO); /* the lowest free number: nothing was left open */
    fuzz_require(next == first_free);
    close(next);
}

/* One record: kind, length, bytes. Returns its bytes. */
static size_t play(struct world *world, const uint8_t *data, size_t size)
{
    const size_t bytes = data[1] < size - 2 ? data[1] : size - 2;
    struct vh_msg msg = { .request = world->asked,
                          .flags = VH_VERSION | VH_FLAG_REPLY,
                          .size = (uint32_t)bytes };
    uint16_t at = 0;

    memcpy(msg.payload, data + 2, bytes);
    switch (data[0] % 8) {
    case 0: /* any bytes */
        if (world->server >= 0)
            (void)send(world->server, data + 2, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 1:
        reconnect(world);
        break;
    case 2:
        (void)vh_front_stop(vh_drive_front(world->drive));
        break;
    case 3:
        (void)vh_front_log(vh_drive_front(world->drive), (data[0] & 8) != 0 ? world->memory_fd : -1,
                           MEMORY);
        break;
    case 4: /* into the rings, and a call */
        if (bytes > sizeof(at) && world->rings_fd >= 0) {
            memcpy(&at, data + 2, sizeof(at));
            (void)pwrite(world->rings_fd, data + 2 + sizeof(at), bytes - sizeof(at), at % 1024);
        }
        if (world->call_fd >= 0)
            (void)eventfd_write(world->call_fd, 1);
        break;
    case 5:
        submit(world, data[1] % OPS);
        break;
    default: /* an answer to what was asked, with a descriptor or two where it says so */
        msg.fds[0] = msg.fds[1] = world->memory_fd;
        msg.fd_count = data[0] >> 6 & 3 ? (data[0] >> 6 & 3) - 1 : 0;
        if (world->server >= 0)
            (void)vh_msg_send(world->server, &msg);
        break;
    }
    turn(world);
    return 2 + bytes;
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
    while (size >= 2) {
        const size_t bytes = play(&world, data, size);

        data += bytes;
        size -= bytes;
    }
    end(&world, first_free);
    return 0;
}
