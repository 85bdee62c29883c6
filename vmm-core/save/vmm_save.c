/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The save machine: begin, phases, and every way to give up before something could be restored. In
 * these the guest runs on at once: until COMMITTED is attempted the slots hold WRITING and what was
 * settled before, and neither is ever restored.
 */
#include "config.h"

#include "vmm-core/save/vmm_save.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/save/vmm_save_priv.h"

enum { DOWNTIME_DEFAULT_MS = 30, BUDGET_DEFAULT_MS = 60000 };

const char *vmm_save_outcome_name(enum vmm_save_outcome outcome)
{
    switch (outcome) {
    case VMM_SAVE_SAVED:
        return "saved";
    case VMM_SAVE_RUNS_ON:
        return "runs on";
    case VMM_SAVE_RESUMED:
        return "resumed";
    case VMM_SAVE_OFF:
        return "powered off";
    case VMM_SAVE_LOST:
        return "lost";
    }
    return "?";
}

static const char *phase_name(enum vmm_save_phase phase)
{
    static const char *const names[] = {
#define PHASE_NAME(name, moves) #name,
        VMM_SAVE_PHASES(PHASE_NAME)
#undef PHASE_NAME
    };

    return names[phase];
}

void vmm_save_move(struct vmm_save *save, enum vmm_save_phase phase)
{
#define TO(name) (1u << VMM_SAVE_PHASE_##name)
    static const unsigned moves[] = {
#define PHASE_MOVES(name, to) to,
        VMM_SAVE_PHASES(PHASE_MOVES)
#undef PHASE_MOVES
    };
#undef TO

    assert((moves[save->phase] & 1u << phase) != 0);
    save->phase = phase;
}

void vmm_save_let_run(struct vmm_save *save)
{
    if (save->throttle_percent > 0)
        save->guest.throttle(save->guest.context, 0);
    save->throttle_percent = 0;
    if (save->tracking)
        (void)save->guest.track(save->guest.context, false);
    save->tracking = false;
    if (save->paused && !save->off)
        save->guest.resume(save->guest.context);
    save->paused = false;
}

void vmm_save_end(struct vmm_save *save, enum vmm_save_outcome outcome, int rc)
{
    if (outcome != VMM_SAVE_SAVED)
        vmm_save_move(save, VMM_SAVE_PHASE_ENDED);
    save->guest.ended(save->guest.context, outcome, rc);
}

void vmm_save_settle_end(struct vmm_save *save)
{
    if (save->phase != VMM_SAVE_PHASE_ENDING || save->in_flight > 0 || save->pausing ||
        save->settling || save->slots.step != VMM_SAVE_SLOTS_IDLE)
        return;
    save->settling = true;
    if (!save->marked || vmm_save_slots_settle(&save->slots, STO_SAVED_EMPTY) < 0)
        vmm_save_end(save, save->off ? VMM_SAVE_OFF : VMM_SAVE_RUNS_ON, save->rc);
}

void vmm_save_fail(struct vmm_save *save, int rc)
{
    if (save->phase >= VMM_SAVE_PHASE_COMMITTING)
        return;
    save->rc = rc;
    vmm_save_move(save, VMM_SAVE_PHASE_ENDING);
    if (!save->pausing)
        vmm_save_let_run(save);
    vmm_save_settle_end(save);
}

int vmm_save_take_state(struct vmm_save *save)
{
    size_t room = (size_t)save->geometry.area.section_bytes, over;
    struct vmm_save_tlv_writer writer = vmm_save_tlv_writer_over(save->part.sections, room);
    struct hw_writer *content = vmm_save_tlv_begin(&writer, VMM_SAVE_TYPE_NEEDS, 0, 1, true);
    size_t bytes = vmm_save_needs_encode(&save->needs, content->data + content->at,
                                         content->size - content->at);
    int rc;

    content->at += bytes;
    vmm_save_tlv_end(&writer);
    rc = save->guest.state(save->guest.context, &writer);
    if (rc == 0)
        rc = vmm_save_tlv_finish(&writer, &save->section_bytes);
    if (rc < 0)
        return rc;
    over = save->section_bytes % VMM_SAVE_PAGE_BYTES;
    if (over != 0)
        memset(save->part.sections + save->section_bytes, 0, VMM_SAVE_PAGE_BYTES - over);
    vmm_save_piece_touch(&save->pieces[VMM_SAVE_SECTIONS], 0, save->section_bytes);
    return 0;
}

static void begin_rounds(struct vmm_save *save)
{
    int rc;

    save->generation = save->slots.look.saved.generation + 1;
    save->table_slot = vmm_save_slots_next(&save->slots);
    save->pieces[VMM_SAVE_TABLE].offset_bytes =
        save->geometry.area.table_offset_bytes[save->table_slot];
    save->pieces[VMM_SAVE_SECTIONS].offset_bytes =
        save->geometry.area.section_offset_bytes[save->table_slot];
    save->target_restarts = save->queue.restarts(save->queue.context);
    if (!save->options.live) {
        vmm_save_pause(save);
        return;
    }
    rc = save->guest.track(save->guest.context, true);
    if (rc == 0) {
        save->tracking = true;
        rc = vmm_save_walk_all(save);
    }
    if (rc < 0)
        vmm_save_fail(save, rc);
    else
        vmm_save_round_begin(save);
}

static void mark(struct vmm_save *save)
{
    struct sto_saved saved = {
        .state = STO_SAVED_WRITING,
        .memory_bytes = save->geometry.memory_bytes,
        .cpus = save->geometry.cpus,
        .memory_offset_bytes = save->geometry.area.memory_offset_bytes,
        .saved_s = save->options.saved_s,
    };
    int rc;

    memcpy(saved.vm_uuid, save->options.vm_uuid, sizeof(saved.vm_uuid));
    vmm_save_needs_digest(&save->needs, saved.digest);
    save->marked = true;
    vmm_save_move(save, VMM_SAVE_PHASE_MARKING);
    rc = vmm_save_slots_write(&save->slots, &saved);
    if (rc < 0)
        vmm_save_fail(save, rc);
}

/* What both slots say before this save. */
static void looked(struct vmm_save *save)
{
    int rc;

    switch (save->slots.look.verdict) {
    case STO_SAVED_WAITS: /* a state that this guest did not come from: nothing may run here */
        vmm_save_fail(save, -EBUSY);
        return;
    case STO_SAVED_FOREIGN:
        vmm_save_fail(save, -EPROTONOSUPPORT);
        return;
    case STO_SAVED_UNSETTLED:
        vmm_save_move(save, VMM_SAVE_PHASE_CLEARING);
        rc = vmm_save_slots_settle(&save->slots, STO_SAVED_CONSUMED);
        if (rc < 0)
            vmm_save_fail(save, rc);
        return;
    case STO_SAVED_CLEAN:
        mark(save);
    }
}

static void on_slots(void *context, int rc)
{
    struct vmm_save *save = context;

    if (save->phase >= VMM_SAVE_PHASE_COMMITTING && save->phase < VMM_SAVE_PHASE_ENDING) {
        vmm_save_commit_done(save, rc);
    } else if (save->phase == VMM_SAVE_PHASE_ENDING) {
        if (save->settling)
            vmm_save_end(save, save->off ? VMM_SAVE_OFF : VMM_SAVE_RUNS_ON, save->rc);
        else
            vmm_save_settle_end(save);
    } else if (rc < 0) {
        vmm_save_fail(save, rc);
    } else if (save->phase == VMM_SAVE_PHASE_LOOKING) {
        looked(save);
    } else if (save->phase == VMM_SAVE_PHASE_CLEARING) {
        mark(save);
    } else {
        begin_rounds(save);
    }
}

uint64_t vmm_save_needed_bytes(uint64_t memory_bytes, uint32_t cpus)
{
    struct vmm_save_geometry geometry;

    if (vmm_save_geometry_plan(memory_bytes, cpus, UINT64_MAX, &geometry) < 0)
        return 0;
    return vmm_save_private_bytes(&geometry);
}

static bool allocate_piece(struct vmm_save_piece *piece, const uint8_t *memory, uint64_t bytes,
                           uint64_t offset_bytes)
{
    piece->memory = memory;
    piece->offset_bytes = offset_bytes;
    piece->pages = (bytes + VMM_SAVE_PAGE_BYTES - 1) / VMM_SAVE_PAGE_BYTES;
    piece->changed = calloc((size_t)(piece->pages + 63) / 64, sizeof(uint64_t));
    return piece->changed != NULL;
}

static int allocate(struct vmm_save *save)
{
    const struct sto_state_area *area = &save->geometry.area;

    save->pending = calloc((size_t)(save->geometry.pages + 63) / 64, sizeof(uint64_t));
    save->carried = calloc((size_t)(save->geometry.blocks + 63) / 64, sizeof(uint64_t));
    if (save->pending == NULL || save->carried == NULL ||
        !allocate_piece(&save->pieces[VMM_SAVE_TABLE], save->part.table, area->table_bytes, 0) ||
        !allocate_piece(&save->pieces[VMM_SAVE_INDEX], save->part.delta_index,
                        save->geometry.delta_index_bytes, area->delta_offset_bytes) ||
        !allocate_piece(&save->pieces[VMM_SAVE_SECTIONS], save->part.sections, area->section_bytes,
                        0))
        return -ENOMEM;
    return 0;
}

static int prepare(struct vmm_save *save, uint8_t *part)
{
    uint64_t bytes = vmm_save_memory_bytes(&save->memory);
    int rc = vmm_save_geometry_plan(bytes, save->options.cpus, save->options.area_bytes,
                                    &save->geometry);

    if (rc < 0)
        return rc;
    if (save->queue.depth == 0 || save->queue.iov_max < VMM_SAVE_BLOCK_PAGES * 2)
        return -EINVAL;
    if (save->options.downtime_ms == 0)
        save->options.downtime_ms = DOWNTIME_DEFAULT_MS;
    if (save->options.budget_ms == 0)
        save->options.budget_ms = BUDGET_DEFAULT_MS;
    vmm_save_private_over(&save->geometry, part, &save->part);
    rc = allocate(save);
    if (rc < 0)
        return rc;
    vmm_save_slots_init(&save->slots, &save->queue, &save->geometry, &save->part,
                        save->options.node, save->options.owner_generation, on_slots, save);
    save->started_ns = save->guest.now_ns(save->guest.context);
    return vmm_save_slots_read(&save->slots);
}

int vmm_save_start(const struct vmm_save_options *options, const struct vmm_save_memory *memory,
                   uint8_t *part, const struct vmm_save_queue *queue,
                   const struct vmm_save_guest *guest, struct vmm_save **ret_save)
{
    struct vmm_save *save = calloc(1, sizeof(*save));
    int rc;

    if (save == NULL)
        return -ENOMEM;
    save->options = *options;
    save->needs = *options->needs;
    save->options.needs = &save->needs;
    save->memory = *memory;
    save->queue = *queue;
    save->guest = *guest;
    rc = prepare(save, part);
    if (rc < 0)
        vmm_save_free(save);
    else
        *ret_save = save;
    return rc;
}

void vmm_save_free(struct vmm_save *save)
{
    if (save == NULL)
        return;
    for (unsigned i = 0; i < VMM_SAVE_PIECES; i++)
        free(save->pieces[i].changed);
    vmm_save_delta_free(&save->delta);
    free(save->pending);
    free(save->carried);
    free(save);
}

void vmm_save_wake(struct vmm_save *save)
{
    vmm_save_pump(save);
}

void vmm_save_cancel(struct vmm_save *save, int rc)
{
    if (save->phase < VMM_SAVE_PHASE_COMMITTING) {
        vmm_save_fail(save, rc < 0 ? rc : -ECANCELED);
    } else if (save->phase < VMM_SAVE_PHASE_ENDING && save->phase != VMM_SAVE_PHASE_SAVED) {
        save->cancelled = true; /* once the outcome is known */
        save->rc = rc < 0 ? rc : -ECANCELED;
    }
}

void vmm_save_power_off(struct vmm_save *save)
{
    if (save->phase >= VMM_SAVE_PHASE_COMMITTING)
        return;
    save->off = true;
    vmm_save_fail(save, 0);
}

void vmm_save_progress(const struct vmm_save *save, struct vmm_save_progress *ret_progress)
{
    uint64_t now_ns = save->guest.now_ns(save->guest.context);
    uint64_t until_ns = save->durable_ns != 0 ? save->durable_ns : now_ns;

    *ret_progress = (struct vmm_save_progress) {
        .phase = phase_name(save->phase),
        .round = save->round,
        .throttle_percent = save->throttle_percent,
        .restarts = save->started_over,
        .written_bytes = save->written_bytes,
        .round_bytes = save->round_bytes,
        .left_pages = vmm_save_walk_count(save),
        .delta_pages = save->delta.pages,
        .pause_ns = save->paused ? until_ns - save->pause_ns : 0,
        .elapsed_ns = until_ns - save->started_ns,
    };
}
