/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device's state on its way out or in: one function of the device names its fields in order, for
 * both directions, so that save and load cannot differ. Little-endian, fixed widths
 * (doc/saved-state.md). What is loaded is judged with vmm_state_require() before anything uses it;
 * the first fault sticks. Pure.
 */
#ifndef VMM_STATE_H
#define VMM_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hw_cursor.h"

struct vmm_state {
    bool loading;
    uint16_t version; /* of the section: the device's own when saving, the saved one when loading */
    struct hw_writer *writer;
    struct hw_reader reader;
    bool wrong;
};

/* Save through `writer`, which the caller owns (a section of vmm_save_tlv.h). */
struct vmm_state vmm_state_saving(struct hw_writer *writer, uint16_t version);
/* Load from `size` bytes that the caller owns. */
struct vmm_state vmm_state_loading(const void *bytes, size_t size, uint16_t version);
/*
 * 0; saving: -ENOSPC if it did not fit; loading: -EBADMSG if bytes are missing or too many, or a
 * requirement did not hold.
 */
int vmm_state_end(const struct vmm_state *state);

void vmm_state_u8(struct vmm_state *state, uint8_t *value);   /* 1 byte */
void vmm_state_u16(struct vmm_state *state, uint16_t *value); /* 2 bytes */
void vmm_state_u32(struct vmm_state *state, uint32_t *value); /* 4 bytes */
void vmm_state_u64(struct vmm_state *state, uint64_t *value); /* 8 bytes */
/* 1 byte, 0 or 1; another one is wrong. */
void vmm_state_bool(struct vmm_state *state, bool *value);
void vmm_state_bytes(struct vmm_state *state, void *bytes, size_t size); /* as they are */
/* What must hold of a loaded value; nothing when saving. */
void vmm_state_require(struct vmm_state *state, bool holds);

#endif
