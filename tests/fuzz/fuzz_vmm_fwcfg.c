/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/machine/vmm_fwcfg: any accesses to its ports with orders of any kind in guest
 * memory, and states of any bytes. Nothing is written outside guest memory, and what was saved
 * and loaded goes on as the one that was saved does.
 *   first byte: even, accesses follow, four bytes each, then memory; odd, a state follows
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "vmm-core/machine/vmm_fwcfg.h"

#include <string.h>

enum { MEMORY_BYTES = 4096, EDGE_BYTES = 64, STATE_BYTES = 1 << 14, STEP_BYTES = 4 };

struct machine {
    struct vmm_bus *bus;
    struct vmm_dev dev;
    uint8_t memory[MEMORY_BYTES + EDGE_BYTES];
};

static void *memory_at(void *context, uint64_t guest_at, uint64_t bytes, bool writes)
{
    struct machine *machine = context;

    (void)writes;
    return guest_at <= MEMORY_BYTES && bytes <= MEMORY_BYTES - guest_at ? machine->memory + guest_at
                                                                        : NULL;
}

static void begin(struct machine *machine)
{
    const struct vmm_fwcfg_platform platform = {
        .low_bytes = 1 << 30, .cpus = 2, .boot_wait_ms = 1000, .console_port = 0x3f8
    };
    const struct vmm_fwcfg_boot boot = {
        .kernel = "kernel", .kernel_bytes = 6, .initrd = "initrd", .initrd_bytes = 6, .command = ""
    };
    const struct vmm_dma dma = { memory_at, machine };
    struct vmm_fwcfg *fwcfg;

    memset(machine, 0, sizeof(*machine));
    machine->bus = vmm_bus_new();
    fuzz_require(vmm_fwcfg_new(machine->bus, &dma, &machine->dev, &fwcfg) == 0 &&
                 vmm_fwcfg_describe(fwcfg, &platform) == 0 &&
                 vmm_fwcfg_offer_boot_order(fwcfg, "/pci@i0cf8\n") == 0 &&
                 vmm_fwcfg_lend_boot(fwcfg, &boot) == 0);
}

static void end(struct machine *machine)
{
    for (unsigned i = 0; i < EDGE_BYTES; i++)
        fuzz_require(machine->memory[MEMORY_BYTES + i] == 0);
    machine->dev.ops->fini(machine->dev.dev);
    vmm_bus_free(machine->bus);
}

static size_t save(struct machine *machine, uint8_t bytes[STATE_BYTES])
{
    struct hw_writer writer = hw_writer_over(bytes, STATE_BYTES);
    struct vmm_state state = vmm_state_saving(&writer, machine->dev.ops->version);

    machine->dev.ops->state(machine->dev.dev, &state);
    fuzz_require(vmm_state_end(&state) == 0);
    return writer.at;
}

static int load(struct machine *machine, const uint8_t *bytes, size_t size)
{
    struct vmm_state state = vmm_state_loading(bytes, size, machine->dev.ops->version);

    vmm_dev_reset(&machine->dev);
    machine->dev.ops->state(machine->dev.dev, &state);
    return vmm_state_end(&state);
}

static void compare(struct machine *one, struct machine *two)
{
    static uint8_t states[2][STATE_BYTES]; /* large, and written before each use */
    const size_t size = save(one, states[0]);

    fuzz_require(save(two, states[1]) == size && memcmp(states[0], states[1], size) == 0);
    fuzz_require(memcmp(one->memory, two->memory, sizeof(one->memory)) == 0);
}

static uint64_t step(struct machine *machine, const uint8_t bytes[STEP_BYTES])
{
    static const uint16_t ports[] = { 0x510, 0x511, 0x514, 0x518 };
    const unsigned width = 1U << (bytes[0] >> 2 & 3) & 7;
    const uint16_t port = (uint16_t)(ports[bytes[0] & 3] + (bytes[0] >> 4 & 1));
    const uint64_t value = (uint64_t)bytes[3] << 24 | (uint64_t)bytes[2] << 16 | bytes[1];

    if (width == 0) { /* the whole of an order's address */
        vmm_bus_write(machine->bus, VMM_PORTS, 0x514, 4, 0);
        vmm_bus_write(machine->bus, VMM_PORTS, 0x518, 4,
                      __builtin_bswap32((uint32_t)value & 0x1fff));
        return 0;
    }
    if ((bytes[0] & 0x20) != 0)
        return vmm_bus_read(machine->bus, VMM_PORTS, port, width);
    vmm_bus_write(machine->bus, VMM_PORTS, port, width, value);
    return 0;
}

static void try_state(const uint8_t *data, size_t size)
{
    static uint8_t bytes[STATE_BYTES]; /* large, and written before each use */
    struct machine machine;

    begin(&machine);
    if (load(&machine, data, size) == 0)
        fuzz_require(save(&machine, bytes) == size && memcmp(bytes, data, size) == 0);
    end(&machine);
}

static void try_accesses(const uint8_t *data, size_t size)
{
    static uint8_t bytes[STATE_BYTES];
    const size_t steps = size / 2 / STEP_BYTES;
    const uint8_t *content = data + steps * STEP_BYTES;
    size_t count = size - steps * STEP_BYTES;
    struct machine one, two;

    if (count > MEMORY_BYTES)
        count = MEMORY_BYTES;
    begin(&one);
    begin(&two);
    if (count > 0)
        memcpy(one.memory, content, count);
    for (size_t i = 0; i < steps / 2; i++)
        (void)step(&one, data + i * STEP_BYTES);
    memcpy(two.memory, one.memory, sizeof(two.memory));
    fuzz_require(load(&two, bytes, save(&one, bytes)) == 0);
    for (size_t i = steps / 2; i < steps; i++)
        fuzz_require(step(&one, data + i * STEP_BYTES) == step(&two, data + i * STEP_BYTES));
    compare(&one, &two);
    end(&two);
    end(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 1)
        try_state(data + 1, size - 1 < STATE_BYTES ? size - 1 : STATE_BYTES);
    else
        try_accesses(data + 1, size - 1);
    return 0;
}
