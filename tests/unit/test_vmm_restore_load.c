/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_restore_load: lazy restore. The guest may run when delta area and devices are
 * loaded; who waits comes first; a block is told only when it is right; damaged blocks freeze it
 * with the place; discarded blocks; a save before all is loaded.
 */
#include <config.h>

#include "tests/sim/save_target.h"
#include "tests/unit/save_case.h"
#include "tests/unit/unit.h"
#include "vmm-core/save/vmm_restore.h"

#include <errno.h>

static struct save_case saved_case(uint64_t seed)
{
    struct save_case scene = save_case_new(seed);

    scene.options.live = true;
    scene.run_pages = 6;
    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    save_case_check_saved(&scene);
    return scene;
}

/* Until the guest may run. */
static void run_to_ready(struct save_target *target)
{
    CU_ASSERT_EQUAL(save_target_start(target), 0);
    while (!target->running && save_disk_step(target->user.disk))
        ;
    CU_ASSERT_TRUE(target->running);
}

static bool is_populated(const struct save_target *target, uint64_t block)
{
    return (target->populated[block / 64] >> block % 64 & 1) != 0;
}

static bool block_is_right(const struct save_case *scene, const struct save_target *target,
                           uint64_t block)
{
    return memcmp(target->memory + block * 65536, scene->guest->stopped_memory + block * 65536,
                  65536) == 0;
}

static void runs_before_it_is_loaded(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct save_case scene = saved_case(seed);
        struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);
        struct vmm_restore_progress progress;

        run_to_ready(target);
        CU_ASSERT_EQUAL(target->beats, scene.guest->stopped_beats);
        CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
        vmm_restore_progress(target->restore, &progress);
        CU_ASSERT_TRUE(progress.blocks_left > 0 && !target->ended);
        while (!target->ended) {
            CU_ASSERT_TRUE(save_disk_step(scene.disk));
            for (uint64_t block = 0; block < SAVE_TARGET_BLOCKS; block++)
                if (is_populated(target, block))
                    CU_ASSERT_TRUE(block_is_right(&scene, target, block));
        }
        CU_ASSERT_EQUAL(target->rc, 0);
        for (uint64_t block = 0; block < SAVE_TARGET_BLOCKS; block++)
            CU_ASSERT_TRUE(is_populated(target, block) && block_is_right(&scene, target, block));
        save_target_free(target);
        save_case_free(&scene);
    }
}

static void serves_who_waits_first(void)
{
    struct save_case scene = saved_case(20);
    struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);
    const uint64_t far = SAVE_TARGET_BLOCKS - 2;
    unsigned before;

    scene.disk->in_order = true;
    run_to_ready(target);
    before = target->blocks;
    CU_ASSERT_FALSE(vmm_restore_want(target->restore, far));
    CU_ASSERT_FALSE(vmm_restore_want(target->restore, far)); /* asked twice */
    while (!is_populated(target, far))
        CU_ASSERT_TRUE(save_disk_step(scene.disk));
    /* no more than the background had under way came before: half the queue, 4 blocks each */
    CU_ASSERT_TRUE(target->blocks - before <= 9);
    CU_ASSERT_TRUE(vmm_restore_want(target->restore, far));
    CU_ASSERT_TRUE(vmm_restore_want(target->restore, UINT64_MAX));
    save_target_finish(target);
    CU_ASSERT_TRUE(target->ended && target->rc == 0);
    save_target_free(target);
    save_case_free(&scene);
}

/* A page of a block that is at home and not in the delta area; its place on the disk. */
static uint64_t home_place(struct save_target *target, uint64_t *ret_block)
{
    for (uint64_t block = SAVE_TARGET_BLOCKS; block-- > 0;) {
        struct vmm_save_carried carried;
        struct vmm_save_geometry geometry;
        uint16_t pages;

        if (!vmm_restore_unloaded(target->restore, block, &carried))
            continue;
        pages = (uint16_t)(carried.nonzero & ~carried.delta);
        if (pages == 0)
            continue;
        *ret_block = block;
        CU_ASSERT_EQUAL(vmm_save_geometry_plan(SAVE_GUEST_BYTES, 1, UINT64_MAX, &geometry), 0);
        return vmm_save_home_offset(&geometry, block * 16 + (unsigned)__builtin_ctz(pages));
    }
    CU_FAIL_FATAL("no block is left");
    return 0;
}

static void freezes_for_a_damaged_block(void)
{
    struct save_case scene = saved_case(21);
    struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);
    uint64_t block = 0, place;

    run_to_ready(target);
    place = home_place(target, &block);
    save_disk_flip(scene.disk, place + 99, 5);
    save_target_finish(target);
    CU_ASSERT_FALSE(target->ended);
    CU_ASSERT_EQUAL(target->frozen, 1);
    CU_ASSERT_EQUAL(target->rc, -EBADMSG);
    CU_ASSERT_TRUE(target->fault.part == VMM_RESTORE_PART_MEMORY && target->fault.number == block);
    for (uint64_t other = 0; other < SAVE_TARGET_BLOCKS; other++)
        CU_ASSERT_EQUAL(is_populated(target, other), other != block);
    vmm_restore_retry(target->restore); /* still damaged */
    save_target_finish(target);
    CU_ASSERT_TRUE(target->frozen == 2 && !target->ended);
    save_disk_flip(scene.disk, place + 99, 5);
    vmm_restore_retry(target->restore);
    save_target_finish(target);
    CU_ASSERT_TRUE(target->ended && target->rc == 0);
    CU_ASSERT_EQUAL(memcmp(target->memory, scene.guest->stopped_memory, SAVE_GUEST_BYTES), 0);
    save_target_free(target);
    save_case_free(&scene);
}

/* One bad answer is no damage: the block is read again. */
static void reads_once_more(void)
{
    struct save_case scene = saved_case(22);
    struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);

    run_to_ready(target);
    scene.disk->fail_op = scene.disk->ops + 1;
    (void)save_disk_step(scene.disk);
    save_target_finish(target);
    CU_ASSERT_TRUE(target->ended && target->rc == 0 && target->frozen == 0);
    CU_ASSERT_EQUAL(memcmp(target->memory, scene.guest->stopped_memory, SAVE_GUEST_BYTES), 0);
    save_target_free(target);
    save_case_free(&scene);
}

static void survives_silence(void)
{
    struct save_case scene = saved_case(23);
    struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);

    run_to_ready(target);
    scene.disk->down = true;
    save_target_finish(target);
    CU_ASSERT_TRUE(!target->ended && target->frozen > 0);
    scene.disk->down = false;
    vmm_restore_retry(target->restore);
    save_target_finish(target);
    CU_ASSERT_TRUE(target->ended && target->rc == 0);
    CU_ASSERT_EQUAL(memcmp(target->memory, scene.guest->stopped_memory, SAVE_GUEST_BYTES), 0);
    save_target_free(target);
    save_case_free(&scene);
}

static void discarded_blocks_are_there(void)
{
    struct save_case scene = saved_case(24);
    struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);
    uint64_t block = 0;
    unsigned told;

    run_to_ready(target);
    (void)home_place(target, &block);
    /* all of the block but a page, then all of it */
    vmm_restore_discarded(target->restore, block * 16 + 1, 31);
    CU_ASSERT_FALSE(is_populated(target, block));
    vmm_restore_discarded(target->restore, block * 16 - 1, 18);
    CU_ASSERT_TRUE(is_populated(target, block));
    told = target->blocks;
    save_target_finish(target);
    CU_ASSERT_TRUE(target->ended && target->rc == 0);
    for (unsigned i = told; i < target->blocks; i++)
        CU_ASSERT_NOT_EQUAL(target->block_order[i], block);
    save_target_free(target);
    save_case_free(&scene);
}

/* The restored guest is saved again before all is loaded, and restored by a third. */
static void is_saved_before_it_is_loaded(void)
{
    for (unsigned steps = 0; steps < 12; steps++) {
        struct save_case scene = saved_case(25 + steps);
        struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);
        struct save_target *third;
        struct save_guest *guest = scene.guest;
        uint8_t *original = malloc(SAVE_GUEST_BYTES); /* it does not run on, so this is restored */

        memcpy(original, guest->stopped_memory, SAVE_GUEST_BYTES);
        run_to_ready(target);
        for (unsigned i = 0; i < steps; i++)
            (void)save_disk_step(scene.disk);
        /* the guest of the second host: its memory, what is there of it */
        memcpy(guest->memory, target->memory, SAVE_GUEST_BYTES);
        for (uint64_t block = 0; block < SAVE_TARGET_BLOCKS; block++) {
            guest->unloaded[block] =
                vmm_restore_unloaded(target->restore, block, &guest->carried[block]);
            for (unsigned i = 0; i < 16; i++)
                guest->data[block * 16 + i] =
                    vmm_save_scan_block(guest->memory + (block * 16 + i) * 4096, 1) != 0;
        }
        save_disk_forget(scene.disk, 0); /* the loader of the second host ends */
        guest->running = true;
        scene.options.live = steps % 2 == 0;
        scene.options.node = 2;
        scene.options.owner_generation = 32;
        scene.run_pages = 0;
        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        save_case_finish(&scene);
        CU_ASSERT_TRUE(guest->ended && guest->outcome == VMM_SAVE_SAVED);
        third = save_target_run(scene.disk, 0, 3, 48, VMM_RESTORE_EAGER);
        CU_ASSERT_TRUE(third->running && third->rc == 0);
        CU_ASSERT_EQUAL(memcmp(third->memory, original, SAVE_GUEST_BYTES), 0);
        free(original);
        save_target_free(third);
        save_target_free(target);
        save_case_free(&scene);
    }
}

const struct unit_case unit_cases[] = {
    { "runs before it is loaded", runs_before_it_is_loaded },
    { "who waits comes first", serves_who_waits_first },
    { "a damaged block freezes it", freezes_for_a_damaged_block },
    { "one bad answer is no damage", reads_once_more },
    { "the storage is silent for a while", survives_silence },
    { "what was discarded is there", discarded_blocks_are_there },
    { "saved before it is loaded", is_saved_before_it_is_loaded },
    { 0 },
};
