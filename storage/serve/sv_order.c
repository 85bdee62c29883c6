/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders of the control socket: done at once, or begun and answered when they are done. Of each
 * kind that takes time one is under way; another is refused, not queued.
 */
#include "config.h"

#include "storage/serve/sv_server_priv.h"

#include <errno.h>
#include <string.h>

#include "storage/sto_pr.h"

enum { SAVED_RETRY_MS = 250, SAVED_RETRY_DOUBLINGS = 6 };

static void answer(struct sv_server *server, struct hw_asker *asker, json_t *body)
{
    hw_control_answer(server->control, asker, body, -1);
}

static void refuse(struct sv_server *server, struct hw_asker *asker, const struct hw_error *error)
{
    hw_control_refuse(server->control, asker, error);
}

/* Take the order's place, or refuse it since another one is there. */
static bool take_place(struct sv_server *server, struct server_order *order,
                       const struct sv_command *command, struct hw_asker asker)
{
    struct hw_error error = { 0 };

    if (!order->pending) {
        *order = (struct server_order) { .pending = true, .kind = command->kind, .asker = asker };
        return true;
    }
    (void)hw_error_setf(&error, HW_ERROR_REFUSED, EBUSY, sv_command_name(command->kind),
                        "wait for its answer", "\"%s\" is under way", sv_command_name(order->kind));
    refuse(server, &asker, &error);
    return false;
}

static void done(struct sv_server *server, struct server_order *order, json_t *body,
                 const struct hw_error *error)
{
    if (!order->pending) {
        json_decref(body);
        return;
    }
    order->pending = false;
    if (error != NULL) {
        json_decref(body);
        refuse(server, &order->asker, error);
    } else {
        answer(server, &order->asker, body);
    }
}

/* --- ownership --- */

void server_owning_done(struct sv_server *server, const struct hw_error *error)
{
    if (server->owning.pending)
        done(server, &server->owning, server_status(server), error);
}

static int take_grant(struct sv_server *server, const struct sv_command *command,
                      struct hw_error *error)
{
    struct sto_key_parts parts = { .generation = command->generation };

    if (command->key != 0 &&
        (!sto_key_is_ours(command->key, sto_key_cluster_hash(server->config->cluster_uuid)) ||
         !sto_key_parse(command->key, &parts) || parts.node != server->config->node ||
         (command->generation != 0 && parts.generation != command->generation)))
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "key",
                            "is not of this cluster, node and generation", "see hawser-lun(8)");
    if (server->lost)
        return hw_error_set(error, HW_ERROR_REFUSED, EPERM, "LUNs",
                            "were lost to another owner while this process had them",
                            "end it; a new one starts with what the new owner left");
    server->grant = (struct sto_own_grant) { .generation = parts.generation,
                                             .takeover = command->takeover,
                                             .expected_set = command->expected_set,
                                             .expected_key = command->expected };
    return 0;
}

static void own(struct sv_server *server, const struct sv_command *command, struct hw_asker asker)
{
    const struct sto_own_grant before = server->grant;
    struct hw_error error = { 0 };
    int rc;

    if (!take_place(server, &server->owning, command, asker))
        return;
    if (command->kind == SV_COMMAND_ACQUIRE) {
        rc = take_grant(server, command, &error);
        if (rc == 0)
            rc = server_claim(server, &error);
        if (rc < 0)
            server->grant = before;
    } else {
        rc = server_give(server, command->kind == SV_COMMAND_RELEASE, command->node, &error);
    }
    if (rc < 0)
        server_owning_done(server, &error);
}

/* --- verify --- */

static uint64_t key_now(void *context, unsigned lun)
{
    const struct sv_server *server = context;

    return sto_own_key(sto_owner_machine(sv_lun_owner(server->luns[server->set_luns[lun]].lun)));
}

static void verified(void *context, const struct hw_error *error)
{
    struct sv_server *server = context;

    done(server, &server->verifying, error == NULL ? server_status(server) : NULL, error);
}

static void verify(struct sv_server *server, const struct sv_command *command,
                   struct hw_asker asker)
{
    struct hw_error error = { 0 };

    if (!take_place(server, &server->verifying, command, asker))
        return;
    if (server->set_count == 0 && server->granted) {
        verified(server, NULL);
        return;
    }
    if (server->set_count == 0 || !server_owned(server)) {
        (void)hw_error_set(&error, HW_ERROR_REFUSED, EPERM, "LUNs", "are not owned",
                           "acquire them");
        verified(server, &error);
        return;
    }
    server->verify = (struct sv_verify) {
        .count = server->set_count, .key = key_now, .done = verified, .context = server
    };
    for (unsigned i = 0; i < server->set_count; i++)
        server->verify.luns[i] = sv_lun_access(server->luns[server->set_luns[i]].lun);
    sv_verify_start(&server->verify);
}

/* --- hold, open, drain --- */

static void set_ordered(struct sv_server *server, bool ordered)
{
    server->ordered = ordered;
    server_judge(server);
}

static void drained(struct sv_job *job, enum sto_rc rc);

/* Nothing is in flight: flush one LUN after the other. */
static void flush_next(struct sv_server *server)
{
    while (server->drain_lun < server->lun_count) {
        struct server_lun *lun = &server->luns[server->drain_lun++];
        const struct sto_facts *facts = sv_lun_facts(lun->lun);

        if (!lun->owned || facts == NULL || facts->read_only)
            continue;
        server->drain_job = (struct sv_job) { .steps = { { .kind = STO_OP_FLUSH } },
                                              .count = 1,
                                              .submit = sv_lun_submit_to,
                                              .to = lun->lun,
                                              .done = drained,
                                              .context = server };
        sv_job_start(&server->drain_job);
        return;
    }
    done(server, &server->draining, json_object(), NULL);
}

static void drained(struct sv_job *job, enum sto_rc rc)
{
    struct sv_server *server = job->context;
    struct hw_error error = { 0 };

    if (server->ended)
        return;
    if (server->drain_void) { /* another one, if there is, begins with the first LUN */
        server->drain_void = false;
        return;
    }
    if (sto_rc_unsettled(rc)) /* server_check_orders() asks what became of the LUNs */
        return;
    if (rc == STO_OK) {
        flush_next(server);
        return;
    }
    (void)hw_error_setf(&error, HW_ERROR_FAILED, EIO, sv_lun_name(job->to),
                        "it stays held; drain again, or open", "cannot be flushed: %s",
                        sto_rc_name(rc));
    done(server, &server->draining, NULL, &error);
}

bool server_in_flight(const struct sv_server *server)
{
    for (unsigned i = 0; i < server->config->disk_count; i++)
        if (server_disk_in_flight(server->disks[i]) > 0)
            return true;
    return false;
}

static void give_up_drain(struct sv_server *server, const char *object, const char *reason,
                          const char *remedy)
{
    struct hw_error error = { 0 };

    if (!server->draining.pending)
        return;
    server->drain_void = server->drain_job.running;
    server->ordered = server->held_before_drain;
    (void)hw_error_set(&error, HW_ERROR_REFUSED, ECANCELED, object, reason, remedy);
    done(server, &server->draining, NULL, &error);
    server_judge(server);
}

/* What is in flight cannot end, and nothing be flushed, on LUNs that this process does not have. */
static void check_drain(struct sv_server *server)
{
    if (server->lost)
        give_up_drain(server, "LUNs", "were lost to another owner: what is in flight never ends",
                      "end this process");
    else if (!server_owned(server))
        give_up_drain(server, "LUNs", "are not owned: nothing can be flushed", "acquire them");
}

void server_check_orders(struct sv_server *server)
{
    check_drain(server);
    if (!server->draining.pending || server->drain_job.running || server_in_flight(server))
        return;
    server->drain_lun = 0;
    flush_next(server);
}

/* --- the saved state --- */

void server_look(struct sv_server *server)
{
    server->saved_retry_ns = INT64_MAX;
    if (server->discard_wanted)
        sv_saved_consume(&server->saved);
    else
        sv_saved_look(&server->saved);
}

/* What stands in the way of an order to discard it, and of the disks. */
static void saved_error(const struct sv_server *server, enum sto_rc rc, struct hw_error *error)
{
    const enum sto_saved_verdict verdict = server->saved.look.verdict;

    if (rc != STO_OK)
        (void)hw_error_setf(error, HW_ERROR_FAILED, EIO, "saved state",
                            "the disks stay shut until it can be read",
                            "its headers cannot be read or written: %s", sto_rc_name(rc));
    else if (verdict == STO_SAVED_FOREIGN)
        (void)hw_error_set(error, HW_ERROR_REFUSED, EPROTONOSUPPORT, "saved state",
                           "is of a newer version of hawser", "update hawser here");
    else if (verdict != STO_SAVED_CLEAN)
        (void)hw_error_set(error, HW_ERROR_FAILED, EBUSY, "saved state",
                           "is there again behind each write that discards it",
                           "end whoever writes it, and discard it again");
}

/* Said once, until it is well again; and tried again, less and less often. */
static void saved_failed(struct sv_server *server, const struct hw_error *error)
{
    const int64_t pause_ms = SAVED_RETRY_MS << server->saved_fails;

    if (server->saved_fails == 0)
        server_tell(server, "saved-state",
                    json_pack("{s:s, s:s, s:s}", "object", error->object, "text", error->reason,
                              "remedy", error->remedy));
    if (server->saved_fails < SAVED_RETRY_DOUBLINGS)
        server->saved_fails++;
    server->saved_retry_ns = hw_clock_now_ns(hw_clock_boottime()) + pause_ms * 1000000;
}

void server_saved_looked(void *context, enum sto_rc rc)
{
    struct sv_server *server = context;
    struct hw_error error = { 0 };

    saved_error(server, rc, &error);
    if (rc == STO_OK) {
        server->saved_fails = 0;
        server->discard_wanted = false;
    } else if (!sto_rc_unsettled(rc)) { /* those end with the ownership, and the next one looks */
        saved_failed(server, &error);
    }
    done(server, &server->discarding, error.kind == HW_ERROR_NONE ? json_object() : NULL,
         error.kind == HW_ERROR_NONE ? NULL : &error);
    server_judge(server);
}

static void discard(struct sv_server *server, const struct sv_command *command,
                    struct hw_asker asker)
{
    struct hw_error error = { 0 };

    if (!take_place(server, &server->discarding, command, asker))
        return;
    if (server->has_state && server->saved_ready && server_owned(server)) {
        sv_saved_consume(&server->saved);
        return;
    }
    (void)hw_error_set(&error, HW_ERROR_REFUSED, EPERM, "saved state",
                       server->has_state ? "belongs to LUNs that are not owned yet"
                                         : "was not given to serve",
                       server->has_state ? "acquire them" : "start with --state");
    done(server, &server->discarding, NULL, &error);
}

static void obey(struct sv_server *server, const struct sv_command *command, struct hw_asker asker)
{
    switch (command->kind) {
    case SV_COMMAND_ACQUIRE:
    case SV_COMMAND_HAND_OVER:
    case SV_COMMAND_RELEASE:
        own(server, command, asker);
        break;
    case SV_COMMAND_VERIFY:
        verify(server, command, asker);
        break;
    case SV_COMMAND_HOLD:
    case SV_COMMAND_OPEN:
        if (command->kind == SV_COMMAND_OPEN)
            give_up_drain(server, "drain", "\"open\" came before it was done", "drain again");
        server->held_before_drain = command->kind == SV_COMMAND_HOLD; /* whatever becomes of it */
        set_ordered(server, command->kind == SV_COMMAND_HOLD);
        answer(server, &asker, server_status(server));
        break;
    case SV_COMMAND_DRAIN:
        if (!take_place(server, &server->draining, command, asker))
            break;
        server->held_before_drain = server->ordered;
        set_ordered(server, true);
        break;
    case SV_COMMAND_DISCARD_STATE:
        discard(server, command, asker);
        break;
    case SV_COMMAND_STATUS:
        answer(server, &asker, server_status(server));
        break;
    case SV_COMMAND_STATISTICS:
        answer(server, &asker, server_statistics(server));
        break;
    case SV_COMMAND_EVENTS:
        hw_control_subscribe(server->control, &asker);
        answer(server, &asker, server_status(server));
        break;
    case SV_COMMAND_PAGE:
        hw_control_answer(server->control, &asker, json_object(), server->page_fd);
        break;
    case SV_COMMAND_QUIT:
        answer(server, &asker, json_object());
        server_end(server, 0, NULL);
        break;
    case SV_COMMAND_COUNT:
        break;
    }
}

void server_order(void *context, json_t *object, struct hw_asker asker)
{
    struct sv_server *server = context;
    struct sv_command command;
    struct hw_error error = { 0 };

    if (sv_command_parse(object, &command, &error) < 0)
        refuse(server, &asker, &error);
    else
        obey(server, &command, asker);
}
