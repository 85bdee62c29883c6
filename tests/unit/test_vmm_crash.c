/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_life, vmm-core/run/vmm_restorer, vmm-core/run/vmm_saver: a host that loses its
 * power before any write or flush of a save, a restore, a return after a save, or a cold start over
 * a state. Each happens in a process of its own, and the area keeps what was flushed. Afterwards
 * never both: a guest ran, and what it came from can be restored; what can be restored is whole;
 * else the VM starts cold. Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/run/vmm_life.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/unit/life_scene.h"
#include "tests/unit/unit.h"

enum { DIED = 77, POINTS_MOST = 200 };

/* What outlives a process that dies. */
struct witness {
    bool ran;              /* a guest runs on, or was begun, that the state is of */
    bool has_memory;       /* it was saved, or is about to be: */
    uint8_t memory[BYTES]; /* this */
};

static struct witness *witness_new(void)
{
    void *memory = mmap(NULL, sizeof(struct witness), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CU_ASSERT_PTR_NOT_EQUAL_FATAL(memory, MAP_FAILED);
    return memory;
}

static void note_memory(struct witness *witness, const struct scene *scene)
{
    memcpy(witness->memory, vmm_machine_memory(scene->world.machine)->ranges[0].address, BYTES);
    witness->has_memory = true;
}

/* --- what happens, in a process of its own --- */

/* The area again, in another process. */
static void reopen(struct scene *scene, const struct scene *from)
{
    memset(scene, 0, sizeof(*scene));
    scene->loop = qb_loop_create();
    scene->server = from->server;
    scene->server.loop = scene->loop;
    scene->server.writes = scene->server.flushes = 0;
    scene->prng = hw_prng_seeded(7);
    area_server_begin(&scene->server);
}

static void save_it(struct scene *scene, struct witness *witness, unsigned die_at)
{
    scene_live(scene, VMM_LIFE_COLD);
    world_wait(&scene->world, 1);
    scene_scribble(scene, 40);
    note_memory(witness, scene);
    if (die_at > 0)
        scene->server.die_at = area_server_ops(&scene->server) + die_at;
    scene_save(scene);
    CU_ASSERT_EQUAL(scene->outcome, VMM_SAVE_SAVED);
}

static void save_part(struct scene *scene, struct witness *witness, unsigned die_at)
{
    save_it(scene, witness, die_at);
}

/* Runs once the area says so; is then seen to have run. */
static void begin_part(struct scene *scene, struct witness *witness, unsigned die_at,
                       enum vmm_life_start start)
{
    scene->ran = &witness->ran;
    scene->server.die_at = die_at;
    scene_live(scene, start);
    CU_ASSERT_EQUAL(scene->begins, 1);
}

static void restore_part(struct scene *scene, struct witness *witness, unsigned die_at)
{
    begin_part(scene, witness, die_at, VMM_LIFE_RESTORE);
}

static void discard_part(struct scene *scene, struct witness *witness, unsigned die_at)
{
    begin_part(scene, witness, die_at, VMM_LIFE_DISCARD);
}

/* The answer to the last flush of a save is lost; then it is cancelled, and the guest runs on. */
static void return_part(struct scene *scene, struct witness *witness, unsigned die_at)
{
    scene_live(scene, VMM_LIFE_COLD);
    world_wait(&scene->world, 1);
    scene_scribble(scene, 40);
    note_memory(witness, scene);
    scene->cancels = scene->server.loses_commit = true;
    scene->server.dies_behind = die_at;
    scene_save(scene);
    CU_ASSERT_EQUAL(scene->outcome, VMM_SAVE_RESUMED);
    witness->ran = true;
    scene_check_echo(scene, "r");
}

/* 0, DIED, or 1: something was wrong. */
static int in_child(const struct scene *from, struct witness *witness, unsigned die_at,
                    void (*part)(struct scene *scene, struct witness *witness, unsigned die_at))
{
    struct scene scene;
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        reopen(&scene, from);
        part(&scene, witness, die_at);
        status = CU_get_number_of_failures() > 0;
        scene_kill(&scene);
        _exit(status);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* --- and what is left --- */

static void check_whole(struct scene *scene, struct witness *witness, unsigned die_at)
{
    (void)die_at;
    scene->before = malloc(BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scene->before);
    memcpy(scene->before, witness->memory, BYTES);
    scene_live(scene, VMM_LIFE_RESTORE);
    CU_ASSERT_EQUAL(scene->begins, 1);
    scene_check_echo(scene, "w");
}

static void check_cold(struct scene *scene, struct witness *witness, unsigned die_at)
{
    (void)witness;
    (void)die_at;
    scene_live(scene, VMM_LIFE_RESTORE);
    CU_ASSERT_EQUAL(scene->begins, 0);
    scene_kill(scene);
    scene_live(scene, VMM_LIFE_COLD);
    CU_ASSERT_EQUAL(scene->begins, 1);
}

/* True: the state could be restored. */
static bool check(const struct scene *scene, struct witness *witness)
{
    const bool waits = scene_verdict(scene) == STO_SAVED_WAITS;

    CU_ASSERT_FALSE(waits && witness->ran);
    CU_ASSERT_TRUE(!waits || witness->has_memory);
    CU_ASSERT_EQUAL(in_child(scene, witness, 0, waits ? check_whole : check_cold), 0);
    return waits;
}

/* An area, empty or with a state. */
static bool prepare(struct scene *scene, struct witness *witness, bool saved)
{
    if (!world_possible())
        return false;
    scene_begin(scene, scene_needed_bytes());
    area_server_end(&scene->server);
    if (saved)
        CU_ASSERT_EQUAL(in_child(scene, witness, 0, save_part), 0);
    return true;
}

/* Each point in turn, until it ends without having died; so many of both ends have to be. */
static void each_point(bool saved,
                       void (*part)(struct scene *scene, struct witness *witness, unsigned die_at),
                       unsigned restorable_least, unsigned cold_least)
{
    unsigned restorable = 0, cold = 0;
    int status = DIED;

    for (unsigned n = 1; status == DIED && n < POINTS_MOST; n++) {
        struct witness *witness = witness_new();
        struct scene scene;

        if (prepare(&scene, witness, saved)) {
            status = in_child(&scene, witness, n, part);
            CU_ASSERT_TRUE(status == DIED || status == 0);
            if (check(&scene, witness))
                restorable++;
            else
                cold++;
            scene_end(&scene);
        } else {
            status = -1;
        }
        (void)munmap(witness, sizeof(*witness));
    }
    if (status < 0)
        return;
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_TRUE(restorable >= restorable_least && cold >= cold_least);
}

static void in_a_save(void)
{
    each_point(false, save_part, 1, 8);
}

static void in_a_restore(void)
{
    each_point(true, restore_part, 4, 3);
}

static void in_a_return(void)
{
    each_point(false, return_part, 2, 3);
}

static void in_a_cold_start(void)
{
    each_point(true, discard_part, 2, 3);
}

const struct unit_case unit_cases[] = {
    { "in a save", in_a_save },
    { "in a restore", in_a_restore },
    { "in a return after a save", in_a_return },
    { "in a cold start over a state", in_a_cold_start },
    { 0 },
};
