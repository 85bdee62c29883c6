/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/vhost/vh_back_guest: whose guest may run, by what its in-flight region tells, and who
 * gives up its place. Front ends are made of single messages; the owner holds each request until
 * the test answers it.
 * (over 400: each case is of the same few players)
 */
#include <config.h>

#include "storage/vhost/vh_back.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "storage/vhost/vh_inflight.h"
#include "storage/vhost/vh_msg.h"
#include "storage/vhost/vh_proto.h"
#include "tests/unit/unit.h"
#include "tests/unit/watch_loop.h"

enum { GUESTS = 8, MEMORY = 8192, QUEUE = 8, HELD = 16, USER = 0x10000 };
enum { DESC = MEMORY - 512, USED = MEMORY - 256, AVAIL = MEMORY - 128, STATUS = 512 };
enum { LUN = 7, LINE = 3 };

enum region {
    NO_REGION, /* the front end has none */
    OLD,       /* one without room for a mark */
    FRESH,     /* its guest never ran */
    ELSEWHERE, /* its guest ran in another line */
};

struct guest {
    int fd, memory_fd, region_fd, kick_fd;
    uint8_t *memory;
    uint64_t region_bytes;
};

static struct watch_loop loop;
static struct vh_back *back;
static struct guest guests[GUESTS];
static char path[100], gone_text[200];
static unsigned seen, held_count, told_gone, told_stale;
static struct vh_request *held[HELD];

/* --- the owner --- */

static void came(void *context, struct vh_request *request)
{
    (void)context;
    seen++;
    held[held_count++ % HELD] = request;
}

static void abandoned(void *context, struct vh_request *request)
{
    (void)context, (void)request;
}

static void ready(void *context, int fd, short revents)
{
    (void)context;
    vh_back_service(back, fd, revents);
    vh_back_flush(back);
}

static void watch(void *context, int fd, short events)
{
    (void)context;
    watch_loop_set(&loop, fd, events, ready, NULL);
}

static void tell(void *context, bool connected, const char *text)
{
    (void)context;
    told_stale += connected && strstr(text, "it gets its disk no more") != NULL;
    told_gone += !connected;
    if (!connected)
        (void)snprintf(gone_text, sizeof(gone_text), "%s", text);
}

static void turn(void)
{
    while (watch_loop_turn(&loop, 0))
        continue;
}

static void answer(void)
{
    for (unsigned i = 0; i < held_count; i++)
        vh_request_done(held[i], VH_BLK_OK, true);
    held_count = 0;
    vh_back_flush(back);
    turn();
}

static void in_line(uint64_t line)
{
    vh_back_set_origin(back, &(struct vh_back_origin) { .lun = LUN, .line = line });
}

static void begin(void)
{
    const struct vh_back_callbacks callbacks = {
        .request = came, .abandon = abandoned, .watch = watch, .tell = tell
    };
    const struct vh_blk_device device = {
        .sectors = 64, .block_bytes = 512, .physical_block_bytes = 512, .queues = 2
    };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memset(&loop, 0, sizeof(loop));
    seen = held_count = told_gone = told_stale = 0;
    gone_text[0] = '\0';
    for (unsigned i = 0; i < GUESTS; i++)
        guests[i] = (struct guest) { .fd = -1, .memory_fd = -1, .region_fd = -1, .kick_fd = -1 };
    (void)snprintf(path, sizeof(path), "/tmp/hawser-unit-%d.sock", (int)getpid());
    (void)unlink(path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, GUESTS), 0);
    CU_ASSERT_EQUAL_FATAL(vh_back_new(listener, 8, &callbacks, &back), 0);
    vh_back_ready(back, &device);
    vh_back_hold(back, false);
    in_line(LINE);
}

/* --- guests --- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void end(void)
{
    answer();
    vh_back_free(back);
    for (unsigned i = 0; i < GUESTS; i++) {
        if (guests[i].memory != NULL)
            (void)munmap(guests[i].memory, MEMORY);
        close_fd(&guests[i].fd);
        close_fd(&guests[i].memory_fd);
        close_fd(&guests[i].region_fd);
        close_fd(&guests[i].kick_fd);
    }
    (void)unlink(path);
}

static void say(const struct guest *guest, uint32_t request, const void *payload, uint32_t bytes,
                int with)
{
    struct vh_msg msg = { .request = request, .flags = VH_VERSION, .size = bytes };

    memcpy(msg.payload, payload, bytes);
    msg.fd_count = with >= 0;
    msg.fds[0] = with;
    CU_ASSERT_EQUAL(vh_msg_send(guest->fd, &msg), 0);
}

static bool ran_in(const struct guest *guest, uint64_t line, bool runs)
{
    struct vh_inflight region = { 0 };
    bool goes_on;

    CU_ASSERT_EQUAL(vh_inflight_map(&region, guest->region_fd, 0, guest->region_bytes, 1, QUEUE),
                    0);
    goes_on = vh_inflight_goes_on(&region, LUN, line, runs);
    vh_inflight_unmap(&region);
    return goes_on;
}

static void give_region(struct guest *guest, enum region region)
{
    uint8_t payload[24] = { 0 };
    const uint16_t queues = 1, size = QUEUE;

    close_fd(&guest->region_fd);
    guest->region_fd = vh_inflight_create(1, QUEUE);
    guest->region_bytes = vh_inflight_bytes(1, QUEUE) - (region == OLD ? 64 : 0);
    if (region == ELSEWHERE)
        (void)ran_in(guest, LINE + 100, true);
    memcpy(payload, &guest->region_bytes, 8);
    memcpy(payload + 16, &queues, 2);
    memcpy(payload + 18, &size, 2);
    say(guest, VH_SET_INFLIGHT_FD, payload, sizeof(payload), guest->region_fd);
}

static void start(const struct guest *guest)
{
    const uint64_t kick = 0;
    const uint32_t enable[] = { 0, 1 };

    say(guest, VH_SET_VRING_KICK, &kick, sizeof(kick), guest->kick_fd);
    say(guest, VH_SET_VRING_ENABLE, enable, sizeof(enable), -1);
}

/* A flush in its ring, and its start: it is taken when its turn is there. */
static void comes(struct guest *guest, enum region region)
{
    const uint64_t features = VH_F_VERSION_1 | VH_F_PROTOCOL_FEATURES;
    const uint64_t table[] = { 1, 0, MEMORY, USER, 0 };
    const uint32_t num[] = { 0, QUEUE };
    const uint64_t rings[] = { 0, USER + DESC, USER + USED, USER + AVAIL, 0 };
    const struct vh_desc chain[] = {
        { .addr = 0, .len = VH_BLK_HEADER_BYTES, .flags = VH_DESC_F_NEXT, .next = 1 },
        { .addr = STATUS, .len = 1, .flags = VH_DESC_F_WRITE },
    };
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    guest->memory_fd = memfd_create("unit", MFD_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(ftruncate(guest->memory_fd, MEMORY), 0);
    guest->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, guest->memory_fd, 0);
    CU_ASSERT_PTR_NOT_EQUAL_FATAL(guest->memory, MAP_FAILED);
    guest->memory[0] = VH_BLK_FLUSH;
    memcpy(guest->memory + DESC, chain, sizeof(chain));
    guest->memory[AVAIL + 2] = 1;
    guest->kick_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    guest->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    CU_ASSERT_EQUAL_FATAL(connect(guest->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    say(guest, VH_SET_FEATURES, &features, sizeof(features), -1);
    say(guest, VH_SET_MEM_TABLE, table, sizeof(table), guest->memory_fd);
    say(guest, VH_SET_VRING_NUM, num, sizeof(num), -1);
    say(guest, VH_SET_VRING_ADDR, rings, sizeof(rings), -1);
    if (region != NO_REGION)
        give_region(guest, region);
    start(guest);
}

static void stale_ones_come(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        comes(&guests[i], ELSEWHERE);
        turn();
    }
}

static bool is_connected(const struct guest *guest)
{
    char byte;

    return recv(guest->fd, &byte, 1, MSG_DONTWAIT) < 0;
}

static unsigned stale(void)
{
    return vh_back_stats(back).stale;
}

/* --- cases --- */

static void stays_stale(void)
{
    begin();
    comes(&guests[0], ELSEWHERE);
    turn();
    CU_ASSERT_EQUAL(stale(), 1);
    give_region(&guests[0], FRESH);
    start(&guests[0]);
    turn();
    CU_ASSERT_TRUE(is_connected(&guests[0]));
    CU_ASSERT_EQUAL(seen, 0);
    CU_ASSERT_EQUAL(stale(), 1);
    CU_ASSERT_EQUAL(told_stale, 1);
    in_line(LINE + 100); /* nor may it in the line that it says it is of */
    turn();
    CU_ASSERT_EQUAL(seen, 0);
    end();
}

static void next_one_runs(void)
{
    begin();
    comes(&guests[0], FRESH);
    turn();
    comes(&guests[1], FRESH);
    turn();
    CU_ASSERT_EQUAL(seen, 1); /* the second one waits */
    vh_back_set_origin(back, NULL);
    in_line(LINE + 1);
    turn();
    CU_ASSERT_EQUAL(stale(), 1);
    CU_ASSERT_EQUAL(seen, 1); /* what the first one asked for is still out */
    answer();
    CU_ASSERT_EQUAL(seen, 2);
    CU_ASSERT_TRUE(vh_back_stats(back).running);
    CU_ASSERT_TRUE(ran_in(&guests[0], LINE, false));
    CU_ASSERT_TRUE(ran_in(&guests[1], LINE + 1, false));
    CU_ASSERT_FALSE(ran_in(&guests[1], LINE, false));
    end();
}

static void counts_unmarked(void)
{
    static const struct {
        enum region region;
        bool runs, unmarked;
    } expected[] = {
        { NO_REGION, true, true },
        { OLD, true, true },
        { FRESH, true, false },
        { ELSEWHERE, false, false },
    };

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        begin();
        CU_ASSERT_FALSE(vh_back_stats(back).unmarked);
        comes(&guests[0], expected[i].region);
        turn();
        CU_ASSERT_EQUAL(vh_back_stats(back).running, expected[i].runs);
        CU_ASSERT_EQUAL(vh_back_stats(back).unmarked, expected[i].unmarked);
        end();
    }
}

static void oldest_gives_its_place(void)
{
    begin();
    stale_ones_come(0, 4);
    CU_ASSERT_EQUAL(stale(), 4);
    CU_ASSERT_EQUAL(told_gone, 0); /* nobody else needs a place */
    for (unsigned i = 0; i < 2; i++) {
        comes(&guests[4 + i], FRESH);
        turn();
        CU_ASSERT_EQUAL(told_gone, i + 1);
        CU_ASSERT_FALSE(is_connected(&guests[i]));
        CU_ASSERT_EQUAL(stale(), 3 - i);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(gone_text, "needs its place; end that guest"));
    CU_ASSERT_EQUAL(seen, 1); /* the first newcomer runs, the second one waits */
    comes(&guests[6], FRESH); /* a third one has to wait for one of them */
    turn();
    CU_ASSERT_EQUAL(told_gone, 2);
    CU_ASSERT_EQUAL(stale(), 2);
    answer();
    close_fd(&guests[4].fd);
    turn();
    CU_ASSERT_EQUAL(seen, 2);
    CU_ASSERT_EQUAL(vh_back_stats(back).clients, 4);
    end();
}

static void not_while_a_request_is_out(void)
{
    begin();
    comes(&guests[0], FRESH);
    turn();
    in_line(LINE + 1);
    stale_ones_come(1, 3);
    CU_ASSERT_EQUAL(stale(), 4);
    comes(&guests[4], FRESH);
    turn();
    CU_ASSERT_TRUE(is_connected(&guests[0]));
    CU_ASSERT_FALSE(is_connected(&guests[1]));
    CU_ASSERT_EQUAL(seen, 1);
    answer();
    CU_ASSERT_EQUAL(seen, 2);
    comes(&guests[5], FRESH); /* now it gives its place up, too */
    turn();
    CU_ASSERT_FALSE(is_connected(&guests[0]));
    CU_ASSERT_TRUE(is_connected(&guests[2]));
    end();
}

/* Beside one that runs there is a place for one that may wait: a stale one does not take it. */
static void stale_ones_do_not_wait(void)
{
    begin();
    comes(&guests[0], FRESH);
    turn();
    stale_ones_come(1, 3);
    CU_ASSERT_EQUAL(stale(), 3);
    comes(&guests[4], FRESH);
    turn();
    CU_ASSERT_FALSE(is_connected(&guests[1]));
    answer();
    CU_ASSERT_EQUAL(seen, 1);
    close_fd(&guests[0].fd);
    turn();
    CU_ASSERT_EQUAL(seen, 2);
    end();
}

/* A good one among stale ones, at any place of the order, and whether or not all come at once. */
static void good_one_is_always_served(void)
{
    for (unsigned order = 0; order < 2 * GUESTS; order++) {
        const unsigned good = order / 2;

        begin();
        for (unsigned i = 0; i < GUESTS; i++) {
            comes(&guests[i], i == good ? FRESH : ELSEWHERE);
            if (order % 2 == 0)
                turn();
        }
        turn();
        CU_ASSERT_EQUAL(seen, 1);
        CU_ASSERT_TRUE(is_connected(&guests[good]));
        CU_ASSERT_TRUE(ran_in(&guests[good], LINE, false));
        CU_ASSERT_EQUAL(vh_back_stats(back).clients, 4);
        CU_ASSERT_EQUAL(told_gone, GUESTS - 4);
        end();
    }
}

const struct unit_case unit_cases[] = {
    { "a stale one with a fresh region stays stale", stays_stale },
    { "who waits behind one that becomes stale runs, when nothing of that is out", next_one_runs },
    { "who runs without a mark is told of", counts_unmarked },
    { "of stale ones the oldest gives up its place, to one that may run", oldest_gives_its_place },
    { "none whose request is out", not_while_a_request_is_out },
    { "a stale one takes no place of those that wait", stale_ones_do_not_wait },
    { "a good one among stale ones is served, in any order", good_one_is_always_served },
    { 0 },
};
