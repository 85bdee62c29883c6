/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each port is a range of its own. What firmware says is gathered to lines, with a bound on their
 * length and on all of them, for a guest can write to the port for ever.
 */
#include "config.h"

#include "vmm-core/machine/vmm_ports.h"

#include <errno.h>
#include <stdlib.h>

#include "common/hw_le.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { CONTROL_A = 0x92, APM = 0xb2, DEBUG = 0x402, PVPANIC = 0x505 };
enum { CONTROL_A_RESET = 1, CONTROL_A_A20 = 2 };
enum { DEBUG_IS_HERE = 0xe9 }; /* what SeaBIOS reads before it writes */
enum { EVENTS = VMM_PORTS_PANIC | VMM_PORTS_CRASH | VMM_PORTS_SHUTDOWN };
enum { APM_PORTS = 2, FIRST_PRINTABLE = 0x20, LAST_PRINTABLE = 0x7e };

struct ports {
    struct vmm_bus *bus;
    struct vmm_ports_callbacks callbacks;
    uint8_t control_a, apm[APM_PORTS];
    uint32_t said; /* bytes of lines so far */
    unsigned count;
    char line[VMM_PORTS_LINE_BYTES];
};

/* --- 92h --- */

static uint64_t control_a_read(void *dev, uint64_t offset, unsigned bytes)
{
    (void)offset;
    (void)bytes;
    return ((struct ports *)dev)->control_a;
}

static void control_a_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct ports *ports = dev;
    const bool pulled = (value & ~(uint64_t)ports->control_a & CONTROL_A_RESET) != 0;

    (void)offset;
    (void)bytes;
    ports->control_a = (uint8_t)value;
    if (pulled)
        ports->callbacks.reset(ports->callbacks.context);
}

/* --- b2h, b3h --- */

static uint64_t apm_read(void *dev, uint64_t offset, unsigned bytes)
{
    const struct ports *ports = dev;

    return bytes == 1 ? ports->apm[offset] : (uint64_t)(ports->apm[0] | ports->apm[1] << 8);
}

static void apm_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct ports *ports = dev;

    hw_le_store(ports->apm + offset, bytes, value);
}

/* --- 402h --- */

static void end_line(struct ports *ports)
{
    const unsigned count = ports->count;

    ports->count = 0;
    if (count == 0 || ports->said + count > VMM_PORTS_LINES_BYTES)
        return;
    ports->said += count;
    ports->line[count] = '\0';
    ports->callbacks.line(ports->callbacks.context, ports->line);
}

static uint64_t debug_read(void *dev, uint64_t offset, unsigned bytes)
{
    (void)dev;
    (void)offset;
    (void)bytes;
    return DEBUG_IS_HERE;
}

static void debug_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct ports *ports = dev;
    const char byte = (char)value;

    (void)offset;
    (void)bytes;
    if (byte == '\n') {
        end_line(ports);
        return;
    }
    ports->line[ports->count++] = byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE ? byte : '?';
    if (ports->count == VMM_PORTS_LINE_BYTES - 1)
        end_line(ports);
}

/* --- 505h --- */

static uint64_t pvpanic_read(void *dev, uint64_t offset, unsigned bytes)
{
    (void)dev;
    (void)offset;
    (void)bytes;
    return EVENTS;
}

static void pvpanic_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    const struct ports *ports = dev;
    const unsigned events = (unsigned)value & EVENTS;

    (void)offset;
    (void)bytes;
    if (events != 0)
        ports->callbacks.event(ports->callbacks.context, events);
}

static const struct {
    uint16_t first, count;
    struct vmm_range_ops ops;
} ranges[] = {
    { CONTROL_A, 1, { control_a_read, control_a_write } },
    { APM, APM_PORTS, { apm_read, apm_write } },
    { DEBUG, 1, { debug_read, debug_write } },
    { PVPANIC, 1, { pvpanic_read, pvpanic_write } },
};
enum { RANGES = sizeof(ranges) / sizeof(ranges[0]) };

/* --- for the machine --- */

static void ports_reset(void *dev)
{
    struct ports *ports = dev;

    end_line(ports);
    ports->said = 0;
    ports->control_a = CONTROL_A_A20;
    ports->apm[0] = ports->apm[1] = 0;
}

static void ports_pause(void *dev)
{
    end_line(dev);
}

/* A line that was begun has been said when it was paused. */
static void ports_state(void *dev, struct vmm_state *state)
{
    struct ports *ports = dev;

    vmm_state_u8(state, &ports->control_a);
    vmm_state_bytes(state, ports->apm, sizeof(ports->apm));
    vmm_state_u32(state, &ports->said);
    vmm_state_require(state, ports->said <= VMM_PORTS_LINES_BYTES);
    if (ports->said > VMM_PORTS_LINES_BYTES)
        ports->said = VMM_PORTS_LINES_BYTES;
}

static void remove_ranges(struct ports *ports, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)vmm_bus_remove(ports->bus, VMM_PORTS, ranges[i].first);
}

static void ports_fini(void *dev)
{
    end_line(dev);
    remove_ranges(dev, RANGES);
    free(dev);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "system ports",
    .id = VMM_DEV_PORTS,
    .version = 1,
    .reset = ports_reset,
    .pause = ports_pause,
    .state = ports_state,
    .fini = ports_fini,
};

int vmm_ports_new(struct vmm_bus *bus, const struct vmm_ports_callbacks *callbacks,
                  struct vmm_dev *ret_dev)
{
    struct ports *ports = calloc(1, sizeof(*ports));

    if (ports == NULL)
        return -ENOMEM;
    ports->bus = bus;
    ports->callbacks = *callbacks;
    for (unsigned i = 0; i < RANGES; i++) {
        int rc =
            vmm_bus_add(bus, VMM_PORTS, ranges[i].first, ranges[i].count, &ranges[i].ops, ports);

        if (rc < 0) {
            remove_ranges(ports, i);
            free(ports);
            return rc;
        }
    }
    ports_reset(ports);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = ports };
    return 0;
}
