/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/save/vmm_save_needs: a list of needs as it may stand in a saved state or come
 * from another host. What decodes encodes the same; a host that says the same meets it unless a
 * kind is unknown.
 */
#include <config.h>

#include "tests/fuzz/fuzz.h"
#include "vmm-core/save/vmm_save_needs.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vmm_save_needs nothing;
    struct vmm_save_needs needs;
    struct vmm_save_need missing;
    uint8_t again[VMM_SAVE_NEEDS_MAX * VMM_SAVE_NEED_BYTES], digest[STO_SAVED_DIGEST_BYTES];

    if (vmm_save_needs_decode(data, size, &needs) != 0)
        return 0;
    fuzz_require(vmm_save_needs_encode(&needs, again, sizeof(again)) == size);
    fuzz_require(size == 0 || memcmp(again, data, size) == 0);
    vmm_save_needs_digest(&needs, digest);
    if (vmm_save_needs_check(&needs, &needs, &missing) != 0)
        fuzz_require(strcmp(vmm_save_need_name(missing.kind), "?") == 0);
    (void)vmm_save_needs_check(&needs, &nothing, &missing);
    return 0;
}
