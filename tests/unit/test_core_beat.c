/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_beat, clusterd/core/core_beat_codec: what feeds, what does not, and that no
 * proof by age is due before the feed is over. Letters and numbers are the holes of the protocol's
 * review.
 */
#include <config.h>

#include "clusterd/core/core_beat.h"

#include "clusterd/core/core_executor.h"
#include "common/hw_prng.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#define MS ((int64_t)1000000)
static const struct core_life life_1 = { { 1 }, 100 }, life_2 = { { 2 }, 200 },
                              life_3 = { { 3 }, 300 };

struct three {
    struct core_beat_machine node[3];
    struct core_beat_table table;
};

static void make(struct three *three)
{
    const struct core_life lives[] = { life_1, life_2, life_3 };

    memset(three, 0, sizeof(*three));
    three->table = (struct core_beat_table) { .current = true, .term = 1, .deadman_ms = 2800 };
    for (uint32_t id = 1; id <= 3; id++)
        CU_ASSERT_EQUAL(core_vote_map_set(&three->table.map, id, 1), 0);
    for (uint32_t id = 1; id <= 3; id++) {
        core_beat_start(&three->node[id - 1], id, &lives[id - 1], 0);
        core_beat_set_table(&three->node[id - 1], &three->table);
    }
}

/* Over the wire, as it would be. */
static int carry(struct three *three, const struct core_beat *beat, uint32_t to, int64_t now_ns)
{
    static uint8_t room[CORE_BEAT_BYTES_MAX];
    static struct core_beat back;

    core_beat_encode(beat, room);
    CU_ASSERT_EQUAL_FATAL(core_beat_decode(room, core_beat_size(beat), &back), 0);
    return core_beat_receive(&three->node[to - 1], &back, now_ns);
}

static int beat(struct three *three, uint32_t from, uint32_t to, int64_t now_ns)
{
    struct core_beat beat;

    core_beat_send(&three->node[from - 1], now_ns, &beat);
    return carry(three, &beat, to, now_ns);
}

static void fed_by_a_majority(void)
{
    struct three three;
    int64_t sent = -1;

    make(&three);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN); /* born expired */
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 10 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN); /* sent is not acknowledged */
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 30 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), 0);
    CU_ASSERT_EQUAL(sent, 10 * MS); /* when it was sent, not when that was known */
    CU_ASSERT_EQUAL(beat(&three, 1, 3, 40 * MS), 0);
    CU_ASSERT_EQUAL(beat(&three, 3, 1, 50 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), 0);
    CU_ASSERT_EQUAL(sent, 40 * MS);
}

static void own_delivery_feeds_nobody(void)
{
    struct three three;
    int64_t sent;

    make(&three);
    for (int64_t at = 0; at < 10; at++)
        CU_ASSERT_EQUAL(beat(&three, 1, 1, at * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN);
}

static void one_node_feeds_itself(void)
{
    struct three three;
    struct core_beat own;
    int64_t sent;

    make(&three);
    CU_ASSERT_EQUAL(core_vote_map_set(&three.table.map, 2, 0), 0);
    CU_ASSERT_EQUAL(core_vote_map_set(&three.table.map, 3, 0), 0);
    core_beat_set_table(&three.node[0], &three.table);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN);
    core_beat_send(&three.node[0], 7 * MS, &own);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), 0);
    CU_ASSERT_EQUAL(sent, 7 * MS);
}

/* A2, R4: acknowledgements of another term, or without one, feed nothing. */
static void acknowledgements_count_in_their_term(void)
{
    struct three three;
    int64_t sent;

    make(&three);
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 10 * MS), 0);
    three.table.term = 2;
    core_beat_set_table(&three.node[1], &three.table); /* the others have gone on */
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 20 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN);
    core_beat_set_table(&three.node[0], &three.table); /* it follows: the old beat is nothing */
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 30 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN);
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 40 * MS), 0);
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 50 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), 0);
    CU_ASSERT_EQUAL(sent, 40 * MS);
    three.table.current = false; /* a view, and nothing adopted in it yet */
    core_beat_set_table(&three.node[0], &three.table);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN);
}

/* A3: n1 is started again; what the others acknowledge of its earlier life is nothing. */
static void acknowledgements_count_in_their_life(void)
{
    struct three three;
    const struct core_life again = { { 1 }, 101 };
    struct core_beat late;
    int64_t sent;

    make(&three);
    for (int64_t i = 1; i <= 500; i++)
        CU_ASSERT_EQUAL(beat(&three, 1, 2, i * 50 * MS), 0);
    core_beat_send(&three.node[0], 25050 * MS, &late);
    core_beat_start(&three.node[0], 1, &again, 26000 * MS);
    core_beat_set_table(&three.node[0], &three.table);
    for (int64_t i = 0; i < 600; i++) /* as many again, which nobody hears */
        CU_ASSERT_EQUAL(beat(&three, 1, 1, 26010 * MS), 0);
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 26020 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN);
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 26030 * MS), 0);
    CU_ASSERT_EQUAL(carry(&three, &late, 2, 26035 * MS), -ESTALE); /* of the life before */
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 26040 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), 0);
    CU_ASSERT_EQUAL(sent, 26030 * MS);
}

static void a_lying_number_feeds_nothing(void)
{
    struct three three;
    struct core_beat lie;
    int64_t sent;

    make(&three);
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 10 * MS), 0);
    core_beat_send(&three.node[1], 20 * MS, &lie);
    lie.acks[0].number = 1000; /* one that was never sent */
    CU_ASSERT_EQUAL(core_beat_receive(&three.node[0], &lie, 20 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN);
    CU_ASSERT_EQUAL(core_beat_receive(&three.node[0], &lie, 21 * MS), -ESTALE);
}

static void ages_are_no_older_than_the_machine(void)
{
    struct three three;
    struct core_beat first;

    make(&three);
    core_beat_start(&three.node[1], 2, &life_2, 5000 * MS);
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[1], 1, 5000 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[1], 1, 7000 * MS), 2000);
    CU_ASSERT(!core_beat_silent(&three.node[1], 1, 2800, 7799 * MS));
    CU_ASSERT(core_beat_silent(&three.node[1], 1, 2800, 7800 * MS));
    CU_ASSERT(!core_beat_silent(&three.node[1], 2, 2800, 9000 * MS)); /* itself */
    core_beat_send(&three.node[0], 7000 * MS, &first);
    CU_ASSERT_EQUAL(carry(&three, &first, 2, 7900 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[1], 1, 8000 * MS), 100);
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[1], 1, 1000 * MS), 0);
}

/* Those who left acknowledge nothing any more; how long ago they were heard is still known. */
static void members_that_left(void)
{
    struct three three;
    const uint32_t left[] = { 1, 3 };
    int64_t sent;

    make(&three);
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 10 * MS), 0);
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 20 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), 0);
    core_beat_members(&three.node[0], left, 2);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), -EAGAIN);
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[0], 2, 100 * MS), 80);
}

/* A2 within one term: n2 has applied the REVOKE (entry 9), n1 has not. What n1 sends before it has
 * is heard and not acknowledged: it feeds nothing, and makes no age smaller. */
static void what_was_revoked_is_not_acknowledged(void)
{
    struct three three;
    struct core_beat answer;
    int64_t sent;

    make(&three);
    three.table.index = 8;
    core_beat_set_table(&three.node[0], &three.table);
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 10 * MS), 0);
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 20 * MS), 0);
    three.table.index = 9;
    three.table.bar_count = 1;
    three.table.bars[0] = (struct core_beat_bar) { 1, 9 };
    core_beat_set_table(&three.node[1], &three.table);
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 1000 * MS), -EPERM);
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[1], 1, 1010 * MS), 1000);
    CU_ASSERT(!core_beat_silent(&three.node[1], 1, 500, 1010 * MS)); /* it was heard */
    core_beat_send(&three.node[1], 1010 * MS, &answer);
    CU_ASSERT_EQUAL(answer.applied, 9);
    CU_ASSERT_EQUAL(answer.unheard_ms, 1010); /* of who was never heard: as old as the machine */
    CU_ASSERT_EQUAL(answer.count, 1);
    CU_ASSERT_EQUAL(answer.acks[0].number, 1);
    CU_ASSERT_EQUAL(answer.acks[0].age_ms, 1000);
    CU_ASSERT_EQUAL(carry(&three, &answer, 1, 1020 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), 0);
    CU_ASSERT_EQUAL(sent, 10 * MS);
    three.table.bar_count = 0; /* n1 has applied it: its other VMs are fed again */
    core_beat_set_table(&three.node[0], &three.table);
    CU_ASSERT_EQUAL(beat(&three, 1, 2, 1030 * MS), 0);
    CU_ASSERT_EQUAL(beat(&three, 2, 1, 1040 * MS), 0);
    CU_ASSERT_EQUAL(core_beat_fed(&three.node[0], &sent), 0);
    CU_ASSERT_EQUAL(sent, 1030 * MS);
}

static void feeds_are_looked_up(void)
{
    const struct core_beat_feed feeds[] = { { 2, 17 }, { 5, 1 }, { 9, 33 } };
    struct three three;

    make(&three);
    CU_ASSERT(!core_beat_feeds(&three.node[0], 2, 17));
    three.table.feeds = feeds;
    three.table.feed_count = 3;
    core_beat_set_table(&three.node[0], &three.table);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT(core_beat_feeds(&three.node[0], feeds[i].vm, feeds[i].generation));
        CU_ASSERT(!core_beat_feeds(&three.node[0], feeds[i].vm, feeds[i].generation + 16));
        CU_ASSERT(!core_beat_feeds(&three.node[0], feeds[i].vm + 1, feeds[i].generation));
    }
}

/* More ids than there is room for, over time: those who left make room, and are never told to be
 * older than they may be. */
static void peers_that_left_make_room(void)
{
    struct three three;
    struct core_beat other = { .number = 1 };
    uint32_t ids[CORE_VOTERS_MAX];
    size_t count = 0;

    make(&three);
    for (uint32_t id = 2; id < 2 + CORE_VOTERS_MAX; id++) {
        other.from = id;
        CU_ASSERT_EQUAL(core_beat_receive(&three.node[0], &other, (int64_t)id * MS), 0);
        ids[count++] = id;
    }
    other.from = 1000;
    CU_ASSERT_EQUAL(core_beat_receive(&three.node[0], &other, 500 * MS), -ENOSPC);
    core_beat_members(&three.node[0], ids + 10, count - 10); /* 2 to 11 are gone; 2 and 3 vote */
    for (uint32_t id = 1000; id < 1010; id++) {
        other.from = id;
        CU_ASSERT_EQUAL(core_beat_receive(&three.node[0], &other, 500 * MS), 0);
        /* 4 to 11 go before 2 and 3 */
        CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[0], 2, 600 * MS), id < 1008 ? 598 : 589);
    }
    other.from = 1010;
    CU_ASSERT_EQUAL(core_beat_receive(&three.node[0], &other, 500 * MS), -ENOSPC);
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[0], 4, 600 * MS), 589); /* heard at 4 ms */
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[0], 5000, 600 * MS), 589);
    CU_ASSERT_EQUAL(core_beat_age_ms(&three.node[0], 12, 600 * MS), 588);
}

/* One life and death of an owner: what it was fed last, against when the survivors' proof is due.
 */
static void one_race(uint64_t seed)
{
    const struct core_timing timing = core_timing_default();
    const uint32_t deadman = (uint32_t)core_timing_deadman_ms(&timing);
    const struct core_executor executor = { .node_id = 1, .revoked = 9, .deadman_ms = deadman };
    struct hw_prng prng = hw_prng_seeded(seed);
    int64_t revoked_at[3] = { 0, 0, 0 }, last_fed = -1, now = 0, due = -1;
    int64_t skew = (int64_t)hw_prng_below(&prng, 1000000) * MS;
    struct core_age ages[2] = { { .from = 2 }, { .from = 3 } };
    struct three three;

    make(&three);
    for (uint32_t id = 2; id <= 3; id++)
        revoked_at[id - 1] = (int64_t)(1000 + hw_prng_below(&prng, 3000)) * MS;
    for (; now < 8000 * MS && due < 0; now += 10 * MS) {
        uint32_t from = (uint32_t)hw_prng_below(&prng, 3) + 1;
        struct core_beat sent;
        int64_t fed;
        bool all = true;

        /* survivors go to the next term, each at its time; their clocks are their own */
        for (uint32_t id = 2; id <= 3; id++) {
            struct core_beat_machine *node = &three.node[id - 1];

            if (now >= revoked_at[id - 1] && node->table.term == 1) {
                three.table.term = 2;
                core_beat_set_table(node, &three.table);
                ages[id - 2].delivered = 9;
                ages[id - 2].age_ms = core_beat_age_ms(node, 1, now + skew);
                revoked_at[id - 1] = now;
            }
            all = all && node->table.term == 2;
        }
        core_beat_send(&three.node[from - 1], from == 1 ? now : now + skew, &sent);
        for (uint32_t to = 1; to <= 3; to++) { /* some are lost, the link may heal at any time */
            if (hw_prng_chance(&prng, 2, 3))
                (void)carry(&three, &sent, to, to == 1 ? now : now + skew);
        }
        if (core_beat_fed(&three.node[0], &fed) == 0)
            last_fed = fed;
        if (all) {
            uint64_t wait;

            for (uint32_t id = 2; id <= 3; id++)
                ages[id - 2].since_ms = (uint64_t)(now - revoked_at[id - 1]) / MS;
            CU_ASSERT_EQUAL(
                core_executor_member_due(&timing, &three.table.map, &executor, ages, 2, &wait), 0);
            if (wait == 0)
                due = now;
        }
    }
    CU_ASSERT(due >= 0);
    if (last_fed >= 0)
        CU_ASSERT(last_fed + (int64_t)deadman * MS <= due);
}

static void no_proof_before_the_feed_is_over(void)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        one_race(seed);
}

static void damage_is_seen(void)
{
    struct core_beat beat_of = { .from = 1,
                                 .count = 2,
                                 .life = life_1,
                                 .term = 4,
                                 .number = 5,
                                 .deadman_ms = 2800,
                                 .store_ms = 1500 },
                     back;
    uint8_t room[CORE_BEAT_BYTES_MAX];
    size_t size;

    beat_of.applied = 77;
    beat_of.unheard_ms = 12345;
    beat_of.acks[0] = (struct core_beat_ack) { 2, 0, life_2, 7 };
    beat_of.acks[1] = (struct core_beat_ack) { 3, UINT32_MAX, life_3, 8 };
    size = core_beat_size(&beat_of);
    core_beat_encode(&beat_of, room);
    CU_ASSERT_EQUAL_FATAL(core_beat_decode(room, size, &back), 0);
    CU_ASSERT_EQUAL(memcmp(&back, &beat_of, sizeof(back)), 0);
    for (size_t i = 0; i < size; i++) {
        room[i] ^= 4;
        CU_ASSERT(core_beat_decode(room, size, &back) < 0);
        room[i] ^= 4;
        CU_ASSERT_EQUAL(core_beat_decode(room, i, &back), -EBADMSG);
    }
}

const struct unit_case unit_cases[] = {
    { "fed by the acknowledgements of a majority", fed_by_a_majority },
    { "own delivery feeds nobody", own_delivery_feeds_nobody },
    { "one node feeds itself", one_node_feeds_itself },
    { "A2: acknowledgements count in their term", acknowledgements_count_in_their_term },
    { "A3: acknowledgements count in their life", acknowledgements_count_in_their_life },
    { "a number that was never sent feeds nothing", a_lying_number_feeds_nothing },
    { "ages are no older than the machine", ages_are_no_older_than_the_machine },
    { "members that left", members_that_left },
    { "A2: what was revoked is not acknowledged", what_was_revoked_is_not_acknowledged },
    { "which VMs are fed is looked up", feeds_are_looked_up },
    { "peers that left make room", peers_that_left_make_room },
    { "no proof before the feed is over", no_proof_before_the_feed_is_over },
    { "a beat comes back, and damage is seen", damage_is_seen },
    { NULL, NULL },
};
