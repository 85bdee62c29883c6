/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/virtio/vmm_virtio_blk and vmm-core/virtio/vmm_vhost: a guest that writes anything
 * to its disk's registers, and a server that answers anything, hangs up, comes back as it likes and
 * writes anything into the guest's memory; pauses, saves and loads in between. The device waits for
 * its server or tells that it cannot; what signals lead past it ends with it; nothing is left open.
 * (over 400: the server that answers is half of it)
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "vmm-core/virtio/vmm_vhost_priv.h"
#include "vmm-core/virtio/vmm_virtio_blk.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "storage/vhost/vh_blk.h"
#include "storage/vhost/vh_msg.h"

enum { GUEST_BYTES = 65536, QUEUES = 2, RING = 8, SLOT = 1, STEPS = 200, STATE_BYTES = 1024 };
enum { NOTIFY_PAGE = 12288, COMMAND = 4, MASTER_AND_MEMORY = 6, DRIVER_OK = 15 };
#define BAR      UINT32_C(0xfe000000)
#define MSIX_BAR UINT32_C(0xfe010000)

struct world {
    struct vmm_bus *bus;
    struct vmm_pci *pci;
    struct vmm_dev pci_dev, dev, msix;
    uint8_t *memory;
    int memory_fd;
    struct vh_mem *mem;
    unsigned lost;
    uint64_t kick_at[QUEUES];
    int call_fd[QUEUES];
};

/* One link for all runs, as one serves many machines. */
static struct vmm_vhost *link_to;
static struct {
    int listener, fd; /* -1: nobody is connected */
    struct vh_msg_reader reader;
    uint32_t asked; /* the message that came last */
    int call_fd;    /* what was handed over, or -1 */
    bool mean;      /* it answers only what the input says */
} server;

/* --- the server --- */

static void hang_up(void)
{
    vh_msg_reader_next(&server.reader);
    if (server.fd >= 0)
        close(server.fd);
    if (server.call_fd >= 0)
        close(server.call_fd);
    server.fd = server.call_fd = -1;
}

static void answer(struct vh_msg *msg, uint32_t request)
{
    msg->request = request;
    msg->flags = VH_VERSION | VH_FLAG_REPLY;
    (void)vh_msg_send(server.fd, msg);
}

static void answer_config(uint32_t request)
{
    const struct vh_blk_device device = {
        .sectors = 128, .block_bytes = 512, .physical_block_bytes = 512, .queues = QUEUES
    };
    struct vh_msg msg = { 0 };

    vh_msg_put_u32(&msg, 0);
    vh_msg_put_u32(&msg, VH_BLK_CONFIG_BYTES);
    vh_msg_put_u32(&msg, 0);
    vh_blk_config(&device, msg.payload + msg.size);
    msg.size += VH_BLK_CONFIG_BYTES;
    answer(&msg, request);
}

static void answer_inflight(uint32_t request)
{
    const int fd = vh_inflight_create(QUEUES, RING);
    struct vh_msg msg = { .fd_count = 1, .fds = { fd } };

    fuzz_require(fd >= 0);
    vh_msg_put_u64(&msg, vh_inflight_bytes(QUEUES, RING));
    vh_msg_put_u64(&msg, 0);
    vh_msg_put_u32(&msg, 0);
    answer(&msg, request);
    close(fd);
}

/* As a good one does. */
static void answer_well(const struct vh_msg *to)
{
    struct vh_msg msg = { 0 };

    switch ((enum vh_request_id)to->request) {
    case VH_GET_FEATURES:
        vh_msg_put_u64(&msg, VH_F_VERSION_1 | VH_F_PROTOCOL_FEATURES | VH_F_LOG_ALL |
                                 VH_F_INDIRECT_DESC | VH_BLK_F_MQ | VH_BLK_F_BLK_SIZE);
        break;
    case VH_GET_PROTOCOL_FEATURES:
        vh_msg_put_u64(&msg, VH_P_MQ | VH_P_LOG_SHMFD | VH_P_REPLY_ACK | VH_P_CONFIG |
                                 VH_P_INFLIGHT_SHMFD);
        break;
    case VH_GET_QUEUE_NUM:
        vh_msg_put_u64(&msg, QUEUES);
        break;
    case VH_GET_CONFIG:
        answer_config(to->request);
        return;
    case VH_GET_INFLIGHT_FD:
        answer_inflight(to->request);
        return;
    case VH_GET_VRING_BASE:
        vh_msg_put_u32(&msg, vh_msg_get_u32(to, 0));
        vh_msg_put_u32(&msg, 0);
        break;
    default:
        if ((to->flags & VH_FLAG_NEED_REPLY) == 0 && to->request != VH_SET_LOG_BASE)
            return;
        vh_msg_put_u64(&msg, 0);
        break;
    }
    answer(&msg, to->request);
}

static void hear(void)
{
    int rc;

    if (server.fd < 0) {
        server.fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (server.fd < 0)
            return;
    }
    while ((rc = vh_msg_receive(&server.reader, server.fd)) == 1) {
        struct vh_msg *msg = &server.reader.msg;

        server.asked = msg->request;
        if (msg->request == VH_SET_VRING_CALL && msg->fd_count > 0) {
            if (server.call_fd >= 0)
                close(server.call_fd);
            server.call_fd = vh_msg_take_fd(msg, 0);
        }
        if (!server.mean)
            answer_well(msg);
        vh_msg_reader_next(&server.reader);
    }
    if (rc < 0)
        hang_up();
}

/* Both do what they can. */
static void turn(void)
{
    for (unsigned i = 0; i < 24; i++) {
        struct pollfd fds[] = { { .fd = vmm_vhost_fd(link_to), .events = POLLIN },
                                { .fd = server.fd >= 0 ? server.fd : server.listener,
                                  .events = POLLIN } };

        if (poll(fds, 2, 0) <= 0)
            return;
        if (fds[0].revents != 0)
            vmm_vhost_service(link_to);
        if (fds[1].revents != 0)
            hear();
    }
}

static void *serve_first(void *over)
{
    while (!__atomic_load_n((bool *)over, __ATOMIC_ACQUIRE)) {
        struct pollfd fd = { .fd = server.fd >= 0 ? server.fd : server.listener, .events = POLLIN };

        if (poll(&fd, 1, 1) > 0)
            hear();
    }
    return NULL;
}

static void open_link(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    bool over = false;
    pthread_t thread;

    (void)signal(SIGPIPE, SIG_IGN);
    vh_msg_reader_init(&server.reader);
    server.fd = server.call_fd = -1;
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/hawser-fuzz-%d.sock",
                   (int)getpid());
    (void)unlink(address.sun_path);
    fuzz_require(bind(server.listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                 listen(server.listener, 8) == 0);
    fuzz_require(pthread_create(&thread, NULL, serve_first, &over) == 0);
    fuzz_require(vmm_vhost_open(address.sun_path, QUEUES, NULL, &link_to, NULL) == 0);
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    fuzz_require(pthread_join(thread, NULL) == 0);
}

/* --- the machine --- */

static void send_msi(void *context, uint64_t address, uint32_t data)
{
    (void)context, (void)address, (void)data;
}

static void no_reset(void *context)
{
    (void)context;
}

static void lost(void *context, const char *text)
{
    struct world *world = context;

    fuzz_require(text[0] != '\0');
    world->lost++;
}

static void tell(void *context, const char *text)
{
    (void)context;
    fuzz_require(text[0] != '\0');
}

static int kick(void *context, int fd, uint64_t at, bool on)
{
    struct world *world = context;
    const unsigned i = fd == vmm_vhost_kick_fd(link_to, 1);

    fuzz_require(fd == vmm_vhost_kick_fd(link_to, i) && at != 0);
    if (on && at % 64 == 8)
        return -ENOSPC; /* KVM has no more */
    fuzz_require(world->kick_at[i] == (on ? 0 : at));
    world->kick_at[i] = on ? at : 0;
    return 0;
}

static int call(void *context, int fd, uint64_t address, uint32_t data, unsigned *ret_number)
{
    struct world *world = context;
    const unsigned i = fd == vmm_vhost_call_fd(link_to, 1);

    (void)address;
    fuzz_require(world->call_fd[i] == -1);
    if (data % 16 == 7)
        return -ENOSPC;
    world->call_fd[i] = fd;
    *ret_number = i;
    return 0;
}

static void end_call(void *context, int fd, unsigned number)
{
    struct world *world = context;

    fuzz_require(number < QUEUES && world->call_fd[number] == fd);
    world->call_fd[number] = -1;
}

static void add_disk(struct world *world)
{
    const struct vmm_virtio_wires wires = { kick, call, end_call, world };
    const struct vmm_virtio_blk_callbacks callbacks = { lost, tell, world };
    const struct vmm_virtio_blk_memory memory = {
        .count = 1,
        .regions = { { .bytes = GUEST_BYTES, .user_addr = (uintptr_t)world->memory } },
        .fds = { world->memory_fd },
    };

    fuzz_require(vmm_virtio_blk_new(world->pci, SLOT, link_to, world->mem, &memory, &wires,
                                    &callbacks, &world->dev, &world->msix) == 0);
}

static void begin(struct world *world)
{
    const struct vmm_pci_callbacks callbacks = { send_msi, no_reset, world };
    const struct vh_region region = { .bytes = GUEST_BYTES };
    void *memory;

    memset(world, 0, sizeof(*world));
    for (unsigned i = 0; i < QUEUES; i++)
        world->call_fd[i] = -1;
    server.mean = false;
    if (!link_to->known) {
        fuzz_require(link_connect(link_to) == 0);
        turn();
    }
    fuzz_require(link_to->known);
    world->memory_fd = memfd_create("guest", MFD_CLOEXEC);
    fuzz_require(world->memory_fd >= 0 && ftruncate(world->memory_fd, GUEST_BYTES) == 0);
    memory = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, world->memory_fd, 0);
    fuzz_require(memory != MAP_FAILED);
    world->memory = memory;
    world->bus = vmm_bus_new();
    fuzz_require(world->bus != NULL && vh_mem_over(&region, &memory, 1, &world->mem) == 0);
    fuzz_require(vmm_pci_new(world->bus, &callbacks, &world->pci_dev, &world->pci) == 0);
    add_disk(world);
    vmm_dev_resume(&world->dev);
}

static void end(struct world *world)
{
    world->msix.ops->fini(world->msix.dev);
    world->dev.ops->fini(world->dev.dev);
    for (unsigned i = 0; i < QUEUES; i++)
        fuzz_require(world->kick_at[i] == 0 && world->call_fd[i] == -1);
    fuzz_require(vmm_vhost_idle(link_to) && vmm_vhost_logging(link_to) == 0);
    world->pci_dev.ops->fini(world->pci_dev.dev);
    vmm_bus_free(world->bus);
    vh_mem_unref(world->mem);
    munmap(world->memory, GUEST_BYTES);
    close(world->memory_fd);
    vh_front_disconnect(link_to->front);
    link_to->connected = link_to->known = false;
    hang_up();
    while ((server.fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        hang_up();
}

/* --- what holds --- */

static void check(const struct world *world)
{
    const uint64_t status = vmm_bus_read(world->bus, VMM_MMIO, BAR + 20, 1);

    fuzz_require(world->lost <= 1 && (world->lost == 1) == link_to->over);
    fuzz_require(link_to->queues == QUEUES);
    if (status == 0) /* no driver, or nothing is mapped (ffh) */
        fuzz_require(link_to->state == LINK_IDLE && !link_to->wanted && !link_to->resetting);
    for (unsigned i = 0; i < QUEUES; i++)
        fuzz_require(link_to->takes_calls[i] == (world->call_fd[i] == -1));
}

/* --- what happens --- */

static void write_config(struct world *world, unsigned at, unsigned bytes, uint32_t what)
{
    vmm_bus_write(world->bus, VMM_PORTS, 0xcf8, 4, UINT32_C(0x80000000) | SLOT << 11 | (at & 0xfc));
    vmm_bus_write(world->bus, VMM_PORTS, 0xcfc + at % 4, bytes, what);
}

static void write_bar(const struct world *world, unsigned at, unsigned bytes, uint64_t what)
{
    vmm_bus_write(world->bus, VMM_MMIO, BAR + at, bytes, what);
}

static void map(struct world *world)
{
    write_config(world, VMM_PCI_BAR0, 4, BAR);
    write_config(world, VMM_PCI_BAR0 + 4, 4, MSIX_BAR);
    write_config(world, COMMAND, 2, MASTER_AND_MEMORY);
}

/* As a driver does, with as many queues. */
static void drive(struct world *world, unsigned queues)
{
    map(world);
    write_bar(world, 20, 1, 0);
    write_bar(world, 20, 1, 3);
    write_bar(world, 8, 4, 0);
    write_bar(world, 12, 4, VH_F_INDIRECT_DESC | VH_BLK_F_MQ);
    write_bar(world, 8, 4, 1);
    write_bar(world, 12, 4, 1);
    write_bar(world, 20, 1, 11);
    for (unsigned i = 0; i < queues; i++) {
        write_bar(world, 22, 2, i);
        write_bar(world, 24, 2, RING);
        write_bar(world, 26, 2, i + 1);
        write_bar(world, 32, 8, i * 4096);
        write_bar(world, 40, 8, i * 4096 + 1024);
        write_bar(world, 48, 8, i * 4096 + 2048);
        write_bar(world, 28, 2, 1);
    }
    write_bar(world, 20, 1, DRIVER_OK);
}

static void guest_accesses(struct world *world, struct input *input)
{
    const uint8_t how = byte(input);
    const unsigned at = byte(input) | (how & 48U) << 4, bytes = 1U << how % 4;

    if (how >= 192)
        write_config(world, at % 252, 1U << how % 3, (uint32_t)number(input));
    else if (how >= 128)
        vmm_bus_write(world->bus, VMM_MMIO, MSIX_BAR + at, bytes, number(input));
    else if (how >= 64)
        write_bar(world, NOTIFY_PAGE + at % 16, bytes, number(input));
    else
        write_bar(world, at % 64, bytes, number(input));
}

/* An answer to what it was asked, or any message, of any bytes. */
static void server_says(struct world *world, struct input *input)
{
    const uint8_t how = byte(input);
    struct vh_msg msg = { .size = byte(input) % 80, .fd_count = how >> 6 };

    for (unsigned i = 0; i < msg.size; i++)
        msg.payload[i] = byte(input);
    for (unsigned i = 0; i < msg.fd_count; i++)
        msg.fds[i] = world->memory_fd;
    if (server.fd >= 0)
        answer(&msg, (how & 32) != 0 ? how % 32U : server.asked);
}

static void server_writes(struct world *world, struct input *input)
{
    const unsigned at = byte(input) * 32U, count = byte(input) % 16;

    for (unsigned i = 0; i < count; i++)
        world->memory[at + i] = byte(input);
    if (server.call_fd >= 0)
        (void)eventfd_write(server.call_fd, 1);
}

/* What was saved is what is loaded; then any bytes over it. */
static void save_and_load(struct world *world, struct input *input)
{
    uint8_t bytes[STATE_BYTES], again[STATE_BYTES];
    struct hw_writer writer = hw_writer_over(bytes, sizeof(bytes)), second;
    struct vmm_state state = vmm_state_saving(&writer, 1);
    const uint8_t at = byte(input), count = byte(input) % 16;

    vmm_dev_pause(&world->dev);
    turn();
    if (!vmm_dev_drained(&world->dev)) {
        vmm_dev_resume(&world->dev);
        return;
    }
    world->dev.ops->state(world->dev.dev, &state);
    fuzz_require(vmm_state_end(&state) == 0);
    vmm_dev_reset(&world->dev);
    state = vmm_state_loading(bytes, writer.at, 1);
    world->dev.ops->state(world->dev.dev, &state);
    fuzz_require(vmm_state_end(&state) == 0);
    second = hw_writer_over(again, sizeof(again));
    state = vmm_state_saving(&second, 1);
    world->dev.ops->state(world->dev.dev, &state);
    fuzz_require(second.at == writer.at && memcmp(bytes, again, writer.at) == 0);
    if (count > 0) {
        for (size_t i = at; i < writer.at && i < (size_t)at + count; i++)
            bytes[i] = byte(input);
        vmm_dev_reset(&world->dev);
        state = vmm_state_loading(bytes, writer.at, 1);
        world->dev.ops->state(world->dev.dev, &state);
    }
    vmm_dev_resume(&world->dev);
}

static void log_some(struct input *input)
{
    uint64_t bits[8] = { 0 };

    if (byte(input) % 4 == 0)
        vmm_vhost_log_end(link_to);
    else if (vmm_vhost_log_begin(link_to, GUEST_BYTES) == -EALREADY)
        vmm_vhost_log_take(link_to, 0, 2 * 262144, bits); /* the log ends before */
}

static void step(struct world *world, struct input *input)
{
    const uint8_t what = byte(input);

    switch (what % 12) {
    case 0:
    case 1:
    case 2:
        guest_accesses(world, input);
        break;
    case 3:
        drive(world, what / 12 % (QUEUES + 1));
        break;
    case 4:
        map(world);
        break;
    case 5:
        server.mean = what / 12 % 2 == 1;
        turn();
        break;
    case 6:
        server_says(world, input);
        break;
    case 7:
        server_writes(world, input);
        break;
    case 8:
        hang_up();
        turn();
        break;
    case 9:
        save_and_load(world, input);
        break;
    case 10:
        log_some(input);
        break;
    default: /* the timer would, later */
        turn();
        if (!link_to->connected && !link_to->over)
            (void)link_connect(link_to);
        break;
    }
    turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct world world;
    int first_free, next;

    if (link_to == NULL) {
        open_link();
        vh_front_disconnect(link_to->front);
        link_to->connected = link_to->known = false;
        hang_up();
    }
    first_free = dup(STDERR_FILENO);
    close(first_free);
    begin(&world);
    for (unsigned i = 0; input.size > 0 && i < STEPS; i++) {
        step(&world, &input);
        check(&world);
    }
    end(&world);
    next = dup(STDERR_FILENO); /* the lowest free number: nothing was left open */
    fuzz_require(next == first_free);
    close(next);
    return 0;
}
