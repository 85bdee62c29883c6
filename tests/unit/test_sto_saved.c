/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_saved: the header byte by byte; what each pair of slots says; that a state is given
 * up for good by two writes, at whatever point they are cut off; that a flipped bit revives
 * nothing.
 */
#include <config.h>

#include "storage/sto_saved.h"

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

enum { SLOTS = STO_SAVED_SLOTS, NOTHING = 0, GARBAGE = -1 };

static uint8_t slots[SLOTS][STO_SAVED_BYTES];

static const struct sto_saved sample = {
    .state = STO_SAVED_COMMITTED,
    .vm_uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
    .generation = 7,
    .node = 3,
    .owner_generation = 0x123456,
    .memory_bytes = 128u << 20,
    .cpus = 2,
    .sections = { 0x100000, 1000, 0x1111111111111111 },
    .table = { 0x200000, 2000, 0x2222222222222222 },
    .delta = { 0x300000, 3000, 0x3333333333333333 },
    .memory_offset_bytes = 0x400000,
    .digest = { 0xd0, 0xd1, 0xd2 },
    .saved_s = 1795000000,
};

/* Fill a slot: NOTHING, GARBAGE, or a state with this generation. */
static void put(unsigned slot, int what, uint64_t generation)
{
    struct sto_saved saved = sample;

    memset(slots[slot], 0, STO_SAVED_BYTES);
    if (what == NOTHING)
        return;
    saved.state = what > 0 ? (enum sto_saved_state)what : STO_SAVED_COMMITTED;
    saved.generation = generation;
    sto_saved_encode(&saved, slots[slot]);
    if (what == GARBAGE)
        slots[slot][100] ^= 1;
}

static struct sto_saved_look look(void)
{
    struct sto_saved_look seen;

    sto_saved_judge(slots[0], slots[1], &seen);
    return seen;
}

static void keeps_the_format(void)
{
    static const uint8_t beginning[] = {
        'H',  'W',  'S',  'R', 'S', 'A', 'V', 'E', 1, 0,  0,  0,  3,  0,  0,  0, /* state */
        1,    2,    3,    4,   5,   6,   7,   8,   9, 10, 11, 12, 13, 14, 15, 16,
        7,    0,    0,    0,   0,   0,   0,   0,   3, 0,  0,  0, /* node */
        0x56, 0x34, 0x12, 0,                                     /* ownership */
    };
    uint8_t sector[STO_SAVED_BYTES];
    struct sto_saved back;

    sto_saved_encode(&sample, sector);
    CU_ASSERT_EQUAL(memcmp(sector, beginning, sizeof(beginning)), 0);
    CU_ASSERT_EQUAL(sto_saved_decode(sector, &back), 0);
    CU_ASSERT_EQUAL(back.state, sample.state);
    CU_ASSERT_EQUAL(memcmp(back.vm_uuid, sample.vm_uuid, sizeof(back.vm_uuid)), 0);
    CU_ASSERT_TRUE(back.generation == sample.generation && back.node == sample.node);
    CU_ASSERT_EQUAL(back.owner_generation, sample.owner_generation);
    CU_ASSERT_TRUE(back.memory_bytes == sample.memory_bytes && back.cpus == sample.cpus);
    CU_ASSERT_EQUAL(memcmp(&back.sections, &sample.sections, sizeof(back.sections)), 0);
    CU_ASSERT_EQUAL(memcmp(&back.table, &sample.table, sizeof(back.table)), 0);
    CU_ASSERT_EQUAL(memcmp(&back.delta, &sample.delta, sizeof(back.delta)), 0);
    CU_ASSERT_EQUAL(back.memory_offset_bytes, sample.memory_offset_bytes);
    CU_ASSERT_EQUAL(memcmp(back.digest, sample.digest, sizeof(back.digest)), 0);
    CU_ASSERT_EQUAL(back.saved_s, sample.saved_s);
}

static void refuses_what_is_no_header(void)
{
    uint8_t sector[STO_SAVED_BYTES] = { 0 };
    struct sto_saved saved;

    CU_ASSERT_EQUAL(sto_saved_decode(sector, &saved), -ENOENT);
    sto_saved_encode(&sample, sector);
    for (unsigned bit = 0; bit < STO_SAVED_BYTES * 8; bit++) {
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT_EQUAL(sto_saved_decode(sector, &saved), -EBADMSG);
        sector[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    saved = sample;
    saved.generation = 0;
    sto_saved_encode(&saved, sector);
    CU_ASSERT_EQUAL(sto_saved_decode(sector, &saved), -EBADMSG);
    saved = sample;
    saved.state = (enum sto_saved_state)6;
    sto_saved_encode(&saved, sector);
    CU_ASSERT_EQUAL(sto_saved_decode(sector, &saved), -EBADMSG);
}

/* A header of another major version, with a good checksum. */
static void put_foreign(unsigned slot)
{
    struct hw_writer writer = hw_writer_over(slots[slot] + STO_SAVED_BYTES - 4, 4);

    put(slot, STO_SAVED_COMMITTED, 9);
    slots[slot][8] = STO_SAVED_MAJOR + 1;
    hw_write_le32(&writer, hw_crc32c(slots[slot], STO_SAVED_BYTES - 4));
}

static void refuses_other_versions(void)
{
    for (unsigned turn = 0; turn < SLOTS; turn++) {
        struct sto_saved saved;

        put_foreign(turn);
        put(1 - turn, STO_SAVED_CONSUMED, 10);
        CU_ASSERT_EQUAL(sto_saved_decode(slots[turn], &saved), -EPROTONOSUPPORT);
        CU_ASSERT_EQUAL(look().verdict, STO_SAVED_FOREIGN);
    }
}

static void judges_pairs(void)
{
    const int waits = STO_SAVED_WAITS, clean = STO_SAVED_CLEAN, unsettled = STO_SAVED_UNSETTLED;
    const struct {
        int newer, older, verdict;
        bool saving;
    } rows[] = {
        { NOTHING, NOTHING, clean, false },
        { STO_SAVED_EMPTY, NOTHING, clean, false },
        { STO_SAVED_CONSUMED, NOTHING, clean, false },
        { STO_SAVED_WRITING, NOTHING, unsettled, true },
        { STO_SAVED_COMMITTED, NOTHING, waits, false },
        { STO_SAVED_CLAIMED, NOTHING, waits, false },
        { STO_SAVED_COMMITTED, STO_SAVED_WRITING, waits, false },
        { STO_SAVED_COMMITTED, STO_SAVED_CONSUMED, waits, false },
        { STO_SAVED_COMMITTED, STO_SAVED_COMMITTED, waits, false },
        { STO_SAVED_CLAIMED, STO_SAVED_COMMITTED, waits, false },
        { STO_SAVED_CLAIMED, STO_SAVED_CLAIMED, waits, false },
        { STO_SAVED_CONSUMED, STO_SAVED_CLAIMED, unsettled, false },
        { STO_SAVED_CONSUMED, STO_SAVED_COMMITTED, unsettled, false },
        { STO_SAVED_CONSUMED, STO_SAVED_WRITING, unsettled, true },
        { STO_SAVED_CONSUMED, STO_SAVED_CONSUMED, clean, false },
        { STO_SAVED_CONSUMED, STO_SAVED_EMPTY, clean, false },
        { STO_SAVED_EMPTY, STO_SAVED_COMMITTED, unsettled, false },
        { STO_SAVED_EMPTY, STO_SAVED_CONSUMED, clean, false },
        { STO_SAVED_WRITING, STO_SAVED_CONSUMED, unsettled, true },
        { STO_SAVED_WRITING, STO_SAVED_COMMITTED, unsettled, false },
        { GARBAGE, NOTHING, unsettled, false },
        { GARBAGE, STO_SAVED_CONSUMED, unsettled, false },
        { GARBAGE, STO_SAVED_COMMITTED, unsettled, false }, /* whatever the other says */
        { GARBAGE, STO_SAVED_CLAIMED, unsettled, false },
        { GARBAGE, GARBAGE, unsettled, false },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned turn = 0; turn < SLOTS; turn++) {
            struct sto_saved_look seen;

            put(turn, rows[i].newer, 8);
            put(1 - turn, rows[i].older, 7);
            seen = look();
            CU_ASSERT_EQUAL((int)seen.verdict, rows[i].verdict);
            CU_ASSERT_EQUAL(seen.saving, rows[i].saving);
            CU_ASSERT_EQUAL(seen.damaged[turn], rows[i].newer == GARBAGE);
            CU_ASSERT_EQUAL(seen.damaged[1 - turn], rows[i].older == GARBAGE);
            CU_ASSERT_EQUAL(seen.known, rows[i].newer > 0 || rows[i].older > 0);
            if (rows[i].newer > 0) {
                CU_ASSERT_EQUAL(seen.slot, turn);
                CU_ASSERT_EQUAL((int)seen.saved.state, rows[i].newer);
            }
        }
    }
    put(0, STO_SAVED_COMMITTED, 5); /* two of one generation: whose is right cannot be told */
    put(1, STO_SAVED_CONSUMED, 5);
    CU_ASSERT_EQUAL(look().verdict, STO_SAVED_UNSETTLED);
    CU_ASSERT_TRUE(look().damaged[0] && look().damaged[1]);
}

static void one_flipped_bit_revives_nothing(void)
{
    static const int pairs[][2] = { { STO_SAVED_CONSUMED, STO_SAVED_CONSUMED },
                                    { STO_SAVED_CONSUMED, STO_SAVED_CLAIMED },
                                    { STO_SAVED_CONSUMED, STO_SAVED_COMMITTED },
                                    { STO_SAVED_EMPTY, STO_SAVED_COMMITTED },
                                    { STO_SAVED_WRITING, STO_SAVED_COMMITTED } };

    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        put(0, pairs[i][0], 12);
        put(1, pairs[i][1], 11);
        for (unsigned bit = 0; bit < SLOTS * STO_SAVED_BYTES * 8; bit++) {
            uint8_t *byte = &slots[0][0] + bit / 8;

            *byte ^= (uint8_t)(1u << bit % 8);
            CU_ASSERT_EQUAL(look().verdict, STO_SAVED_UNSETTLED);
            *byte ^= (uint8_t)(1u << bit % 8);
        }
    }
}

/* Write the next header as whoever settles does; `torn`: the sector is left damaged. */
static void write_next(enum sto_saved_state state, bool torn)
{
    struct sto_saved_look seen = look();
    unsigned slot;
    struct sto_saved next = sto_saved_next(&seen, state, &slot);

    CU_ASSERT_TRUE(!seen.known || slot != seen.slot);
    CU_ASSERT_TRUE(!seen.known || next.generation == seen.saved.generation + 1);
    sto_saved_encode(&next, slots[slot]);
    if (torn)
        slots[slot][40] ^= 0x55;
}

/* From every pair, two writes of CONSUMED make it clean; cut off or torn after any, never again
 * does a state wait, and it can be settled from there. */
static void is_consumed_in_both(void)
{
    for (int a = GARBAGE; a <= STO_SAVED_CONSUMED; a++) {
        for (int b = GARBAGE; b <= STO_SAVED_CONSUMED; b++) {
            for (unsigned cut = 0; cut < 5; cut++) {
                put(0, a, 20);
                put(1, b, 21);
                if (cut > 0)
                    write_next(STO_SAVED_CONSUMED, cut == 1);
                if (cut > 0)
                    CU_ASSERT_NOT_EQUAL(look().verdict, STO_SAVED_WAITS);
                if (cut > 2)
                    write_next(STO_SAVED_CONSUMED, cut == 3);
                if (cut > 2)
                    CU_ASSERT_NOT_EQUAL(look().verdict, STO_SAVED_WAITS);
                if (cut == 4)
                    CU_ASSERT_EQUAL(look().verdict, STO_SAVED_CLEAN);
                write_next(STO_SAVED_CONSUMED, false);
                write_next(STO_SAVED_CONSUMED, false);
                CU_ASSERT_EQUAL(look().verdict, STO_SAVED_CLEAN);
            }
        }
    }
}

static void goes_the_round_of_a_move(void)
{
    put(0, NOTHING, 0);
    put(1, NOTHING, 0);
    for (unsigned round = 0; round < 5; round++) {
        write_next(STO_SAVED_WRITING, false);
        CU_ASSERT_NOT_EQUAL(look().verdict, STO_SAVED_WAITS);
        write_next(STO_SAVED_COMMITTED, false);
        CU_ASSERT_EQUAL(look().verdict, STO_SAVED_WAITS);
        write_next(STO_SAVED_CLAIMED, false);
        CU_ASSERT_EQUAL(look().verdict, STO_SAVED_WAITS);
        write_next(STO_SAVED_CONSUMED, false);
        CU_ASSERT_EQUAL(look().verdict, STO_SAVED_UNSETTLED);
        write_next(STO_SAVED_CONSUMED, false);
        CU_ASSERT_EQUAL(look().verdict, STO_SAVED_CLEAN);
    }
    CU_ASSERT_EQUAL(look().saved.generation, 25);
}

static void names(void)
{
    CU_ASSERT_STRING_EQUAL(sto_saved_state_name(STO_SAVED_COMMITTED), "committed");
    CU_ASSERT_STRING_EQUAL(sto_saved_state_name((enum sto_saved_state)0), "?");
    CU_ASSERT_STRING_EQUAL(sto_saved_verdict_name(STO_SAVED_WAITS), "waits");
}

const struct unit_case unit_cases[] = {
    { "the header, byte by byte", keeps_the_format },
    { "anything else is no header", refuses_what_is_no_header },
    { "another major version", refuses_other_versions },
    { "what each pair of slots says", judges_pairs },
    { "one flipped bit never revives a state", one_flipped_bit_revives_nothing },
    { "two writes consume it, wherever they are cut off", is_consumed_in_both },
    { "write, commit, claim, consume, five times", goes_the_round_of_a_move },
    { "names", names },
    { 0 },
};
