/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking at the header slots and consuming what they hold. Reads come behind a flush, so that
 * what is judged is what a power cut would leave.
 */
#include "config.h"

#include "storage/serve/sv_saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_state_area.h"

enum { SLOT_PAGE_BYTES = 4096, WRITES_MAX = 4 };

static uint64_t slot_offset(const struct sv_saved *saved, unsigned slot)
{
    return saved->offset_bytes + (uint64_t)slot * STO_STATE_HEADER_BYTES;
}

static void job_done(struct sv_job *job, enum sto_rc rc);

static void start_look(struct sv_saved *saved)
{
    saved->task = SV_SAVED_LOOKING;
    saved->job = (struct sv_job) {
        .steps = { { .kind = STO_OP_FLUSH },
                   { .kind = STO_OP_READ,
                     .offset_bytes = slot_offset(saved, 0),
                     .buffer = saved->buffer,
                     .bytes = saved->block_bytes,
                     .may_fail = true },
                   { .kind = STO_OP_READ,
                     .offset_bytes = slot_offset(saved, 1),
                     .buffer = saved->buffer + SLOT_PAGE_BYTES,
                     .bytes = saved->block_bytes,
                     .may_fail = true } },
        .count = 3,
        .submit = saved->submit,
        .to = saved->to,
        .done = job_done,
        .context = saved,
    };
    sv_job_start(&saved->job);
}

static void start_write(struct sv_saved *saved)
{
    unsigned slot;
    const struct sto_saved next = sto_saved_next(&saved->look, STO_SAVED_CONSUMED, &slot);

    saved->task = SV_SAVED_WRITING;
    saved->writes++;
    memset(saved->buffer, 0, SLOT_PAGE_BYTES);
    sto_saved_encode(&next, saved->buffer);
    saved->job = (struct sv_job) {
        .steps = { { .kind = STO_OP_WRITE,
                     .offset_bytes = slot_offset(saved, slot),
                     .buffer = saved->buffer,
                     .bytes = saved->block_bytes },
                   { .kind = STO_OP_FLUSH } },
        .count = 2,
        .submit = saved->submit,
        .to = saved->to,
        .done = job_done,
        .context = saved,
    };
    sv_job_start(&saved->job);
}

static void finish(struct sv_saved *saved, enum sto_rc rc)
{
    saved->task = SV_SAVED_IDLE;
    if (saved->ended)
        return;
    if (saved->again) {
        saved->again = false;
        start_look(saved);
        return;
    }
    saved->consume = false;
    if (rc == STO_OK && saved->shutting == 0)
        saved->shut = false;
    saved->done(saved->context, rc);
}

static void looked(struct sv_saved *saved)
{
    if (saved->again) { /* what was read may be of before */
        finish(saved, STO_OK);
        return;
    }
    sto_saved_judge(saved->buffer, saved->buffer + SLOT_PAGE_BYTES, &saved->look);
    saved->known = true;
    if (saved->consume && saved->writes < WRITES_MAX &&
        (saved->look.verdict == STO_SAVED_WAITS || saved->look.verdict == STO_SAVED_UNSETTLED))
        start_write(saved);
    else
        finish(saved, STO_OK);
}

static void job_done(struct sv_job *job, enum sto_rc rc)
{
    struct sv_saved *saved = job->context;

    if (rc != STO_OK)
        finish(saved, rc);
    else if (saved->task == SV_SAVED_WRITING)
        start_look(saved);
    else
        looked(saved);
}

int sv_saved_init(struct sv_saved *saved, int (*submit)(void *to, struct sto_request *request),
                  void *to, uint64_t offset_bytes, uint32_t block_bytes,
                  void (*done)(void *context, enum sto_rc rc), void *context)
{
    memset(saved, 0, sizeof(*saved));
    saved->buffer = aligned_alloc(SLOT_PAGE_BYTES, 2 * SLOT_PAGE_BYTES);
    if (saved->buffer == NULL)
        return -ENOMEM;
    saved->submit = submit;
    saved->to = to;
    saved->offset_bytes = offset_bytes;
    saved->block_bytes = block_bytes;
    saved->done = done;
    saved->context = context;
    return 0;
}

void sv_saved_end(struct sv_saved *saved)
{
    saved->ended = true;
}

void sv_saved_fini(struct sv_saved *saved)
{
    free(saved->buffer);
    saved->buffer = NULL;
}

void sv_saved_forget(struct sv_saved *saved)
{
    saved->known = false;
    saved->again = saved->task != SV_SAVED_IDLE;
}

void sv_saved_look(struct sv_saved *saved)
{
    if (saved->ended)
        return;
    if (saved->task != SV_SAVED_IDLE) {
        saved->again = true;
        return;
    }
    start_look(saved);
}

void sv_saved_consume(struct sv_saved *saved)
{
    saved->consume = true;
    saved->writes = 0;
    sv_saved_look(saved);
}

void sv_saved_shut(struct sv_saved *saved)
{
    saved->shutting++;
    saved->shut = true;
}

void sv_saved_shut_end(struct sv_saved *saved)
{
    saved->shutting--;
    sv_saved_look(saved);
}

/* Copy the first sector of a slot out of what is written; false if it is not all in there. */
static bool copy_sector(uint64_t skip, const struct iovec *data, unsigned count,
                        uint8_t sector[STO_SAVED_BYTES])
{
    size_t have = 0;

    for (unsigned i = 0; i < count && have < STO_SAVED_BYTES; i++) {
        size_t take = data[i].iov_len;

        if (skip >= take) {
            skip -= take;
            continue;
        }
        take -= (size_t)skip;
        if (take > STO_SAVED_BYTES - have)
            take = STO_SAVED_BYTES - have;
        memcpy(sector + have, (const uint8_t *)data[i].iov_base + skip, take);
        have += take;
        skip = 0;
    }
    return have == STO_SAVED_BYTES;
}

static enum sv_saved_write judge_slot(uint64_t slot_at, uint64_t offset_bytes,
                                      const struct iovec *data, unsigned count)
{
    uint8_t sector[STO_SAVED_BYTES];
    struct sto_saved saved;

    if (offset_bytes > slot_at || !copy_sector(slot_at - offset_bytes, data, count, sector) ||
        sto_saved_decode(sector, &saved) < 0)
        return SV_SAVED_SHUTS;
    return saved.state == STO_SAVED_COMMITTED || saved.state == STO_SAVED_CLAIMED
               ? SV_SAVED_SHUTS
               : SV_SAVED_HARMLESS;
}

enum sv_saved_write sv_saved_judge_write(uint64_t offset_bytes, uint64_t bytes,
                                         const struct iovec *data, unsigned count)
{
    enum sv_saved_write found = SV_SAVED_NOT_A_HEADER;

    for (unsigned slot = 0; slot < STO_SAVED_SLOTS; slot++) {
        const uint64_t at = (uint64_t)slot * STO_STATE_HEADER_BYTES;
        enum sv_saved_write verdict;

        if (offset_bytes >= at + STO_SAVED_BYTES || at >= offset_bytes + bytes)
            continue;
        verdict = judge_slot(at, offset_bytes, data, count);
        if (verdict > found)
            found = verdict;
    }
    return found;
}
