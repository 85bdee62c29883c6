/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine into another one of its shape, with its memory.
 */
#ifndef MACHINE_MOVE_H
#define MACHINE_MOVE_H

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm-core/run/vmm_machine.h"

/* `from` stands from now on; `to` has not run yet. The state has `most_bytes`. */
static inline void machine_move(struct vmm_machine *from, struct vmm_machine *to, size_t most_bytes)
{
    const struct vmm_memory_range *memory = &vmm_machine_memory(from)->ranges[0];
    uint8_t *state = calloc(1, most_bytes);
    struct hw_error error = { 0 };
    size_t bytes = 0;

    vmm_machine_pause(from);
    CU_ASSERT_EQUAL(vmm_machine_save(from, state, most_bytes, &bytes, &error), 0);
    memcpy(vmm_machine_memory(to)->ranges[0].address, memory->address, memory->bytes);
    CU_ASSERT_EQUAL(vmm_machine_load(to, state, bytes, &error), 0);
    CU_ASSERT_STRING_EQUAL(error.reason, "");
    free(state);
}

#endif
