/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process of the world does with its guest: it takes it from the machine that restored it,
 * runs it, also while it is not all loaded, has it saved. What the machines told is looked at after
 * each request that ends.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/saved_world.h"

enum { BLOCKS = SAVE_GUEST_PAGES / 16, BLOCK_BYTES = 65536 };

/* Blocks that were loaded since the last look, and the bits that the storage server sees. */
static void look_at_blocks(struct saved_process *process)
{
    struct save_guest *guest = process->guest;

    if (process->target->options.mode != VMM_RESTORE_LAZY)
        return;
    for (uint64_t block = 0; block < BLOCKS; block++) {
        bool was = guest->unloaded[block];

        guest->unloaded[block] =
            vmm_restore_unloaded(process->target->restore, block, &guest->carried[block]);
        saved_judge_block(process, block, was);
        if (was && !guest->unloaded[block])
            for (unsigned page = 0; page < 16; page++)
                guest->data[block * 16 + page] =
                    vmm_save_scan_block(guest->memory + (block * 16 + page) * 4096, 1) != 0;
    }
}

/* The machine told that a guest may run. */
static void take_guest(struct saved_process *process)
{
    struct saved_world *world = process->world;
    struct save_target *target = process->target;
    uint64_t seed = hw_prng_next(&world->prng);

    if (target->options.mode == VMM_RESTORE_COLD || target->options.mode == VMM_RESTORE_DISCARD) {
        saved_say(world, "n%u#%u boots the guest", process->node, process->number);
        process->guest = save_guest_new(seed);
        process->guest->beats = world->beats;
        world->stats->cold++;
        return;
    }
    saved_say(world, "n%u#%u may run what it restored", process->node, process->number);
    saved_judge_ready(process);
    process->guest = save_guest_over(target->memory, target->beats, seed);
    for (uint64_t block = 0; block < BLOCKS; block++)
        process->guest->unloaded[block] =
            vmm_restore_unloaded(target->restore, block, &process->guest->carried[block]);
    for (unsigned page = 0; page < SAVE_GUEST_PAGES; page++)
        process->guest->data[page] =
            !process->guest->unloaded[page / 16] &&
            vmm_save_scan_block(target->memory + (size_t)page * 4096, 1) != 0;
    world->stats->restores++;
    world->stats->lazy += target->options.mode == VMM_RESTORE_LAZY;
}

/* The guest was stopped: what it holds, with the blocks that are not loaded as they were saved. */
static void complete_memory(struct saved_process *process)
{
    struct save_guest *guest = process->guest;

    for (uint64_t block = 0; block < BLOCKS; block++)
        if (guest->unloaded[block]) {
            memcpy(guest->stopped_memory + block * BLOCK_BYTES,
                   process->world->memory + block * BLOCK_BYTES, BLOCK_BYTES);
            process->world->stats->carried++;
        }
}

static void look_at_save(struct saved_process *process)
{
    struct save_guest *guest = process->guest;

    if (guest->pauses != process->pauses) {
        process->pauses = guest->pauses;
        complete_memory(process);
        saved_say(process->world, "n%u#%u has stopped its guest", process->node, process->number);
        saved_judge_pause(process);
    }
    if (!guest->ended)
        return;
    guest->ended = false;
    process->saving = false;
    saved_judge_outcome(process);
    process->over = guest->off || guest->outcome == VMM_SAVE_LOST;
}

/* The guest writes a page; of one that is not loaded it waits for it, or gives all of it back. */
static void touch(struct saved_process *process, unsigned page)
{
    struct save_guest *guest = process->guest;
    uint64_t block = page / 16;

    if (guest->unloaded[block] && hw_prng_chance(&process->world->prng, 1, 8)) {
        struct vmm_save_carried carried;

        vmm_restore_discarded(process->target->restore, block * 16, 16);
        if (vmm_restore_unloaded(process->target->restore, block, &carried))
            return; /* it is being read just now */
        guest->unloaded[block] = false;
        for (unsigned i = 0; i < 16; i++)
            save_guest_discard(guest, (unsigned)block * 16 + i);
    } else if (guest->unloaded[block]) {
        (void)vmm_restore_want(process->target->restore, block);
    } else if (hw_prng_chance(&process->world->prng, 1, 8)) {
        save_guest_discard(guest, page);
    } else {
        save_guest_write(guest, page, hw_prng_next(&process->world->prng));
    }
}

static void run(struct saved_process *process)
{
    struct saved_world *world = process->world;
    unsigned pages = (unsigned)hw_prng_below(&world->prng, 4);

    saved_judge_run(process);
    process->committed = process->consumes = false;
    world->beats = ++process->guest->beats;
    for (unsigned i = 0; i < pages; i++)
        touch(process,
              (unsigned)hw_prng_below(&world->prng,
                                      hw_prng_chance(&world->prng, 1, 4) ? SAVE_GUEST_PAGES : 80));
}

/* What did the machines tell since the last look? */
void saved_look(struct saved_process *process)
{
    struct save_target *target = process->target;

    if (target->running && process->guest == NULL)
        take_guest(process);
    if (target->ended && !target->running && !process->over) {
        process->over = true;
        saved_judge_refusal(process);
    }
    saved_judge_frozen(process);
    if (process->guest == NULL)
        return;
    look_at_blocks(process);
    look_at_save(process);
    if (process->guest->running && !saved_is_frozen(process))
        run(process);
}

void saved_save(struct saved_process *process, bool live)
{
    struct saved_world *world = process->world;
    struct save_guest *guest = process->guest;
    struct vmm_save_options options =
        save_guest_options(guest, process->node, process->owner_generation);
    struct vmm_save_memory memory = save_guest_memory(guest);
    struct vmm_save_guest callbacks = save_guest_callbacks(guest);
    struct vmm_save_queue queue;

    options.saved_s = ++world->saves;
    options.live = live;
    options.may_throttle = live;
    options.downtime_ms = 1 + (uint32_t)hw_prng_below(&world->prng, 20);
    options.budget_ms = 10 + (uint32_t)hw_prng_below(&world->prng, 200);
    guest->pause_waits = hw_prng_chance(&world->prng, 1, 4);
    guest->pause_rc = hw_prng_chance(&world->prng, 1, 16) ? -ETIMEDOUT : 0;
    if (hw_prng_chance(&world->prng, 1, 4))
        options.bandwidth_bytes_per_s = 50000000;
    queue = save_disk_queue(&process->user);
    vmm_save_free(guest->save);
    guest->save = NULL;
    guest->wake_ns = 0;
    free(process->part);
    process->part = calloc(1, (size_t)vmm_save_needed_bytes(SAVE_GUEST_BYTES, SAVE_GUEST_CPUS));
    if (process->part == NULL)
        abort();
    process->saving =
        vmm_save_start(&options, &memory, process->part, &queue, &callbacks, &guest->save) == 0;
    world->stats->saves++;
    saved_say(world, "n%u#%u saves its guest%s: save %u", process->node, process->number,
              live ? ", live" : "", (unsigned)options.saved_s);
}

void saved_go_on(struct saved_process *process, bool resume)
{
    struct save_guest *guest = process->guest;

    if (guest != NULL && guest->save != NULL && resume && vmm_save_resume(guest->save) == 0) {
        process->saving = true;
        saved_say(process->world, "n%u#%u is to go on with its guest", process->node,
                  process->number);
    }
    if (!saved_is_frozen(process))
        return;
    process->world->stats->frozen++;
    process->frozen = process->target->frozen + (guest != NULL ? guest->frozen : 0);
    saved_say(process->world, "n%u#%u tries again", process->node, process->number);
    if (guest != NULL && process->saving)
        vmm_save_retry(guest->save);
    vmm_restore_retry(process->target->restore);
    saved_look(process);
}
