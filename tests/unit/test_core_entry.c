/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_entry, clusterd/core/core_log_message, clusterd/core/core_votes: what is on
 * the wire and in the store comes back the same, and damage is seen.
 */
#include <config.h>

#include "clusterd/core/core_entry.h"

#include "clusterd/core/core_log_message.h"
#include "clusterd/core/core_votes.h"
#include "common/hw_prng.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static void an_entry_comes_back(void)
{
    uint8_t bytes[] = { 1, 2, 3, 4, 5 }, room[CORE_ENTRY_HEAD + sizeof(bytes)];
    struct core_entry entry = { .term = 3,
                                .index = 9,
                                .previous = 1ull << 63,
                                .kind = 16,
                                .size = sizeof(bytes),
                                .bytes = bytes },
                      back, copy;

    CU_ASSERT_EQUAL_FATAL(core_entry_size(&entry), sizeof(room));
    core_entry_encode(&entry, room);
    CU_ASSERT_EQUAL_FATAL(core_entry_decode(room, sizeof(room), &back), 0);
    CU_ASSERT_EQUAL(back.term, 3);
    CU_ASSERT_EQUAL(back.index, 9);
    CU_ASSERT_EQUAL(back.previous, 1ull << 63);
    CU_ASSERT_EQUAL(back.kind, 16);
    CU_ASSERT_EQUAL(back.size, sizeof(bytes));
    CU_ASSERT_EQUAL(memcmp(back.bytes, bytes, sizeof(bytes)), 0);
    CU_ASSERT_EQUAL(core_entry_hash(&back), core_entry_hash(&entry));
    CU_ASSERT_EQUAL(core_entry_copy(&back, &copy), 0);
    CU_ASSERT_EQUAL(core_entry_hash(&copy), core_entry_hash(&entry));
    core_entry_free(&copy);
    CU_ASSERT_PTR_NULL(copy.bytes);
    for (size_t i = 0; i < sizeof(room); i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            room[i] ^= (uint8_t)(1u << bit);
            CU_ASSERT(core_entry_decode(room, sizeof(room), &back) < 0);
            room[i] ^= (uint8_t)(1u << bit);
        }
        CU_ASSERT_EQUAL(core_entry_decode(room, i, &back), -EBADMSG);
    }
}

static void each_field_is_in_the_hash(void)
{
    uint8_t bytes[] = { 7 };
    const struct core_entry entry = { 1, 2, 3, 16, 1, bytes };
    struct core_entry other[5] = { entry, entry, entry, entry, entry };

    other[0].term = 2;
    other[1].index = 3;
    other[2].previous = 4;
    other[3].kind = 17;
    other[4].size = 0;
    for (size_t i = 0; i < 5; i++)
        CU_ASSERT_NOT_EQUAL(core_entry_hash(&other[i]), core_entry_hash(&entry));
}

static void a_message_comes_back(void)
{
    uint8_t bytes[] = { 9, 8 }, room[CORE_LOG_MESSAGE_HEAD + CORE_ENTRY_HEAD + sizeof(bytes)];
    struct core_log_message message = { .kind = CORE_LOG_HELLO,
                                        .from = 3,
                                        .blank = true,
                                        .leads = true,
                                        .leader = 2,
                                        .term = 5,
                                        .incarnation = 6,
                                        .view = { 7, 8, 9 },
                                        .position = { 10, 11 } },
                            back;

    CU_ASSERT_EQUAL_FATAL(core_log_message_size(&message), CORE_LOG_MESSAGE_HEAD);
    core_log_message_encode(&message, room);
    CU_ASSERT_EQUAL_FATAL(core_log_message_decode(room, CORE_LOG_MESSAGE_HEAD, &back), 0);
    CU_ASSERT(back.blank && back.leads);
    CU_ASSERT_EQUAL(back.leader, 2);
    CU_ASSERT_EQUAL(back.incarnation, 6);
    CU_ASSERT(core_view_id_equal(&back.view, &message.view));
    CU_ASSERT_EQUAL(core_position_compare(back.position, message.position), 0);
    message.kind = CORE_LOG_ENTRY;
    message.entry = (struct core_entry) { 1, 2, 3, 16, sizeof(bytes), bytes };
    CU_ASSERT_EQUAL_FATAL(core_log_message_size(&message), sizeof(room));
    core_log_message_encode(&message, room);
    CU_ASSERT_EQUAL(core_log_message_decode(room, sizeof(room), &back), 0);
    CU_ASSERT_EQUAL(back.entry.size, 2);
    for (size_t i = 0; i < sizeof(room); i++) {
        room[i] ^= 0x10;
        CU_ASSERT(core_log_message_decode(room, sizeof(room), &back) < 0);
        room[i] ^= 0x10;
        CU_ASSERT_EQUAL(core_log_message_decode(room, i, &back), -EBADMSG);
    }
}

static void positions_are_ordered(void)
{
    const struct core_position ordered[] = { { 0, 0 }, { 1, 9 }, { 2, 1 }, { 2, 2 }, { 3, 0 } };

    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++)
            CU_ASSERT_EQUAL(core_position_compare(ordered[i], ordered[k]), i < k   ? -1
                                                                           : i > k ? 1
                                                                                   : 0);
    }
}

static bool in_mask(void *context, uint32_t id)
{
    return (*(const unsigned *)context >> id & 1) != 0;
}

static void half_is_no_majority(void)
{
    struct core_vote_map map = { 0 };
    unsigned mask = 0;

    CU_ASSERT(!core_vote_map_majority(&map, in_mask, &mask));
    for (uint32_t id = 4; id >= 1; id--)
        CU_ASSERT_EQUAL(core_vote_map_set(&map, id, 1), 0);
    for (mask = 0; mask < 32; mask += 2)
        CU_ASSERT_EQUAL(core_vote_map_majority(&map, in_mask, &mask),
                        __builtin_popcount(mask) >= 3);
    CU_ASSERT_EQUAL(core_vote_map_set(&map, 2, 3), 0);
    mask = 1u << 2 | 1u << 3;
    CU_ASSERT(core_vote_map_majority(&map, in_mask, &mask));
    CU_ASSERT_EQUAL(core_vote_map_votes(&map, 2), 3);
    CU_ASSERT_EQUAL(core_vote_map_votes(&map, 9), 0);
}

static void maps_are_judged(void)
{
    struct core_vote_map map = { 0 }, other, back;
    uint8_t room[CORE_VOTE_MAP_BYTES];
    struct hw_writer writer = hw_writer_over(room, sizeof(room));

    CU_ASSERT_EQUAL(core_vote_map_set(&map, 0, 1), -EINVAL);
    CU_ASSERT_EQUAL(core_vote_map_set(&map, CORE_WITNESS_ID + 1, 1), -EINVAL);
    CU_ASSERT_EQUAL(core_vote_map_set(&map, 1, CORE_VOTES_EACH_MAX + 1), -EINVAL);
    for (uint32_t id = 1; id <= CORE_VOTERS_MAX; id++)
        CU_ASSERT_EQUAL(core_vote_map_set(&map, id, 1), 0);
    CU_ASSERT_EQUAL(core_vote_map_set(&map, CORE_WITNESS_ID, 1), -ENOSPC);
    core_vote_map_encode(&map, &writer);
    CU_ASSERT_EQUAL(core_vote_map_decode(room, writer.at, &back), 0);
    CU_ASSERT_EQUAL(memcmp(&back, &map, sizeof(map)), 0);
    CU_ASSERT_EQUAL(core_vote_map_decode(room, writer.at - 1, &back), -EBADMSG);
    room[4] = 9; /* ids that go back */
    CU_ASSERT_EQUAL(core_vote_map_decode(room, writer.at, &back), -EBADMSG);
    other = map;
    CU_ASSERT(!core_vote_map_one_step(&map, &other));
    CU_ASSERT_EQUAL(core_vote_map_set(&other, 7, 0), 0);
    CU_ASSERT(core_vote_map_one_step(&map, &other) && core_vote_map_one_step(&other, &map));
    CU_ASSERT_EQUAL(core_vote_map_set(&other, 8, 2), 0);
    CU_ASSERT(!core_vote_map_one_step(&map, &other));
    CU_ASSERT_EQUAL(core_vote_map_set(&other, 7, 1), 0);
    CU_ASSERT(core_vote_map_one_step(&map, &other) && core_vote_map_one_step(&other, &map));
    CU_ASSERT_EQUAL(core_vote_map_set(&other, 8, 3), 0); /* two votes at once */
    CU_ASSERT(!core_vote_map_one_step(&map, &other) && !core_vote_map_one_step(&other, &map));
    CU_ASSERT_EQUAL(core_vote_map_set(&other, 500, 0), 0); /* nobody */
}

static bool both_have_a_majority(const struct core_vote_map *left,
                                 const struct core_vote_map *right, unsigned of_left)
{
    unsigned of_right = ~of_left;

    return core_vote_map_majority(left, in_mask, &of_left) &&
           core_vote_map_majority(right, in_mask, &of_right);
}

/* Why one vote at a time: no majority of a map is without a voter of each majority of the next. */
static void majorities_of_neighbours_meet(void)
{
    struct hw_prng prng = hw_prng_seeded(5);
    unsigned steps = 0, apart = 0;

    for (unsigned round = 0; round < 2000; round++) {
        struct core_vote_map map = { 0 }, next;
        uint32_t id = (uint32_t)hw_prng_below(&prng, 5) + 1, votes;
        bool one_step;

        for (uint32_t voter = 1; voter <= 5; voter++)
            CU_ASSERT_EQUAL(core_vote_map_set(&map, voter, (uint32_t)hw_prng_below(&prng, 4)), 0);
        next = map;
        votes = (uint32_t)hw_prng_below(&prng, 8);
        CU_ASSERT_EQUAL(core_vote_map_set(&next, id, votes), 0);
        one_step = core_vote_map_one_step(&map, &next);
        CU_ASSERT_EQUAL(one_step, core_vote_map_votes(&map, id) + 1 == votes ||
                                      core_vote_map_votes(&map, id) == votes + 1);
        steps += one_step;
        for (unsigned mask = 0; mask < 64; mask++) {
            if (both_have_a_majority(&map, &next, mask)) {
                CU_ASSERT(!one_step);
                apart++;
            }
        }
    }
    CU_ASSERT(steps > 100 && apart > 0);
}

const struct unit_case unit_cases[] = {
    { "an entry comes back, and damage is seen", an_entry_comes_back },
    { "each field is in the hash", each_field_is_in_the_hash },
    { "a message comes back, and damage is seen", a_message_comes_back },
    { "positions are ordered by term, then index", positions_are_ordered },
    { "half of the votes is no majority", half_is_no_majority },
    { "vote maps are judged", maps_are_judged },
    { "majorities of a map and the next one meet", majorities_of_neighbours_meet },
    { NULL, NULL },
};
