/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/machine/vmm_pci, vmm_msix, vmm_piix3 and vmm_pm: a guest that does anything to
 * its ports, configuration spaces and BARs, devices that interrupt it, states of any bytes, and
 * saves and loads in between. Lines are what pins and routes say, no vector waits that could be
 * sent, and a loaded machine is the one that was saved.
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/pci_machine.h"

#include <errno.h>
#include <string.h>

enum { STATE_BYTES = 1024, CAPABILITY = 0x40, PIRQRC = 0x60 };

static uint32_t word(struct input *input)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < sizeof(value); i++)
        value |= (uint32_t)byte(input) << (i * 8);
    return value;
}

/* --- what holds --- */

/* A register, by the guest's own way; the address stays. */
static uint8_t peek(const struct world *world, unsigned slot, unsigned number, unsigned at)
{
    const uint64_t before = vmm_bus_read(world->bus, VMM_PORTS, 0xcf8, 4);
    uint8_t value;

    vmm_bus_write(world->bus, VMM_PORTS, 0xcf8, 4,
                  UINT32_C(0x80000000) | slot << 11 | number << 8 | (at & 0xfc));
    value = (uint8_t)vmm_bus_read(world->bus, VMM_PORTS, 0xcfc + at % 4, 1);
    vmm_bus_write(world->bus, VMM_PORTS, 0xcf8, 4, before);
    return value;
}

static void check_lines(const struct world *world)
{
    unsigned lines = world->sci ? 1U << VMM_PIIX3_SCI_GSI : 0;

    for (unsigned i = 0; i < CARDS; i++) {
        const struct vmm_pci_function *function = &world->cards[i].function;
        const unsigned pirq = (function->slot - 1U + i) % VMM_PCI_PIRQS; /* pin i + 1 */
        const uint8_t route = peek(world, 1, 0, PIRQRC + pirq);

        if (function->asserted && !vmm_pci_may(function, VMM_PCI_INTX_DISABLE) && route < GSIS)
            lines |= (1U << route) & 0xdef8;
    }
    fuzz_require(lines == world->gsis);
}

static void check_vectors(const struct card *card)
{
    const struct vmm_pci_window *bar = &card->function.windows[MSIX_BAR];
    const uint8_t control = card->function.config[CAPABILITY + 3];
    const uint64_t pending = bar->ops->read(bar->dev, VMM_MSIX_PENDING_AT, 8);
    const bool sends = (control & 0xc0) == 0x80 && vmm_pci_may(&card->function, VMM_PCI_MASTER);

    fuzz_require(pending >> VECTORS == 0);
    for (unsigned i = 0; i < VECTORS; i++) {
        const uint64_t word = bar->ops->read(bar->dev, i * 16 + 12, 4);

        fuzz_require(word <= 1 && (!sends || word == 1 || (pending >> i & 1) == 0));
    }
}

/* Nobody has changed what they are. */
static void check(const struct world *world)
{
    static const struct {
        uint8_t slot, number, device;
    } functions[] = {
        { 0, 0, 0x37 }, { 1, 0, 0x00 }, { 1, 3, 0x13 }, { 2, 0, 0x40 }, { 3, 1, 0x41 }
    };

    for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        fuzz_require(peek(world, functions[i].slot, functions[i].number, 2) == functions[i].device);
    check_lines(world);
    for (unsigned i = 0; i < CARDS; i++)
        check_vectors(&world->cards[i]);
}

/* --- states --- */

/* Device `i`, or behind them a card's function. */
static void state_of(struct world *world, unsigned i, struct vmm_state *state)
{
    if (i < DEVICES)
        world->devices[i].ops->state(world->devices[i].dev, state);
    else
        vmm_pci_function_state(&world->cards[i - DEVICES].function, state);
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

    state_of(world, i, &state);
    return vmm_state_end(&state);
}

static void check_windows(const struct card *one, const struct card *other)
{
    for (unsigned i = 0; i < VMM_PCI_WINDOWS; i++)
        fuzz_require(one->function.windows[i].wanted == other->function.windows[i].wanted &&
                     one->function.windows[i].mapped == other->function.windows[i].mapped);
}

/* Into another machine, in any order; it is the same. */
static void move(struct world *world, bool backwards)
{
    enum { STATES = DEVICES + CARDS };
    uint8_t bytes[STATES][STATE_BYTES], again[STATE_BYTES];
    size_t sizes[STATES];
    struct world other;

    begin(&other, world->now_ns);
    for (unsigned i = 0; i < STATES; i++)
        sizes[i] = save(world, i, bytes[i]);
    for (unsigned n = 0; n < STATES; n++) {
        const unsigned i = backwards ? STATES - 1 - n : n;

        fuzz_require(load(&other, i, bytes[i], sizes[i]) == 0);
    }
    for (unsigned i = 0; i < DEVICES; i++)
        vmm_dev_resume(&other.devices[i]);
    for (unsigned i = 0; i < STATES; i++)
        fuzz_require(save(&other, i, again) == sizes[i] && memcmp(bytes[i], again, sizes[i]) == 0);
    fuzz_require(other.gsis == world->gsis);
    for (unsigned i = 0; i < CARDS; i++)
        check_windows(&world->cards[i], &other.cards[i]);
    end(&other);
}

/* Any bytes, laid over those of its own state. */
static void load_anything(struct world *world, struct input *input)
{
    const unsigned i = byte(input) % (DEVICES + CARDS);
    uint8_t bytes[STATE_BYTES];
    const size_t size = save(world, i, bytes), at = half(input) % size;
    const size_t count = byte(input) % 32;
    int rc;

    for (size_t n = at; n < size && n < at + count; n++)
        bytes[n] = byte(input);
    rc = load(world, i, bytes, byte(input) % 16 == 0 ? at : size);
    fuzz_require(rc == 0 || rc == -EBADMSG);
    if (rc < 0 && i < DEVICES)
        vmm_dev_reset(&world->devices[i]);
    else if (rc < 0)
        vmm_pci_reset(&world->cards[i - DEVICES].function);
    for (unsigned n = 0; n < DEVICES; n++)
        vmm_dev_resume(&world->devices[n]);
}

/* --- what happens --- */

static void access_at(struct world *world, struct input *input, enum vmm_space space, uint64_t at)
{
    const uint8_t how = byte(input);
    const unsigned bytes = 1U << how % (space == VMM_PORTS ? 3 : 4);

    if ((how & 8) != 0)
        (void)vmm_bus_read(world->bus, space, at, bytes);
    else
        vmm_bus_write(world->bus, space, at, bytes, word(input) | (uint64_t)word(input) << 32);
}

static void configure(struct world *world, struct input *input)
{
    static const uint8_t places[] = { 0x00, 0x08, 0x0b, 0x10, 0x19 };
    const uint8_t place = places[byte(input) % sizeof(places)], at = byte(input);

    vmm_bus_write(world->bus, VMM_PORTS, 0xcf8, 4,
                  UINT32_C(0x80000000) | (uint32_t)place << 8 | (at & 0xfc));
    access_at(world, input, VMM_PORTS, 0xcfc + at % 4U);
}

static void access_card(struct world *world, struct input *input)
{
    const uint8_t which = byte(input);
    const struct vmm_pci_window *window =
        &world->cards[which % CARDS].function.windows[which / CARDS % 5];

    access_at(world, input, window->space, window->wanted + half(input) % 4160);
}

static void happen(struct world *world, struct input *input)
{
    const uint8_t what = byte(input);
    struct card *card = &world->cards[what % CARDS];

    if ((what & 2) != 0)
        vmm_msix_raise(card->msix, byte(input) % (VECTORS + 1));
    if ((what & 4) != 0)
        vmm_pci_assert(&card->function, (what & 8) != 0);
    if ((what & 16) != 0)
        vmm_pm_raise_gpe(world->pm, byte(input));
    if ((what & 32) != 0)
        vmm_pm_power_button(world->pm);
    if ((what & 64) != 0)
        world->now_ns += (uint64_t)word(input) << byte(input) % 32;
    if ((what & 128) != 0)
        vmm_pm_wake(world->pm);
}

static void step(struct world *world, struct input *input)
{
    switch (byte(input) % 8) {
    case 0:
        access_at(world, input, VMM_PORTS, half(input));
        break;
    case 1:
        access_at(world, input, VMM_MMIO, word(input) | (uint64_t)byte(input) << 32);
        break;
    case 2:
    case 3:
        configure(world, input);
        break;
    case 4:
        access_card(world, input);
        break;
    case 5:
        happen(world, input);
        break;
    case 6:
        move(world, (byte(input) & 1) != 0);
        break;
    default:
        load_anything(world, input);
        break;
    }
}

static void poke(const struct world *world, unsigned slot, unsigned number, unsigned at,
                 unsigned bytes, uint32_t value)
{
    vmm_bus_write(world->bus, VMM_PORTS, 0xcf8, 4,
                  UINT32_C(0x80000000) | slot << 11 | number << 8 | (at & 0xfc));
    vmm_bus_write(world->bus, VMM_PORTS, 0xcfc + at % 4, bytes, value);
}

/* As firmware and drivers do: routes, BARs, vectors, events. */
static void set_up(const struct world *world)
{
    poke(world, 1, 0, PIRQRC, 4, 0x090b0a09);
    for (unsigned i = 0; i < CARDS; i++) {
        poke(world, FIRST_SLOT + i, i, 0x10, 4, 0xc000 + i * 64);
        poke(world, FIRST_SLOT + i, i, 0x14, 4, 0xfe000000 + i * 4096);
        poke(world, FIRST_SLOT + i, i, 0x18, 4, 0xe0000000);
        poke(world, FIRST_SLOT + i, i, 0x1c, 4, i);
        poke(world, FIRST_SLOT + i, i, 0x20, 4, 0xfd000000 + i * 16);
        poke(world, FIRST_SLOT + i, i, CAPABILITY + 2, 2, 0x8000);
        poke(world, FIRST_SLOT + i, i, 4, 2, 7);
    }
    vmm_bus_write(world->bus, VMM_PORTS, VMM_PM_BASE + 2, 2, 0x121);
    vmm_bus_write(world->bus, VMM_PORTS, VMM_PM_BASE + 14, 2, 0xff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct world world;

    begin(&world, size);
    if (size % 4 != 0)
        set_up(&world);
    for (unsigned i = 0; input.size > 0 && i < 200; i++) {
        step(&world, &input);
        check(&world);
    }
    move(&world, false);
    end(&world);
    return 0;
}
