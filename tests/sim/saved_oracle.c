/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracles of the saved state. The guest counts how often it ran, and so does its disk: memory that
 * is behind its disk must never run again. What was reported saved restores, exactly; what a cut
 * left half restores never; while the guest runs, no cut and no loss of one slot may leave a state
 * that waits; a refusal has its reason.
 */
#include "config.h"

#include "tests/sim/saved_world.h"

#include <errno.h>
#include <string.h>

enum { BLOCKS = SAVE_GUEST_PAGES / 16, BLOCK_BYTES = 65536, CONTENTS_MAX = 16 };

static struct saved_process *process_of(struct saved_world *world, unsigned holder)
{
    for (unsigned i = 0; i < SAVED_NODES; i++)
        if (world->processes[i].number != 0 && world->processes[i].holder == holder)
            return &world->processes[i];
    return NULL;
}

/* The slot that a request is of; STO_SAVED_SLOTS: of none. */
static unsigned slot_of(const struct vmm_save_op *op)
{
    if (op->io == VMM_SAVE_FLUSH || op->offset_bytes % STO_STATE_HEADER_BYTES != 0 ||
        op->offset_bytes > STO_STATE_HEADER_BYTES)
        return STO_SAVED_SLOTS;
    return (unsigned)(op->offset_bytes / STO_STATE_HEADER_BYTES);
}

static void note_committed(struct saved_process *process, const struct sto_saved *saved)
{
    struct saved_world *world = process->world;
    struct save_guest *guest = process->guest;

    if (guest == NULL || guest->running) {
        saved_break(world, "n%u writes COMMITTED and its guest is not stopped", process->node);
        return;
    }
    process->committed = true;
    process->state = saved->saved_s;
    process->ran = false;
    if (world->saved != saved->saved_s) {
        uint8_t *memory = world->memory;

        world->saved = saved->saved_s;
        world->saved_beats = guest->stopped_beats;
        world->memory = guest->stopped_memory;
        guest->stopped_memory = memory;
    }
}

/* The promise of a save ends: with whoever may end it. */
static void note_end(struct saved_process *process, const struct sto_saved *saved)
{
    struct saved_world *world = process->world;
    const enum vmm_restore_mode mode = process->target->options.mode;
    const bool restores = mode == VMM_RESTORE_EAGER || mode == VMM_RESTORE_LAZY;

    if (world->promised != 0 && !process->disturbed && !process->committed &&
        !(process->guest == NULL && mode == VMM_RESTORE_DISCARD) &&
        !(process->guest == NULL && restores && process->claimed == world->promised))
        saved_break(world, "n%u writes %s over save %u, which waits", process->node,
                    sto_saved_state_name(saved->state), (unsigned)world->promised);
    world->promised = 0;
    world->given_up = world->saved;
}

/*
 * A slot that is damaged or cannot be read counts as CONSUMED: nothing is restored then. A source
 * that is to go on waits until it can read both.
 */
static void note_unreadable(struct saved_process *process, const struct sto_saved *saved)
{
    const enum vmm_restore_mode mode = process->target->options.mode;
    const bool restores =
        process->guest == NULL && (mode == VMM_RESTORE_EAGER || mode == VMM_RESTORE_LAZY);

    if (!process->committed && !restores)
        return;
    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++)
        if (process->unreadable[i] ||
            (process->spoilt[i] && restores && saved->state == STO_SAVED_CLAIMED))
            saved_break(process->world, "n%u writes %s, and slot %c could not be read",
                        process->node, sto_saved_state_name(saved->state), 'A' + (int)i);
}

static void note_header(struct saved_process *process, unsigned slot, const struct sto_saved *saved)
{
    struct saved_world *world = process->world;

    saved_say(world, "n%u#%u writes %s, generation %u, save %u, into slot %c", process->node,
              process->number, sto_saved_state_name(saved->state), (unsigned)saved->generation,
              (unsigned)saved->saved_s, 'A' + (int)slot);
    if (world->owner != process) /* it will fail */
        return;
    note_unreadable(process, saved);
    world->writer = process->number;
    switch (saved->state) {
    case STO_SAVED_COMMITTED:
        note_committed(process, saved);
        break;
    case STO_SAVED_CLAIMED:
        process->claimed = process->state = saved->saved_s;
        break;
    case STO_SAVED_CONSUMED:
        process->consumes = process->guest == NULL || process->committed;
        note_end(process, saved);
        break;
    case STO_SAVED_WRITING:
    case STO_SAVED_EMPTY:
        note_end(process, saved);
        break;
    }
}

static void say_answer(const struct saved_process *process, const struct vmm_save_op *op, int rc)
{
    static const char *const names[] = { [VMM_SAVE_READ] = "read", [VMM_SAVE_WRITE] = "write" };
    size_t bytes = 0;

    for (unsigned i = 0; i < op->iov_count; i++)
        bytes += op->iov[i].iov_len;
    if (op->io == VMM_SAVE_FLUSH)
        saved_say(process->world, "n%u#%u's flush: %s", process->node, process->number,
                  rc == 0 ? "done" : strerror(-rc));
    else
        saved_say(process->world, "n%u#%u's %s of %zu pages at %#llx: %s", process->node,
                  process->number, names[op->io], bytes / SAVE_DISK_PAGE_BYTES,
                  (unsigned long long)op->offset_bytes, rc == 0 ? "done" : strerror(-rc));
}

static void submitted(void *context, unsigned holder, const struct vmm_save_op *op)
{
    struct saved_world *world = context;
    struct saved_process *process = process_of(world, holder);
    unsigned slot = slot_of(op);
    struct sto_saved saved;

    if (process == NULL)
        return;
    if (op->io == VMM_SAVE_FLUSH || slot < STO_SAVED_SLOTS) {
        process->headers++;
        world->events++;
    }
    if (op->io == VMM_SAVE_WRITE && slot < STO_SAVED_SLOTS &&
        sto_saved_decode(op->iov[0].iov_base, &saved) == 0)
        note_header(process, slot, &saved);
}

static void answered(void *context, unsigned holder, const struct vmm_save_op *op, int rc)
{
    struct saved_world *world = context;
    struct saved_process *process = process_of(world, holder);
    unsigned slot = slot_of(op);
    struct sto_saved saved;

    if (process == NULL)
        return;
    if (op->io == VMM_SAVE_FLUSH || slot < STO_SAVED_SLOTS) {
        process->headers--;
        world->events++;
    }
    if (slot < STO_SAVED_SLOTS && (op->io == VMM_SAVE_READ || rc == 0)) {
        process->unreadable[slot] = rc < 0;
        process->spoilt[slot] =
            rc == 0 && sto_saved_decode(op->iov[0].iov_base, &saved) == -EBADMSG;
    }
    if (rc < 0)
        process->disturbed = true;
    say_answer(process, op, rc);
}

struct save_disk_watch saved_watch(struct saved_world *world)
{
    return (struct save_disk_watch) { submitted, answered, world };
}

enum sto_saved_verdict saved_verdict(const struct saved_world *world)
{
    uint8_t slots[STO_SAVED_SLOTS][STO_SAVED_BYTES];
    struct sto_saved_look look;

    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++)
        save_disk_peek(world->disk, i * (uint64_t)STO_STATE_HEADER_BYTES, slots[i],
                       STO_SAVED_BYTES);
    sto_saved_judge(slots[0], slots[1], &look);
    return look.verdict;
}

/* Everything that a slot may hold after a cut, and, since one sector may be lost, nothing. */
static unsigned contents_of(const struct save_disk *disk, unsigned slot,
                            const uint8_t *ret_contents[CONTENTS_MAX])
{
    static const uint8_t nothing[STO_SAVED_BYTES];
    const uint64_t page = (uint64_t)slot * SAVED_SLOT_PAGES;
    unsigned count = 0;

    ret_contents[count++] = nothing;
    if (disk->safe[page] != NULL)
        ret_contents[count++] = disk->safe[page];
    for (unsigned i = 0; i < disk->write_count && count < CONTENTS_MAX; i++)
        if (disk->writes[i].page == page && (disk->writes[i].sectors & 1) != 0)
            ret_contents[count++] = disk->writes[i].data;
    return count;
}

static bool may_wait(const struct save_disk *disk)
{
    const uint8_t *a[CONTENTS_MAX], *b[CONTENTS_MAX];
    const unsigned a_count = contents_of(disk, 0, a), b_count = contents_of(disk, 1, b);
    struct sto_saved_look look;

    for (unsigned i = 0; i < a_count; i++)
        for (unsigned j = 0; j < b_count; j++) {
            sto_saved_judge(a[i], b[j], &look);
            if (look.verdict == STO_SAVED_WAITS)
                return true;
        }
    return false;
}

void saved_judge_run(struct saved_process *process)
{
    struct saved_world *world = process->world;

    if (world->owner != process)
        saved_break(world, "n%u#%u runs the guest without the LUN", process->node, process->number);
    if (process->guest->beats != world->beats)
        saved_break(world, "twice: n%u#%u runs the guest as it was at %u, its disk is at %u",
                    process->node, process->number, (unsigned)process->guest->beats,
                    (unsigned)world->beats);
    if (process->ran && world->events == world->judged)
        return;
    process->ran = true;
    world->judged = world->events;
    if (may_wait(world->disk))
        saved_break(world,
                    "n%u#%u runs the guest, and a state waits, or may after a power cut or "
                    "the loss of a slot",
                    process->node, process->number);
}

void saved_judge_ready(struct saved_process *process)
{
    struct saved_world *world = process->world;
    const struct save_target *target = process->target;
    struct vmm_save_carried carried;

    if (process->claimed != world->saved || target->beats != world->saved_beats)
        saved_break(world, "n%u restored save %u, the newest is %u", process->node,
                    (unsigned)process->claimed, (unsigned)world->saved);
    for (uint64_t block = 0; block < BLOCKS; block++)
        if (!vmm_restore_unloaded(target->restore, block, &carried) &&
            memcmp(target->memory + block * BLOCK_BYTES, world->memory + block * BLOCK_BYTES,
                   BLOCK_BYTES) != 0)
            saved_break(world, "n%u restored save %u, and block %u is not what was saved",
                        process->node, (unsigned)process->claimed, (unsigned)block);
}

void saved_judge_block(struct saved_process *process, uint64_t block, bool was_unloaded)
{
    struct saved_world *world = process->world;
    const struct save_guest *guest = process->guest;
    const bool told = (process->target->populated[block / 64] >> block % 64 & 1) != 0;

    if (told == guest->unloaded[block])
        saved_break(world, "n%u's block %u is %s, and its bit says otherwise", process->node,
                    (unsigned)block, told ? "not loaded" : "loaded");
    /* once somebody else has saved it is not known any more what this one restored */
    if (was_unloaded && !guest->unloaded[block] && process->state == world->saved &&
        memcmp(guest->memory + block * BLOCK_BYTES, world->memory + block * BLOCK_BYTES,
               BLOCK_BYTES) != 0)
        saved_break(world, "n%u loaded block %u, and it is not what was saved", process->node,
                    (unsigned)block);
}

void saved_judge_frozen(struct saved_process *process)
{
    const struct save_target *target = process->target;

    /* a guest that was saved since it came here is not to run: somebody else may have saved, too */
    if (target->frozen > process->frozen && target->rc == -EBADMSG && !process->world->damaged &&
        !process->committed)
        saved_break(process->world, "n%u cannot load block %u, and nothing was damaged",
                    process->node, (unsigned)target->fault.number);
}

void saved_judge_pause(struct saved_process *process)
{
    const struct save_disk *disk = process->world->disk;
    unsigned left = 0;

    for (unsigned i = 0; i < disk->write_count; i++)
        left += disk->writes[i].done;
    if (left > 0)
        saved_break(process->world, "n%u stops its guest, and %u pages of its rounds are unflushed",
                    process->node, left);
}

void saved_judge_outcome(struct saved_process *process)
{
    struct saved_world *world = process->world;
    const struct save_guest *guest = process->guest;
    const bool runs = guest->outcome == VMM_SAVE_RUNS_ON || guest->outcome == VMM_SAVE_RESUMED;
    bool whole = true;

    saved_say(world, "n%u#%u's save ends: %s (%s)", process->node, process->number,
              vmm_save_outcome_name(guest->outcome), guest->rc < 0 ? strerror(-guest->rc) : "-");
    if (runs != guest->running && !guest->off)
        saved_break(world, "n%u's save ended \"%s\", and its guest %s", process->node,
                    vmm_save_outcome_name(guest->outcome), guest->running ? "runs" : "stands");
    world->stats->resumed += guest->outcome == VMM_SAVE_RESUMED;
    world->stats->lost += guest->outcome == VMM_SAVE_LOST;
    if (guest->outcome == VMM_SAVE_LOST && world->writer == process->number && !world->damaged)
        saved_break(world, "n%u gives its guest up, and nobody took the state", process->node);
    if (guest->outcome != VMM_SAVE_SAVED)
        return;
    for (uint64_t block = 0; block < BLOCKS; block++)
        whole = whole && !guest->unloaded[block];
    if (whole && world->saved > world->damaged_at) /* all of it has been written anew */
        world->damaged = false;
    /* it may be told late, when somebody has restored it already */
    world->promised = world->damaged || world->given_up >= world->saved ? 0 : world->saved;
}

/* A start or restore that nothing disturbed was refused. */
static bool is_good_reason(const struct saved_process *process, int rc)
{
    const struct saved_world *world = process->world;
    const bool waits = saved_verdict(world) == STO_SAVED_WAITS;
    /* it may have read what a power cut then took: the next one restores */
    const bool cut = world->disk->restarts != process->restarts;

    if (world->owner != process)
        return true; /* what it goes by may be long past */
    if (process->claimed != 0 && world->writer != process->number)
        return true; /* somebody else had the state in between */
    switch (process->target->options.mode) {
    case VMM_RESTORE_EAGER:
    case VMM_RESTORE_LAZY:
        return world->promised == 0 && (!waits || cut) && (rc == -ENOENT || rc == -EUCLEAN);
    case VMM_RESTORE_COLD:
        return rc == -EBUSY && (waits || cut);
    case VMM_RESTORE_DISCARD:
        return false;
    case VMM_RESTORE_INSPECT: /* old states may be half written over */
    case VMM_RESTORE_VERIFY:
        return world->promised == 0;
    }
    return false;
}

void saved_judge_refusal(struct saved_process *process)
{
    struct saved_world *world = process->world;
    const int rc = process->target->rc;
    char text[VMM_RESTORE_FAULT_TEXT_BYTES];

    saved_say(world, "n%u#%u is told: %s, %s", process->node, process->number,
              rc < 0 ? strerror(-rc) : "well",
              vmm_restore_fault_text(&process->target->fault, text));
    if (rc == 0)
        return;
    world->stats->refused++;
    if (process->disturbed || world->damaged || is_good_reason(process, rc))
        return;
    saved_break(world, "n%u is refused a start for no reason (%s, save %u, promised %u)",
                process->node, strerror(-rc), (unsigned)world->saved, (unsigned)world->promised);
}
