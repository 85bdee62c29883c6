/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See fwcfg_case.h.
 */
#include <config.h>

#include "tests/unit/fwcfg_case.h"

#include <string.h>

#include "tests/unit/unit.h"

struct world w;
static uint8_t high[HIGH_BYTES];

static void *memory_at(void *context, uint64_t guest_at, uint64_t bytes, bool writes)
{
    struct world *world = context;

    CU_ASSERT_TRUE(writes);
    if (guest_at == HIGH_AT && bytes <= HIGH_BYTES)
        return high;
    return guest_at <= MEMORY_BYTES && bytes <= MEMORY_BYTES - guest_at ? world->memory + guest_at
                                                                        : NULL;
}

int make(void)
{
    const struct vmm_dma dma = { memory_at, &w };

    return vmm_fwcfg_new(w.bus, &dma, &w.dev, &w.fwcfg);
}

void begin(void)
{
    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL_FATAL(make(), 0);
}

void end(void)
{
    w.dev.ops->fini(w.dev.dev);
    CU_ASSERT_EQUAL(next(), 0xff);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x514, 4), 0xffffffff);
    vmm_bus_free(w.bus);
}

void choose(uint16_t key)
{
    vmm_bus_write(w.bus, VMM_PORTS, 0x510, 2, key);
}

uint8_t next(void)
{
    return (uint8_t)vmm_bus_read(w.bus, VMM_PORTS, 0x511, 1);
}

bool holds(uint16_t key, const void *bytes, size_t count)
{
    const uint8_t *byte = bytes;
    bool same = true;

    choose(key);
    for (size_t i = 0; i < count; i++)
        same = next() == byte[i] && same;
    for (unsigned i = 0; i < 3; i++)
        same = next() == 0 && same;
    return same;
}

static uint32_t next_be(unsigned bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | next();
    return value;
}

uint16_t find_file(const char *name, uint32_t *ret_bytes)
{
    char found[56];
    uint32_t files;

    choose(0x19);
    files = next_be(4);
    for (uint32_t i = 0; i < files; i++) {
        const uint32_t bytes = next_be(4);
        const uint16_t key = (uint16_t)next_be(2);

        CU_ASSERT_EQUAL(next_be(2), 0);
        for (unsigned j = 0; j < sizeof(found); j++)
            found[j] = (char)next();
        CU_ASSERT_EQUAL(found[sizeof(found) - 1], '\0');
        if (strcmp(found, name) == 0) {
            *ret_bytes = bytes;
            return key;
        }
    }
    return 0;
}

uint32_t order(uint32_t control, uint32_t count, uint64_t guest_at)
{
    struct hw_writer writer = hw_writer_over(w.memory, 16);
    struct hw_reader reader = hw_reader_over(w.memory, 4);

    hw_write_be32(&writer, control);
    hw_write_be32(&writer, count);
    hw_write_be64(&writer, guest_at);
    vmm_bus_write(w.bus, VMM_PORTS, 0x518, 4, 0);
    return hw_read_be32(&reader);
}

size_t save(uint8_t bytes[STATE_BYTES])
{
    struct hw_writer writer = hw_writer_over(bytes, STATE_BYTES);
    struct vmm_state state = vmm_state_saving(&writer, w.dev.ops->version);

    vmm_dev_pause(&w.dev);
    CU_ASSERT_TRUE(vmm_dev_drained(&w.dev));
    w.dev.ops->state(w.dev.dev, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), 0);
    return writer.at;
}

int load(const uint8_t *bytes, size_t size)
{
    struct vmm_state state = vmm_state_loading(bytes, size, w.dev.ops->version);

    vmm_dev_reset(&w.dev);
    w.dev.ops->state(w.dev.dev, &state);
    return vmm_state_end(&state);
}
