/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_cdb: every builder's bytes against the layouts of SBC-3 and SPC-4, written out here
 * by hand.
 */
#include <config.h>

#include "storage/sto_cdb.h"

#include <string.h>

#include "tests/unit/unit.h"

struct cdb {
    uint8_t bytes[STO_CDB_BYTES];
    uint8_t size;
};

static struct cdb got;

#define CHECK(call, want_size, ...)                                 \
    do {                                                            \
        static const uint8_t want[STO_CDB_BYTES] = { __VA_ARGS__ }; \
        memset(got.bytes, 0xee, sizeof(got.bytes));                 \
        got.size = (call);                                          \
        CU_ASSERT_EQUAL(got.size, (want_size));                     \
        CU_ASSERT_EQUAL(memcmp(got.bytes, want, sizeof(want)), 0);  \
    } while (0)

static void reads_and_writes(void)
{
    CHECK(sto_cdb_read(got.bytes, 0x01020304, 0x0506), 10, 0x28, 0, 1, 2, 3, 4, 0, 5, 6, 0);
    CHECK(sto_cdb_read(got.bytes, UINT32_MAX, UINT16_MAX), 10, 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0,
          0xff, 0xff, 0);
    CHECK(sto_cdb_read(got.bytes, 0x0100000000, 1), 16, 0x88, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
          1);
    CHECK(sto_cdb_read(got.bytes, 7, 0x10000), 16, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 0, 0);
    CHECK(sto_cdb_write(got.bytes, 0x01020304, 9, false), 10, 0x2a, 0, 1, 2, 3, 4, 0, 0, 9, 0);
    CHECK(sto_cdb_write(got.bytes, 2, 9, true), 10, 0x2a, 0x08, 0, 0, 0, 2, 0, 0, 9, 0);
    CHECK(sto_cdb_write(got.bytes, 0x0203040506070809, 0x0a0b0c0d, true), 16, 0x8a, 0x08, 2, 3, 4,
          5, 6, 7, 8, 9, 10, 11, 12, 13);
}

static void whole_lun_and_none(void)
{
    CHECK(sto_cdb_synchronize_cache(got.bytes, 0, 0), 10, 0x35);
    CHECK(sto_cdb_synchronize_cache(got.bytes, 0x100000000, 8), 16, 0x91, 0, 0, 0, 0, 1, 0, 0, 0, 0,
          0, 0, 0, 8);
    CHECK(sto_cdb_test_unit_ready(got.bytes), 6, 0);
}

static void asking(void)
{
    CHECK(sto_cdb_inquiry(got.bytes, 0x0160), 6, 0x12, 0, 0, 1, 0x60, 0);
    CHECK(sto_cdb_inquiry_page(got.bytes, 0x83, 0x0400), 6, 0x12, 1, 0x83, 4, 0, 0);
    CHECK(sto_cdb_read_capacity(got.bytes, 32), 16, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
          32);
    CHECK(sto_cdb_mode_sense(got.bytes, 0x08, 192), 6, 0x1a, 0x08, 0x08, 0, 192, 0);
    CHECK(sto_cdb_mode_sense(got.bytes, 0xc8, 4), 6, 0x1a, 0x08, 0x08, 0, 4, 0);
    CHECK(sto_cdb_report_luns(got.bytes, 0x01020304), 12, 0xa0, 0, 0, 0, 0, 0, 1, 2, 3, 4);
}

static void changing(void)
{
    static const uint8_t range[STO_UNMAP_RANGE_BYTES] = { 0, 22, 0, 16, 0, 0, 0, 0,  1,  2,
                                                          3, 4,  5, 6,  7, 8, 9, 10, 11, 12 };
    uint8_t parameters[STO_UNMAP_RANGE_BYTES];

    CHECK(sto_cdb_write_same(got.bytes, 3, 4, false), 16, 0x93, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0,
          4);
    CHECK(sto_cdb_write_same(got.bytes, 3, 4, true), 16, 0x93, 0x08, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0,
          0, 4);
    CHECK(sto_cdb_compare_and_write(got.bytes, 0x0102030405060708, 255, true), 16, 0x89, 0x08, 1, 2,
          3, 4, 5, 6, 7, 8, 0, 0, 0, 255);
    CHECK(sto_cdb_unmap(got.bytes, parameters, 0x0102030405060708, 0x090a0b0c), 10, 0x42, 0, 0, 0,
          0, 0, 0, 0, 24, 0);
    CU_ASSERT_EQUAL(memcmp(parameters, range, sizeof(range)), 0);
}

/* A count of 0 means "to the end of the LUN" in some commands: it is never built. */
static void nothing_is_refused(void)
{
    uint8_t parameters[STO_UNMAP_RANGE_BYTES];

    CU_ASSERT_EQUAL(sto_cdb_read(got.bytes, 1, 0), 0);
    CU_ASSERT_EQUAL(sto_cdb_write(got.bytes, 1, 0, false), 0);
    CU_ASSERT_EQUAL(sto_cdb_write_same(got.bytes, 1, 0, false), 0);
    CU_ASSERT_EQUAL(sto_cdb_compare_and_write(got.bytes, 1, 0, false), 0);
    CU_ASSERT_EQUAL(sto_cdb_unmap(got.bytes, parameters, 1, 0), 0);
}

const struct unit_case unit_cases[] = {
    { "READ and WRITE in both lengths", reads_and_writes },
    { "SYNCHRONIZE CACHE and TEST UNIT READY", whole_lun_and_none },
    { "INQUIRY, READ CAPACITY, MODE SENSE, REPORT LUNS", asking },
    { "WRITE SAME, COMPARE AND WRITE, UNMAP", changing },
    { "a count of zero is refused", nothing_is_refused },
    { 0 },
};
