/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save, with vmm-core/save/vmm_save_walk, vmm-core/save/vmm_save_piece and
 * vmm-core/save/vmm_save_round: stopped and live saves of a guest that writes on, read back by
 * another reader; limits, budget, throttle, cancel at every point, blocks that are carried over.
 */
#include <config.h>

#include "vmm-core/save/vmm_save.h"

#include "tests/unit/fail_alloc.h"
#include "tests/unit/save_case.h"
#include "tests/unit/unit.h"

#include <errno.h>

static void check_runs_on(struct save_case *scene, int rc)
{
    CU_ASSERT_TRUE(scene->guest->ended);
    CU_ASSERT_EQUAL(scene->guest->outcome, VMM_SAVE_RUNS_ON);
    CU_ASSERT_EQUAL(scene->guest->rc, rc);
    CU_ASSERT_TRUE(scene->guest->running && !scene->guest->tracking);
    CU_ASSERT_EQUAL(scene->guest->throttle_percent, 0);
    CU_ASSERT_EQUAL(save_case_verdict(scene), STO_SAVED_CLEAN);
}

static void saves_a_stopped_guest(void)
{
    struct save_case scene = save_case_new(1);
    uint32_t delta_pages = 99;

    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    save_case_check_saved(&scene);
    CU_ASSERT_PTR_NULL(save_case_wrong(&scene, &delta_pages));
    CU_ASSERT_EQUAL(delta_pages, 0);
    CU_ASSERT_EQUAL(scene.guest->pauses, 1);
    CU_ASSERT_EQUAL(scene.disk->flushes_done, 3); /* WRITING, data, COMMITTED */
    /* what is zero or a hole is not written */
    CU_ASSERT_TRUE(scene.disk->bytes_written < (70 + 300 + 40) * 4096);
    save_case_free(&scene);
}

static void saves_live(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct save_case scene = save_case_new(seed);
        struct vmm_save_progress progress;
        uint32_t delta_pages = 0;

        scene.options.live = true;
        scene.options.downtime_ms = 5;
        scene.run_pages = (unsigned)(seed % 20) * 2;
        scene.run_within = seed % 3 == 0 ? SAVE_GUEST_PAGES : 90;
        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        save_case_finish(&scene);
        save_case_check_saved(&scene);
        CU_ASSERT_PTR_NULL(save_case_wrong(&scene, &delta_pages));
        CU_ASSERT_TRUE(delta_pages > 0 || seed % 20 == 0);
        vmm_save_progress(scene.guest->save, &progress);
        CU_ASSERT_STRING_EQUAL(progress.phase, "SAVED");
        CU_ASSERT_TRUE(progress.pause_ns > 0 && progress.pause_ns < progress.elapsed_ns);
        CU_ASSERT_EQUAL(progress.delta_pages, delta_pages);
        save_case_free(&scene);
    }
}

/* The pause writes the last pages and what changed with them, not more. */
static void pauses_for_little(void)
{
    struct save_case scene = save_case_new(3);
    uint64_t before = 0;

    scene.options.live = true;
    scene.run_pages = 1;
    scene.run_within = 64;
    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    while (scene.guest->running && save_case_step(&scene)) {
        if (scene.guest->running)
            before = scene.disk->bytes_written;
        else
            CU_ASSERT_TRUE(save_disk_unflushed(scene.disk) <= 40);
    }
    save_case_finish(&scene);
    save_case_check_saved(&scene);
    CU_ASSERT_TRUE(scene.disk->bytes_written - before < 40 * 4096);
    save_case_free(&scene);
}

/* More than the disk can take: throttled until it fits, or the budget is used up. */
static void converges_or_says_why(void)
{
    for (unsigned may_throttle = 0; may_throttle < 2; may_throttle++) {
        struct save_case scene = save_case_new(4);

        scene.options.live = true;
        scene.options.may_throttle = may_throttle != 0;
        scene.options.downtime_ms = 1;
        scene.options.budget_ms = 20000;
        scene.run_pages = 600;
        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        save_case_finish(&scene);
        if (may_throttle) {
            save_case_check_saved(&scene);
            CU_ASSERT_TRUE(scene.guest->throttle_most >= 80);
        } else {
            check_runs_on(&scene, -ETIME);
            CU_ASSERT_EQUAL(scene.guest->throttle_most, 0);
        }
        save_case_free(&scene);
    }
}

static void keeps_to_the_bandwidth(void)
{
    struct save_case scene = save_case_new(5);
    struct vmm_save_progress progress;

    scene.options.live = true;
    scene.options.bandwidth_bytes_per_s = 1 << 20;
    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    save_case_check_saved(&scene);
    vmm_save_progress(scene.guest->save, &progress);
    /* all but the last request has been paid for */
    CU_ASSERT_TRUE(progress.elapsed_ns / 1000 * (1 << 20) / 1000000 + (1 << 20) >
                   progress.written_bytes);
    CU_ASSERT_TRUE(progress.elapsed_ns > 100 * 1000000);
    save_case_free(&scene);
}

/* Run `steps` steps; false if it ended before. */
static bool run_steps(struct save_case *scene, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        if (scene->guest->ended)
            return false;
        (void)save_case_step(scene);
    }
    return !scene->guest->ended;
}

/* Cancelled after each step: the guest runs on, whatever had happened, and a new save succeeds. */
static void is_cancelled_anywhere(void)
{
    unsigned resumed = 0;

    for (unsigned at = 0;; at++) {
        struct save_case scene = save_case_new(6);

        scene.options.live = at % 2 == 0;
        scene.run_pages = 3;
        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        if (!run_steps(&scene, at / 2)) {
            save_case_free(&scene);
            break;
        }
        vmm_save_cancel(scene.guest->save, 0);
        save_case_finish(&scene);
        CU_ASSERT_TRUE(scene.guest->ended && scene.guest->running);
        if (scene.guest->outcome == VMM_SAVE_RESUMED) {
            resumed++;
            CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
            CU_ASSERT_EQUAL(scene.guest->rc, -ECANCELED);
        } else {
            check_runs_on(&scene, -ECANCELED);
        }
        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        save_case_finish(&scene);
        save_case_check_saved(&scene);
        save_case_free(&scene);
    }
    CU_ASSERT_TRUE(resumed >= 2);
}

static void ends_when_the_guest_is_off(void)
{
    for (unsigned at = 0;; at++) {
        struct save_case scene = save_case_new(7);

        scene.options.live = true;
        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        if (!run_steps(&scene, at) || !scene.guest->running) {
            save_case_free(&scene);
            CU_ASSERT_TRUE(at > 10);
            break;
        }
        scene.guest->running = false;
        vmm_save_power_off(scene.guest->save);
        save_case_finish(&scene);
        CU_ASSERT_TRUE(scene.guest->ended && scene.guest->outcome == VMM_SAVE_OFF);
        CU_ASSERT_FALSE(scene.guest->running);
        CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
        save_case_free(&scene);
    }
}

static void fails_with_its_guest(void)
{
    struct save_case scene = save_case_new(13);

    scene.guest->state_fails = true;
    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    check_runs_on(&scene, -EIO);
    scene.guest->state_fails = false;
    scene.guest->pause_rc = -ETIMEDOUT; /* the rings do not drain */
    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    check_runs_on(&scene, -ETIMEDOUT);
    scene.guest->pause_rc = 0;
    scene.guest->pause_waits = true; /* cancelled while the guest is about to stop */
    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    vmm_save_cancel(scene.guest->save, 0);
    save_case_finish(&scene);
    CU_ASSERT_TRUE(scene.guest->pausing && !scene.guest->ended);
    scene.guest->running = false;
    vmm_save_paused(scene.guest->save, 0);
    save_case_finish(&scene);
    check_runs_on(&scene, -ECANCELED);
    save_case_free(&scene);
}

/* Blocks that are not loaded are carried over as they lie at home; their delta pages go home. */
static void carries_over_what_is_not_loaded(void)
{
    for (unsigned live = 0; live < 2; live++) {
        struct save_case scene = save_case_new(14);
        struct save_guest *guest = scene.guest;
        uint8_t *saved = malloc(SAVE_GUEST_BYTES);

        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        save_case_finish(&scene);
        save_case_check_saved(&scene);
        memcpy(saved, guest->memory, SAVE_GUEST_BYTES);
        save_case_write_as(&scene, STO_SAVED_CONSUMED, 1);
        save_case_write_as(&scene, STO_SAVED_CONSUMED, 1);
        /* block 1: not loaded, two pages of it are in memory and not at home; block 2: nothing of
         * it is in memory */
        for (unsigned block = 1; block <= 2; block++) {
            guest->unloaded[block] = true;
            guest->carried[block].nonzero = 0xffff;
            for (unsigned i = 0; i < 16; i++) {
                if (block == 1 && (i == 3 || i == 9))
                    save_guest_write(guest, block * 16 + i, 0x1234567 + i);
                else
                    save_guest_discard(guest, block * 16 + i);
            }
        }
        guest->carried[1].delta = 1u << 3 | 1u << 9;
        memcpy(saved + 19 * 4096, guest->memory + 19 * 4096, 4096);
        memcpy(saved + 25 * 4096, guest->memory + 25 * 4096, 4096);
        for (unsigned block = 1; block <= 2; block++)
            guest->carried[block].hash = vmm_save_hash_block(saved + block * 65536, 0xffff);
        guest->running = true;
        scene.options.live = live != 0;
        CU_ASSERT_EQUAL(save_case_start(&scene), 0);
        save_case_finish(&scene);
        memcpy(guest->stopped_memory, saved, SAVE_GUEST_BYTES);
        save_case_check_saved(&scene);
        free(saved);
        save_case_free(&scene);
    }
}

static void refuses_other_sizes(void)
{
    struct save_case scene = save_case_new(15);

    scene.options.area_bytes--;
    CU_ASSERT_EQUAL(save_case_start(&scene), -ENOSPC);
    scene.options.area_bytes++;
    scene.options.cpus = 0;
    CU_ASSERT_EQUAL(save_case_start(&scene), -EINVAL);
    scene.options.cpus = SAVE_GUEST_CPUS;
    scene.guest->ranges[1].bytes -= 4096;
    CU_ASSERT_EQUAL(save_case_start(&scene), -EINVAL);
    CU_ASSERT_EQUAL(vmm_save_needed_bytes(4096, 1), 0);
    save_case_free(&scene);
}

static void fails_allocations(void)
{
    struct save_case scene = save_case_new(16);

    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = save_case_start(&scene);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    save_case_finish(&scene);
    save_case_check_saved(&scene);
    save_case_free(&scene);
}

const struct unit_case unit_cases[] = {
    { "a stopped guest", saves_a_stopped_guest },
    { "a running guest", saves_live },
    { "the pause has little to write", pauses_for_little },
    { "throttled, or did not converge", converges_or_says_why },
    { "bandwidth", keeps_to_the_bandwidth },
    { "cancelled at any point", is_cancelled_anywhere },
    { "the guest powers itself off", ends_when_the_guest_is_off },
    { "the guest does not stop, or has no state", fails_with_its_guest },
    { "what is not loaded is carried over", carries_over_what_is_not_loaded },
    { "no such guest, too small an area", refuses_other_sizes },
    { "no memory", fails_allocations },
    { 0 },
};
