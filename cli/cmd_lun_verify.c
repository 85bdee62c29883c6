/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser lun verify: is the LUN as hawser left it, and does its target keep what hawser relies on?
 * A row of checks, each good, to be watched, or bad. Reads only; with --probe, a LUN that nobody
 * owns is probed with two identities and left as it was.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include "cli/lun_owner.h"
#include "cli/lun_probe.h"
#include "cli/lun_view.h"
#include "storage/sto_state_area.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum result { GOOD, WATCH, BAD };

struct verify {
    struct hw_call *call;
    struct cli_view view;
    struct sto_probe_report report;
    bool probed;
    json_t *json;
    unsigned bad;
};

static const char *const result_names[] = { "ok", "watch", "BAD" };

static void check(struct verify *verify, const char *what, enum result result, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

static void check(struct verify *verify, const char *what, enum result result, const char *format,
                  ...)
{
    char words[400];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    verify->bad += result == BAD;
    if (verify->json != NULL)
        (void)json_array_append_new(verify->json,
                                    json_pack("{s:s, s:s, s:s}", "check", what, "result",
                                              result_names[result], "words", words));
    else
        (void)fprintf(verify->call->out, "  %-5s  %-14s %s\n", result_names[result], what, words);
}

static void check_target(struct verify *verify)
{
    const struct cli_view *view = &verify->view;

    if (!view->can_reserve)
        check(verify, "reservations", view->file ? WATCH : BAD,
              "%s cannot be fenced by reservations", view->file ? "a file" : "this LUN");
    else
        check(verify, "reservations", GOOD, "offered");
    if (view->can_reserve)
        check(verify, "power-loss", view->facts.keeps_over_power_loss ? GOOD : WATCH, "%s",
              view->facts.keeps_over_power_loss
                  ? "reservations are kept"
                  : "reservations are forgotten when the target restarts");
    check(verify, "writable", view->facts.read_only ? BAD : GOOD, "%s",
          view->facts.read_only ? "the LUN is read-only" : "yes");
    if (view->facts.thin)
        check(verify, "thin", WATCH,
              "thin: a full pool fails the guest's writes; the state area was written once");
}

static void check_layout(struct verify *verify)
{
    const struct cli_view *view = &verify->view;
    uint64_t need = 0;
    char has_text[STO_SIZE_TEXT_BYTES], need_text[STO_SIZE_TEXT_BYTES];

    if (view->layout_rc == -EBADE) {
        check(verify, "layout", WATCH, "not read: another node holds the reservation");
        return;
    }
    if (view->layout_rc < 0) {
        check(verify, "layout", BAD, "%s", view->layout_error.reason);
        return;
    }
    if (view->layout.copies == STO_LAYOUT_BOTH)
        check(verify, "layout", GOOD, "both copies of the table are good");
    else
        check(verify, "layout", BAD, "only its %s copy is good; of the other: %s",
              view->layout.copies == STO_LAYOUT_PRIMARY_ONLY ? "first" : "last",
              view->layout.copy_fault);
    if (!view->layout.protective_mbr)
        check(verify, "mbr", WATCH, "no protective MBR: other tools may take the LUN for empty");
    if (!view->meta_read || view->meta.meta_rc < 0)
        return;
    (void)sto_state_area_bytes(view->meta.meta.max_memory_bytes, view->meta.meta.max_cpus, &need);
    check(verify, "state-area", need <= view->layout.state.size_bytes ? GOOD : BAD,
          "%s reserved, %s needed", sto_size_text(view->layout.state.size_bytes, has_text),
          sto_size_text(need, need_text));
}

static const char *damage(int rc)
{
    return rc == -ENOENT            ? "was never written"
           : rc == -EPROTONOSUPPORT ? "is of a newer version of hawser"
                                    : "is damaged in both copies";
}

static void check_meta(struct verify *verify)
{
    const struct cli_view *view = &verify->view;
    const struct sto_tool_meta *meta = &view->meta;

    if (!view->meta_read)
        return;
    if (meta->meta_rc < 0)
        check(verify, "description", BAD, "the LUN's description %s", damage(meta->meta_rc));
    else if (strcmp(meta->meta.wwid, view->facts.wwid) != 0)
        check(verify, "description", BAD,
              "made for another LUN (%s): this one is a copy, or its target was changed",
              meta->meta.wwid);
    else
        check(verify, "description", meta->meta_damaged ? WATCH : GOOD, "%s",
              meta->meta_damaged ? "one of its two copies is bad or old" : "both copies are good");
    if (meta->record_rc < 0)
        check(verify, "record", BAD, "the ownership record %s", damage(meta->record_rc));
    else
        check(verify, "record", meta->record_damaged ? WATCH : GOOD,
              "%s, node %u, generation %" PRIu32 "%s", sto_record_state_name(meta->record.state),
              meta->record.node, meta->record.generation,
              meta->record_damaged ? "; one of its two copies is bad" : "");
    if (meta->record_rc == 0 && meta->meta_rc == 0 &&
        memcmp(meta->record.cluster_uuid, meta->meta.cluster_uuid, STO_GUID_BYTES) != 0)
        check(verify, "cluster", BAD, "record and description name different clusters");
}

/* The reservation against the record: only a held key is ownership. */
static void check_owner(struct verify *verify)
{
    const struct cli_view *view = &verify->view;
    const struct sto_record *record = &view->meta.record;
    bool known = view->meta_read && view->meta.record_rc == 0;
    struct sto_key_parts parts;
    char key[STO_KEY_TEXT_BYTES];

    if (view->reservation_rc < 0)
        return;
    if (!view->reservation.held) {
        bool owned = known && record->state == STO_RECORD_OWNED;

        check(verify, "owner", owned ? BAD : GOOD, "%s",
              owned ? "the record says owned, but nobody holds a reservation"
                    : "nobody holds a reservation");
    } else if (!sto_key_parse(view->reservation.key, &parts)) {
        check(verify, "owner", BAD, "reserved by %s", sto_key_text(view->reservation.key, key));
    } else if (view->reservation.type != STO_PR_EXCLUSIVE_ACCESS) {
        check(verify, "owner", BAD, "reserved with type %u instead of exclusive access",
              view->reservation.type);
    } else if (known && (record->node != parts.node || record->generation != parts.generation)) {
        check(verify, "owner", WATCH, "key and record name different owners: %s",
              sto_key_text(view->reservation.key, key));
    } else {
        check(verify, "owner", GOOD, "%s", sto_key_text(view->reservation.key, key));
    }
    for (unsigned i = 0; view->keys_rc == 0 && i < view->keys.count; i++) {
        if (!view->reservation.held || view->keys.keys[i] != view->reservation.key)
            check(verify, "keys", sto_key_parse(view->keys.keys[i], &parts) ? WATCH : BAD,
                  "registered beside the owner: %s", sto_key_text(view->keys.keys[i], key));
    }
}

static void check_probe(struct verify *verify)
{
    const struct sto_tool_meta *meta = &verify->view.meta;
    uint32_t bits = meta->meta.probe_bits;

    if (!verify->view.can_reserve || !verify->view.meta_read || meta->meta_rc < 0)
        return;
    if ((bits & STO_PROBE_DONE) == 0)
        check(verify, "probe", WATCH, "never run; --probe runs it on a LUN that nobody owns");
    else if ((bits & STO_PROBE_TRUSTED) == 0)
        check(verify, "probe", BAD, "reservations of this target cannot be trusted");
    else
        check(verify, "probe", GOOD, "reservations hold%s",
              bits & STO_PROBE_NO_DISCARD ? "; discards pass by them and are never sent" : "");
}

static void show_trials(struct verify *verify)
{
    for (unsigned i = 0; i < STO_PROBE_INTRUSIONS; i++) {
        enum sto_probe_outcome outcome = verify->report.outcomes[i];
        bool discard =
            i == STO_PROBE_WRITE_SAME_10 || i == STO_PROBE_WRITE_SAME_16 || i == STO_PROBE_UNMAP;

        check(verify, sto_probe_intrusion_name((enum sto_probe_intrusion)i),
              outcome != STO_PROBE_PASSED ? GOOD
              : discard                   ? WATCH
                                          : BAD,
              "%s", sto_probe_outcome_name(outcome));
    }
}

/* What was found goes into the description, under ownership. */
static int keep_bits(struct verify *verify, struct cli_lun *lun,
                     const struct cli_identity *identity, uint32_t bits, struct hw_error *error)
{
    const struct cli_owner_wish wish = { .identity = identity };
    struct sto_meta meta = verify->view.meta.meta;
    struct cli_owner owner;
    int rc = cli_owner_claim(lun, &wish, &owner, error);

    if (rc < 0)
        return rc;
    meta.probe_bits = bits;
    meta.probed_s = (uint64_t)time(NULL);
    meta.sequence++;
    rc = sto_tool_write_meta(sto_owner_lun(owner.owner), &verify->view.layout, &meta, error);
    if (rc == 0)
        verify->view.meta.meta = meta;
    return cli_owner_end(&owner, rc, error);
}

static int run_probe(struct verify *verify, struct cli_lun *lun,
                     const struct cli_identity *identity, struct hw_error *error)
{
    uint32_t bits = 0;
    int rc = verify->view.reservation_rc == 0
                 ? cli_owner_want_none(verify->view.name, &verify->view.reservation, error)
                 : 0;

    if (rc == 0 && verify->view.meta_read && verify->view.meta.record_rc == 0 &&
        verify->view.meta.record.state != STO_RECORD_FREE && verify->view.can_reserve)
        return hw_error_setf(error, HW_ERROR_REFUSED, EBUSY, verify->view.name,
                             "release it first: 'hawser lun release' on that node",
                             "node %u owns it by its record (generation %" PRIu32 ")",
                             verify->view.meta.record.node, verify->view.meta.record.generation);
    if (rc < 0)
        return rc;
    if (verify->view.layout_rc < 0 || verify->view.meta.meta_rc < 0)
        return hw_error_set(error, HW_ERROR_REFUSED, ENOENT, verify->view.name,
                            "only a LUN with hawser's layout is probed",
                            "'hawser lun init' probes an empty one");
    if (!verify->view.can_reserve)
        return hw_error_set(error, HW_ERROR_REFUSED, EOPNOTSUPP, verify->view.name,
                            "cannot be probed: it has no reservations",
                            "use a LUN of a target that offers them");
    rc = cli_lun_probe(lun, verify->view.layout.meta.offset_bytes, identity, &verify->report, &bits,
                       error);
    verify->probed = true;
    return rc < 0 || bits == 0 ? rc : keep_bits(verify, lun, identity, bits, error);
}

static int gather(struct verify *verify, struct hw_error *error)
{
    bool probe = hw_option_given(verify->call, "probe");
    const char *url = hw_argument(verify->call, 0);
    struct cli_identity identity;
    struct cli_lun lun = { 0 };
    int rc = probe ? cli_lun_identity(verify->call, &identity, error) : 0;

    if (rc == 0)
        rc = cli_lun_open(verify->call, url, probe ? 0 : CLI_LUN_READ_ONLY, &lun, error);
    if (rc == 0)
        rc = cli_view_gather(&lun, url, false, &verify->view, error);
    if (rc == 0 && probe)
        rc = run_probe(verify, &lun, &identity, error);
    cli_lun_close(&lun);
    return rc;
}

static int judge(struct verify *verify)
{
    struct hw_error error = { 0 };

    if (verify->json == NULL)
        (void)fprintf(verify->call->out, "%s\n", verify->view.name);
    check_target(verify);
    check_layout(verify);
    check_meta(verify);
    check_owner(verify);
    check_probe(verify);
    if (verify->probed)
        show_trials(verify);
    if (verify->json != NULL) {
        int status = cli_print_json(verify->call, json_pack("{s:s, s:o, s:i}", "url",
                                                            hw_argument(verify->call, 0), "checks",
                                                            verify->json, "bad", (int)verify->bad));

        return status != 0 || verify->bad == 0 ? status : HW_ERROR_FAILED;
    }
    if (verify->bad == 0)
        return 0;
    (void)fflush(verify->call->out); /* the list is above also in a pipe */
    (void)hw_error_setf(&error, HW_ERROR_FAILED, 0, verify->view.name, "see the list above",
                        "%u of the checks are bad", verify->bad);
    return hw_fail(verify->call, &error);
}

int cmd_lun_verify(struct hw_call *call)
{
    struct hw_error error = { 0 };
    struct verify *verify = calloc(1, sizeof(*verify));
    int status;

    if (verify == NULL) {
        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
        return hw_fail(call, &error);
    }
    verify->call = call;
    if (gather(verify, &error) < 0) {
        status = hw_fail(call, &error);
    } else {
        if (hw_option_given(call, "json"))
            verify->json = json_array();
        status = judge(verify);
    }
    free(verify);
    return status;
}
