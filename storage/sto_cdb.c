/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builders of command descriptor blocks. The shorter form is taken where it fits: every target
 * knows READ(10), not every one READ(16). Nothing here judges whether a command is wise.
 */
#include "storage/sto_cdb.h"

#include "common/hw_cursor.h"

enum { CDB_10 = 10, CDB_16 = 16, CDB_6 = 6 };
enum { FUA_BIT = 1u << 3, UNMAP_BIT = 1u << 3, EVPD_BIT = 1u << 0, DBD_BIT = 1u << 3 };
enum { READ_CAPACITY_16 = 0x10 };

static struct hw_writer begin(uint8_t cdb[STO_CDB_BYTES], enum sto_opcode opcode, uint8_t byte_1)
{
    struct hw_writer writer = hw_writer_over(cdb, STO_CDB_BYTES);

    hw_write_zeroes(&writer, STO_CDB_BYTES);
    writer.at = 0;
    hw_write_u8(&writer, (uint8_t)opcode);
    hw_write_u8(&writer, byte_1);
    return writer;
}

static bool fits_10(uint64_t lba, uint32_t blocks)
{
    return lba <= UINT32_MAX && blocks <= UINT16_MAX;
}

/* The layout that READ, WRITE and SYNCHRONIZE CACHE share: lba, group, count. */
static uint8_t range_10(uint8_t cdb[STO_CDB_BYTES], enum sto_opcode opcode, uint8_t byte_1,
                        uint64_t lba, uint32_t blocks)
{
    struct hw_writer writer = begin(cdb, opcode, byte_1);

    hw_write_be32(&writer, (uint32_t)lba);
    hw_write_u8(&writer, 0);
    hw_write_be16(&writer, (uint16_t)blocks);
    return CDB_10;
}

static uint8_t range_16(uint8_t cdb[STO_CDB_BYTES], enum sto_opcode opcode, uint8_t byte_1,
                        uint64_t lba, uint32_t blocks)
{
    struct hw_writer writer = begin(cdb, opcode, byte_1);

    hw_write_be64(&writer, lba);
    hw_write_be32(&writer, blocks);
    return CDB_16;
}

uint8_t sto_cdb_read(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint32_t blocks)
{
    if (blocks == 0)
        return 0;
    if (fits_10(lba, blocks))
        return range_10(cdb, STO_OPCODE_READ_10, 0, lba, blocks);
    return range_16(cdb, STO_OPCODE_READ_16, 0, lba, blocks);
}

uint8_t sto_cdb_write(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint32_t blocks, bool fua)
{
    uint8_t byte_1 = fua ? FUA_BIT : 0;

    if (blocks == 0)
        return 0;
    if (fits_10(lba, blocks))
        return range_10(cdb, STO_OPCODE_WRITE_10, byte_1, lba, blocks);
    return range_16(cdb, STO_OPCODE_WRITE_16, byte_1, lba, blocks);
}

uint8_t sto_cdb_synchronize_cache(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint32_t blocks)
{
    if (fits_10(lba, blocks))
        return range_10(cdb, STO_OPCODE_SYNCHRONIZE_CACHE_10, 0, lba, blocks);
    return range_16(cdb, STO_OPCODE_SYNCHRONIZE_CACHE_16, 0, lba, blocks);
}

uint8_t sto_cdb_test_unit_ready(uint8_t cdb[STO_CDB_BYTES])
{
    begin(cdb, STO_OPCODE_TEST_UNIT_READY, 0);
    return CDB_6;
}

static uint8_t inquiry(uint8_t cdb[STO_CDB_BYTES], uint8_t byte_1, uint8_t page, uint16_t bytes)
{
    struct hw_writer writer = begin(cdb, STO_OPCODE_INQUIRY, byte_1);

    hw_write_u8(&writer, page);
    hw_write_be16(&writer, bytes);
    return CDB_6;
}

uint8_t sto_cdb_inquiry(uint8_t cdb[STO_CDB_BYTES], uint16_t allocation_bytes)
{
    return inquiry(cdb, 0, 0, allocation_bytes);
}

uint8_t sto_cdb_inquiry_page(uint8_t cdb[STO_CDB_BYTES], uint8_t page, uint16_t allocation_bytes)
{
    return inquiry(cdb, EVPD_BIT, page, allocation_bytes);
}

uint8_t sto_cdb_read_capacity(uint8_t cdb[STO_CDB_BYTES], uint32_t allocation_bytes)
{
    return range_16(cdb, STO_OPCODE_SERVICE_ACTION_IN_16, READ_CAPACITY_16, 0, allocation_bytes);
}

uint8_t sto_cdb_mode_sense(uint8_t cdb[STO_CDB_BYTES], uint8_t page, uint8_t allocation_bytes)
{
    struct hw_writer writer = begin(cdb, STO_OPCODE_MODE_SENSE_6, DBD_BIT);

    hw_write_u8(&writer, page & 0x3f);
    hw_write_u8(&writer, 0);
    hw_write_u8(&writer, allocation_bytes);
    return CDB_6;
}

uint8_t sto_cdb_report_luns(uint8_t cdb[STO_CDB_BYTES], uint32_t allocation_bytes)
{
    struct hw_writer writer = begin(cdb, STO_OPCODE_REPORT_LUNS, 0);

    hw_write_zeroes(&writer, 4);
    hw_write_be32(&writer, allocation_bytes);
    return 12;
}

uint8_t sto_cdb_write_same(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint32_t blocks, bool unmap)
{
    if (blocks == 0)
        return 0;
    return range_16(cdb, STO_OPCODE_WRITE_SAME_16, unmap ? UNMAP_BIT : 0, lba, blocks);
}

uint8_t sto_cdb_compare_and_write(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint8_t blocks,
                                  bool fua)
{
    struct hw_writer writer;

    if (blocks == 0)
        return 0;
    writer = begin(cdb, STO_OPCODE_COMPARE_AND_WRITE, fua ? FUA_BIT : 0);
    hw_write_be64(&writer, lba);
    hw_write_zeroes(&writer, 3);
    hw_write_u8(&writer, blocks);
    return CDB_16;
}

uint8_t sto_cdb_unmap(uint8_t cdb[STO_CDB_BYTES], uint8_t parameters[STO_UNMAP_RANGE_BYTES],
                      uint64_t lba, uint32_t blocks)
{
    struct hw_writer writer;

    if (blocks == 0)
        return 0;
    writer = begin(cdb, STO_OPCODE_UNMAP, 0);
    hw_write_zeroes(&writer, 5);
    hw_write_be16(&writer, STO_UNMAP_RANGE_BYTES);

    writer = hw_writer_over(parameters, STO_UNMAP_RANGE_BYTES);
    hw_write_be16(&writer, STO_UNMAP_RANGE_BYTES - 2); /* UNMAP DATA LENGTH: what follows it */
    hw_write_be16(&writer, STO_UNMAP_RANGE_BYTES - 8); /* one descriptor */
    hw_write_zeroes(&writer, 4);
    hw_write_be64(&writer, lba);
    hw_write_be32(&writer, blocks);
    hw_write_zeroes(&writer, 4);
    return CDB_10;
}
