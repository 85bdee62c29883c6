/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes of VMs on a host of core_world: what a clusterd orders takes a while and may fail; a
 * guest executes while the lease that it is armed with lives, by the host's own clock.
 */
#include <config.h>

#include "tests/sim/core_world.h"

#include <string.h>

enum { ANSWER_TICKS = 4 };

static struct core_process *find(struct core_host *host, uint32_t vm, uint32_t generation)
{
    for (size_t i = 0; i < host->processes.count; i++) {
        struct core_process *process = &host->processes.items[i];

        if (process->vm == vm && process->generation == generation)
            return process;
    }
    return NULL;
}

static void aim(struct core_world *world, struct core_process *process, uint32_t goal,
                uint64_t most_ticks)
{
    process->goal = goal;
    process->goal_ms =
        world->now_ms + (int64_t)hw_prng_below(&world->prng, most_ticks) * CORE_TICK_MS;
}

void core_world_order(struct core_world *world, struct core_host *host,
                      const struct core_action *action)
{
    struct core_process *process = find(host, action->vm, action->generation);

    if (action->type == CORE_ACTION_PREPARE) {
        core_world_require(process == NULL); /* each order is given once */
        core_world_require(
            hw_vector_push(
                &host->processes,
                (struct core_process) { .vm = action->vm, .generation = action->generation }) == 0);
        process = &host->processes.items[host->processes.count - 1];
        aim(world, process, CORE_RUN_PREPARED, 20);
        return;
    }
    core_world_require(process != NULL);
    switch (action->type) {
    case CORE_ACTION_CLAIM:
        aim(world, process, CORE_RUN_CLAIMED, 20);
        break;
    case CORE_ACTION_START:
        process->lease = action->lease;
        process->deadman_ms = action->deadman_ms;
        process->store_ms = action->store_ms;
        world->starts++;
        aim(world, process, CORE_RUN_RUNNING, 20);
        break;
    case CORE_ACTION_SAVE:
        process->stop = CORE_STOP_SAVED;
        aim(world, process,
            hw_prng_chance(&world->prng, world->fail_saves, 100) ? CORE_RUN_RUNNING
                                                                 : CORE_RUN_STOPPED,
            30);
        break;
    default: /* some do not die soon: their lease has to end them */
        process->stop = CORE_STOP_ORDERED;
        aim(world, process, CORE_RUN_STOPPED, hw_prng_chance(&world->prng, 1, 5) ? 300 : 10);
        break;
    }
}

static void tell(struct core_world *world, struct core_host *host,
                 const struct core_process *process, uint32_t seen)
{
    struct core_event event;

    if (host->core == NULL)
        return;
    memset(&event, 0, sizeof(event));
    event.type = CORE_EVENT_VM;
    event.vm.vm = process->vm;
    event.vm.generation = process->generation;
    event.vm.run = process->run;
    event.vm.stop = process->stop;
    event.vm.seen = seen;
    core_world_event(world, host, &event);
}

/* A compare-and-swap of the reservation; without the SAN it is tried again. */
static uint32_t claim(struct core_world *world, struct core_host *host,
                      struct core_process *process)
{
    uint32_t holder = world->holder[process->vm];

    if (!host->san) {
        aim(world, process, CORE_RUN_CLAIMED, 20);
        return 0;
    }
    if (holder > process->generation) { /* stale: undo and report */
        process->run = CORE_RUN_STOPPED;
        process->stop = CORE_STOP_FAILED;
        return holder;
    }
    world->holder[process->vm] = process->generation;
    process->run = CORE_RUN_CLAIMED;
    return 0;
}

static void reach(struct core_world *world, struct core_host *host, struct core_process *process)
{
    uint32_t seen = 0, before = process->run;

    process->goal_ms = 0;
    if (process->goal == CORE_RUN_CLAIMED)
        seen = claim(world, host, process);
    else
        process->run = process->goal;
    if (before == CORE_RUN_RUNNING && process->run == CORE_RUN_STOPPED &&
        process->stop == CORE_STOP_SAVED) {
        world->saved[process->vm] = true;
        world->saves++;
    }
    if (before != CORE_RUN_RUNNING && process->run == CORE_RUN_RUNNING) {
        world->restores += world->saved[process->vm];
        world->saved[process->vm] = false; /* consumed, whatever comes of it */
        if (hw_prng_chance(&world->prng, 1, 20)) {
            process->run = CORE_RUN_STOPPED;
            process->stop = CORE_STOP_FAILED;
        }
    }
    tell(world, host, process, seen);
}

/* What its clusterd's real-time thread feeds it with. */
static void feed(struct core_host *host, struct core_process *process)
{
    int64_t sent_ns;

    if (host->core != NULL && core_beat_feeds(&host->beats, process->vm, process->generation) &&
        core_beat_fed(&host->beats, &sent_ns) == 0 && sent_ns > process->fed_ns)
        process->fed_ns = sent_ns;
}

/* READ RESERVATION every T_check; the lease counts from when it was sent. */
static void confirm(struct core_world *world, struct core_host *host, struct core_process *process)
{
    int64_t now_ms = core_world_clock(world, host);

    if (process->asked_ms != 0 && now_ms >= process->answer_ms) {
        if (host->san && world->holder[process->vm] == process->generation)
            process->confirmed_ms = process->asked_ms;
        process->asked_ms = 0;
    }
    if (process->asked_ms == 0 &&
        now_ms >= process->confirmed_ms + (int64_t)world->timing.check_ms) {
        process->asked_ms = now_ms;
        process->answer_ms =
            now_ms + (int64_t)hw_prng_below(&world->prng, ANSWER_TICKS) * CORE_TICK_MS;
    }
}

static bool lease_lives(const struct core_world *world, const struct core_host *host,
                        const struct core_process *process)
{
    int64_t now_ms = core_world_clock(world, host);

    if (process->lease == CORE_LEASE_STORAGE)
        return process->confirmed_ms != 0 &&
               now_ms < process->confirmed_ms + (int64_t)process->store_ms;
    return process->fed_ns != 0 &&
           now_ms < process->fed_ns / 1000000 + (int64_t)process->deadman_ms;
}

void core_world_processes(struct core_world *world, struct core_host *host)
{
    for (size_t i = host->processes.count; i > 0; i--) {
        struct core_process *process = &host->processes.items[i - 1];

        if (process->goal_ms != 0 && world->now_ms >= process->goal_ms &&
            world->now_ms >= host->hung_ms)
            reach(world, host, process);
        feed(host, process);
        if (process->run >= CORE_RUN_CLAIMED)
            confirm(world, host, process);
        process->executes = process->run == CORE_RUN_RUNNING && lease_lives(world, host, process);
        if (process->run == CORE_RUN_STOPPED)
            hw_vector_remove(&host->processes, i - 1);
    }
}

/* A new clusterd finds what runs, and ends what was only being made. */
void core_world_inventory(struct core_world *world, struct core_host *host)
{
    for (size_t i = host->processes.count; i > 0; i--) {
        struct core_process *process = &host->processes.items[i - 1];

        if (process->run != CORE_RUN_RUNNING) {
            hw_vector_remove(&host->processes, i - 1);
            continue;
        }
        process->goal_ms = 0;
        tell(world, host, process, 0);
    }
}

size_t core_world_executing(const struct core_world *world, uint32_t vm)
{
    size_t executing = 0;

    for (size_t h = 0; h < world->count; h++) {
        const struct core_host *host = &world->hosts[h];

        for (size_t i = 0; host->up && i < host->processes.count; i++) {
            executing += host->processes.items[i].vm == vm && host->processes.items[i].executes &&
                         world->now_ms >= host->stalled_ms;
        }
    }
    return executing;
}

void core_world_guest(struct core_world *world, uint32_t vm, enum core_stop stop)
{
    for (size_t h = 0; h < world->count; h++) {
        struct core_host *host = &world->hosts[h];

        for (size_t i = 0; i < host->processes.count; i++) {
            struct core_process *process = &host->processes.items[i];

            if (process->vm != vm || !process->executes || host->core == NULL)
                continue;
            process->stop = stop;
            aim(world, process, CORE_RUN_STOPPED, 1);
        }
    }
}
