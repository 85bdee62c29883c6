/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/boot/vmm_elf and vmm-core/boot/vmm_pvh: a kernel's file of any bytes. What is
 * accepted lies in the file, and is placed in guest memory or refused with a reason.
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "vmm-core/boot/vmm_elf.h"
#include "vmm-core/boot/vmm_pvh.h"

enum { LOW = 2 << 20 };

static uint8_t guest[LOW]; /* made once: it is only written to */

static void *at(void *context, uint64_t guest_at, uint64_t bytes)
{
    (void)context;
    return guest_at <= LOW && bytes <= LOW - guest_at ? guest + guest_at : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct vmm_pvh_boot boot = {
        .name = "fuzz", .kernel = data, .kernel_bytes = size, .command = "quiet"
    };
    const struct vmm_pvh_memory memory = { .low_bytes = LOW, .at = at };
    struct vmm_pvh_entry entry;
    struct hw_error error = { 0 };
    struct vmm_elf elf;

    if (vmm_elf_read(data, size, &elf) == 0) {
        fuzz_require(elf.count > 0 && elf.count <= VMM_ELF_SEGMENTS);
        for (unsigned i = 0; i < elf.count; i++) {
            const struct vmm_elf_segment *segment = &elf.segments[i];

            fuzz_require(segment->bytes >= data &&
                         segment->file_bytes <= (size_t)(data + size - segment->bytes));
            fuzz_require(segment->file_bytes <= segment->memory_bytes);
        }
    }
    if (vmm_pvh_place(&boot, &memory, &entry, &error) < 0)
        fuzz_require(error.reason[0] != '\0');
    else
        fuzz_require(entry.ip == elf.entry);
    return 0;
}
