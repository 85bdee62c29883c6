/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of the tests' own for the machines of vmm-core/save: memory that it dirties while it
 * runs, a log of what it dirtied, device state in three sections, and a clock of its own. What it
 * held when it was stopped is kept to compare with.
 */
#ifndef SAVE_GUEST_H
#define SAVE_GUEST_H

#include "common/hw_prng.h"
#include "vmm-core/save/vmm_save.h"

#ifndef SAVE_GUEST_MIB
#define SAVE_GUEST_MIB 4 /* 2 at least, for both ranges */
#endif

enum {
    SAVE_GUEST_BYTES = SAVE_GUEST_MIB << 20,
    SAVE_GUEST_LOW_BYTES = 1 << 20, /* of the first range */
    SAVE_GUEST_PAGES = SAVE_GUEST_BYTES / 4096,
    SAVE_GUEST_CPUS = 1,
};

struct save_guest {
    uint8_t *memory; /* SAVE_GUEST_BYTES, page-aligned */
    bool borrowed;   /* it is somebody else's */
    struct vmm_save_range ranges[2];
    uint64_t dirty[SAVE_GUEST_PAGES / 64];
    bool data[SAVE_GUEST_PAGES]; /* the page was ever written: the memfd has data there */
    bool tracking, running, state_fails, pause_waits, off;
    int pause_rc;
    unsigned throttle_percent, throttle_most;
    uint64_t beats; /* device state: how long it ran */
    uint64_t now_ns, wake_ns;
    struct hw_prng prng;
    /* when it was stopped */
    uint8_t *stopped_memory;
    uint64_t stopped_beats, pauses, resumes;
    /* what the machine told */
    struct vmm_save *save;
    bool ended, pausing;
    unsigned frozen;
    enum vmm_save_outcome outcome;
    int rc;
    /* blocks that count as not loaded */
    bool unloaded[SAVE_GUEST_PAGES / 16];
    struct vmm_save_carried carried[SAVE_GUEST_PAGES / 16];
    struct vmm_save_needs needs;
};

/* A running guest with some memory. Aborts without memory. */
struct save_guest *save_guest_new(uint64_t seed);
/* A running guest on this memory, the caller's, that was restored: it ran for `beats` before. */
struct save_guest *save_guest_over(uint8_t *memory, uint64_t beats, uint64_t seed);
void save_guest_free(struct save_guest *guest);
/* It runs a little: `pages` pages are written, at random or within the first `within` pages. */
void save_guest_run(struct save_guest *guest, unsigned pages, unsigned within);
/* Write to a page, logged. */
void save_guest_write(struct save_guest *guest, unsigned page, uint64_t value);
/* It is `pausing`, and has stopped now: the machine is told. */
void save_guest_stop(struct save_guest *guest);
/* Give a page back (balloon): a hole, logged. */
void save_guest_discard(struct save_guest *guest, unsigned page);
/* What the machines see of it. */
struct vmm_save_memory save_guest_memory(struct save_guest *guest);
struct vmm_save_guest save_guest_callbacks(struct save_guest *guest);
/* Options for a save of it into an area that fits. */
struct vmm_save_options save_guest_options(struct save_guest *guest, uint16_t node,
                                           uint32_t owner_generation);
/* Size of the area that fits. */
uint64_t save_guest_area_bytes(void);
/* The needs that it has. */
void save_guest_needs(struct vmm_save_needs *ret_needs);

#endif
