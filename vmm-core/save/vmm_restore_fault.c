/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The place of a fault in words. Pure. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "vmm-core/save/vmm_restore.h"

static const char *const all_of[] = {
    [VMM_RESTORE_PART_TABLE] = "the chunk table",
    [VMM_RESTORE_PART_INDEX] = "the index of the delta area",
    [VMM_RESTORE_PART_SECTIONS] = "the device state",
};

static int describe(const struct vmm_restore_fault *fault, char *text, size_t size)
{
    const uint64_t number = fault->number;

    switch (fault->part) {
    case VMM_RESTORE_PART_NONE:
        return snprintf(text, size, "a request");
    case VMM_RESTORE_PART_HEADER:
        return snprintf(text, size, "header slot %c", number == 0 ? 'A' : 'B');
    case VMM_RESTORE_PART_DELTA:
        return snprintf(text, size, "page %" PRIu64 " in the delta area", number);
    case VMM_RESTORE_PART_MEMORY:
        return snprintf(text, size, "memory block %" PRIu64 " (chunk %" PRIu64 ")", number,
                        number / VMM_SAVE_CHUNK_BLOCKS);
    default:
        break;
    }
    if (number == UINT64_MAX)
        return snprintf(text, size, "%s", all_of[fault->part]);
    if (fault->part == VMM_RESTORE_PART_TABLE)
        return snprintf(text, size, "the record of chunk %" PRIu64, number);
    if (fault->part == VMM_RESTORE_PART_INDEX)
        return snprintf(text, size, "slot %" PRIu64 " of the delta index", number);
    return snprintf(text, size, "device state section %" PRIu32 ".%" PRIu32, fault->type,
                    fault->instance);
}

const char *vmm_restore_fault_text(const struct vmm_restore_fault *fault,
                                   char text[VMM_RESTORE_FAULT_TEXT_BYTES])
{
    int at = describe(fault, text, VMM_RESTORE_FAULT_TEXT_BYTES);

    if (at > 0 && at < VMM_RESTORE_FAULT_TEXT_BYTES)
        (void)snprintf(text + at, VMM_RESTORE_FAULT_TEXT_BYTES - (size_t)at,
                       ", at %" PRIu64 " of hawser-state", fault->offset_bytes);
    return text;
}
