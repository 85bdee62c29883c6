/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a LUN is: a login of the control session and its facts, before anything is registered; the
 * partition table, once it is owned (a foreign owner's exclusive access hides it before).
 */
#include "config.h"

#include "storage/serve/sv_lun_priv.h"

#include <errno.h>
#include <string.h>

#include "storage/sto_meta.h"
#include "storage/sto_presence.h"
#include "storage/sto_probe.h"

enum { DESCRIPTION_END_BYTES = 2 * 1024 * 1024 };

static void known(void *context, int rc, const struct sto_facts *facts,
                  const struct hw_error *error)
{
    struct sv_lun *lun = context;
    struct hw_error own_error = { 0 };

    if (rc == 0 && !lun->named)
        rc = sto_presence_take_wwid(&lun->url, facts->wwid, lun->config->cluster_uuid,
                                    lun->config->node, lun->wwid_fd, &own_error);
    else if (rc < 0)
        own_error = *error;
    lun->named = lun->named || rc == 0;
    lun_tell(lun, rc < 0 ? SV_LUN_FAILED : SV_LUN_KNOWN, NULL, rc < 0 ? &own_error : NULL);
}

int lun_fail(struct sv_lun *lun, const char *what, enum sto_rc rc, struct hw_error *error)
{
    return hw_error_setf(
        error, rc == STO_UNKNOWN ? HW_ERROR_TIMED_OUT : HW_ERROR_FAILED, EIO,
        sto_lun_name(lun->lun), "check that the target is up and lets us in", "%s: %s", what,
        lun->op.result.detail[0] != '\0' ? lun->op.result.detail : sto_rc_name(rc));
}

static void logged_in(struct sto_op *op)
{
    struct sv_lun *lun = op->context;
    struct hw_error error = { 0 };

    if (op->result.rc != STO_OK)
        (void)lun_fail(lun, "cannot be reached", op->result.rc, &error);
    else if (sto_identify(lun->lun, LUN_LOOK_MS, known, lun) < 0)
        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    if (error.kind != HW_ERROR_NONE)
        lun_tell(lun, SV_LUN_FAILED, NULL, &error);
}

void sv_lun_look(struct sv_lun *lun)
{
    struct hw_error error = { 0 };

    if (lun->owner == NULL) { /* it was asked when it was opened */
        known(lun, 0, sto_lun_facts(lun->lun), NULL);
        return;
    }
    memset(&lun->op, 0, sizeof(lun->op));
    lun->op.kind = STO_OP_LOGIN;
    lun->op.session = STO_SESSION_CONTROL;
    lun->op.done = logged_in;
    lun->op.context = lun;
    if (sto_lun_submit(lun->lun, &lun->op) < 0) {
        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
        lun_tell(lun, SV_LUN_FAILED, NULL, &error);
    }
}

/* What the probe of `lun init` found: on some targets a discard passes by a reservation. */
static bool may_discard(const struct sv_lun *lun)
{
    const uint32_t bits = STO_PROBE_DONE | STO_PROBE_NO_DISCARD;
    struct sto_meta meta;

    if (lun->owner == NULL)
        return sto_lun_facts(lun->lun)->unmap;
    return sto_meta_choose(lun->description, lun->description + LUN_PAGE_BYTES, &meta, NULL) == 0 &&
           (meta.probe_bits & bits) == STO_PROBE_DONE && sto_lun_facts(lun->lun)->unmap;
}

static void parse(struct sv_lun *lun)
{
    const struct sto_facts *facts = sto_lun_facts(lun->lun);
    struct hw_error error = { 0 };
    struct sto_edge head = { 0 }, tail = { 0 };

    head.data = lun->edges;
    head.bytes = lun->job.steps[0].bytes;
    tail.data = lun->edges + STO_LAYOUT_EDGE_BYTES;
    tail.bytes = lun->job.steps[1].bytes;
    tail.offset_bytes = lun->job.steps[1].offset_bytes;
    if (sto_layout_parse(sto_lun_name(lun->lun), &head, &tail, facts->capacity_bytes,
                         facts->block_bytes, &lun->layout, &error) < 0) {
        lun_tell(lun, SV_LUN_FAILED, NULL, &error);
        return;
    }
    lun->may_discard = may_discard(lun);
    lun->laid = true;
    lun_tell(lun, SV_LUN_LAID, NULL, NULL);
}

static void edges_read(struct sv_job *job, enum sto_rc rc)
{
    struct sv_lun *lun = job->context;
    struct hw_error error = { 0 };

    if (rc == STO_OK) {
        parse(lun);
        return;
    }
    if (rc == STO_UNKNOWN || rc == STO_NOT_SENT || rc == STO_CONFLICT || rc == STO_UNIT_ATTENTION)
        return; /* the sessions are gone, or the LUN: read again when it is owned again */
    lun->op.result.detail[0] = '\0';
    (void)lun_fail(lun, "its partition table cannot be read", rc, &error);
    lun_tell(lun, SV_LUN_FAILED, NULL, &error);
}

static struct sv_job_step description_step(const struct sv_lun *lun, unsigned copy)
{
    const uint64_t at =
        copy == 0 ? STO_LAYOUT_DESCRIPTION_OFFSET_BYTES : STO_LAYOUT_DESCRIPTION_COPY_OFFSET_BYTES;

    return (struct sv_job_step) { .kind = STO_OP_READ,
                                  .offset_bytes = STO_LAYOUT_META_OFFSET_BYTES + at,
                                  .buffer = lun->description + copy * LUN_PAGE_BYTES,
                                  .bytes = LUN_PAGE_BYTES,
                                  .may_fail = true };
}

void lun_read_layout(struct sv_lun *lun)
{
    const struct sto_facts *facts = sto_lun_facts(lun->lun);
    size_t bytes = STO_LAYOUT_EDGE_BYTES;

    if (lun->laid || lun->job.running)
        return;
    if (!lun->want_layout) {
        lun->may_discard = lun->owner == NULL && facts != NULL && facts->unmap;
        lun->laid = true;
        lun_tell(lun, SV_LUN_LAID, NULL, NULL);
        return;
    }
    if (facts == NULL)
        return;
    if (facts->capacity_bytes < bytes)
        bytes = facts->capacity_bytes;
    lun->job = (struct sv_job) {
        .steps = { { .kind = STO_OP_READ, .buffer = lun->edges, .bytes = bytes },
                   { .kind = STO_OP_READ,
                     .offset_bytes = facts->capacity_bytes - bytes,
                     .buffer = lun->edges + STO_LAYOUT_EDGE_BYTES,
                     .bytes = bytes },
                   description_step(lun, 0),
                   description_step(lun, 1) },
        .count = facts->capacity_bytes < DESCRIPTION_END_BYTES ? 2 : 4,
        .done = edges_read,
        .context = lun,
    };
    sv_job_start(&lun->job, lun->lun);
}

static int check_window(const struct sv_lun *lun, const struct sto_window *window,
                        struct hw_error *error)
{
    const struct sto_facts *facts = sto_lun_facts(lun->lun);
    uint64_t end;

    if (__builtin_add_overflow(window->offset_bytes, window->size_bytes, &end) ||
        end > facts->capacity_bytes || window->size_bytes == 0)
        return hw_error_setf(error, HW_ERROR_REFUSED, EINVAL, sto_lun_name(lun->lun),
                             "check the offset and size",
                             "the part wanted ends behind its %llu bytes",
                             (unsigned long long)facts->capacity_bytes);
    if (window->offset_bytes % facts->block_bytes != 0 ||
        window->size_bytes % facts->block_bytes != 0)
        return hw_error_setf(
            error, HW_ERROR_REFUSED, EINVAL, sto_lun_name(lun->lun), "choose multiples of it",
            "the part wanted does not fit its blocks of %u bytes", (unsigned)facts->block_bytes);
    return 0;
}

int sv_lun_window(const struct sv_lun *lun, const struct sto_url *url,
                  struct sto_window *ret_window, struct hw_error *error)
{
    const struct sto_facts *facts = sto_lun_facts(lun->lun);
    struct sto_window window = { .offset_bytes = url->offset_bytes, .size_bytes = url->size_bytes };

    switch (url->area) {
    case STO_AREA_DISK:
        window = lun->layout.disk;
        break;
    case STO_AREA_STATE:
        window = lun->layout.state;
        break;
    case STO_AREA_META:
        window = lun->layout.meta;
        break;
    case STO_AREA_WHOLE:
        window = (struct sto_window) { .size_bytes = facts->capacity_bytes -
                                                     facts->capacity_bytes % facts->block_bytes };
        break;
    case STO_AREA_WINDOW:
        if (window.size_bytes == 0 && window.offset_bytes < facts->capacity_bytes)
            window.size_bytes = facts->capacity_bytes - window.offset_bytes;
        break;
    }
    if (check_window(lun, &window, error) < 0)
        return -EINVAL;
    *ret_window = window;
    return 0;
}
