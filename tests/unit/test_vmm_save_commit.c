/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save_commit: each request fails or its answer is lost, the target restarts
 * before each, the storage is gone when COMMITTED was attempted; what was saved is resumed, unless
 * somebody took it.
 */
#include <config.h>

#include "tests/unit/save_case.h"
#include "tests/unit/unit.h"

#include <errno.h>

/* Each request in turn fails, with or without effect. */
static void survives_failed_requests(void)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        unsigned frozen = 0;

        for (uint64_t at = 1;; at++) {
            struct save_case scene = save_case_new(8);

            scene.options.live = kind < 2;
            scene.run_pages = 3;
            *(kind % 2 == 0 ? &scene.disk->fail_op : &scene.disk->lose_op) = at;
            CU_ASSERT_EQUAL(save_case_start(&scene), 0);
            save_case_finish(&scene);
            if (!scene.guest->ended) { /* the outcome of COMMITTED is not known */
                CU_ASSERT_TRUE(scene.guest->frozen == 1 && !scene.guest->running);
                frozen++;
                vmm_save_retry(scene.guest->save);
                save_case_finish(&scene);
                CU_ASSERT_TRUE(scene.guest->ended);
            }
            if (scene.guest->outcome == VMM_SAVE_SAVED)
                save_case_check_saved(&scene);
            else
                CU_ASSERT_TRUE(scene.guest->running &&
                               save_case_verdict(&scene) == STO_SAVED_CLEAN);
            if (scene.disk->ops < at) {
                save_case_free(&scene);
                break;
            }
            save_case_free(&scene);
        }
        CU_ASSERT_TRUE(frozen >= 2);
    }
}

/* The target restarts before each request in turn and loses what was not flushed. */
static void survives_target_restarts(void)
{
    for (unsigned live = 0; live < 2; live++) {
        unsigned started_over = 0;

        for (uint64_t at = 1;; at++) {
            struct save_case scene = save_case_new(9);
            struct vmm_save_progress progress;

            scene.options.live = live != 0;
            scene.run_pages = 3;
            scene.disk->restart_op = at;
            CU_ASSERT_EQUAL(save_case_start(&scene), 0);
            save_case_finish(&scene);
            save_case_check_saved(&scene);
            vmm_save_progress(scene.guest->save, &progress);
            started_over += progress.restarts;
            if (scene.disk->ops < at) {
                save_case_free(&scene);
                break;
            }
            save_case_free(&scene);
        }
        CU_ASSERT_TRUE(started_over > 4);
    }
}

static void stays_frozen_until_it_knows(void)
{
    struct save_case scene = save_case_new(10);

    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    while (scene.disk->flushes_done < 2 && save_case_step(&scene))
        ;
    scene.disk->down = true;
    save_case_finish(&scene);
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_TRUE(!scene.guest->ended && !scene.guest->running);
        CU_ASSERT_EQUAL(scene.guest->frozen, i + 1);
        vmm_save_retry(scene.guest->save);
        save_case_finish(&scene);
    }
    scene.disk->down = false;
    vmm_save_retry(scene.guest->save);
    save_case_finish(&scene); /* the header is not there: it resumes */
    CU_ASSERT_TRUE(scene.guest->ended && scene.guest->outcome == VMM_SAVE_RESUMED);
    CU_ASSERT_TRUE(scene.guest->running && save_case_verdict(&scene) == STO_SAVED_CLEAN);
    save_case_free(&scene);
}

static void resumes_what_was_saved(void)
{
    const struct {
        enum sto_saved_state states[3];
        unsigned count;
        enum vmm_save_outcome outcome;
    } rows[] = {
        { { STO_SAVED_EMPTY }, 0, VMM_SAVE_RESUMED },
        { { STO_SAVED_CLAIMED }, 1, VMM_SAVE_RESUMED },
        { { STO_SAVED_CLAIMED, STO_SAVED_CONSUMED }, 2, VMM_SAVE_LOST },
        { { STO_SAVED_CLAIMED, STO_SAVED_CONSUMED, STO_SAVED_CONSUMED }, 3, VMM_SAVE_LOST },
        { { STO_SAVED_CONSUMED, STO_SAVED_CONSUMED, STO_SAVED_WRITING }, 3, VMM_SAVE_LOST },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct save_case scene = save_case_new(11);

        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        CU_ASSERT_EQUAL(vmm_save_resume(scene.guest->save), -EINVAL);
        save_case_finish(&scene);
        save_case_check_saved(&scene);
        for (unsigned j = 0; j < rows[i].count; j++)
            save_case_write_as(&scene, rows[i].states[j], 2);
        scene.guest->ended = false;
        CU_ASSERT_EQUAL(vmm_save_resume(scene.guest->save), 0);
        CU_ASSERT_FALSE(scene.guest->running);
        save_case_finish(&scene);
        CU_ASSERT_TRUE(scene.guest->ended && scene.guest->outcome == rows[i].outcome);
        CU_ASSERT_EQUAL(scene.guest->running, rows[i].outcome == VMM_SAVE_RESUMED);
        if (scene.guest->running)
            CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
        save_case_free(&scene);
    }
}

/* The state was restored elsewhere, ran, was saved again, and that was claimed. */
static void does_not_resume_for_another_claim(void)
{
    static const enum sto_saved_state others[] = { STO_SAVED_CLAIMED,   STO_SAVED_CONSUMED,
                                                   STO_SAVED_CONSUMED,  STO_SAVED_WRITING,
                                                   STO_SAVED_COMMITTED, STO_SAVED_CLAIMED };

    for (unsigned count = 4; count <= 6; count++) {
        struct save_case scene = save_case_new(13);

        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        save_case_finish(&scene);
        save_case_check_saved(&scene);
        for (unsigned i = 0; i < count; i++)
            save_case_write_of(&scene, others[i], 2, i == 4);
        scene.guest->ended = false;
        CU_ASSERT_EQUAL(vmm_save_resume(scene.guest->save), 0);
        save_case_finish(&scene);
        CU_ASSERT_TRUE(scene.guest->ended && scene.guest->outcome == VMM_SAVE_LOST);
        CU_ASSERT_FALSE(scene.guest->running);
        if (count > 4)
            CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_WAITS);
        save_case_free(&scene);
    }
}

/* Both slots were unreadable when it was started cold elsewhere: generations began again. */
static void does_not_resume_for_a_lower_generation(void)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        struct save_case scene = save_case_new(14);

        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        save_case_finish(&scene);
        save_case_check_saved(&scene);
        for (unsigned slot = 0; slot < 2; slot++)
            save_disk_wipe(scene.disk, slot * 128);
        save_case_write_as(&scene, STO_SAVED_CONSUMED, 2);
        if (kind == 1)
            save_case_write_as(&scene, STO_SAVED_WRITING, 2);
        scene.guest->ended = false;
        CU_ASSERT_EQUAL(vmm_save_resume(scene.guest->save), 0);
        save_case_finish(&scene);
        CU_ASSERT_TRUE(scene.guest->ended && scene.guest->outcome == VMM_SAVE_LOST);
        CU_ASSERT_FALSE(scene.guest->running);
        save_case_free(&scene);
    }
}

static void does_not_write_over_a_state_that_waits(void)
{
    struct save_case scene = save_case_new(12);
    uint64_t written;

    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    save_case_check_saved(&scene);
    written = scene.disk->bytes_written;
    scene.guest->running = true;
    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    CU_ASSERT_TRUE(scene.guest->ended && scene.guest->outcome == VMM_SAVE_RUNS_ON);
    CU_ASSERT_EQUAL(scene.guest->rc, -EBUSY);
    CU_ASSERT_EQUAL(scene.disk->bytes_written, written);
    save_case_free(&scene);
}

const struct unit_case unit_cases[] = {
    { "any request fails", survives_failed_requests },
    { "the target restarts at any point", survives_target_restarts },
    { "frozen until the storage answers", stays_frozen_until_it_knows },
    { "resumed, unless somebody took it", resumes_what_was_saved },
    { "not for a claim of a later state", does_not_resume_for_another_claim },
    { "not for a lower generation of somebody else's", does_not_resume_for_a_lower_generation },
    { "a state that waits is not written over", does_not_write_over_a_state_that_waits },
    { 0 },
};
