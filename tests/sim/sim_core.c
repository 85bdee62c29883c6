/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random schedules over whole cores: three or five hosts, four VMs, either lease; partitions, power
 * losses, clusterds killed and hung, hosts that stall, SANs that are cut, guests that crash,
 * admins. The oracle is core_world.h's. After each schedule the faults end, and every VM that is
 * wanted must execute once, and no other. sim_core             SEEDS schedules (environment;
 * default a quick share), as TAP sim_core --seed N    one schedule, traced sim_core --hunt
 * schedules until one is unsafe, for mutants
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusterd/core/core_config.h"
#include "tests/sim/core_world.h"
#include "tests/sim/sim_schedules.h"

enum { QUICK_SEEDS = 120, HUNT_SEEDS = 2000, STEPS = 60, CALM_MS = 30000 };

static uint32_t any_id(struct core_world *world)
{
    return (uint32_t)hw_prng_below(&world->prng, world->count) + 1;
}

static void partition_step(struct core_world *world)
{
    uint32_t part[CORE_NODES_MAX];
    bool whole = hw_prng_chance(&world->prng, 1, 3);

    for (size_t i = 0; i < CORE_NODES_MAX; i++)
        part[i] = whole ? 0 : (uint32_t)hw_prng_below(&world->prng, 2);
    core_world_partition(world, part);
}

/* The configuration that a host knows, with two votes for one node instead of one, or one instead
 * of two. NULL: it knows none. */
static char *other_votes(struct core_world *world, const struct core_host *host)
{
    static const char more[] = " votes=2";
    uint32_t id = any_id(world);
    char *text, *changed, *place, node[32];
    bool has;

    if (host->core == NULL || core_config_print(core_state_of(host->core), &text) < 0)
        return NULL;
    (void)snprintf(node, sizeof(node), "node n%" PRIu32 " id=%" PRIu32, id, id);
    place = strstr(text, node);
    changed = malloc(strlen(text) + sizeof(more));
    if (place == NULL || changed == NULL) { /* an empty store */
        free(changed);
        return text;
    }
    place += strlen(node);
    has = strncmp(place, more, strlen(more)) == 0;
    (void)snprintf(changed, strlen(text) + sizeof(more), "%.*s%s%s", (int)(place - text), text,
                   has ? "" : more, has ? place + strlen(more) : place);
    free(text);
    return changed;
}

static void command_step(struct core_world *world)
{
    static const char *const vms[CORE_VMS] = { "a", "b", "c", "d" };
    struct core_order order = { .kind = CORE_ORDER_WANT };
    uint32_t id = any_id(world);
    uint64_t what = hw_prng_below(&world->prng, 5);
    char *text = NULL;

    memcpy(order.object, vms[hw_prng_below(&world->prng, CORE_VMS)], 2);
    order.value = hw_prng_chance(&world->prng, 2, 3) ? CORE_WANT_RUNNING : CORE_WANT_STOPPED;
    if (what == 0) {
        order.kind = CORE_ORDER_MODE;
        order.object[0] = '\0';
        order.node = any_id(world);
        order.value = hw_prng_chance(&world->prng, 1, 2) ? CORE_MODE_ONLINE : CORE_MODE_STANDBY;
    } else if (what == 2) {
        order.kind = CORE_ORDER_MOVE;
        order.node = any_id(world);
        order.value = hw_prng_chance(&world->prng, 3, 4) ? CORE_VIA_AUTO : CORE_VIA_RESTART;
    } else if (what == 1) {
        const struct core_host *host = core_world_host(world, id);

        text = other_votes(world, host);
        if (text == NULL)
            return;
        order.kind = CORE_ORDER_CONFIG;
        order.object[0] = '\0';
        order.index = core_state_of(host->core)->cluster.revision;
        order.text = text;
        order.text_size = (uint32_t)strlen(text);
    }
    core_world_command(world, id, &order);
    free(text);
}

static void host_step(struct core_world *world)
{
    struct core_host *host = core_world_host(world, any_id(world));
    int64_t ms = (int64_t)hw_prng_below(&world->prng, 300) * CORE_TICK_MS;

    switch (hw_prng_below(&world->prng, 9)) {
    case 0:
        core_world_power(world, host->id, !host->up);
        break;
    case 1:
        core_world_power(world, host->id, true);
        break;
    case 2:
        core_world_clusterd(world, host->id, host->core == NULL);
        break;
    case 3:
        core_world_clusterd(world, host->id, true);
        break;
    case 8: /* restarted at once */
        core_world_clusterd(world, host->id, false);
        core_world_clusterd(world, host->id, true);
        break;
    case 4:
        host->stalled_ms = world->now_ms + ms;
        break;
    case 5:
    case 6:
        host->hung_ms = world->now_ms + 4 * ms;
        break;
    default:
        host->san = !host->san || hw_prng_chance(&world->prng, 1, 2);
        break;
    }
}

static void step(struct core_world *world)
{
    uint64_t what = hw_prng_below(&world->prng, 100);

    world->faults += what < 55;
    if (what < 25)
        partition_step(world);
    else if (what < 55)
        host_step(world);
    else if (what < 62)
        core_world_guest(world, (uint32_t)hw_prng_below(&world->prng, CORE_VMS) + 1,
                         hw_prng_chance(&world->prng, 1, 4) ? CORE_STOP_SHUTDOWN
                                                            : CORE_STOP_CRASHED);
    else if (what < 80)
        command_step(world);
    core_world_run(world, (int64_t)hw_prng_below(&world->prng, 150) * CORE_TICK_MS);
}

static void end_faults(struct core_world *world)
{
    static const uint32_t whole[CORE_NODES_MAX];

    world->agents.count = 0;
    world->fail_agents = 100; /* whoever is fenced from now on for what was before stays on */
    for (uint32_t id = 1; id <= world->count; id++) {
        struct core_host *host = core_world_host(world, id);

        host->stalled_ms = host->hung_ms = 0;
        host->san = true;
        core_world_power(world, id, true);
        core_world_clusterd(world, id, true);
    }
    core_world_partition(world, whole);
}

static void stuck(struct core_world *world, const char *what, const char *name)
{
    if (world->broken[0] == '\0')
        (void)snprintf(world->broken, sizeof(world->broken), "stuck: %s %s", what, name);
}

static bool takes_vms(const struct core_state *state)
{
    for (size_t i = 0; i < state->nodes.count; i++) {
        if (state->nodes.items[i].mode == CORE_MODE_ONLINE)
            return true;
    }
    return false;
}

/* The faults have ended: each VM that is wanted executes, and no other. */
static void calm(struct core_world *world)
{
    struct core_order online = { .kind = CORE_ORDER_MODE, .node = 1, .value = CORE_MODE_ONLINE };
    const struct core_host *leader;
    const struct core_state *state;

    end_faults(world);
    core_world_run(world, CALM_MS / 3);
    core_world_command(world, 1, &online);
    core_world_run(world, CALM_MS);
    leader = core_world_leader(world);
    if (leader == NULL) {
        stuck(world, "nobody leads", "");
        return;
    }
    state = core_state_of(leader->core);
    if (state->cluster.revision < world->told_revision)
        stuck(world, "what was acknowledged is lost", "");
    if (!takes_vms(state))
        stuck(world, "an admin's order was not carried out", "");
    for (size_t i = 0; i < state->vms.count; i++) {
        const struct core_vm *vm = &state->vms.items[i];
        size_t wanted = vm->wanted == CORE_WANT_STOPPED ? 0 : 1;

        if (core_world_executing(world, vm->number) != wanted)
            stuck(world, wanted == 1 ? "does not execute:" : "executes:", vm->name);
    }
}

struct totals {
    uint64_t starts, faults, entries, moves, fenced;
};

static bool schedule(uint64_t seed, bool trace, bool end_calm, void *context)
{
    struct totals *totals = context;
    struct core_world world;
    bool good;

    core_world_make(&world, seed % 3 == 0 ? 5 : 3, seed % 5 == 0,
                    seed % 2 == 0 ? CORE_LEASE_STORAGE : CORE_LEASE_MEMBER, seed);
    world.trace = trace;
    for (uint32_t id = 1; id <= world.count; id++)
        core_world_power(&world, id, true);
    core_world_run(&world, 3000);
    for (unsigned i = 0; i < STEPS && world.broken[0] == '\0'; i++)
        step(&world);
    if (end_calm && world.broken[0] == '\0')
        calm(&world);
    good = world.broken[0] == '\0';
    if (!good)
        printf("# seed %" PRIu64 ": %s\n", seed, world.broken);
    totals->starts += world.starts;
    totals->faults += world.faults;
    totals->entries += world.hashes.count;
    totals->moves += world.restores;
    totals->fenced += world.fenced;
    core_world_end(&world);
    return good;
}

static void sum(const void *context)
{
    const struct totals *totals = context;

    printf(", %" PRIu64 " faults, %" PRIu64 " starts, %" PRIu64 " entries, %" PRIu64
           " moved, %" PRIu64 " fenced\n",
           totals->faults, totals->starts, totals->entries, totals->moves, totals->fenced);
}

int main(int argc, char **argv)
{
    struct totals totals = { 0 };
    const struct sim sim = { .name = "the core",
                             .quick_seeds = QUICK_SEEDS,
                             .hunt_seeds = HUNT_SEEDS,
                             .schedule = schedule,
                             .sum = sum,
                             .totals = &totals };

    return sim_main(&sim, argc, argv);
}
