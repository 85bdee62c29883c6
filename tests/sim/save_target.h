/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of a move, for tests: a host that restores what a save_guest saved, or starts it
 * cold, and remembers what the machine told it.
 */
#ifndef SAVE_TARGET_H
#define SAVE_TARGET_H

#include "tests/sim/save_disk.h"
#include "tests/sim/save_guest.h"
#include "vmm-core/save/vmm_restore.h"

enum { SAVE_TARGET_BLOCKS = SAVE_GUEST_PAGES / 16 };

struct save_target {
    struct save_disk_user user;
    struct vmm_restore_options options;
    struct vmm_save_needs has;
    uint8_t *memory, *part;
    struct vmm_save_range ranges[2];
    struct vmm_restore *restore;
    uint64_t populated[SAVE_TARGET_BLOCKS / 64 + 1];
    /* told by the machine */
    bool running, ended;
    unsigned frozen, blocks, loads;
    int rc;
    struct vmm_restore_fault fault;
    uint64_t beats; /* loaded from the device state */
    uint64_t block_order[SAVE_TARGET_BLOCKS];
    uint32_t refuse_type; /* this section's load fails */
    void (*on_ready)(void *context);
    void *context;
};

/* A target on this disk, as this node and holder. Aborts without memory. */
struct save_target *save_target_new(struct save_disk *disk, unsigned holder, uint16_t node,
                                    uint32_t owner_generation, enum vmm_restore_mode mode);
void save_target_free(struct save_target *target);
/* Begin; what vmm_restore_start() says. */
int save_target_start(struct save_target *target);
/* Step the disk until the target has ended, is frozen, or nothing goes on any more. */
void save_target_finish(struct save_target *target);
/* A new target, run to its end, freed by the caller. */
struct save_target *save_target_run(struct save_disk *disk, unsigned holder, uint16_t node,
                                    uint32_t owner_generation, enum vmm_restore_mode mode);

#endif
