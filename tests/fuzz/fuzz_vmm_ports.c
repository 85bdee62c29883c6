/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/machine/vmm_cmos, vmm-core/machine/vmm_ports and vmm-core/machine/vmm_i8042: any
 * accesses to their ports while time goes by, with their states saved and loaded on the way. What
 * was loaded is saved as it was, and goes on as the one that was saved does.
 *   first byte: even, accesses follow, three bytes each; odd, a state of the clock's, then accesses
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "vmm-core/machine/vmm_cmos.h"
#include "vmm-core/machine/vmm_i8042.h"
#include "vmm-core/machine/vmm_ports.h"

#include <string.h>

enum { STATE_BYTES = 512, DEVICES = 3, STEP_BYTES = 3 };

struct machine {
    struct vmm_bus *bus;
    struct vmm_dev devices[DEVICES];
    struct vmm_cmos *cmos;
    int64_t now_ns, wake_ns;
    unsigned said;
};

static void set(void *context, unsigned number, bool high)
{
    (void)context;
    (void)number;
    (void)high;
}

static int64_t wall_ns(void *context)
{
    return ((struct machine *)context)->now_ns;
}

static void wake_at(void *context, int64_t at_ns)
{
    struct machine *machine = context;

    fuzz_require(at_ns > machine->now_ns - INT64_C(1000000000));
    machine->wake_ns = at_ns;
}

static void reset(void *context)
{
    (void)context;
}

static void event(void *context, unsigned events)
{
    (void)context;
    fuzz_require(events > 0 && events < 8);
}

static void line(void *context, const char *text)
{
    struct machine *machine = context;

    fuzz_require(strlen(text) < VMM_PORTS_LINE_BYTES);
    machine->said += (unsigned)strlen(text);
    fuzz_require(machine->said <= VMM_PORTS_LINES_BYTES);
}

static void begin(struct machine *machine, int64_t now_ns)
{
    const struct vmm_line irq = { set, machine, 8 };
    const struct vmm_cmos_clock clock = { wall_ns, wake_at, machine };
    const struct vmm_cmos_config config = { .low_bytes = 1 << 30, .cpus = 1 };
    const struct vmm_ports_callbacks callbacks = { reset, event, line, machine };

    *machine = (struct machine) { .bus = vmm_bus_new(), .now_ns = now_ns, .wake_ns = INT64_MAX };
    fuzz_require(vmm_cmos_new(machine->bus, &irq, &config, &clock, &machine->devices[0],
                              &machine->cmos) == 0 &&
                 vmm_ports_new(machine->bus, &callbacks, &machine->devices[1]) == 0 &&
                 vmm_i8042_new(machine->bus, &irq, reset, machine, &machine->devices[2]) == 0);
}

static void end(struct machine *machine)
{
    for (unsigned i = 0; i < DEVICES; i++)
        machine->devices[i].ops->fini(machine->devices[i].dev);
    vmm_bus_free(machine->bus);
}

static size_t save(struct vmm_dev *device, uint8_t bytes[STATE_BYTES])
{
    struct hw_writer writer = hw_writer_over(bytes, STATE_BYTES);
    struct vmm_state state = vmm_state_saving(&writer, device->ops->version);

    vmm_dev_pause(device);
    device->ops->state(device->dev, &state);
    fuzz_require(vmm_state_end(&state) == 0);
    return writer.at;
}

static int load(struct vmm_dev *device, const uint8_t *bytes, size_t size)
{
    struct vmm_state state = vmm_state_loading(bytes, size, device->ops->version);

    vmm_dev_reset(device);
    device->ops->state(device->dev, &state);
    return vmm_state_end(&state);
}

static void compare(struct machine *one, struct machine *other)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        uint8_t bytes[STATE_BYTES], again[STATE_BYTES];
        const size_t size = save(&one->devices[i], bytes);

        fuzz_require(save(&other->devices[i], again) == size && memcmp(bytes, again, size) == 0);
    }
}

static void move(struct machine *from, struct machine *to)
{
    begin(to, from->now_ns);
    for (unsigned i = 0; i < DEVICES; i++) {
        uint8_t bytes[STATE_BYTES];

        fuzz_require(load(&to->devices[i], bytes, save(&from->devices[i], bytes)) == 0);
    }
    compare(from, to);
    for (unsigned i = 0; i < DEVICES; i++) {
        vmm_dev_resume(&from->devices[i]);
        vmm_dev_resume(&to->devices[i]);
    }
}

/* What was read; the low bits of `what` choose port, width and direction. */
static uint64_t step(struct machine *machine, const uint8_t bytes[STEP_BYTES])
{
    static const uint16_t ports[] = { 0x70, 0x71, 0x92, 0xb2, 0xb3, 0x402, 0x505, 0x60 };
    const unsigned what = bytes[0];
    const uint16_t port = ports[what & 7];
    const unsigned width = 1U << (what >> 3 & 3) & 7;
    const uint64_t value = (uint64_t)bytes[2] << 8 | bytes[1];

    if ((what & 0x80) != 0) { /* up to three hours */
        machine->now_ns += (int64_t)(value * value) * (what & 0x40 ? 2500 : 1);
        if (machine->wake_ns <= machine->now_ns) {
            machine->wake_ns = INT64_MAX;
            vmm_cmos_wake(machine->cmos);
        }
        return 0;
    }
    if (width == 0)
        return vmm_bus_read(machine->bus, VMM_PORTS, 0x64, 1);
    if ((what & 0x40) != 0)
        return vmm_bus_read(machine->bus, VMM_PORTS, port, width);
    vmm_bus_write(machine->bus, VMM_PORTS, port == 0x60 && width == 2 ? 0x64 : port, width, value);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const bool loads = size > 0 && data[0] % 2 == 1;
    struct machine one, two;
    uint8_t state[STATE_BYTES];
    size_t at = 1, moved;

    begin(&one, INT64_C(1767225600123456789));
    if (loads) {
        const size_t bytes = save(&one.devices[0], state);

        at += bytes;
        if (at > size || load(&one.devices[0], data + 1, bytes) < 0) {
            end(&one);
            return 0;
        }
        vmm_dev_resume(&one.devices[0]);
    }
    moved = size / 2;
    for (; at + STEP_BYTES <= size && at < moved; at += STEP_BYTES)
        (void)step(&one, data + at);
    one.said = 0;
    move(&one, &two);
    for (; at + STEP_BYTES <= size; at += STEP_BYTES)
        fuzz_require(step(&one, data + at) == step(&two, data + at));
    compare(&one, &two);
    end(&two);
    end(&one);
    return 0;
}
