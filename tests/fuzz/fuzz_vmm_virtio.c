/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/virtio: a guest that writes anything to configuration spaces, BARs, rings and
 * chains, states of any bytes, and saves and loads in between. Nothing but guest memory is touched,
 * the pin is what status and vectors say, and a loaded device is the one that was saved.
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/virtio_machine.h"

#include <errno.h>
#include <string.h>

enum { STATE_BYTES = 1024, STATES = 4, BAR_SPAN = 0x10000, STEPS = 300 };
#define BARS UINT32_C(0xfe000000)

/* --- what holds --- */

static void check_queue(const struct virtio_queue *queue)
{
    fuzz_require(queue->size > 0 && queue->size <= CARD_SIZE &&
                 (queue->size & (queue->size - 1)) == 0);
    fuzz_require(queue->vector <= CARD_QUEUES || queue->vector == NO_VECTOR);
    fuzz_require(!queue->enabled || (queue->ring.desc != NULL && queue->ring.size == queue->size));
    fuzz_require(queue->enabled || !queue->started);
    fuzz_require(queue->ring.in_use == 0);
}

static void check(const struct world *world)
{
    const struct vmm_virtio *card = world->card;
    const bool pin = card->isr != 0 && !vmm_msix_enabled(card->msix);

    fuzz_require((card->status & ~STATUS_ALL) == 0 && (card->isr & ~ISR_ALL) == 0);
    fuzz_require((card->status & STATUS_DRIVER_OK) == 0 ||
                 (card->status & STATUS_FEATURES_OK) != 0);
    fuzz_require((card->status & STATUS_FEATURES_OK) == 0 || virtio_agrees(card));
    fuzz_require(card->function.asserted == pin);
    fuzz_require((world->pirqs & 1) ==
                 (pin && !vmm_pci_may(&card->function, VMM_PCI_INTX_DISABLE)));
    fuzz_require(card->function.config[VMM_PCI_DEVICE] == 0x49);
    for (unsigned i = 0; i < CARD_QUEUES; i++)
        check_queue(&card->queues[i]);
}

/* --- states --- */

static void state_of(struct world *world, unsigned i, struct vmm_state *state)
{
    if (i == 0)
        vmm_virtio_state(world->card, state);
    else if (i == 1)
        world->rng.ops->state(world->rng.dev, state);
    else
        world->msix[i - 2].ops->state(world->msix[i - 2].dev, state);
}

static void reset(struct world *world, unsigned i)
{
    if (i == 0)
        vmm_virtio_reset(world->card);
    else if (i == 1)
        vmm_dev_reset(&world->rng);
    else
        vmm_dev_reset(&world->msix[i - 2]);
}

static void resume(struct world *world)
{
    vmm_virtio_resume(world->card);
    vmm_dev_resume(&world->rng);
    for (unsigned i = 0; i < 2; i++)
        vmm_dev_resume(&world->msix[i]);
}

static size_t save(struct world *world, unsigned i, uint8_t bytes[STATE_BYTES])
{
    struct hw_writer writer = hw_writer_over(bytes, STATE_BYTES);
    struct vmm_state state = vmm_state_saving(&writer, 1);

    state_of(world, i, &state);
    fuzz_require(vmm_state_end(&state) == 0);
    return writer.at;
}

static int load(struct world *world, unsigned i, const uint8_t *bytes, size_t size)
{
    struct vmm_state state = vmm_state_loading(bytes, size, 1);

    reset(world, i);
    state_of(world, i, &state);
    return vmm_state_end(&state);
}

/* Into another machine; it is the same, and goes on. */
static void move(struct world *world)
{
    uint8_t bytes[STATES][STATE_BYTES], again[STATE_BYTES];
    size_t sizes[STATES];
    struct world other;

    begin(&other);
    for (unsigned i = 0; i < STATES; i++)
        sizes[i] = save(world, i, bytes[i]);
    for (unsigned i = 0; i < STATES; i++)
        fuzz_require(load(&other, i, bytes[i], sizes[i]) == 0);
    for (unsigned i = 0; i < STATES; i++)
        fuzz_require(save(&other, i, again) == sizes[i] && memcmp(bytes[i], again, sizes[i]) == 0);
    fuzz_require(other.pirqs == world->pirqs);
    for (unsigned i = 0; i < PIECES; i++)
        memcpy(other.guest.memory[i], world->guest.memory[i], PIECE_BYTES);
    check(&other);
    resume(&other);
    check(&other);
    end(&other);
}

/* Any bytes, laid over those of its own state. */
static void load_anything(struct world *world, struct input *input)
{
    const unsigned i = byte(input) % STATES;
    uint8_t bytes[STATE_BYTES];
    const size_t size = save(world, i, bytes), at = half(input) % size;
    const size_t count = byte(input) % 32;
    int rc;

    for (size_t n = at; n < size && n < at + count; n++)
        bytes[n] = byte(input);
    rc = load(world, i, bytes, byte(input) % 16 == 0 ? at : size);
    fuzz_require(rc == 0 || rc == -EBADMSG);
    resume(world);
}

/* --- what happens --- */

static void access_at(struct world *world, struct input *input, enum vmm_space space, uint64_t at)
{
    const uint8_t how = byte(input);
    const unsigned bytes = 1U << how % (space == VMM_PORTS ? 3 : 4);

    if ((how & 8) != 0)
        (void)vmm_bus_read(world->guest.bus, space, at, bytes);
    else
        vmm_bus_write(world->guest.bus, space, at, bytes, number(input));
}

static void configure(struct world *world, struct input *input)
{
    const uint8_t which = byte(input), at = byte(input);

    vmm_bus_write(world->guest.bus, VMM_PORTS, 0xcf8, 4,
                  UINT32_C(0x80000000) | (uint32_t)(which % 2 + 1) << 11 | (at & 0xfc));
    access_at(world, input, VMM_PORTS, 0xcfc + at % 4U);
}

/* A register of a card, in its own width, as it could be. */
static void set_up(struct world *world, struct input *input)
{
    static const struct {
        uint8_t at, bytes;
    } fields[] = { { 0, 4 },  { 8, 4 },  { 12, 4 }, { 16, 2 }, { 20, 1 },
                   { 22, 2 }, { 24, 2 }, { 26, 2 }, { 28, 2 }, { 32, 8 },
                   { 40, 8 }, { 48, 8 }, { 32, 4 }, { 44, 4 }, { 58, 2 } };
    const uint8_t which = byte(input);
    const unsigned i = which / 2 % (sizeof(fields) / sizeof(fields[0]));
    uint64_t wanted = number(input);

    if (fields[i].bytes == 8)
        wanted &= ~UINT64_C(15);
    vmm_bus_write(world->guest.bus, VMM_MMIO, BARS + which % 2 * BAR_SPAN + fields[i].at,
                  fields[i].bytes, wanted);
}

static void poke(struct world *world, struct input *input)
{
    const unsigned at = half(input) % GUEST_BYTES;
    const unsigned count = byte(input) % 20;

    for (unsigned i = at; i < at + count && i < GUEST_BYTES; i++)
        ((uint8_t *)world->guest.memory[i / PIECE_BYTES])[i % PIECE_BYTES] = byte(input);
}

/* Queues where start() has put them: a chain's head, one more index, and the call. */
static void offer(struct world *world, struct input *input)
{
    const uint8_t which = byte(input);
    uint8_t *ring = (uint8_t *)world->guest.memory[0] + which % 4 * 1024U;
    const struct vh_desc desc = { number(input), byte(input) * 16U, byte(input) & 7,
                                  byte(input) % (CARD_SIZE + 1) };

    memcpy(ring + which / 4 % CARD_SIZE * sizeof(desc), &desc, sizeof(desc));
    ring[256 + 4 + ring[256 + 2] % CARD_SIZE * 2] = which / 4 % CARD_SIZE;
    ring[256 + 2]++;
    vmm_bus_write(world->guest.bus, VMM_MMIO,
                  BARS + which % 2 * BAR_SPAN + 0x3000 + which / 2 % 2 * 4U, 2, 0);
}

static void step(struct world *world, struct input *input)
{
    const uint8_t what = byte(input);
    uint8_t bytes[4];

    switch (what % 9) {
    case 0:
        access_at(world, input, VMM_MMIO,
                  BARS + what / 9 % 2 * BAR_SPAN + half(input) % (BAR_SPAN / 2 + 4096));
        break;
    case 1:
        configure(world, input);
        break;
    case 2:
        set_up(world, input);
        break;
    case 3:
        poke(world, input);
        break;
    case 4:
    case 5:
        offer(world, input);
        break;
    case 6:
        world->entropy = byte(input);
        memset(bytes, world->entropy, sizeof(bytes));
        vmm_virtio_configure(world->card, what / 9 % (CARD_CONFIG_BYTES - 3), bytes, 4);
        break;
    case 7:
        move(world);
        break;
    default:
        load_anything(world, input);
        break;
    }
}

static void write_config(struct world *world, unsigned slot, unsigned at, uint32_t what)
{
    vmm_bus_write(world->guest.bus, VMM_PORTS, 0xcf8, 4, UINT32_C(0x80000000) | slot << 11 | at);
    vmm_bus_write(world->guest.bus, VMM_PORTS, 0xcfc, 4, what);
}

/* As firmware and a driver do: queue n of slot s has its parts from (n * 2 + s - 1) * 1024 on. */
static void start(struct world *world, unsigned slot, unsigned queues)
{
    const uint64_t bar = BARS + (slot - 1) * BAR_SPAN;

    vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 20, 1, 3);
    vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 12, 4,
                  FEATURE_INDIRECT | (slot == CARD_SLOT ? VMM_VIRTIO_EVENT_IDX : 0));
    vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 8, 4, 1);
    vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 12, 4,
                  (FEATURE_VERSION_1 | FEATURE_RING_RESET) >> 32);
    vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 20, 1, 11);
    for (unsigned i = 0; i < queues; i++) {
        vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 22, 2, i);
        vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 26, 2, i);
        for (unsigned part = 0; part < QUEUE_PARTS; part++)
            vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 32 + part * 8, 8,
                          (i * 2 + slot - 1) * 1024 + part * 256);
        vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 28, 2, 1);
    }
    vmm_bus_write(world->guest.bus, VMM_MMIO, bar + 20, 1, 15);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct world world;
    const uint8_t how = byte(&input);

    begin(&world);
    for (unsigned slot = 1; how % 4 != 0 && slot <= 2; slot++) {
        write_config(&world, slot, VMM_PCI_BAR0, BARS + (slot - 1) * BAR_SPAN);
        write_config(&world, slot, VMM_PCI_BAR0 + 4, BARS + (slot - 1) * BAR_SPAN + BAR_SPAN / 2);
        write_config(&world, slot, VMM_PCI_COMMAND, VMM_PCI_MEMORY | VMM_PCI_MASTER);
        if (how % 4 != 1)
            start(&world, slot, slot == CARD_SLOT ? CARD_QUEUES : 1);
    }
    for (unsigned i = 0; input.size > 0 && i < STEPS; i++) {
        step(&world, &input);
        check(&world);
    }
    move(&world);
    end(&world);
    return 0;
}
