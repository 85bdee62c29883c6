/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Membership in core_world, power, and the clock: rings follow partitions after token and consensus
 * time, groups follow clusterds at once.
 */
#include <config.h>

#include "tests/sim/core_world.h"

#include "clusterd/core/core_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char configuration[] = "cluster lab lease=%s\n"
                                    "%s"
                                    "lun l1 url=file:/1\nlun l2 url=file:/2\n"
                                    "lun l3 url=file:/3\nlun l4 url=file:/4\n"
                                    "vm a disk=l1 memory=512M wanted=running\n"
                                    "vm b disk=l2 memory=512M wanted=running\n"
                                    "vm c disk=l3 memory=512M wanted=running\n"
                                    "vm d disk=l4 memory=512M wanted=running\n";

static struct core_timing draw_timing(struct hw_prng *prng)
{
    struct core_timing timing = core_timing_default();

    timing.token_ms = 100 + (uint32_t)hw_prng_below(prng, 20) * 10;
    timing.consensus_ms = timing.token_ms * 12 / 10;
    timing.beat_ms = 20 + (uint32_t)hw_prng_below(prng, 3) * 10;
    timing.adopt_ms = 100 + (uint32_t)hw_prng_below(prng, 20) * 10;
    timing.check_ms = 50 + (uint32_t)hw_prng_below(prng, 5) * 10;
    timing.store_ms = 2 * timing.check_ms + 50 + (uint32_t)hw_prng_below(prng, 20) * 10;
    timing.margin_ms = 2 * CORE_TICK_MS;
    timing.rejoin_ms = 1500 + (uint32_t)hw_prng_below(prng, 10) * 100;
    timing.backoff_first_ms = 100;
    timing.backoff_most_ms = 800;
    timing.stable_ms = 5000;
    return timing;
}

/* What `cluster init` would leave on each host. */
static void make_state(struct core_world *world, bool agents, uint32_t lease,
                       struct core_state *state)
{
    char text[sizeof(configuration) + 1024], nodes[1024];
    size_t at = 0;
    int length;

    for (size_t i = 0; i < world->count; i++)
        at += (size_t)snprintf(nodes + at, sizeof(nodes) - at,
                               "node n%zu id=%zu memory=4096M cpus=4\n", i + 1, i + 1);
    for (size_t i = 0; agents && i < world->count; i++)
        at += (size_t)snprintf(nodes + at, sizeof(nodes) - at,
                               "fence f%zu agent=fence_fake nodes=n%zu\n", i + 1, i + 1);
    length = snprintf(text, sizeof(text), configuration, core_lease_word(lease), nodes);
    core_world_require(length > 0 && (size_t)length < sizeof(text));
    core_state_init(state);
    core_world_require(core_apply_config(state, text, (size_t)length) == 0);
    state->term = state->index = 1;
    state->cluster.deadman_ms = (uint32_t)core_timing_deadman_ms(&world->timing);
    state->cluster.store_ms = world->timing.store_ms;
}

void core_world_make(struct core_world *world, size_t count, bool agents, uint32_t lease,
                     uint64_t seed)
{
    struct core_vote_map map = { 0 };
    struct core_state state;

    memset(world, 0, sizeof(*world));
    world->prng = hw_prng_seeded(seed);
    world->timing = draw_timing(&world->prng);
    world->count = count;
    world->fail_saves = 25;
    world->fail_agents = 30;
    make_state(world, agents, lease, &state);
    for (uint32_t id = 1; id <= count; id++)
        core_world_require(core_vote_map_set(&map, id, 1) == 0);
    for (uint32_t id = 1; id <= count; id++) {
        struct core_host *host = core_world_host(world, id);

        host->id = id;
        host->san = true;
        host->clock_ms = 1000 + (int64_t)hw_prng_below(&world->prng, 1000000);
        host->store.base = (struct core_position) { 1, 1 };
        host->store.base_hash = 77;
        host->store.promised = 1;
        host->store.map = map;
        core_world_require(core_state_copy(&state, &host->store.state) == 0);
    }
    core_state_free(&state);
}

void core_world_end(struct core_world *world)
{
    for (uint32_t id = 1; id <= world->count; id++) {
        struct core_host *host = core_world_host(world, id);

        core_world_power(world, id, false);
        core_world_packet_free(&host->last);
        core_state_free(&host->store.state);
        for (size_t i = 0; i < host->store.entries.count; i++)
            core_entry_free(&host->store.entries.items[i]);
        hw_vector_free(&host->store.entries);
        hw_vector_free(&host->processes);
        hw_vector_free(&host->stream);
        hw_vector_free(&host->inbox);
        free(host->feeds);
    }
    hw_vector_free(&world->hashes);
    hw_vector_free(&world->agents);
}

static bool together(const struct core_world *world, size_t left, size_t right)
{
    return world->hosts[left].up && world->hosts[right].up &&
           world->part[left] == world->part[right];
}

/* What is in flight where a view ends may be lost for some. */
static void end_view(struct core_world *world, struct core_host *host)
{
    if (!hw_prng_chance(&world->prng, 1, 2))
        return;
    for (size_t i = host->stream.count; i > 0; i--) {
        if (host->stream.items[i - 1].at_ms > world->now_ms &&
            host->stream.items[i - 1].what != CORE_PACKET_VIEW &&
            hw_prng_chance(&world->prng, 1, 3)) {
            core_world_packet_free(&host->stream.items[i - 1]);
            hw_vector_remove(&host->stream, i - 1);
        }
    }
}

/* A view for the part that `first` belongs to. */
static void make_view(struct core_world *world, size_t first)
{
    struct core_packet view;
    uint64_t votes = 0;

    memset(&view, 0, sizeof(view));
    view.what = CORE_PACKET_VIEW;
    view.view.ring_sequence = ++world->next_ring;
    for (size_t i = 0; i < world->count; i++) {
        if (!together(world, first, i))
            continue;
        view.ring[view.ring_count++] = world->hosts[i].id;
        votes++;
        if (world->hosts[i].core != NULL)
            view.members[view.count++] = world->hosts[i].id;
    }
    view.view.ring_node = world->hosts[first].id;
    view.quorate = 2 * votes > world->count;
    for (size_t i = 0; i < world->count; i++) {
        struct core_host *host = &world->hosts[i];
        struct core_packet copy = view;

        if (!together(world, first, i) || host->core == NULL)
            continue;
        end_view(world, host);
        host->view = view.view;
        copy.at_ms = world->now_ms;
        if (host->stream.count > 0)
            copy.at_ms = host->stream.items[host->stream.count - 1].at_ms;
        core_world_require(hw_vector_push(&host->stream, copy) == 0);
    }
}

/* A message that was queued before the ring changed goes out in the next one. */
static void send_late(struct core_world *world)
{
    for (size_t i = 0; i < world->count; i++) {
        struct core_host *host = &world->hosts[i];
        struct core_packet copy = host->last;

        if (host->core == NULL || host->last.bytes == NULL || !hw_prng_chance(&world->prng, 1, 3))
            continue;
        host->last.bytes = NULL;
        core_world_post(world, host, &copy);
    }
}

static void make_views(struct core_world *world)
{
    world->view_due_ms = 0;
    for (size_t first = 0; first < world->count; first++) {
        bool is_first = world->hosts[first].up;

        for (size_t i = 0; i < first; i++)
            is_first = is_first && !together(world, i, first);
        if (is_first)
            make_view(world, first);
    }
    send_late(world);
}

static void views_follow(struct core_world *world, uint64_t most_ms)
{
    world->view_due_ms =
        world->now_ms + 1 +
        (int64_t)hw_prng_below(&world->prng, most_ms / CORE_TICK_MS + 1) * CORE_TICK_MS;
}

void core_world_partition(struct core_world *world, const uint32_t part[CORE_NODES_MAX])
{
    memcpy(world->part, part, sizeof(world->part));
    views_follow(world, core_timing_view_ms(&world->timing) * 2);
}

static void stop_clusterd(struct core_host *host)
{
    core_free(host->core);
    host->core = NULL;
    memset(&host->view, 0, sizeof(host->view));
    core_world_store_free(host);
    for (size_t i = 0; i < host->stream.count; i++)
        core_world_packet_free(&host->stream.items[i]);
    for (size_t i = 0; i < host->inbox.count; i++)
        core_world_packet_free(&host->inbox.items[i]);
    host->stream.count = host->inbox.count = 0;
    core_world_packet_free(&host->last);
}

void core_world_clusterd(struct core_world *world, uint32_t id, bool on)
{
    struct core_host *host = core_world_host(world, id);

    if (!host->up || on == (host->core != NULL))
        return;
    if (on) {
        core_world_load(world, host);
        core_world_inventory(world, host);
        host->timer_ms = host->beat_ms = world->now_ms;
        host->hung_ms = 0;
    } else {
        stop_clusterd(host);
    }
    if (world->view_due_ms == 0)
        views_follow(world, CORE_TICK_MS);
}

void core_world_power(struct core_world *world, uint32_t id, bool on)
{
    struct core_host *host = core_world_host(world, id);

    if (host->up == on)
        return;
    if (on) {
        host->up = true;
        core_world_clusterd(world, id, true);
        views_follow(world, 5 * CORE_TICK_MS);
        return;
    }
    stop_clusterd(host);
    host->processes.count = 0;
    host->up = false;
    host->stalled_ms = host->hung_ms = 0;
    views_follow(world, core_timing_view_ms(&world->timing) * 2);
}

void core_world_command(struct core_world *world, uint32_t id, const struct core_order *order)
{
    struct core_host *host = core_world_host(world, id);
    struct core_event event;

    if (host->core == NULL || world->now_ms < host->stalled_ms || world->now_ms < host->hung_ms)
        return;
    memset(&event, 0, sizeof(event));
    event.type = CORE_EVENT_COMMAND;
    event.command.number = ++host->commands;
    event.command.order = order;
    core_world_event(world, host, &event);
}

struct core_host *core_world_leader(struct core_world *world)
{
    struct core_host *best = NULL;

    for (size_t i = 0; i < world->count; i++) {
        struct core_host *host = &world->hosts[i];

        if (host->core != NULL && core_log_leads(core_log_of(host->core)) &&
            core_is_current(host->core) &&
            (best == NULL || core_state_of(host->core)->term > core_state_of(best->core)->term))
            best = host;
    }
    return best;
}

/* Some are late; who has none of them left is told by the next leader's. */
void core_world_fence(struct core_world *world, const struct core_host *host, uint32_t node,
                      uint64_t order)
{
    const struct core_agent agent = {
        .node = node,
        .order = order,
        .by = host->id,
        .life = host->lives,
        .end_ms = world->now_ms + (int64_t)hw_prng_below(&world->prng, 200) * CORE_TICK_MS,
        .works = !hw_prng_chance(&world->prng, world->fail_agents, 100),
    };

    core_world_require(hw_vector_push(&world->agents, agent) == 0);
}

static void end_agent(struct core_world *world, const struct core_agent *agent)
{
    struct core_host *by = core_world_host(world, agent->by);
    struct core_event event;

    if (agent->works) {
        core_world_power(world, agent->node, false);
        world->fenced++;
    }
    if (by->core == NULL || by->lives != agent->life)
        return; /* nobody is there to be told */
    memset(&event, 0, sizeof(event));
    event.type = CORE_EVENT_FENCED;
    event.fenced.node = agent->node;
    event.fenced.order = agent->order;
    event.fenced.off = agent->works;
    core_world_event(world, by, &event);
}

static void end_agents(struct core_world *world)
{
    for (size_t i = world->agents.count; i > 0; i--) {
        const struct core_agent agent = world->agents.items[i - 1];
        const struct core_host *by = core_world_host(world, agent.by);

        if (world->now_ms < agent.end_ms || world->now_ms < by->stalled_ms ||
            world->now_ms < by->hung_ms)
            continue;
        hw_vector_remove(&world->agents, i - 1);
        end_agent(world, &agent);
    }
}

static void judge(struct core_world *world)
{
    for (uint32_t vm = 1; vm <= CORE_VMS; vm++) {
        if (core_world_executing(world, vm) > 1)
            core_world_break(world, 0, "executes twice: vm", vm);
    }
}

static void tick(struct core_world *world)
{
    size_t first = (size_t)hw_prng_below(&world->prng, world->count);

    world->now_ms += CORE_TICK_MS;
    if (world->view_due_ms != 0 && world->now_ms >= world->view_due_ms)
        make_views(world);
    end_agents(world);
    for (size_t i = 0; i < world->count; i++) {
        struct core_host *host = &world->hosts[(first + i) % world->count];

        if (!host->up || world->now_ms < host->stalled_ms)
            continue;
        if (host->core != NULL)
            core_world_dispatch(world, host);
        if (host->core != NULL && world->now_ms >= host->hung_ms)
            core_world_work(world, host);
        core_world_processes(world, host);
    }
    judge(world);
}

void core_world_run(struct core_world *world, int64_t ms)
{
    for (int64_t left = ms; left > 0 && world->broken[0] == '\0'; left -= CORE_TICK_MS)
        tick(world);
}
