/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_vhost, vmm-core/virtio/vmm_vhost_open, vmm-core/virtio/vmm_vhost_log: servers
 * that are not there, lack something, come back as others, or keep no record; the dirty log. Some
 * are played by the test, message by message.
 * (over 400: the server that is played is a third of it)
 */
#include <config.h>

#include "vmm-core/virtio/vmm_vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "storage/vhost/vh_msg.h"
#include "tests/unit/blk_world.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/vh_played.h"

/* --- a server that is played --- */

struct played {
    char path[100];
    int listener, fd; /* -1: none */
    struct watch_loop loop;
    struct vh_msg_reader reader;
    uint64_t features, protocol, queues, sectors;
    uint8_t block_exponent; /* of the block size, at its place in the configuration */
    unsigned connections, starts, stops;
};

static struct played played;

static void hear(const struct vh_msg *msg)
{
    switch ((enum vh_request_id)msg->request) {
    case VH_GET_FEATURES:
        played_answer_u64(played.fd, msg, played.features);
        break;
    case VH_GET_PROTOCOL_FEATURES:
        played_answer_u64(played.fd, msg, played.protocol);
        break;
    case VH_GET_QUEUE_NUM:
        played_answer_u64(played.fd, msg, played.queues);
        break;
    case VH_GET_CONFIG:
        played_answer_config(played.fd, msg, played.sectors, played.block_exponent);
        break;
    case VH_GET_VRING_BASE:
        played.stops++;
        played_answer_base(played.fd, msg, vh_msg_get_u32(msg, 0), 0);
        break;
    case VH_SET_VRING_ENABLE:
        played.starts++;
        if ((msg->flags & VH_FLAG_NEED_REPLY) != 0)
            played_answer_u64(played.fd, msg, 0);
        break;
    default:
        break;
    }
}

static void hang_up(void)
{
    if (played.fd < 0)
        return;
    watch_loop_set(&played.loop, played.fd, 0, NULL, NULL);
    vh_msg_reader_next(&played.reader);
    close(played.fd);
    played.fd = -1;
}

static void heard(void *context, int fd, short revents)
{
    int rc;

    (void)context;
    (void)revents;
    while ((rc = vh_msg_receive(&played.reader, fd)) == 1) {
        hear(&played.reader.msg);
        vh_msg_reader_next(&played.reader);
    }
    if (rc < 0)
        hang_up();
}

static void connected(void *context, int fd, short revents)
{
    (void)context;
    (void)revents;
    if (played.fd >= 0)
        return;
    played.fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CU_ASSERT_TRUE(played.fd >= 0);
    played.connections++;
    watch_loop_set(&played.loop, played.fd, POLLIN, heard, NULL);
}

static void play(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    memset(&played, 0, sizeof(played));
    (void)snprintf(played.path, sizeof(played.path), "/tmp/hawser-vhost-%d.sock", (int)getpid());
    (void)unlink(played.path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", played.path);
    played.fd = -1;
    vh_msg_reader_init(&played.reader);
    played.features = VH_F_VERSION_1 | VH_F_PROTOCOL_FEATURES | VH_BLK_F_BLK_SIZE;
    played.protocol = VH_P_CONFIG | VH_P_MQ | VH_P_REPLY_ACK;
    played.queues = 1;
    played.sectors = SECTORS;
    played.block_exponent = 2;
    played.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(played.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(played.listener, 4), 0);
    watch_loop_set(&played.loop, played.listener, POLLIN, connected, NULL);
}

static void stop_playing(void)
{
    hang_up();
    close(played.listener);
    (void)unlink(played.path);
}

/* --- who uses the link --- */

static struct vmm_vhost *link_to;
static struct {
    uint8_t *memory;
    int memory_fd;
    unsigned runs, stops, resets, losses, words, configured;
    char said[500];
} user;

static bool set_up(void *context, struct vh_front_setup *ret_setup)
{
    const uint64_t at = (uintptr_t)user.memory;

    (void)context;
    *ret_setup = (struct vh_front_setup) {
        .features = VH_F_VERSION_1,
        .region_count = 1,
        .regions = { { .bytes = GUEST_BYTES, .user_addr = at } },
        .region_fds = { user.memory_fd },
        .queue_count = 1,
        .queues = { { .size = 8,
                      .desc_addr = at,
                      .avail_addr = at + AVAIL,
                      .used_addr = at + USED,
                      .used_guest_addr = USED } },
    };
    return true;
}

static void running(void *context)
{
    (void)context;
    user.runs++;
}

static void stopped(void *context)
{
    (void)context;
    user.stops++;
}

static void was_reset(void *context)
{
    (void)context;
    user.resets++;
}

static void called(void *context, unsigned i)
{
    (void)context;
    (void)i;
}

static void configured(void *context)
{
    (void)context;
    user.configured++;
}

static void lost(void *context, const char *text)
{
    (void)context;
    user.losses++;
    (void)snprintf(user.said, sizeof(user.said), "%s", text);
}

static void tell(void *context, const char *text)
{
    (void)context;
    user.words++;
    (void)snprintf(user.said, sizeof(user.said), "%s", text);
}

static const struct vmm_vhost_callbacks callbacks = { .setup = set_up,
                                                      .running = running,
                                                      .stopped = stopped,
                                                      .was_reset = was_reset,
                                                      .called = called,
                                                      .configured = configured,
                                                      .lost = lost,
                                                      .tell = tell };

static void link_ready(void *context, int fd, short revents)
{
    (void)context;
    (void)fd;
    (void)revents;
    vmm_vhost_service(link_to);
}

static void begin_at(struct watch_loop *loop, const char *path)
{
    struct hw_error error = { 0 };

    memset(&user, 0, sizeof(user));
    user.memory_fd = memfd_create("guest", MFD_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(ftruncate(user.memory_fd, GUEST_BYTES), 0);
    user.memory = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, user.memory_fd, 0);
    CU_ASSERT_PTR_NOT_EQUAL_FATAL(user.memory, MAP_FAILED);
    CU_ASSERT_EQUAL_FATAL(blk_open(loop, path, 4, &link_to, &error), 0);
    vmm_vhost_attach(link_to, &callbacks);
    watch_loop_set(loop, vmm_vhost_fd(link_to), POLLIN, link_ready, NULL);
}

static void begin(void)
{
    play();
    begin_at(&played.loop, played.path);
}

static void end(void)
{
    watch_loop_set(&played.loop, vmm_vhost_fd(link_to), 0, NULL, NULL);
    vmm_vhost_attach(link_to, NULL);
    vmm_vhost_close(link_to);
    CU_ASSERT_EQUAL(munmap(user.memory, GUEST_BYTES), 0);
    close(user.memory_fd);
    stop_playing();
}

static bool runs(void *context)
{
    return user.runs >= *(unsigned *)context;
}

static bool has_lost(void *context)
{
    (void)context;
    return user.losses > 0;
}

static bool has_told(void *context)
{
    return user.words >= *(unsigned *)context;
}

static bool is_reset(void *context)
{
    (void)context;
    return user.resets > 0;
}

static bool is_idle(void *context)
{
    (void)context;
    return vmm_vhost_idle(link_to);
}

static bool until(bool (*holds)(void *context), unsigned count)
{
    return watch_loop_until(&played.loop, holds, &count);
}

static void settle(void)
{
    blk_settle(&played.loop);
}

/* --- the first connection --- */

static void cannot_open(const char *path, enum hw_error_kind kind, const char *part)
{
    struct vmm_vhost *link = NULL;
    struct hw_error error = { 0 };

    CU_ASSERT_TRUE(vmm_vhost_open(path, 1, NULL, &link, &error) < 0);
    CU_ASSERT_EQUAL(error.kind, kind);
    CU_ASSERT_STRING_EQUAL(error.object, path);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, part));
    CU_ASSERT_PTR_NULL(link);
}

static void there_is_no_server(void)
{
    char path[100], long_path[200];
    int fd;

    (void)snprintf(path, sizeof(path), "/tmp/hawser-nobody-%d.sock", (int)getpid());
    (void)unlink(path);
    cannot_open(path, HW_ERROR_FAILED, "No such file");
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    cannot_open(path, HW_ERROR_REFUSED, "is no socket");
    close(fd);
    (void)unlink(path);
    play();
    close(played.listener);
    cannot_open(played.path, HW_ERROR_FAILED, "has no server");
    (void)unlink(played.path);
    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    cannot_open(long_path, HW_ERROR_USAGE, "longer");
}

static void it_lacks(const char *part)
{
    struct vmm_vhost *link = NULL;
    struct hw_error error = { 0 };

    CU_ASSERT_TRUE(blk_open(&played.loop, played.path, 4, &link, &error) < 0);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, part));
    CU_ASSERT_PTR_NULL(link);
    if (strstr(error.reason, part) == NULL)
        printf("# %s\n", error.reason);
    stop_playing();
}

static void it_lacks_what_is_needed(void)
{
    play();
    played.features &= ~VH_F_VERSION_1;
    it_lacks("VERSION_1");
    play();
    played.features &= ~VH_F_PROTOCOL_FEATURES;
    it_lacks("lacks");
    play();
    played.protocol &= ~VH_P_CONFIG;
    it_lacks("configuration");
    play();
    played.queues = 0;
    it_lacks("no queue");
    play();
    played.protocol |= VH_P_INFLIGHT_SHMFD;
    played.features |= VH_BLK_F_MQ; /* and the configuration says that there are none */
    it_lacks("no queue");
}

static void it_takes_what_is_there(void)
{
    begin();
    CU_ASSERT_EQUAL(vmm_vhost_features(link_to), VH_F_VERSION_1 | VH_BLK_F_BLK_SIZE);
    CU_ASSERT_EQUAL(vmm_vhost_queues(link_to), 1);
    CU_ASSERT_EQUAL(vmm_vhost_config(link_to)[1], SECTORS >> 8);
    CU_ASSERT_STRING_EQUAL(vmm_vhost_path(link_to), played.path);
    end();
}

static void without_memory(void)
{
    play();
    for (unsigned n = 0;; n++) {
        struct vmm_vhost *link = NULL;
        struct hw_error error = { 0 };
        int rc;

        hang_up();
        close(played.listener); /* so that what can fail is before the connection */
        fail_alloc_arm(n);
        rc = vmm_vhost_open(played.path, 2, NULL, &link, &error);
        CU_ASSERT_TRUE(rc < 0);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, -ECONNREFUSED);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        played.listener = -1;
    }
    (void)unlink(played.path);
}

/* --- later --- */

static void rings_go_out_and_come_back(void)
{
    begin();
    CU_ASSERT_TRUE(vmm_vhost_reset(link_to)); /* nobody has them */
    vmm_vhost_start(link_to);
    CU_ASSERT_TRUE(until(runs, 1));
    CU_ASSERT_FALSE(vmm_vhost_idle(link_to));
    vmm_vhost_stop(link_to);
    CU_ASSERT_TRUE(until(is_idle, 0));
    CU_ASSERT_EQUAL(user.stops, 1);
    vmm_vhost_start(link_to);
    CU_ASSERT_TRUE(until(runs, 2));
    CU_ASSERT_FALSE(vmm_vhost_reset(link_to));
    CU_ASSERT_TRUE(until(is_reset, 0));
    CU_ASSERT_EQUAL(user.stops, 1);
    CU_ASSERT_EQUAL(played.stops, 2);
    vmm_vhost_start(link_to);
    vmm_vhost_stop(link_to); /* before anything was done */
    settle();
    CU_ASSERT_EQUAL(user.runs, 2);
    end();
}

static void without_a_record_the_guest_ends(void)
{
    begin();
    vmm_vhost_start(link_to);
    CU_ASSERT_TRUE(until(runs, 1));
    hang_up();
    CU_ASSERT_TRUE(until(has_lost, 0));
    CU_ASSERT_PTR_NOT_NULL(strstr(user.said, "no record"));
    settle();
    CU_ASSERT_EQUAL(user.losses, 1);
    CU_ASSERT_EQUAL(played.connections, 1); /* it is not tried again */
    end();
}

static void without_rings_there_is_nothing_to_lose(void)
{
    begin();
    hang_up();
    CU_ASSERT_TRUE(until(has_told, 2));
    CU_ASSERT_EQUAL(user.losses, 0);
    vmm_vhost_start(link_to);
    CU_ASSERT_TRUE(until(runs, 1));
    end();
}

/* It comes back as what `change` has made of it, and is not used. */
static void comes_back_as(void (*change)(void), const char *part)
{
    begin();
    change();
    hang_up();
    CU_ASSERT_TRUE(until(has_told, 2));
    CU_ASSERT_PTR_NOT_NULL(strstr(user.said, part));
    if (strstr(user.said, part) == NULL)
        printf("# %s\n", user.said);
    vmm_vhost_start(link_to);
    settle();
    CU_ASSERT_EQUAL(user.runs, 0);
    CU_ASSERT_EQUAL(played.starts, 0);
    end();
}

static void drop_feature(void)
{
    played.features &= ~VH_BLK_F_BLK_SIZE;
}

static void shrink(void)
{
    played.sectors--;
}

static void become_read_only(void)
{
    played.features |= VH_BLK_F_RO;
}

static void change_blocks(void)
{
    played.block_exponent = 16;
}

static void drop_version(void)
{
    played.features &= ~VH_F_VERSION_1;
}

static void it_comes_back_as_another(void)
{
    comes_back_as(drop_feature, "offers less");
    comes_back_as(shrink, "smaller");
    comes_back_as(become_read_only, "only be read");
    comes_back_as(change_blocks, "another disk");
    comes_back_as(drop_version, "VERSION_1");
}

/* A new machine takes the link over: nothing of the last one's is left. */
static void another_machine_takes_it(void)
{
    begin();
    vmm_vhost_start(link_to);
    CU_ASSERT_TRUE(until(runs, 1));
    (void)eventfd_write(vmm_vhost_call_fd(link_to, 0), 1);
    vmm_vhost_attach(link_to, NULL);
    settle();
    CU_ASSERT_EQUAL(user.losses + user.words, 0);
    vmm_vhost_attach(link_to, &callbacks);
    settle();
    CU_ASSERT_EQUAL(user.runs, 1);
    CU_ASSERT_EQUAL(played.connections, 2);
    vmm_vhost_start(link_to);
    CU_ASSERT_TRUE(until(runs, 2));
    end();
}

/* --- the dirty log --- */

static struct blk_server server;
static struct blk_world world;

static bool is_logging(void *context)
{
    const struct blk_world *w = context;

    return vmm_vhost_logging(w->link) == 1;
}

static void what_is_written_is_logged(void)
{
    uint64_t bits[4] = { 0 };

    blk_server_begin(&server);
    blk_begin(&world, &server, 2, NULL);
    blk_resume(&world);
    CU_ASSERT_EQUAL(vmm_vhost_logging(world.link), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_vhost_log_begin(world.link, GUEST_BYTES), 0);
    CU_ASSERT_EQUAL(vmm_vhost_log_begin(world.link, GUEST_BYTES), -EALREADY);
    CU_ASSERT_TRUE(blk_until(&world, is_logging)); /* before the rings are there */
    blk_drive(&world, 1);
    blk_put(&world, VH_BLK_IN, 0);
    kick(&world.world, 0);
    CU_ASSERT_TRUE(blk_until(&world, blk_all_answered));
    vmm_vhost_log_take(world.link, 0, 262144, bits);
    CU_ASSERT_EQUAL(bits[0], UINT64_C(1) << (DATA / 4096) | 1); /* data and status; used ring */
    bits[0] = UINT64_C(1) << 63;
    vmm_vhost_log_take(world.link, 0, 262144, bits);
    CU_ASSERT_EQUAL(bits[0], UINT64_C(1) << 63); /* once */
    blk_server_die(&server);
    blk_server_live(&server);
    kick(&world.world, 0);
    blk_put(&world, VH_BLK_IN, 0);
    CU_ASSERT_TRUE(blk_until(&world, blk_all_answered));
    CU_ASSERT_TRUE(blk_until(&world, is_logging));
    vmm_vhost_log_take(world.link, 0, 262144, bits);
    CU_ASSERT_EQUAL(bits[0] >> (DATA / 4096) & 1, 1); /* the next server, too */
    vmm_vhost_log_end(world.link);
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(vmm_vhost_logging(world.link), 0);
    blk_put(&world, VH_BLK_IN, 0);
    kick(&world.world, 0);
    CU_ASSERT_TRUE(blk_until(&world, blk_all_answered));
    blk_end(&world);
    blk_server_die(&server);
}

static void logging_begins_while_it_runs(void)
{
    uint64_t bits[4] = { 0 };

    blk_server_begin(&server);
    blk_begin(&world, &server, 2, NULL);
    blk_resume(&world);
    blk_drive(&world, 1);
    blk_put(&world, VH_BLK_IN, 0);
    kick(&world.world, 0);
    CU_ASSERT_TRUE(blk_until(&world, blk_all_answered));
    CU_ASSERT_EQUAL_FATAL(vmm_vhost_log_begin(world.link, GUEST_BYTES), 0);
    CU_ASSERT_EQUAL(vmm_vhost_logging(world.link), 0);
    CU_ASSERT_TRUE(blk_until(&world, is_logging));
    blk_put(&world, VH_BLK_IN, 0);
    kick(&world.world, 0);
    CU_ASSERT_TRUE(blk_until(&world, blk_all_answered));
    vmm_vhost_log_take(world.link, 0, 262144, bits);
    CU_ASSERT_EQUAL(bits[0], UINT64_C(1) << (DATA / 4096) | 1);
    blk_end(&world);
    blk_server_die(&server);
}

static void a_server_may_be_unable_to_log(void)
{
    begin();
    CU_ASSERT_EQUAL(vmm_vhost_log_begin(link_to, GUEST_BYTES), -ENOTSUP);
    end();
    play();
    played.features |= VH_F_LOG_ALL; /* and no memory for it */
    begin_at(&played.loop, played.path);
    CU_ASSERT_EQUAL(vmm_vhost_log_begin(link_to, GUEST_BYTES), 0);
    settle();
    CU_ASSERT_EQUAL(vmm_vhost_logging(link_to), -ENOTSUP);
    vmm_vhost_start(link_to);
    CU_ASSERT_TRUE(until(runs, 1));
    end();
}

const struct unit_case unit_cases[] = {
    { "there is no server", there_is_no_server },
    { "it lacks what is needed", it_lacks_what_is_needed },
    { "it takes what is there", it_takes_what_is_there },
    { "without memory", without_memory },
    { "rings go out and come back", rings_go_out_and_come_back },
    { "without a record the guest ends", without_a_record_the_guest_ends },
    { "without rings there is nothing to lose", without_rings_there_is_nothing_to_lose },
    { "it comes back as another", it_comes_back_as_another },
    { "another machine takes it", another_machine_takes_it },
    { "what is written is logged", what_is_written_is_logged },
    { "logging begins while it runs", logging_begins_while_it_runs },
    { "a server may be unable to log", a_server_may_be_unable_to_log },
    { 0 },
};
