/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the server tells: the verdict on its gate, to the disks, the shared page and whoever
 * listens; events; status and statistics.
 */
#include "config.h"

#include "storage/serve/sv_server_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_text.h"

static bool any_suspended(const struct sv_server *server)
{
    for (unsigned i = 0; i < server->lun_count; i++)
        if (server->luns[i].suspended)
            return true;
    return false;
}

static bool all_laid(const struct sv_server *server)
{
    for (unsigned i = 0; i < server->lun_count; i++)
        if (!server->luns[i].laid)
            return false;
    return !server->has_state || (server->saved_ready && server->saved.known);
}

int64_t server_lease_end_ns(const struct sv_server *server)
{
    int64_t end_ns = server->lease == NULL ? INT64_MAX : *sv_lease_until_ns(server->lease);
    int64_t store_ns = INT64_MAX;

    if (server->config->lease == SV_LEASE_STORAGE)
        store_ns = server_confirmed_ns(server);
    if (store_ns != INT64_MAX)
        store_ns += (int64_t)server->config->store_ms * 1000000;
    return store_ns < end_ns ? store_ns : end_ns;
}

bool server_lease_over(const struct sv_server *server)
{
    return hw_clock_now_ns(hw_clock_boottime()) >= server_lease_end_ns(server);
}

static struct sv_gate_facts facts(const struct sv_server *server)
{
    return (struct sv_gate_facts) {
        .lost = server->lost,
        .ready = all_laid(server),
        .owned = server_owned(server),
        .suspended = any_suspended(server),
        .lease_over = server_lease_over(server),
        .has_state = server->has_state,
        .unreadable = server->saved_fails > 0,
        .saved = server->saved.look.verdict,
        .saving = server->saved.look.saving,
        .shut = server->saved.shut,
        .ordered = server->ordered,
    };
}

void server_publish(struct sv_server *server)
{
    const struct sv_page_view view = { .confirmed_ns = server_confirmed_ns(server),
                                       .generation = server->granted ? server->grant.generation : 0,
                                       .gate = server->verdict.state,
                                       .reason = server->verdict.reason };
    const struct sv_page_view *before = &server->published;

    if (view.confirmed_ns == before->confirmed_ns && view.generation == before->generation &&
        view.gate == before->gate && view.reason == before->reason)
        return;
    sv_page_write(server->page, &view);
    server->published = view;
}

static void tell_gate(struct sv_server *server)
{
    if (server->verdict_told && server->told.state == server->verdict.state &&
        server->told.reason == server->verdict.reason)
        return;
    server->verdict_told = true;
    server->told = server->verdict;
    server_tell(server, "gate",
                json_pack("{s:s, s:s, s:s}", "gate", sv_gate_state_name(server->verdict.state),
                          "reason", sv_reason_name(server->verdict.reason), "text",
                          sv_reason_text(server->verdict.reason)));
}

/* A header among them changes the verdict: this comes last. */
static void retry(struct sv_server *server)
{
    for (unsigned i = 0; i < server->config->disk_count; i++)
        if (server->config->disks[i].state ? server->verdict.state_again
                                           : server->verdict.disks_again)
            server_disk_retry(server->disks[i]);
}

static void note_owned(struct sv_server *server, bool owned)
{
    if (owned == server->was_owned)
        return;
    server->was_owned = owned;
    for (unsigned i = 0; i < server->config->disk_count; i++)
        server_disk_owned(server->disks[i], owned);
}

void server_judge(struct sv_server *server)
{
    struct sv_gate_facts now;

    if (server->ended) /* LUNs are being closed */
        return;
    now = facts(server);
    note_owned(server, now.owned);
    server->lease_was_over = now.lease_over;
    server->verdict = sv_gate_judge(&now);
    for (unsigned i = 0; i < server->config->disk_count; i++)
        server_disk_hold(server->disks[i], server->config->disks[i].state
                                               ? server->verdict.state_waits
                                               : server->verdict.disks_wait);
    server_publish(server);
    tell_gate(server);
    retry(server);
}

/* "gate: hold, saved-state: a saved state ..." for people. */
static void print_text(struct sv_server *server, const char *event, const json_t *body)
{
    const char *name;
    const json_t *value;
    bool first = true;

    (void)fprintf(server->out, "%s", event);
    json_object_foreach((json_t *)(uintptr_t)body, name, value)
    {
        if (strcmp(name, "event") == 0 ||
            (json_is_string(value) && json_string_value(value)[0] == '\0'))
            continue;
        (void)fprintf(server->out, "%s %s", first ? ":" : ",", name);
        if (json_is_string(value))
            (void)fprintf(server->out, " %s", json_string_value(value));
        else if (json_is_integer(value))
            (void)fprintf(server->out, " %" JSON_INTEGER_FORMAT, json_integer_value(value));
        first = false;
    }
    (void)fprintf(server->out, "\n");
}

void server_tell(struct sv_server *server, const char *event, json_t *body)
{
    if (body == NULL)
        body = json_object();
    if (body == NULL)
        return;
    (void)json_object_set_new(body, "event", json_string(event));
    if (server->config->json) {
        (void)json_dumpf(body, server->out, JSON_COMPACT);
        (void)fputc('\n', server->out);
    } else {
        print_text(server, event, body);
    }
    (void)fflush(server->out);
    if (server->control != NULL)
        hw_control_event(server->control, body);
    else
        json_decref(body);
}

static json_t *notice_json(const struct sv_server *server, unsigned lun,
                           const struct sto_owner_notice *notice)
{
    char key[STO_KEY_TEXT_BYTES] = "";

    if (notice->key != 0)
        (void)sto_key_text(notice->key, key);
    return json_pack("{s:o, s:s, s:s, s:s, s:o, s:I}", "lun",
                     hw_text(sv_lun_name(server->luns[lun].lun)), "reason",
                     sto_own_reason_name(notice->reason), "text",
                     sto_own_reason_text(notice->reason), "key", key, "detail",
                     hw_text(notice->detail), "generation", (json_int_t)notice->generation);
}

bool server_is_refusal(const struct sto_owner_notice *notice)
{
    return notice->notice == STO_OWN_NOTICE_REFUSED && notice->reason != STO_OWN_REASON_REVOKED;
}

void server_tell_notice(struct sv_server *server, unsigned lun,
                        const struct sto_owner_notice *notice)
{
    static const char *const names[] = {
        [STO_OWN_NOTICE_OWNED] = "owned",         [STO_OWN_NOTICE_REFUSED] = "refused",
        [STO_OWN_NOTICE_LOST] = "lost",           [STO_OWN_NOTICE_HANDED] = "handed",
        [STO_OWN_NOTICE_LEFT] = "left",           [STO_OWN_NOTICE_HELD_UP] = "held-up",
        [STO_OWN_NOTICE_SUSPENDED] = "suspended",
    };

    server_tell(server, names[notice->notice], notice_json(server, lun, notice));
    if (server_is_refusal(notice) || notice->notice == STO_OWN_NOTICE_OWNED)
        json_decref(server->refused);
    if (server_is_refusal(notice))
        server->refused = notice_json(server, lun, notice);
    else if (notice->notice == STO_OWN_NOTICE_OWNED)
        server->refused = NULL;
}

static json_t *lun_status(const struct server_lun *lun)
{
    const struct sto_owner *owner = sv_lun_owner(lun->lun);
    const struct sto_facts *known = sv_lun_facts(lun->lun);
    const struct sto_own *own = owner == NULL ? NULL : sto_owner_machine(owner);
    char key[32] = "";

    if (own != NULL && sto_own_key(own) != 0)
        (void)snprintf(key, sizeof(key), "0x%016" PRIx64, sto_own_key(own));
    return json_pack(
        "{s:o, s:s, s:b, s:o, s:s, s:I, s:I}", "lun", hw_text(sv_lun_name(lun->lun)), "state",
        own == NULL ? "file" : sto_own_state_name(sto_own_state(own)), "owned", lun->owned, "wwid",
        hw_text(known == NULL ? "" : known->wwid), "key", key, "generation",
        own == NULL ? (json_int_t)0 : (json_int_t)sto_own_generation(own), "confirmed-ns",
        owner == NULL ? (json_int_t)0 : (json_int_t)sto_owner_confirmed_ns(owner));
}

json_t *server_status(const struct sv_server *server)
{
    json_t *luns = json_array();
    const struct sto_saved_look *look = &server->saved.look;
    const bool known = server->has_state && server->saved_ready && server->saved.known;
    json_t *status;

    for (unsigned i = 0; i < server->lun_count; i++)
        (void)json_array_append_new(luns, lun_status(&server->luns[i]));
    status = json_pack(
        "{s:s, s:s, s:s, s:I, s:o}", "gate", sv_gate_state_name(server->verdict.state), "reason",
        sv_reason_name(server->verdict.reason), "text", sv_reason_text(server->verdict.reason),
        "generation", (json_int_t)(server->granted ? server->grant.generation : 0), "luns", luns);
    if (status != NULL && server->refused != NULL)
        (void)json_object_set(status, "refused", server->refused);
    if (status != NULL && known)
        (void)json_object_set_new(
            status, "saved-state",
            json_pack("{s:s, s:s}", "verdict", sto_saved_verdict_name(look->verdict), "state",
                      look->known ? sto_saved_state_name(look->saved.state) : "none"));
    return status;
}

static json_t *lun_statistics(const struct server_lun *lun)
{
    struct sto_gate_stats stats = sv_lun_gate_stats(lun->lun);

    return json_pack("{s:o, s:I, s:I, s:I, s:i, s:i}", "lun", hw_text(sv_lun_name(lun->lun)),
                     "submitted", (json_int_t)stats.submitted, "answered",
                     (json_int_t)stats.answered, "reissued", (json_int_t)stats.reissued, "waiting",
                     (int)stats.waiting, "flying", (int)stats.flying);
}

json_t *server_statistics(const struct sv_server *server)
{
    json_t *luns = json_array(), *disks = json_array();
    json_t *body = json_pack("{s:o, s:o}", "luns", luns, "disks", disks);

    for (unsigned i = 0; body != NULL && i < server->lun_count; i++)
        (void)json_array_append_new(luns, lun_statistics(&server->luns[i]));
    for (unsigned i = 0; body != NULL && i < server->config->disk_count; i++)
        (void)json_array_append_new(disks, server_disk_statistics(server->disks[i]));
    if (body != NULL && server->lease != NULL) {
        struct sv_lease_stats stats = sv_lease_stats(server->lease);

        (void)json_object_set_new(
            body, "feeds",
            json_pack("{s:I, s:I, s:b, s:b, s:b, s:b}", "taken", (json_int_t)stats.taken, "refused",
                      (json_int_t)stats.refused, "connected", stats.connected, "real-time",
                      stats.real_time, "locked", stats.locked, "code-locked", stats.code_locked));
    }
    return body;
}
