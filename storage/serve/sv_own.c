/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's LUNs on their way to ownership: all looked at, then claimed as one set (sto_set.h),
 * then laid out. Nothing is decided here that those machines decide.
 */
#include "config.h"

#include "storage/serve/sv_server_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/hw_text.h"

enum { ABANDON_MS = 10 * 60 * 1000 };

static unsigned lun_index(const struct sv_server *server, const struct sv_lun *lun)
{
    unsigned i = 0;

    while (server->luns[i].lun != lun)
        i++;
    return i;
}

static unsigned set_index(const struct sv_server *server, unsigned lun)
{
    unsigned i = 0;

    while (server->set_luns[i] != lun)
        i++;
    return i;
}

static bool all(const struct sv_server *server, size_t flag)
{
    for (unsigned i = 0; i < server->lun_count; i++)
        if (!*(const bool *)((const char *)&server->luns[i] + flag))
            return false;
    return true;
}

bool server_owned(const struct sv_server *server)
{
    return (server->set_count == 0 || (server->set_made && server->set.state == STO_SET_OWNED)) &&
           all(server, offsetof(struct server_lun, owned));
}

int64_t server_confirmed_ns(const struct sv_server *server)
{
    int64_t oldest_ns = INT64_MAX;

    for (unsigned i = 0; i < server->lun_count; i++) {
        const struct sto_owner *owner = sv_lun_owner(server->luns[i].lun);

        if (owner != NULL && sto_owner_confirmed_ns(owner) < oldest_ns)
            oldest_ns = sto_owner_confirmed_ns(owner);
    }
    return oldest_ns;
}

/* --- the set's orders --- */

static void fail_owning(struct sv_server *server, unsigned lun, enum sto_own_reason reason,
                        uint64_t key, const char *detail)
{
    struct hw_error error = { 0 };

    (void)sto_own_reason_error(sv_lun_name(server->luns[lun].lun), reason, key, detail, &error);
    server->error = error;
    server_owning_done(server, &error);
}

static void carry_out(struct sv_server *server, const struct sto_set_actions *actions);

static struct sto_owner *set_owner(const struct sv_server *server, unsigned i)
{
    return sv_lun_owner(server->luns[server->set_luns[i]].lun);
}

/* What is owned goes on under the new grant; a first claim under the one before begins anew. */
static void start_owner(struct sto_owner *owner, const struct sto_own_grant *grant)
{
    if (sto_owner_start(owner, grant) == -EALREADY) {
        sto_owner_stop(owner);
        (void)sto_owner_start(owner, grant);
    }
}

static void order_owner(struct sv_server *server, const struct sto_set_action *action)
{
    struct sto_owner *owner = set_owner(server, action->lun);

    if (action->kind == STO_SET_START)
        start_owner(owner, &server->grant);
    else if (action->kind == STO_SET_REVOKE)
        sto_owner_revoke(owner);
    else if (action->kind == STO_SET_HAND_OVER)
        sto_owner_hand_over(owner, action->node);
    else
        sto_owner_release(owner);
}

static void allow_all(struct sv_server *server, bool allowed)
{
    for (unsigned i = 0; i < server->set_count; i++)
        sto_owner_allow(set_owner(server, i), allowed);
}

static void open_plain(struct sv_server *server)
{
    for (unsigned i = 0; i < server->lun_count; i++)
        if (!server->luns[i].owned)
            sv_lun_open_plain(server->luns[i].lun);
}

static void set_told(struct sv_server *server, const struct sto_set_action *action)
{
    switch (action->state) {
    case STO_SET_OWNED:
        server->gave = server->others = false;
        open_plain(server);
        server_owning_done(server, NULL);
        break;
    case STO_SET_IDLE: /* given, or refused */
        server->granted = false;
        if (action->reason == STO_OWN_REASON_NONE || action->reason == STO_OWN_REASON_RELEASED) {
            server->gave = true;
            server->discard_wanted = false; /* of the state that was there at first */
            server_owning_done(server, NULL);
        }
        break;
    case STO_SET_LOST:
    case STO_SET_CLAIMING:
    case STO_SET_GIVING:
    case STO_SET_STATE_COUNT:
        break;
    }
    server_judge(server);
}

static void carry_out(struct sv_server *server, const struct sto_set_actions *actions)
{
    for (unsigned i = 0; i < actions->count; i++) {
        const struct sto_set_action *action = &actions->items[i];

        switch (action->kind) {
        case STO_SET_START:
        case STO_SET_REVOKE:
        case STO_SET_HAND_OVER:
        case STO_SET_RELEASE:
            order_owner(server, action);
            break;
        case STO_SET_OPEN:
        case STO_SET_HOLD:
            allow_all(server, action->kind == STO_SET_OPEN);
            break;
        case STO_SET_TELL:
            set_told(server, action);
            break;
        }
    }
}

/* --- claiming --- */

static int make_set(struct sv_server *server, struct hw_error *error)
{
    const char *wwids[STO_SET_LUNS];
    unsigned count = 0;

    for (unsigned i = 0; i < server->lun_count; i++) {
        if (!sv_lun_reserves(server->luns[i].lun))
            continue;
        server->set_luns[count] = i;
        wwids[count++] = sv_lun_wwid(server->luns[i].lun);
    }
    server->set_count = count;
    if (count > 0 && sto_set_init(&server->set, wwids, count) < 0)
        return hw_error_set(error, HW_ERROR_REFUSED, EEXIST, sv_lun_name(server->luns[0].lun),
                            "two URLs lead to one LUN", "name each LUN once");
    server->set_made = true;
    return 0;
}

/*
 * Whoever had the LUNs meanwhile may have written: what a guest knows of them is of before, and
 * what it asked for must not follow. Which guest is of before its in-flight region tells
 * (vh_back_set_origin()); one that has none must not be there, and nothing be under way.
 */
static bool guest_is_of_before(const struct sv_server *server)
{
    for (unsigned i = 0; i < server->config->disk_count; i++)
        if (server_disk_unmarked(server->disks[i]))
            return true;
    return server_in_flight(server);
}

/* A set that is free, and a grant that no LUN has seen. */
static int may_claim(struct sv_server *server, struct hw_error *error)
{
    if (server->set_count > 0 && server->set.state != STO_SET_IDLE)
        return hw_error_set(error, HW_ERROR_REFUSED, EALREADY, "acquire",
                            "the LUNs are owned already, or on the way",
                            "hand over or release them first");
    if ((server->gave || server->others) && guest_is_of_before(server))
        return hw_error_set(error, HW_ERROR_REFUSED, EBUSY, "acquire",
                            "a guest is attached since before, when others could have the LUNs",
                            "end that guest, or this process");
    for (unsigned i = 0; i < server->set_count; i++) {
        uint32_t used = sto_own_generation(sto_owner_machine(set_owner(server, i)));

        if (server->grant.generation <= used)
            return hw_error_setf(error, HW_ERROR_REFUSED, ERANGE, "generation",
                                 "use a higher one, the first of a block of 16",
                                 "%" PRIu32 " is not above %" PRIu32 ", which was used",
                                 server->grant.generation, used);
    }
    return 0;
}

int server_claim(struct sv_server *server, struct hw_error *error)
{
    struct sto_set_actions actions = { 0 };
    int rc = 0;

    server->claim_waits = !all(server, offsetof(struct server_lun, known));
    if (server->claim_waits)
        return 0;
    if (!server->set_made || server->set.state == STO_SET_LOST)
        rc = make_set(server, error);
    if (rc == 0)
        rc = may_claim(server, error);
    if (rc < 0)
        return rc;
    server->granted = true;
    if (server->lease != NULL)
        sv_lease_set_generation(server->lease, server->grant.generation);
    if (server->set_count == 0) {
        open_plain(server);
        server_owning_done(server, NULL);
        return 0;
    }
    (void)sto_set_start(&server->set, &actions); /* it is free */
    carry_out(server, &actions);
    return 0;
}

int server_give(struct sv_server *server, bool release, uint16_t node, struct hw_error *error)
{
    struct sto_set_actions actions = { 0 };

    if (server->set_count > 0 && server->set.state == STO_SET_OWNED) {
        sto_set_give(&server->set, release, node, &actions);
        carry_out(server, &actions);
        server_judge(server); /* nothing more is taken out of the rings */
        return 0;
    }
    if (server->set_count == 0 && server->granted) {
        server_owning_done(server, NULL);
        return 0;
    }
    return hw_error_set(error, HW_ERROR_REFUSED, EPERM, "LUNs", "are not owned",
                        "see their owner with 'hawser lun show'");
}

/* --- what the LUNs tell --- */

static void lost(struct sv_server *server, unsigned lun, const struct sto_owner_notice *notice)
{
    server->lost = true;
    if (server->abandon_ns == INT64_MAX)
        server->abandon_ns = hw_clock_now_ns(hw_clock_boottime()) + (int64_t)ABANDON_MS * 1000000;
    fail_owning(server, lun, notice->reason, notice->key, notice->detail);
}

static void owner_said(struct sv_server *server, unsigned lun,
                       const struct sto_owner_notice *notice)
{
    struct server_lun *at = &server->luns[lun];
    struct sto_set_actions actions = { 0 };

    server_tell_notice(server, lun, notice);
    at->owned = notice->notice == STO_OWN_NOTICE_OWNED ||
                (at->owned && (notice->notice == STO_OWN_NOTICE_HELD_UP ||
                               notice->notice == STO_OWN_NOTICE_SUSPENDED));
    if (notice->notice == STO_OWN_NOTICE_OWNED)
        at->suspended = false;
    else if (notice->notice == STO_OWN_NOTICE_SUSPENDED)
        at->suspended = true;
    if (notice->notice == STO_OWN_NOTICE_LOST && notice->reason != STO_OWN_REASON_GENERATIONS_USED)
        lost(server, lun, notice);
    if (server_is_refusal(notice)) {
        server->others = true;
        fail_owning(server, lun, notice->reason, notice->key, notice->detail);
        if (server->config->control[0] == '\0')
            server_end(server, hw_error_exit_status(&server->error), &server->error);
    }
    sto_set_notice(&server->set, set_index(server, lun), notice->notice, notice->reason, &actions);
    carry_out(server, &actions);
}

static void lun_known(struct sv_server *server)
{
    struct hw_error error = { 0 };

    if (server->claim_waits && server_claim(server, &error) < 0)
        server_end(server, hw_error_exit_status(&error), &error);
}

/* The first LUN with everything read: disks can be told, the saved state looked at. */
static void lun_laid(struct sv_server *server, unsigned lun)
{
    struct hw_error error = { 0 };

    for (unsigned i = 0; i < server->config->disk_count; i++) {
        if (server->disk_luns[i] == lun && server_disk_ready(server->disks[i], &error) < 0) {
            server_end(server, hw_error_exit_status(&error), &error);
            return;
        }
    }
}

static bool holds_state(const struct sv_server *server, const struct sv_lun *lun)
{
    return server->has_state && server->saved_ready && server->saved.to == lun;
}

/* Others may have owned it since, and saved or consumed a state: nothing goes out on what was known
 * of it. Not if it was only suspended: then nobody did. */
static void owned_anew(struct sv_server *server, unsigned lun)
{
    if (server->luns[lun].owned)
        return;
    server->luns[lun].laid = false;
    sv_lun_owned_anew(server->luns[lun].lun);
    if (holds_state(server, server->luns[lun].lun))
        sv_saved_forget(&server->saved);
}

void server_lun_event(void *context, struct sv_lun *lun, enum sv_lun_event event,
                      const struct sto_owner_notice *notice, const struct hw_error *error)
{
    struct sv_server *server = context;
    unsigned i = lun_index(server, lun);

    switch (event) {
    case SV_LUN_KNOWN:
        server->luns[i].known = true;
        lun_known(server);
        break;
    case SV_LUN_OWNED:
        owned_anew(server, i);
        if (notice == NULL)
            server->luns[i].owned = true;
        else
            owner_said(server, i, notice);
        if (holds_state(server, lun))
            server_look(server);
        break;
    case SV_LUN_LAID:
        server->luns[i].laid = true;
        lun_laid(server, i);
        break;
    case SV_LUN_OTHER:
        owner_said(server, i, notice);
        break;
    case SV_LUN_FAILED:
        server_end(server, hw_error_exit_status(error), error);
        break;
    }
    server_judge(server);
}
