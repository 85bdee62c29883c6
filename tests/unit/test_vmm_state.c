/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_state: what one function saves, the same function loads, and nothing else.
 */
#include <config.h>

#include "vmm-core/machine/vmm_state.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev.h"

struct gauge {
    uint8_t mode;
    uint16_t port;
    uint32_t count;
    uint64_t at;
    bool on;
    uint8_t name[5];
};

static void gauge_state(void *dev, struct vmm_state *state)
{
    struct gauge *gauge = dev;

    vmm_state_u8(state, &gauge->mode);
    vmm_state_require(state, gauge->mode < 4);
    vmm_state_u16(state, &gauge->port);
    vmm_state_u32(state, &gauge->count);
    vmm_state_u64(state, &gauge->at);
    vmm_state_bool(state, &gauge->on);
    vmm_state_bytes(state, gauge->name, sizeof(gauge->name));
}

enum { BYTES = 1 + 2 + 4 + 8 + 1 + 5 };

static const struct gauge saved = { 3, 0x3f8, 70000, 1ull << 40, true, "abcd" };

static void save(uint8_t bytes[BYTES])
{
    struct hw_writer writer = hw_writer_over(bytes, BYTES);
    struct vmm_state state = vmm_state_saving(&writer, 7);
    struct gauge gauge = saved;

    gauge_state(&gauge, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), 0);
    CU_ASSERT_EQUAL(writer.at, BYTES);
}

static int load(const uint8_t *bytes, size_t size, struct gauge *ret_gauge)
{
    struct vmm_state state = vmm_state_loading(bytes, size, 7);

    memset(ret_gauge, 0, sizeof(*ret_gauge));
    gauge_state(ret_gauge, &state);
    return vmm_state_end(&state);
}

static void comes_back_as_it_was(void)
{
    uint8_t bytes[BYTES + 1] = { 0 };
    struct gauge gauge;

    save(bytes);
    CU_ASSERT_EQUAL(bytes[1], 0xf8); /* little-endian */
    CU_ASSERT_EQUAL(load(bytes, BYTES, &gauge), 0);
    CU_ASSERT_EQUAL(gauge.mode, saved.mode);
    CU_ASSERT_EQUAL(gauge.port, saved.port);
    CU_ASSERT_EQUAL(gauge.count, saved.count);
    CU_ASSERT_EQUAL(gauge.at, saved.at);
    CU_ASSERT_TRUE(gauge.on);
    CU_ASSERT_EQUAL(memcmp(gauge.name, saved.name, sizeof(gauge.name)), 0);
}

static void refuses_what_is_not_whole(void)
{
    uint8_t bytes[BYTES + 1] = { 0 };
    struct gauge gauge;

    save(bytes);
    for (size_t size = 0; size < BYTES; size++)
        CU_ASSERT_EQUAL(load(bytes, size, &gauge), -EBADMSG);
    CU_ASSERT_EQUAL(load(bytes, BYTES + 1, &gauge), -EBADMSG);
    bytes[0] = 4; /* the device itself requires less */
    CU_ASSERT_EQUAL(load(bytes, BYTES, &gauge), -EBADMSG);
    bytes[0] = 3;
    bytes[15] = 2; /* neither true nor false */
    CU_ASSERT_EQUAL(load(bytes, BYTES, &gauge), -EBADMSG);
}

static void tells_what_does_not_fit(void)
{
    uint8_t bytes[BYTES];
    struct hw_writer writer = hw_writer_over(bytes, BYTES - 1);
    struct vmm_state state = vmm_state_saving(&writer, 7);
    struct gauge gauge = saved;

    gauge.mode = 9; /* what is saved is not judged */
    gauge_state(&gauge, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), -ENOSPC);
}

static void set(void *context, unsigned number, bool high)
{
    *(unsigned *)context = high ? number : 0;
}

static void lines_are_wired(void)
{
    unsigned seen = 99;
    struct vmm_line line = { set, &seen, 4 };

    vmm_line_set(&line, true);
    CU_ASSERT_EQUAL(seen, 4);
    vmm_line_set(&line, false);
    CU_ASSERT_EQUAL(seen, 0);
}

const struct unit_case unit_cases[] = {
    { "it comes back as it was", comes_back_as_it_was },
    { "what is not whole is refused", refuses_what_is_not_whole },
    { "what does not fit is told", tells_what_does_not_fit },
    { "a line reaches who wired it", lines_are_wired },
    { 0 },
};
