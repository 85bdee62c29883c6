/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio_blk with a driver and a server: requests, interrupts, whom signals go
 * past, resets with requests under way, servers that die, a move to another machine.
 * (over 400: all of it is made of the same few questions to one device)
 */
#include <config.h>

#include "vmm-core/virtio/vmm_virtio_blk.h"

#include <errno.h>

#include "tests/unit/blk_world.h"
#include "tests/unit/fail_alloc.h"

static struct blk_server server;
static struct blk_world one, two;

static void begin(const struct vmm_virtio_wires *wires)
{
    blk_server_begin(&server);
    blk_begin(&one, &server, 2, wires);
    blk_resume(&one);
}

static void end(void)
{
    blk_end(&one);
    if (server.back != NULL && server.held_count > 0)
        blk_answer_held(&server);
    blk_server_die(&server);
}

static bool is_idle(void *context)
{
    const struct blk_world *w = context;

    return vmm_dev_drained(&w->world.dev);
}

static bool is_reset(void *context)
{
    const struct blk_world *w = context;

    return reg(&w->world, DEVICE_STATUS, 1) == 0;
}

static bool holds_one(void *context)
{
    const struct blk_world *w = context;

    return w->server->held_count > 0;
}

static bool is_told(void *context)
{
    const struct blk_world *w = context;

    return w->words > 0;
}

static bool is_told_twice(void *context)
{
    const struct blk_world *w = context;

    return w->words > 1;
}

static bool has_message(void *context)
{
    const struct blk_world *w = context;

    return w->world.count > 0;
}

/* One request, put and called for. */
static void ask(struct blk_world *w, enum vh_blk_type type, unsigned sector)
{
    blk_put(w, type, sector);
    kick(&w->world, 0);
}

static void read_and_check(struct blk_world *w, unsigned sector, uint8_t wanted)
{
    const unsigned n = w->chains;

    ask(w, VH_BLK_IN, sector);
    CU_ASSERT_TRUE(blk_until(w, blk_all_answered));
    CU_ASSERT_EQUAL(blk_status(w, n), VH_BLK_OK);
    CU_ASSERT_EQUAL(blk_data(w, n)[0], wanted);
}

/* --- what it is --- */

static void a_driver_finds_it(void)
{
    begin(NULL);
    virtio_map(&one.world);
    CU_ASSERT_EQUAL(pci_read(one.world.bus, VIRTIO_SLOT, 0, 0, 4), 0x10421af4);
    CU_ASSERT_EQUAL(pci_read(one.world.bus, VIRTIO_SLOT, 0, 8, 4), 0x01000001);
    CU_ASSERT_EQUAL(pci_read(one.world.bus, VIRTIO_SLOT, 0, MSIX_AT, 1), 0x11);
    CU_ASSERT_EQUAL(reg(&one.world, DEVICE_FEATURES, 4),
                    INDIRECT | VH_F_EVENT_IDX | VH_BLK_F_SEG_MAX | VH_BLK_F_BLK_SIZE |
                        VH_BLK_F_FLUSH | VH_BLK_F_TOPOLOGY | VH_BLK_F_MQ | VH_BLK_F_DISCARD |
                        VH_BLK_F_WRITE_ZEROES);
    set(&one.world, DEVICE_SELECT, 4, 1);
    CU_ASSERT_EQUAL(reg(&one.world, DEVICE_FEATURES, 4), 1); /* no RING_RESET */
    CU_ASSERT_EQUAL(reg(&one.world, QUEUE_COUNT, 2), 2);
    CU_ASSERT_EQUAL(reg(&one.world, QUEUE_SIZE, 2), VMM_VIRTIO_BLK_QUEUE_SIZE);
    CU_ASSERT_EQUAL(reg(&one.world, CONFIG_PAGE, 8), SECTORS);
    CU_ASSERT_EQUAL(reg(&one.world, CONFIG_PAGE + 20, 4), 512);
    CU_ASSERT_EQUAL(reg(&one.world, CONFIG_PAGE + 34, 2), 2);
    end();
}

static void one_queue_is_no_multiqueue(void)
{
    blk_server_begin(&server);
    blk_begin(&one, &server, 1, NULL);
    virtio_map(&one.world);
    CU_ASSERT_EQUAL(reg(&one.world, DEVICE_FEATURES, 4) & VH_BLK_F_MQ, 0);
    CU_ASSERT_EQUAL(reg(&one.world, QUEUE_COUNT, 2), 1);
    CU_ASSERT_EQUAL(reg(&one.world, CONFIG_PAGE + 34, 2), 1);
    end();
}

/* --- requests --- */

static void it_reads_and_writes(void)
{
    begin(NULL);
    blk_put(&one, VH_BLK_OUT, 3); /* before anybody is there */
    memset(blk_data(&one, 0), 0x5a, 512);
    blk_drive(&one, 2);
    CU_ASSERT_TRUE(blk_until(&one, blk_all_answered));
    CU_ASSERT_EQUAL(blk_status(&one, 0), VH_BLK_OK);
    CU_ASSERT_EQUAL(server.disk[3 * 512], 0x5a);
    CU_ASSERT_EQUAL(server.disk[4 * 512], 0);
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(one.world.pirqs, 1); /* INTA# of slot 1 */
    CU_ASSERT_EQUAL(reg(&one.world, ISR_PAGE, 1), 1);
    CU_ASSERT_EQUAL(one.world.pirqs, 0);
    read_and_check(&one, 3, 0x5a);
    CU_ASSERT_EQUAL(one.words + one.losses, 0);
    end();
}

static void vectors_are_kept_while_they_are_masked(void)
{
    begin(NULL);
    blk_drive(&one, 1);
    virtio_use_vectors(&one.world, 3);
    set(&one.world, QUEUE_SELECT, 2, 0);
    set(&one.world, QUEUE_VECTOR, 2, 1);
    ask(&one, VH_BLK_IN, 0);
    CU_ASSERT_TRUE(blk_until(&one, has_message));
    CU_ASSERT_EQUAL(one.world.messages[0], 1);
    vmm_bus_write(one.world.bus, VMM_MMIO, MSIX_BAR + 16 + 12, 4, 1);
    ask(&one, VH_BLK_IN, 0);
    CU_ASSERT_TRUE(blk_until(&one, blk_all_answered));
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(one.world.count, 1);
    CU_ASSERT_EQUAL(vmm_bus_read(one.world.bus, VMM_MMIO, MSIX_BAR + 2048, 1), 2);
    vmm_bus_write(one.world.bus, VMM_MMIO, MSIX_BAR + 16 + 12, 4, 0);
    CU_ASSERT_EQUAL(one.world.count, 2);
    CU_ASSERT_EQUAL(one.world.pirqs, 0);
    end();
}

static void no_bus_master_no_requests(void)
{
    begin(NULL);
    blk_drive(&one, 1);
    read_and_check(&one, 0, 0);
    pci_write(one.world.bus, VIRTIO_SLOT, 0, VMM_PCI_COMMAND, 2, VMM_PCI_MEMORY);
    CU_ASSERT_TRUE(blk_until(&one, is_idle));
    ask(&one, VH_BLK_IN, 0);
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(blk_status(&one, 1), 0xee);
    pci_write(one.world.bus, VIRTIO_SLOT, 0, VMM_PCI_COMMAND, 2, VMM_PCI_MEMORY | VMM_PCI_MASTER);
    CU_ASSERT_TRUE(blk_until(&one, blk_all_answered));
    CU_ASSERT_EQUAL(server.requests, 2);
    end();
}

static void a_gap_between_queues_breaks_it(void)
{
    begin(NULL);
    virtio_drive(&one.world, VERSION_1, 0, RING);
    virtio_queue(&one.world, 1, RING);
    CU_ASSERT_EQUAL(reg(&one.world, DEVICE_STATUS, 1), VIRTIO_OK | NEEDS_RESET);
    set(&one.world, DEVICE_STATUS, 1, 0);
    CU_ASSERT_TRUE(blk_until(&one, is_reset));
    blk_drive(&one, 2);
    read_and_check(&one, 0, 0);
    end();
}

/* --- whom signals go past --- */

struct fake_wires {
    bool refuse;
    unsigned ends;
    uint64_t kick_at[SERVER_QUEUES];
    int call_fd[SERVER_QUEUES];
    uint32_t data[SERVER_QUEUES];
};

static struct fake_wires fake;

static unsigned queue_of_kick(int fd)
{
    unsigned i = 0;

    while (i < 2 && vmm_vhost_kick_fd(one.link, i) != fd)
        i++;
    CU_ASSERT_TRUE_FATAL(i < 2);
    return i;
}

static int fake_kick(void *context, int fd, uint64_t at, bool on)
{
    struct fake_wires *wires = context;
    const unsigned i = queue_of_kick(fd);

    if (wires->refuse)
        return -ENOSPC;
    CU_ASSERT_EQUAL(wires->kick_at[i], on ? 0 : at);
    wires->kick_at[i] = on ? at : 0;
    return 0;
}

static int fake_call(void *context, int fd, uint64_t address, uint32_t data, unsigned *ret_number)
{
    struct fake_wires *wires = context;

    if (wires->refuse)
        return -ENOSPC;
    CU_ASSERT_EQUAL(address, 0xfee00000);
    CU_ASSERT_TRUE_FATAL(data < SERVER_QUEUES);
    CU_ASSERT_EQUAL(wires->call_fd[data], 0);
    wires->call_fd[data] = fd;
    *ret_number = data;
    return 0;
}

static void fake_end_call(void *context, int fd, unsigned number)
{
    struct fake_wires *wires = context;

    CU_ASSERT_EQUAL(wires->call_fd[number], fd);
    wires->call_fd[number] = 0;
    wires->ends++;
}

static const struct vmm_virtio_wires wires = { fake_kick, fake_call, fake_end_call, &fake };

static void use_vector(unsigned vector)
{
    virtio_use_vectors(&one.world, 3);
    set(&one.world, QUEUE_SELECT, 2, 0);
    set(&one.world, QUEUE_VECTOR, 2, vector);
}

static void signals_go_past_it(void)
{
    memset(&fake, 0, sizeof(fake));
    begin(&wires);
    CU_ASSERT_EQUAL(fake.kick_at[0], 0);
    blk_drive(&one, 2);
    CU_ASSERT_EQUAL(fake.kick_at[0], BAR + NOTIFY_PAGE);
    CU_ASSERT_EQUAL(fake.kick_at[1], BAR + NOTIFY_PAGE + 4);
    CU_ASSERT_EQUAL(fake.call_fd[1], 0); /* the pin is not KVM's */
    use_vector(1);
    CU_ASSERT_EQUAL(fake.call_fd[1], vmm_vhost_call_fd(one.link, 0));
    vmm_bus_write(one.world.bus, VMM_MMIO, MSIX_BAR + 16 + 12, 4, 1);
    CU_ASSERT_EQUAL(fake.call_fd[1], 0);
    ask(&one, VH_BLK_IN, 0);
    CU_ASSERT_TRUE(blk_until(&one, blk_all_answered));
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(vmm_bus_read(one.world.bus, VMM_MMIO, MSIX_BAR + 2048, 1), 2);
    vmm_bus_write(one.world.bus, VMM_MMIO, MSIX_BAR + 16 + 12, 4, 0);
    CU_ASSERT_EQUAL(one.world.count, 1);
    CU_ASSERT_EQUAL(fake.call_fd[1], vmm_vhost_call_fd(one.link, 0));
    pci_write(one.world.bus, VIRTIO_SLOT, 0, VMM_PCI_BAR0, 4, BAR + 0x100000);
    CU_ASSERT_EQUAL(fake.kick_at[0], BAR + 0x100000 + NOTIFY_PAGE);
    pci_write(one.world.bus, VIRTIO_SLOT, 0, VMM_PCI_BAR0, 4, BAR);
    set(&one.world, DEVICE_STATUS, 1, 0);
    CU_ASSERT_EQUAL(fake.kick_at[0] + fake.kick_at[1], 0);
    CU_ASSERT_EQUAL(fake.call_fd[1], 0);
    end();
}

static void signals_that_cannot_go_past_it_come_to_it(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.refuse = true;
    begin(&wires);
    blk_drive(&one, 1);
    use_vector(1);
    read_and_check(&one, 0, 0);
    CU_ASSERT_TRUE(blk_until(&one, has_message));
    CU_ASSERT_EQUAL(fake.ends, 0);
    end();
}

static void they_end_with_it(void)
{
    memset(&fake, 0, sizeof(fake));
    begin(&wires);
    blk_drive(&one, 2);
    use_vector(1);
    end();
    CU_ASSERT_EQUAL(fake.kick_at[0] + fake.kick_at[1], 0);
    CU_ASSERT_EQUAL(fake.ends, 1);
}

/* --- resets --- */

/* A request that the server holds. */
static void ask_held(void)
{
    server.answers_later = true;
    ask(&one, VH_BLK_OUT, 9);
    CU_ASSERT_TRUE_FATAL(blk_until(&one, holds_one));
}

static void a_reset_waits_for_what_is_under_way(void)
{
    begin(NULL);
    blk_drive(&one, 1);
    ask_held();
    set(&one.world, DEVICE_STATUS, 1, 0);
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(reg(&one.world, DEVICE_STATUS, 1), VIRTIO_OK);
    set(&one.world, DEVICE_STATUS, 1, 3); /* not before it is done */
    set(&one.world, QUEUE_SELECT, 2, 1);
    CU_ASSERT_EQUAL(reg(&one.world, QUEUE_SELECT, 2), 0);
    blk_answer_held(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_reset));
    CU_ASSERT_EQUAL(reg(&one.world, QUEUE_ENABLE, 2), 0);
    CU_ASSERT_EQUAL(one.world.pirqs, 0);
    memset(one.world.memory, 0, DATA);
    one.chains = 0;
    blk_drive(&one, 1);
    read_and_check(&one, 1, 0);
    CU_ASSERT_EQUAL(server.requests, 2);
    end();
}

static void a_reset_without_a_server_forgets(void)
{
    begin(NULL);
    blk_drive(&one, 1);
    ask_held();
    blk_server_die(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_told));
    set(&one.world, DEVICE_STATUS, 1, 0);
    CU_ASSERT_EQUAL(reg(&one.world, DEVICE_STATUS, 1), VIRTIO_OK);
    server.answers_later = false;
    blk_server_live(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_reset));
    memset(one.world.memory, 0, DATA);
    one.chains = 0;
    server.requests = 0;
    blk_drive(&one, 1);
    read_and_check(&one, 1, 0);
    CU_ASSERT_EQUAL(server.requests, 1); /* not the one before */
    CU_ASSERT_EQUAL(one.words, 2);
    end();
}

/* The guest may remember what it read: where it ran stays known. */
static void a_reset_keeps_where_the_guest_ran(void)
{
    begin(NULL);
    blk_drive(&one, 1);
    read_and_check(&one, 0, 0);
    set(&one.world, DEVICE_STATUS, 1, 0);
    CU_ASSERT_TRUE(blk_until(&one, is_reset));
    server.origin.line++;
    vh_back_set_origin(server.back, &server.origin);
    memset(one.world.memory, 0, DATA);
    one.chains = 0;
    blk_drive(&one, 1);
    ask(&one, VH_BLK_IN, 0);
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(vh_back_stats(server.back).stale, 1);
    CU_ASSERT_EQUAL(blk_status(&one, 0), 0xee);
    vmm_dev_reset(&one.world.dev); /* another guest */
    vmm_dev_reset(&one.world.msix);
    memset(one.world.memory, 0, DATA);
    one.chains = 0;
    blk_drive(&one, 1);
    read_and_check(&one, 0, 0);
    end();
}

/* --- servers die --- */

static void the_guest_waits_for_its_server(void)
{
    begin(NULL);
    blk_drive(&one, 2);
    ask_held();
    memset(blk_data(&one, 0), 0x77, 512);
    blk_server_die(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_told));
    CU_ASSERT_PTR_NOT_NULL(strstr(one.said, "the guest waits"));
    CU_ASSERT_PTR_NOT_NULL(strstr(one.said, server.path));
    ask(&one, VH_BLK_OUT, 10);
    memset(blk_data(&one, 1), 0x78, 512);
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(blk_status(&one, 0), 0xee);
    CU_ASSERT_EQUAL(one.words, 1);
    (void)reg(&one.world, ISR_PAGE, 1);
    server.answers_later = false;
    blk_server_live(&server);
    CU_ASSERT_TRUE(blk_until(&one, blk_all_answered));
    CU_ASSERT_TRUE(blk_until(&one, is_told_twice));
    CU_ASSERT_PTR_NOT_NULL(strstr(one.said, "is back"));
    CU_ASSERT_EQUAL(blk_status(&one, 0) + blk_status(&one, 1), 0);
    CU_ASSERT_EQUAL(server.disk[9 * 512], 0x77);
    CU_ASSERT_EQUAL(server.disk[10 * 512], 0x78);
    CU_ASSERT_EQUAL(one.world.pirqs, 1);
    CU_ASSERT_EQUAL(one.losses, 0);
    end();
}

static void a_disk_that_grew_is_told_of(void)
{
    begin(NULL);
    blk_drive(&one, 1);
    read_and_check(&one, 0, 0);
    (void)reg(&one.world, ISR_PAGE, 1);
    blk_server_die(&server);
    server.device.sectors *= 2;
    blk_server_live(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_told_twice));
    CU_ASSERT_EQUAL(reg(&one.world, CONFIG_PAGE, 8), SECTORS * 2);
    CU_ASSERT_EQUAL(reg(&one.world, ISR_PAGE, 1) & 2, 2);
    read_and_check(&one, 0, 0);
    end();
}

static void a_disk_that_shrank_is_not_used(void)
{
    begin(NULL);
    blk_drive(&one, 1);
    read_and_check(&one, 0, 0);
    blk_server_die(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_told));
    server.device.sectors /= 2;
    blk_server_live(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_told_twice));
    CU_ASSERT_PTR_NOT_NULL(strstr(one.said, "smaller"));
    ask(&one, VH_BLK_IN, 0);
    for (unsigned i = 0; i < 20; i++)
        (void)watch_loop_turn(&server.loop, 20);
    CU_ASSERT_EQUAL(one.words, 2); /* and no more */
    CU_ASSERT_EQUAL(blk_status(&one, 1), 0xee);
    blk_server_die(&server);
    server.device.sectors *= 2;
    blk_server_live(&server);
    CU_ASSERT_TRUE(blk_until(&one, blk_all_answered));
    end();
}

/* --- saved and loaded --- */

enum { STATE_BYTES = 8 + VMM_PCI_STATE_BYTES + 25 + 2 * 31 };

static void it_moves(void)
{
    uint8_t bytes[STATE_BYTES];

    begin(NULL);
    blk_drive(&one, 1);
    read_and_check(&one, 0, 0);
    server.disk[5 * 512] = 0x31;
    vmm_dev_pause(&one.world.dev);
    CU_ASSERT_FALSE(vmm_dev_drained(&one.world.dev));
    CU_ASSERT_TRUE_FATAL(blk_until(&one, is_idle));
    ask(&one, VH_BLK_IN, 5); /* it was called for in the last moment */
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(blk_status(&one, 1), 0xee);
    dev_save(&one.world.dev, bytes, sizeof(bytes));
    blk_begin(&two, &server, 2, NULL);
    memcpy(two.world.memory, one.world.memory, GUEST_BYTES);
    two.chains = one.chains;
    CU_ASSERT_EQUAL_FATAL(dev_load(&two.world.dev, bytes, sizeof(bytes)), 0);
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(blk_status(&two, 1), 0xee); /* not before it runs */
    (void)reg(&two.world, ISR_PAGE, 1);
    blk_resume(&two);
    CU_ASSERT_TRUE(blk_until(&two, blk_all_answered));
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(blk_data(&two, 1)[0], 0x31);
    CU_ASSERT_EQUAL(two.world.pirqs, 1);
    CU_ASSERT_EQUAL(blk_status(&one, 1), 0xee);
    read_and_check(&two, 5, 0x31);
    blk_end(&two);
    end();
}

static void a_loaded_guest_is_interrupted_once(void)
{
    uint8_t bytes[STATE_BYTES];

    begin(NULL);
    blk_drive(&one, 1);
    read_and_check(&one, 0, 0);
    vmm_dev_pause(&one.world.dev);
    CU_ASSERT_TRUE_FATAL(blk_until(&one, is_idle));
    (void)reg(&one.world, ISR_PAGE, 1); /* as if it had been told to nobody */
    dev_save(&one.world.dev, bytes, sizeof(bytes));
    CU_ASSERT_EQUAL(dev_load(&one.world.dev, bytes, sizeof(bytes)), 0);
    CU_ASSERT_EQUAL(one.world.pirqs, 0);
    blk_resume(&one);
    blk_settle(&server.loop);
    CU_ASSERT_EQUAL(one.world.pirqs, 1);
    end();
}

static void a_state_of_a_larger_disk_is_refused(void)
{
    uint8_t bytes[STATE_BYTES];

    begin(NULL);
    blk_drive(&one, 1);
    vmm_dev_pause(&one.world.dev);
    CU_ASSERT_TRUE_FATAL(blk_until(&one, is_idle));
    dev_save(&one.world.dev, bytes, sizeof(bytes));
    bytes[0]++; /* SECTORS is a multiple of 256 */
    CU_ASSERT_EQUAL(dev_load(&one.world.dev, bytes, sizeof(bytes)), -EBADMSG);
    bytes[0]--;
    bytes[1]--;
    CU_ASSERT_EQUAL(dev_load(&one.world.dev, bytes, sizeof(bytes)), 0);
    CU_ASSERT_EQUAL(reg(&one.world, CONFIG_PAGE, 8), SECTORS - 256);
    blk_resume(&one);
    CU_ASSERT_EQUAL(reg(&one.world, CONFIG_PAGE, 8), SECTORS);
    CU_ASSERT_EQUAL(reg(&one.world, ISR_PAGE, 1) & 2, 2);
    end();
}

static void a_pause_waits_for_a_server_that_is_gone(void)
{
    begin(NULL);
    blk_drive(&one, 1);
    ask_held();
    blk_server_die(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_told));
    vmm_dev_pause(&one.world.dev);
    blk_settle(&server.loop);
    CU_ASSERT_FALSE(is_idle(&one));
    server.answers_later = false;
    blk_server_live(&server);
    CU_ASSERT_TRUE(blk_until(&one, is_idle));
    CU_ASSERT_TRUE(blk_all_answered(&one));
    blk_resume(&one);
    read_and_check(&one, 0, 0);
    end();
}

/* --- no memory --- */

static void nothing_is_left_without_memory(void)
{
    const struct vmm_virtio_blk_callbacks callbacks = { blk_lost, blk_tell, &one };
    struct vmm_dev dev, msix;

    begin(NULL);
    for (unsigned n = 0;; n++) {
        const struct vmm_virtio_blk_memory memory = blk_memory(&one);
        int rc;

        fail_alloc_arm(n);
        rc = vmm_virtio_blk_new(one.world.pci, 2, one.link, one.world.mem, &memory, NULL,
                                &callbacks, &dev, &msix);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    msix.ops->fini(msix.dev);
    dev.ops->fini(dev.dev);
    end();
}

const struct unit_case unit_cases[] = {
    { "a driver finds it", a_driver_finds_it },
    { "one queue is no multiqueue", one_queue_is_no_multiqueue },
    { "it reads and writes, and uses its pin", it_reads_and_writes },
    { "vectors are kept while they are masked", vectors_are_kept_while_they_are_masked },
    { "no bus master, no requests", no_bus_master_no_requests },
    { "a gap between queues breaks it", a_gap_between_queues_breaks_it },
    { "signals go past it", signals_go_past_it },
    { "signals that cannot go past it come to it", signals_that_cannot_go_past_it_come_to_it },
    { "they end with it", they_end_with_it },
    { "a reset waits for what is under way", a_reset_waits_for_what_is_under_way },
    { "a reset without a server forgets", a_reset_without_a_server_forgets },
    { "a reset keeps where the guest ran", a_reset_keeps_where_the_guest_ran },
    { "the guest waits for its server", the_guest_waits_for_its_server },
    { "a disk that grew is told of", a_disk_that_grew_is_told_of },
    { "a disk that shrank is not used", a_disk_that_shrank_is_not_used },
    { "it moves", it_moves },
    { "a loaded guest is interrupted once", a_loaded_guest_is_interrupted_once },
    { "a state of a larger disk is refused", a_state_of_a_larger_disk_is_refused },
    { "a pause waits for a server that is gone", a_pause_waits_for_a_server_that_is_gone },
    { "nothing is left without memory", nothing_is_left_without_memory },
    { 0 },
};
