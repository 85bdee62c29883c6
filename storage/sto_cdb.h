/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command descriptor blocks of the commands that hawser sends (SBC-3 clause 5, SPC-4 clause 6),
 * but for persistent reservations, which are in sto_pr.h. Pure. Each builder zeroes `cdb` first
 * and returns the CDB's length in bytes, 0 if an argument does not fit any form of the command.
 */
#ifndef STO_CDB_H
#define STO_CDB_H

#include <stdbool.h>
#include <stdint.h>

enum { STO_CDB_BYTES = 16 };

enum sto_opcode {
    STO_OPCODE_TEST_UNIT_READY = 0x00,
    STO_OPCODE_INQUIRY = 0x12,
    STO_OPCODE_MODE_SENSE_6 = 0x1a,
    STO_OPCODE_READ_10 = 0x28,
    STO_OPCODE_WRITE_10 = 0x2a,
    STO_OPCODE_SYNCHRONIZE_CACHE_10 = 0x35,
    STO_OPCODE_UNMAP = 0x42,
    STO_OPCODE_MODE_SENSE_10 = 0x5a,
    STO_OPCODE_READ_16 = 0x88,
    STO_OPCODE_COMPARE_AND_WRITE = 0x89,
    STO_OPCODE_WRITE_16 = 0x8a,
    STO_OPCODE_SYNCHRONIZE_CACHE_16 = 0x91,
    STO_OPCODE_WRITE_SAME_16 = 0x93,
    STO_OPCODE_SERVICE_ACTION_IN_16 = 0x9e,
    STO_OPCODE_REPORT_LUNS = 0xa0,
};

/* READ(10) where address and count fit it, else READ(16) (SBC-3 5.13, 5.15). `blocks` 0: 0. */
uint8_t sto_cdb_read(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint32_t blocks);
/* WRITE(10) or WRITE(16) with FUA (SBC-3 5.36, 5.38). `blocks` 0: 0. */
uint8_t sto_cdb_write(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint32_t blocks, bool fua);
/* SYNCHRONIZE CACHE(10) of `blocks` from `lba` (0 blocks: to the end), or (16) beyond its reach;
 * IMMED is never set: the answer comes when the cache is on the medium (SBC-3 5.22, 5.23). */
uint8_t sto_cdb_synchronize_cache(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint32_t blocks);
/* TEST UNIT READY (SPC-4 6.47). */
uint8_t sto_cdb_test_unit_ready(uint8_t cdb[STO_CDB_BYTES]);
/* Standard INQUIRY (SPC-4 6.6.2). */
uint8_t sto_cdb_inquiry(uint8_t cdb[STO_CDB_BYTES], uint16_t allocation_bytes);
/* INQUIRY for a vital product data page (SPC-4 6.6.4). */
uint8_t sto_cdb_inquiry_page(uint8_t cdb[STO_CDB_BYTES], uint8_t page, uint16_t allocation_bytes);
/* READ CAPACITY(16) (SBC-3 5.16). */
uint8_t sto_cdb_read_capacity(uint8_t cdb[STO_CDB_BYTES], uint32_t allocation_bytes);
/* MODE SENSE(6), current values, no block descriptors (SPC-4 6.13). */
uint8_t sto_cdb_mode_sense(uint8_t cdb[STO_CDB_BYTES], uint8_t page, uint8_t allocation_bytes);
/* REPORT LUNS (SPC-4 6.33), select report 0: the LUNs that may be used. */
uint8_t sto_cdb_report_luns(uint8_t cdb[STO_CDB_BYTES], uint32_t allocation_bytes);
/* WRITE SAME(16) with one block of data, UNMAP bit as told (SBC-3 5.47). `blocks` 0: 0, since a
 * count of 0 means "to the end". */
uint8_t sto_cdb_write_same(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint32_t blocks, bool unmap);
/* COMPARE AND WRITE (SBC-3 5.3); the data is the compare image, then the write image. `blocks`
 * is 1 to 255. */
uint8_t sto_cdb_compare_and_write(uint8_t cdb[STO_CDB_BYTES], uint64_t lba, uint8_t blocks,
                                  bool fua);

enum { STO_UNMAP_RANGE_BYTES = 24 };
/* UNMAP (SBC-3 5.35) with one range: CDB and parameter list. `blocks` 0: 0. */
uint8_t sto_cdb_unmap(uint8_t cdb[STO_CDB_BYTES], uint8_t parameters[STO_UNMAP_RANGE_BYTES],
                      uint64_t lba, uint32_t blocks);

#endif
