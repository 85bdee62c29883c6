/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a LUN is: a login of the control session, its facts and, unless an owner's exclusive access
 * hides it, its partition table, before anything is registered; the partition table that counts,
 * once it is owned.
 */
#include "config.h"

#include "storage/serve/sv_lun_priv.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "storage/sto_meta.h"
#include "storage/sto_presence.h"
#include "storage/sto_probe.h"

enum { DESCRIPTION_END_BYTES = 2 * 1024 * 1024 };

/* Past the gate, on the control session, while nobody may have claimed the LUN yet. */
static void control_done(struct sto_op *op)
{
    struct sto_request *request =
        (struct sto_request *)((char *)op - offsetof(struct sto_request, op));

    request->done(request);
}

static int submit_control(void *to, struct sto_request *request)
{
    const struct sv_lun *lun = to;

    request->op.session = STO_SESSION_CONTROL;
    request->op.timeout_ms = LUN_LOOK_MS;
    request->op.done = control_done;
    return sto_lun_submit(lun->lun, &request->op);
}

static struct sv_job edges_job(struct sv_lun *lun)
{
    const uint64_t capacity_bytes = sto_lun_facts(lun->lun)->capacity_bytes;
    size_t bytes = STO_LAYOUT_EDGE_BYTES;

    if (capacity_bytes < bytes)
        bytes = capacity_bytes;
    return (
        struct sv_job) { .steps = { { .kind = STO_OP_READ, .buffer = lun->edges, .bytes = bytes },
                                    { .kind = STO_OP_READ,
                                      .offset_bytes = capacity_bytes - bytes,
                                      .buffer = lun->edges + STO_LAYOUT_EDGE_BYTES,
                                      .bytes = bytes } },
                         .count = 2,
                         .to = lun,
                         .context = lun };
}

static int parse_edges(const struct sv_lun *lun, struct sto_layout *ret_layout,
                       struct hw_error *error)
{
    const struct sto_facts *facts = sto_lun_facts(lun->lun);
    const struct sv_job_step *steps = lun->job.steps;
    struct sto_edge head = { 0 }, tail = { 0 };

    head.data = lun->edges;
    head.bytes = steps[0].bytes;
    tail.data = lun->edges + STO_LAYOUT_EDGE_BYTES;
    tail.bytes = steps[1].bytes;
    tail.offset_bytes = steps[1].offset_bytes;
    return sto_layout_parse(sto_lun_name(lun->lun), &head, &tail, facts->capacity_bytes,
                            facts->block_bytes, ret_layout, error);
}

static void cannot_read(struct sv_lun *lun, enum sto_rc rc, struct hw_error *error)
{
    (void)hw_error_setf(error, HW_ERROR_FAILED, EIO, sto_lun_name(lun->lun), "see the target's log",
                        "its partition table cannot be read: %s", sto_rc_name(rc));
}

static void previewed(struct sv_job *job, enum sto_rc rc)
{
    struct sv_lun *lun = job->context;
    struct sto_layout layout;
    struct hw_error error = { 0 };
    /* the sessions are gone, the LUN is another's or busy: it is read when it is owned */
    bool good = sto_rc_unsettled(rc) || rc == STO_ABORTED || sto_lun_facts(lun->lun) == NULL;

    if (!good && rc == STO_OK)
        good = parse_edges(lun, &layout, &error) == 0;
    else if (!good)
        cannot_read(lun, rc, &error);
    lun_tell(lun, good ? SV_LUN_KNOWN : SV_LUN_FAILED, NULL, good ? NULL : &error);
}

/* A LUN that cannot be served is not registered with, and nothing is written to it. */
static void preview(struct sv_lun *lun)
{
    const struct sto_facts *facts = sto_lun_facts(lun->lun);

    if (lun->owner == NULL || !lun->want_layout || lun->laid || facts == NULL ||
        facts->capacity_bytes == 0) {
        lun_tell(lun, SV_LUN_KNOWN, NULL, NULL);
        return;
    }
    lun->job = edges_job(lun);
    lun->job.submit = submit_control;
    lun->job.done = previewed;
    sv_job_start(&lun->job);
}

/* Who holds the name may only look at the LUN, or is being ended. True: it is asked again soon. */
static bool wait_for_name(struct sv_lun *lun)
{
    const int64_t now_ns = hw_clock_now_ns(hw_clock_boottime());

    if (lun->name_end_ns == 0)
        lun->name_end_ns = now_ns + (int64_t)LUN_PRESENCE_MS * 1000000;
    if (now_ns >= lun->name_end_ns)
        return false;
    lun->name_again_ns = now_ns + (int64_t)LUN_PRESENCE_STEP_MS * 1000000;
    return true;
}

void lun_take_name(struct sv_lun *lun)
{
    struct hw_error error = { 0 };
    int rc = 0;

    lun->name_again_ns = INT64_MAX;
    if (!lun->named)
        rc = sto_presence_take_wwid(&lun->url, lun->wwid, lun->config->cluster_uuid,
                                    lun->config->node, lun->wwid_fd, &error);
    if (rc == -EBUSY && wait_for_name(lun))
        return;
    lun->named = lun->named || rc == 0;
    if (rc == 0 && lun->owner != NULL && lun->read_only)
        rc = sto_own_reason_error(sto_lun_name(lun->lun), STO_OWN_REASON_READ_ONLY, 0, "", &error);
    if (rc < 0)
        lun_tell(lun, SV_LUN_FAILED, NULL, &error);
    else
        preview(lun);
}

static void known(void *context, int rc, const struct sto_facts *facts,
                  const struct hw_error *error)
{
    struct sv_lun *lun = context;

    if (rc < 0) {
        lun_tell(lun, SV_LUN_FAILED, NULL, error);
        return;
    }
    memcpy(lun->wwid, facts->wwid, sizeof(lun->wwid));
    lun->read_only = facts->read_only;
    lun_take_name(lun);
}

static void login_failed(const struct sv_lun *lun, const struct sto_result *result,
                         struct hw_error *error)
{
    const char *name = sto_lun_name(lun->lun), *detail = result->detail;
    const bool late = result->rc == STO_UNKNOWN || strstr(detail, "no answer") != NULL;

    if (result->rc == STO_LOGIN_REFUSED && lun->url.scheme == STO_SCHEME_ISCSI)
        (void)sto_own_reason_error(name, STO_OWN_REASON_LOGIN_REFUSED, 0, detail, error);
    else
        (void)hw_error_setf(error, late ? HW_ERROR_TIMED_OUT : HW_ERROR_FAILED, EIO, name,
                            "check that the target is up and lets us in", "cannot be reached: %s",
                            detail[0] != '\0' ? detail : sto_rc_name(result->rc));
}

static void logged_in(struct sto_op *op)
{
    struct sv_lun *lun = op->context;
    struct hw_error error = { 0 };

    if (op->result.rc != STO_OK)
        login_failed(lun, &op->result, &error);
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

static bool same_window(const struct sto_window *left, const struct sto_window *right)
{
    return left->offset_bytes == right->offset_bytes && left->size_bytes == right->size_bytes;
}

void sv_lun_owned_anew(struct sv_lun *lun)
{
    lun->laid = false;
}

static void parse(struct sv_lun *lun)
{
    const bool discard = may_discard(lun);
    struct hw_error error = { 0 };
    struct sto_layout layout = { 0 };

    if (parse_edges(lun, &layout, &error) == 0 && lun->laid_before &&
        (!same_window(&layout.disk, &lun->layout.disk) ||
         !same_window(&layout.state, &lun->layout.state) || discard != lun->may_discard))
        (void)hw_error_set(&error, HW_ERROR_REFUSED, ESTALE, sto_lun_name(lun->lun),
                           "was laid out anew since it was served here", "start this process anew");
    if (error.kind != HW_ERROR_NONE) {
        lun_tell(lun, SV_LUN_FAILED, NULL, &error);
        return;
    }
    lun->layout = layout;
    lun->may_discard = discard;
    lun->laid = lun->laid_before = true;
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
    if (sto_rc_unsettled(rc)) { /* of an ownership before this one, or of none */
        if (lun->read_again)
            lun_read_layout(lun);
        return;
    }
    cannot_read(lun, rc, &error);
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

    lun->read_again = lun->job.running;
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
    lun->job = edges_job(lun);
    lun->job.submit = sv_lun_submit_to;
    if (facts->capacity_bytes >= DESCRIPTION_END_BYTES) {
        lun->job.steps[2] = description_step(lun, 0);
        lun->job.steps[3] = description_step(lun, 1);
        lun->job.count = 4;
    }
    lun->job.done = edges_read;
    sv_job_start(&lun->job);
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

const char *sv_lun_wwid(const struct sv_lun *lun)
{
    return lun->wwid;
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
