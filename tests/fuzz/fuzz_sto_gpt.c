/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes storage/sto_gpt: the first blocks of a LUN, as they are and with the table's two checksums
 * made right, so that header and entries behind them are reached.
 */
#include <config.h>

#include "common/hw_crc32.h"
#include "storage/sto_gpt.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { BLOCK_BYTES = 512, EDGE_BYTES = 34 * BLOCK_BYTES, HEADER_BYTES = 92 };

static void put_le32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Checksums of the entries (where they are inside the edge), then of the header. */
static void mend(uint8_t *edge)
{
    uint8_t *header = edge + BLOCK_BYTES;
    uint64_t bytes = (uint64_t)get_le32(header + 80) * get_le32(header + 84);

    if (bytes <= EDGE_BYTES - 2 * BLOCK_BYTES)
        put_le32(header + 88, hw_crc32(edge + (size_t)2 * BLOCK_BYTES, (size_t)bytes));
    put_le32(header + 12, HEADER_BYTES);
    put_le32(header + 16, 0);
    put_le32(header + 16, hw_crc32(header, HEADER_BYTES));
}

static void try_edge(const uint8_t *data)
{
    struct sto_edge edge = { .data = data, .bytes = EDGE_BYTES, .offset_bytes = 0 };
    uint64_t capacity_bytes = UINT64_C(64) << 20;
    char text[STO_GUID_TEXT_BYTES];
    struct sto_gpt gpt;

    sto_gpt_read(&edge, 1, BLOCK_BYTES, capacity_bytes, &gpt);
    fuzz_require((gpt.state == STO_GPT_DAMAGED) == (gpt.why != NULL));
    (void)sto_gpt_protective_mbr(data, BLOCK_BYTES);
    if (gpt.state != STO_GPT_VALID)
        return;
    fuzz_require(sto_gpt_same(&gpt, &gpt));
    for (unsigned i = 0; i < gpt.used_count && i < STO_GPT_PARTITIONS; i++) {
        const struct sto_gpt_partition *partition = &gpt.partitions[i];
        uint8_t guid[STO_GUID_BYTES];

        fuzz_require(partition->first_lba <= partition->last_lba);
        fuzz_require(partition->last_lba < capacity_bytes / BLOCK_BYTES);
        fuzz_require(memchr(partition->name, '\0', sizeof(partition->name)) != NULL);
        fuzz_require(sto_guid_parse(sto_guid_text(partition->guid, text), guid));
        fuzz_require(memcmp(guid, partition->guid, sizeof(guid)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t edge[EDGE_BYTES];

    memset(edge, 0, sizeof(edge));
    if (size > 0)
        memcpy(edge, data, size < sizeof(edge) ? size : sizeof(edge));
    try_edge(edge);
    mend(edge);
    try_edge(edge);
    return 0;
}
