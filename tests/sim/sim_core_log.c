/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random schedules over the replicated log: three or five members, views that split and merge with
 * holes, crashes that lose what was not synced, a lost store now and then, late messages of other
 * rings, vote maps that change, compaction. The oracle is log_world.c's. After each schedule the
 * faults end, and a new entry must be committed everywhere.
 *   sim_core_log             SEEDS schedules (environment; default a quick share), as TAP
 *   sim_core_log --seed N    one schedule, traced
 *   sim_core_log --hunt      schedules until one is unsafe, for mutants
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/log_world.h"
#include "tests/sim/sim_schedules.h"

enum { QUICK_SEEDS = 3000, HUNT_SEEDS = 20000, STEPS = 250 };

static uint32_t any_id(struct log_world *world)
{
    return (uint32_t)hw_prng_below(&world->prng, world->count) + 1;
}

/* Split all members at random into two views, or put them into one. */
static void views_step(struct log_world *world)
{
    uint32_t left[LOG_NODES_MAX + 1] = { 0 }, right[LOG_NODES_MAX + 1] = { 0 };
    size_t lefts = 0, rights = 0;
    bool whole = hw_prng_chance(&world->prng, 1, 3);

    for (uint32_t id = 1; id <= world->count; id++) {
        if (whole || hw_prng_chance(&world->prng, 1, 2))
            left[lefts++] = id;
        else
            right[rights++] = id;
    }
    if (lefts > 0)
        log_world_view(world, left, hw_prng_chance(&world->prng, 1, 2));
    if (rights > 0)
        log_world_view(world, right, hw_prng_chance(&world->prng, 1, 2));
}

static size_t blanks(const struct log_world *world)
{
    size_t count = 0;

    for (size_t i = 0; i < world->count; i++)
        count += world->nodes[i].store.blank;
    return count;
}

static void crash_step(struct log_world *world)
{
    uint32_t id = any_id(world);

    log_world_crash(world, id);
    /* a second empty store at a time may leave no majority of stores: safe, but the end would wait
     * for ever */
    if (!world->maps && blanks(world) == 0 && hw_prng_chance(&world->prng, 1, 6))
        log_world_lose_store(world, id);
    if (hw_prng_chance(&world->prng, 2, 3)) {
        log_world_start(world, id);
        views_step(world);
    }
}

/* A vote more or less for a member, or two at once, which is refused; never so many that one of
 * them is a majority. */
static void map_step(struct log_world *world, uint32_t leader)
{
    struct core_vote_map map = *core_log_map(log_world_node(world, leader)->log);
    uint8_t bytes[CORE_VOTE_MAP_BYTES];
    struct hw_writer writer = hw_writer_over(bytes, sizeof(bytes));
    uint32_t id = any_id(world);

    uint32_t most = world->count == 5 ? 3 : 2, now = core_vote_map_votes(&map, id);
    uint32_t next = most + 1 - now;

    if (next == now || hw_prng_chance(&world->prng, 1, 4))
        next = now > 1 ? now - 1 : now + 1;
    if (core_vote_map_set(&map, id, next) < 0)
        return;
    core_vote_map_encode(&map, &writer);
    (void)log_world_propose(world, leader, CORE_ENTRY_MAP, bytes, writer.at);
}

static void propose_step(struct log_world *world)
{
    uint32_t id = any_id(world);
    const struct log_node *node = log_world_node(world, id);
    uint64_t what = hw_prng_next(&world->prng);

    if (node->log == NULL || !core_log_leads(node->log))
        return;
    if (world->maps && hw_prng_chance(&world->prng, 1, 8))
        map_step(world, id);
    else
        (void)log_world_propose(world, id, CORE_ENTRY_USER, &what, sizeof(what));
}

static void step(struct log_world *world)
{
    uint64_t what = hw_prng_below(&world->prng, 1000);

    if (what < 500) {
        (void)log_world_deliver(world, any_id(world));
    } else if (what < 760) {
        for (size_t i = 0; i < 3; i++) /* a fast network: what the members see is alike */
            (void)log_world_deliver(world, any_id(world));
    } else if (what < 850) {
        (void)log_world_write(world, any_id(world));
    } else if (what < 900) {
        propose_step(world);
    } else if (what < 940) {
        log_world_timer(world, any_id(world));
    } else if (what < 965) {
        log_world_settle(world, 2);
    } else {
        world->faults++;
        if (what < 978)
            views_step(world);
        else if (what < 990)
            crash_step(world);
        else if (what < 995)
            log_world_replay(world, any_id(world));
        else
            log_world_compact(world, any_id(world));
    }
}

/* The faults end: an entry that is proposed now is committed by everybody. */
static void calm(struct log_world *world)
{
    static const uint32_t all[] = { 1, 2, 3, 4, 5, 0 };
    uint32_t ids[LOG_NODES_MAX + 1] = { 0 }, leader;
    uint64_t last;

    memcpy(ids, all, world->count * sizeof(ids[0]));
    for (uint32_t id = 1; id <= world->count; id++)
        log_world_start(world, id);
    log_world_view(world, ids, false);
    log_world_settle(world, 12);
    leader = log_world_leader(world);
    if (world->broken[0] != '\0')
        return;
    if (leader == 0 || log_world_propose(world, leader, CORE_ENTRY_USER, "end", 3) < 0) {
        (void)snprintf(world->broken, sizeof(world->broken), "stuck: nobody leads");
        return;
    }
    last = core_log_last(log_world_node(world, leader)->log).index;
    log_world_settle(world, 8);
    for (uint32_t id = 1; id <= world->count; id++) {
        const struct log_node *node = log_world_node(world, id);

        if (core_log_committed(node->log) < last || core_log_is_blank(node->log))
            (void)snprintf(world->broken, sizeof(world->broken),
                           "stuck: n%" PRIu32 " has committed %" PRIu64 " of %" PRIu64, id,
                           core_log_committed(node->log), last);
    }
}

struct totals {
    uint64_t committed, faults;
};

static bool schedule(uint64_t seed, bool trace, bool end_calm, void *context)
{
    struct totals *totals = context;
    struct log_world world;
    bool good;

    log_world_make(&world, seed % 3 == 0 ? 5 : 3, seed);
    world.trace = trace;
    world.maps = seed % 2 == 0; /* with two votes somewhere an empty store can be too much */
    for (uint32_t id = 1; id <= world.count; id++)
        log_world_start(&world, id);
    views_step(&world);
    for (unsigned i = 0; i < STEPS && world.broken[0] == '\0'; i++)
        step(&world);
    if (end_calm && world.broken[0] == '\0')
        calm(&world);
    good = world.broken[0] == '\0';
    if (!good)
        printf("# seed %" PRIu64 ": %s\n", seed, world.broken);
    totals->committed += world.committed.count;
    totals->faults += world.faults;
    log_world_end(&world);
    return good;
}

static void sum(const void *context)
{
    const struct totals *totals = context;

    printf(", %" PRIu64 " faults, %" PRIu64 " entries committed\n", totals->faults,
           totals->committed);
}

int main(int argc, char **argv)
{
    struct totals totals = { 0 };
    const struct sim sim = { .name = "the log",
                             .quick_seeds = QUICK_SEEDS,
                             .hunt_seeds = HUNT_SEEDS,
                             .schedule = schedule,
                             .sum = sum,
                             .totals = &totals };

    return sim_main(&sim, argc, argv);
}
