/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_life, vmm-core/run/vmm_saver, vmm-core/run/vmm_restorer, with
 * vmm-core/run/vmm_machine_pages and vmm-core/run/vmm_machine_needs: a whole machine begins cold,
 * is saved and restored, with all of its memory; what must not begin is refused. Skipped where
 * there is no /dev/kvm. vmm-core/run/vmm_run_state is in test_vmm_state.sh.
 */
#include <config.h>

#include "vmm-core/run/vmm_life.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/life_scene.h"
#include "tests/unit/unit.h"

/* --- cases --- */

static void it_moves_many_times(void)
{
    struct scene scene;

    if (!scene_saved(&scene))
        return;
    for (unsigned i = 0; i < 8; i++) {
        const char letter[] = { (char)('a' + i), '\0' };

        scene_live(&scene, VMM_LIFE_RESTORE);
        CU_ASSERT_EQUAL(scene.begins, 1);
        CU_ASSERT_EQUAL(scene_verdict(&scene), STO_SAVED_CLEAN);
        scene_check_echo(&scene, letter);
        scene_scribble(&scene, 20 * i);
        scene_save(&scene);
        CU_ASSERT_EQUAL(scene.outcome, VMM_SAVE_SAVED);
        scene_keep_memory(&scene);
        scene_kill(&scene);
    }
    scene_end(&scene);
}

/* A byte that waits in its serial port moves with it; after the save nothing is taken any more. */
static void what_it_was_sent_moves(void)
{
    struct scene scene;

    if (!scene_saved(&scene))
        return;
    scene.stays = true;
    scene_live(&scene, VMM_LIFE_RESTORE);
    world_say(&scene.world, "q");
    scene_save(&scene);
    free(scene.before);
    scene.before = NULL;
    scene_kill(&scene);
    scene.stays = false;
    scene_live(&scene, VMM_LIFE_RESTORE);
    world_wait(&scene.world, 1);
    CU_ASSERT_EQUAL(scene.world.out[0], 'q');
    scene_kill(&scene);
    scene_end(&scene);
}

static void cold_starts(void)
{
    const struct vmm_saver_order stop = { .live = false };
    struct scene scene;

    if (!scene_saved(&scene))
        return;
    scene_live(&scene, VMM_LIFE_COLD);
    CU_ASSERT_EQUAL(scene.begins, 0);
    CU_ASSERT_TRUE(scene_says(&scene, "waits to be restored"));
    CU_ASSERT_EQUAL(scene.error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_EQUAL(scene_order(&scene, &stop), -EAGAIN);
    scene_kill(&scene);
    CU_ASSERT_EQUAL(scene_verdict(&scene), STO_SAVED_WAITS);
    scene_live(&scene, VMM_LIFE_DISCARD);
    CU_ASSERT_EQUAL(scene.begins, 1);
    CU_ASSERT_EQUAL(scene_verdict(&scene), STO_SAVED_CLEAN);
    world_wait(&scene.world, 1);
    scene_check_echo(&scene, "d");
    scene_kill(&scene);
    scene_live(&scene, VMM_LIFE_RESTORE);
    CU_ASSERT_TRUE(scene_says(&scene, "there is none"));
    scene_kill(&scene);
    scene_live(&scene, VMM_LIFE_COLD);
    CU_ASSERT_EQUAL(scene.begins, 1);
    scene_kill(&scene);
    scene_end(&scene);
}

static void what_does_not_fit_is_refused(void)
{
    struct scene scene;

    if (!scene_saved(&scene))
        return;
    scene.config.who.vm_uuid[3] = 1;
    scene_live(&scene, VMM_LIFE_RESTORE);
    CU_ASSERT_TRUE(scene.begins == 0 && scene_says(&scene, "another VM"));
    scene_kill(&scene);
    scene.config.who.vm_uuid[3] = 0;
    area_server_end(&scene.server);
    area_server_flip(&scene.server, 0); /* one of both headers */
    area_server_begin(&scene.server);
    scene_live(&scene, VMM_LIFE_RESTORE);
    CU_ASSERT_TRUE(scene.begins == 0 && scene_says(&scene, "is damaged: "));
    scene_kill(&scene);
    area_server_end(&scene.server);
    area_server_flip(&scene.server, 0);
    area_server_begin(&scene.server);
    scene_live(&scene, VMM_LIFE_RESTORE);
    CU_ASSERT_EQUAL(scene.begins, 1);
    scene_kill(&scene);
    scene_end(&scene);
}

/* Any damaged byte of what is loaded: refused, nothing runs, and the state is still there. */
static void damage_is_refused(void)
{
    struct sto_saved_look look;
    struct scene scene;
    uint64_t places[5];

    if (!scene_saved(&scene))
        return;
    area_server_look(&scene.server, &look);
    places[0] = look.saved.sections.offset_bytes;
    places[1] = look.saved.sections.offset_bytes + look.saved.sections.length_bytes - 1;
    places[2] = look.saved.table.offset_bytes + 100;
    places[3] = look.saved.memory_offset_bytes + ELF_IMAGE_ENTRY;
    places[4] = look.saved.memory_offset_bytes + 0xf0000; /* its tables */
    for (unsigned i = 0; i < 5; i++) {
        area_server_end(&scene.server);
        area_server_flip(&scene.server, places[i]);
        area_server_begin(&scene.server);
        scene_live(&scene, VMM_LIFE_RESTORE);
        CU_ASSERT_TRUE(scene.begins == 0 && scene_says(&scene, "is damaged"));
        scene_kill(&scene);
        area_server_end(&scene.server);
        area_server_flip(&scene.server, places[i]);
        area_server_begin(&scene.server);
        CU_ASSERT_EQUAL(scene_verdict(&scene), STO_SAVED_WAITS);
    }
    scene_live(&scene, VMM_LIFE_RESTORE);
    CU_ASSERT_EQUAL(scene.begins, 1);
    scene_kill(&scene);
    scene_end(&scene);
}

static void an_area_that_is_too_small(void)
{
    struct scene scene;
    char needed[40];

    if (!world_possible())
        return;
    scene_begin(&scene, scene_needed_bytes() - (1 << 20));
    scene_live(&scene, VMM_LIFE_COLD);
    (void)snprintf(needed, sizeof(needed), "and %u MiB are needed",
                   (unsigned)(scene_needed_bytes() >> 20));
    CU_ASSERT_TRUE(scene.begins == 0 && scene_says(&scene, needed));
    CU_ASSERT_EQUAL(area_server_ops(&scene.server), 0);
    scene_kill(&scene);
    scene_end(&scene);
}

const struct unit_case unit_cases[] = {
    { "it is saved and restored many times", it_moves_many_times },
    { "what it was sent moves with it", what_it_was_sent_moves },
    { "cold starts over a state", cold_starts },
    { "a state that does not fit", what_does_not_fit_is_refused },
    { "a damaged state", damage_is_refused },
    { "an area that is too small", an_area_that_is_too_small },
    { 0 },
};
