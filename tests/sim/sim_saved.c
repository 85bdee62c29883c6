/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random schedules over the saved state of a VM: it is saved, live and stopped, restored eagerly
 * and lazily elsewhere, resumed, discarded, started cold, by processes that die, stall and lose the
 * LUN at any request, over a disk whose power fails, that refuses requests or loses answers. The
 * oracle is saved_oracle.c's. After each schedule the faults end, and the guest must run again, be
 * saved and restored once more.
 *   sim_saved             SEEDS schedules (environment; default a quick share), as TAP
 *   sim_saved --seed N    one schedule, traced
 *   sim_saved --hunt      schedules until one is unsafe, for mutants
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/saved_world.h"
#include "tests/sim/sim_schedules.h"

enum { QUICK_SEEDS = 1000, STEPS = 250, CALM_STEPS = 4000, CALM_STARTS = 8 };

/* What goes wrong in a schedule. */
enum {
    KILLS = 1,
    POWER = 2,
    REFUSALS = 4,
    LOST_ANSWERS = 8,
    OUTAGES = 16,
    TAKES = 32,
    UNREADABLE = 64,
    DAMAGE = 128,
    REJECTIONS = 256,
    ORDERS = 512, /* cancel, power off */
    TROUBLES = 10,
};

struct schedule {
    struct saved_world world;
    unsigned troubles;
    bool cold;    /* the last restore was refused: what follows starts cold */
    bool discard; /* since the state is damaged: it has to be given up */
};

static bool chance(struct schedule *schedule, unsigned of)
{
    return hw_prng_chance(&schedule->world.prng, 1, of);
}

static void flip(struct saved_world *world)
{
    uint64_t pages = save_guest_area_bytes() / SAVE_DISK_PAGE_BYTES;
    uint64_t page = hw_prng_below(&world->prng, pages);

    for (unsigned i = 0; i < 64 && world->disk->safe[page] == NULL; i++)
        page = hw_prng_below(&world->prng, pages);
    saved_say(world, "a bit of page %u of the disk flips", (unsigned)page);
    save_disk_flip(world->disk,
                   page * SAVE_DISK_PAGE_BYTES + hw_prng_below(&world->prng, SAVE_DISK_PAGE_BYTES),
                   (unsigned)hw_prng_below(&world->prng, 8));
}

/* One place of the disk is damaged; not another one before that was written again. */
static void damage(struct saved_world *world)
{
    unsigned slot = (unsigned)hw_prng_below(&world->prng, STO_SAVED_SLOTS);

    if (world->damaged)
        return;
    world->damaged = true;
    world->damaged_at = world->saves;
    world->events++;
    world->promised = 0;
    if (hw_prng_chance(&world->prng, 1, 3)) {
        flip(world);
    } else if (hw_prng_chance(&world->prng, 1, 2)) {
        saved_say(world, "slot %c is wiped", 'A' + (int)slot);
        save_disk_wipe(world->disk, (uint64_t)slot * SAVED_SLOT_PAGES);
    } else {
        saved_say(world, "a bit of slot %c flips", 'A' + (int)slot);
        save_disk_flip(world->disk,
                       (uint64_t)slot * STO_STATE_HEADER_BYTES +
                           hw_prng_below(&world->prng, STO_SAVED_BYTES),
                       1);
    }
}

static void order(struct saved_process *process, bool off)
{
    if (!process->saving)
        return;
    saved_say(process->world, "n%u#%u: %s", process->node, process->number,
              off ? "the guest powers itself off" : "the save is cancelled");
    if (off && process->guest->running) {
        process->guest->running = false;
        process->guest->off = true;
        vmm_save_power_off(process->guest->save);
    } else {
        vmm_save_cancel(process->guest->save, 0);
    }
    saved_look(process);
}

/* The LUN goes to somebody who is stopped and had it before. False: there is nobody. */
static bool give_back(struct schedule *schedule)
{
    struct saved_world *world = &schedule->world;
    unsigned at = (unsigned)hw_prng_below(&world->prng, SAVED_NODES);

    for (unsigned i = 0; i < SAVED_NODES; i++) {
        struct saved_process *process = &world->processes[(at + i) % SAVED_NODES];

        if (process == world->owner || !saved_is_stopped(process))
            continue;
        saved_say(world, "n%u#%u gets the LUN back", process->node, process->number);
        if (saved_give(world, process))
            saved_go_on(process, true);
        return true;
    }
    return false;
}

static enum vmm_restore_mode any_mode(struct schedule *schedule)
{
    uint64_t what = hw_prng_below(&schedule->world.prng, 100);

    if (schedule->troubles == 0)
        return schedule->discard ? VMM_RESTORE_DISCARD
               : schedule->cold  ? VMM_RESTORE_COLD
                                 : VMM_RESTORE_EAGER;
    if (schedule->cold && what < 90)
        return VMM_RESTORE_COLD;
    if (what < 45)
        return VMM_RESTORE_EAGER;
    if (what < 80)
        return VMM_RESTORE_LAZY;
    if (what < 88)
        return VMM_RESTORE_COLD;
    if (what < 93)
        return VMM_RESTORE_DISCARD;
    return what < 97 ? VMM_RESTORE_VERIFY : VMM_RESTORE_INSPECT;
}

/* What an administrator does who reads what the last start was refused for. */
static void note_refusal(struct schedule *schedule, int rc)
{
    schedule->discard = rc == -EBADMSG && schedule->world.damaged;
    schedule->cold = rc < 0 && rc != -EBUSY;
}

static void next_owner(struct schedule *schedule)
{
    struct saved_world *world = &schedule->world;

    if (world->owner != NULL && world->owner->over) {
        note_refusal(schedule, world->owner->target->rc);
        saved_kill(world->owner);
    }
    if (schedule->troubles != 0 && chance(schedule, 3) && give_back(schedule))
        return;
    (void)saved_start(world, any_mode(schedule));
    schedule->cold = schedule->discard = false;
}

static void trouble(struct schedule *schedule, unsigned which)
{
    struct saved_world *world = &schedule->world;
    struct save_disk *disk = world->disk;

    world->stats->troubles++;
    switch (which) {
    case KILLS:
        saved_kill(world->owner);
        break;
    case POWER:
        saved_power(world);
        break;
    case REJECTIONS:
        saved_say(world, "one of the next requests will not be taken");
        disk->reject_op = disk->ops + 1 + hw_prng_below(&world->prng, 3);
        break;
    case REFUSALS:
        saved_say(world, "one of the next requests will be refused");
        disk->fail_op = disk->ops + 1 + hw_prng_below(&world->prng, 3);
        break;
    case LOST_ANSWERS:
        saved_say(world, "one of the next requests will be carried out, and fail");
        disk->lose_op = disk->ops + 1 + hw_prng_below(&world->prng, 3);
        break;
    case OUTAGES:
        saved_say(world, "the storage %s", disk->down ? "answers again" : "fails every request");
        disk->down = !disk->down;
        break;
    case TAKES:
        if (!give_back(schedule))
            (void)saved_start(world, any_mode(schedule));
        break;
    case UNREADABLE:
        disk->unreadable = chance(schedule, 2)   ? UINT64_MAX
                           : chance(schedule, 2) ? SAVED_SLOT_PAGES
                                                 : 0;
        saved_say(world, "slots that cannot be read: %s",
                  disk->unreadable == UINT64_MAX ? "none"
                  : disk->unreadable == 0        ? "A"
                                                 : "B");
        break;
    case DAMAGE:
        damage(world);
        break;
    default:
        order(world->owner, chance(schedule, 3));
    }
}

static void any_trouble(struct schedule *schedule)
{
    unsigned which = 0;

    while ((schedule->troubles & which) == 0)
        which = 1u << hw_prng_below(&schedule->world.prng, TROUBLES);
    trouble(schedule, which);
    if (schedule->world.owner == NULL && (schedule->troubles & POWER) != 0 && chance(schedule, 2))
        saved_power(&schedule->world); /* both at once */
}

/* The owner waits for nothing: what is it to do? */
static void idle(struct schedule *schedule)
{
    struct saved_world *world = &schedule->world;
    struct saved_process *owner = world->owner;

    if (saved_is_frozen(owner)) {
        if (schedule->troubles != 0 && chance(schedule, 8))
            saved_kill(owner);
        else if (schedule->troubles != 0 && chance(schedule, 3))
            (void)saved_start(world, any_mode(schedule));
        else if (!world->disk->down || chance(schedule, 4))
            saved_go_on(owner, false);
        if (schedule->troubles != 0 && chance(schedule, 2))
            world->disk->down = false;
    } else if (saved_has_saved(owner)) {
        if (schedule->troubles != 0 && chance(schedule, 6))
            saved_go_on(owner, true);
        else
            (void)saved_start(world, any_mode(schedule));
    } else if (saved_runs(owner) && !owner->saving) {
        saved_save(owner, chance(schedule, 2));
    }
}

/* One in so many requests is in for trouble: those are worth it that decide who runs. */
static unsigned rest_of(const struct saved_process *process)
{
    if (process->headers == 0)
        return 40;
    return process->claimed != 0 && process->guest == NULL ? 6 : 10;
}

static void step(struct schedule *schedule)
{
    struct saved_world *world = &schedule->world;
    const struct saved_process *owner = world->owner;

    world->steps++;
    if (owner == NULL || owner->over) {
        next_owner(schedule);
        return;
    }
    if (schedule->troubles != 0 && chance(schedule, rest_of(owner)))
        any_trouble(schedule);
    else if (saved_runs(owner) && !owner->saving && chance(schedule, 8))
        saved_save(world->owner, chance(schedule, 2)); /* while it is still being loaded, too */
    else if (!saved_step(world))
        idle(schedule);
}

/* A fault from before has frozen it while it loads on, or what it needs is damaged. */
static void thaw(struct saved_process *process, unsigned waits)
{
    if (waits % 64 == 0)
        saved_kill(process); /* it had its chances to go on */
    else if (waits % 16 == 0)
        saved_go_on(process, false);
}

/* Steps without troubles until the owner's guest runs and nothing is being saved. */
static bool settle(struct schedule *schedule, unsigned starts)
{
    struct saved_world *world = &schedule->world;

    for (unsigned i = 0, frozen = 0, last = world->numbers + starts; i < CALM_STEPS; i++) {
        struct saved_process *owner = world->owner;

        if (world->broken[0] != '\0')
            return false;
        if (owner != NULL && saved_runs(owner) && !owner->saving && !saved_is_frozen(owner))
            return true;
        if (owner != NULL && saved_is_frozen(owner))
            thaw(owner, ++frozen);
        step(schedule);
        if (world->numbers > last)
            break;
    }
    if (world->broken[0] == '\0')
        saved_break(world, "stuck: after the faults nobody runs the guest");
    return false;
}

/* The faults end: the guest runs on, or again; it is saved, and restored elsewhere. */
static void calm(struct schedule *schedule)
{
    struct saved_world *world = &schedule->world;
    uint64_t restores;

    saved_say(world, "the faults end");
    schedule->troubles = 0;
    schedule->cold = schedule->discard = false;
    world->disk->down = false;
    world->disk->unreadable = UINT64_MAX;
    world->disk->reject_op = world->disk->fail_op = world->disk->lose_op = 0;
    if (!settle(schedule, CALM_STARTS))
        return;
    restores = world->stats->restores;
    saved_save(world->owner, false);
    world->owner->guest->pause_rc = 0;
    if (settle(schedule, CALM_STARTS) && world->stats->restores == restores && !world->damaged)
        saved_break(world, "stuck: after the faults the guest cannot be saved");
}

static bool run_schedule(uint64_t seed, bool trace, bool end_calm, void *context)
{
    struct saved_stats *stats = context;
    struct schedule schedule = { .troubles = 0 };
    struct saved_world *world = &schedule.world;
    bool good;

    saved_world_make(world, seed, trace, stats);
    schedule.troubles = (unsigned)hw_prng_next(&world->prng) &
                        (unsigned)hw_prng_next(&world->prng) & ((1u << TROUBLES) - 1);
    schedule.troubles |= schedule.troubles == 0 ? KILLS | TAKES : 0;
    schedule.cold = true;
    for (unsigned i = 0; i < STEPS && world->broken[0] == '\0'; i++)
        step(&schedule);
    if (end_calm && world->broken[0] == '\0')
        calm(&schedule);
    good = world->broken[0] == '\0';
    if (!good)
        printf("# seed %" PRIu64 ": %s\n", seed, world->broken);
    saved_world_end(world);
    return good;
}

static void sum(const void *context)
{
    const struct saved_stats *stats = context;

    printf(", %" PRIu64 " faults\n# %" PRIu64 " saves, %" PRIu64 " restores (%" PRIu64
           " lazy, %" PRIu64 " blocks saved before they were loaded), %" PRIu64 " resumed, %" PRIu64
           " cold starts, %" PRIu64 " refusals, %" PRIu64 " lost, %" PRIu64 " frozen\n",
           stats->troubles, stats->saves, stats->restores, stats->lazy, stats->carried,
           stats->resumed, stats->cold, stats->refused, stats->lost, stats->frozen);
}

int main(int argc, char **argv)
{
    struct saved_stats stats = { 0 };
    const struct sim sim = { .name = "the saved state",
                             .quick_seeds = QUICK_SEEDS,
                             .hunt_seeds = QUICK_SEEDS,
                             .hunt_calm = true,
                             .schedule = run_schedule,
                             .sum = sum,
                             .totals = &stats };

    /* guests' memory is used again and again, the machines' sparse parts come fresh and zero */
    (void)mallopt(M_MMAP_THRESHOLD, SAVE_GUEST_BYTES + (64 << 10));
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    return sim_main(&sim, argc, argv);
}
