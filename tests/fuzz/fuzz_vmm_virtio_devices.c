/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the devices of vmm-core/virtio: a guest that agrees to anything and offers any chains,
 * whose outside does anything at any time, and states of any bytes. Nothing but guest memory is
 * touched, and a loaded device is the one that was saved. What all devices have in common is
 * fuzz_vmm_virtio.c's.
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/virtio_devices.h"

#include <errno.h>
#include <string.h>

#include "storage/vhost/vh_proto.h"

/* Queue n of a device has its parts from (slot * QUEUES + n) * QUEUE_BYTES on. */
enum { QUEUES = 4, QUEUE_SIZE = 8, QUEUE_BYTES = 1024, PART_BYTES = 256 };
enum { STATE_BYTES = 2048, BAR_SPAN = 0x10000, STEPS = 300 };
#define BARS UINT32_C(0xfe000000)

/* --- a driver --- */

static void set(struct world *world, unsigned device, unsigned at, unsigned bytes, uint64_t value)
{
    world->dropped_bytes = 0;
    vmm_bus_write(world->guest.bus, VMM_MMIO, BARS + device * BAR_SPAN + at, bytes, value);
}

static void write_config(struct world *world, unsigned device, unsigned at, uint32_t what)
{
    vmm_bus_write(world->guest.bus, VMM_PORTS, 0xcf8, 4,
                  UINT32_C(0x80000000) | (device + 1) << 11 | at);
    vmm_bus_write(world->guest.bus, VMM_PORTS, 0xcfc, 4, what);
}

static unsigned queue_at(unsigned device, unsigned queue)
{
    return (device * QUEUES + queue) * QUEUE_BYTES;
}

/* With all features that are offered but those in `without`. */
static void start(struct world *world, unsigned device, uint32_t without)
{
    const uint64_t bar = BARS + device * BAR_SPAN;

    set(world, device, 20, 1, 0);
    set(world, device, 20, 1, 3);
    for (unsigned half = 0; half < 2; half++) {
        set(world, device, 0, 4, half);
        set(world, device, 8, 4, half);
        set(world, device, 12, 4,
            vmm_bus_read(world->guest.bus, VMM_MMIO, bar + 4, 4) & ~(half == 0 ? without : 0));
    }
    set(world, device, 20, 1, 11);
    for (unsigned queue = 0; queue < QUEUES; queue++) {
        set(world, device, 22, 2, queue);
        set(world, device, 24, 2, QUEUE_SIZE);
        set(world, device, 26, 2, queue);
        for (unsigned part = 0; part < 3; part++)
            set(world, device, 32 + part * 8, 8, queue_at(device, queue) + part * PART_BYTES);
        set(world, device, 28, 2, 1);
    }
    set(world, device, 20, 1, 15);
}

static void begin_mapped(struct world *world)
{
    begin(world);
    for (unsigned device = 0; device < DEVICES; device++) {
        write_config(world, device, VMM_PCI_BAR0, BARS + device * BAR_SPAN);
        write_config(world, device, VMM_PCI_BAR0 + 4, BARS + device * BAR_SPAN + BAR_SPAN / 2);
        write_config(world, device, VMM_PCI_COMMAND, VMM_PCI_MEMORY | VMM_PCI_MASTER);
    }
}

/* --- states --- */

static size_t save(struct world *world, unsigned i, uint8_t bytes[STATE_BYTES])
{
    const struct vmm_dev *dev = &world->devices[i];
    struct hw_writer writer = hw_writer_over(bytes, STATE_BYTES);
    struct vmm_state state = vmm_state_saving(&writer, dev->ops->version);

    dev->ops->state(dev->dev, &state);
    fuzz_require(vmm_state_end(&state) == 0);
    return writer.at;
}

static int load(struct world *world, unsigned i, const uint8_t *bytes, size_t size)
{
    const struct vmm_dev *dev = &world->devices[i];
    struct vmm_state state = vmm_state_loading(bytes, size, dev->ops->version);

    vmm_dev_reset(dev);
    dev->ops->state(dev->dev, &state);
    return vmm_state_end(&state);
}

static void stand(struct world *world)
{
    world->stands = true;
    for (unsigned i = 0; i < STATES; i++) {
        vmm_dev_pause(&world->devices[i]);
        fuzz_require(vmm_dev_drained(&world->devices[i]));
    }
}

static void go_on(struct world *world)
{
    world->stands = false;
    world->dropped_bytes = 0;
    for (unsigned i = 0; i < STATES; i++)
        vmm_dev_resume(&world->devices[i]);
}

/* Into another machine; it is the same, and goes on. So does this one. */
static void move(struct world *world)
{
    static uint8_t bytes[STATES][STATE_BYTES], again[STATE_BYTES];
    size_t sizes[STATES];
    struct world other;

    begin(&other);
    stand(world);
    for (unsigned i = 0; i < STATES; i++)
        sizes[i] = save(world, i, bytes[i]);
    for (unsigned i = 0; i < STATES; i++)
        fuzz_require(load(&other, i, bytes[i], sizes[i]) == 0);
    for (unsigned i = 0; i < STATES; i++)
        fuzz_require(save(&other, i, again) == sizes[i] && memcmp(bytes[i], again, sizes[i]) == 0);
    for (unsigned i = 0; i < PIECES; i++)
        memcpy(other.guest.memory[i], world->guest.memory[i], PIECE_BYTES);
    other.room = 100;
    go_on(&other);
    end(&other);
    go_on(world);
}

/* Any bytes, laid over those of its own state. */
static void load_anything(struct world *world, struct input *input)
{
    const unsigned i = byte(input) % STATES;
    static uint8_t bytes[STATE_BYTES];
    size_t size, at, count;
    int rc;

    stand(world);
    size = save(world, i, bytes);
    at = half(input) % size;
    count = byte(input) % 32;
    for (size_t n = at; n < size && n < at + count; n++)
        bytes[n] = byte(input);
    rc = load(world, i, bytes, byte(input) % 16 == 0 ? at : size);
    fuzz_require(rc == 0 || rc == -EBADMSG);
    go_on(world);
}

/* --- what happens --- */

static void poke(struct world *world, struct input *input)
{
    const unsigned at = half(input) % GUEST_BYTES;
    const unsigned count = byte(input) % 20;

    for (unsigned i = at; i < at + count && i < GUEST_BYTES; i++)
        ((uint8_t *)world->guest.memory[i / PIECE_BYTES])[i % PIECE_BYTES] = byte(input);
}

/* A descriptor of a queue; and then a chain's head, one more index, and the call. */
static void offer(struct world *world, struct input *input, bool calls)
{
    const uint8_t which = byte(input), place = byte(input);
    const unsigned device = which % DEVICES, queue = which / 16 % QUEUES;
    uint8_t *ring = (uint8_t *)world->guest.memory[0] + queue_at(device, queue);
    const struct vh_desc desc = { half(input), half(input), byte(input) & 7,
                                  byte(input) % (QUEUE_SIZE + 1) };

    memcpy(ring + place % QUEUE_SIZE * sizeof(desc), &desc, sizeof(desc));
    if (!calls)
        return;
    ring[PART_BYTES + 4 + ring[PART_BYTES + 2] % QUEUE_SIZE * 2] = place % QUEUE_SIZE;
    ring[PART_BYTES + 2]++;
    set(world, device, 0x3000 + queue * 4, 2, queue);
}

static void wire(struct world *world, struct input *input)
{
    const uint8_t what = byte(input);

    switch (what % 4) {
    case 0:
        vmm_virtio_net_go_on(world->net);
        break;
    case 1:
        vmm_virtio_net_set_link(world->net, what < 128);
        break;
    case 2:
        vmm_virtio_net_announce(world->net);
        break;
    default:
        world->frames = what / 4;
        world->frame_bytes = half(input) + 1;
        (void)vmm_virtio_net_receive(world->net);
        break;
    }
}

static void memory(struct world *world, struct input *input)
{
    struct vmm_virtio_balloon_status status;

    vmm_virtio_balloon_set_target(world->balloon, (uint64_t)half(input) << 10);
    vmm_virtio_balloon_ask(world->balloon);
    vmm_virtio_balloon_status(world->balloon, &status);
    fuzz_require(status.known < 1U << VMM_VIRTIO_BALLOON_STATS);
}

static void outside(struct world *world, struct input *input)
{
    const uint8_t what = byte(input);
    uint8_t bytes[256];

    memset(bytes, what, sizeof(bytes));
    switch (what % 5) {
    case 0:
        world->room = byte(input);
        vmm_virtio_console_has_room(world->console);
        break;
    case 1:
        fuzz_require(vmm_virtio_console_receive(world->console, bytes, what) <= what);
        break;
    case 2:
        memory(world, input);
        break;
    default:
        wire(world, input);
        break;
    }
}

static void step(struct world *world, struct input *input)
{
    const uint8_t what = byte(input);

    switch (what % 10) {
    case 0:
        set(world, what / 10 % DEVICES, half(input) % 0x3010, 1U << byte(input) % 4,
            half(input) | (uint64_t)half(input) << 32);
        break;
    case 1: /* its own configuration */
        set(world, what / 10 % DEVICES, 0x2000 + byte(input) % 64U, 1U << byte(input) % 4,
            half(input));
        break;
    case 2:
        start(world, what / 10 % DEVICES, half(input) | half(input) << 16);
        break;
    case 3:
        poke(world, input);
        break;
    case 4:
    case 5:
    case 6:
        offer(world, input, what % 10 != 4);
        break;
    case 7:
        outside(world, input);
        break;
    case 8:
        move(world);
        break;
    default:
        load_anything(world, input);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct world world;
    const unsigned without = half(&input);

    begin_mapped(&world);
    for (unsigned device = 0; device < DEVICES; device++)
        start(&world, device, without);
    for (unsigned i = 0; input.size > 0 && i < STEPS; i++)
        step(&world, &input);
    move(&world);
    end(&world);
    return 0;
}
