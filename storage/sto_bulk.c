/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many operations in flight: a fixed set of slots, each with its buffer, refilled as they end.
 */
#include "config.h"

#include "storage/sto_bulk.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_tool.h"

enum { PAGE_BYTES = 4096, AGAIN_MAX = 64, POLL_MS = 100, STALL_MS = 60000, NS_PER_MS = 1000000 };

struct run;

struct slot {
    struct run *run;
    struct sto_request request;
    struct iovec iov;
    unsigned again;
    bool ended; /* answered, not looked at yet */
    bool flying;
};

struct run {
    const struct sto_bulk *bulk;
    struct slot *slots;
    uint8_t *buffers;
    struct sto_bulk_stats stats;
    unsigned flying;
    bool out;            /* nothing more is asked for */
    bool given_up;       /* the ownership was ended */
    int64_t answered_ns; /* when something was answered last */
    int rc;
    struct hw_error *error;
};

static void op_done(struct sto_op *op)
{
    struct slot *slot = op->context;

    slot->ended = true;
}

static void request_done(struct sto_request *request)
{
    struct slot *slot = request->context;

    slot->ended = true;
}

static int submit(struct run *run, struct slot *slot)
{
    struct sto_request *request = &slot->request;
    int rc;

    if (run->bulk->owner != NULL) {
        request->done = request_done;
        request->context = slot;
        rc = sto_owner_submit(run->bulk->owner, request);
    } else {
        request->op.done = op_done;
        request->op.context = slot;
        rc = sto_lun_submit(run->bulk->lun, &request->op);
    }
    if (rc < 0)
        return hw_error_setf(run->error, rc == -EROFS ? HW_ERROR_REFUSED : HW_ERROR_FAILED, -rc,
                             sto_lun_name(run->bulk->lun), "", "cannot %s: %s", run->bulk->verb,
                             rc == -EROFS       ? "the LUN is read-only"
                             : rc == -ESHUTDOWN ? "it is not owned any more"
                                                : strerror(-rc));
    slot->flying = true;
    run->flying++;
    return 0;
}

/* Start the next operation in a free slot. */
static void start(struct run *run, struct slot *slot)
{
    const struct sto_bulk *bulk = run->bulk;
    size_t bytes = bulk->io_bytes;
    uint64_t offset;

    if (run->rc < 0 || run->out)
        return;
    if (!bulk->next(bulk->context, &offset, &bytes)) {
        run->out = true;
        return;
    }
    slot->iov.iov_len = bytes;
    slot->again = 0;
    memset(&slot->request, 0, sizeof(slot->request));
    slot->request.op.kind = bulk->write ? STO_OP_WRITE : STO_OP_READ;
    slot->request.op.offset_bytes = offset;
    slot->request.op.iov = &slot->iov;
    slot->request.op.iov_count = 1;
    if (bulk->write && bulk->data != NULL)
        run->rc = bulk->data(bulk->context, offset, slot->iov.iov_base, bytes, run->error);
    if (run->rc == 0)
        run->rc = submit(run, slot);
}

/* What passes by itself; through a gate it is the gate's business. */
static bool try_again(const struct run *run, struct slot *slot)
{
    enum sto_rc rc = slot->request.op.result.rc;
    unsigned most = rc == STO_ABORTED ? STO_ABORTS_MAX - 1 : AGAIN_MAX;

    if (run->rc < 0 || run->bulk->owner != NULL || !sto_rc_passes(rc))
        return false;
    return slot->again++ < most;
}

/* An operation has ended: again, judged, or the end of it all. */
static void finish(struct run *run, struct slot *slot)
{
    const struct sto_bulk *bulk = run->bulk;
    const struct sto_op *op = &slot->request.op;
    enum sto_rc rc = op->result.rc;

    slot->ended = false;
    slot->flying = false;
    run->flying--;
    if (try_again(run, slot)) {
        if (rc == STO_BUSY)
            (void)poll(NULL, 0, POLL_MS);
        run->rc = submit(run, slot);
        return;
    }
    if (run->rc == 0 && rc != STO_OK)
        run->rc = sto_tool_fail(bulk->lun, bulk->verb, &op->result, run->error);
    if (run->rc == 0 && !bulk->write && bulk->data != NULL)
        run->rc = bulk->data(bulk->context, op->offset_bytes, slot->iov.iov_base, slot->iov.iov_len,
                             run->error);
    if (run->rc < 0)
        return;
    run->stats.operations++;
    run->stats.bytes += slot->iov.iov_len;
    run->stats.last_ns = op->result.done_ns;
    if (bulk->progress != NULL)
        bulk->progress(bulk->context, run->stats.bytes);
    start(run, slot);
}

static void wait_once(const struct run *run)
{
    struct sto_owner *owner = run->bulk->owner;
    struct sto_lun *lun = run->bulk->lun;
    struct pollfd poll_fd = { .fd = owner != NULL ? sto_owner_fd(owner) : sto_lun_fd(lun),
                              .events =
                                  owner != NULL ? sto_owner_events(owner) : sto_lun_events(lun) };
    int timeout_ms = owner != NULL ? sto_owner_timeout_ms(owner) : -1;
    int ready;

    if (timeout_ms < 0 || timeout_ms > POLL_MS)
        timeout_ms = POLL_MS;
    ready = poll(&poll_fd, 1, timeout_ms);
    if (owner != NULL)
        sto_owner_service(owner, ready > 0 ? poll_fd.revents : 0);
    else
        sto_lun_service(lun, ready > 0 ? poll_fd.revents : 0);
}

/* Nothing is answered any more, and the owner tries on for ever: end it. */
static void watch(struct run *run)
{
    const struct sto_bulk *bulk = run->bulk;
    uint32_t stall_ms = bulk->stall_ms != 0 ? bulk->stall_ms : STALL_MS;
    int64_t now_ns = hw_clock_now_ns(sto_lun_clock(bulk->lun));

    if (bulk->owner == NULL || run->given_up ||
        now_ns - run->answered_ns < (int64_t)stall_ms * NS_PER_MS)
        return;
    run->given_up = true;
    if (run->rc == 0)
        run->rc = hw_error_setf(
            run->error, HW_ERROR_TIMED_OUT, ETIMEDOUT, sto_lun_name(bulk->lun),
            "see whether the target answers; 'hawser lun release' then gives it up",
            "cannot %s: the target answered nothing for %u s", bulk->verb, stall_ms / 1000);
    sto_owner_revoke(bulk->owner);
}

static void run_all(struct run *run)
{
    const struct sto_bulk *bulk = run->bulk;

    run->stats.first_ns = hw_clock_now_ns(sto_lun_clock(bulk->lun));
    run->stats.last_ns = run->stats.first_ns;
    for (unsigned i = 0; i < bulk->depth; i++) {
        struct slot *slot = &run->slots[i];

        slot->run = run;
        slot->iov.iov_base = run->buffers + (size_t)i * bulk->io_bytes;
        start(run, slot);
    }
    run->answered_ns = hw_clock_now_ns(sto_lun_clock(bulk->lun)); /* (the caller may be slow) */
    while (run->flying > 0) {
        wait_once(run);
        watch(run);
        for (unsigned i = 0; i < bulk->depth; i++) {
            if (!run->slots[i].ended)
                continue;
            finish(run, &run->slots[i]);
            run->answered_ns = hw_clock_now_ns(sto_lun_clock(bulk->lun));
        }
    }
}

int sto_bulk_run(const struct sto_bulk *bulk, struct sto_bulk_stats *ret_stats,
                 struct hw_error *error)
{
    struct run run = { .bulk = bulk, .error = error };

    if (bulk->depth == 0 || bulk->depth > STO_BULK_DEPTH_MAX || bulk->io_bytes == 0 ||
        bulk->io_bytes % PAGE_BYTES != 0)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, sto_lun_name(bulk->lun),
                            "no such depth or size of operations", "");
    run.slots = calloc(bulk->depth, sizeof(*run.slots));
    run.buffers = aligned_alloc(PAGE_BYTES, bulk->depth * bulk->io_bytes);
    if (run.slots == NULL || run.buffers == NULL) {
        run.rc = hw_error_set(error, HW_ERROR_FAILED, ENOMEM, sto_lun_name(bulk->lun),
                              "out of memory", "");
    } else {
        memset(run.buffers, 0, bulk->depth * bulk->io_bytes);
        run_all(&run);
    }
    free(run.slots);
    free(run.buffers);
    if (run.rc == 0 && ret_stats != NULL)
        *ret_stats = run.stats;
    return run.rc;
}
