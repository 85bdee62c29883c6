/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes, who of them has the LUN, and the disk's power: see the header. */
#include "config.h"

#include "tests/sim/saved_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEP_NS = 1000000 };

void saved_say(const struct saved_world *world, const char *format, ...)
{
    va_list list;

    if (!world->trace)
        return;
    printf("# %4u  ", world->steps);
    va_start(list, format);
    (void)vprintf(format, list);
    va_end(list);
    (void)putchar('\n');
}

void saved_break(struct saved_world *world, const char *format, ...)
{
    va_list list;

    if (world->broken[0] != '\0')
        return;
    va_start(list, format);
    (void)vsnprintf(world->broken, sizeof(world->broken), format, list);
    va_end(list);
    saved_say(world, "BROKEN: %s", world->broken);
}

void saved_world_make(struct saved_world *world, uint64_t seed, bool trace,
                      struct saved_stats *stats)
{
    *world = (struct saved_world) { .trace = trace, .stats = stats };
    world->prng = hw_prng_seeded(seed);
    world->disk = save_disk_new(save_guest_area_bytes(), hw_prng_next(&world->prng));
    world->disk->watch = saved_watch(world);
    world->disk->wild = true;
    if (posix_memalign((void **)&world->memory, 4096, SAVE_GUEST_BYTES) != 0)
        abort();
    for (unsigned i = 0; i < SAVED_NODES; i++) {
        world->processes[i].world = world;
        world->processes[i].node = (uint16_t)(i + 1);
    }
}

void saved_world_end(struct saved_world *world)
{
    for (unsigned i = 0; i < SAVED_NODES; i++)
        saved_kill(&world->processes[i]);
    save_disk_free(world->disk);
    free(world->memory);
}

/* Which sectors of what was not flushed stay: nothing, all, whole requests' pages, single ones,
 * headers only, all but headers. */
struct fate {
    const struct save_disk *disk;
    unsigned kind;
    uint64_t salt;
};

static struct fate any_fate(struct saved_world *world)
{
    return (struct fate) { world->disk, (unsigned)hw_prng_below(&world->prng, 6),
                           hw_prng_next(&world->prng) };
}

static bool stays(void *context, unsigned write, unsigned sector)
{
    const struct fate *fate = context;
    const bool header = fate->disk->writes[write].page % SAVED_SLOT_PAGES == 0 &&
                        fate->disk->writes[write].page <= SAVED_SLOT_PAGES;
    struct hw_prng prng = hw_prng_seeded(fate->salt + write * 8 + (fate->kind == 3 ? sector : 0));

    switch (fate->kind) {
    case 0:
        return false;
    case 1:
        return true;
    case 2:
    case 3:
        return hw_prng_chance(&prng, 1, 2);
    case 4:
        return header;
    default:
        return !header;
    }
}

void saved_power(struct saved_world *world)
{
    struct fate fate = any_fate(world);

    saved_say(world, "the disk's power goes: %u pages were not flushed",
              save_disk_unflushed(world->disk));
    save_disk_power(world->disk, stays, &fate);
    world->events++;
}

bool saved_runs(const struct saved_process *process)
{
    return process->number != 0 && process->guest != NULL && process->guest->running;
}

bool saved_is_stopped(const struct saved_process *process)
{
    if (process->number == 0 || process->over || saved_runs(process))
        return false;
    if (process->consumes && process->headers > 0) /* the answer may be on its way */
        return false;
    return process->guest == NULL || process->committed;
}

bool saved_is_frozen(const struct saved_process *process)
{
    if (process->number == 0 || process->over)
        return false;
    return process->target->frozen + (process->guest != NULL ? process->guest->frozen : 0) >
           process->frozen;
}

bool saved_has_saved(const struct saved_process *process)
{
    return process->guest != NULL && process->committed && !process->saving;
}

void saved_kill(struct saved_process *process)
{
    struct saved_world *world = process->world;

    if (process->number == 0)
        return;
    if (!process->over)
        saved_say(world, "n%u#%u dies", process->node, process->number);
    save_disk_forget(world->disk, process->holder);
    if (process->guest != NULL)
        vmm_save_free(process->guest->save);
    save_guest_free(process->guest);
    save_target_free(process->target);
    free(process->part);
    *process = (struct saved_process) { .world = world,
                                        .node = process->node,
                                        .owner_generation = process->owner_generation };
    if (world->owner == process)
        world->owner = NULL;
}

bool saved_step(struct saved_world *world)
{
    struct saved_process *process = world->owner;
    bool going = save_disk_step_of(world->disk, process->holder);
    struct save_guest *guest;

    saved_look(process);
    guest = process->guest;
    if (guest == NULL)
        return going;
    guest->now_ns += STEP_NS;
    if (guest->pausing && hw_prng_chance(&world->prng, 1, 4)) {
        save_guest_stop(guest);
        saved_look(process);
    }
    going = going || guest->pausing;
    if (guest->wake_ns == 0 || !process->saving)
        return going;
    if (!going && guest->wake_ns > guest->now_ns)
        guest->now_ns = guest->wake_ns;
    if (guest->now_ns >= guest->wake_ns) {
        guest->wake_ns = 0;
        vmm_save_wake(guest->save);
        saved_look(process);
    }
    return true;
}

/* The requests of a process that has lost the LUN fail. */
static void fail_requests(struct saved_process *process)
{
    while (save_disk_step_of(process->world->disk, process->holder))
        saved_look(process);
}

bool saved_give(struct saved_world *world, struct saved_process *process)
{
    struct saved_process *before = world->owner;
    struct fate fate = any_fate(world);

    if (process->holder != 0)
        fail_requests(process);
    if (process->over) {
        saved_kill(process);
        return false;
    }
    if (before != NULL && !saved_is_stopped(before)) {
        saved_kill(before);
        before = NULL;
    }
    process->holder = ++world->holders;
    process->user = (struct save_disk_user) { .disk = world->disk, .holder = process->holder };
    if (process->target != NULL)
        process->target->user.holder = process->holder;
    save_disk_give(world->disk, process->holder, stays, &fate);
    world->owner = process;
    world->events++;
    if (before == NULL)
        return true;
    saved_say(world, "the LUN goes from n%u#%u to n%u#%u", before->node, before->number,
              process->node, process->number);
    if (hw_prng_chance(&world->prng, 1, 2)) /* or it sleeps, and hears nothing of it yet */
        fail_requests(before);
    return true;
}

/* A process for a node that has none; one that is stopped has to give way. */
static struct saved_process *free_process(struct saved_world *world)
{
    unsigned at = (unsigned)hw_prng_below(&world->prng, SAVED_NODES);

    for (unsigned i = 0; i < SAVED_NODES; i++) {
        struct saved_process *process = &world->processes[(at + i) % SAVED_NODES];

        if (process->number == 0)
            return process;
    }
    if (world->owner == &world->processes[at])
        at = (at + 1) % SAVED_NODES;
    saved_kill(&world->processes[at]);
    return &world->processes[at];
}

struct saved_process *saved_start(struct saved_world *world, enum vmm_restore_mode mode)
{
    static const char *const names[] = { "restores",      "restores lazily", "starts cold",
                                         "starts afresh", "inspects",        "verifies" };
    struct saved_process *process = free_process(world);

    /* the server of the LUN may have lived on: same grant, another VMM */
    if (world->owner != NULL || process->owner_generation != world->owner_generation ||
        hw_prng_chance(&world->prng, 1, 2))
        process->owner_generation = world->owner_generation += 16;
    process->number = ++world->numbers;
    saved_say(world, "n%u#%u %s, grant %u", process->node, process->number, names[mode],
              process->owner_generation);
    (void)saved_give(world, process);
    process->target = save_target_new(world->disk, process->holder, process->node,
                                      process->owner_generation, mode);
    process->restarts = world->disk->restarts;
    process->over = save_target_start(process->target) < 0;
    return process;
}
