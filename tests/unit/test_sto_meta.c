/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_meta: what is written is read back, its bytes are those of the format, nothing
 * damaged is believed, and of two copies the right one counts.
 */
#include <config.h>

#include "storage/sto_meta.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "common/hw_crc32c.h"

static struct sto_meta sample(void)
{
    struct sto_meta meta = {
        .wwid = "naa.60000000000000000e00000000010001",
        .max_memory_bytes = UINT64_C(256) << 20,
        .max_cpus = 4,
        .probe_bits = 0x1234,
        .probed_s = 0x0102030405060708,
        .created_s = 1700000000,
        .sequence = 5,
    };

    for (unsigned i = 0; i < 16; i++) {
        meta.cluster_uuid[i] = (uint8_t)(i + 1);
        meta.vm_uuid[i] = (uint8_t)(0x80 + i);
    }
    return meta;
}

static void reads_back(void)
{
    struct sto_meta meta = sample(), found;
    uint8_t sector[STO_META_BYTES];

    sto_meta_encode(&meta, sector);
    CU_ASSERT_EQUAL_FATAL(sto_meta_decode(sector, &found), 0);
    CU_ASSERT_EQUAL(memcmp(meta.cluster_uuid, found.cluster_uuid, 16), 0);
    CU_ASSERT_EQUAL(memcmp(meta.vm_uuid, found.vm_uuid, 16), 0);
    CU_ASSERT_STRING_EQUAL(meta.wwid, found.wwid);
    CU_ASSERT_EQUAL(meta.max_memory_bytes, found.max_memory_bytes);
    CU_ASSERT_EQUAL(meta.max_cpus, found.max_cpus);
    CU_ASSERT_EQUAL(meta.probe_bits, found.probe_bits);
    CU_ASSERT_EQUAL(meta.probed_s, found.probed_s);
    CU_ASSERT_EQUAL(meta.created_s, found.created_s);
    CU_ASSERT_EQUAL(meta.sequence, found.sequence);
}

/* The places of doc/lun-layout.md, byte by byte: a record written today is read for ever. */
static void has_the_documented_bytes(void)
{
    struct sto_meta meta = sample();
    uint8_t sector[STO_META_BYTES];

    sto_meta_encode(&meta, sector);
    CU_ASSERT_EQUAL(memcmp(sector, "HWSRLUND\x01\x00\x00\x00\x04\x00\x00\x00", 16), 0);
    CU_ASSERT_EQUAL(memcmp(sector + 16, meta.cluster_uuid, 16), 0);
    CU_ASSERT_EQUAL(memcmp(sector + 32, meta.vm_uuid, 16), 0);
    CU_ASSERT_EQUAL(memcmp(sector + 48, "\x00\x00\x00\x10\x00\x00\x00\x00", 8), 0);
    CU_ASSERT_EQUAL(memcmp(sector + 56, "\x00\xf1\x53\x65\x00\x00\x00\x00", 8), 0);
    CU_ASSERT_EQUAL(memcmp(sector + 64, "\x08\x07\x06\x05\x04\x03\x02\x01", 8), 0);
    CU_ASSERT_EQUAL(memcmp(sector + 72, "\x05\x00\x00\x00\x00\x00\x00\x00", 8), 0);
    CU_ASSERT_EQUAL(memcmp(sector + 80, "\x34\x12\x00\x00\x00\x00\x00\x00", 8), 0);
    CU_ASSERT_EQUAL(memcmp(sector + 88, "naa.6000", 8), 0);
    for (unsigned i = 216; i < 508; i++)
        CU_ASSERT_EQUAL(sector[i], 0);
}

static void sees_each_flipped_bit(void)
{
    struct sto_meta meta = sample(), found;
    uint8_t sector[STO_META_BYTES];

    sto_meta_encode(&meta, sector);
    for (unsigned bit = 0; bit < STO_META_BYTES * 8; bit++) {
        sector[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CU_ASSERT_EQUAL(sto_meta_decode(sector, &found), -EBADMSG);
        sector[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void reseal(uint8_t sector[STO_META_BYTES])
{
    uint32_t crc = hw_crc32c(sector, STO_META_BYTES - 4);

    for (unsigned i = 0; i < 4; i++)
        sector[STO_META_BYTES - 4 + i] = (uint8_t)(crc >> 8 * i);
}

/* Wrong values under a checksum that holds. */
static void judges_fields(void)
{
    static const struct {
        unsigned at, bytes;
        uint8_t fill;
        int rc;
    } wrong[] = {
        { 0, 1, 'h', -EBADMSG },               /* magic */
        { 8, 2, 0, -EBADMSG },                 /* version 0 */
        { 8, 1, 2, -EPROTONOSUPPORT },         /* a newer one */
        { 12, 4, 0, -EBADMSG },                /* no vCPU */
        { 12, 4, 0xff, -EBADMSG },             /* too many */
        { 48, 8, 0, -EBADMSG },                /* no memory */
        { 48, 8, 0xff, -EBADMSG },             /* too much */
        { 72, 8, 0, -EBADMSG },                /* sequence 0 */
        { 88, STO_WWID_BYTES, 'x', -EBADMSG }, /* a name without end */
        { 216, 292, 0xff, 0 },                 /* room for later fields is not looked at */
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sto_meta meta = sample(), found;
        uint8_t sector[STO_META_BYTES];

        sto_meta_encode(&meta, sector);
        memset(sector + wrong[i].at, wrong[i].fill, wrong[i].bytes);
        reseal(sector);
        CU_ASSERT_EQUAL(sto_meta_decode(sector, &found), wrong[i].rc);
    }
}

static void chooses_the_right_copy(void)
{
    struct sto_meta meta = sample(), found;
    uint8_t older[STO_META_BYTES], newer[STO_META_BYTES], bad[STO_META_BYTES];
    uint8_t zero[STO_META_BYTES] = { 0 }, future[STO_META_BYTES];
    bool damaged = true;

    sto_meta_encode(&meta, older);
    meta.sequence = 6;
    sto_meta_encode(&meta, newer);
    memcpy(bad, newer, sizeof(bad));
    bad[20] ^= 1;
    memcpy(future, newer, sizeof(future));
    future[8] = 9;
    reseal(future);

    CU_ASSERT_EQUAL(sto_meta_choose(newer, newer, &found, &damaged), 0);
    CU_ASSERT(found.sequence == 6 && !damaged);
    CU_ASSERT_EQUAL(sto_meta_choose(newer, older, &found, &damaged), 0);
    CU_ASSERT(found.sequence == 6 && damaged);
    CU_ASSERT_EQUAL(sto_meta_choose(older, newer, &found, &damaged), 0);
    CU_ASSERT(found.sequence == 6 && damaged);
    CU_ASSERT_EQUAL(sto_meta_choose(bad, older, &found, &damaged), 0);
    CU_ASSERT(found.sequence == 5 && damaged);
    CU_ASSERT_EQUAL(sto_meta_choose(older, zero, &found, NULL), 0);
    CU_ASSERT_EQUAL(found.sequence, 5);
    CU_ASSERT_EQUAL(sto_meta_choose(zero, zero, &found, &damaged), -ENOENT);
    CU_ASSERT_EQUAL(sto_meta_choose(zero, bad, &found, &damaged), -EBADMSG);
    CU_ASSERT_EQUAL(sto_meta_choose(bad, zero, &found, &damaged), -EBADMSG);
    CU_ASSERT_EQUAL(sto_meta_choose(newer, future, &found, &damaged), -EPROTONOSUPPORT);
}

static void cuts_a_long_name(void)
{
    struct sto_meta meta = sample(), found;
    uint8_t sector[STO_META_BYTES];

    memset(meta.wwid, 'w', sizeof(meta.wwid));
    sto_meta_encode(&meta, sector);
    CU_ASSERT_EQUAL_FATAL(sto_meta_decode(sector, &found), 0);
    CU_ASSERT_EQUAL(strlen(found.wwid), STO_WWID_BYTES - 1);
}

const struct unit_case unit_cases[] = {
    { "what is written is read back", reads_back },
    { "the bytes are those of the format", has_the_documented_bytes },
    { "no bit flips unseen", sees_each_flipped_bit },
    { "fields are judged though the checksum holds", judges_fields },
    { "of two copies the right one counts", chooses_the_right_copy },
    { "a name that is too long is cut", cuts_a_long_name },
    { 0 },
};
