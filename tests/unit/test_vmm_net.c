/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_net: a wire in the main loop, over a pair of sockets that keep frames apart: it
 * is watched while the guest has room, its end pulls the guest's cable, and a guest that has moved
 * is told of as often as it should be.
 */
#include <config.h>

#include "vmm-core/run/vmm_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { INDEX = 3, HEADER = VMM_VIRTIO_NET_HEADER_BYTES, FRAME_BYTES = HEADER + 60 };

struct wire {
    qb_loop_t *loop;
    struct vmm_net *net;
    int far; /* the other end */
    bool has_room, link_up;
    unsigned receives, goes_on, announces;
    uint8_t frame[128];
    size_t frame_bytes;
};

static struct wire wire;

static struct vmm_machine *machine(void)
{
    return (struct vmm_machine *)(void *)&wire;
}

static const struct vmm_virtio_net_port *port(void)
{
    return vmm_net_port(wire.net);
}

/* --- the machine's side --- */

static bool receive(struct vmm_machine *of, unsigned i)
{
    const struct iovec piece = { wire.frame, sizeof(wire.frame) };

    CU_ASSERT_PTR_EQUAL(of, machine());
    CU_ASSERT_EQUAL(i, INDEX);
    wire.receives++;
    if (wire.has_room)
        wire.frame_bytes = port()->receive(port()->context, &piece, 1);
    qb_loop_stop(wire.loop);
    return wire.has_room;
}

static void go_on(struct vmm_machine *of, unsigned i)
{
    CU_ASSERT_PTR_EQUAL(of, machine());
    CU_ASSERT_EQUAL(i, INDEX);
    wire.goes_on++;
    qb_loop_stop(wire.loop);
}

static void set_link(struct vmm_machine *of, unsigned i, bool up)
{
    CU_ASSERT_PTR_EQUAL(of, machine());
    CU_ASSERT_EQUAL(i, INDEX);
    wire.link_up = up;
    qb_loop_stop(wire.loop);
}

static void announce(struct vmm_machine *of, unsigned i)
{
    CU_ASSERT_PTR_EQUAL(of, machine());
    CU_ASSERT_EQUAL(i, INDEX);
    wire.announces++;
}

static void mac(struct vmm_machine *of, unsigned i, uint8_t *ret_mac)
{
    CU_ASSERT_PTR_EQUAL(of, machine());
    CU_ASSERT_EQUAL(i, INDEX);
    memcpy(ret_mac, "\x52\x54\x00\x01\x02\x03", VMM_VIRTIO_NET_MAC_BYTES);
}

static const struct vmm_net_device device = { receive, go_on, set_link, announce, mac };

/* --- the test's --- */

static int ends[2];

static int make(void)
{
    return vmm_net_new(wire.loop, &device, INDEX, "tap7", ends[0], &wire.net);
}

static void begin(void)
{
    wire = (struct wire) { .has_room = true, .link_up = true };
    wire.loop = qb_loop_create();
    CU_ASSERT_EQUAL_FATAL(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    wire.far = ends[1];
    CU_ASSERT_EQUAL_FATAL(make(), 0);
}

static void end(void)
{
    vmm_net_free(wire.net);
    if (wire.far >= 0)
        close(wire.far);
    qb_loop_destroy(wire.loop);
}

static void stop(void *data)
{
    (void)data;
    qb_loop_stop(wire.loop);
}

/* All that is to be done now, and what comes until then. */
static void turn_for(unsigned ms)
{
    qb_loop_timer_handle timer;

    CU_ASSERT_EQUAL(
        qb_loop_timer_add(wire.loop, QB_LOOP_LOW, ms * UINT64_C(1000000), NULL, stop, &timer), 0);
    qb_loop_run(wire.loop);
    (void)qb_loop_timer_del(wire.loop, timer);
}

static void frames_pass(void)
{
    const struct iovec pieces[2] = { { (void *)(uintptr_t) "to the ", 7 },
                                     { (void *)(uintptr_t) "wire", 4 } };
    char text[16] = "";

    begin();
    vmm_net_set_machine(wire.net, machine());
    port()->send(port()->context, pieces, 2);
    CU_ASSERT_EQUAL(read(wire.far, text, sizeof(text)), 11);
    CU_ASSERT_STRING_EQUAL(text, "to the wire");
    CU_ASSERT_EQUAL(write(wire.far, "to the guest", 12), 12);
    qb_loop_run(wire.loop);
    CU_ASSERT_EQUAL(wire.frame_bytes, 12);
    CU_ASSERT_EQUAL(memcmp(wire.frame, "to the guest", 12), 0);
    port()->offload(port()->context, 0); /* it is no tap interface: nothing happens */
    end();
}

/* It waits until there is room, and nobody is asked meanwhile. */
static void a_guest_without_room(void)
{
    begin();
    wire.has_room = false;
    vmm_net_set_machine(wire.net, machine());
    CU_ASSERT_EQUAL(write(wire.far, "frame", 5), 5);
    qb_loop_run(wire.loop);
    CU_ASSERT_EQUAL(wire.receives, 1);
    turn_for(20);
    CU_ASSERT_EQUAL(wire.receives, 1);
    wire.has_room = true;
    port()->has_room(port()->context);
    qb_loop_run(wire.loop);
    CU_ASSERT_EQUAL(wire.receives, 2);
    CU_ASSERT_EQUAL(wire.frame_bytes, 5);
    CU_ASSERT_EQUAL(wire.goes_on, 0);
    end();
}

static void a_turn_that_was_over(void)
{
    begin();
    vmm_net_set_machine(wire.net, machine());
    port()->later(port()->context);
    qb_loop_run(wire.loop);
    CU_ASSERT_EQUAL(wire.goes_on, 1);
    port()->has_room(port()->context);
    turn_for(20);
    CU_ASSERT_EQUAL(wire.goes_on, 1);
    end();
}

/* Between two machines frames wait; what the first one still asked for is nobody's. */
static void no_machine(void)
{
    begin();
    CU_ASSERT_EQUAL(write(wire.far, "frame", 5), 5);
    port()->later(port()->context);
    vmm_net_announce(wire.net);
    turn_for(20);
    vmm_net_set_machine(wire.net, machine());
    qb_loop_run(wire.loop);
    CU_ASSERT_EQUAL(wire.receives, 1);
    vmm_net_set_machine(wire.net, NULL);
    CU_ASSERT_EQUAL(write(wire.far, "frame", 5), 5);
    turn_for(20);
    CU_ASSERT_EQUAL(wire.receives, 1);
    CU_ASSERT_EQUAL(wire.announces, 0);
    vmm_net_free(NULL);
    end();
}

static void it_is_gone(void)
{
    begin();
    vmm_net_set_machine(wire.net, machine());
    close(wire.far);
    wire.far = -1;
    qb_loop_run(wire.loop);
    CU_ASSERT_FALSE(wire.link_up);
    wire.link_up = true;
    port()->has_room(port()->context);
    port()->send(port()->context, &(struct iovec) { (void *)(uintptr_t) "x", 1 }, 1);
    turn_for(20);
    CU_ASSERT_EQUAL(wire.receives, 0);
    CU_ASSERT_TRUE(wire.link_up); /* told once */
    vmm_net_set_machine(wire.net, NULL);
    vmm_net_set_machine(wire.net, machine());
    CU_ASSERT_FALSE(wire.link_up); /* and the next machine */
    end();
}

static void it_has_moved(void)
{
    static const uint8_t rarp[FRAME_BYTES] = {
        0,    0,    0,    0, 0, 0, 0, 0,    0,    0, 0,    0,    0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x52, 0x54, 0, 1, 2, 3, 0x80, 0x35, 0, 1,    8,    0,    6,    4,    0,    3,
        0x52, 0x54, 0,    1, 2, 3, 0, 0,    0,    0, 0x52, 0x54, 0,    1,    2,    3,
    };
    uint8_t frame[FRAME_BYTES + 1];
    unsigned count = 0;

    begin();
    vmm_net_set_machine(wire.net, machine());
    vmm_net_announce(wire.net);
    CU_ASSERT_EQUAL(wire.announces, 1);
    CU_ASSERT_EQUAL(read(wire.far, frame, sizeof(frame)), FRAME_BYTES); /* at once */
    CU_ASSERT_EQUAL(memcmp(frame, rarp, FRAME_BYTES), 0);
    CU_ASSERT_EQUAL(read(wire.far, frame, sizeof(frame)), -1);
    turn_for(1500);
    while (read(wire.far, frame, sizeof(frame)) == FRAME_BYTES)
        count++;
    CU_ASSERT_EQUAL(count, 4);
    vmm_net_announce(wire.net);
    vmm_net_set_machine(wire.net, NULL);
    turn_for(100); /* one was to come */
    CU_ASSERT_EQUAL(read(wire.far, frame, sizeof(frame)), FRAME_BYTES);
    CU_ASSERT_EQUAL(read(wire.far, frame, sizeof(frame)), -1);
    end();
}

static void without_memory(void)
{
    begin();
    vmm_net_free(wire.net);
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    close(wire.far);
    wire.far = ends[1];
    (void)fail_alloc_each(make);
    end();
}

const struct unit_case unit_cases[] = {
    { "frames pass", frames_pass },
    { "a guest without room", a_guest_without_room },
    { "a turn that was over", a_turn_that_was_over },
    { "no machine", no_machine },
    { "it is gone", it_is_gone },
    { "it has moved", it_has_moved },
    { "without memory", without_memory },
    { 0 },
};
