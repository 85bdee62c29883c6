/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_save_slots: a header is a write and a flush, alone, into the slot that the
 * newest is not in; both are settled one after the other; a target that restarts, slots that cannot
 * be read, requests that fail.
 */
#include <config.h>

#include "vmm-core/save/vmm_save_slots.h"

#include "tests/unit/save_case.h"
#include "tests/unit/unit.h"

#include <errno.h>

struct scene {
    struct save_disk *disk;
    struct save_disk_user user;
    struct vmm_save_queue queue;
    struct vmm_save_geometry geometry;
    uint8_t *memory;
    struct vmm_save_private part;
    struct vmm_save_slots slots;
    bool done;
    int rc;
};

static void on_done(void *context, int rc)
{
    struct scene *scene = context;

    scene->done = true;
    scene->rc = rc;
}

static struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    if (scene == NULL || vmm_save_geometry_plan(1 << 20, 1, UINT64_MAX, &scene->geometry) < 0)
        abort();
    scene->disk = save_disk_new(scene->geometry.area.total_bytes, 1);
    scene->user.disk = scene->disk;
    scene->queue = save_disk_queue(&scene->user);
    scene->memory = calloc(1, (size_t)vmm_save_private_bytes(&scene->geometry));
    vmm_save_private_over(&scene->geometry, scene->memory, &scene->part);
    vmm_save_slots_init(&scene->slots, &scene->queue, &scene->geometry, &scene->part, 5, 77,
                        on_done, scene);
    return scene;
}

static void scene_free(struct scene *scene)
{
    save_disk_free(scene->disk);
    free(scene->memory);
    free(scene);
}

/* Until the call has ended; what it got. */
static int finish(struct scene *scene, int rc)
{
    CU_ASSERT_EQUAL(rc, 0);
    scene->done = false;
    while (!scene->done && save_disk_step(scene->disk))
        CU_ASSERT_TRUE(scene->disk->request_count <= 1); /* alone in the queue */
    CU_ASSERT_TRUE(scene->done);
    return scene->rc;
}

static struct sto_saved read_slot(struct scene *scene, unsigned slot)
{
    uint8_t sector[512];
    struct sto_saved saved = { 0 };

    save_disk_peek(scene->disk, slot * 512 * 1024, sector, sizeof(sector));
    (void)sto_saved_decode(sector, &saved);
    return saved;
}

static void writes_the_other_slot(void)
{
    struct scene *scene = scene_new();
    struct sto_saved saved = { .state = STO_SAVED_WRITING, .memory_bytes = 1 << 20, .cpus = 1 };

    CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_read(&scene->slots)), 0);
    CU_ASSERT_EQUAL(scene->slots.look.verdict, STO_SAVED_CLEAN);
    for (uint64_t i = 1; i <= 5; i++) {
        unsigned slot = vmm_save_slots_next(&scene->slots);
        struct sto_saved found;

        CU_ASSERT_EQUAL(slot, (unsigned)((i + 1) % 2));
        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_write(&scene->slots, &saved)), 0);
        CU_ASSERT_EQUAL(save_disk_unflushed(scene->disk), 0);
        found = read_slot(scene, slot);
        CU_ASSERT_TRUE(found.generation == i && found.node == 5 && found.owner_generation == 77);
        CU_ASSERT_EQUAL(found.memory_bytes, 1 << 20);
        CU_ASSERT_EQUAL(scene->slots.look.saved.generation, i);
        CU_ASSERT_EQUAL(scene->disk->flushes_done, i);
    }
    scene_free(scene);
}

static void settles_both(void)
{
    for (unsigned before = 0; before < 4; before++) {
        struct scene *scene = scene_new();
        struct sto_saved saved = { .state = STO_SAVED_COMMITTED, .memory_bytes = 1 << 20 };

        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_read(&scene->slots)), 0);
        for (unsigned i = 0; i < before; i++)
            CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_write(&scene->slots, &saved)), 0);
        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_settle(&scene->slots, STO_SAVED_CONSUMED)), 0);
        CU_ASSERT_EQUAL(scene->disk->flushes_done, before + 2);
        for (unsigned slot = 0; slot < 2; slot++)
            CU_ASSERT_EQUAL(read_slot(scene, slot).state, STO_SAVED_CONSUMED);
        CU_ASSERT_EQUAL(scene->slots.look.verdict, STO_SAVED_CLEAN);
        CU_ASSERT_EQUAL(scene->slots.look.saved.generation, before + 2);
        scene_free(scene);
    }
}

static void writes_again_after_a_restart(void)
{
    for (uint64_t at = 1; at <= 6; at++) {
        struct scene *scene = scene_new();

        scene->disk->restart_op = at;
        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_read(&scene->slots)), 0);
        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_settle(&scene->slots, STO_SAVED_EMPTY)), 0);
        CU_ASSERT_EQUAL(scene->disk->restarts, 1);
        for (unsigned slot = 0; slot < 2; slot++) {
            CU_ASSERT_EQUAL(read_slot(scene, slot).state, STO_SAVED_EMPTY);
            CU_ASSERT_TRUE(save_disk_is_safe(scene->disk, slot * 128));
        }
        scene_free(scene);
    }
}

static void says_what_it_could_not_read(void)
{
    for (unsigned slot = 0; slot < 2; slot++) {
        struct scene *scene = scene_new();

        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_read(&scene->slots)), 0);
        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_settle(&scene->slots, STO_SAVED_COMMITTED)),
                        0);
        scene->disk->unreadable = slot * 128;
        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_read(&scene->slots)), -EIO);
        CU_ASSERT_TRUE(scene->slots.unreadable[slot] && !scene->slots.unreadable[1 - slot]);
        CU_ASSERT_EQUAL(scene->slots.look.verdict, STO_SAVED_UNSETTLED);
        CU_ASSERT_TRUE(scene->slots.look.damaged[slot]);
        /* the first header heals it: a medium that does not read may be written */
        CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_settle(&scene->slots, STO_SAVED_CONSUMED)), 0);
        CU_ASSERT_EQUAL(scene->slots.look.verdict, STO_SAVED_CLEAN);
        scene_free(scene);
    }
}

static void tells_failures(void)
{
    for (uint64_t at = 1; at <= 6; at++) {
        struct scene *scene = scene_new();
        int rc;

        scene->disk->fail_op = at;
        rc = finish(scene, vmm_save_slots_read(&scene->slots));
        CU_ASSERT_EQUAL(rc, at <= 2 ? -EIO : 0);
        rc = finish(scene, vmm_save_slots_settle(&scene->slots, STO_SAVED_CONSUMED));
        CU_ASSERT_EQUAL(rc, at > 2 ? -EIO : 0);
        CU_ASSERT_EQUAL(scene->slots.step, VMM_SAVE_SLOTS_IDLE);
        scene_free(scene);
    }
}

static void refuses_the_last_generation(void)
{
    struct scene *scene = scene_new();
    struct sto_saved saved = { .state = STO_SAVED_EMPTY };

    CU_ASSERT_EQUAL(finish(scene, vmm_save_slots_read(&scene->slots)), 0);
    scene->slots.look.known = true;
    scene->slots.look.saved.generation = UINT64_MAX;
    CU_ASSERT_EQUAL(vmm_save_slots_write(&scene->slots, &saved), -EOVERFLOW);
    scene_free(scene);
}

const struct unit_case unit_cases[] = {
    { "write and flush, into the other slot", writes_the_other_slot },
    { "both slots are settled", settles_both },
    { "the target restarts", writes_again_after_a_restart },
    { "a slot that cannot be read", says_what_it_could_not_read },
    { "requests that fail", tells_failures },
    { "generations never wrap", refuses_the_last_generation },
    { 0 },
};
