/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/save/vmm_save_tlv: sections as they are, and with the checksum of each made
 * right. What passes the check comes out the same when it is written again.
 */
#include <config.h>

#include "common/hw_crc32c.h"
#include "tests/fuzz/fuzz.h"
#include "vmm-core/save/vmm_save_tlv.h"

#include <string.h>

enum { ROOM = 2048 };

static bool knows(void *context, uint32_t type, uint16_t version)
{
    (void)context;
    return type < 1000 && version < 3;
}

static void try_sections(const uint8_t *data, size_t size)
{
    uint8_t again[ROOM];
    struct vmm_save_tlv_writer writer = vmm_save_tlv_writer_over(again, sizeof(again));
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(data, size);
    struct vmm_save_tlv tlv;
    size_t written;

    if (vmm_save_tlv_check(data, size, knows, NULL, &tlv) != 0)
        return;
    while (vmm_save_tlv_next(&reader, &tlv) == 0) {
        struct hw_writer *content =
            vmm_save_tlv_begin(&writer, tlv.type, tlv.instance, tlv.version, tlv.required);

        fuzz_require(tlv.bytes >= data && tlv.bytes + tlv.length_bytes <= data + size);
        hw_write_bytes(content, tlv.bytes, tlv.length_bytes);
        vmm_save_tlv_end(&writer);
    }
    fuzz_require(vmm_save_tlv_finish(&writer, &written) == 0);
    fuzz_require(written == size && memcmp(again, data, size) == 0);
}

/* Make the checksums right as far as the lengths lead. */
static void mend(uint8_t *data, size_t size)
{
    size_t at = 0;

    while (size - at >= VMM_SAVE_TLV_HEAD_BYTES) {
        struct hw_reader length = hw_reader_over(data + at + 16, 4);
        struct hw_writer crc = hw_writer_over(data + at, 4);
        size_t bytes = VMM_SAVE_TLV_HEAD_BYTES + (size_t)hw_read_le32(&length);

        if (bytes > size - at)
            break;
        hw_write_le32(&crc, hw_crc32c(data + at + 4, bytes - 4));
        at += bytes + (VMM_SAVE_TLV_ALIGN_BYTES - bytes % VMM_SAVE_TLV_ALIGN_BYTES) %
                          VMM_SAVE_TLV_ALIGN_BYTES;
        if (at > size)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[ROOM];

    if (size > sizeof(bytes))
        size = sizeof(bytes);
    if (size > 0)
        memcpy(bytes, data, size);
    try_sections(bytes, size);
    mend(bytes, size);
    try_sections(bytes, size);
    return 0;
}
