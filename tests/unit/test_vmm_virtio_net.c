/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio_net, vmm-core/virtio/vmm_virtio_net_receive: frames go both ways,
 * those that fit, and the link comes and goes. The control queue is in
 * test_vmm_virtio_net_control.c.
 */
#include <config.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/net_world.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { FRAME_AT = 0, STATE_BYTES = 8 + 6 + 2 * (3 + 64 * 6) + VMM_PCI_STATE_BYTES + 25 + 3 * 31 };
#define MERGES (UINT64_C(1) << 15)
#define CSUM   (UINT64_C(1) << 1)
#define TSO6   (UINT64_C(1) << 8)

static struct net_world n;
static struct virtio_world *const w = &n.world;

static void it_is_found(void)
{
    net_begin(&n, 0);
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 0, 4), 0x10411af4);
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 10, 2), 0x0200);
    CU_ASSERT_EQUAL(reg(w, QUEUE_COUNT, 2), 3);
    CU_ASSERT_EQUAL(reg(w, CONFIG_PAGE, 8), UINT64_C(0x0001030201005452)); /* MAC, link is up */
    CU_ASSERT_EQUAL(w->dev.ops->id, VMM_DEV_VIRTIO_NET);
    net_end(&n);
}

/* --- out --- */

static void send_pieces(unsigned first, unsigned second)
{
    net_piece(&n, TRANSMIT, 0, FRAME_AT, first, VH_DESC_F_NEXT);
    net_piece(&n, TRANSMIT, 1, FRAME_AT + 4096, second, 0);
    offer(w, TRANSMIT, SIZE, 0);
    kick(w, TRANSMIT);
}

static void frames_go_out(void)
{
    net_begin(&n, 0);
    memset(w->memory + DATA, 1, 20);
    memset(w->memory + DATA + 4096, 2, 40);
    send_pieces(20, 40);
    CU_ASSERT_EQUAL(n.sends, 1);
    CU_ASSERT_EQUAL(n.sent_bytes, 60);
    CU_ASSERT_EQUAL(n.sent[19], 1);
    CU_ASSERT_EQUAL(n.sent[20], 2);
    CU_ASSERT_EQUAL(net_used(&n, TRANSMIT), 1);
    CU_ASSERT_EQUAL(net_used_bytes(&n, TRANSMIT, 0), 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    CU_ASSERT_EQUAL(n.laters, 0);
    net_end(&n);
}

/* They come back all the same. */
static void what_is_no_frame(void)
{
    net_begin(&n, 0);
    send_pieces(HEADER, 13); /* less than addresses and type */
    send_pieces(40000, 40000);
    net_piece(&n, TRANSMIT, 0, 0, 100, VH_DESC_F_WRITE);
    offer(w, TRANSMIT, SIZE, 0);
    kick(w, TRANSMIT);
    CU_ASSERT_EQUAL(n.sends, 0);
    send_pieces(HEADER, 14);
    CU_ASSERT_EQUAL(n.sends, 1);
    vmm_virtio_net_set_link(n.net, false);
    send_pieces(HEADER, 14);
    CU_ASSERT_EQUAL(n.sends, 1);
    CU_ASSERT_EQUAL(net_used(&n, TRANSMIT), 5);
    net_end(&n);
}

/* A guest that sends for ever does not keep anybody waiting for ever. */
static void a_turn_ends(void)
{
    net_begin(&n, VMM_VIRTIO_EVENT_IDX);
    net_piece(&n, TRANSMIT, 0, 0, 100, 0);
    n.goes_on = true;
    offer(w, TRANSMIT, SIZE, 0);
    kick(w, TRANSMIT);
    CU_ASSERT_EQUAL(n.sends, 64);
    CU_ASSERT_EQUAL(n.laters, 1);
    vmm_virtio_net_go_on(n.net);
    CU_ASSERT_EQUAL(n.sends, 128);
    CU_ASSERT_EQUAL(n.laters, 2);
    n.goes_on = false;
    vmm_dev_pause(&w->dev);
    vmm_virtio_net_go_on(n.net);
    CU_ASSERT_EQUAL(n.sends, 128);
    vmm_dev_resume(&w->dev);
    CU_ASSERT_EQUAL(n.sends, 129);
    CU_ASSERT_EQUAL(n.laters, 2);
    net_end(&n);
}

/* By bytes, too. */
static void large_frames_are_fewer(void)
{
    net_begin(&n, 0);
    n.goes_on = true;
    net_piece(&n, TRANSMIT, 0, 0, 40000, VH_DESC_F_NEXT);
    net_piece(&n, TRANSMIT, 1, 0, 25562, 0);
    offer(w, TRANSMIT, SIZE, 0);
    kick(w, TRANSMIT);
    CU_ASSERT_EQUAL(n.sends, 16); /* 1 MiB */
    CU_ASSERT_EQUAL(n.sent_bytes, VMM_VIRTIO_NET_FRAME_BYTES);
    CU_ASSERT_EQUAL(n.laters, 1);
    net_end(&n);
}

/* --- in --- */

static void give_buffers(unsigned count, unsigned bytes)
{
    for (unsigned i = 0; i < count; i++) {
        net_piece(&n, RECEIVE, i, i * 512, bytes, VH_DESC_F_WRITE);
        offer(w, RECEIVE, SIZE, i);
    }
}

/* Byte `at` of the i-th buffer. */
static unsigned got(unsigned i, unsigned at)
{
    return w->memory[DATA + i * 512 + at];
}

static void frames_come_in(void)
{
    net_begin(&n, 0);
    give_buffers(4, 200);
    n.frames = 2;
    CU_ASSERT_TRUE(vmm_virtio_net_receive(n.net));
    CU_ASSERT_EQUAL(n.reads, 3);
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 2);
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(net_used_bytes(&n, RECEIVE, i), 72);
        CU_ASSERT_EQUAL(got(i, 10), 1); /* buffers */
        CU_ASSERT_EQUAL(got(i, 11), 0);
        CU_ASSERT_EQUAL(got(i, 71), 71);
        CU_ASSERT_EQUAL(got(i, 72), 0);
    }
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    CU_ASSERT_TRUE(vmm_virtio_net_receive(n.net));
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0);
    n.frames = 3;
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net)); /* two fit, the third waits outside */
    CU_ASSERT_EQUAL(n.frames, 1);
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 4);
    net_end(&n);
}

static void into_several_buffers(void)
{
    net_begin(&n, MERGES);
    give_buffers(6, 40);
    n.frames = 1;
    n.frame_bytes = 100;
    CU_ASSERT_TRUE(vmm_virtio_net_receive(n.net));
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 3);
    CU_ASSERT_EQUAL(net_used_bytes(&n, RECEIVE, 0), 40);
    CU_ASSERT_EQUAL(net_used_bytes(&n, RECEIVE, 1), 40);
    CU_ASSERT_EQUAL(net_used_bytes(&n, RECEIVE, 2), 20);
    CU_ASSERT_EQUAL(got(0, 10), 3);
    CU_ASSERT_EQUAL(got(1, 0), 40);
    CU_ASSERT_EQUAL(got(2, 19), 99);
    n.frames = 1;
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net)); /* all are used up */
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 6);
    CU_ASSERT_EQUAL(got(3, 10), 3);
    CU_ASSERT_EQUAL(got(5, 19), 99);
    net_end(&n);
}

/* Lost, and its buffers are for the next one. */
static void what_does_not_fit(void)
{
    for (unsigned merges = 0; merges < 2; merges++) {
        net_begin(&n, merges != 0 ? MERGES : 0);
        give_buffers(2, 50);
        n.frames = 1;
        n.frame_bytes = 101;
        CU_ASSERT_TRUE(vmm_virtio_net_receive(n.net));
        CU_ASSERT_EQUAL(n.frames, 0);
        CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 0);
        n.frames = 1;
        n.frame_bytes = HEADER + 5; /* no address */
        CU_ASSERT_TRUE(vmm_virtio_net_receive(n.net));
        CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 0);
        n.frames = 1;
        n.frame_bytes = 50;
        CU_ASSERT_TRUE(vmm_virtio_net_receive(n.net));
        CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 1);
        net_end(&n);
    }
}

/* It goes back, and the next one is used. */
static void a_buffer_without_room(void)
{
    net_begin(&n, 0);
    net_piece(&n, RECEIVE, 0, 0, 100, 0); /* not to be written */
    net_piece(&n, RECEIVE, 1, 0, 0, VH_DESC_F_WRITE);
    net_piece(&n, RECEIVE, 2, 512, 100, VH_DESC_F_WRITE);
    for (unsigned i = 0; i < 3; i++)
        offer(w, RECEIVE, SIZE, i);
    n.frames = 1;
    (void)vmm_virtio_net_receive(n.net);
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 3);
    CU_ASSERT_EQUAL(net_used_bytes(&n, RECEIVE, 0), 0);
    CU_ASSERT_EQUAL(net_used_bytes(&n, RECEIVE, 1), 0);
    CU_ASSERT_EQUAL(net_used_bytes(&n, RECEIVE, 2), 72);
    for (unsigned i = 0; i < SIZE; i++)
        offer(w, RECEIVE, SIZE, 0);
    CU_ASSERT_TRUE(vmm_virtio_net_receive(n.net)); /* the turn is over: there may be more */
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 3 + 64);
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net));
    net_end(&n);
}

/* A flood is taken in turns. */
static void a_turn_ends_here_too(void)
{
    net_begin(&n, MERGES);
    give_buffers(SIZE - 1, 100);
    n.frames = 1000;
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net));
    CU_ASSERT_EQUAL(n.frames, 1000 - SIZE + 1);
    virtio_drive(w, VERSION_1 | MERGES, 3, SIZE);
    memset(w->memory, 0, DATA);
    give_buffers(1, 50);
    n.frame_bytes = 60; /* never fits: nothing is used up */
    n.frames = 1000;
    CU_ASSERT_TRUE(vmm_virtio_net_receive(n.net));
    CU_ASSERT_EQUAL(n.frames, 1000 - 64);
    net_end(&n);
}

static void no_room(void)
{
    net_begin(&n, VMM_VIRTIO_EVENT_IDX);
    n.frames = 1;
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net));
    CU_ASSERT_EQUAL(n.reads, 0);
    give_buffers(1, 200);
    kick(w, RECEIVE);
    CU_ASSERT_EQUAL(n.rooms, 1);
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net));
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 1);
    CU_ASSERT_EQUAL(word(w, USED + 4 + 8 * SIZE), 1); /* call for the second */
    set(w, DEVICE_STATUS, 1, 0);
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net)); /* no driver */
    net_end(&n);
}

static void offloads_are_told(void)
{
    net_begin(&n, CSUM | TSO6);
    CU_ASSERT_EQUAL(n.offloads_told, 0);
    give_buffers(2, 200);
    n.frames = 2;
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net));
    CU_ASSERT_EQUAL(n.offloads_told, 1);
    CU_ASSERT_EQUAL(n.offloads, VMM_VIRTIO_NET_CSUM | VMM_VIRTIO_NET_TSO6);
    set(w, DEVICE_STATUS, 1, 0);
    CU_ASSERT_EQUAL(n.offloads_told, 2);
    CU_ASSERT_EQUAL(n.offloads, 0);
    net_end(&n);
}

static void what_comes_in_is_logged(void)
{
    struct vh_log log = { 0 };
    uint8_t bits[8] = { 0 };
    int fd = memfd_create("log", MFD_CLOEXEC);

    net_begin(&n, 0);
    CU_ASSERT_EQUAL(ftruncate(fd, 4096), 0);
    CU_ASSERT_EQUAL_FATAL(vh_log_map(&log, fd, 0, sizeof(bits)), 0);
    vh_mem_set_log(w->mem, &log);
    net_piece(&n, RECEIVE, 0, 4096, 30, VH_DESC_F_WRITE | VH_DESC_F_NEXT);
    net_piece(&n, RECEIVE, 1, 3 * 4096, 30, VH_DESC_F_WRITE | VH_DESC_F_NEXT);
    net_piece(&n, RECEIVE, 2, 5 * 4096, 30, VH_DESC_F_WRITE);
    offer(w, RECEIVE, SIZE, 0);
    n.frames = 1;
    n.frame_bytes = 50;
    (void)vmm_virtio_net_receive(n.net);
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 1);
    CU_ASSERT_EQUAL(pread(fd, bits, sizeof(bits), 0), 8);
    CU_ASSERT_EQUAL(bits[0] & 0xf0, 1 << 5 | 1 << 7); /* DATA is page 4 */
    CU_ASSERT_EQUAL(bits[1], 0);
    vh_log_unmap(&log);
    close(fd);
    net_end(&n);
}

/* --- the link, and its life --- */

static void the_link(void)
{
    net_begin(&n, UINT64_C(1) << 16);
    vmm_virtio_net_set_link(n.net, false);
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), ISR_CONFIG);
    vmm_virtio_net_set_link(n.net, false);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0);
    vmm_dev_pause(&w->dev);
    vmm_virtio_net_set_link(n.net, true);
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), 0); /* what stands does not change */
    vmm_dev_resume(&w->dev);
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), LINK_UP);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), ISR_CONFIG);
    vmm_virtio_net_set_link(n.net, false);
    set(w, DEVICE_STATUS, 1, 0);
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), 0); /* it is no driver's */
    net_end(&n);
}

static void it_goes_on_elsewhere(void)
{
    static uint8_t bytes[STATE_BYTES], again[STATE_BYTES];

    net_begin(&n, UINT64_C(1) << 16);
    give_buffers(2, 200);
    n.frames = 2;
    dev_save(&w->dev, bytes, sizeof(bytes));
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net)); /* it stands */
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes) - 1), -EBADMSG);
    bytes[6] = 4; /* a status that there is not */
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes)), -EBADMSG);
    bytes[6] = 0; /* its link was down there */
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes)), 0);
    dev_save(&w->dev, again, sizeof(again));
    CU_ASSERT_EQUAL(memcmp(bytes, again, sizeof(bytes)), 0);
    (void)reg(w, ISR_PAGE, 1);
    vmm_dev_resume(&w->dev);
    CU_ASSERT_EQUAL(n.rooms, 1);
    vmm_dev_pause(&w->dev);
    vmm_dev_resume(&w->dev);
    CU_ASSERT_FALSE(n.frames == 0);
    CU_ASSERT_FALSE(vmm_virtio_net_receive(n.net)); /* both are used up */
    CU_ASSERT_EQUAL(net_used(&n, RECEIVE), 2);
    virtio_map(w);
    CU_ASSERT_EQUAL(reg(w, NET_STATUS_AT, 2), LINK_UP);
    vmm_dev_reset(&w->dev);
    virtio_map(w);
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1), 0);
    net_end(&n);
}

static int make(void)
{
    return net_make(&n);
}

static void without_memory(void)
{
    memset(&n, 0, sizeof(n));
    virtio_world_begin(w);
    (void)fail_alloc_each(make);
    net_end(&n);
}

const struct unit_case unit_cases[] = {
    { "it is found", it_is_found },
    { "frames go out", frames_go_out },
    { "what is no frame", what_is_no_frame },
    { "a turn ends", a_turn_ends },
    { "large frames are fewer", large_frames_are_fewer },
    { "frames come in", frames_come_in },
    { "into several buffers", into_several_buffers },
    { "what does not fit", what_does_not_fit },
    { "a buffer without room", a_buffer_without_room },
    { "a turn ends here, too", a_turn_ends_here_too },
    { "no room", no_room },
    { "offloads are told", offloads_are_told },
    { "what comes in is logged", what_comes_in_is_logged },
    { "the link", the_link },
    { "it goes on elsewhere", it_goes_on_elsewhere },
    { "without memory", without_memory },
    { 0 },
};
