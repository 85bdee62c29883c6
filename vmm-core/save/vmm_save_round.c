/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rounds of a save: pages, then what changed of table and index, then a flush, so that the flush in
 * the pause finds only the pause's own writes. After each round: pause, another round, or did not
 * converge. Everything lost by a restart of the target is written again.
 */
#include "config.h"

#include <errno.h>

#include "vmm-core/save/vmm_save_priv.h"

enum {
    NS_PER_MS = 1000000,
    THROTTLE_STEP_PERCENT = 20,
    THROTTLE_MAX_PERCENT = 99,
    STARTED_OVER_MAX = 5,
};

#define NS_PER_S UINT64_C(1000000000)

static uint64_t now(const struct vmm_save *save)
{
    return save->guest.now_ns(save->guest.context);
}

static void flush(struct vmm_save *save);

void vmm_save_round_begin(struct vmm_save *save)
{
    vmm_save_walk_begin(save);
    save->round_ns = now(save);
    save->round_bytes = 0;
    vmm_save_move(save, VMM_SAVE_PHASE_ROUND);
    vmm_save_pump(save);
}

static void on_written(struct vmm_save_op *op, int rc)
{
    struct vmm_save_request *request = op->context;
    struct vmm_save *save = request->save;

    request->busy = false;
    save->in_flight--;
    if (rc < 0)
        vmm_save_fail(save, rc);
    vmm_save_pump(save);
}

static struct vmm_save_request *free_request(struct vmm_save *save)
{
    unsigned depth =
        save->queue.depth < VMM_SAVE_DEPTH_MAX ? save->queue.depth : VMM_SAVE_DEPTH_MAX;

    for (unsigned i = 0; i < depth; i++)
        if (!save->pool[i].busy)
            return &save->pool[i];
    return NULL;
}

/* Is this piece left for after the commit? Only in mutants, which have to be found out. */
static bool is_late(const struct vmm_save *save, unsigned piece)
{
#ifdef VMM_SAVE_MUTATE_TABLE_LATE
    return save->final && piece == VMM_SAVE_TABLE;
#else
    (void)save, (void)piece;
    return false;
#endif
}

/* The next thing to write: pages first, for they change table and index. */
static bool fill(struct vmm_save *save, struct vmm_save_request *request)
{
    int rc;

    if (vmm_save_walk_fill(save, request, &rc))
        return true;
    if (rc < 0) {
        vmm_save_fail(save, rc);
        return false;
    }
    for (unsigned i = 0; i < VMM_SAVE_PIECES; i++)
        if (!is_late(save, i) && vmm_save_piece_fill(save, (enum vmm_save_piece_index)i, request))
            return true;
    return false;
}

/* May more go out now? While the guest runs its own I/O comes first. */
static bool may_submit(struct vmm_save *save)
{
    if (save->options.bandwidth_bytes_per_s == 0 || save->paused || now(save) >= save->next_ns)
        return true;
    save->guest.wake(save->guest.context, save->next_ns);
    return false;
}

static void account(struct vmm_save *save, uint64_t bytes)
{
    uint64_t rate = save->options.bandwidth_bytes_per_s;

    save->written_bytes += bytes;
    save->round_bytes += bytes;
    if (rate > 0) {
        uint64_t from = now(save) > save->next_ns ? now(save) : save->next_ns;

        save->next_ns = from + bytes * NS_PER_S / rate;
    }
}

static bool submit_next(struct vmm_save *save)
{
    struct vmm_save_request *request = free_request(save);
    int rc;

    if (request == NULL || !may_submit(save))
        return false;
    request->bytes = 0;
    request->save = save;
    request->op = (struct vmm_save_op) {
        .io = VMM_SAVE_WRITE, .iov = request->iov, .done = on_written, .context = request
    };
    if (!fill(save, request)) {
        if (save->in_flight == 0 && save->phase == VMM_SAVE_PHASE_ROUND)
            flush(save);
        return false;
    }
    request->busy = true;
    save->in_flight++;
    account(save, request->bytes);
    rc = save->queue.submit(save->queue.context, &request->op);
    if (rc < 0) {
        request->busy = false;
        save->in_flight--;
        vmm_save_fail(save, rc);
        return false;
    }
    return true;
}

void vmm_save_pump(struct vmm_save *save)
{
    while (save->phase == VMM_SAVE_PHASE_ROUND)
        if (!submit_next(save))
            return;
    vmm_save_settle_end(save);
}

void vmm_save_start_over(struct vmm_save *save)
{
    int rc;

    if (++save->started_over > STARTED_OVER_MAX) {
        vmm_save_fail(save, -EIO);
        return;
    }
    save->target_restarts = save->queue.restarts(save->queue.context);
    if (save->paused && save->options.live) { /* it shall not stand still for all of it */
        save->paused = false;
        save->guest.resume(save->guest.context);
    }
    save->final = save->paused;
    save->round = 0;
    rc = vmm_save_walk_all(save);
    if (rc == 0 && save->paused)
        rc = vmm_save_take_state(save);
    if (rc < 0)
        vmm_save_fail(save, rc);
    else
        vmm_save_round_begin(save);
}

void vmm_save_pause(struct vmm_save *save)
{
    save->pause_ns = now(save);
    save->pausing = true;
    vmm_save_move(save, VMM_SAVE_PHASE_PAUSING);
    save->guest.pause(save->guest.context);
}

/* How long it would take to write this many pages, as fast as the last round went. */
static uint64_t estimate_ns(const struct vmm_save *save, uint64_t pages, uint64_t took_ns)
{
    uint64_t bytes = pages * VMM_SAVE_PAGE_BYTES;

    if (save->round_bytes == 0)
        return 0;
    return (uint64_t)((double)bytes / (double)save->round_bytes * (double)took_ns);
}

static void throttle(struct vmm_save *save, uint64_t pages)
{
    if (!save->options.may_throttle || save->round == 0 || pages < save->last_pages / 4 * 3 ||
        save->throttle_percent >= THROTTLE_MAX_PERCENT)
        return;
    save->throttle_percent += THROTTLE_STEP_PERCENT;
    if (save->throttle_percent > THROTTLE_MAX_PERCENT)
        save->throttle_percent = THROTTLE_MAX_PERCENT;
    save->guest.throttle(save->guest.context, save->throttle_percent);
}

static bool over_budget(const struct vmm_save *save)
{
    return now(save) - save->started_ns > (uint64_t)save->options.budget_ms * NS_PER_MS;
}

/* Another round, unless the time is used up. */
static void another_round(struct vmm_save *save, uint64_t pages)
{
    if (over_budget(save)) {
        vmm_save_fail(save, -ETIME);
        return;
    }
    throttle(save, pages);
    save->last_pages = pages;
    save->round++;
    vmm_save_round_begin(save);
}

/* A round is durable, and the guest ran on meanwhile. */
static void decide(struct vmm_save *save)
{
    uint64_t took_ns = now(save) - save->round_ns, pages;
    int rc = save->guest.dirty(save->guest.context, save->pending);

    if (rc < 0) {
        vmm_save_fail(save, rc);
        return;
    }
    pages = vmm_save_walk_count(save);
    if (pages <= vmm_save_delta_room(&save->delta) / 2 &&
        estimate_ns(save, pages, took_ns) <= (uint64_t)save->options.downtime_ms * NS_PER_MS)
        vmm_save_pause(save);
    else
        another_round(save, pages);
}

/* May something that was written have been lost before it was flushed? */
static bool restarted(const struct vmm_save *save)
{
#ifdef VMM_SAVE_MUTATE_NO_RESTARTS
    (void)save;
    return false;
#else
    return save->queue.restarts(save->queue.context) != save->target_restarts;
#endif
}

static void on_flushed(struct vmm_save_op *op, int rc)
{
    struct vmm_save *save = op->context;

    save->in_flight--;
    if (save->phase != VMM_SAVE_PHASE_FLUSHING)
        vmm_save_settle_end(save);
    else if (rc < 0)
        vmm_save_fail(save, rc);
    else if (restarted(save))
        vmm_save_start_over(save);
    else if (save->final)
        vmm_save_commit(save);
    else
        decide(save);
}

static void flush(struct vmm_save *save)
{
    int rc;

    save->flush.op =
        (struct vmm_save_op) { .io = VMM_SAVE_FLUSH, .done = on_flushed, .context = save };
    vmm_save_move(save, VMM_SAVE_PHASE_FLUSHING);
    save->in_flight++;
#if defined(VMM_SAVE_MUTATE_NO_ROUND_FLUSH) || defined(VMM_SAVE_MUTATE_NO_DATA_FLUSH)
#ifdef VMM_SAVE_MUTATE_NO_ROUND_FLUSH
    if (!save->final) {
#else
    if (save->final) {
#endif
        on_flushed(&save->flush.op, 0);
        return;
    }
#endif
    rc = save->queue.submit(save->queue.context, &save->flush.op);
    if (rc < 0) {
        save->in_flight--;
        vmm_save_fail(save, rc);
    }
}

/* The last log: taken after the rings were stopped. */
static int take_last_pages(struct vmm_save *save, bool *ret_fits)
{
    int rc;

    *ret_fits = true;
    if (!save->options.live) /* with zero rounds all of it is written now */
        return vmm_save_walk_all(save);
    rc = save->guest.dirty(save->guest.context, save->pending);
    if (rc < 0)
        return rc;
    *ret_fits = vmm_save_walk_count(save) <= vmm_save_delta_room(&save->delta);
    return 0;
}

void vmm_save_paused(struct vmm_save *save, int rc)
{
    bool fits = false;

    save->pausing = false;
    save->paused = true;                         /* or half so: it is resumed in any case */
    if (save->phase != VMM_SAVE_PHASE_PAUSING) { /* given up meanwhile */
        vmm_save_let_run(save);
        vmm_save_settle_end(save);
        return;
    }
    if (rc == 0)
        rc = take_last_pages(save, &fits);
    if (rc == 0 && fits)
        rc = vmm_save_take_state(save);
    if (rc < 0) {
        vmm_save_fail(save, rc);
        return;
    }
    if (!fits) { /* too much for the delta area: rather another round than a long pause */
        save->paused = false;
        save->guest.resume(save->guest.context);
        another_round(save, vmm_save_walk_count(save));
        return;
    }
    save->final = true;
    if (save->options.live)
        save->round++;
    vmm_save_round_begin(save);
}
