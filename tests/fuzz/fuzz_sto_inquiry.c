/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/sto_inquiry and storage/sto_sense: what a target says of a LUN (INQUIRY, VPD
 * pages, READ CAPACITY, MODE SENSE) and of a command (sense data). The first byte picks the parser.
 */
#include <config.h>

#include "storage/sto_inquiry.h"
#include "storage/sto_sense.h"
#include "tests/fuzz/fuzz.h"

static void sense(const uint8_t *data, size_t size)
{
    struct sto_result result = { 0 };
    struct sto_sense parsed = sto_sense_parse(data, size);

    fuzz_require(parsed.present || (parsed.key == 0 && parsed.asc_ascq == 0));
    fuzz_require(parsed.key <= 0xf);
    (void)sto_sense_words(parsed.key, parsed.asc_ascq);
    sto_sense_judge(STO_STATUS_CHECK_CONDITION, data, size, &result);
    fuzz_require(result.sense_key <= 0xf);
    sto_sense_judge(size > 0 ? data[0] : 0, data, size, &result);
}

static void facts(unsigned which, const uint8_t *data, size_t size)
{
    struct sto_facts facts = { .block_bytes = 512 };
    enum sto_peripheral peripheral;
    struct sto_vpd_pages pages;

    switch (which) {
    case 0:
        (void)sto_inquiry_standard(data, size, &facts, &peripheral);
        break;
    case 1:
        if (sto_inquiry_pages(data, size, &pages) == 0)
            for (unsigned page = 0; page < 256; page++)
                (void)sto_inquiry_has_page(&pages, (uint8_t)page);
        break;
    case 2:
        (void)sto_inquiry_serial(data, size, &facts);
        break;
    case 3:
        (void)sto_inquiry_identification(data, size, &facts);
        break;
    case 4:
        (void)sto_inquiry_block_limits(data, size, &facts);
        break;
    case 5:
        (void)sto_inquiry_provisioning(data, size, &facts);
        break;
    case 6:
        (void)sto_inquiry_capacity(data, size, &facts);
        break;
    default:
        (void)sto_inquiry_mode(data, size, &facts);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 9 == 8)
        sense(data + 1, size - 1);
    else
        facts(data[0] % 9, data + 1, size - 1);
    return 0;
}
