/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with a state area, for tests: its life, the area's server, and what becomes of both.
 */
#ifndef LIFE_SCENE_H
#define LIFE_SCENE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_prng.h"
#include "tests/unit/area_server.h"
#include "tests/unit/machine_world.h"
#include "tests/unit/unit.h"
#include "vmm-core/run/vmm_life.h"

enum { FREE_AT = 4 << 20, FREE_PAGES = 12 << 8, PAGE = 4096 };

struct scene {
    qb_loop_t *loop;
    struct area_server server;
    struct world world;
    struct vmm_life *life;
    struct vmm_life_config config;
    struct hw_prng prng;
    uint8_t *before; /* its memory as it was when it was saved */
    unsigned begins, stops, refused, settled, told, saves;
    enum vmm_save_outcome outcome;
    struct hw_error error;
    bool stays;          /* a machine that begins is not run */
    bool *ran;           /* where it is noted that one runs; may be NULL */
    const uint8_t *code; /* its guest's; NULL: `echo` */
    size_t code_bytes;
    bool cancels; /* a save whose outcome is not known */
};

/* --- what it is told --- */

static inline int scene_boot(struct scene *scene)
{
    return scene->code == NULL
               ? world_boot(&scene->world, NULL)
               : world_boot_code(&scene->world, scene->code, scene->code_bytes, NULL);
}

static inline void scene_begins(void *context)
{
    struct scene *scene = context;

    scene->begins++;
    if (scene->config.start == VMM_LIFE_RESTORE && scene->before != NULL)
        CU_ASSERT_EQUAL(memcmp(vmm_machine_memory(scene->world.machine)->ranges[0].address,
                               scene->before, BYTES),
                        0);
    if (scene->config.start != VMM_LIFE_RESTORE)
        CU_ASSERT_EQUAL(scene_boot(scene), 0);
    if (scene->ran != NULL)
        *scene->ran = true;
    if (!scene->stays)
        vmm_machine_run(scene->world.machine);
    qb_loop_stop(scene->loop);
}

static inline void scene_stops(void *context)
{
    ((struct scene *)context)->stops++;
}

static inline void scene_resumes(void *context)
{
    vmm_machine_run(((struct scene *)context)->world.machine);
}

static inline void scene_refused(void *context, const struct hw_error *error)
{
    struct scene *scene = context;

    scene->refused++;
    scene->error = *error;
    qb_loop_stop(scene->loop);
}

static inline void scene_save_ended(void *context, enum vmm_save_outcome outcome,
                                    const struct hw_error *error)
{
    struct scene *scene = context;

    scene->saves++;
    scene->outcome = outcome;
    scene->error = *error;
    qb_loop_stop(scene->loop);
}

static inline void scene_told(void *context, const char *text)
{
    struct scene *scene = context;

    scene->told++;
    CU_ASSERT_TRUE(text[0] != '\0');
    if (scene->cancels)
        CU_ASSERT_EQUAL(vmm_life_cancel(scene->life), 0);
    qb_loop_stop(scene->loop);
}

static inline void scene_settled(void *context)
{
    struct scene *scene = context;

    scene->settled++;
    qb_loop_stop(scene->loop);
}

/* --- a scene --- */

static inline uint64_t scene_needed_bytes(void)
{
    struct vmm_save_geometry geometry;

    (void)vmm_save_geometry_plan(BYTES, 1, UINT64_MAX, &geometry);
    return geometry.area.total_bytes;
}

static inline void scene_begin(struct scene *scene, uint64_t area_bytes)
{
    memset(scene, 0, sizeof(*scene));
    scene->loop = qb_loop_create();
    scene->prng = hw_prng_seeded(7);
    area_server_make(&scene->server, scene->loop, area_bytes);
    area_server_begin(&scene->server);
}

static inline void scene_kill(struct scene *scene)
{
    vmm_life_free(scene->life);
    scene->life = NULL;
    world_end(&scene->world);
}

static inline void scene_end(struct scene *scene)
{
    free(scene->before);
    area_server_end(&scene->server);
    area_server_remove(&scene->server);
    qb_loop_destroy(scene->loop);
}

/* A machine begins, or is refused. */
static inline void scene_live(struct scene *scene, enum vmm_life_start start)
{
    const struct vmm_life_callbacks callbacks = { scene_begins,     scene_stops,
                                                  scene_resumes,    scene_refused,
                                                  scene_save_ended, scene_told,
                                                  scene_settled,    scene };

    world_begin(&scene->world, 1);
    scene->config.socket = scene->server.socket;
    scene->config.start = start;
    scene->begins = scene->refused = 0;
    hw_error_clear(&scene->error);
    CU_ASSERT_EQUAL_FATAL(vmm_life_new(scene->loop, scene->world.machine, &scene->config,
                                       &callbacks, &scene->life, NULL),
                          0);
    while (scene->begins + scene->refused == 0)
        qb_loop_run(scene->loop);
}

/* Some pages of the guest's change. */
static inline void scene_scribble(struct scene *scene, unsigned pages)
{
    uint8_t *memory = vmm_machine_memory(scene->world.machine)->ranges[0].address;

    for (unsigned i = 0; i < pages; i++) {
        uint8_t *page = memory + FREE_AT + hw_prng_below(&scene->prng, FREE_PAGES) * PAGE;

        memset(page, (int)hw_prng_below(&scene->prng, 256), PAGE);
    }
}

static inline void scene_keep_memory(struct scene *scene)
{
    free(scene->before);
    scene->before = malloc(BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scene->before);
    memcpy(scene->before, vmm_machine_memory(scene->world.machine)->ranges[0].address, BYTES);
}

static inline int scene_order(struct scene *scene, const struct vmm_saver_order *order)
{
    struct hw_error error = { 0 };
    const int rc = vmm_life_save(scene->life, order, &error);

    CU_ASSERT_TRUE(rc == 0 || error.reason[0] != '\0');
    return rc;
}

/* What the loop has to do now. */
static inline void scene_stop_loop(void *data)
{
    qb_loop_stop(((struct scene *)data)->loop);
}

static inline void scene_turn(struct scene *scene)
{
    (void)qb_loop_job_add(scene->loop, QB_LOOP_LOW, scene, scene_stop_loop);
    qb_loop_run(scene->loop);
}

/* A save as ordered, to its end; and what the loop has to do behind that. */
static inline void scene_save_by(struct scene *scene, const struct vmm_saver_order *order)
{
    const unsigned before = scene->saves;

    CU_ASSERT_EQUAL_FATAL(scene_order(scene, order), 0);
    while (scene->saves == before)
        qb_loop_run(scene->loop);
    CU_ASSERT_EQUAL(scene_order(scene, order), scene->outcome == VMM_SAVE_SAVED ? -EAGAIN : -EBUSY);
    scene_turn(scene);
}

static inline void scene_save(struct scene *scene)
{
    const struct vmm_saver_order stop = { .live = false };

    scene_save_by(scene, &stop);
}

/* What it was sent comes back. */
static inline void scene_check_echo(struct scene *scene, const char *letter)
{
    const unsigned count = scene->world.out_count;

    world_say(&scene->world, letter);
    world_wait(&scene->world, count + 1);
    CU_ASSERT_EQUAL(scene->world.out[count % OUT_BYTES], letter[0]);
}

static inline enum sto_saved_verdict scene_verdict(const struct scene *scene)
{
    struct sto_saved_look look;

    area_server_look(&scene->server, &look);
    return look.verdict;
}

static inline bool scene_says(const struct scene *scene, const char *part)
{
    if (strstr(scene->error.reason, part) != NULL)
        return true;
    printf("# %s: %s; %s\n", scene->error.object, scene->error.reason, scene->error.remedy);
    return false;
}

/* A machine was begun and saved; it is gone, its memory is known. */
static inline bool scene_saved(struct scene *scene)
{
    if (!world_possible())
        return false;
    scene_begin(scene, scene_needed_bytes());
    scene_live(scene, VMM_LIFE_COLD);
    world_wait(&scene->world, 1);
    scene_scribble(scene, 300);
    scene_save(scene);
    CU_ASSERT_EQUAL(scene->outcome, VMM_SAVE_SAVED);
    scene_keep_memory(scene);
    scene_kill(scene);
    CU_ASSERT_EQUAL(scene_verdict(scene), STO_SAVED_WAITS);
    return true;
}

#endif
