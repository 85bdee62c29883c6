/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_sense: every status and sense that decides something is judged as SAM-5 and SPC-4
 * say, in both formats, and nothing cut short is read past its end or taken for harmless.
 */
#include <config.h>

#include "storage/sto_sense.h"

#include <string.h>

#include "tests/unit/unit.h"

struct judged {
    uint8_t key;
    uint16_t asc_ascq;
    enum sto_rc rc;
};

static const struct judged table[] = {
    { 0x0, 0x0000, STO_MEDIUM },         { 0x1, 0x1701, STO_OK },
    { 0x2, 0x0401, STO_BUSY },           { 0x2, 0x040a, STO_BUSY },
    { 0x2, 0x0402, STO_MEDIUM },         { 0x2, 0x3a00, STO_MEDIUM },
    { 0x3, 0x1100, STO_MEDIUM },         { 0x4, 0x4400, STO_MEDIUM },
    { 0x5, 0x2000, STO_UNSUPPORTED },    { 0x5, 0x2400, STO_ILLEGAL },
    { 0x5, 0x2500, STO_ILLEGAL },        { 0x6, 0x2900, STO_UNIT_ATTENTION },
    { 0x6, 0x2a03, STO_UNIT_ATTENTION }, { 0x6, 0x3807, STO_UNIT_ATTENTION },
    { 0x7, 0x2700, STO_READ_ONLY },      { 0x7, 0x2707, STO_NO_SPACE },
    { 0x8, 0x0000, STO_MEDIUM },         { 0xb, 0x0000, STO_ABORTED },
    { 0xe, 0x1d00, STO_MISCOMPARE },     { 0xf, 0x0000, STO_OK },
};

enum { ROWS = sizeof(table) / sizeof(table[0]) };

static void fixed(uint8_t sense[18], const struct judged *row)
{
    memset(sense, 0, 18);
    sense[0] = 0xf0; /* with the VALID bit, which is not part of the response code */
    sense[2] = (uint8_t)(0xe0 | row->key);
    sense[7] = 10;
    sense[12] = (uint8_t)(row->asc_ascq >> 8);
    sense[13] = (uint8_t)row->asc_ascq;
}

static void descriptor(uint8_t sense[8], const struct judged *row)
{
    memset(sense, 0, 8);
    sense[0] = 0x72;
    sense[1] = row->key;
    sense[2] = (uint8_t)(row->asc_ascq >> 8);
    sense[3] = (uint8_t)row->asc_ascq;
}

static void check(const uint8_t *sense, size_t bytes, const struct judged *row)
{
    struct sto_result result = { .transferred_bytes = 99, .detail = "kept" };

    sto_sense_judge(STO_STATUS_CHECK_CONDITION, sense, bytes, &result);
    CU_ASSERT_EQUAL(result.rc, row->rc);
    CU_ASSERT_EQUAL(result.scsi_status, 2);
    CU_ASSERT_EQUAL(result.sense_key, row->key);
    CU_ASSERT_EQUAL(result.asc_ascq, row->asc_ascq);
    CU_ASSERT_EQUAL(result.transferred_bytes, 99);
    CU_ASSERT_STRING_EQUAL(result.detail, "kept");
}

static void judges_both_formats(void)
{
    uint8_t sense[18];

    for (unsigned i = 0; i < ROWS; i++) {
        fixed(sense, &table[i]);
        check(sense, sizeof(sense), &table[i]);
        descriptor(sense, &table[i]);
        check(sense, 8, &table[i]);
    }
}

static void judges_statuses(void)
{
    static const struct {
        uint8_t status;
        enum sto_rc rc;
    } rows[] = {
        { 0x00, STO_OK },       { 0x04, STO_OK },     { 0x08, STO_BUSY },
        { 0x18, STO_CONFLICT }, { 0x28, STO_BUSY },   { 0x30, STO_BUSY },
        { 0x40, STO_UNKNOWN },  { 0x22, STO_MEDIUM }, { 0x10, STO_MEDIUM },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sto_result result = { .sense_key = 5, .asc_ascq = 5 };

        sto_sense_judge(rows[i].status, NULL, 0, &result);
        CU_ASSERT_EQUAL(result.rc, rows[i].rc);
        CU_ASSERT_EQUAL(result.scsi_status, rows[i].status);
        CU_ASSERT_EQUAL(result.sense_key, 0);
        CU_ASSERT_EQUAL(result.asc_ascq, 0);
    }
}

/* A deferred error tells of an earlier command, whatever its key says of this one. */
static void deferred_is_an_error(void)
{
    uint8_t sense[18];
    struct judged row = { 0x1, 0x0000, STO_MEDIUM };

    fixed(sense, &row);
    sense[0] = 0x71;
    check(sense, sizeof(sense), &row);
    descriptor(sense, &row);
    sense[0] = 0x73;
    check(sense, 8, &row);
    CU_ASSERT_TRUE(sto_sense_parse(sense, 8).deferred);
}

static void cut_or_unknown_sense_is_an_error(void)
{
    static const struct judged nothing = { 0, 0, STO_MEDIUM };
    struct judged attention = { 0x6, 0x2900, STO_UNIT_ATTENTION };
    uint8_t sense[18];

    check(NULL, 0, &nothing);
    fixed(sense, &attention);
    for (size_t bytes = 0; bytes < 3; bytes++)
        check(sense, bytes, &nothing);
    descriptor(sense, &attention);
    check(sense, 1, &nothing);
    sense[0] = 0x7f; /* vendor specific */
    check(sense, 8, &nothing);
}

/* The key is there, the code is not: it reads as 0 and is not made up of what follows. */
static void missing_code_reads_as_zero(void)
{
    struct judged row = { 0x5, 0x2000, STO_UNSUPPORTED };
    struct judged coded = { 0x5, 0x0000, STO_ILLEGAL };
    uint8_t sense[18];

    fixed(sense, &row);
    check(sense, 12, &coded);
    sense[7] = 4; /* told to end before the code */
    check(sense, 18, &coded);
    sense[7] = 5; /* the code, not its qualifier */
    sense[13] = 0x55;
    check(sense, 18, &row);
}

static void words_for_what_admins_meet(void)
{
    CU_ASSERT_STRING_EQUAL(sto_sense_words(6, 0x2a03), "reservations preempted");
    CU_ASSERT_STRING_EQUAL(sto_sense_words(3, 0x1234), "medium error");
    CU_ASSERT_PTR_NULL(sto_sense_words(6, 0xffff));
}

const struct unit_case unit_cases[] = {
    { "sense in both formats is judged as the table says", judges_both_formats },
    { "statuses are judged as SAM-5 says", judges_statuses },
    { "a deferred error is an error whatever its key", deferred_is_an_error },
    { "cut or unknown sense is an error", cut_or_unknown_sense_is_an_error },
    { "a missing code reads as zero", missing_code_reads_as_zero },
    { "words for codes", words_for_what_admins_meet },
    { 0 },
};
