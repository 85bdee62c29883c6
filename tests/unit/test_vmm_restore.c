/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/save/vmm_restore, with vmm-core/save/vmm_restore_read and
 * vmm-core/save/vmm_restore_fault: what was saved comes back, consumed before it runs; what must
 * not be restored is refused and nothing runs; a flipped bit anywhere is refused with its place;
 * failed requests, lost answers.
 */
#include <config.h>

#include "vmm-core/save/vmm_restore.h"

#include "tests/sim/save_target.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/save_case.h"
#include "tests/unit/unit.h"

#include <errno.h>

/* A guest that was saved live, with pages in the delta area. */
static struct save_case saved_case(uint64_t seed)
{
    struct save_case scene = save_case_new(seed);

    scene.options.live = true;
    scene.run_pages = 4;
    scene.run_within = 200;
    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    save_case_check_saved(&scene);
    return scene;
}

static bool came_back(const struct save_case *scene, const struct save_target *target)
{
    return target->running &&
           memcmp(target->memory, scene->guest->stopped_memory, SAVE_GUEST_BYTES) == 0 &&
           target->beats == scene->guest->stopped_beats;
}

static void comes_back(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct save_case scene = saved_case(seed);
        struct save_target *target = save_target_run(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER);
        struct vmm_restore_progress progress;

        CU_ASSERT_TRUE(target->ended && target->rc == 0 && target->frozen == 0);
        CU_ASSERT_TRUE(came_back(&scene, target));
        CU_ASSERT_EQUAL(target->loads, 2); /* the optional one is not known */
        CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
        CU_ASSERT_EQUAL(save_disk_unflushed(scene.disk), 0);
        vmm_restore_progress(target->restore, &progress);
        CU_ASSERT_TRUE(progress.blocks_left == 0 && progress.blocks == target->blocks);
        CU_ASSERT_TRUE(progress.delta_pages > 0);
        save_target_free(target);
        /* once only */
        target = save_target_run(scene.disk, 0, 3, 48, VMM_RESTORE_EAGER);
        CU_ASSERT_TRUE(target->ended && target->rc == -ENOENT && !target->running);
        save_target_free(target);
        save_case_free(&scene);
    }
}

/* Refused with `rc`: nothing runs, and the state is as it was or claimed. */
static void check_refused(struct save_case *scene, struct save_target *target, int rc)
{
    CU_ASSERT_EQUAL(save_target_start(target), 0);
    save_target_finish(target);
    CU_ASSERT_TRUE(target->ended && !target->running);
    CU_ASSERT_EQUAL(target->rc, rc);
    CU_ASSERT_EQUAL(target->loads, 0);
    CU_ASSERT_EQUAL(save_case_verdict(scene), STO_SAVED_WAITS);
    save_target_free(target);
}

static void refuses_what_does_not_fit(void)
{
    struct save_case scene = saved_case(30);
    struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER);
    uint64_t written = scene.disk->bytes_written;

    target->options.vm_uuid[0] = 9;
    check_refused(&scene, target, -EXDEV);
    target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);
    target->ranges[1].bytes -= 1 << 20;
    check_refused(&scene, target, -EMSGSIZE);
    target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER);
    target->options.cpus = 2;
    target->options.area_bytes += 1 << 20;
    free(target->part);
    target->part = calloc(1, (size_t)vmm_save_needed_bytes(SAVE_GUEST_BYTES, 2));
    check_refused(&scene, target, -EMSGSIZE);
    check_refused(&scene, save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_COLD), -EBUSY);
    CU_ASSERT_EQUAL(scene.disk->bytes_written, written);
    save_case_free(&scene);
}

static void refuses_a_weaker_host(void)
{
    struct save_case scene = saved_case(31);
    struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER);

    for (unsigned i = 0; i < target->has.count; i++)
        if (target->has.items[i].kind == VMM_SAVE_NEED_CPUID)
            target->has.items[i].value &= ~UINT64_C(0x10);
    CU_ASSERT_EQUAL(save_target_start(target), 0);
    save_target_finish(target);
    CU_ASSERT_TRUE(target->rc == -ENOTSUP && !target->running && target->loads == 0);
    CU_ASSERT_EQUAL(target->fault.missing.kind, VMM_SAVE_NEED_CPUID);
    save_target_free(target);
    target = save_target_run(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER); /* still there */
    CU_ASSERT_TRUE(came_back(&scene, target));
    save_target_free(target);
    save_case_free(&scene);
}

static void refuses_with_its_devices(void)
{
    struct save_case scene = saved_case(32);
    struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_LAZY);

    target->refuse_type = VMM_SAVE_TYPE_DEVICE + 1;
    CU_ASSERT_EQUAL(save_target_start(target), 0);
    save_target_finish(target);
    CU_ASSERT_TRUE(target->ended && target->rc == -EIO && !target->running);
    CU_ASSERT_TRUE(target->fault.part == VMM_RESTORE_PART_SECTIONS && target->fault.instance == 3);
    CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_WAITS);
    save_target_free(target);
    save_case_free(&scene);
}

static void starts_cold(void)
{
    struct save_case scene = saved_case(33);
    struct save_target *target = save_target_run(scene.disk, 0, 2, 32, VMM_RESTORE_DISCARD);

    CU_ASSERT_TRUE(target->running && target->rc == 0 && target->loads == 0);
    CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
    CU_ASSERT_EQUAL(save_disk_unflushed(scene.disk), 0);
    save_target_free(target);
    target = save_target_run(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER);
    CU_ASSERT_TRUE(target->rc == -ENOENT && !target->running);
    save_target_free(target);
    for (unsigned damage = 0; damage < 3;
         damage++) { /* damaged slots do not keep it from starting */
        if (damage > 0)
            save_disk_flip(scene.disk, (damage - 1) * 512 * 1024 + 100, 3);
        target = save_target_run(scene.disk, 0, 2, 32, VMM_RESTORE_COLD);
        CU_ASSERT_TRUE(target->running && target->rc == 0);
        CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
        save_target_free(target);
    }
    save_case_free(&scene);
}

/* Restore with this bit flipped; the fault must be there. */
static void check_flip(struct save_case *scene, uint64_t offset, unsigned bit,
                       enum vmm_restore_part part)
{
    struct save_target *target = save_target_new(scene->disk, 0, 2, 32, VMM_RESTORE_VERIFY);
    char text[VMM_RESTORE_FAULT_TEXT_BYTES];

    save_disk_flip(scene->disk, offset, bit);
    CU_ASSERT_EQUAL(save_target_start(target), 0);
    save_target_finish(target);
    CU_ASSERT_TRUE(target->ended && !target->running);
    CU_ASSERT_EQUAL(target->rc, -EBADMSG);
    CU_ASSERT_EQUAL(target->fault.part, part);
    /* an entry of the index that names another's page: either of them is told */
    CU_ASSERT_TRUE((target->fault.offset_bytes <= offset || part == VMM_RESTORE_PART_INDEX) &&
                   offset < target->fault.offset_bytes + 65536);
    CU_ASSERT_PTR_NOT_NULL(strstr(vmm_restore_fault_text(&target->fault, text), "hawser-state"));
    save_target_free(target);
    target = save_target_run(scene->disk, 0, 2, 32, VMM_RESTORE_EAGER);
    CU_ASSERT_TRUE(target->ended && target->rc == -EBADMSG && !target->running);
    save_target_free(target);
    save_disk_flip(scene->disk, offset, bit);
}

static void refuses_flipped_bits(void)
{
    struct save_case scene = saved_case(34);
    struct vmm_save_geometry geometry;
    struct save_reading reading;
    const struct sto_saved *saved = &reading.look.saved;
    struct hw_prng prng = hw_prng_seeded(34);
    uint32_t slots;

    CU_ASSERT_EQUAL(vmm_save_geometry_plan(SAVE_GUEST_BYTES, 1, UINT64_MAX, &geometry), 0);
    CU_ASSERT_PTR_NULL(save_reading_take(save_case_peek, scene.disk, &reading));
    slots = (uint32_t)(saved->delta.length_bytes / 16);
    for (uint64_t at = 0; at < saved->table.length_bytes; at += 13)
        check_flip(&scene, saved->table.offset_bytes + at, (unsigned)(at % 8),
                   VMM_RESTORE_PART_TABLE);
    for (uint64_t at = 0; at < saved->sections.length_bytes; at += 97)
        check_flip(&scene, saved->sections.offset_bytes + at, (unsigned)(at % 8),
                   VMM_RESTORE_PART_SECTIONS);
    for (uint64_t at = 0; at < saved->delta.length_bytes; at += 5)
        check_flip(&scene, saved->delta.offset_bytes + at, (unsigned)(at % 8),
                   VMM_RESTORE_PART_INDEX);
    for (uint32_t slot = 0; slot < slots; slot++)
        if (vmm_save_slot_offset(&geometry, slot) != 0 && slot % 3 == 0)
            check_flip(&scene, vmm_save_slot_offset(&geometry, slot) + hw_prng_below(&prng, 4096),
                       1, VMM_RESTORE_PART_DELTA);
    save_reading_free(&reading);
    save_case_free(&scene);
}

/* Every page that is at home: its block is named. */
static void refuses_flipped_bits_of_memory(void)
{
    struct save_case scene = save_case_new(35);
    struct vmm_save_geometry geometry;
    struct hw_prng prng = hw_prng_seeded(35);

    CU_ASSERT_EQUAL(save_case_start(&scene), 0);
    save_case_finish(&scene);
    CU_ASSERT_EQUAL(vmm_save_geometry_plan(SAVE_GUEST_BYTES, 1, UINT64_MAX, &geometry), 0);
    for (unsigned page = 0; page < SAVE_GUEST_PAGES; page += 3) {
        const uint8_t *memory = scene.guest->stopped_memory + (size_t)page * 4096;

        if (vmm_save_scan_block(memory, 1) != 0)
            check_flip(&scene, vmm_save_home_offset(&geometry, page) + hw_prng_below(&prng, 4096),
                       (unsigned)hw_prng_below(&prng, 8), VMM_RESTORE_PART_MEMORY);
    }
    save_case_free(&scene);
}

static void refuses_damaged_headers(void)
{
    for (unsigned slot = 0; slot < 2; slot++) {
        for (unsigned bit = 0; bit < 512 * 8; bit += 7) {
            struct save_case scene = save_case_new(36);
            struct save_target *target;

            scene.guest->data[0] = true;
            CU_ASSERT_EQUAL(save_case_start(&scene), 0);
            save_case_finish(&scene);
            save_disk_flip(scene.disk, slot * 512 * 1024 + bit / 8, bit % 8);
            target = save_target_run(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER);
            CU_ASSERT_TRUE(target->ended && target->rc == -EBADMSG && !target->running);
            CU_ASSERT_TRUE(target->fault.part == VMM_RESTORE_PART_HEADER &&
                           target->fault.number == slot);
            save_target_free(target);
            save_case_free(&scene);
            bit += 8 * 30;
        }
    }
}

/* A slot that cannot be read: no restore; a cold start is possible. */
static void refuses_unreadable_headers(void)
{
    for (unsigned slot = 0; slot < 2; slot++) {
        struct save_case scene = saved_case(37);
        struct save_target *target;

        scene.disk->unreadable = slot * 128;
        target = save_target_run(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER);
        CU_ASSERT_TRUE(target->ended && target->rc == -EIO && !target->running);
        CU_ASSERT_EQUAL(target->fault.number, slot);
        save_target_free(target);
        target = save_target_run(scene.disk, 0, 2, 32, VMM_RESTORE_COLD);
        CU_ASSERT_TRUE(target->ended && target->rc == 0 && target->running);
        save_target_free(target);
        scene.disk->unreadable = UINT64_MAX;
        CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
        save_case_free(&scene);
    }
}

/* Each request in turn fails, with or without effect: refused, or frozen and then it goes on. */
static void survives_failed_requests(void)
{
    for (unsigned kind = 0; kind < 6; kind++) {
        const enum vmm_restore_mode modes[] = { VMM_RESTORE_EAGER, VMM_RESTORE_LAZY,
                                                VMM_RESTORE_DISCARD };
        const enum vmm_restore_mode mode = modes[kind / 2];

        for (uint64_t at = 1;; at++) {
            struct save_case scene = saved_case(38);
            struct save_target *target = save_target_new(scene.disk, 0, 2, 32, mode);
            uint64_t *fault = kind % 2 == 0 ? &scene.disk->fail_op : &scene.disk->lose_op;
            uint64_t before = scene.disk->ops;

            *fault = before + at;
            CU_ASSERT_EQUAL(save_target_start(target), 0);
            save_target_finish(target);
            if (!target->ended) {
                CU_ASSERT_EQUAL(target->frozen, 1);
                vmm_restore_retry(target->restore);
                save_target_finish(target);
            }
            CU_ASSERT_TRUE(target->ended);
            if (target->running) {
                CU_ASSERT_TRUE(mode == VMM_RESTORE_DISCARD || came_back(&scene, target));
                CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_CLEAN);
            } else {
                CU_ASSERT_EQUAL(save_case_verdict(&scene), STO_SAVED_WAITS);
            }
            before = scene.disk->ops - before;
            save_target_free(target);
            save_case_free(&scene);
            if (before < at)
                break;
        }
    }
}

static void fails_allocations(void)
{
    struct save_case scene = saved_case(39);

    for (unsigned n = 0;; n++) {
        struct save_target *target = save_target_new(scene.disk, 0, 2, 32, VMM_RESTORE_EAGER);
        int rc;

        fail_alloc_arm(n);
        rc = save_target_start(target);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            save_target_finish(target);
            CU_ASSERT_TRUE(came_back(&scene, target));
            save_target_free(target);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        save_target_free(target);
    }
    save_case_free(&scene);
}

const struct unit_case unit_cases[] = {
    { "what was saved comes back, once", comes_back },
    { "another VM's, another size, a cold start", refuses_what_does_not_fit },
    { "a host that lacks something", refuses_a_weaker_host },
    { "a device that refuses its state", refuses_with_its_devices },
    { "discarded, and cold", starts_cold },
    { "flipped bits of table, sections, index, delta", refuses_flipped_bits },
    { "flipped bits of memory", refuses_flipped_bits_of_memory },
    { "flipped bits of headers", refuses_damaged_headers },
    { "headers that cannot be read", refuses_unreadable_headers },
    { "any request fails", survives_failed_requests },
    { "no memory", fails_allocations },
    { 0 },
};
