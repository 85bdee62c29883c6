/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/boot/vmm_bzimage and vmm-core/boot/vmm_linux: a kernel's file of any bytes. What
 * is accepted lies in the file, and is placed in guest memory or refused with a reason.
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "vmm-core/boot/vmm_bzimage.h"
#include "vmm-core/boot/vmm_linux.h"

enum { LOW = 4 << 20 };

static uint8_t guest[LOW]; /* made once: it is only written to */

static void *at(void *context, uint64_t guest_at, uint64_t bytes)
{
    (void)context;
    return guest_at <= LOW && bytes <= LOW - guest_at ? guest + guest_at : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct vmm_pvh_boot boot = { .name = "fuzz",
                                       .kernel = data,
                                       .kernel_bytes = size,
                                       .initrd = "ramdisk",
                                       .initrd_bytes = 7,
                                       .command = "quiet" };
    const struct vmm_pvh_memory memory = { .low_bytes = LOW, .at = at };
    struct vmm_linux_entry entry;
    struct vmm_bzimage image;
    struct hw_error error = { 0 };
    const bool good = vmm_bzimage_read(data, size, &image) == 0;

    if (good) {
        fuzz_require(image.header >= data && image.header + image.header_bytes <= data + size);
        fuzz_require(image.kernel >= data && image.kernel_bytes <= size &&
                     image.kernel + image.kernel_bytes <= data + size);
        fuzz_require(image.kernel_bytes <= image.memory_bytes);
    }
    if (vmm_linux_place(&boot, &memory, &entry, &error) < 0) {
        fuzz_require(error.reason[0] != '\0');
    } else {
        fuzz_require(good && entry.ip == image.load_at + VMM_BZIMAGE_ENTRY_64);
        fuzz_require(image.load_at + image.memory_bytes <= LOW);
    }
    return 0;
}
