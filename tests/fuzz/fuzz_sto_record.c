/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/sto_record and storage/sto_meta: what a LUN may hold where the ownership record
 * and the description should be. Each input is tried as it is and with its checksums made right,
 * so that the fields behind them are reached. What decodes must come out the same again.
 */
#include <config.h>

#include "common/hw_crc32c.h"
#include "storage/sto_meta.h"
#include "storage/sto_record.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* Make the checksum in a sector's last four bytes right. */
static void mend(uint8_t *sector)
{
    uint32_t crc = hw_crc32c(sector, STO_RECORD_BYTES - 4);

    for (unsigned i = 0; i < 4; i++)
        sector[STO_RECORD_BYTES - 4 + i] = (uint8_t)(crc >> (8 * i));
}

static void check_record(const struct sto_record *record)
{
    struct sto_record again;
    uint8_t sector[STO_RECORD_BYTES], second[STO_RECORD_BYTES];

    fuzz_require(memchr(record->wwid, '\0', sizeof(record->wwid)) != NULL);
    sto_record_encode(record, sector);
    fuzz_require(sto_record_decode(sector, &again) == 0);
    sto_record_encode(&again, second);
    fuzz_require(memcmp(sector, second, sizeof(sector)) == 0);
}

static void check_meta(const struct sto_meta *meta)
{
    struct sto_meta again;
    uint8_t sector[STO_META_BYTES], second[STO_META_BYTES];

    fuzz_require(memchr(meta->wwid, '\0', sizeof(meta->wwid)) != NULL);
    sto_meta_encode(meta, sector);
    fuzz_require(sto_meta_decode(sector, &again) == 0);
    sto_meta_encode(&again, second);
    fuzz_require(memcmp(sector, second, sizeof(sector)) == 0);
}

static void try_area(const uint8_t *area, size_t bytes)
{
    static struct sto_record history[STO_RECORD_RING];
    struct sto_record record;
    struct sto_meta meta;
    bool damaged;
    unsigned count;

    if (sto_record_choose(area, bytes, &record, &damaged) == 0)
        check_record(&record);
    count = sto_record_history(area, bytes, history);
    fuzz_require(count <= STO_RECORD_RING);
    for (unsigned i = 0; i < count; i++)
        check_record(&history[i]);
    if (sto_meta_choose(area, area + STO_RECORD_PAGE_BYTES, &meta, &damaged) == 0)
        check_meta(&meta);
}

/* The area's two pages and its first ring slots from the input, sector by sector. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t places[] = { 0, STO_RECORD_PAGE_BYTES, STO_RECORD_RING_OFFSET,
                                     STO_RECORD_RING_OFFSET + STO_RECORD_BYTES };
    static uint8_t area[STO_RECORD_AREA_BYTES];

    memset(area, 0, sizeof(area));
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]) && size > 0; i++) {
        size_t part = size < STO_RECORD_BYTES ? size : STO_RECORD_BYTES;

        memcpy(area + places[i], data, part);
        data += part;
        size -= part;
    }
    try_area(area, sizeof(area));
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        mend(area + places[i]);
    try_area(area, sizeof(area));
    return 0;
}
