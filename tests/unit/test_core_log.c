/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_log, clusterd/core/core_log_term, clusterd/core/core_log_receive: stories in
 * the order in which they go wrong. Letters and numbers are the holes of the protocol's review. The
 * random ones are tests/sim/sim_core_log. (over 400: one story each for the holes of one protocol.)
 */
#include <config.h>

#include "clusterd/core/core_log.h"

#include "tests/sim/log_world.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static const uint32_t all[] = { 1, 2, 3, 0 }, only_1[] = { 1, 0 }, only_2[] = { 2, 0 },
                      only_3[] = { 3, 0 }, pair_12[] = { 1, 2, 0 }, pair_23[] = { 2, 3, 0 };

static struct core_log *log_of(struct log_world *world, uint32_t id)
{
    return log_world_node(world, id)->log;
}

static void start(struct log_world *world)
{
    log_world_make(world, 3, 1);
    for (uint32_t id = 1; id <= 3; id++)
        log_world_start(world, id);
    log_world_view(world, all, false);
    log_world_settle(world, 2);
    CU_ASSERT_EQUAL_FATAL(log_world_leader(world), 1);
}

static void end(struct log_world *world)
{
    CU_ASSERT_STRING_EQUAL(world->broken, "");
    log_world_end(world);
}

static int propose(struct log_world *world, uint32_t id, const char *text)
{
    return log_world_propose(world, id, CORE_ENTRY_USER, text, strlen(text));
}

static bool has(struct log_world *world, uint32_t id, uint64_t index, const char *text)
{
    const struct core_entry *entry = core_log_entry(log_of(world, id), index);

    return entry != NULL && entry->size == strlen(text) &&
           memcmp(entry->bytes, text, entry->size) == 0;
}

static void commits_everywhere(void)
{
    struct log_world world;

    start(&world);
    CU_ASSERT_EQUAL(propose(&world, 2, "x"), -ENOTCONN);
    CU_ASSERT_EQUAL(propose(&world, 1, "x"), 0);
    log_world_settle(&world, 1);
    for (uint32_t id = 1; id <= 3; id++) {
        CU_ASSERT_EQUAL(core_log_committed(log_of(&world, id)), 3);
        CU_ASSERT(has(&world, id, 3, "x"));
        CU_ASSERT(core_log_is_current(log_of(&world, id)));
        CU_ASSERT_EQUAL(core_log_leader(log_of(&world, id)), 1);
    }
    end(&world);
}

/* A1: the sender has delivered its order to itself, and it is on its disk; nobody else has it. */
static void own_delivery_commits_nothing(void)
{
    struct log_world world;

    start(&world);
    CU_ASSERT_EQUAL(propose(&world, 1, "n1: start web1, generation 7"), 0);
    while (log_world_deliver(&world, 1) || log_world_write(&world, 1))
        continue;
    CU_ASSERT_EQUAL(core_log_committed(log_of(&world, 1)), 2);
    /* cut: the others never see it, and give another order the same index */
    log_world_node(&world, 2)->view = log_world_node(&world, 3)->view = SIZE_MAX;
    log_world_view(&world, only_1, false);
    log_world_view(&world, pair_23, false);
    log_world_settle(&world, 3);
    CU_ASSERT_EQUAL(core_log_committed(log_of(&world, 1)), 2);
    CU_ASSERT_EQUAL(propose(&world, 2, "n2: start web1, generation 7"), 0);
    log_world_settle(&world, 2);
    log_world_view(&world, all, false);
    log_world_settle(&world, 4);
    CU_ASSERT(!has(&world, 1, 3, "n1: start web1, generation 7"));
    CU_ASSERT(has(&world, 1, 4, "n2: start web1, generation 7"));
    end(&world);
}

/* S1: two entries on one disk are a newer revision than one on two; the term decides. */
static void newest_is_not_longest(void)
{
    struct log_world world;

    start(&world);
    CU_ASSERT_EQUAL(propose(&world, 1, "X1"), 0);
    CU_ASSERT_EQUAL(propose(&world, 1, "X2"), 0);
    CU_ASSERT_EQUAL(propose(&world, 1, "X3"), 0);
    while (log_world_deliver(&world, 1) || log_world_write(&world, 1))
        continue;
    log_world_node(&world, 2)->view = log_world_node(&world, 3)->view = SIZE_MAX;
    log_world_view(&world, only_1, false);
    log_world_view(&world, pair_23, false);
    log_world_settle(&world, 3);
    CU_ASSERT_EQUAL(propose(&world, 2, "Y"), 0);
    log_world_settle(&world, 2);
    log_world_crash(&world, 3);
    log_world_view(&world, pair_12, false); /* n1: longer log, lowest id */
    log_world_settle(&world, 4);
    CU_ASSERT_EQUAL(log_world_leader(&world), 2);
    CU_ASSERT(has(&world, 1, 4, "Y"));
    end(&world);
}

/* S6: empty stores are no majority, however many they are. */
static void empty_stores_count_for_nothing(void)
{
    struct log_world world;

    start(&world);
    for (uint32_t id = 1; id <= 3; id++)
        log_world_crash(&world, id);
    log_world_lose_store(&world, 1);
    log_world_lose_store(&world, 2);
    for (uint32_t id = 1; id <= 3; id++)
        log_world_start(&world, id);
    log_world_view(&world, pair_12, false);
    log_world_settle(&world, 4);
    CU_ASSERT_EQUAL(log_world_leader(&world), 0);
    log_world_view(&world, all, false);
    log_world_settle(&world, 4);
    CU_ASSERT_EQUAL(log_world_leader(&world), 0); /* one of three has a store */
    end(&world);
}

static void an_empty_store_is_loaded(void)
{
    struct log_world world;

    start(&world);
    CU_ASSERT_EQUAL(propose(&world, 1, "x"), 0);
    log_world_settle(&world, 2);
    log_world_compact(&world, 1);
    log_world_crash(&world, 3);
    log_world_lose_store(&world, 3);
    log_world_start(&world, 3);
    log_world_view(&world, all, false);
    log_world_settle(&world, 6);
    CU_ASSERT(!core_log_is_blank(log_of(&world, 3)));
    CU_ASSERT(!log_world_node(&world, 3)->store.blank);
    CU_ASSERT_EQUAL(core_log_committed(log_of(&world, 3)), core_log_committed(log_of(&world, 1)));
    end(&world);
}

/* S7 and 4.2: what was queued in an earlier ring is nothing in this one. */
static void late_messages_are_dropped(void)
{
    struct log_world world;

    start(&world);
    CU_ASSERT_EQUAL(propose(&world, 1, "stop web1"), 0);
    log_world_settle(&world, 2);
    for (unsigned i = 0; i < 200; i++) {
        log_world_view(&world, i % 2 == 0 ? all : pair_23, false);
        log_world_settle(&world, 2);
        for (unsigned k = 0; k < 5; k++)
            log_world_replay(&world, 2);
        log_world_settle(&world, 2);
    }
    end(&world);
}

/* 4.3: corosync delivers a dead sender's second message without its first. */
static void a_hole_is_not_stepped_over(void)
{
    struct log_world world;

    start(&world);
    CU_ASSERT_EQUAL(propose(&world, 1, "first"), 0);
    CU_ASSERT_EQUAL(propose(&world, 1, "second"), 0);
    for (uint32_t id = 2; id <= 3; id++) {
        log_world_node(&world, id)->next++;
        while (log_world_deliver(&world, id) || log_world_write(&world, id))
            continue;
        CU_ASSERT_EQUAL(core_log_last(log_of(&world, id)).index, 2);
    }
    log_world_settle(&world, 3);
    CU_ASSERT(has(&world, 2, 3, "first"));
    CU_ASSERT(has(&world, 3, 4, "second"));
    end(&world);
}

static bool gave(const struct core_log_actions *actions, enum core_log_action_kind kind)
{
    for (uint32_t i = 0; i < actions->count; i++) {
        if (actions->items[i].kind == kind)
            return true;
    }
    return false;
}

/*
 * Raft's figure 8: an entry of an earlier term on a majority of disks may still be replaced by a
 * leader that has not seen it, so its copies alone do not commit it.
 */
static void an_earlier_term_commits_only_with_this_one(void)
{
    struct core_log_start begin = {
        .self = 1, .incarnation = 1, .promised = 1, .base = { 1, 1 }, .base_hash = 77
    };
    const struct core_entry earlier = {
        .term = 1, .index = 2, .previous = 77, .kind = CORE_ENTRY_USER
    };
    struct core_log_message from_2 = { .kind = CORE_LOG_HELLO,
                                       .from = 2,
                                       .incarnation = 1,
                                       .term = 1,
                                       .view = { 1, 1, 1 },
                                       .position = { 1, 1 } };
    struct core_log_actions actions = { 0 };
    const uint32_t members[] = { 1, 2 };
    struct core_log_message said;
    struct core_log *log;
    uint64_t hash;

    for (uint32_t id = 1; id <= 3; id++)
        CU_ASSERT_EQUAL(core_vote_map_set(&begin.map, id, 1), 0);
    CU_ASSERT_EQUAL_FATAL(core_log_new(&begin, &log), 0);
    CU_ASSERT_EQUAL(core_log_restore(log, &earlier), 0);
    core_log_view(log, &from_2.view, true, members, 2, &actions);
    said = actions.items[0].message; /* its own hello */
    actions.count = 0;
    CU_ASSERT_EQUAL(core_log_receive(log, &from_2, &actions), 0);
    CU_ASSERT_EQUAL(core_log_receive(log, &said, &actions), 0);
    CU_ASSERT_EQUAL_FATAL(actions.items[0].message.kind, CORE_LOG_ADOPT);
    said = actions.items[0].message;
    CU_ASSERT_EQUAL(core_log_receive(log, &said, &actions), 0);
    actions.count = 0;
    CU_ASSERT_EQUAL(core_log_promise_stored(log, 2, &actions), 0);
    said = actions.items[0].message;
    CU_ASSERT_EQUAL(core_log_receive(log, &said, &actions), 0);
    CU_ASSERT(!core_log_leads(log)); /* one of three */
    from_2.kind = CORE_LOG_PROMISE;
    from_2.term = 2;
    from_2.leader = 1;
    CU_ASSERT_EQUAL(core_log_receive(log, &from_2, &actions), 0);
    CU_ASSERT_FATAL(core_log_leads(log));
    actions.count = 0;
    from_2.kind = CORE_LOG_ACK;
    from_2.position.index = 2;
    CU_ASSERT_EQUAL(core_log_receive(log, &from_2, &actions), 0);
    CU_ASSERT(!gave(&actions, CORE_LOG_COMMITTED)); /* it is on two disks of three */
    CU_ASSERT_EQUAL(core_log_hash(log, 3, &hash), 0);
    core_log_stored(log, 3, hash, &actions);
    CU_ASSERT(!gave(&actions, CORE_LOG_COMMITTED));
    from_2.position.index = 3;
    CU_ASSERT_EQUAL(core_log_receive(log, &from_2, &actions), 0);
    CU_ASSERT(gave(&actions, CORE_LOG_COMMITTED));
    CU_ASSERT_EQUAL(core_log_committed(log), 3);
    core_log_free(log);
}

/* H8: who leads stays, also when a lower id comes back; an unfit leader is left. */
static void the_leader_stays_while_fit(void)
{
    struct log_world world;
    static const uint32_t without_1[] = { 2, 3, 0 };

    start(&world);
    log_world_view(&world, without_1, false);
    log_world_settle(&world, 3);
    CU_ASSERT_EQUAL(log_world_leader(&world), 2);
    log_world_view(&world, all, false);
    log_world_settle(&world, 4);
    CU_ASSERT_EQUAL(log_world_leader(&world), 2);
    for (uint32_t id = 1; id <= 3; id += 2)
        core_log_unfit(log_of(&world, id), 2, true);
    log_world_settle(&world, 4);
    CU_ASSERT_EQUAL(log_world_leader(&world), 1);
    end(&world);
}

/* R2: libquorum's no is enough; its yes is not. */
static void quorum_only_forbids(void)
{
    struct log_world world;

    start(&world);
    log_world_view(&world, only_1, false); /* the world says quorate */
    log_world_view(&world, only_2, false);
    log_world_view(&world, only_3, false);
    log_world_settle(&world, 4);
    CU_ASSERT_EQUAL(log_world_leader(&world), 0);
    log_world_view(&world, all, false);
    for (uint32_t id = 1; id <= 3; id++)
        core_log_quorate(log_of(&world, id), false);
    log_world_settle(&world, 4);
    CU_ASSERT_EQUAL(log_world_leader(&world), 0);
    for (uint32_t id = 1; id <= 3; id++)
        core_log_quorate(log_of(&world, id), true);
    log_world_settle(&world, 4);
    CU_ASSERT_NOT_EQUAL(log_world_leader(&world), 0);
    end(&world);
}

static int propose_map(struct log_world *world, const struct core_vote_map *map)
{
    uint8_t bytes[CORE_VOTE_MAP_BYTES];
    struct hw_writer writer = hw_writer_over(bytes, sizeof(bytes));

    core_vote_map_encode(map, &writer);
    return log_world_propose(world, 1, CORE_ENTRY_MAP, bytes, writer.at);
}

/* A4: one voter at a time, each change under both majorities. */
static void the_map_changes_by_steps(void)
{
    struct log_world world;
    struct core_vote_map map;

    start(&world);
    map = *core_log_map(log_of(&world, 1));
    CU_ASSERT_EQUAL(core_vote_map_set(&map, 4, 1), 0);
    CU_ASSERT_EQUAL(core_vote_map_set(&map, 5, 1), 0);
    CU_ASSERT_EQUAL(propose_map(&world, &map), -EINVAL); /* two at once */
    CU_ASSERT_EQUAL(core_vote_map_set(&map, 5, 0), 0);
    CU_ASSERT_EQUAL(core_vote_map_set(&map, 4, 2), 0);
    CU_ASSERT_EQUAL(propose_map(&world, &map), -EINVAL); /* two votes at once */
    CU_ASSERT_EQUAL(core_vote_map_set(&map, 4, 1), 0);
    CU_ASSERT_EQUAL(propose_map(&world, &map), 0);
    CU_ASSERT_EQUAL(core_vote_map_set(&map, 5, 1), 0);
    CU_ASSERT_EQUAL(propose_map(&world, &map), -EBUSY); /* one after the other */
    CU_ASSERT_EQUAL(core_vote_map_votes(core_log_map(log_of(&world, 1)), 4), 0);
    log_world_settle(&world, 2);
    CU_ASSERT_EQUAL(core_vote_map_votes(core_log_map(log_of(&world, 3)), 4), 1);
    /* 2 of 4 are no majority any more */
    log_world_view(&world, pair_12, false);
    log_world_settle(&world, 4);
    CU_ASSERT_EQUAL(log_world_leader(&world), 0);
    end(&world);
}

/* A store that does not have what it acknowledged: seen, told, and loaded anew. */
static void divergence_is_detected(void)
{
    struct log_world world;
    struct core_log_start begin = { .self = 3, .incarnation = 9, .promised = 1 };
    struct core_log_actions actions = { 0 };
    struct core_log_message message;
    const uint32_t members[] = { 1, 3 };
    struct core_log *stranger;

    start(&world);
    CU_ASSERT_EQUAL(propose(&world, 1, "x"), 0);
    begin.base = (struct core_position) { 2, 2 };
    begin.base_hash = 12345;
    begin.map = *core_log_map(log_of(&world, 1));
    CU_ASSERT_EQUAL_FATAL(core_log_new(&begin, &stranger), 0);
    CU_ASSERT_EQUAL_FATAL(core_log_entry_message(log_of(&world, 1), 3, &message), 0);
    core_log_view(stranger, &message.view, true, members, 2, &actions);
    message.term = 9;
    actions.count = 0;
    CU_ASSERT_EQUAL(core_log_receive(stranger, &message, &actions), 0);
    CU_ASSERT(gave(&actions, CORE_LOG_DIVERGED));
    CU_ASSERT(core_log_is_blank(stranger));
    CU_ASSERT_EQUAL(core_log_committed(stranger), 0);
    core_log_free(stranger);
    log_world_settle(&world, 2);
    end(&world);
}

static void bad_starts_are_refused(void)
{
    struct core_log_start begin = { .self = 0, .blank = true };
    struct core_entry entry = { .term = 1, .index = 5, .previous = 1, .kind = CORE_ENTRY_USER };
    struct core_log *log;

    CU_ASSERT_EQUAL(core_log_new(&begin, &log), -EINVAL);
    begin = (struct core_log_start) { .self = 1 };
    CU_ASSERT_EQUAL(core_log_new(&begin, &log), -EINVAL);
    begin.base = (struct core_position) { 1, 1 };
    begin.base_hash = 77;
    CU_ASSERT_EQUAL(core_vote_map_set(&begin.map, 1, 1), 0);
    CU_ASSERT_EQUAL_FATAL(core_log_new(&begin, &log), 0);
    CU_ASSERT_EQUAL(core_log_restore(log, &entry), -EBADMSG);
    entry.index = 2;
    CU_ASSERT_EQUAL(core_log_restore(log, &entry), -EBADMSG); /* another one before */
    entry.previous = 77;
    CU_ASSERT_EQUAL(core_log_restore(log, &entry), 0);
    CU_ASSERT_EQUAL(core_log_compact(log, 2), -EINVAL); /* not committed */
    core_log_free(log);
    core_log_free(NULL);
}

/* One member alone: every allocation fails once, and the event counts as lost. */
static int lonely(void)
{
    struct core_log_start begin = {
        .self = 1, .incarnation = 1, .base = { 1, 1 }, .base_hash = 77
    };
    struct core_view_id id = { 1, 1, 1 };
    struct core_log_actions actions = { 0 };
    struct core_log *log;
    uint64_t index, hash;
    uint32_t self = 1;
    int rc;

    (void)core_vote_map_set(&begin.map, 1, 1);
    rc = core_log_new(&begin, &log);
    if (rc < 0)
        return rc;
    core_log_view(log, &id, true, &self, 1, &actions);
    for (uint32_t i = 0; rc == 0 && i < actions.count; i++) {
        const struct core_log_action action = actions.items[i];

        if (actions.count > 8)
            break;
        if (action.kind == CORE_LOG_SEND)
            rc = core_log_receive(log, &action.message, &actions);
        else if (action.kind == CORE_LOG_STORE_PROMISE)
            rc = core_log_promise_stored(log, action.term, &actions);
        else if (action.kind == CORE_LOG_STORE_ENTRIES && core_log_hash(log, action.to, &hash) == 0)
            core_log_stored(log, action.to, hash, &actions);
    }
    actions.count = 0;
    if (rc == 0)
        rc = core_log_propose(log, CORE_ENTRY_USER, (const uint8_t *)"abc", 3, &actions, &index);
    core_log_free(log);
    return rc;
}

static void a_failed_allocation_is_a_lost_event(void)
{
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = lonely();
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT(n > 2);
            break;
        }
        CU_ASSERT(rc == -ENOMEM || rc == -ENOTCONN);
    }
}

const struct unit_case unit_cases[] = {
    { "an entry is committed everywhere", commits_everywhere },
    { "A1: own delivery and own disk commit nothing", own_delivery_commits_nothing },
    { "S1: the term decides, not the length", newest_is_not_longest },
    { "S6: empty stores count for nothing", empty_stores_count_for_nothing },
    { "an empty store is loaded from a snapshot", an_empty_store_is_loaded },
    { "S7: late messages of other rings are dropped", late_messages_are_dropped },
    { "4.3: a hole is not stepped over", a_hole_is_not_stepped_over },
    { "copies of an earlier term's entry do not commit it",
      an_earlier_term_commits_only_with_this_one },
    { "H8: the leader stays while it is fit", the_leader_stays_while_fit },
    { "R2: corosync's quorum only forbids", quorum_only_forbids },
    { "A4: the vote map changes by one step at a time", the_map_changes_by_steps },
    { "divergence is detected, and loaded anew", divergence_is_detected },
    { "bad starts are refused", bad_starts_are_refused },
    { "a failed allocation is a lost event", a_failed_allocation_is_a_lost_event },
    { NULL, NULL },
};
