/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two header slots, read and written over a queue: the one place where headers are written, and
 * where the rule stands that a header is a WRITE, then a FLUSH, alone in the queue (virtio-blk has
 * no FUA), into the slot that the newest one is not in. If the target restarted in between it is
 * done again. One call is under way at a time.
 */
#ifndef VMM_SAVE_SLOTS_H
#define VMM_SAVE_SLOTS_H

#include <stdbool.h>

#include "storage/sto_saved.h"
#include "vmm-core/save/vmm_save_memory.h"
#include "vmm-core/save/vmm_save_queue.h"

/* What is done with the slots. Private to this file's functions. */
enum vmm_save_slots_step {
    VMM_SAVE_SLOTS_IDLE,
    VMM_SAVE_SLOTS_READING,
    VMM_SAVE_SLOTS_WRITING,
    VMM_SAVE_SLOTS_FLUSHING,
};

struct vmm_save_slots {
    const struct vmm_save_queue *queue;
    uint64_t offset_bytes[STO_SAVED_SLOTS];
    uint8_t *slot[STO_SAVED_SLOTS], *header; /* of the private part */
    struct sto_saved_look look;              /* what was read, and written since */
    bool unreadable[STO_SAVED_SLOTS];        /* reading it failed: counts as damaged */
    void (*done)(void *context, int rc);
    void *context;
    /* of the call under way */
    enum vmm_save_slots_step step;
    struct vmm_save_op op;
    struct iovec iov;
    unsigned at;            /* slot that is read or written */
    unsigned left;          /* headers still to be written after this one */
    struct sto_saved next;  /* the header that is written */
    struct sto_saved stamp; /* who writes: node and ownership generation */
    uint64_t restarts;
    unsigned tries;
};

/* Slots over a queue; `node` and `owner_generation` go into what is written. */
void vmm_save_slots_init(struct vmm_save_slots *slots, const struct vmm_save_queue *queue,
                         const struct vmm_save_geometry *geometry,
                         const struct vmm_save_private *part, uint16_t node,
                         uint32_t owner_generation, void (*done)(void *context, int rc),
                         void *context);
/*
 * Read both slots and judge them into `look`. `done` gets 0; -EIO: at least one could not be read
 * (`unreadable`); `look` is filled all the same. Returns 0 or -errno of the queue.
 */
int vmm_save_slots_read(struct vmm_save_slots *slots);
/*
 * Write a header: `saved`, with the next generation, into the slot that the newest is not in, and
 * flush. On failure `done` gets -errno and what is on the LUN is not known: read again.
 */
int vmm_save_slots_write(struct vmm_save_slots *slots, const struct sto_saved *saved);
/* Write headers of `state` into both slots, one after the other, each flushed. */
int vmm_save_slots_settle(struct vmm_save_slots *slots, enum sto_saved_state state);
/* The slot that the next header goes into. */
unsigned vmm_save_slots_next(const struct vmm_save_slots *slots);

#endif
