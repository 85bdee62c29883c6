/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/save/vmm_save_delta: an index as it may stand on a LUN. What loads holds each
 * page once and within memory, and can be changed.
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "vmm-core/save/vmm_save_delta.h"

#include <string.h>

enum { SLOTS = 40, PAGES = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t index[SLOTS * VMM_SAVE_DELTA_ENTRY_BYTES] = { 0 };
    uint32_t used = size > 0 ? data[0] % (SLOTS + 2) : 0, bad, held = 0;
    struct vmm_save_delta delta;
    uint64_t page, hash;

    if (size > 1)
        memcpy(index, data + 1, size - 1 < sizeof(index) ? size - 1 : sizeof(index));
    if (vmm_save_delta_load(&delta, index, SLOTS, used, PAGES, &bad) != 0)
        return 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (vmm_save_delta_entry(&delta, slot, &page, &hash) != 0)
            continue;
        held++;
        fuzz_require(page < PAGES && vmm_save_delta_find(&delta, page) == slot);
    }
    fuzz_require(vmm_save_delta_room(&delta) == SLOTS - held);
    for (page = 0; page < PAGES; page += 3) {
        uint32_t room = vmm_save_delta_room(&delta);
        uint32_t slot = vmm_save_delta_put(&delta, page, page);

        fuzz_require(slot < SLOTS || room == 0);
        vmm_save_delta_drop(&delta, page + 1);
        fuzz_require(vmm_save_delta_find(&delta, page) == slot);
    }
    vmm_save_delta_free(&delta);
    return 0;
}
