/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the first COMMITTED on: what was written may be restored by whoever owns the LUN. The guest
 * stays stopped. It runs again only after both slots were read, say that nobody took the state, and
 * hold CONSUMED, durable. As long as they cannot be read, it is frozen.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "vmm-core/save/vmm_save_priv.h"

static struct sto_saved header(const struct vmm_save *save)
{
    const struct sto_state_area *area = &save->geometry.area;
    struct sto_saved saved = {
        .state = STO_SAVED_COMMITTED,
        .memory_bytes = save->geometry.memory_bytes,
        .cpus = save->geometry.cpus,
        .memory_offset_bytes = area->memory_offset_bytes,
        .saved_s = save->options.saved_s,
    };
    const uint64_t table_bytes = save->geometry.chunks * VMM_SAVE_RECORD_BYTES;
    const uint64_t index_bytes = (uint64_t)save->delta.used * VMM_SAVE_DELTA_ENTRY_BYTES;

    memcpy(saved.vm_uuid, save->options.vm_uuid, sizeof(saved.vm_uuid));
    vmm_save_needs_digest(&save->needs, saved.digest);
    saved.table = (struct sto_saved_part) { area->table_offset_bytes[save->table_slot], table_bytes,
                                            XXH3_64bits(save->part.table, (size_t)table_bytes) };
    saved.delta =
        (struct sto_saved_part) { area->delta_offset_bytes, index_bytes,
                                  XXH3_64bits(save->part.delta_index, (size_t)index_bytes) };
    saved.sections =
        (struct sto_saved_part) { area->section_offset_bytes[save->table_slot], save->section_bytes,
                                  XXH3_64bits(save->part.sections, save->section_bytes) };
    return saved;
}

static void freeze(struct vmm_save *save, int rc)
{
    vmm_save_move(save, VMM_SAVE_PHASE_UNKNOWN);
    save->guest.frozen(save->guest.context, rc);
}

void vmm_save_commit(struct vmm_save *save)
{
    int rc;

    save->committed = header(save);
    vmm_save_move(save, VMM_SAVE_PHASE_COMMITTING);
    rc = vmm_save_slots_write(&save->slots, &save->committed);
    if (rc < 0)
        freeze(save, rc);
}

void vmm_save_review(struct vmm_save *save)
{
    int rc;

    vmm_save_move(save, VMM_SAVE_PHASE_REVIEWING);
    rc = vmm_save_slots_read(&save->slots);
    if (rc < 0)
        freeze(save, rc);
}

static void resume_guest(struct vmm_save *save)
{
    save->consuming = false;
    vmm_save_let_run(save);
    vmm_save_end(save, VMM_SAVE_RESUMED, save->rc);
}

/* CONSUMED into both slots; the guest runs when they are durable. */
static void consume(struct vmm_save *save)
{
    int rc;

    save->consuming = true;
    vmm_save_move(save, VMM_SAVE_PHASE_RESUMING);
#ifdef VMM_SAVE_MUTATE_RESUME_FIRST
    resume_guest(save);
    return;
#endif
    rc = vmm_save_slots_settle(&save->slots, STO_SAVED_CONSUMED);
    if (rc < 0)
        freeze(save, rc);
}

static bool is_mine(const struct vmm_save *save, const struct sto_saved *saved)
{
    return memcmp(saved->vm_uuid, save->options.vm_uuid, sizeof(saved->vm_uuid)) == 0 &&
           saved->node == save->options.node &&
           saved->owner_generation == save->options.owner_generation;
}

static bool same_part(const struct sto_saved_part *a, const struct sto_saved_part *b)
{
    return a->offset_bytes == b->offset_bytes && a->length_bytes == b->length_bytes &&
           a->hash == b->hash;
}

/* Does this header describe what was saved here? Each record of the table holds the generation of
 * its save, so that the tables of two saves differ. */
static bool is_this_state(const struct vmm_save *save, const struct sto_saved *saved)
{
#ifdef VMM_SAVE_MUTATE_ANY_CLAIM
    return true;
#endif
    return same_part(&saved->table, &save->committed.table) &&
           same_part(&saved->delta, &save->committed.delta) &&
           same_part(&saved->sections, &save->committed.sections);
}

/*
 * May this guest still run? `ret_committed`: the newest header is our COMMITTED. A header that is
 * not ours and newer means that somebody took the state, with one exception: a claim of this very
 * state, when we were given the LUN back, is of a restore that failed before it could run.
 */
static bool still_ours(const struct vmm_save *save, bool *ret_committed)
{
    const struct sto_saved *newest = &save->slots.look.saved;

    *ret_committed = false;
    switch (newest->state) {
    case STO_SAVED_COMMITTED:
        *ret_committed = is_mine(save, newest) && is_this_state(save, newest);
        return *ret_committed;
    case STO_SAVED_CLAIMED:
        return save->resume_wanted && is_this_state(save, newest);
    case STO_SAVED_CONSUMED:
        return save->consuming && is_mine(save, newest);
    case STO_SAVED_WRITING: /* COMMITTED was never carried out */
        return is_mine(save, newest) && newest->generation < save->generation;
    case STO_SAVED_EMPTY:
        return false;
    }
    return false;
}

/* Both slots have been read. */
static void decide(struct vmm_save *save)
{
    const struct sto_saved_look *look = &save->slots.look;
    bool committed;

    if (look->verdict == STO_SAVED_FOREIGN || (look->known && !still_ours(save, &committed))) {
        vmm_save_end(save, VMM_SAVE_LOST, -ESTALE);
    } else if (!look->known) { /* both damaged: who can tell whether somebody took it */
        freeze(save, -EBADMSG);
    } else if (committed && !save->resume_wanted && !save->cancelled && !save->consuming) {
        vmm_save_commit(save); /* it is there, and made durable by writing it once more */
    } else {
        consume(save);
    }
}

#ifdef VMM_SAVE_MUTATE_TABLE_LATE
static void table_written(struct vmm_save_op *op, int rc)
{
    (void)op, (void)rc;
}

static void write_table(struct vmm_save *save)
{
    struct vmm_save_request *request = &save->pool[0];

    request->bytes = 0;
    request->op =
        (struct vmm_save_op) { .io = VMM_SAVE_WRITE, .iov = request->iov, .done = table_written };
    if (vmm_save_piece_fill(save, VMM_SAVE_TABLE, request))
        (void)save->queue.submit(save->queue.context, &request->op);
}
#endif

void vmm_save_commit_done(struct vmm_save *save, int rc)
{
    switch (save->phase) {
    case VMM_SAVE_PHASE_COMMITTING:
        if (rc < 0) {
            freeze(save, rc);
            return;
        }
#ifdef VMM_SAVE_MUTATE_TABLE_LATE
        write_table(save);
#endif
        save->durable_ns = save->guest.now_ns(save->guest.context);
        vmm_save_move(save, VMM_SAVE_PHASE_SAVED);
        if (save->cancelled)
            vmm_save_review(save);
        else
            vmm_save_end(save, VMM_SAVE_SAVED, 0);
        return;
    case VMM_SAVE_PHASE_REVIEWING:
        if (rc < 0)
            freeze(save, rc);
        else
            decide(save);
        return;
    case VMM_SAVE_PHASE_RESUMING:
        if (rc < 0)
            freeze(save, rc);
        else
            resume_guest(save);
        return;
    default:
        return;
    }
}

void vmm_save_retry(struct vmm_save *save)
{
    if (save->phase == VMM_SAVE_PHASE_UNKNOWN)
        vmm_save_review(save);
}

int vmm_save_resume(struct vmm_save *save)
{
    if (save->phase != VMM_SAVE_PHASE_SAVED)
        return -EINVAL;
    save->resume_wanted = true;
    save->rc = 0;
    vmm_save_review(save);
    return 0;
}
