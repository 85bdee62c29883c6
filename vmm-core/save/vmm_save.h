/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saves a guest into hawser-state (vmm.md, "Saved state on the LUN"; doc/saved-state.md): live, in
 * rounds while the guest runs, or with the guest stopped, which is the same with zero rounds. A
 * machine without threads: it submits requests, and goes on when they end or it is told something.
 * It is the source's half of the rule that nothing runs twice: after COMMITTED was attempted the
 * guest runs again only when CONSUMED is durable in both slots; while the outcome is not known it
 * stays stopped until both slots have been read.
 */
#ifndef VMM_SAVE_H
#define VMM_SAVE_H

#include <stdbool.h>

#include "vmm-core/save/vmm_save_memory.h"
#include "vmm-core/save/vmm_save_needs.h"
#include "vmm-core/save/vmm_save_queue.h"
#include "vmm-core/save/vmm_save_tlv.h"

struct vmm_save;

enum {
    VMM_SAVE_TYPE_DEVICE = 1,  /* those of the machine (vmm_dev_ids.h) begin here, */
    VMM_SAVE_TYPE_NEEDS = 256, /* and end below: what the guest needs (vmm_save_needs.h) */
};

/* How a save ended. */
enum vmm_save_outcome {
    VMM_SAVE_SAVED,   /* durable; the guest stays stopped and must not run here any more */
    VMM_SAVE_RUNS_ON, /* failed or cancelled before anything could be restored; the guest runs */
    VMM_SAVE_RESUMED, /* given up after COMMITTED was attempted: CONSUMED in both, the guest runs */
    VMM_SAVE_OFF,     /* the guest powered itself off meanwhile: EMPTY */
    VMM_SAVE_LOST,    /* somebody else's header is there: the guest must not run here any more */
};

/* "saved" and so on. */
const char *vmm_save_outcome_name(enum vmm_save_outcome outcome);

/* A block that a lazy restore has not loaded yet: its state is carried over as it lies at home. */
struct vmm_save_carried {
    uint64_t hash;
    uint16_t nonzero;
    uint16_t delta; /* its pages that are not at home but in memory already */
};

/* What the machine wants of its guest. None of these blocks. */
struct vmm_save_guest {
    /* Begin or end to log dirty pages. 0 or -errno. */
    int (*track)(void *context, bool on);
    /*
     * Take (by exchange) what was logged since the last call and set these pages' bits in `bitmap`
     * (bit p % 64 of word p / 64): written by vCPUs, by the VMM, by the storage server, or
     * discarded. 0 or -errno.
     */
    int (*dirty)(void *context, uint64_t *bitmap);
    /* Stop vCPUs, drain and flush every LUN; then call vmm_save_paused(), now or later. */
    void (*pause)(void *context);
    /* Run again. */
    void (*resume)(void *context);
    /* Leave the vCPUs 100 - `percent` of their time. */
    void (*throttle)(void *context, unsigned percent);
    /* Write the device state as sections, when paused. 0 or -errno. */
    int (*state)(void *context, struct vmm_save_tlv_writer *writer);
    /* Is this block not loaded yet? Asked for each block when a save begins. */
    bool (*unloaded)(void *context, uint64_t block, struct vmm_save_carried *ret_carried);
    /* The save has ended; called once, and once more after vmm_save_resume(). */
    void (*ended)(void *context, enum vmm_save_outcome outcome, int rc);
    /* The outcome is not known: the guest is stopped until vmm_save_retry() gets an answer. */
    void (*frozen)(void *context, int rc);
    uint64_t (*now_ns)(void *context); /* of a clock that does not go back */
    /* Call vmm_save_wake() at this time. */
    void (*wake)(void *context, uint64_t at_ns);
    void *context;
};

struct vmm_save_options {
    uint8_t vm_uuid[16];
    uint16_t node;
    uint32_t owner_generation;
    uint32_t cpus;
    uint64_t area_bytes; /* size of hawser-state */
    uint64_t saved_s;    /* wall clock, for people */
    bool live;
    bool may_throttle;
    uint32_t downtime_ms;           /* aim of the pause; 0: 30 */
    uint32_t budget_ms;             /* a live save that takes longer did not converge; 0: 60 s */
    uint64_t bandwidth_bytes_per_s; /* while the guest runs; 0: no limit */
    const struct vmm_save_needs *needs; /* copied */
};

struct vmm_save_progress {
    const char *phase;
    unsigned round, throttle_percent, restarts;
    uint64_t written_bytes, round_bytes, left_pages, delta_pages;
    uint64_t pause_ns; /* from the order to pause until now, or until it was durable */
    uint64_t elapsed_ns;
};

/* How large the private part of memory has to be; 0: no such guest. */
uint64_t vmm_save_needed_bytes(uint64_t memory_bytes, uint32_t cpus);

/*
 * Begin. `memory`, `queue`, `guest` are copied, what they point to stays the caller's and outlives
 * the save; `part` is vmm_save_needed_bytes() of zeroed memory that the queue knows, the caller's.
 * 0; -EINVAL, -ERANGE: no such guest; -ENOSPC: the area is too small; -ENOMEM; -errno of the queue.
 * Then ended() is not called.
 */
int vmm_save_start(const struct vmm_save_options *options, const struct vmm_save_memory *memory,
                   uint8_t *part, const struct vmm_save_queue *queue,
                   const struct vmm_save_guest *guest, struct vmm_save **ret_save);
/* Free. Only when it has ended, or nothing will ever end (the queue is gone). NULL is allowed. */
void vmm_save_free(struct vmm_save *save);

/* The guest is stopped (rc 0), or could not be in time: the save fails and the guest is resumed. */
void vmm_save_paused(struct vmm_save *save, int rc);
/* It is time (guest->wake), or more may be submitted. */
void vmm_save_wake(struct vmm_save *save);
/* Give up, at any point. Ends with RUNS_ON or RESUMED, or with LOST or SAVED if it was too late. */
void vmm_save_cancel(struct vmm_save *save, int rc);
/* The guest powered itself off: ends with OFF. */
void vmm_save_power_off(struct vmm_save *save);
/* The storage answers again: read both slots and go on. Does nothing unless frozen. */
void vmm_save_retry(struct vmm_save *save);
/*
 * After SAVED: the guest is to run here after all (the target failed before CONSUMED and ownership
 * is back). Ends with RESUMED or LOST. -EINVAL: it is not saved.
 */
int vmm_save_resume(struct vmm_save *save);
/* How far it is. */
void vmm_save_progress(const struct vmm_save *save, struct vmm_save_progress *ret_progress);

#endif
