/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the unit tests of the saved state share: a disk, a guest on it, and a save run to its end.
 */
#ifndef SAVE_CASE_H
#define SAVE_CASE_H

#include <stdlib.h>
#include <string.h>

#include "tests/sim/save_disk.h"
#include "tests/sim/save_guest.h"
#include "tests/sim/save_reading.h"
#include "tests/unit/unit.h"

struct save_case {
    struct save_disk *disk;
    struct save_disk_user user;
    struct save_guest *guest;
    struct vmm_save_options options;
    uint8_t *part;
    unsigned run_pages, run_within; /* the guest writes so much at each step */
    uint64_t step_ns;               /* and so much time passes */
    unsigned steps;
};

static inline struct save_case save_case_new(uint64_t seed)
{
    struct save_case scene = { .disk = save_disk_new(save_guest_area_bytes(), seed),
                               .guest = save_guest_new(seed),
                               .run_within = SAVE_GUEST_PAGES,
                               .step_ns = 1000000 };

    scene.user = (struct save_disk_user) { .disk = scene.disk };
    scene.options = save_guest_options(scene.guest, 1, 16);
    scene.part = NULL;
    if (posix_memalign((void **)&scene.part, 4096,
                       (size_t)vmm_save_needed_bytes(SAVE_GUEST_BYTES, SAVE_GUEST_CPUS)) != 0)
        abort();
    memset(scene.part, 0, (size_t)vmm_save_needed_bytes(SAVE_GUEST_BYTES, SAVE_GUEST_CPUS));
    return scene;
}

static inline void save_case_free(struct save_case *scene)
{
    vmm_save_free(scene->guest->save);
    save_guest_free(scene->guest);
    save_disk_free(scene->disk);
    free(scene->part);
}

static inline int save_case_start(struct save_case *scene)
{
    struct vmm_save_memory memory = save_guest_memory(scene->guest);
    struct vmm_save_queue queue;
    struct vmm_save_guest guest = save_guest_callbacks(scene->guest);

    scene->user.disk = scene->disk;
    queue = save_disk_queue(&scene->user);
    vmm_save_free(scene->guest->save);
    scene->guest->save = NULL;
    scene->guest->ended = false;
    return vmm_save_start(&scene->options, &memory, scene->part, &queue, &guest,
                          &scene->guest->save);
}

/* One request ends, time passes, the guest runs. False: nothing is under way. */
static inline bool save_case_step(struct save_case *scene)
{
    struct save_guest *guest = scene->guest;
    bool going = save_disk_step(scene->disk);

    scene->steps++;
    guest->now_ns += scene->step_ns;
    save_guest_run(guest, scene->run_pages, scene->run_within);
    if (guest->wake_ns != 0) {
        if (!going)
            guest->now_ns = guest->wake_ns > guest->now_ns ? guest->wake_ns : guest->now_ns;
        if (guest->now_ns >= guest->wake_ns) {
            guest->wake_ns = 0;
            vmm_save_wake(guest->save);
        }
        going = true;
    }
    return going;
}

/* Until it has ended, or is frozen, or stuck. */
static inline void save_case_finish(struct save_case *scene)
{
    while (!scene->guest->ended && save_case_step(scene))
        ;
}

static inline void save_case_peek(void *context, uint64_t offset, void *bytes, size_t size)
{
    save_disk_peek(context, offset, bytes, size);
}

/* Is the state on the disk the guest as it was when it stopped? NULL, or what is wrong. */
static inline const char *save_case_wrong(const struct save_case *scene, uint32_t *ret_delta_pages)
{
    struct save_reading reading;
    const char *wrong = save_reading_take(save_case_peek, scene->disk, &reading);

    if (wrong == NULL &&
        memcmp(reading.memory, scene->guest->stopped_memory, SAVE_GUEST_BYTES) != 0)
        wrong = "memory";
    if (ret_delta_pages != NULL)
        *ret_delta_pages = reading.delta_pages;
    save_reading_free(&reading);
    return wrong;
}

/* What the slots say. */
static inline enum sto_saved_verdict save_case_verdict(const struct save_case *scene)
{
    uint8_t slots[2][512];
    struct sto_saved_look look;

    save_disk_peek(scene->disk, 0, slots[0], 512);
    save_disk_peek(scene->disk, 512 * 1024, slots[1], 512);
    sto_saved_judge(slots[0], slots[1], &look);
    return look.verdict;
}

/* It was saved, durably and rightly. */
static inline void save_case_check_saved(struct save_case *scene)
{
    const char *wrong = save_case_wrong(scene, NULL);

    CU_ASSERT_TRUE(scene->guest->ended && scene->guest->outcome == VMM_SAVE_SAVED);
    CU_ASSERT_FALSE(scene->guest->running);
    CU_ASSERT_PTR_NULL(wrong);
    CU_ASSERT_EQUAL(save_disk_unflushed(scene->disk), 0);
}

/* Write a header as somebody else does, of the same state or (`other`) of another one. */
static inline void save_case_write_of(struct save_case *scene, enum sto_saved_state state,
                                      uint16_t node, bool other)
{
    uint8_t slots[2][512];
    struct sto_saved_look look;
    struct sto_saved next;
    unsigned slot;

    save_disk_peek(scene->disk, 0, slots[0], 512);
    save_disk_peek(scene->disk, 512 * 1024, slots[1], 512);
    sto_saved_judge(slots[0], slots[1], &look);
    next = sto_saved_next(&look, state, &slot);
    next.node = node;
    next.table.hash ^= other ? 1 : 0;
    sto_saved_encode(&next, slots[slot]);
    for (unsigned i = 0; i < 512; i++) {
        uint8_t old;

        save_disk_peek(scene->disk, slot * 512 * 1024 + i, &old, 1);
        for (unsigned bit = 0; bit < 8; bit++)
            if ((old ^ slots[slot][i]) >> bit & 1)
                save_disk_flip(scene->disk, slot * 512 * 1024 + i, bit);
    }
}

static inline void save_case_write_as(struct save_case *scene, enum sto_saved_state state,
                                      uint16_t node)
{
    save_case_write_of(scene, state, node, false);
}

#endif
