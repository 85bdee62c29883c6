/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_record: round trip, every damaged byte, which copy counts, the ring.
 */
#include <config.h>

#include "storage/sto_record.h"

#include <errno.h>
#include <string.h>

#include "common/hw_crc32c.h"
#include "tests/unit/unit.h"

static uint8_t area[STO_RECORD_AREA_BYTES];

static struct sto_record a_record(uint64_t sequence)
{
    struct sto_record record = { .state = STO_RECORD_HANDOVER,
                                 .node = 3,
                                 .handover_node = 7,
                                 .generation = 0x1234,
                                 .sequence = sequence,
                                 .line = 0x1122334455667788,
                                 .deadman_ms = 6000,
                                 .store_ms = 7000,
                                 .written_s = 1700000000 };

    memset(record.cluster_uuid, 0x11, 16);
    memset(record.vm_uuid, 0x22, 16);
    memset(record.boot_id, 0x33, 16);
    memset(record.wwid, 'w', STO_WWID_BYTES - 1);
    return record;
}

static void put(size_t offset, uint64_t sequence)
{
    struct sto_record record = a_record(sequence);

    sto_record_encode(&record, area + offset);
}

/* Recompute the checksum of what was changed on purpose. */
static void seal(uint8_t *sector)
{
    uint32_t crc = hw_crc32c(sector, STO_RECORD_BYTES - 4);

    for (unsigned i = 0; i < 4; i++)
        sector[STO_RECORD_BYTES - 4 + i] = (uint8_t)(crc >> 8 * i);
}

static void comes_back_as_written(void)
{
    struct sto_record record = a_record(99), back = { 0 };
    uint8_t sector[STO_RECORD_BYTES];

    sto_record_encode(&record, sector);
    CU_ASSERT_EQUAL(sto_record_decode(sector, &back), 0);
    CU_ASSERT_EQUAL(back.state, record.state);
    CU_ASSERT_EQUAL(back.line, record.line);
    CU_ASSERT_EQUAL(memcmp(back.cluster_uuid, record.cluster_uuid, 16), 0);
    CU_ASSERT_EQUAL(memcmp(back.vm_uuid, record.vm_uuid, 16), 0);
    CU_ASSERT_EQUAL(memcmp(back.boot_id, record.boot_id, 16), 0);
    CU_ASSERT_STRING_EQUAL(back.wwid, record.wwid);
    CU_ASSERT_EQUAL(back.node, 3);
    CU_ASSERT_EQUAL(back.handover_node, 7);
    CU_ASSERT_EQUAL(back.generation, 0x1234);
    CU_ASSERT_EQUAL(back.sequence, 99);
    CU_ASSERT_EQUAL(back.deadman_ms, 6000);
    CU_ASSERT_EQUAL(back.store_ms, 7000);
    CU_ASSERT_EQUAL(back.written_s, 1700000000);
    CU_ASSERT_STRING_EQUAL(sto_record_state_name(STO_RECORD_FREE), "free");
    CU_ASSERT_STRING_EQUAL(sto_record_state_name(STO_RECORD_OWNED), "owned");
    CU_ASSERT_STRING_EQUAL(sto_record_state_name(STO_RECORD_HANDOVER), "handover");
    CU_ASSERT_STRING_EQUAL(sto_record_state_name((enum sto_record_state)0), "?");
}

static void refuses_damage(void)
{
    struct sto_record record = a_record(99), back;
    uint8_t sector[STO_RECORD_BYTES];

    sto_record_encode(&record, sector);
    for (size_t at = 0; at < sizeof(sector); at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            sector[at] ^= (uint8_t)(1u << bit);
            CU_ASSERT_EQUAL(sto_record_decode(sector, &back), -EBADMSG);
            sector[at] ^= (uint8_t)(1u << bit);
        }
    }
    memset(sector, 0, sizeof(sector));
    CU_ASSERT_EQUAL(sto_record_decode(sector, &back), -ENOENT);
}

static void refuses_what_cannot_be(void)
{
    enum { AT_VERSION = 8, AT_STATE = 10 };
    struct sto_record record = a_record(99), back;
    uint8_t sector[STO_RECORD_BYTES], *last;

    sto_record_encode(&record, sector);
    sector[AT_VERSION] = STO_RECORD_VERSION + 1;
    seal(sector);
    CU_ASSERT_EQUAL(sto_record_decode(sector, &back), -EPROTONOSUPPORT);
    sector[AT_VERSION] = 0;
    seal(sector);
    CU_ASSERT_EQUAL(sto_record_decode(sector, &back), -EBADMSG);
    sector[AT_VERSION] = STO_RECORD_VERSION;
    for (unsigned state = 0; state <= 5; state++) {
        sector[AT_STATE] = (uint8_t)state;
        seal(sector);
        CU_ASSERT_EQUAL(sto_record_decode(sector, &back), state >= 1 && state <= 3 ? 0 : -EBADMSG);
    }
    sector[AT_STATE] = STO_RECORD_OWNED;
    last = memchr(sector, 'w', sizeof(sector));
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    last[STO_WWID_BYTES - 1] = 'w'; /* a name without an end */
    seal(sector);
    CU_ASSERT_EQUAL(sto_record_decode(sector, &back), -EBADMSG);
}

static void chooses_the_newer_copy(void)
{
    static const struct {
        uint64_t a, b; /* 0: never written, UINT64_MAX: damaged */
        int rc;
        uint64_t chosen;
        bool damaged;
    } rows[] = {
        { 5, 5, 0, 5, false },
        { 6, 5, 0, 6, false },
        { 5, 6, 0, 6, false },
        { 5, 0, 0, 5, true },
        { 0, 5, 0, 5, true },
        { 5, UINT64_MAX, 0, 5, true },
        { UINT64_MAX, 5, 0, 5, true },
        { 0, 0, -ENOENT, 0, false },
        { UINT64_MAX, 0, -EBADMSG, 0, false },
        { UINT64_MAX, UINT64_MAX, -EBADMSG, 0, false },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sto_record record;
        bool damaged = false;

        memset(area, 0, sizeof(area));
        if (rows[i].a != 0)
            put(0, rows[i].a);
        if (rows[i].b != 0)
            put(STO_RECORD_PAGE_BYTES, rows[i].b);
        if (rows[i].a == UINT64_MAX)
            area[20] ^= 1;
        if (rows[i].b == UINT64_MAX)
            area[STO_RECORD_PAGE_BYTES + 20] ^= 1;
        CU_ASSERT_EQUAL(sto_record_choose(area, sizeof(area), &record, &damaged), rows[i].rc);
        CU_ASSERT_EQUAL(damaged, rows[i].damaged);
        if (rows[i].rc == 0)
            CU_ASSERT_EQUAL(record.sequence, rows[i].chosen);
    }
}

static void refuses_newer_versions(void)
{
    struct sto_record record;
    bool damaged;

    for (unsigned copy = 0; copy < 2; copy++) {
        put(0, 5);
        put(STO_RECORD_PAGE_BYTES, 5);
        area[copy * STO_RECORD_PAGE_BYTES + 8] = STO_RECORD_VERSION + 1;
        seal(area + copy * STO_RECORD_PAGE_BYTES);
        CU_ASSERT_EQUAL(sto_record_choose(area, sizeof(area), &record, &damaged), -EPROTONOSUPPORT);
    }
    CU_ASSERT_EQUAL(
        sto_record_choose(area, STO_RECORD_PAGE_BYTES + STO_RECORD_BYTES - 1, &record, &damaged),
        -EBADMSG);
    put(0, 5);
    put(STO_RECORD_PAGE_BYTES, 5);
    area[60] ^= 1; /* same number, another content */
    seal(area);
    damaged = false;
    CU_ASSERT_EQUAL(sto_record_choose(area, sizeof(area), &record, &damaged), 0);
    CU_ASSERT_TRUE(damaged);
}

static void keeps_a_history(void)
{
    static struct sto_record records[STO_RECORD_RING];

    memset(area, 0, sizeof(area));
    CU_ASSERT_EQUAL(sto_record_history(area, sizeof(area), records), 0);
    for (uint64_t sequence = 1; sequence <= 100; sequence++)
        put(sto_record_ring_offset(sequence), sequence);
    CU_ASSERT_EQUAL(sto_record_history(area, sizeof(area), records), STO_RECORD_RING);
    for (unsigned i = 0; i < STO_RECORD_RING; i++)
        CU_ASSERT_EQUAL(records[i].sequence, 100 - i);
    area[sto_record_ring_offset(90) + 30] ^= 1; /* damaged */
    put(sto_record_ring_offset(80), 81);        /* in the wrong slot */
    CU_ASSERT_EQUAL(sto_record_history(area, sizeof(area), records), STO_RECORD_RING - 2);
    CU_ASSERT_EQUAL(sto_record_history(area, STO_RECORD_RING_OFFSET, records), 0);
    CU_ASSERT_EQUAL(sto_record_ring_offset(63) + STO_RECORD_BYTES, STO_RECORD_AREA_BYTES);
    CU_ASSERT_EQUAL(sto_record_ring_offset(64), STO_RECORD_RING_OFFSET);
}

const struct unit_case unit_cases[] = {
    { "comes back as written", comes_back_as_written },
    { "every flipped bit is seen", refuses_damage },
    { "what cannot be", refuses_what_cannot_be },
    { "the newer valid copy counts", chooses_the_newer_copy },
    { "newer versions, cut areas, copies that differ", refuses_newer_versions },
    { "history", keeps_a_history },
    { 0 },
};
