/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See cmos_case.h.
 */
#include <config.h>

#include "tests/unit/cmos_case.h"

#include "tests/unit/unit.h"

struct world w;
const struct vmm_cmos_battery *cmos_battery;

static void set(void *context, unsigned number, bool high)
{
    CU_ASSERT_EQUAL(number, 8);
    ((struct world *)context)->high = high;
}

static int64_t wall_ns(void *context)
{
    return ((struct world *)context)->now_ns;
}

static void wake_at(void *context, int64_t at_ns)
{
    ((struct world *)context)->wake_ns = at_ns;
}

int make_with(uint64_t low_bytes, uint64_t high_bytes)
{
    const struct vmm_line line = { set, &w, 8 };
    const struct vmm_cmos_clock clock = { wall_ns, wake_at, &w };
    const struct vmm_cmos_config config = {
        .low_bytes = low_bytes,
        .high_bytes = high_bytes,
        .cpus = 4,
        .battery = cmos_battery,
        .boot = { VMM_CMOS_BOOT_NETWORK, VMM_CMOS_BOOT_DISK, VMM_CMOS_BOOT_CD },
    };

    return vmm_cmos_new(w.bus, &line, &config, &clock, &w.dev, &w.cmos);
}

int make(void)
{
    return make_with(128 << 20, 0);
}

void begin(void)
{
    w = (struct world) { .bus = vmm_bus_new(), .now_ns = START, .wake_ns = INT64_MAX };
    CU_ASSERT_EQUAL_FATAL(make(), 0);
}

void end(void)
{
    w.dev.ops->fini(w.dev.dev);
    CU_ASSERT_EQUAL(w.wake_ns, INT64_MAX);
    vmm_bus_write(w.bus, VMM_PORTS, 0x70, 1, 0x0d);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x71, 1), 0xff);
    vmm_bus_free(w.bus);
}

uint8_t get(uint8_t at)
{
    vmm_bus_write(w.bus, VMM_PORTS, 0x70, 1, at);
    return (uint8_t)vmm_bus_read(w.bus, VMM_PORTS, 0x71, 1);
}

void put(uint8_t at, uint8_t value)
{
    vmm_bus_write(w.bus, VMM_PORTS, 0x70, 1, at);
    vmm_bus_write(w.bus, VMM_PORTS, 0x71, 1, value);
}

/* Month to seconds, as BCD. */
uint64_t time_of_month(void)
{
    static const uint8_t places[] = { 8, 7, 4, 2, 0 };
    uint64_t value = 0;

    for (unsigned i = 0; i < sizeof(places); i++)
        value = value << 8 | get(places[i]);
    return value;
}

/* The wall clock goes on; whoever asked to be woken in between is. */
void pass(int64_t ns)
{
    const int64_t until = w.now_ns + ns;

    while (w.wake_ns <= until) {
        w.now_ns = w.wake_ns;
        w.wake_ns = INT64_MAX;
        vmm_cmos_wake(w.cmos);
    }
    w.now_ns = until;
}
