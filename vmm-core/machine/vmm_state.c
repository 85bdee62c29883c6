/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fields of a device's state, written or read.
 */
#include "config.h"

#include "vmm-core/machine/vmm_state.h"

#include <errno.h>

struct vmm_state vmm_state_saving(struct hw_writer *writer, uint16_t version)
{
    return (struct vmm_state) { .version = version, .writer = writer };
}

struct vmm_state vmm_state_loading(const void *bytes, size_t size, uint16_t version)
{
    return (struct vmm_state) { .loading = true,
                                .version = version,
                                .reader = hw_reader_over(bytes, size) };
}

int vmm_state_end(const struct vmm_state *state)
{
    if (!state->loading)
        return hw_writer_status(state->writer);
    if (state->wrong || hw_reader_left(&state->reader) > 0)
        return -EBADMSG;
    return hw_reader_status(&state->reader);
}

void vmm_state_u8(struct vmm_state *state, uint8_t *value)
{
    if (state->loading)
        *value = hw_read_u8(&state->reader);
    else
        hw_write_u8(state->writer, *value);
}

void vmm_state_u16(struct vmm_state *state, uint16_t *value)
{
    if (state->loading)
        *value = hw_read_le16(&state->reader);
    else
        hw_write_le16(state->writer, *value);
}

void vmm_state_u32(struct vmm_state *state, uint32_t *value)
{
    if (state->loading)
        *value = hw_read_le32(&state->reader);
    else
        hw_write_le32(state->writer, *value);
}

void vmm_state_u64(struct vmm_state *state, uint64_t *value)
{
    if (state->loading)
        *value = hw_read_le64(&state->reader);
    else
        hw_write_le64(state->writer, *value);
}

void vmm_state_bool(struct vmm_state *state, bool *value)
{
    uint8_t byte = *value;

    vmm_state_u8(state, &byte);
    vmm_state_require(state, byte <= 1);
    *value = byte == 1;
}

void vmm_state_bytes(struct vmm_state *state, void *bytes, size_t size)
{
    if (state->loading)
        hw_read_bytes(&state->reader, bytes, size);
    else
        hw_write_bytes(state->writer, bytes, size);
}

void vmm_state_require(struct vmm_state *state, bool holds)
{
    if (state->loading && !holds)
        state->wrong = true;
}
