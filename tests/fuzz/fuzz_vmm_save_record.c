/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/save/vmm_save_record: records as they are and with checksum and number made
 * right. What decodes must come out the same again, and its blocks must make sense.
 */
#include <config.h>

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "tests/fuzz/fuzz.h"
#include "vmm-core/save/vmm_save_record.h"

#include <string.h>

static void try_record(const uint8_t bytes[VMM_SAVE_RECORD_BYTES], uint64_t chunk)
{
    struct vmm_save_record record;
    uint8_t again[VMM_SAVE_RECORD_BYTES];
    uint64_t bad;

    if (vmm_save_record_decode(bytes, chunk, &record) != 0)
        return;
    vmm_save_record_encode(&record, again);
    fuzz_require(memcmp(bytes, again, sizeof(again)) == 0);
    for (unsigned i = 0; i < VMM_SAVE_CHUNK_BLOCKS; i++) {
        struct vmm_save_block block = vmm_save_table_block(bytes, i);

        fuzz_require((block.codec == VMM_SAVE_CODEC_ZERO) == (block.nonzero == 0));
        fuzz_require(block.hash == record.hash[i]);
    }
    fuzz_require((vmm_save_table_check(bytes, 1, &bad) == 0) == (record.chunk == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[VMM_SAVE_RECORD_BYTES] = { 0 };
    struct hw_writer crc = hw_writer_over(bytes + sizeof(bytes) - 4, 4);
    struct hw_reader chunk = hw_reader_over(bytes, 4);

    memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
    try_record(bytes, 0);
    hw_write_le32(&crc, hw_crc32c(bytes, sizeof(bytes) - 4));
    try_record(bytes, hw_read_le32(&chunk));
    return 0;
}
