/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second reading of doc/saved-state.md, for tests: takes a saved state off a disk with nothing
 * but offsets, as simple as can be, and says what is wrong with it. Not for damaged states.
 */
#ifndef SAVE_READING_H
#define SAVE_READING_H

#include <stddef.h>
#include <stdint.h>

#include "storage/sto_saved.h"

struct save_reading {
    struct sto_saved_look look;
    uint8_t *memory; /* of the guest, to be freed */
    uint8_t *sections;
    uint32_t delta_pages;
};

/*
 * Read with `peek(context, offset, bytes, size)`. NULL if all is well, else what is wrong (constant
 * text). What was read is to be freed in any case.
 */
const char *save_reading_take(void (*peek)(void *context, uint64_t offset, void *bytes,
                                           size_t size),
                              void *context, struct save_reading *ret_reading);
void save_reading_free(struct save_reading *reading);

#endif
