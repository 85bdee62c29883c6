/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/vhost/vh_drive, storage/vhost/vh_drive_ring, storage/vhost/vh_front and
 * storage/vhost/vh_front_msg against a server of another make, or of bad faith: it is played by the
 * test, message by message, and writes into the rings what it likes.
 * (over 400: the server that is played is half of it)
 */
#include <config.h>

#include "storage/vhost/vh_drive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "storage/vhost/vh_msg.h"
#include "tests/unit/fail_syscall.h"
#include "tests/unit/unit.h"
#include "tests/unit/vh_played.h"
#include "tests/unit/watch_loop.h"

enum { QUEUE = 16, OPS = 40, SECTORS = 2048 };

/* --- the server --- */

struct server {
    int fd; /* -1: gone */
    uint64_t protocol;
    struct vh_msg_reader reader;
    uint8_t *rings; /* the driver's own memory */
    size_t rings_bytes;
    uint64_t rings_at, rings_guest_at; /* in the driver, in the guest */
    uint8_t *avail, *used;
    uint32_t base;
    int kick_fd, call_fd;
    unsigned starts, regions_back;
    bool drains;  /* it answers a stop */
    bool starves; /* the driver gets no descriptor from when it knows the device */
};

static struct watch_loop loop;
static struct server server;

static void answer_inflight(const struct vh_msg *to)
{
    struct vh_msg msg = { .fd_count = 1 };
    int fd = memfd_create("inflight", MFD_CLOEXEC);

    CU_ASSERT_EQUAL(ftruncate(fd, 4096), 0);
    vh_msg_put_u64(&msg, 4096);
    vh_msg_put_u64(&msg, 0);
    vh_msg_put_u32(&msg, 0);
    msg.fds[0] = fd;
    played_answer(server.fd, to, &msg);
    close(fd);
}

static void take_memory(struct vh_msg *msg)
{
    int fd = vh_msg_take_fd(msg, 0);
    struct stat stat;

    CU_ASSERT_EQUAL_FATAL(fstat(fd, &stat), 0);
    if (server.rings != NULL)
        munmap(server.rings, server.rings_bytes);
    server.rings_bytes = (size_t)stat.st_size;
    server.rings = mmap(NULL, server.rings_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CU_ASSERT_PTR_NOT_EQUAL_FATAL(server.rings, MAP_FAILED);
    server.rings_at = vh_msg_get_u64(msg, 8 + 16);
    server.rings_guest_at = vh_msg_get_u64(msg, 8);
    close(fd);
}

static struct rlimit files;

static void starve(void)
{
    struct rlimit none;
    int next = dup(server.fd);

    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = files;
    none.rlim_cur = (rlim_t)next;
    close(next);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void serve(struct vh_msg *msg)
{
    switch ((enum vh_request_id)msg->request) {
    case VH_GET_FEATURES:
        played_answer_u64(server.fd, msg,
                          VH_F_VERSION_1 | VH_F_PROTOCOL_FEATURES | VH_F_INDIRECT_DESC);
        break;
    case VH_GET_PROTOCOL_FEATURES:
        played_answer_u64(server.fd, msg, server.protocol);
        break;
    case VH_GET_QUEUE_NUM:
        played_answer_u64(server.fd, msg, 0);
        break;
    case VH_GET_CONFIG:
        if (server.starves)
            starve();
        played_answer_config(server.fd, msg, SECTORS, 0);
        break;
    case VH_GET_INFLIGHT_FD:
        answer_inflight(msg);
        break;
    case VH_SET_INFLIGHT_FD:
        server.regions_back++;
        break;
    case VH_SET_MEM_TABLE:
        take_memory(msg);
        break;
    case VH_SET_VRING_ADDR:
        server.used = server.rings + (vh_msg_get_u64(msg, 16) - server.rings_at);
        server.avail = server.rings + (vh_msg_get_u64(msg, 24) - server.rings_at);
        break;
    case VH_SET_VRING_BASE:
        server.base = vh_msg_get_u32(msg, 4);
        break;
    case VH_GET_VRING_BASE:
        if (server.drains)
            played_answer_base(server.fd, msg, 0, 5);
        break;
    case VH_SET_VRING_KICK:
        if (server.kick_fd >= 0)
            close(server.kick_fd);
        server.kick_fd = vh_msg_take_fd(msg, 0);
        break;
    case VH_SET_VRING_CALL:
        if (server.call_fd >= 0)
            close(server.call_fd);
        server.call_fd = vh_msg_take_fd(msg, 0);
        break;
    case VH_SET_VRING_ENABLE:
        server.starts++;
        if ((msg->flags & VH_FLAG_NEED_REPLY) != 0)
            played_answer_u64(server.fd, msg, 0);
        break;
    default:
        break;
    }
}

static uint16_t load16(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

static void store16(uint8_t *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)at, value, __ATOMIC_RELEASE);
}

/* The status is the last of the head's indirect table. */
static void set_status(uint32_t id, enum vh_blk_status status)
{
    const struct vh_desc *desc = (const struct vh_desc *)(void *)server.rings + id;
    const uint32_t count = desc->len / (uint32_t)sizeof(*desc);
    const struct vh_desc *table = (void *)(server.rings + (desc->addr - server.rings_guest_at));

    server.rings[table[count - 1].addr - server.rings_guest_at] = (uint8_t)status;
}

/* Give head `id` back as done. */
static void push_used(uint32_t id)
{
    const uint16_t idx = load16(server.used + 2);
    const struct vh_used_elem element = { .id = id };

    set_status(id, VH_BLK_OK);
    memcpy(server.used + 4 + sizeof(element) * (idx % QUEUE), &element, sizeof(element));
    store16(server.used + 2, (uint16_t)(idx + 1));
}

/* Move the index for what nobody asked for. */
static void push_lie(void)
{
    const uint16_t idx = load16(server.used + 2);
    const struct vh_used_elem element = { .id = QUEUE - 1 };

    memcpy(server.used + 4 + sizeof(element) * (idx % QUEUE), &element, sizeof(element));
    store16(server.used + 2, (uint16_t)(idx + 1));
}

/* --- the driver --- */

static struct vh_drive *drive;
static uint8_t *memory;
static int memory_fd, call_fd;
static bool up;
static unsigned downs, dones, failed;
static char down_text[200];
static struct vh_drive_op ops[OPS];
static struct iovec iovs[OPS];

static void drive_ready(void *context, int fd, short revents)
{
    (void)context;
    vh_drive_service(drive, fd, revents);
}

static void drive_watch(void *context, int fd, short events)
{
    (void)context;
    if (call_fd < 0)
        call_fd = fd;
    watch_loop_set(&loop, fd, events, drive_ready, NULL);
}

static void drive_state(void *context, bool is_up, const char *text)
{
    (void)context;
    up = is_up;
    downs += !is_up;
    snprintf(down_text, sizeof(down_text), "%s", text);
}

static void op_done(struct vh_drive_op *op, enum vh_blk_status status)
{
    (void)op;
    dones++;
    failed += status != VH_BLK_OK;
}

static void submit(unsigned i)
{
    iovs[i] = (struct iovec) { memory + i * 512, 512 };
    ops[i].type = VH_BLK_IN;
    ops[i].sector = i;
    ops[i].iov = &iovs[i];
    ops[i].iov_count = 1;
    CU_ASSERT_EQUAL(vh_drive_submit(drive, &ops[i]), 0);
}

/* Both ends go on until neither has anything to say. */
static void settle(void)
{
    bool more = true;

    while (more) {
        more = watch_loop_turn(&loop, 0);
        while (server.fd >= 0 && vh_msg_receive(&server.reader, server.fd) == 1) {
            serve(&server.reader.msg);
            vh_msg_reader_next(&server.reader);
            more = true;
        }
    }
}

/* A server that offers this protocol comes, and the driver connects. */
static void server_comes(uint64_t protocol)
{
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
                          0);
    vh_msg_reader_init(&server.reader);
    server.fd = ends[1];
    server.protocol = protocol | VH_P_CONFIG | VH_P_REPLY_ACK;
    server.starts = server.regions_back = 0;
    server.base = 99;
    CU_ASSERT_EQUAL_FATAL(vh_front_connect_fd(vh_drive_front(drive), ends[0]), 0);
    settle();
}

static void server_dies(void)
{
    vh_msg_reader_next(&server.reader);
    close(server.fd);
    server.fd = -1;
    settle();
}

static void begin(uint64_t protocol)
{
    const struct vh_drive_callbacks callbacks = { .watch = drive_watch, .state = drive_state };
    struct vh_drive_region region = { .bytes = OPS * 512 };

    memset(&loop, 0, sizeof(loop));
    memset(&server, 0, sizeof(server));
    server.fd = server.kick_fd = server.call_fd = call_fd = -1;
    up = false;
    downs = dones = failed = 0;
    memory_fd = memfd_create("unit", MFD_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(ftruncate(memory_fd, (off_t)region.bytes), 0);
    memory = mmap(NULL, region.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    region.address = memory;
    region.fd = memory_fd;
    CU_ASSERT_EQUAL_FATAL(vh_drive_new(QUEUE, &region, 1, &callbacks, &drive), 0);
    for (unsigned i = 0; i < OPS; i++)
        ops[i] = (struct vh_drive_op) { .done = op_done };
    server_comes(protocol);
    CU_ASSERT_TRUE(up);
    CU_ASSERT_EQUAL(server.starts, 1);
}

static void end(void)
{
    vh_drive_free(drive);
    if (server.fd >= 0)
        close(server.fd);
    if (server.kick_fd >= 0)
        close(server.kick_fd);
    if (server.call_fd >= 0)
        close(server.call_fd);
    munmap(server.rings, server.rings_bytes);
    munmap(memory, OPS * 512);
    close(memory_fd);
}

/* --- cases --- */

static unsigned refills;

/* The server answers the next one at once, whatever is asked. */
static void done_and_on(struct vh_drive_op *op, enum vh_blk_status status)
{
    op_done(op, status);
    if (refills == 0)
        return;
    refills--;
    submit((unsigned)(op - ops));
    push_used(0);
}

static void server_floods(void)
{
    enum { FLOOD = 500 };

    begin(0);
    refills = FLOOD;
    ops[0].done = done_and_on;
    submit(0);
    push_used(0);
    CU_ASSERT_EQUAL(eventfd_write(server.call_fd, 1), 0);
    for (unsigned before = 0; before < FLOOD + 1 && watch_loop_turn(&loop, 0); before = dones)
        CU_ASSERT_TRUE(dones - before <= 2 * QUEUE); /* its call and our own in one turn */
    CU_ASSERT_EQUAL(dones, FLOOD + 1);               /* none is forgotten */
    end();
}

/* One of two requests is answered when the server dies, and it kept no record of the other. */
static void unsure_requests_fail(void)
{
    begin(0);
    submit(0);
    submit(1);
    push_used(0);
    server_dies();
    CU_ASSERT_EQUAL(downs, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(down_text, "kept no record"));
    CU_ASSERT_EQUAL(dones, 2);
    CU_ASSERT_EQUAL(failed, 1);
    submit(2); /* nobody has seen it: it waits */
    CU_ASSERT_EQUAL(vh_drive_in_flight(drive), 1);
    server_comes(0);
    CU_ASSERT_TRUE(up);
    CU_ASSERT_EQUAL(server.starts, 1);
    CU_ASSERT_EQUAL((uint16_t)(load16(server.avail + 2) - server.base), 1); /* and nothing else */
    push_used(0);
    CU_ASSERT_EQUAL(eventfd_write(server.call_fd, 1), 0);
    settle();
    CU_ASSERT_EQUAL(dones, 3);
    CU_ASSERT_EQUAL(failed, 1);
    end();
}

/* The same where the owner ends the connection, of which no event tells. */
static void unsure_behind_an_end(void)
{
    begin(0);
    submit(0);
    vh_front_disconnect(vh_drive_front(drive));
    CU_ASSERT_TRUE(vh_front_unsure(vh_drive_front(drive)));
    server_dies();
    server_comes(0);
    CU_ASSERT_EQUAL(failed, 1);
    CU_ASSERT_EQUAL(server.starts, 1);
    CU_ASSERT_EQUAL((uint16_t)(load16(server.avail + 2) - server.base), 0);
    CU_ASSERT_FALSE(vh_front_unsure(vh_drive_front(drive)));
    end();
}

/* By the indices nothing is in flight, and yet nobody has an answer. */
static void lied_to_requests_fail(void)
{
    for (unsigned by_owner = 0; by_owner < 2; by_owner++) {
        begin(0);
        submit(0);
        submit(1);
        submit(2);
        push_used(1);
        push_lie();
        push_lie();
        if (by_owner != 0)
            vh_front_disconnect(vh_drive_front(drive));
        server_dies();
        CU_ASSERT_FALSE(vh_front_unsure(vh_drive_front(drive)));
        CU_ASSERT_EQUAL(vh_drive_in_flight(drive), by_owner != 0 ? 3 : 0);
        server_comes(0);
        CU_ASSERT_EQUAL(dones, 3);
        CU_ASSERT_EQUAL(failed, 2);
        CU_ASSERT_EQUAL(server.starts, 1);
        submit(3);
        CU_ASSERT_EQUAL((uint16_t)(load16(server.avail + 2) - server.base), 1);
        push_used(0);
        CU_ASSERT_EQUAL(eventfd_write(server.call_fd, 1), 0);
        settle();
        CU_ASSERT_EQUAL(dones, 4);
        CU_ASSERT_EQUAL(failed, 2);
        end();
    }
}

/* But what a record has is the next one's to answer. */
static void record_outlives_a_lie(void)
{
    begin(VH_P_INFLIGHT_SHMFD);
    submit(0);
    push_lie();
    server_dies();
    CU_ASSERT_EQUAL(dones, 0);
    server_comes(VH_P_INFLIGHT_SHMFD);
    CU_ASSERT_EQUAL(server.regions_back, 1);
    CU_ASSERT_EQUAL(dones, 0);
    push_used(0);
    server_dies();
    CU_ASSERT_EQUAL(dones, 1);
    CU_ASSERT_EQUAL(failed, 0);
    end();
}

/* A server that dropped its connection, and lives: what it has of the driver stays its own. */
static struct server server_lingers(void)
{
    const struct server old = server;

    server.rings = NULL;
    server.kick_fd = server.call_fd = -1;
    server_dies();
    return old;
}

/* It does something late, and goes. */
static void late(struct server *old, uint32_t id)
{
    const struct server now = server;

    server = *old;
    push_used(id);
    CU_ASSERT_EQUAL(eventfd_write(server.call_fd, 1), 0);
    server = now;
    settle();
}

static void gone(struct server *old)
{
    munmap(old->rings, old->rings_bytes);
    close(old->kick_fd);
    close(old->call_fd);
}

/* What a server answers behind its end is no answer to what the next one was asked. */
static void late_answers_reach_nobody(void)
{
    struct server old;
    eventfd_t count;

    begin(0);
    submit(0);
    old = server_lingers();
    CU_ASSERT_EQUAL(failed, 1);
    submit(1);
    late(&old, 0); /* while there is no other: what waits is not given to it */
    CU_ASSERT_EQUAL(load16(old.avail + 2), 1);
    CU_ASSERT_EQUAL(vh_drive_in_flight(drive), 1);
    (void)eventfd_read(old.kick_fd, &count);
    server_comes(0);
    CU_ASSERT_EQUAL((uint16_t)(load16(server.avail + 2) - server.base), 1);
    late(&old, 0);
    CU_ASSERT_EQUAL(dones, 1);
    CU_ASSERT_EQUAL(load16(server.used + 2), server.base);
    CU_ASSERT_EQUAL(eventfd_read(old.kick_fd, &count), -1); /* and swallows no kick */
    push_used(0);
    CU_ASSERT_EQUAL(eventfd_write(server.call_fd, 1), 0);
    settle();
    CU_ASSERT_EQUAL(dones, 2);
    CU_ASSERT_EQUAL(failed, 1);
    gone(&old);
    end();
}

static void done_and_another(struct vh_drive_op *op, enum vh_blk_status status)
{
    op_done(op, status);
    submit((unsigned)(op - ops) + 1);
}

/* Also one that has answered all: what comes then, while its end is told, was never its to take. */
static void late_takes_nothing(void)
{
    struct server old;

    begin(0);
    ops[0].done = done_and_another;
    submit(0);
    push_used(0);
    old = server_lingers();
    CU_ASSERT_EQUAL(dones, 1);
    CU_ASSERT_EQUAL(vh_drive_in_flight(drive), 1);
    CU_ASSERT_EQUAL(load16(old.avail + 2), 1);
    server_comes(0);
    CU_ASSERT_EQUAL((uint16_t)(load16(server.avail + 2) - server.base), 1);
    late(&old, 0);
    CU_ASSERT_EQUAL(dones, 1);
    gone(&old);
    end();
}

/* The owner hears of a server that cannot be started, and the next one is. */
static void tells_of_a_start_that_fails(void)
{
    begin(0);
    submit(0);
    server_dies();
    CU_ASSERT_EQUAL(downs, 1);
    server_comes(VH_P_MQ); /* of no queue */
    CU_ASSERT_EQUAL(downs, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(down_text, "no queue"));
    server_dies();
    server_comes(0);
    CU_ASSERT_TRUE(up);
    submit(1);
    server_dies();
    CU_ASSERT_EQUAL(downs, 3);
    server.starves = true;
    server_comes(0); /* and there is no new ring to give it */
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &files), 0);
    CU_ASSERT_EQUAL(server.starts, 0);
    CU_ASSERT_EQUAL(downs, 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(down_text, "new memory"));
    server_dies();
    server.starves = false;
    server_comes(0);
    CU_ASSERT_TRUE(up);
    end();
}

/* The kernel takes no signal for a while: the kick comes when it does. */
static void kicks_again(void)
{
    eventfd_t count;

    begin(0);
    (void)eventfd_read(server.kick_fd, &count);
    fail_syscall_arm(SYS_io_submit, EAGAIN);
    submit(0);
    CU_ASSERT_TRUE(watch_loop_turn(&loop, WATCH_LOOP_MS)); /* and again */
    CU_ASSERT_EQUAL(fail_syscall_disarm(), 4);
    CU_ASSERT_EQUAL(eventfd_read(server.kick_fd, &count), -1);
    CU_ASSERT_TRUE(watch_loop_turn(&loop, WATCH_LOOP_MS));
    CU_ASSERT_EQUAL(eventfd_read(server.kick_fd, &count), 0);
    CU_ASSERT_FALSE(watch_loop_turn(&loop, 2 * VH_RETRY_MS)); /* and no more */
    fail_syscall_arm(SYS_io_submit, EAGAIN);
    submit(1);
    CU_ASSERT_EQUAL(fail_syscall_disarm(), 2);
    end(); /* with the timer on */
    CU_ASSERT_EQUAL(loop.count, 0);
}

/* Where nothing was in flight, nothing fails. */
static void goes_on_behind_what_was_done(void)
{
    begin(0);
    for (unsigned i = 0; i < 3; i++) {
        submit(i);
        push_used(i);
    }
    server_dies();
    CU_ASSERT_PTR_NULL(strstr(down_text, "kept no record"));
    CU_ASSERT_EQUAL(dones, 3);
    submit(3);
    server_comes(0);
    CU_ASSERT_EQUAL(server.starts, 1);
    CU_ASSERT_EQUAL(server.base, 0); /* of a ring of its own */
    CU_ASSERT_EQUAL(load16(server.avail + 2), 1);
    CU_ASSERT_EQUAL(failed, 0);
    end();
}

/* A region with requests in it goes to a server that can read it, and to no other. */
static void region_waits_for_its_like(void)
{
    begin(VH_P_INFLIGHT_SHMFD);
    CU_ASSERT_EQUAL(server.regions_back, 1);
    submit(0);
    server_dies();
    CU_ASSERT_PTR_NULL(strstr(down_text, "kept no record"));
    server_comes(0);
    CU_ASSERT_EQUAL(downs, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(down_text, "no in-flight region"));
    CU_ASSERT_EQUAL(server.starts, 0);
    server_dies();
    server_comes(VH_P_INFLIGHT_SHMFD);
    CU_ASSERT_EQUAL(server.starts, 1);
    CU_ASSERT_EQUAL(server.regions_back, 1);
    CU_ASSERT_EQUAL(dones, 0);
    push_used(0);
    server_dies();
    CU_ASSERT_EQUAL(dones, 1);
    CU_ASSERT_EQUAL(failed, 0);
    server_comes(0); /* it is empty now, and nobody's */
    CU_ASSERT_EQUAL(server.starts, 1);
    CU_ASSERT_EQUAL(server.regions_back, 0);
    CU_ASSERT_EQUAL(server.base, 0);
    end();
}

/* --- a front end alone, whose rings are the guest's --- */

static unsigned events[VH_FRONT_LOST + 1];
static struct vh_front *front;

static void front_event(void *context, enum vh_front_event event, const char *text)
{
    (void)context, (void)text;
    events[event]++;
}

static void front_ready(void *context, int fd, short revents)
{
    (void)context;
    vh_front_service(front, fd, revents);
}

static void front_watch(void *context, int fd, short wanted)
{
    (void)context;
    watch_loop_set(&loop, fd, wanted, front_ready, NULL);
}

static void meet(void)
{
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
                          0);
    server.fd = ends[1];
    server.starts = 0;
    CU_ASSERT_EQUAL(vh_front_connect_fd(front, ends[0]), 0);
    settle();
}

static void unsure_rings_stay_off(void)
{
    const struct vh_front_callbacks callbacks = { .event = front_event, .watch = front_watch };
    struct vh_front_setup setup = { .features = VH_F_VERSION_1,
                                    .region_count = 1,
                                    .queue_count = 1 };
    uint8_t *rings;
    int fd = memfd_create("unit", MFD_CLOEXEC), event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    memset(&loop, 0, sizeof(loop));
    memset(&server, 0, sizeof(server));
    memset(events, 0, sizeof(events));
    server.kick_fd = server.call_fd = -1;
    server.protocol = VH_P_CONFIG | VH_P_REPLY_ACK;
    vh_msg_reader_init(&server.reader);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, 4096), 0);
    rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    setup.regions[0] = (struct vh_region) { .bytes = 4096, .user_addr = (uintptr_t)rings };
    setup.region_fds[0] = fd;
    setup.queues[0] = (struct vh_front_queue) { .size = QUEUE,
                                                .desc_addr = (uintptr_t)rings,
                                                .avail_addr = (uintptr_t)rings + 1024,
                                                .used_addr = (uintptr_t)rings + 2048,
                                                .kick_fd = event,
                                                .call_fd = -1 };
    CU_ASSERT_EQUAL_FATAL(vh_front_new(&callbacks, &front), 0);
    meet();
    CU_ASSERT_EQUAL(vh_front_start(front, &setup), 0);
    settle();
    CU_ASSERT_EQUAL(events[VH_FRONT_RUNNING], 1);
    store16(rings + 1024 + 2, 2);
    store16(rings + 2048 + 2, 1);
    server_dies();
    CU_ASSERT_EQUAL(events[VH_FRONT_LOST], 1);
    CU_ASSERT_TRUE(vh_front_unsure(front));
    meet();
    CU_ASSERT_EQUAL(events[VH_FRONT_KNOWN], 2);
    CU_ASSERT_EQUAL(server.starts, 0); /* who has the guest decides */
    setup.queues[0].base = 2;
    CU_ASSERT_EQUAL(vh_front_start(front, &setup), 0);
    CU_ASSERT_FALSE(vh_front_unsure(front));
    settle();
    CU_ASSERT_EQUAL(server.starts, 1);
    CU_ASSERT_EQUAL(server.base, 2);
    CU_ASSERT_EQUAL(vh_front_stop(front), 0);
    server_dies(); /* in a stop: they ran still */
    CU_ASSERT_TRUE(vh_front_unsure(front));
    server.drains = true;
    meet();
    CU_ASSERT_EQUAL(vh_front_start(front, &setup), 0);
    settle();
    CU_ASSERT_EQUAL(vh_front_stop(front), 0);
    settle();
    CU_ASSERT_EQUAL(events[VH_FRONT_STOPPED], 1);
    server_dies(); /* behind it: what is in the rings was never taken */
    CU_ASSERT_FALSE(vh_front_unsure(front));
    CU_ASSERT_EQUAL(vh_front_base(front, 0), 5);
    vh_front_free(front);
    close(server.kick_fd);
    munmap(server.rings, server.rings_bytes);
    munmap(rings, 4096);
    close(fd);
    close(event);
}

const struct unit_case unit_cases[] = {
    { "a server that answers for ever keeps nobody out", server_floods },
    { "who kept no record leaves requests that fail, and are not done again",
      unsure_requests_fail },
    { "the same where its owner ended the connection", unsure_behind_an_end },
    { "who moves its index for nothing leaves requests that fail", lied_to_requests_fail },
    { "unless there is a record of them", record_outlives_a_lie },
    { "a late answer reaches nobody", late_answers_reach_nobody },
    { "who is late takes nothing that is new", late_takes_nothing },
    { "a start that fails is told, and the next one tried", tells_of_a_start_that_fails },
    { "a kick that the kernel did not take is sent again", kicks_again },
    { "with nothing in flight the next one goes on", goes_on_behind_what_was_done },
    { "an in-flight region goes to who can read it", region_waits_for_its_like },
    { "rings of a guest stay off until it was decided", unsure_rings_stay_off },
    { 0 },
};
