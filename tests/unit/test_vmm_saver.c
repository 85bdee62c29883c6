/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_saver, with vmm-core/run/vmm_machine_pages: the save of a whole machine while
 * the storage fails, goes and comes back. Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/run/vmm_saver.h"

#include "tests/unit/life_scene.h"
#include "tests/unit/unit.h"

/* At its entry: writes 'A'; from the first byte that it is sent on it counts in the pages from 4
 * MiB to 6 MiB, and has the firmware configuration's device write to each page from 8 MiB to 12
 * MiB, which it touches itself never; it gives back each byte that it is sent. However fast it is,
 * that is less than half of the delta area: a live save converges. */
static const uint8_t busy[] = {
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    0x90, 0x90, 0x90, 0x90, 0x66, 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, /* mov dx,3f8h; mov al,'A';
                                                                         out dx,al */
    0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, /* mov dx,3fdh; w: in al,dx; test al,1 */
    0x74, 0xfb, 0x66, 0xba, 0xf8, 0x03,       /* jz w; mov dx,3f8h */
    0xec, 0xee,                               /* in al,dx; out dx,al */
    0xbf, 0x00, 0x00, 0x40, 0x00,             /* mov edi,400000h */
    0xbe, 0x00, 0x00, 0x80, 0x00,             /* mov esi,800000h */
    0xbb, 0x00, 0x00, 0x30, 0x00,             /* mov ebx,300000h */
    0x41, 0x89, 0x0f,                         /* l: inc ecx; mov [edi],ecx */
    0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,       /* add edi,1000h */
    0x81, 0xff, 0x00, 0x00, 0x60, 0x00,       /* cmp edi,600000h */
    0x72, 0x05, 0xbf, 0x00, 0x00, 0x40, 0x00, /* jb 1; mov edi,400000h */
    0xc7, 0x03, 0x00, 0x00, 0x00, 0x0a,       /* 1: [ebx]: select item 0, read */
    0xc7, 0x43, 0x04, 0x00, 0x00, 0x00, 0x04, /* 4 bytes */
    0xc7, 0x43, 0x08, 0x00, 0x00, 0x00, 0x00, /* to esi */
    0x89, 0xf0, 0x0f, 0xc8, 0x89, 0x43, 0x0c, /* mov eax,esi; bswap eax; mov [ebx+12],eax */
    0x66, 0xba, 0x14, 0x05, 0x31, 0xc0, 0xef, /* mov dx,514h; xor eax,eax; out dx,eax */
    0x66, 0xba, 0x18, 0x05, 0x89, 0xd8,       /* mov dx,518h; mov eax,ebx */
    0x0f, 0xc8, 0xef,                         /* bswap eax; out dx,eax */
    0x81, 0xc6, 0x00, 0x10, 0x00, 0x00,       /* add esi,1000h */
    0x81, 0xfe, 0x00, 0x00, 0xc0, 0x00,       /* cmp esi,c00000h */
    0x72, 0x05, 0xbe, 0x00, 0x00, 0x80, 0x00, /* jb 2; mov esi,800000h */
    0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, /* 2: mov dx,3fdh; in al,dx; test al,1 */
    0x74, 0xa3, 0x66, 0xba, 0xf8, 0x03,       /* jz l; mov dx,3f8h */
    0xec, 0xee, 0xeb, 0x9b,                   /* in al,dx; out dx,al; jmp l */
};

/* Each write and flush of a save fails in turn, carried out or not: the guest runs on, or is saved;
 * never both, and never neither. */
static void each_request_fails(bool carried_out)
{
    struct scene scene;
    unsigned first, saved = 0;

    if (!world_possible())
        return;
    scene_begin(&scene, scene_needed_bytes());
    scene_live(&scene, VMM_LIFE_COLD);
    world_wait(&scene.world, 1);
    scene_scribble(&scene, 5);
    for (unsigned n = 1;; n++) {
        first = area_server_ops(&scene.server);
        if (carried_out)
            scene.server.lose_at = first + n;
        else
            scene.server.fail_at = first + n;
        scene_save(&scene);
        saved = scene.outcome == VMM_SAVE_SAVED;
        if (saved)
            break;
        CU_ASSERT_TRUE(scene.outcome == VMM_SAVE_RUNS_ON || scene.outcome == VMM_SAVE_RESUMED);
        CU_ASSERT_TRUE(scene.error.reason[0] != '\0');
        CU_ASSERT_NOT_EQUAL(scene_verdict(&scene), STO_SAVED_WAITS);
        scene_check_echo(&scene, "e");
        scene.server.lose_at = scene.server.fail_at = 0;
    }
    CU_ASSERT_EQUAL(scene_verdict(&scene), STO_SAVED_WAITS);
    scene_keep_memory(&scene);
    scene_kill(&scene);
    scene_live(&scene, VMM_LIFE_RESTORE);
    CU_ASSERT_EQUAL(scene.begins, 1);
    scene_check_echo(&scene, "f");
    scene_kill(&scene);
    scene_end(&scene);
}

static void requests_fail(void)
{
    each_request_fails(false);
}

static void answers_are_lost(void)
{
    each_request_fails(true);
}

/* The busy guest, at work. */
static bool busy_scene(struct scene *scene)
{
    if (!world_possible())
        return false;
    scene_begin(scene, scene_needed_bytes());
    scene->code = busy;
    scene->code_bytes = sizeof(busy);
    scene_live(scene, VMM_LIFE_COLD);
    world_wait(&scene->world, 1);
    world_say(&scene->world, "s");
    world_wait(&scene->world, 2);
    return true;
}

static unsigned pages_with(const struct scene *scene, const char *text, unsigned from_mib,
                           unsigned to_mib)
{
    unsigned count = 0;

    for (unsigned at = from_mib << 20; at < to_mib << 20; at += PAGE)
        count += memcmp(scene->before + at, text, strlen(text)) == 0;
    return count;
}

/* While it runs: what it writes itself, and what a device writes for it, is all there. */
static void a_guest_at_work_is_saved(void)
{
    const struct vmm_saver_order live = { .live = true,
                                          .downtime_ms = 2000,
                                          .bandwidth_bytes_per_s = 64 << 20 };
    struct vmm_save_progress progress;
    struct scene scene;

    if (!busy_scene(&scene))
        return;
    for (unsigned i = 0; i < 3; i++) {
        const char letter[] = { (char)('a' + i), '\0' };

        CU_ASSERT_EQUAL_FATAL(scene_order(&scene, &live), 0);
        scene_check_echo(&scene, letter); /* it does not stand */
        while (scene.saves == i)
            qb_loop_run(scene.loop);
        CU_ASSERT_EQUAL_FATAL(scene.outcome, VMM_SAVE_SAVED);
        CU_ASSERT_EQUAL(vmm_life_progress(scene.life, &progress), 0);
        CU_ASSERT_TRUE(progress.round >= 1);
        scene_keep_memory(&scene);
        scene_kill(&scene);
        scene_live(&scene, VMM_LIFE_RESTORE); /* all of its memory is compared */
        CU_ASSERT_EQUAL_FATAL(scene.begins, 1);
        scene_check_echo(&scene, letter);
    }
    CU_ASSERT_TRUE(pages_with(&scene, "QEMU", 8, 12) > 0);
    scene_kill(&scene);
    scene_end(&scene);
}

/* Given up: it goes on, and can be saved again. */
static void a_save_is_cancelled(void)
{
    const struct vmm_saver_order live = { .live = true, .bandwidth_bytes_per_s = 1 << 20 };
    struct scene scene;

    if (!busy_scene(&scene))
        return;
    CU_ASSERT_EQUAL(vmm_life_cancel(scene.life), -ENOENT);
    CU_ASSERT_EQUAL_FATAL(scene_order(&scene, &live), 0);
    CU_ASSERT_EQUAL(scene_order(&scene, &live), -EBUSY);
    scene_turn(&scene);
    CU_ASSERT_EQUAL(vmm_life_cancel(scene.life), 0);
    while (scene.saves == 0)
        qb_loop_run(scene.loop);
    CU_ASSERT_EQUAL(scene.outcome, VMM_SAVE_RUNS_ON);
    CU_ASSERT_TRUE(scene_says(&scene, "cancelled"));
    scene_check_echo(&scene, "c");
    scene_turn(&scene);
    scene_save(&scene);
    CU_ASSERT_EQUAL(scene.outcome, VMM_SAVE_SAVED);
    scene_kill(&scene);
    scene_end(&scene);
}

/* The guest writes faster than the area takes it: that is told, and it goes on. */
static void it_does_not_converge(void)
{
    const struct vmm_saver_order live = {
        .live = true, .downtime_ms = 1, .budget_ms = 1, .bandwidth_bytes_per_s = 16 << 20
    };
    struct scene scene;

    if (!busy_scene(&scene))
        return;
    scene_save_by(&scene, &live);
    CU_ASSERT_EQUAL(scene.outcome, VMM_SAVE_RUNS_ON);
    CU_ASSERT_TRUE(scene_says(&scene, "did not converge"));
    scene_check_echo(&scene, "n");
    scene_kill(&scene);
    scene_end(&scene);
}

/*
 * The server goes before each write and flush of a save, with what was not flushed, and comes back:
 * the save goes on, or starts over, and what is saved is whole.
 */
static void the_server_leaves(void)
{
    struct scene scene;
    unsigned ops = UINT32_MAX;

    if (!world_possible())
        return;
    for (unsigned n = 1; n <= ops; n++) {
        const struct vmm_saver_order stop = { .live = false };

        scene_begin(&scene, scene_needed_bytes());
        scene_live(&scene, VMM_LIFE_COLD);
        world_wait(&scene.world, 1);
        scene_scribble(&scene, 10);
        scene.server.writes = scene.server.flushes = 0;
        scene.server.leave_at = n;
        CU_ASSERT_EQUAL_FATAL(scene_order(&scene, &stop), 0);
        while (scene.saves == 0) {
            qb_loop_run(scene.loop);
            if (scene.server.back == NULL)
                area_server_begin(&scene.server);
        }
        CU_ASSERT_EQUAL(scene.outcome, VMM_SAVE_SAVED);
        if (area_server_ops(&scene.server) < n)
            ops = 0; /* it did not leave: that was all of them */
        scene_keep_memory(&scene);
        scene_kill(&scene);
        scene.server.leave_at = 0;
        area_server_end(&scene.server); /* with what it did not flush */
        area_server_begin(&scene.server);
        scene_live(&scene, VMM_LIFE_RESTORE);
        CU_ASSERT_EQUAL(scene.begins, 1);
        scene_check_echo(&scene, "l");
        scene_kill(&scene);
        scene_end(&scene);
    }
}

/* It switches itself off while it is saved: nothing can be restored, and who holds it is told. */
static void it_ends_meanwhile(void)
{
    const struct vmm_saver_order live = { .live = true, .bandwidth_bytes_per_s = 1 << 20 };
    struct scene scene;

    if (!world_possible())
        return;
    for (unsigned i = 0; i < 2; i++) {
        scene_begin(&scene, scene_needed_bytes());
        scene_live(&scene, VMM_LIFE_COLD);
        world_wait(&scene.world, 1);
        scene_scribble(&scene, 500);
        CU_ASSERT_EQUAL_FATAL(scene_order(&scene, &live), 0);
        world_say(&scene.world, "!");
        world_wait(&scene.world, UINT32_MAX);
        vmm_life_machine_ended(scene.life, i == 0 ? VMM_MACHINE_POWER_OFF : VMM_MACHINE_RESET);
        while (scene.settled == 0)
            qb_loop_run(scene.loop);
        CU_ASSERT_EQUAL(scene.saves, 1);
        CU_ASSERT_EQUAL(scene.outcome, i == 0 ? VMM_SAVE_OFF : VMM_SAVE_RUNS_ON);
        CU_ASSERT_EQUAL(scene_verdict(&scene), STO_SAVED_CLEAN);
        scene_kill(&scene);
        scene_end(&scene);
    }
}

const struct unit_case unit_cases[] = {
    { "each request of a save fails", requests_fail },
    { "or its answer is lost", answers_are_lost },
    { "a guest at work is saved", a_guest_at_work_is_saved },
    { "a save is cancelled", a_save_is_cancelled },
    { "a save does not converge", it_does_not_converge },
    { "the server leaves during a save", the_server_leaves },
    { "the guest ends during a save", it_ends_meanwhile },
    { 0 },
};
