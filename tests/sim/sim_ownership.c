/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random schedules of three nodes that own, take over, stall, lose their links and die, over a
 * target that is slow, resets and restarts; see own_world.c for the oracles. After each schedule
 * the faults end and a last grant must lead to an open gate with nothing left unanswered.
 *   sim_ownership             SEEDS schedules (environment; default a quick share), as TAP
 *   sim_ownership --seed N    one schedule, traced
 *   sim_ownership --hunt      schedules until one is unsafe, for mutants; --hunt-stuck: or stuck
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "own_world.h"

enum { QUICK_SEEDS = 3000, HUNT_SEEDS = 8000, STEPS_MAX = 40 };

static void grant_step(struct world *world)
{
    struct world_node *node = world_any_node(world);
    uint32_t generation = world_grant(world);

    if (hw_prng_chance(&world->prng, 1, 4)) { /* the order arrives late, behind a newer one */
        world_start(world, world_any_node(world), world_grant(world), true);
        world_run(world, world->now_ns + (int64_t)hw_prng_below(&world->prng, 20) * WORLD_MS);
    }
    world_start(world, node, generation, true);
}

/* Two nodes at once, each under a grant of its own or, against the rules, both under one: the
 * reservation lets one of them win. */
static void race_step(struct world *world)
{
    uint32_t first = world_grant(world), second = world_grant(world);
    const bool same = hw_prng_chance(&world->prng, 1, 3);

    world_start(world, &world->nodes[0], same ? second : first, true);
    world_start(world, &world->nodes[1], second, true);
}

/* What an ownership has not answered yet goes out again under its next grant. */
static void restamp(struct world_node *node)
{
    for (unsigned i = 0; i < WORLD_DATA_BLOCKS; i++) {
        struct world_block *slot = &node->blocks[i];

        if (!slot->out || !slot->writes)
            continue;
        slot->tenure = node->grant;
        world_stamp(slot->data, slot->tenure, slot->number);
    }
}

/* The same process is granted the LUN again: in place of the grant that it owns it by, or after
 * whatever ended its ownership. */
static void grant_again(struct world *world, struct world_node *node)
{
    struct sto_own_grant grant = { .takeover = true };
    enum sto_own_state state = sto_own_state(sto_owner_machine(node->owner));
    int rc;

    grant.generation = world_grant(world);
    node->resets = true;
    rc = sto_owner_start(node->owner, &grant);
    node->resets = false;
    if (rc < 0)
        return; /* it is on its way, or lost it */
    node->grant = grant.generation;
    if (state != STO_OWN_LEFT && state != STO_OWN_HANDED)
        restamp(node);
    world_say(world, "n%u starts again under grant %u", node->id, node->grant);
}

static void again_step(struct world *world)
{
    struct world_node *node = world_any_node(world);

    if (node->owner == NULL || node->stalled_until_ns > world->now_ns)
        return;
    if (hw_prng_chance(&world->prng, 1, 2))
        sto_owner_stop(node->owner);
    grant_again(world, node);
}

/* Another node owns the LUN while this one is cut off; then this one is granted it again. */
static void overtaken_step(struct world *world)
{
    struct world_node *node = world_any_node(world), *other = world_any_node(world);

    if (node->owner == NULL || node == other)
        return;
    sto_model_lun_cut(node->lun, true);
    world_start(world, other, world_grant(world), true);
    (void)world_run_until_open(world, other, 3000 * WORLD_MS);
    sto_model_lun_cut(node->lun, node->cut);
    if (node->stalled_until_ns <= world->now_ns)
        grant_again(world, node);
}

/* The supervisor starts a second process under the same grant; the first one may only sleep. */
static void twin_step(struct world *world)
{
    struct world_node *first = &world->nodes[0], *second = &world->nodes[WORLD_NODES - 1];

    if (first->owner == NULL)
        return;
    world_kill(world, second);
    second->id = first->id;
    second->port =
        hw_prng_chance(&world->prng, 1, 2) ? first->port : 16ull * (100 + world->processes);
    first->stalled_until_ns = world->now_ns + (int64_t)hw_prng_below(&world->prng, 3000) * WORLD_MS;
    sto_model_lun_break(first->lun, STO_SESSION_DATA);
    world_say(world, "a twin of n%u", first->id);
    world_start(world, second, first->grant, true);
}

static void release(struct world *world, struct world_node *node)
{
    world->given_up = true;
    sto_owner_release(node->owner);
}

static void stall(struct world *world, struct world_node *node, uint64_t most_ms)
{
    node->stalled_until_ns =
        world->now_ns + (int64_t)hw_prng_below(&world->prng, most_ms) * WORLD_MS;
    world_say(world, "n%u stalls", node->id);
}

static void leave_step(struct world *world)
{
    struct world_node *node = world_any_node(world);

    if (node->owner == NULL || node->stalled_until_ns > world->now_ns)
        return;
    if (hw_prng_chance(&world->prng, 1, 3))
        sto_owner_revoke(node->owner);
    else if (hw_prng_chance(&world->prng, 1, 2))
        sto_owner_hand_over(node->owner, 0);
    else
        release(world, node);
    if (hw_prng_chance(&world->prng, 1, 2)) /* in the middle of it */
        stall(world, node, 4000);
}

static void feed_step(struct world *world, struct world_node *node)
{
    bool fed = node->deadline_ns != INT64_MAX;

    if (node->stalled_until_ns > world->now_ns)
        return;
    world_say(world, "n%u is %s", node->id, fed ? "fed again" : "not fed any more");
    world_feed(node, fed);
}

static void random_step(struct world *world)
{
    struct world_node *node = world_any_node(world);

    switch (hw_prng_below(&world->prng, 24)) {
    case 0:
    case 1:
    case 2:
        grant_step(world);
        break;
    case 3:
        race_step(world);
        break;
    case 4:
    case 5:
        stall(world, node, 12000);
        break;
    case 6:
    case 7:
        node->cut = !node->cut;
        world_say(world, "n%u link %s", node->id, node->cut ? "cut" : "heals");
        if (node->lun != NULL)
            sto_model_lun_cut(node->lun, node->cut);
        break;
    case 8:
        world_kill(world, node);
        break;
    case 9:
        world_restart_target(world);
        break;
    case 10:
        world_say(world, "reset by a third party");
        world_reset(world);
        break;
    case 11:
    case 12:
        world_say(world, "n%u attentions or so", node->id);
        world_attention(world);
        break;
    case 13:
        leave_step(world);
        break;
    case 16:
        again_step(world);
        break;
    case 17:
        twin_step(world);
        break;
    case 18:
        world_say(world, "n%u gate %s", node->id, node->forbidden ? "allowed" : "forbidden");
        if (node->stalled_until_ns <= world->now_ns)
            world_allow(node, node->forbidden);
        break;
    case 19:
        feed_step(world, node);
        break;
    case 20:
        overtaken_step(world);
        break;
    case 14:
    case 15:
        world_say(world, "a zombie registers and writes");
        world_rogue(world);
        break;
    default:
        world_say(world, "n%u data session breaks", node->id);
        if (node->lun != NULL)
            sto_model_lun_break(node->lun, hw_prng_chance(&world->prng, 1, 5) ? STO_SESSION_CONTROL
                                                                              : STO_SESSION_DATA);
        break;
    }
}

static bool all_answered(const struct world_node *node)
{
    for (unsigned i = 0; i < WORLD_DATA_BLOCKS; i++) {
        if (node->blocks[i].out)
            return false;
    }
    return true;
}

/* Faults are over: whoever is granted the LUN now gets it, and its guest gets its answers. */
static void must_settle(struct world *world)
{
    struct world_node *node = world_any_node(world);

    world_say(world, "faults end");
    world->slow = 0;
    world->disturbed = 0;
    for (unsigned i = 0; i < WORLD_NODES; i++) {
        world->nodes[i].cut = false;
        world->nodes[i].stalled_until_ns = 0;
        world_allow(&world->nodes[i], true);
        world_feed(&world->nodes[i], true);
        if (world->nodes[i].lun != NULL)
            sto_model_lun_cut(world->nodes[i].lun, false);
        if (&world->nodes[i] != node && world->nodes[i].id == node->id)
            world_kill(world, &world->nodes[i]); /* twins end with the faults */
    }
    world_start(world, node, world_grant(world), true);
    if (!world_run_until_open(world, node, 120000 * WORLD_MS)) {
        world_break(world, "liveness: n%u was granted %u and is not open after 120 s: %s", node->id,
                    node->grant, sto_own_state_name(sto_own_state(sto_owner_machine(node->owner))));
        return;
    }
    world->quiet = true; /* guests ask for nothing new */
    world_run(world, world->now_ns + 20000 * WORLD_MS);
    if (!all_answered(node))
        world_break(world, "liveness: a request of n%u was never answered", node->id);
}

static bool schedule(uint64_t seed, bool trace, struct world_stats *stats)
{
    struct world *world = calloc(1, sizeof(*world));
    unsigned steps;
    bool good;

    if (world == NULL || !world_init(world, seed, trace)) {
        (void)printf("# out of memory\n");
        free(world);
        return false;
    }
    steps = 4 + (unsigned)hw_prng_below(&world->prng, STEPS_MAX - 4);
    grant_step(world);
    for (unsigned i = 0; i < steps && !world->broken; i++) {
        int64_t pause = (int64_t)hw_prng_below(&world->prng, 4) == 0
                            ? (int64_t)hw_prng_below(&world->prng, 3000) * WORLD_MS
                            : (int64_t)hw_prng_below(&world->prng, 5000) * 1000;

        world_run(world, world->now_ns + pause);
        random_step(world);
    }
    if (!world->broken && !world->quirks.preempts_wrong) /* nobody can own on such a target */
        must_settle(world);
    good = !world->broken;
    if (!good)
        (void)printf("# seed %" PRIu64 ": %s\n", seed, world->why);
    stats->unsafe += world->broken && strncmp(world->why, "liveness", 8) != 0;
    stats->owned += world->stats.owned;
    stats->lost += world->stats.lost;
    stats->refused += world->stats.refused;
    stats->suspended += world->stats.suspended;
    stats->landed += world->stats.landed;
    stats->forgotten += world->stats.forgotten;
    stats->handed += world->stats.handed;
    stats->released += world->stats.released;
    stats->not_proven += world->stats.not_proven;
    world_fini(world);
    free(world);
    return good;
}

/* Exit status 0: an unsafe (or, `stuck`, any bad) schedule was found. */
static int hunt(uint64_t seeds, bool stuck)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct world_stats stats = { 0 };

        if (!schedule(seed, false, &stats) && (stuck || stats.unsafe > 0))
            return 0;
    }
    return 1;
}

static int all_schedules(uint64_t seeds, const char *program)
{
    struct world_stats stats = { 0 };
    unsigned bad = 0;

    (void)printf("1..1\n");
    for (uint64_t seed = 1; seed <= seeds && bad < 5; seed++) {
        if (!schedule(seed, false, &stats)) {
            (void)printf("# replay: %s --seed %" PRIu64 "\n", program, seed);
            bad++;
        }
    }
    (void)printf("# %" PRIu64 " schedules: %lu owned, %lu lost, %lu refused, %lu suspended, "
                 "%lu handed, %lu released, %lu barriers not proven, %lu writes landed, "
                 "%lu abandoned\n",
                 seeds, stats.owned, stats.lost, stats.refused, stats.suspended, stats.handed,
                 stats.released, stats.not_proven, stats.landed, stats.forgotten);
    (void)printf(
        "%s 1 - one open gate at most, no stale write, nothing lost, it always comes back\n",
        bad == 0 ? "ok" : "not ok");
    return bad == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *seeds = getenv("SEEDS");
    struct world_stats stats = { 0 };

    if (argc == 3 && strcmp(argv[1], "--seed") == 0)
        return schedule(strtoull(argv[2], NULL, 10), true, &stats) ? 0 : 1;
    if (argc == 2 && strcmp(argv[1], "--hunt") == 0)
        return hunt(HUNT_SEEDS, false);
    if (argc == 2 && strcmp(argv[1], "--hunt-stuck") == 0)
        return hunt(HUNT_SEEDS, true);
    if (seeds != NULL && seeds[0] != '\0')
        return all_schedules(strtoull(seeds, NULL, 10), argv[0]);
    return all_schedules(QUICK_SEEDS, argv[0]);
}
