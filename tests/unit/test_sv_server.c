/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-lun as a whole, in a child, on a file: storage/serve/sv_server, storage/serve/sv_loop,
 * storage/serve/sv_own, storage/serve/sv_order, storage/serve/sv_tell, storage/serve/sv_disk,
 * storage/serve/sv_disk_life,
 * storage/serve/sv_lun, storage/serve/sv_lun_look, storage/serve/sv_sandbox. The test is its front
 * end, its feeder and its clusterd.
 * (over 400: each case plays all the roles around one server)
 */
#include "config.h"

#include "storage/serve/sv_server.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/hw_feed.h"
#include "storage/serve/sv_page.h"
#include "storage/serve/sv_sandbox.h"
#include "storage/sto_presence.h"
#include "storage/sto_saved.h"
#include "storage/sto_state_area.h"
#include "storage/vhost/vh_drive.h"
#include "tests/unit/unit.h"
#include "tests/unit/watch_loop.h"

enum { DISK_BYTES = 8 << 20, STATE_AT = 4 << 20, MEMORY = 1 << 20 };

static char directory[64], file_path[100], disk_socket[100], state_socket[100], control_socket[100],
    feed_socket[100];
static struct sv_config config;
static pid_t child;
static struct watch_loop loop;

struct player {
    struct vh_drive *drive;
    uint8_t *memory;
    int memory_fd;
    bool up;
    unsigned done, failed;
};

static struct player one, state;

/* When the server's LUNs were confirmed, in place of what a file's has not: 0 is never. */
static _Atomic int64_t *confirmed_ns;

int64_t __wrap_server_confirmed_ns(const struct sv_server *server);
int64_t __real_server_confirmed_ns(const struct sv_server *server);

int64_t __wrap_server_confirmed_ns(const struct sv_server *server)
{
    return confirmed_ns == NULL ? __real_server_confirmed_ns(server) : *confirmed_ns;
}

/* --- the server --- */

static void add_disk(const char *words, const char *socket, bool is_state)
{
    struct sv_disk_config *disk = &config.disks[config.disk_count++];
    char url[200];

    memset(disk, 0, sizeof(*disk));
    snprintf(url, sizeof(url), "file:%s%s", file_path, words);
    CU_ASSERT_EQUAL_FATAL(sto_url_parse(url, &disk->url, NULL), 0);
    snprintf(disk->socket, sizeof(disk->socket), "%s", socket);
    disk->state = is_state;
}

static void configure(bool with_state)
{
    memset(&config, 0, sizeof(config));
    config.feed_fd = -1;
    config.sandbox = true;
    config.uid = 64321;
    config.front_end_uid = geteuid();
    config.store_ms = 1500;
    snprintf(config.control, sizeof(config.control), "%s", control_socket);
    add_disk("?offset=0&size=4M", disk_socket, false);
    if (with_state)
        add_disk("?offset=4M&size=4M", state_socket, true);
}

static void start(void)
{
    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        FILE *quiet = fopen("/dev/null", "w");
        struct hw_error error = { 0 };
        struct sv_server *server;
        int status = 99;

        if (sv_server_new(&config, quiet, &server, &error) == 0) {
            status = sv_server_lock_in(server, &error) < 0 ? 98 : sv_server_run(server, &error);
            sv_server_free(server);
        } else {
            status = 100 + hw_error_exit_status(&error);
        }
        syscall(SYS_exit_group, status);
    }
}

/* Another process of the node that holds the name of the file by its WWID, until it is ended. */
static pid_t hold_name(void)
{
    struct stat file;
    char wwid[100], byte;
    int ends[2];
    pid_t holder;

    CU_ASSERT_EQUAL_FATAL(stat(file_path, &file), 0);
    snprintf(wwid, sizeof(wwid), "file:%u.%u:%llu", major(file.st_dev), minor(file.st_dev),
             (unsigned long long)file.st_ino);
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    (void)fflush(NULL);
    holder = fork();
    if (holder == 0) {
        int fd = sto_presence_socket(NULL);

        if (sto_presence_take_wwid(&config.disks[0].url, wwid, config.cluster_uuid, config.node, fd,
                                   NULL) == 0 &&
            write(ends[1], "x", 1) == 1)
            (void)pause();
        syscall(SYS_exit_group, 1);
    }
    (void)close(ends[1]);
    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    return holder;
}

/* Its exit status, or -signal. */
static int reap(void)
{
    int status;

    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    child = 0;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void begin(bool with_state)
{
    int fd;

    memset(&loop, 0, sizeof(loop));
    snprintf(directory, sizeof(directory), "/tmp/hawser-unit-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    snprintf(file_path, sizeof(file_path), "%s/lun", directory);
    snprintf(disk_socket, sizeof(disk_socket), "%s/disk", directory);
    snprintf(state_socket, sizeof(state_socket), "%s/state", directory);
    snprintf(control_socket, sizeof(control_socket), "%s/control", directory);
    snprintf(feed_socket, sizeof(feed_socket), "%s/feed", directory);
    fd = open(file_path, O_CREAT | O_RDWR, 0600);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, DISK_BYTES), 0);
    close(fd);
    configure(with_state);
}

static void end(void)
{
    if (child > 0) {
        kill(child, SIGTERM);
        CU_ASSERT_EQUAL(reap(), 0);
    }
    unlink(file_path), unlink(disk_socket), unlink(state_socket), unlink(control_socket),
        unlink(feed_socket);
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

static int connect_to(const char *path, int type)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int64_t end_ms = hw_clock_now_ms(hw_clock_boottime()) + WATCH_LOOP_MS;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
           hw_clock_now_ms(hw_clock_boottime()) < end_ms)
        (void)poll(NULL, 0, 5); /* it is starting */
    return fd;
}

/* One order and its answer. The caller frees it. */
static json_t *order(int fd, const char *text)
{
    char line[8192];
    size_t have = 0;

    snprintf(line, sizeof(line), "%s\n", text);
    CU_ASSERT_EQUAL(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
    while (have < sizeof(line) - 1) {
        ssize_t got = recv(fd, line + have, 1, 0);

        if (got <= 0 || line[have] == '\n')
            break;
        have++;
    }
    return json_loadb(line, have, 0, NULL);
}

static bool gate_is(int fd, const char *gate, const char *reason)
{
    json_t *status = order(fd, "{\"command\":\"status\"}");
    const char *is = json_string_value(json_object_get(status, "gate"));
    const char *why = json_string_value(json_object_get(status, "reason"));
    bool same = is != NULL && why != NULL && strcmp(is, gate) == 0 && strcmp(why, reason) == 0;

    json_decref(status);
    return same;
}

static bool wait_gate(int fd, const char *gate, const char *reason)
{
    const int64_t end_ms = hw_clock_now_ms(hw_clock_boottime()) + WATCH_LOOP_MS;

    while (!gate_is(fd, gate, reason)) {
        if (hw_clock_now_ms(hw_clock_boottime()) > end_ms)
            return false;
        (void)poll(NULL, 0, 5);
    }
    return true;
}

/* --- front ends --- */

static void drive_ready(void *context, int fd, short revents)
{
    vh_drive_service(((struct player *)context)->drive, fd, revents);
}

static void drive_watch(void *context, int fd, short events)
{
    watch_loop_set(&loop, fd, events, drive_ready, context);
}

static void drive_state(void *context, bool up, const char *text)
{
    (void)text;
    ((struct player *)context)->up = up;
}

static bool is_up(void *context)
{
    return ((struct player *)context)->up;
}

static void player_new(struct player *player)
{
    const struct vh_drive_callbacks callbacks = { .watch = drive_watch,
                                                  .state = drive_state,
                                                  .context = player };
    struct vh_drive_region region = { .bytes = MEMORY };

    memset(player, 0, sizeof(*player));
    player->memory_fd = memfd_create("unit", MFD_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(ftruncate(player->memory_fd, MEMORY), 0);
    player->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, player->memory_fd, 0);
    region.address = player->memory;
    region.fd = player->memory_fd;
    CU_ASSERT_EQUAL_FATAL(vh_drive_new(16, &region, 1, &callbacks, &player->drive), 0);
}

static void player_connect(struct player *player, const char *path)
{
    const int64_t end_ms = hw_clock_now_ms(hw_clock_boottime()) + WATCH_LOOP_MS;

    while (vh_drive_connect(player->drive, path) < 0) { /* it is starting */
        CU_ASSERT_TRUE_FATAL(hw_clock_now_ms(hw_clock_boottime()) < end_ms);
        (void)poll(NULL, 0, 5);
    }
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

static struct vh_drive_op ops[16];
static struct iovec iovs[16];

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

static void settle(void)
{
    while (watch_loop_turn(&loop, 100))
        continue;
}

static uint8_t byte_at(uint64_t offset)
{
    uint8_t byte = 0;
    int fd = open(file_path, O_RDONLY);

    CU_ASSERT_EQUAL(pread(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
    return byte;
}

/* --- cases --- */

static void serves_a_file(void)
{
    begin(false);
    start();
    player_new(&one);
    player_connect(&one, disk_socket);
    CU_ASSERT_EQUAL(vh_drive_sectors(one.drive), (4 << 20) / 512);
    memset(one.memory, 0x42, 4096);
    submit(&one, 0, VH_BLK_OUT, 8, 4096);
    CU_ASSERT_TRUE(wait_done(&one, 1));
    submit(&one, 1, VH_BLK_FLUSH, 0, 0);
    submit(&one, 2, VH_BLK_IN, 8, 512);
    CU_ASSERT_TRUE(wait_done(&one, 3));
    CU_ASSERT_EQUAL(one.failed, 0);
    CU_ASSERT_EQUAL(one.memory[2 * 4096], 0x42);
    CU_ASSERT_EQUAL(byte_at(4096), 0x42);
    submit(&one, 3, VH_BLK_DISCARD, 8, 0);
    CU_ASSERT_TRUE(wait_done(&one, 4));
    CU_ASSERT_EQUAL(byte_at(4096), 0);
    /* it is killed, a new one takes its place; the guest's requests wait */
    kill(child, SIGKILL);
    CU_ASSERT_EQUAL(reap(), -SIGKILL);
    settle();
    CU_ASSERT_FALSE(one.up);
    submit(&one, 0, VH_BLK_OUT, 16, 4096);
    start();
    player_connect(&one, disk_socket);
    CU_ASSERT_TRUE(wait_done(&one, 5));
    CU_ASSERT_EQUAL(one.failed, 0);
    CU_ASSERT_EQUAL(byte_at(16 * 512), 0x42);
    player_end(&one);
    end();
}

static void obeys(void)
{
    json_t *answer;
    int control;

    begin(false);
    start();
    control = connect_to(control_socket, SOCK_STREAM);
    CU_ASSERT_TRUE(wait_gate(control, "open", "none"));
    player_new(&one);
    player_connect(&one, disk_socket);
    CU_ASSERT_TRUE(gate_is(control, "open", "none"));
    json_decref(order(control, "{\"command\":\"hold\"}"));
    CU_ASSERT_TRUE(gate_is(control, "hold", "ordered"));
    submit(&one, 0, VH_BLK_OUT, 0, 512);
    settle();
    CU_ASSERT_EQUAL(one.done, 0);
    answer = order(control, "{\"command\":\"drain\"}");
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    json_decref(order(control, "{\"command\":\"open\"}"));
    CU_ASSERT_TRUE(wait_done(&one, 1));
    answer = order(control, "{\"command\":\"verify\"}");
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    answer = order(control, "{\"command\":\"discard-state\"}");
    CU_ASSERT_PTR_NOT_NULL(json_object_get(answer, "error"));
    json_decref(answer);
    answer = order(control, "{\"command\":\"statistics\"}");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(
                        json_array_get(json_object_get(answer, "disks"), 0), "requests")),
                    1);
    json_decref(answer);
    answer = order(control, "{\"command\":\"quit\"}");
    json_decref(answer);
    CU_ASSERT_EQUAL(reap(), 0);
    close(control);
    player_end(&one);
    end();
}

static const char *member(const json_t *of, const char *name)
{
    const char *text = json_string_value(json_object_get(of, name));

    return text != NULL ? text : "";
}

/* Names are bytes, JSON is text: what is said of them arrives all the same. */
static void tells_what_is_no_text(void)
{
    char spelled[200];
    json_t *event;
    int control;

    begin(false);
    snprintf(spelled, sizeof(spelled), "%s/d\\xff", directory);
    snprintf(disk_socket, sizeof(disk_socket), "%s/d\xff", directory);
    configure(false);
    start();
    control = connect_to(control_socket, SOCK_STREAM);
    CU_ASSERT_TRUE(wait_gate(control, "open", "none"));
    event = order(control, "{\"command\":\"statistics\"}");
    CU_ASSERT_STRING_EQUAL(member(json_array_get(json_object_get(event, "disks"), 0), "socket"),
                           spelled);
    json_decref(event);
    event = order(control, "{\"command\":\"events\"}");
    json_decref(event);
    player_new(&one);
    player_connect(&one, disk_socket);
    event = order(control, ""); /* the next line is an event */
    CU_ASSERT_STRING_EQUAL(member(event, "event"), "client");
    CU_ASSERT_STRING_EQUAL(member(event, "socket"), spelled);
    json_decref(event);
    close(control);
    player_end(&one);
    end();
}

/* The descriptor that comes with the answer to "page". */
static int ask_page(int control)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } rights;
    char answer[256];
    struct iovec iov = { answer, sizeof(answer) };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)
    };
    int fd = -1;

    CU_ASSERT_EQUAL(send(control, "{\"command\":\"page\"}\n", 19, MSG_NOSIGNAL), 19);
    CU_ASSERT_TRUE(recvmsg(control, &message, MSG_CMSG_CLOEXEC) > 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(CMSG_FIRSTHDR(&message));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

/* Whatever the server's turn was for, what was confirmed by then is in the page at its end. */
static void publishes_at_once(void)
{
    struct sv_page_view view;
    const void *page;
    int control, fd;

    confirmed_ns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_PTR_NOT_EQUAL_FATAL(confirmed_ns, MAP_FAILED);
    *confirmed_ns = 1000;
    begin(false);
    start();
    control = connect_to(control_socket, SOCK_STREAM);
    CU_ASSERT_TRUE(wait_gate(control, "open", "none"));
    fd = ask_page(control);
    CU_ASSERT_EQUAL_FATAL(sv_page_map(fd, &page), 0);
    for (int64_t turn = 1; turn <= 3; turn++) {
        *confirmed_ns = 1000 + turn;
        json_decref(order(control, "{\"command\":\"statistics\"}"));
        json_decref(order(control, "{\"command\":\"statistics\"}")); /* that turn is over */
        CU_ASSERT_TRUE(sv_page_read(page, &view));
        CU_ASSERT_EQUAL(view.confirmed_ns, 1000 + turn);
        CU_ASSERT_EQUAL(view.gate, SV_GATE_OPEN);
    }
    sv_page_unmap(page);
    close(fd), close(control);
    end();
    (void)munmap((void *)(uintptr_t)confirmed_ns, 4096);
    confirmed_ns = NULL;
}

static bool page_says(const void *page, enum sv_gate_state gate)
{
    const int64_t end_ms = hw_clock_now_ms(hw_clock_boottime()) + WATCH_LOOP_MS;
    struct sv_page_view view = { 0 };

    do {
        if (sv_page_read(page, &view) && view.gate == gate)
            return true;
        (void)poll(NULL, 0, 5);
    } while (hw_clock_now_ms(hw_clock_boottime()) < end_ms);
    return false;
}

/* By time alone the lease of a LUN that does not confirm is over; and goes on with a confirmation.
 */
static void tells_a_late_confirmation(void)
{
    const int64_t hour_ns = INT64_C(3600000000000);
    const int64_t now_ns = hw_clock_now_ns(hw_clock_boottime());
    const void *page;
    int control, fd;

    confirmed_ns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_PTR_NOT_EQUAL_FATAL(confirmed_ns, MAP_FAILED);
    begin(false);
    config.lease = SV_LEASE_STORAGE;
    *confirmed_ns = now_ns + hour_ns;
    start();
    control = connect_to(control_socket, SOCK_STREAM);
    CU_ASSERT_TRUE(wait_gate(control, "open", "none"));
    fd = ask_page(control);
    CU_ASSERT_EQUAL_FATAL(sv_page_map(fd, &page), 0);
    *confirmed_ns = hw_clock_now_ns(hw_clock_boottime()) - (int64_t)config.store_ms * 1000000 +
                    INT64_C(200000000);
    json_decref(order(control, "{\"command\":\"statistics\"}"));
    CU_ASSERT_TRUE(page_says(page, SV_GATE_HOLD)); /* nobody asks for it */
    CU_ASSERT_TRUE(gate_is(control, "hold", "lease"));
    *confirmed_ns = now_ns + hour_ns;
    CU_ASSERT_TRUE(wait_gate(control, "open", "none"));
    *confirmed_ns = INT64_MAX; /* of what nobody has to confirm there is none */
    json_decref(order(control, "{\"command\":\"statistics\"}"));
    CU_ASSERT_TRUE(gate_is(control, "open", "none"));
    sv_page_unmap(page);
    close(fd), close(control);
    end();
    (void)munmap((void *)(uintptr_t)confirmed_ns, 4096);
    confirmed_ns = NULL;
}

/* A process that only looks at the LUN holds its name for a moment: it is waited for, and orders
 * are answered meanwhile. */
static void waits_for_its_name(void)
{
    pid_t holder;
    int control;

    begin(false);
    holder = hold_name();
    start();
    control = connect_to(control_socket, SOCK_STREAM);
    CU_ASSERT_FALSE(gate_is(control, "hold", "none")); /* also before anything is judged */
    CU_ASSERT_EQUAL(kill(holder, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(holder, NULL, 0), holder);
    CU_ASSERT_TRUE(wait_gate(control, "open", "none"));
    close(control);
    end();
}

static void send_feed(int fd, int64_t sent_ns)
{
    const struct hw_feed one_feed = { .generation = 0, .sent_ns = sent_ns, .term = 1 };
    uint8_t bytes[HW_FEED_BYTES];

    hw_feed_encode(&one_feed, bytes);
    CU_ASSERT_EQUAL(send(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(bytes));
}

/* No feed, no write; a right feed, and what waited goes out; the deadline, and nothing does. */
static void waits_for_feeds(void)
{
    int control, feeder;

    begin(false);
    config.deadman_ms = 60000;
    snprintf(config.feed, sizeof(config.feed), "%s", feed_socket);
    start();
    control = connect_to(control_socket, SOCK_STREAM);
    feeder = connect_to(feed_socket, SOCK_SEQPACKET);
    player_new(&one);
    memset(one.memory, 0x42, 4096);
    player_connect(&one, disk_socket);
    submit(&one, 0, VH_BLK_OUT, 8, 512);
    settle();
    CU_ASSERT_TRUE(gate_is(control, "hold", "lease"));
    CU_ASSERT_EQUAL(one.done, 0);
    CU_ASSERT_EQUAL(byte_at(4096), 0);
    send_feed(feeder, hw_clock_now_ns(hw_clock_boottime()) - INT64_C(61000000000)); /* too old */
    settle();
    CU_ASSERT_EQUAL(one.done, 0);
    send_feed(feeder, hw_clock_now_ns(hw_clock_boottime()));
    CU_ASSERT_TRUE(wait_done(&one, 1));
    CU_ASSERT_EQUAL(byte_at(4096), 0x42);
    CU_ASSERT_TRUE(gate_is(control, "open", "none"));
    close(feeder), close(control);
    player_end(&one);
    end();
}

/* A saved state keeps the disk shut until it is consumed, and shuts it again. */
static void minds_the_saved_state(void)
{
    struct sto_saved header = { .state = STO_SAVED_COMMITTED, .generation = 5, .node = 1 };
    uint8_t sector[512];
    json_t *answer;
    int control, fd;

    begin(true);
    sto_saved_encode(&header, sector);
    fd = open(file_path, O_RDWR);
    CU_ASSERT_EQUAL(pwrite(fd, sector, sizeof(sector), STATE_AT), (ssize_t)sizeof(sector));
    close(fd);
    start();
    control = connect_to(control_socket, SOCK_STREAM);
    CU_ASSERT_TRUE(wait_gate(control, "hold", "saved-state"));
    player_new(&one), player_new(&state);
    memset(one.memory + 2 * 4096, 0x42, 4096);
    player_connect(&one, disk_socket);
    player_connect(&state, state_socket);
    submit(&one, 2, VH_BLK_OUT, 8, 512);
    submit(&state, 1, VH_BLK_IN, 0, 512); /* who restores may read it */
    CU_ASSERT_TRUE(wait_done(&state, 1));
    settle();
    CU_ASSERT_EQUAL(memcmp(state.memory + 4096, sector, sizeof(sector)), 0);
    CU_ASSERT_EQUAL(one.done, 0);
    answer = order(control, "{\"command\":\"discard-state\"}");
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    CU_ASSERT_TRUE(wait_done(&one, 1));
    CU_ASSERT_TRUE(gate_is(control, "open", "none"));
    /* a save: WRITING leaves the disk open, COMMITTED shuts it */
    header.state = STO_SAVED_WRITING;
    header.generation = 20;
    sto_saved_encode(&header, state.memory);
    submit(&state, 0, VH_BLK_OUT, 0, 512);
    CU_ASSERT_TRUE(wait_done(&state, 2));
    settle();
    CU_ASSERT_TRUE(gate_is(control, "open", "none"));
    header.state = STO_SAVED_COMMITTED;
    header.generation = 21;
    sto_saved_encode(&header, state.memory);
    submit(&state, 0, VH_BLK_OUT, STO_STATE_HEADER_BYTES / 512, 512);
    CU_ASSERT_TRUE(wait_done(&state, 3));
    CU_ASSERT_TRUE(wait_gate(control, "hold", "saved-state"));
    submit(&one, 2, VH_BLK_OUT, 8, 512); /* not what the state's requests use */
    settle();
    CU_ASSERT_EQUAL(one.done, 1);
    /* the client consumes it itself: one slot is not enough */
    header.state = STO_SAVED_CONSUMED;
    header.generation = 22;
    sto_saved_encode(&header, state.memory);
    submit(&state, 0, VH_BLK_OUT, 0, 512);
    CU_ASSERT_TRUE(wait_done(&state, 4));
    header.generation = 23;
    sto_saved_encode(&header, state.memory);
    submit(&state, 0, VH_BLK_OUT, STO_STATE_HEADER_BYTES / 512, 512);
    CU_ASSERT_TRUE(wait_done(&state, 5));
    CU_ASSERT_TRUE(wait_done(&one, 2));
    CU_ASSERT_TRUE(wait_gate(control, "open", "none"));
    close(control);
    player_end(&one), player_end(&state);
    end();
}

static void refuses_to_start(void)
{
    begin(false);
    start();
    close(connect_to(disk_socket, SOCK_STREAM));
    {
        pid_t first = child;

        config.disks[0].socket[strlen(config.disks[0].socket) - 1] = 'X';
        snprintf(config.control, sizeof(config.control), "%s/c2", directory);
        start(); /* the same LUN twice on one host */
        CU_ASSERT_EQUAL(reap(), 100 + 3);
        child = first;
    }
    kill(child, SIGTERM);
    CU_ASSERT_EQUAL(reap(), 0);
    configure(false);
    unlink(file_path);
    start(); /* no such file */
    CU_ASSERT_EQUAL(reap(), 100 + 1);
    end();
}

/* Locked in, it lives through its work; any call outside its list ends it. */
static void cannot_break_out(void)
{
    unsigned tried = 0;

    for (int number = 0; number < 470; number++) {
        int status;
        pid_t victim;

        if (hw_sandbox_knows(sv_sandbox_tables, number) || number == 335 || number == 336)
            continue;
        (void)fflush(NULL);
        victim = fork();
        if (victim == 0) {
            if (sv_sandbox_enter(0, NULL, 0, NULL, NULL) < 0 || sv_sandbox_calls(NULL) < 0)
                syscall(SYS_exit_group, 99);
            (void)syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
            syscall(SYS_exit_group, 0);
        }
        CU_ASSERT_EQUAL(waitpid(victim, &status, 0), victim);
        CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        if (!WIFSIGNALED(status))
            printf("# call %d: status %d\n", number, WEXITSTATUS(status));
        tried++;
    }
    CU_ASSERT_TRUE(tried > 250);
}

const struct unit_case unit_cases[] = {
    { "a file is served, and again by the next process", serves_a_file },
    { "orders hold, drain, open and end it", obeys },
    { "what is no text is told", tells_what_is_no_text },
    { "a confirmation is in the shared page at the end of its turn", publishes_at_once },
    { "a confirmation that comes late is told", tells_a_late_confirmation },
    { "another process of the node is waited for", waits_for_its_name },
    { "nothing is written without a feed", waits_for_feeds },
    { "a saved state shuts the disk until both slots are consumed", minds_the_saved_state },
    { "a LUN in use and a LUN that is missing are refused", refuses_to_start },
    { "every system call outside the list ends the process", cannot_break_out },
    { 0 },
};
