/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both ends of vhost-user-blk against each other: storage/vhost/vh_back, storage/vhost/vh_back_msg,
 * storage/vhost/vh_back_mem, storage/vhost/vh_back_ring on one side, storage/vhost/vh_front,
 * storage/vhost/vh_front_msg, storage/vhost/vh_drive on the other. The owner of the back end is a
 * disk in memory that answers at once, or when the test says so.
 * (over 800: both ends of each case are made of the same few players)
 */
#include <config.h>

#include "storage/vhost/vh_back.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "storage/vhost/vh_back_priv.h"
#include "storage/vhost/vh_drive.h"
#include "storage/vhost/vh_log.h"
#include "storage/vhost/vh_msg.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/fail_syscall.h"
#include "tests/unit/unit.h"
#include "tests/unit/watch_loop.h"

enum { SECTORS = 2048, MEMORY = 1 << 20, HELD = 64 };

struct player {
    struct vh_drive *drive;
    uint8_t *memory;
    int memory_fd;
    int call_fd; /* the first that its driver watches */
    bool up;
    unsigned ups, done, failed;
};

static struct watch_loop loop;
static char path[100];
static struct vh_back *back;
static uint8_t disk[SECTORS * 512];
static bool answer_later;
static unsigned held_count, requests_seen, told_gone;
static unsigned told_words;
static char told_text[200];
static struct vh_request *held[HELD];
static uint64_t order_seen[HELD];
static unsigned refills; /* so many requests come while others are served */
static struct player one, two;

/* --- the owner --- */

static void carry_out(struct vh_request *request)
{
    uint8_t *at = disk + request->sector * 512;

    for (unsigned i = 0; i < request->iov_count; i++) {
        if (request->type == VH_BLK_IN)
            memcpy(request->iov[i].iov_base, at, request->iov[i].iov_len);
        else
            memcpy(at, request->iov[i].iov_base, request->iov[i].iov_len);
        at += request->iov[i].iov_len;
    }
    if (request->type == VH_BLK_DISCARD)
        memset(at, 0, request->sectors * 512);
    vh_request_done(request, VH_BLK_OK, true);
}

static void refill(void);

static void came(void *context, struct vh_request *request)
{
    (void)context;
    order_seen[requests_seen++ % HELD] = request->sector;
    if (answer_later)
        held[held_count++] = request;
    else
        carry_out(request);
    if (refills > 0)
        refill();
}

static void answer_held(void)
{
    for (unsigned i = 0; i < held_count; i++)
        carry_out(held[i]);
    held_count = 0;
}

static void abandoned(void *context, struct vh_request *request)
{
    (void)context, (void)request; /* answered when the test says so */
}

static void ready_back(void *context, int fd, short revents)
{
    (void)context;
    vh_back_service(back, fd, revents);
    vh_back_flush(back);
}

static void watch_back(void *context, int fd, short events)
{
    (void)context;
    watch_loop_set(&loop, fd, events, ready_back, NULL);
}

static void back_tell(void *context, bool connected, const char *text)
{
    (void)context;
    told_gone += !connected;
    told_words += text[0] != '\0';
    snprintf(told_text, sizeof(told_text), "%s", text);
}

static void start_back(void)
{
    const struct vh_back_callbacks callbacks = {
        .request = came, .abandon = abandoned, .watch = watch_back, .tell = back_tell
    };
    const struct vh_blk_device device = { .sectors = SECTORS,
                                          .block_bytes = 512,
                                          .physical_block_bytes = 512,
                                          .queues = 2,
                                          .discard = true,
                                          .id = "unit" };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)unlink(path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 4), 0);
    CU_ASSERT_EQUAL_FATAL(vh_back_new(listener, 8, &callbacks, &back), 0);
    vh_back_ready(back, &device);
    vh_back_hold(back, false);
}

/* --- front ends --- */

static void drive_ready(void *context, int fd, short revents)
{
    struct player *player = context;

    vh_drive_service(player->drive, fd, revents);
}

static void drive_watch(void *context, int fd, short events)
{
    struct player *player = context;

    if (player->call_fd < 0)
        player->call_fd = fd;
    watch_loop_set(&loop, fd, events, drive_ready, context);
}

static void drive_state(void *context, bool up, const char *text)
{
    struct player *player = context;

    (void)text;
    player->up = up;
    player->ups += up;
}

static void player_new(struct player *player)
{
    const struct vh_drive_callbacks callbacks = { .watch = drive_watch,
                                                  .state = drive_state,
                                                  .context = player };
    struct vh_drive_region region = { .bytes = MEMORY };

    memset(player, 0, sizeof(*player));
    player->call_fd = -1;
    player->memory_fd = memfd_create("unit", MFD_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(ftruncate(player->memory_fd, MEMORY), 0);
    player->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, player->memory_fd, 0);
    region.address = player->memory;
    region.fd = player->memory_fd;
    CU_ASSERT_EQUAL_FATAL(vh_drive_new(16, &region, 1, &callbacks, &player->drive), 0);
}

static bool is_up(void *context)
{
    return ((struct player *)context)->up;
}

static bool is_down(void *context)
{
    return !((struct player *)context)->up;
}

static void player_connect(struct player *player)
{
    CU_ASSERT_EQUAL_FATAL(vh_drive_connect(player->drive, path), 0);
    CU_ASSERT_TRUE_FATAL(watch_loop_until(&loop, is_up, player));
}

static void player_end(struct player *player)
{
    vh_drive_free(player->drive);
    munmap(player->memory, MEMORY);
    close(player->memory_fd);
}

static void op_done(struct vh_drive_op *op, enum vh_blk_status status)
{
    struct player *player = op->context;

    player->done++;
    player->failed += status != VH_BLK_OK;
}

static struct vh_drive_op ops[HELD];
static struct iovec iovs[HELD];

static void submit(struct player *player, unsigned i, enum vh_blk_type type, uint64_t sector,
                   size_t bytes)
{
    iovs[i] = (struct iovec) { player->memory + i * 4096, bytes };
    ops[i] = (struct vh_drive_op) { .type = type,
                                    .sector = sector,
                                    .sectors = 8,
                                    .iov = &iovs[i],
                                    .iov_count = bytes > 0,
                                    .done = op_done,
                                    .context = player };
    CU_ASSERT_EQUAL(vh_drive_submit(player->drive, &ops[i]), 0);
}

static unsigned wanted;

static bool is_done(void *context)
{
    return ((struct player *)context)->done >= wanted;
}

static bool wait_done(struct player *player, unsigned count)
{
    wanted = count;
    return watch_loop_until(&loop, is_done, player);
}

static bool are_held(void *context)
{
    (void)context;
    return held_count >= wanted;
}

static bool wait_held(unsigned count)
{
    wanted = count;
    return watch_loop_until(&loop, are_held, NULL);
}

static void settle(void)
{
    while (watch_loop_turn(&loop, 50))
        continue;
}

static void begin(void)
{
    memset(&loop, 0, sizeof(loop));
    snprintf(path, sizeof(path), "/tmp/hawser-unit-%d.sock", (int)getpid());
    memset(disk, 0, sizeof(disk));
    answer_later = false;
    held_count = requests_seen = told_gone = 0;
    start_back();
    player_new(&one);
}

static void end(void)
{
    answer_held();
    player_end(&one);
    vh_back_free(back);
    unlink(path);
}

/* A write of the first player is with the owner, which answers when the test says so. */
static void begin_held(void)
{
    begin();
    player_connect(&one);
    answer_later = true;
    submit(&one, 0, VH_BLK_OUT, 1, 512);
    CU_ASSERT_TRUE(wait_held(1));
}

static int raw_connect(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* --- cases --- */

static void moves(void)
{
    begin();
    submit(&one, 0, VH_BLK_OUT, 8, 4096); /* before it is there at all */
    memset(one.memory, 0x5a, 4096);
    player_connect(&one);
    CU_ASSERT_EQUAL(vh_drive_sectors(one.drive), SECTORS);
    CU_ASSERT_TRUE(wait_done(&one, 1));
    CU_ASSERT_EQUAL(disk[8 * 512], 0x5a);
    CU_ASSERT_EQUAL(disk[16 * 512], 0);
    disk[1] = 0x77;
    submit(&one, 1, VH_BLK_IN, 0, 512);
    submit(&one, 2, VH_BLK_FLUSH, 0, 0);
    submit(&one, 3, VH_BLK_GET_ID, 0, 20);
    submit(&one, 4, VH_BLK_DISCARD, 8, 0);
    CU_ASSERT_TRUE(wait_done(&one, 5));
    CU_ASSERT_EQUAL(one.failed, 0);
    CU_ASSERT_EQUAL(one.memory[4096 + 1], 0x77);
    CU_ASSERT_STRING_EQUAL((char *)one.memory + 3 * 4096, "unit");
    CU_ASSERT_EQUAL(disk[8 * 512], 0);
    submit(&one, 5, VH_BLK_OUT, SECTORS, 512);  /* behind the end */
    submit(&one, 6, VH_BLK_WRITE_ZEROES, 8, 0); /* not offered */
    CU_ASSERT_TRUE(wait_done(&one, 7));
    CU_ASSERT_EQUAL(one.failed, 2);
    CU_ASSERT_EQUAL(vh_back_stats(back).refused, 2);
    for (unsigned i = 0; i < HELD; i++) /* more than the queue has entries */
        submit(&one, i, VH_BLK_OUT, i, 512);
    CU_ASSERT_TRUE(wait_done(&one, 7 + HELD));
    CU_ASSERT_EQUAL(vh_drive_in_flight(one.drive), 0);
    end();
}

static void refuses_foreign_memory(void)
{
    uint8_t elsewhere[512];
    struct iovec iov = { elsewhere, sizeof(elsewhere) };
    struct vh_drive_op op = { .type = VH_BLK_OUT, .iov = &iov, .iov_count = 1, .done = op_done };

    begin();
    CU_ASSERT_EQUAL(vh_drive_submit(one.drive, &op), -EFAULT);
    iov = (struct iovec) { one.memory + MEMORY - 256, 512 };
    CU_ASSERT_EQUAL(vh_drive_submit(one.drive, &op), -EFAULT);
    op.iov_count = 15; /* with header and status more than 16, the size of the queue */
    CU_ASSERT_EQUAL(vh_drive_submit(one.drive, &op), -E2BIG);
    op.iov_count = 1000;
    CU_ASSERT_EQUAL(vh_drive_submit(one.drive, &op), -E2BIG);
    end();
}

static void holds(void)
{
    begin();
    player_connect(&one);
    vh_back_hold(back, true);
    submit(&one, 0, VH_BLK_OUT, 1, 512);
    settle();
    CU_ASSERT_EQUAL(requests_seen, 0);
    CU_ASSERT_EQUAL(one.done, 0);
    vh_back_hold(back, false);
    vh_back_flush(back);
    CU_ASSERT_TRUE(wait_done(&one, 1));
    end();
}

/* The back end dies with requests it took; the next one does them again, first and in order. */
static void comes_back(void)
{
    begin();
    player_connect(&one);
    answer_later = true;
    submit(&one, 0, VH_BLK_OUT, 5, 512);
    submit(&one, 1, VH_BLK_OUT, 3, 512);
    submit(&one, 2, VH_BLK_OUT, 9, 512);
    CU_ASSERT_TRUE(wait_held(3));
    carry_out(held[1]); /* one of them was answered */
    vh_back_flush(back);
    CU_ASSERT_TRUE(wait_done(&one, 1));
    vh_request_done(held[0], VH_BLK_OK, false);
    vh_request_done(held[2], VH_BLK_OK, false);
    held_count = 0;
    vh_back_free(back);
    CU_ASSERT_TRUE(watch_loop_until(&loop, is_down, &one));
    submit(&one, 3, VH_BLK_OUT, 1, 512); /* while nobody is there */
    answer_later = false;
    requests_seen = 0;
    start_back();
    player_connect(&one);
    CU_ASSERT_TRUE(wait_done(&one, 4));
    CU_ASSERT_EQUAL(requests_seen, 3);
    CU_ASSERT_EQUAL(order_seen[0], 5);
    CU_ASSERT_EQUAL(order_seen[1], 9);
    CU_ASSERT_EQUAL(order_seen[2], 1);
    CU_ASSERT_EQUAL(one.failed, 0);
    end();
}

/* The back end dies with a request of the first player, and the next one has this origin. */
static void comes_back_at(const struct vh_back_origin *origin)
{
    vh_request_done(held[0], VH_BLK_OK, false);
    held_count = 0;
    vh_back_free(back);
    CU_ASSERT_TRUE(watch_loop_until(&loop, is_down, &one));
    requests_seen = 0;
    told_text[0] = '\0';
    start_back();
    vh_back_set_origin(back, origin);
    player_connect(&one);
}

/* A guest goes on where it ran; not if another node had the LUN meanwhile, or on another LUN. */
static void knows_its_guest(void)
{
    begin();
    vh_back_set_origin(back, &(struct vh_back_origin) { .lun = 7, .line = 3 });
    player_connect(&one);
    answer_later = true;
    submit(&one, 0, VH_BLK_OUT, 1, 512);
    CU_ASSERT_TRUE(wait_held(1));
    comes_back_at(&(struct vh_back_origin) { .lun = 7, .line = 3 });
    CU_ASSERT_TRUE(wait_held(1)); /* nobody else had it since */
    comes_back_at(&(struct vh_back_origin) { .lun = 7, .line = 4 });
    settle();
    CU_ASSERT_EQUAL(requests_seen, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(told_text, "end that guest"));
    CU_ASSERT_FALSE(vh_back_stats(back).running);
    CU_ASSERT_EQUAL(vh_back_stats(back).stale, 1);
    answer_later = false;
    player_new(&two); /* another one may */
    player_connect(&two);
    submit(&two, 1, VH_BLK_OUT, 2, 512);
    CU_ASSERT_TRUE(wait_done(&two, 1));
    player_end(&two);
    settle();
    requests_seen = held_count = 0;
    vh_back_free(back);
    CU_ASSERT_TRUE(watch_loop_until(&loop, is_down, &one));
    start_back(); /* of another LUN */
    vh_back_set_origin(back, &(struct vh_back_origin) { .lun = 8, .line = 3 });
    player_connect(&one);
    settle();
    CU_ASSERT_EQUAL(requests_seen, 0);
    CU_ASSERT_EQUAL(one.done, 0);
    vh_back_free(back);
    CU_ASSERT_TRUE(watch_loop_until(&loop, is_down, &one));
    start_back(); /* its own: being refused has changed nothing */
    vh_back_set_origin(back, &(struct vh_back_origin) { .lun = 7, .line = 3 });
    player_connect(&one);
    CU_ASSERT_TRUE(wait_done(&one, 1));
    end();
}

/* While nobody owns the LUN a guest is not marked: it is judged when somebody does. */
static void judges_when_owned(void)
{
    begin();
    vh_back_set_origin(back, &(struct vh_back_origin) { .lun = 7, .line = 3 });
    vh_back_hold(back, true);
    vh_back_set_origin(back, NULL); /* given up */
    player_connect(&one);
    submit(&one, 0, VH_BLK_OUT, 1, 512);
    settle();
    CU_ASSERT_TRUE(vh_back_stats(back).waiting);
    vh_back_set_origin(back, &(struct vh_back_origin) { .lun = 7, .line = 4 });
    vh_back_hold(back, false);
    vh_back_flush(back);
    CU_ASSERT_TRUE(wait_done(&one, 1)); /* it is of now */
    vh_back_hold(back, true);
    vh_back_set_origin(back, NULL);
    submit(&one, 1, VH_BLK_OUT, 1, 512);
    vh_back_set_origin(back, &(struct vh_back_origin) { .lun = 7, .line = 5 });
    vh_back_hold(back, false);
    vh_back_flush(back);
    settle();
    CU_ASSERT_EQUAL(one.done, 1); /* it is of before */
    CU_ASSERT_EQUAL(vh_back_stats(back).stale, 1);
    CU_ASSERT_FALSE(vh_back_stats(back).running);
    end();
}

/* Two front ends: the second one's requests wait until nothing of the first is left. */
static void one_runs(void)
{
    begin_held();
    player_new(&two);
    player_connect(&two);
    CU_ASSERT_EQUAL(vh_drive_sectors(two.drive), SECTORS); /* it may look */
    submit(&two, 1, VH_BLK_OUT, 2, 512);
    settle();
    CU_ASSERT_EQUAL(requests_seen, 1);
    vh_front_disconnect(vh_drive_front(one.drive)); /* the first one dies */
    settle();
    CU_ASSERT_EQUAL(told_gone, 1);
    CU_ASSERT_EQUAL(requests_seen, 1); /* and its request is still out */
    answer_held();
    vh_back_flush(back);
    CU_ASSERT_TRUE(wait_held(1));
    CU_ASSERT_EQUAL(order_seen[1], 2);
    answer_held();
    vh_back_flush(back);
    CU_ASSERT_TRUE(wait_done(&two, 1));
    player_end(&two);
    end();
}

/* The kernel takes no signal for a while: the driver is told when it does, and not forgotten. */
static void signals_again(void)
{
    for (unsigned stops = 0; stops < 2; stops++) {
        const int64_t start_ms = hw_clock_now_ms(hw_clock_boottime());

        begin_held();
        fail_syscall_arm(SYS_io_submit, EAGAIN);
        answer_held();
        vh_back_flush(back);
        if (stops != 0)
            CU_ASSERT_EQUAL(vh_front_stop(vh_drive_front(one.drive)), 0);
        for (unsigned i = 0; i < 4; i++)
            CU_ASSERT_TRUE_FATAL(watch_loop_turn(&loop, WATCH_LOOP_MS));
        CU_ASSERT_TRUE(fail_syscall_disarm() > 2);
        if (stops == 0) /* tried again, but not without a pause */
            CU_ASSERT_TRUE(hw_clock_now_ms(hw_clock_boottime()) - start_ms >= 3 * VH_RETRY_MS);
        CU_ASSERT_EQUAL(one.done, 0);
        CU_ASSERT_TRUE(wait_done(&one, 1));
        settle();
        CU_ASSERT_EQUAL(vh_back_stats(back).running, stops == 0);
        end();
    }
}

/* The driver's front end stops while a request is out. */
static void drains(void)
{
    begin_held();
    CU_ASSERT_EQUAL(vh_front_stop(vh_drive_front(one.drive)), 0);
    CU_ASSERT_EQUAL(vh_front_stop(vh_drive_front(one.drive)), -EALREADY);
    submit(&one, 1, VH_BLK_OUT, 2, 512);
    settle();
    CU_ASSERT_EQUAL(requests_seen, 1); /* nothing new is taken */
    CU_ASSERT_TRUE(vh_back_stats(back).in_flight == 1);
    answer_held();
    vh_back_flush(back);
    settle();
    CU_ASSERT_EQUAL(vh_front_base(vh_drive_front(one.drive), 0), 1);
    CU_ASSERT_FALSE(vh_back_stats(back).running);
    end();
}

/* The driver takes its answer and asks for more, inside of the back end's turn. */
static void refill(void)
{
    refills--;
    vh_drive_service(one.drive, one.call_fd, POLLIN);
    submit(&one, refills % HELD, VH_BLK_FLUSH, 0, 0);
}

static void guest_floods(void)
{
    enum { FLOOD = 500, QUEUE = 16 };
    unsigned most = 0;

    begin();
    player_connect(&one);
    refills = FLOOD;
    submit(&one, HELD - 1, VH_BLK_FLUSH, 0, 0);
    while (one.done < FLOOD + 1) {
        const unsigned before = requests_seen;

        if (!watch_loop_turn(&loop, WATCH_LOOP_MS))
            break;
        if (requests_seen - before > most)
            most = requests_seen - before;
    }
    CU_ASSERT_EQUAL(one.done, FLOOD + 1); /* none is forgotten */
    CU_ASSERT_TRUE(most <= 2 * QUEUE);    /* a kick and our own in one turn */
    end();
}

/* A question behind a flood of orders is not answered in the first turn, but it is. */
static void client_floods(void)
{
    const struct vh_msg order = { .request = VH_SET_OWNER, .flags = VH_VERSION };
    const struct vh_msg ask = { .request = VH_GET_FEATURES, .flags = VH_VERSION };
    uint8_t answer[12 + 8];
    int fd;

    begin();
    fd = raw_connect();
    settle();
    for (unsigned i = 0; i < 150; i++)
        CU_ASSERT_EQUAL(vh_msg_send(fd, &order), 0);
    CU_ASSERT_EQUAL(vh_msg_send(fd, &ask), 0);
    CU_ASSERT_TRUE(watch_loop_turn(&loop, WATCH_LOOP_MS));
    CU_ASSERT_EQUAL(read(fd, answer, sizeof(answer)), -1);
    settle();
    CU_ASSERT_EQUAL(read(fd, answer, sizeof(answer)), (ssize_t)sizeof(answer));
    close(fd);
    end();
}

static void dies_in_a_stop(void)
{
    begin_held();
    CU_ASSERT_EQUAL(vh_front_stop(vh_drive_front(one.drive)), 0);
    settle();
    CU_ASSERT_EQUAL(told_gone, 0);
    player_end(&one);
    settle(); /* comes to an end: nobody is told of it again and again */
    CU_ASSERT_EQUAL(told_gone, 1);
    CU_ASSERT_EQUAL(vh_back_stats(back).in_flight, 1);
    player_new(&one);
    end();
}

static void logs(void)
{
    const uint64_t bytes = 4096;
    uint8_t bits[4096];
    int fd = memfd_create("log", MFD_CLOEXEC);
    uint64_t page;

    begin();
    player_connect(&one);
    CU_ASSERT_EQUAL(ftruncate(fd, (off_t)bytes), 0);
    submit(&one, 0, VH_BLK_IN, 1, 512);
    CU_ASSERT_TRUE(wait_done(&one, 1));
    CU_ASSERT_EQUAL(vh_front_log(vh_drive_front(one.drive), fd, bytes), 0);
    settle();
    submit(&one, 3, VH_BLK_IN, 1, 512);
    submit(&one, 7, VH_BLK_OUT, 1, 512);
    CU_ASSERT_TRUE(wait_done(&one, 3));
    CU_ASSERT_EQUAL(pread(fd, bits, sizeof(bits), 0), (ssize_t)sizeof(bits));
    page = vh_drive_guest_addr(one.drive, one.memory + 3 * 4096) / VH_LOG_PAGE_BYTES;
    CU_ASSERT_NOT_EQUAL(bits[page / 8] & (1 << (page % 8)), 0);
    page = vh_drive_guest_addr(one.drive, one.memory + 7 * 4096) / VH_LOG_PAGE_BYTES;
    CU_ASSERT_EQUAL(bits[page / 8] & (1 << (page % 8)), 0); /* only read by the device */
    page = vh_drive_guest_addr(one.drive, one.memory) / VH_LOG_PAGE_BYTES;
    CU_ASSERT_EQUAL(bits[page / 8] & (1 << (page % 8)), 0); /* before the log was on */
    CU_ASSERT_EQUAL(vh_front_log(vh_drive_front(one.drive), -1, 0), 0);
    settle();
    memset(bits, 0, sizeof(bits));
    CU_ASSERT_EQUAL(pwrite(fd, bits, sizeof(bits), 0), (ssize_t)sizeof(bits));
    submit(&one, 3, VH_BLK_IN, 1, 512);
    CU_ASSERT_TRUE(wait_done(&one, 4));
    CU_ASSERT_EQUAL(pread(fd, bits, sizeof(bits), 0), (ssize_t)sizeof(bits));
    for (unsigned i = 0; i < sizeof(bits); i++)
        CU_ASSERT_EQUAL(bits[i], 0);
    close(fd);
    end();
}

/* Words that are wrong end that connection, and only that one. */
static void hostile_messages(void)
{
    static const struct vh_msg bad[] = {
        { .request = 999, .flags = VH_VERSION },
        { .request = VH_SET_FEATURES, .flags = VH_VERSION, .size = 8, .payload = { 0xff, 0xff } },
        { .request = VH_SET_FEATURES, .flags = VH_VERSION, .size = 8 }, /* no VERSION_1 */
        { .request = VH_SET_MEM_TABLE, .flags = VH_VERSION, .size = 8, .payload = { 1 } },
        { .request = VH_SET_MEM_TABLE, .flags = VH_VERSION, .size = 8, .payload = { 200 } },
        { .request = VH_SET_VRING_NUM,
          .flags = VH_VERSION,
          .size = 8,
          .payload = { 9, 0, 0, 0, 8 } },
        { .request = VH_SET_VRING_NUM,
          .flags = VH_VERSION,
          .size = 8,
          .payload = { 0, 0, 0, 0, 7 } },
        { .request = VH_SET_VRING_ADDR, .flags = VH_VERSION, .size = 40 },
        { .request = VH_SET_VRING_KICK, .flags = VH_VERSION, .size = 8 },
        { .request = VH_SET_VRING_KICK, .flags = VH_VERSION, .size = 8, .payload = { 0, 1 } },
        { .request = VH_SET_VRING_CALL, .flags = VH_VERSION, .size = 2 },
        { .request = VH_GET_VRING_BASE, .flags = VH_VERSION, .size = 8, .payload = { 77 } },
        { .request = VH_SET_LOG_BASE, .flags = VH_VERSION, .size = 16 },
        { .request = VH_SET_INFLIGHT_FD, .flags = VH_VERSION, .size = 20 },
        { .request = VH_GET_INFLIGHT_FD, .flags = VH_VERSION, .size = 20 },
        { .request = VH_GET_CONFIG, .flags = VH_VERSION, .size = 4 },
        { .request = VH_SET_PROTOCOL_FEATURES,
          .flags = VH_VERSION,
          .size = 8,
          .payload = { 0, 0, 0, 0, 0, 0, 0, 1 } },
    };

    begin();
    player_connect(&one);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = raw_connect();
        char byte;
        ssize_t got;

        CU_ASSERT_EQUAL(vh_msg_send(fd, &bad[i]), 0);
        settle();
        do
            got = read(fd, &byte, 1);
        while (got > 0);
        CU_ASSERT_EQUAL(got, 0); /* closed */
        close(fd);
    }
    CU_ASSERT_TRUE(one.up);
    submit(&one, 0, VH_BLK_OUT, 1, 512);
    CU_ASSERT_TRUE(wait_done(&one, 1));
    end();
}

static int say(int fd, uint32_t request, const void *payload, uint32_t bytes, int with)
{
    struct vh_msg msg = { .request = request, .flags = VH_VERSION, .size = bytes };

    memcpy(msg.payload, payload, bytes);
    msg.fd_count = with >= 0;
    msg.fds[0] = with;
    return vh_msg_send(fd, &msg);
}

static bool closed(int fd)
{
    char byte;
    ssize_t got;

    settle();
    do
        got = read(fd, &byte, 1);
    while (got > 0);
    return got == 0;
}

/* Negotiate, hand `memory_fd` of two pages over and place queue 0 at the second page's end. */
static void raw_setup(int fd, int memory_fd)
{
    const uint64_t features = VH_F_VERSION_1 | VH_F_PROTOCOL_FEATURES;
    const uint64_t table[] = { 1, 0, 8192, 0x10000, 0 };
    const uint32_t num[] = { 0, 8 };
    const uint64_t addr[] = { 0, 0x10000 + 8192 - 512, 0x10000 + 8192 - 128, 0x10000 + 8192 - 256,
                              0 };

    CU_ASSERT_EQUAL(say(fd, VH_SET_FEATURES, &features, 8, -1), 0);
    CU_ASSERT_EQUAL(say(fd, VH_SET_MEM_TABLE, table, sizeof(table), memory_fd), 0);
    CU_ASSERT_EQUAL(say(fd, VH_SET_VRING_NUM, num, sizeof(num), -1), 0);
    CU_ASSERT_EQUAL(say(fd, VH_SET_VRING_ADDR, addr, sizeof(addr), -1), 0);
}

/* A memory table of one region of two pages, with this offset, and `fds` descriptors. */
static int say_table(int fd, uint64_t bytes, uint64_t offset, int with)
{
    const uint64_t table[] = { 1, 0, bytes, 0x10000, offset };

    return say(fd, VH_SET_MEM_TABLE, table, sizeof(table), with);
}

/* Who cannot be served is told so once, in words that say what to do, and nothing was taken. */
static void says_why(void)
{
    const uint64_t old = 0, unknown = VH_F_VERSION_1 | UINT64_C(1) << 60;
    char name[64];
    int memory_fd = memfd_create("unit", MFD_CLOEXEC), readable, file;

    CU_ASSERT_EQUAL(ftruncate(memory_fd, 8192), 0);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", memory_fd);
    readable = open(name, O_RDONLY | O_CLOEXEC);
    file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    begin();
    for (unsigned i = 0; i < 7; i++) {
        static const char *const words[] = { "VERSION_1; use",
                                             "not offered; start",
                                             "not share its memory; give",
                                             "shorter than its table says; give",
                                             "does not map; give",
                                             "does not map; give",
                                             "may keep us waiting; give" };
        int fd = raw_connect();

        told_words = 0;
        switch (i) {
        case 0:
        case 1:
            CU_ASSERT_EQUAL(say(fd, VH_SET_FEATURES, i == 0 ? &old : &unknown, 8, -1), 0);
            break;
        case 2:
            CU_ASSERT_EQUAL(say_table(fd, 8192, 0, -1), 0);
            break;
        case 3:
            CU_ASSERT_EQUAL(say_table(fd, 8192, 4096, memory_fd), 0);
            break;
        case 4:
            CU_ASSERT_EQUAL(say_table(fd, UINT64_MAX, 4096, memory_fd), 0);
            break;
        case 5:
            CU_ASSERT_EQUAL(say_table(fd, 8192, 0, readable), 0);
            break;
        default:
            CU_ASSERT_EQUAL(say_table(fd, 1, 0, file), 0); /* no memory at all */
            break;
        }
        CU_ASSERT_TRUE(closed(fd));
        close(fd);
        CU_ASSERT_EQUAL(told_words, 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(told_text, words[i]));
        if (strstr(told_text, words[i]) == NULL)
            printf("# %s\n", told_text);
    }
    CU_ASSERT_EQUAL(requests_seen, 0);
    close(readable);
    close(file);
    close(memory_fd);
    end();
}

/*
 * A queue that was started and waits for the other front end may not grow behind the place that was
 * judged: its rings would run over the end of the memory once it is its turn.
 */
static void waiting_queue_keeps_its_size(void)
{
    const uint32_t larger[] = { 0, 1024 }, base[] = { 0, 5 };
    const uint64_t kick = 0;
    int memory_fd = memfd_create("unit", MFD_CLOEXEC);
    int event = eventfd(0, EFD_NONBLOCK);
    int fd;

    begin();
    CU_ASSERT_EQUAL(ftruncate(memory_fd, 8192), 0);
    player_connect(&one);
    for (unsigned i = 0; i < 2; i++) {
        fd = raw_connect();
        raw_setup(fd, memory_fd);
        CU_ASSERT_EQUAL(say(fd, VH_SET_VRING_KICK, &kick, sizeof(kick), event), 0);
        settle();
        CU_ASSERT_EQUAL(vh_back_stats(back).clients, 2);
        CU_ASSERT_EQUAL(say(fd, i == 0 ? VH_SET_VRING_NUM : VH_SET_VRING_BASE,
                            i == 0 ? larger : base, sizeof(larger), -1),
                        0);
        CU_ASSERT_TRUE(closed(fd));
        close(fd);
    }
    CU_ASSERT_TRUE(one.up);
    close(event);
    close(memory_fd);
    end();
}

/*
 * A memory table without the ring of a queue that runs: set up anew with another size and in-flight
 * region beside requests that are out, their answers would be written behind that region's end.
 */
static void keeps_a_running_queue(void)
{
    const uint64_t kick = 0;
    int memory_fd = memfd_create("unit", MFD_CLOEXEC);
    int event = eventfd(0, EFD_NONBLOCK);

    begin();
    CU_ASSERT_EQUAL(ftruncate(memory_fd, 8192), 0);
    for (unsigned i = 0; i < 2; i++) {
        int fd = raw_connect();

        raw_setup(fd, memory_fd);
        if (i == 0)
            CU_ASSERT_EQUAL(say(fd, VH_SET_VRING_KICK, &kick, sizeof(kick), event), 0);
        settle();
        told_words = 0;
        CU_ASSERT_EQUAL(say_table(fd, 4096, 0, memory_fd), 0);
        if (i == 0) {
            CU_ASSERT_TRUE(closed(fd));
            CU_ASSERT_PTR_NOT_NULL(strstr(told_text, "takes a queue away"));
        } else { /* one that does not run only has to be placed again */
            settle();
            CU_ASSERT_EQUAL(vh_back_stats(back).clients, 1);
        }
        close(fd);
        settle();
    }
    close(event);
    close(memory_fd);
    end();
}

static volatile sig_atomic_t stuck;

static void alarmed(int number)
{
    (void)number;
    stuck = 1; /* what waits ends: no SA_RESTART */
}

/*
 * The client shares its eventfds' open files: behind the hand-over it makes them blocking, fills
 * what we signal, and takes its kick back before we do.
 */
static void eventfds_that_block(void)
{
    const struct sigaction action = { .sa_handler = alarmed };
    int kick_fd;

    begin_held();
    stuck = 0;
    CU_ASSERT_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    CU_ASSERT_EQUAL(fcntl(one.call_fd, F_SETFL, 0), 0);
    CU_ASSERT_EQUAL(eventfd_write(one.call_fd, UINT64_MAX - 1), 0);
    kick_fd = back->active->queues[0].kick_fd;
    CU_ASSERT_EQUAL(fcntl(kick_fd, F_SETFL, 0), 0);
    (void)alarm(WATCH_LOOP_MS / 1000);
    answer_held();
    vh_back_flush(back);
    vh_back_service(back, kick_fd, POLLIN);
    (void)alarm(0);
    CU_ASSERT_FALSE(stuck);
    CU_ASSERT_TRUE(wait_done(&one, 1)); /* and they still do what they are for */
    answer_later = false;
    submit(&one, 1, VH_BLK_OUT, 2, 512);
    CU_ASSERT_TRUE(wait_done(&one, 2));
    end();
}

/* Kicks and calls go through eventfds and nothing else. */
static void only_eventfds(void)
{
    static const uint32_t requests[] = { VH_SET_VRING_KICK, VH_SET_VRING_CALL };
    const uint64_t word = 0;
    int memory_fd = memfd_create("unit", MFD_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0); /* has no file type either */
    int ends[2], others[3] = { timer, memory_fd };

    begin();
    CU_ASSERT_EQUAL(ftruncate(memory_fd, 8192), 0);
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    others[2] = ends[1];
    for (unsigned i = 0; i < 6; i++) {
        int fd = raw_connect();

        raw_setup(fd, memory_fd);
        CU_ASSERT_EQUAL(say(fd, requests[i / 3], &word, sizeof(word), others[i % 3]), 0);
        CU_ASSERT_TRUE(closed(fd));
        close(fd);
    }
    close(ends[0]);
    close(ends[1]);
    close(timer);
    close(memory_fd);
    end();
}

/* Without memory nothing is made, and a request is answered as failed. */
static void lacks_memory(void)
{
    const struct vh_drive_callbacks callbacks = { .watch = drive_watch,
                                                  .state = drive_state,
                                                  .context = &two };
    struct vh_drive *drive;
    bool fired = true;

    memset(&loop, 0, sizeof(loop));
    for (unsigned n = 0; fired; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = vh_drive_new(16, NULL, 0, &callbacks, &drive);
        fired = fail_alloc_disarm();
        CU_ASSERT_EQUAL(rc, fired ? -ENOMEM : 0);
        CU_ASSERT_EQUAL(loop.count, fired ? 0 : 2);
    }
    vh_drive_free(drive);
    fired = true;
    for (unsigned n = 0; fired; n++) {
        begin();
        player_connect(&one);
        submit(&one, 0, VH_BLK_OUT, 1, 512);
        fail_alloc_arm(n);
        while (one.done == 0 && watch_loop_turn(&loop, WATCH_LOOP_MS))
            continue;
        fired = fail_alloc_disarm();
        CU_ASSERT_EQUAL(one.done, 1);
        CU_ASSERT_EQUAL(one.failed, fired);
        CU_ASSERT_EQUAL(requests_seen, !fired);
        submit(&one, 1, VH_BLK_OUT, 1, 512); /* and goes on with the next */
        CU_ASSERT_TRUE(wait_done(&one, 2));
        CU_ASSERT_EQUAL(one.failed, fired);
        end();
    }
}

/* Twenty bytes by the protocol, twenty-four from QEMU: each is answered as it asked. */
static void inflight_in_both_sizes(void)
{
    begin();
    for (unsigned size = 20; size <= 24; size += 4) {
        struct vh_msg ask = { .request = VH_GET_INFLIGHT_FD,
                              .flags = VH_VERSION,
                              .size = size,
                              .payload = { [16] = 1, [18] = 128 } };
        uint8_t answer[12 + 24 + 1];
        int fd = raw_connect();

        CU_ASSERT_EQUAL(vh_msg_send(fd, &ask), 0);
        settle();
        CU_ASSERT_EQUAL(read(fd, answer, sizeof(answer)), (ssize_t)(12 + size));
        CU_ASSERT_EQUAL(answer[8], size);
        CU_ASSERT_EQUAL(answer[12 + 18], 128);
        close(fd);
    }
    end();
}

const struct unit_case unit_cases[] = {
    { "requests go through both ends, and errors come back", moves },
    { "a driver's data must lie in its regions", refuses_foreign_memory },
    { "a held disk takes nothing, and fails nothing", holds },
    { "a back end that died is followed by one that does its requests again", comes_back },
    { "not for a guest of before another node had the LUN", knows_its_guest },
    { "who comes while nobody owns it is judged when somebody does", judges_when_owned },
    { "of two front ends one runs; the other waits for the last request", one_runs },
    { "a signal that the kernel did not take is sent again", signals_again },
    { "a stop waits for what is out, and takes nothing new", drains },
    { "a guest that fills its ring while it is served keeps nobody out", guest_floods },
    { "a client that streams messages keeps nobody out", client_floods },
    { "who dies in a stop is missed at once", dies_in_a_stop },
    { "the dirty log has what the device wrote, while it is on", logs },
    { "wrong messages end their connection and no other", hostile_messages },
    { "who cannot be served is told why, once", says_why },
    { "a queue that waits for its turn keeps its size and base", waiting_queue_keeps_its_size },
    { "a queue that runs is not taken away", keeps_a_running_queue },
    { "a client's eventfds stall nobody, whatever it does to them", eventfds_that_block },
    { "what is no eventfd is no kick and no call", only_eventfds },
    { "without memory nothing is made, and requests fail", lacks_memory },
    { "the in-flight region in both sizes", inflight_in_both_sizes },
    { 0 },
};
