/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Header slots over a queue. A step machine: each completion begins the next step. */
#include "config.h"

#include "vmm-core/save/vmm_save_slots.h"

#include <errno.h>
#include <string.h>

/* Target restarts in a row that are put up with while one header is written. */
enum { TRIES_MAX = 8 };

/* What is judged in place of a slot that cannot be read: neither a header nor one never written. */
#ifdef VMM_SAVE_MUTATE_UNREADABLE_EMPTY /* only in mutants, which have to be found out */
enum { UNREADABLE = 0, UNREADABLE_RC = 0 };
#else
enum { UNREADABLE = 0xff, UNREADABLE_RC = -EIO };
#endif

static void on_done(struct vmm_save_op *op, int rc);

void vmm_save_slots_init(struct vmm_save_slots *slots, const struct vmm_save_queue *queue,
                         const struct vmm_save_geometry *geometry,
                         const struct vmm_save_private *part, uint16_t node,
                         uint32_t owner_generation, void (*done)(void *context, int rc),
                         void *context)
{
    *slots = (struct vmm_save_slots) { .queue = queue, .done = done, .context = context };
    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++) {
        slots->offset_bytes[i] = geometry->area.header_offset_bytes[i];
        slots->slot[i] = part->slot[i];
    }
    slots->header = part->header;
    slots->stamp.node = node;
    slots->stamp.owner_generation = owner_generation;
}

static int submit(struct vmm_save_slots *slots, enum vmm_save_slots_step step, enum vmm_save_io io,
                  uint8_t *memory)
{
    int rc;

    slots->iov = (struct iovec) { .iov_base = memory, .iov_len = VMM_SAVE_PAGE_BYTES };
    slots->op = (struct vmm_save_op) {
        .io = io,
        .offset_bytes = io == VMM_SAVE_FLUSH ? 0 : slots->offset_bytes[slots->at],
        .iov = io == VMM_SAVE_FLUSH ? NULL : &slots->iov,
        .iov_count = io == VMM_SAVE_FLUSH ? 0 : 1,
        .done = on_done,
        .context = slots,
    };
    slots->step = step;
    rc = slots->queue->submit(slots->queue->context, &slots->op);
    if (rc < 0)
        slots->step = VMM_SAVE_SLOTS_IDLE;
    return rc;
}

static void finish(struct vmm_save_slots *slots, int rc)
{
    slots->step = VMM_SAVE_SLOTS_IDLE;
    slots->done(slots->context, rc);
}

int vmm_save_slots_read(struct vmm_save_slots *slots)
{
    slots->at = 0;
    memset(slots->unreadable, 0, sizeof(slots->unreadable));
    return submit(slots, VMM_SAVE_SLOTS_READING, VMM_SAVE_READ, slots->slot[0]);
}

/* A slot that could not be read is judged as one that is damaged. */
static void judge(struct vmm_save_slots *slots)
{
    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++)
        if (slots->unreadable[i])
            memset(slots->slot[i], UNREADABLE, STO_SAVED_BYTES);
    sto_saved_judge(slots->slot[0], slots->slot[1], &slots->look);
}

static int read_next(struct vmm_save_slots *slots, int rc)
{
    slots->unreadable[slots->at] = rc < 0;
    if (++slots->at < STO_SAVED_SLOTS)
        return submit(slots, VMM_SAVE_SLOTS_READING, VMM_SAVE_READ, slots->slot[slots->at]);
    judge(slots);
    finish(slots, slots->unreadable[0] || slots->unreadable[1] ? UNREADABLE_RC : 0);
    return 0;
}

static int write_header(struct vmm_save_slots *slots)
{
    slots->restarts = slots->queue->restarts(slots->queue->context);
    return submit(slots, VMM_SAVE_SLOTS_WRITING, VMM_SAVE_WRITE, slots->header);
}

static int begin_write(struct vmm_save_slots *slots, const struct sto_saved *saved)
{
    struct sto_saved place = sto_saved_next(&slots->look, saved->state, &slots->at);

    if (place.generation == 0)
        return -EOVERFLOW;
    slots->next = *saved;
    slots->next.generation = place.generation;
    slots->next.minor = STO_SAVED_MINOR;
    slots->next.node = slots->stamp.node;
    slots->next.owner_generation = slots->stamp.owner_generation;
    sto_saved_encode(&slots->next, slots->header);
    slots->tries = 0;
    return write_header(slots);
}

int vmm_save_slots_write(struct vmm_save_slots *slots, const struct sto_saved *saved)
{
    slots->left = 0;
    return begin_write(slots, saved);
}

int vmm_save_slots_settle(struct vmm_save_slots *slots, enum sto_saved_state state)
{
    struct sto_saved saved = slots->look.known ? slots->look.saved : (struct sto_saved) { 0 };

    saved.state = state;
#ifdef VMM_SAVE_MUTATE_CONSUMED_ONCE
    slots->left = 0;
#else
    slots->left = STO_SAVED_SLOTS - 1;
#endif
    return begin_write(slots, &saved);
}

unsigned vmm_save_slots_next(const struct vmm_save_slots *slots)
{
    unsigned slot;

    (void)sto_saved_next(&slots->look, STO_SAVED_EMPTY, &slot);
    return slot;
}

/* The header is durable: the slots look so now. */
static int written(struct vmm_save_slots *slots)
{
    if (slots->queue->restarts(slots->queue->context) != slots->restarts) {
        if (++slots->tries > TRIES_MAX)
            return -EIO;
        return write_header(slots);
    }
    memcpy(slots->slot[slots->at], slots->header, STO_SAVED_BYTES);
    slots->unreadable[slots->at] = false;
    judge(slots);
    if (slots->left > 0) {
        slots->left--;
        return begin_write(slots, &slots->next);
    }
    finish(slots, 0);
    return 0;
}

/* Is the flush after this header left out? Only in mutants, which have to be found out. */
static bool flush_is_cut(const struct vmm_save_slots *slots)
{
#if defined(VMM_SAVE_MUTATE_NO_HEADER_FLUSH)
    return (int)slots->next.state == VMM_SAVE_MUTATE_NO_HEADER_FLUSH &&
           (slots->next.state != STO_SAVED_CONSUMED || slots->left == VMM_SAVE_MUTATE_LEFT);
#else
    (void)slots;
    return false;
#endif
}

static void on_done(struct vmm_save_op *op, int rc)
{
    struct vmm_save_slots *slots = op->context;

    switch (slots->step) {
    case VMM_SAVE_SLOTS_READING:
        rc = read_next(slots, rc);
        break;
    case VMM_SAVE_SLOTS_WRITING:
        if (rc == 0)
            rc = flush_is_cut(slots) ? written(slots)
                                     : submit(slots, VMM_SAVE_SLOTS_FLUSHING, VMM_SAVE_FLUSH, NULL);
        break;
    case VMM_SAVE_SLOTS_FLUSHING:
        if (rc == 0)
            rc = written(slots);
        break;
    case VMM_SAVE_SLOTS_IDLE:
        break;
    }
    if (rc < 0)
        finish(slots, rc);
}
