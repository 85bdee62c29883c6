/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The restore machine: headers, from the first look to CONSUMED in both slots. What stands between,
 * reading and loading, is in vmm_restore_read.c and vmm_restore_load.c.
 */
#include "config.h"

#include "vmm-core/save/vmm_restore.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/save/vmm_restore_priv.h"

static const char *phase_name(enum vmm_restore_phase phase)
{
    static const char *const names[] = {
#define PHASE_NAME(name, moves) #name,
        VMM_RESTORE_PHASES(PHASE_NAME)
#undef PHASE_NAME
    };

    return names[phase];
}

void vmm_restore_move(struct vmm_restore *restore, enum vmm_restore_phase phase)
{
#define TO(name) (1u << VMM_RESTORE_PHASE_##name)
    static const unsigned moves[] = {
#define PHASE_MOVES(name, to) to,
        VMM_RESTORE_PHASES(PHASE_MOVES)
#undef PHASE_MOVES
    };
#undef TO

    assert((moves[restore->phase] & 1u << phase) != 0);
    restore->phase = phase;
}

bool vmm_restore_only_looks(const struct vmm_restore *restore)
{
    return restore->options.mode == VMM_RESTORE_INSPECT ||
           restore->options.mode == VMM_RESTORE_VERIFY;
}

void vmm_restore_end(struct vmm_restore *restore, int rc)
{
    vmm_restore_move(restore, VMM_RESTORE_PHASE_ENDED);
    restore->guest.ended(restore->guest.context, rc, &restore->fault);
}

void vmm_restore_fail(struct vmm_restore *restore, int rc, enum vmm_restore_part part,
                      uint64_t number, uint64_t offset_bytes)
{
    if (restore->rc == 0) { /* the first one counts */
        restore->rc = rc;
        restore->fault.part = part;
        restore->fault.number = number;
        restore->fault.offset_bytes = offset_bytes;
    }
    if (restore->in_flight == 0 && restore->phase != VMM_RESTORE_PHASE_ENDED)
        vmm_restore_end(restore, restore->rc);
}

static void freeze(struct vmm_restore *restore, int rc)
{
    vmm_restore_move(restore, VMM_RESTORE_PHASE_UNKNOWN);
    restore->guest.frozen(restore->guest.context, rc, &restore->fault);
}

static void fail_header(struct vmm_restore *restore, int rc)
{
    unsigned slot = restore->slots.look.known ? restore->slots.look.slot : 0;

    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++)
        if (restore->slots.look.damaged[i])
            slot = i;
    vmm_restore_fail(restore, rc, VMM_RESTORE_PART_HEADER, slot,
                     restore->geometry.area.header_offset_bytes[slot]);
}

/* May what the newest header describes be restored here? */
static int judge_header(const struct vmm_restore *restore)
{
    const struct sto_saved *saved = &restore->slots.look.saved;
    const struct sto_state_area *area = &restore->geometry.area;
    const unsigned copy = saved->table.offset_bytes == area->table_offset_bytes[1];

    if (!vmm_restore_only_looks(restore) &&
        memcmp(saved->vm_uuid, restore->options.vm_uuid, sizeof(saved->vm_uuid)) != 0)
        return -EXDEV;
    if (saved->memory_bytes != restore->geometry.memory_bytes ||
        saved->cpus != restore->geometry.cpus)
        return -EMSGSIZE;
    if (saved->table.offset_bytes != area->table_offset_bytes[copy] ||
        saved->table.length_bytes != restore->geometry.chunks * VMM_SAVE_RECORD_BYTES ||
        saved->sections.offset_bytes != area->section_offset_bytes[copy] ||
        saved->sections.length_bytes > area->section_bytes ||
        saved->delta.offset_bytes != area->delta_offset_bytes ||
        saved->delta.length_bytes % VMM_SAVE_DELTA_ENTRY_BYTES != 0 ||
        saved->delta.length_bytes / VMM_SAVE_DELTA_ENTRY_BYTES > restore->geometry.delta_slots ||
        saved->memory_offset_bytes != area->memory_offset_bytes)
        return -EBADMSG;
    return 0;
}

static void consumed(struct vmm_restore *restore);

static void consume(struct vmm_restore *restore)
{
    int rc;

    restore->consuming = true;
    vmm_restore_move(restore, VMM_RESTORE_PHASE_CONSUMING);
#ifdef VMM_SAVE_MUTATE_RUN_FIRST
    consumed(restore);
    return;
#endif
    rc = vmm_save_slots_settle(&restore->slots, STO_SAVED_CONSUMED);
    if (rc < 0)
        freeze(restore, rc);
}

static void claim(struct vmm_restore *restore)
{
    int rc;

    restore->saved.state = STO_SAVED_CLAIMED;
    vmm_restore_move(restore, VMM_RESTORE_PHASE_CLAIMING);
    rc = vmm_save_slots_write(&restore->slots, &restore->saved);
    if (rc < 0)
        vmm_restore_fail(restore, rc, VMM_RESTORE_PART_NONE, 0, 0);
}

/* A cold start: the only question is whether a state would be lost by it. */
static void looked_cold(struct vmm_restore *restore)
{
    enum sto_saved_verdict verdict = restore->slots.look.verdict;

    if (restore->options.mode == VMM_RESTORE_COLD && verdict == STO_SAVED_WAITS)
        fail_header(restore, -EBUSY);
    else if (restore->options.mode == VMM_RESTORE_COLD && verdict == STO_SAVED_FOREIGN)
        fail_header(restore, -EPROTONOSUPPORT);
    else
        consume(restore);
}

static void looked(struct vmm_restore *restore, int rc)
{
    const struct sto_saved_look *look = &restore->slots.look;

    if (restore->options.mode == VMM_RESTORE_COLD || restore->options.mode == VMM_RESTORE_DISCARD) {
        looked_cold(restore);
        return;
    }
    if (look->verdict == STO_SAVED_FOREIGN)
        rc = -EPROTONOSUPPORT;
    else if (vmm_restore_only_looks(restore) && look->known && look->saved.table.length_bytes > 0)
        rc = judge_header(restore); /* whatever its state, there is something to look at */
    else if (rc == 0 && look->verdict == STO_SAVED_WAITS)
        rc = judge_header(restore);
    else if (rc == 0 && (look->damaged[0] || look->damaged[1]))
        rc = -EBADMSG;
    else if (rc == 0)
        rc = look->verdict == STO_SAVED_CLEAN ? -ENOENT : -EUCLEAN;
    if (rc < 0) {
        fail_header(restore, rc);
        return;
    }
    restore->saved = look->saved;
    if (vmm_restore_only_looks(restore))
        vmm_restore_read(restore);
    else
        claim(restore);
}

void vmm_restore_confirm(struct vmm_restore *restore)
{
    int rc;

    vmm_restore_move(restore, VMM_RESTORE_PHASE_CONFIRMING);
#ifdef VMM_SAVE_MUTATE_NO_CONFIRM
    consume(restore);
    return;
#endif
    rc = vmm_save_slots_read(&restore->slots);
    if (rc < 0)
        freeze(restore, rc);
}

/*
 * Both slots again: still our claim, or (once CONSUMED was attempted) our own CONSUMED? A cold
 * start that has to look again finds what it found, or its own CONSUMED.
 */
static void confirmed(struct vmm_restore *restore, int rc)
{
    const struct sto_saved_look *look = &restore->slots.look;
    const struct sto_saved *newest = &look->saved;
    bool mine = look->known && newest->node == restore->options.node &&
                newest->owner_generation == restore->options.owner_generation;

    if (rc < 0) {
        freeze(restore, rc);
    } else if (restore->options.mode == VMM_RESTORE_COLD ||
               restore->options.mode == VMM_RESTORE_DISCARD) {
        if (look->verdict == STO_SAVED_WAITS && restore->options.mode == VMM_RESTORE_COLD)
            fail_header(restore, -ESTALE);
        else
            consume(restore);
    } else if (mine && newest->state == STO_SAVED_CLAIMED && newest->generation == restore->claim &&
               look->verdict == STO_SAVED_WAITS) {
        consume(restore);
    } else if (mine && newest->state == STO_SAVED_CONSUMED && restore->consuming) {
        consume(restore);
    } else {
        fail_header(restore, -ESTALE);
    }
}

static void consumed(struct vmm_restore *restore)
{
    vmm_restore_move(restore, VMM_RESTORE_PHASE_RUNNING);
    restore->guest.ready(restore->guest.context);
    if (restore->options.mode == VMM_RESTORE_LAZY && restore->left > 0)
        vmm_restore_load_pump(restore);
    else
        vmm_restore_end(restore, 0);
}

static void claimed(struct vmm_restore *restore)
{
    restore->claim = restore->slots.look.saved.generation;
    vmm_restore_read(restore);
}

static void on_slots(void *context, int rc)
{
    struct vmm_restore *restore = context;

    switch (restore->phase) {
    case VMM_RESTORE_PHASE_LOOKING:
        looked(restore, rc);
        return;
    case VMM_RESTORE_PHASE_CLAIMING:
        if (rc < 0)
            vmm_restore_fail(restore, rc, VMM_RESTORE_PART_NONE, 0, 0);
        else
            claimed(restore);
        return;
    case VMM_RESTORE_PHASE_CONFIRMING:
        confirmed(restore, rc);
        return;
    case VMM_RESTORE_PHASE_CONSUMING:
        if (rc < 0)
            freeze(restore, rc);
        else
            consumed(restore);
        return;
    default:
        return;
    }
}

static int prepare(struct vmm_restore *restore, uint8_t *part)
{
    int rc = vmm_save_geometry_plan(vmm_save_memory_bytes(&restore->memory), restore->options.cpus,
                                    restore->options.area_bytes, &restore->geometry);
    size_t words;

    if (rc < 0)
        return rc;
    if (restore->queue.depth == 0 || restore->queue.iov_max < VMM_SAVE_BLOCK_PAGES * 2)
        return -EINVAL;
    words = (size_t)(restore->geometry.blocks + 63) / 64;
    restore->todo = calloc(words, sizeof(uint64_t));
    restore->busy = calloc(words, sizeof(uint64_t));
    restore->failed = calloc(words, sizeof(uint64_t));
    if (restore->todo == NULL || restore->busy == NULL || restore->failed == NULL)
        return -ENOMEM;
    vmm_save_private_over(&restore->geometry, part, &restore->part);
    vmm_save_slots_init(&restore->slots, &restore->queue, &restore->geometry, &restore->part,
                        restore->options.node, restore->options.owner_generation, on_slots,
                        restore);
    return vmm_save_slots_read(&restore->slots);
}

int vmm_restore_start(const struct vmm_restore_options *options,
                      const struct vmm_save_memory *memory, uint8_t *part,
                      const struct vmm_save_queue *queue, const struct vmm_restore_guest *guest,
                      struct vmm_restore **ret_restore)
{
    struct vmm_restore *restore = calloc(1, sizeof(*restore));
    int rc;

    if (restore == NULL)
        return -ENOMEM;
    restore->options = *options;
    if (options->has != NULL)
        restore->has = *options->has;
    restore->memory = *memory;
    restore->queue = *queue;
    restore->guest = *guest;
    rc = prepare(restore, part);
    if (rc < 0)
        vmm_restore_free(restore);
    else
        *ret_restore = restore;
    return rc;
}

void vmm_restore_free(struct vmm_restore *restore)
{
    if (restore == NULL)
        return;
    vmm_save_delta_free(&restore->delta);
    hw_vector_free(&restore->wanted);
    free(restore->todo);
    free(restore->busy);
    free(restore->failed);
    free(restore);
}

void vmm_restore_retry(struct vmm_restore *restore)
{
    if (restore->phase == VMM_RESTORE_PHASE_UNKNOWN)
        vmm_restore_confirm(restore);
    else if (restore->phase == VMM_RESTORE_PHASE_RUNNING && restore->stuck)
        vmm_restore_load_retry(restore);
}

unsigned vmm_restore_in_flight(const struct vmm_restore *restore)
{
    return restore->in_flight + (restore->slots.step != VMM_SAVE_SLOTS_IDLE ? 1 : 0);
}

void vmm_restore_progress(const struct vmm_restore *restore,
                          struct vmm_restore_progress *ret_progress)
{
    *ret_progress = (struct vmm_restore_progress) {
        .phase = phase_name(restore->phase),
        .blocks = restore->blocks,
        .blocks_left = restore->left,
        .read_bytes = restore->read_bytes,
        .delta_pages = restore->delta.pages,
    };
}

const struct sto_saved_look *vmm_restore_look(const struct vmm_restore *restore)
{
    return &restore->slots.look;
}

size_t vmm_restore_sections(const struct vmm_restore *restore, const uint8_t **ret_sections)
{
    *ret_sections = restore->part.sections;
    return restore->checked ? (size_t)restore->saved.sections.length_bytes : 0;
}
