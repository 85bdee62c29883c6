/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser lun show: everything about one LUN. Reads only.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include "cli/lun_view.h"
#include "storage/sto_probe.h"
#include "storage/sto_state_area.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { DATE_BYTES = 32 };

static const char *date_text(uint64_t seconds, char text[DATE_BYTES])
{
    time_t when = (time_t)seconds;
    struct tm parts;

    if (seconds == 0 || gmtime_r(&when, &parts) == NULL ||
        strftime(text, DATE_BYTES, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        return "never";
    return text;
}

static void print_facts(FILE *out, const struct cli_view *view)
{
    const struct sto_facts *facts = &view->facts;
    char size[STO_SIZE_TEXT_BYTES];

    (void)fprintf(out, "%s\n", view->name);
    if (facts->block_bytes == 0)
        (void)fprintf(out, "  size          not told while another node holds it\n");
    else
        (void)fprintf(out, "  size          %s, blocks of %" PRIu32 " bytes, %s%s\n",
                      sto_size_text(facts->capacity_bytes, size), facts->block_bytes,
                      facts->thin ? "thin" : "thick", facts->read_only ? ", read-only" : "");
    (void)fprintf(out, "  wwid          %s\n", facts->wwid);
    if (facts->vendor[0] != '\0' || facts->product[0] != '\0')
        (void)fprintf(out, "  device        %s %s %s\n", facts->vendor, facts->product,
                      facts->revision);
    (void)fprintf(out, "  reservations  %s\n",
                  !view->can_reserve             ? "none: it cannot be fenced by reservations"
                  : facts->keeps_over_power_loss ? "yes, kept over a power loss"
                                                 : "yes, forgotten when the target restarts");
}

static void print_owner(FILE *out, const struct cli_view *view)
{
    char text[CLI_OWNER_TEXT_BYTES], key[STO_KEY_TEXT_BYTES];

    (void)fprintf(out, "  owner         %s\n", cli_view_owner_text(view, text));
    for (unsigned i = 0; view->keys_rc == 0 && i < view->keys.count; i++)
        (void)fprintf(out, "  key           %s%s\n", sto_key_text(view->keys.keys[i], key),
                      view->reservation.held && view->reservation.key == view->keys.keys[i]
                          ? ", holds the reservation"
                          : "");
}

static void print_layout(FILE *out, const struct cli_view *view)
{
    const struct sto_layout *layout = &view->layout;
    char size[STO_SIZE_TEXT_BYTES], at[STO_SIZE_TEXT_BYTES];

    if (view->layout_rc == -EBADE) {
        (void)fprintf(out, "  layout        not readable while another session holds the LUN\n");
        return;
    }
    if (view->layout_rc < 0) {
        (void)fprintf(out, "  layout        %s\n", view->layout_error.reason);
        for (unsigned i = 0; i < view->findings.count; i++)
            (void)fprintf(out, "  holds         %s\n", view->findings.items[i].text);
        return;
    }
    if (layout->copies != STO_LAYOUT_BOTH)
        (void)fprintf(out, "  layout        only its %s copy is good; of the other: %s\n",
                      layout->copies == STO_LAYOUT_PRIMARY_ONLY ? "first" : "last",
                      layout->copy_fault);
    (void)fprintf(out, "  disk          %s at %s\n", sto_size_text(layout->disk.size_bytes, size),
                  sto_size_text(layout->disk.offset_bytes, at));
    (void)fprintf(out, "  saved state   %s reserved at %s\n",
                  sto_size_text(layout->state.size_bytes, size),
                  sto_size_text(layout->state.offset_bytes, at));
}

static void print_probe(FILE *out, const struct sto_meta *meta)
{
    char date[DATE_BYTES];

    if ((meta->probe_bits & STO_PROBE_DONE) == 0) {
        (void)fprintf(out, "  probe         never run\n");
        return;
    }
    (void)fprintf(out, "  probe         %s%s%s%s%s (%s)\n",
                  meta->probe_bits & STO_PROBE_TRUSTED ? "reservations hold" : "not to be trusted",
                  meta->probe_bits & STO_PROBE_NO_DISCARD ? ", discards pass by them: never sent"
                                                          : "",
                  meta->probe_bits & STO_PROBE_POWER_LOSS ? ", kept over a power loss" : "",
                  meta->probe_bits & STO_PROBE_KEEPS_LOGIN ? ", kept over a new login" : "",
                  meta->probe_bits & STO_PROBE_CAW ? ", compare and write" : "",
                  date_text(meta->probed_s, date));
}

static void print_record(FILE *out, const char *title, const struct sto_record *record)
{
    const bool handed = record->state == STO_RECORD_HANDOVER && record->handover_node != 0;
    char date[DATE_BYTES], to[40] = "";

    if (handed)
        (void)snprintf(to, sizeof(to), "handed over to node %u by ", record->handover_node);
    (void)fprintf(out, "%s%s%snode %u, generation %" PRIu32 " (%s)\n", title,
                  handed ? to : sto_record_state_name(record->state), handed ? "" : ", ",
                  record->node, record->generation, date_text(record->written_s, date));
}

static void print_meta(FILE *out, const struct sto_tool_meta *meta)
{
    char uuid[STO_GUID_TEXT_BYTES], size[STO_SIZE_TEXT_BYTES], need[STO_SIZE_TEXT_BYTES];
    uint64_t state_bytes = 0;

    if (meta->meta_rc == 0) {
        (void)sto_state_area_bytes(meta->meta.max_memory_bytes, meta->meta.max_cpus, &state_bytes);
        (void)fprintf(out, "  cluster       %s\n", sto_guid_text(meta->meta.cluster_uuid, uuid));
        (void)fprintf(out, "  made for      a VM of up to %s and %" PRIu32 " vCPU: state of %s\n",
                      sto_size_text(meta->meta.max_memory_bytes, size), meta->meta.max_cpus,
                      sto_size_text(state_bytes, need));
        print_probe(out, &meta->meta);
    } else {
        (void)fprintf(out, "  description   cannot be read; see 'hawser lun verify'\n");
    }
    if (meta->record_rc < 0) {
        (void)fprintf(out, "  record        cannot be read; see 'hawser lun verify'\n");
        return;
    }
    print_record(out, "  record        ", &meta->record);
    for (unsigned i = 0; i < meta->history_count; i++)
        print_record(out, "    before      ", &meta->history[i]);
}

int cmd_lun_show(struct hw_call *call)
{
    struct cli_view *view = calloc(1, sizeof(*view));
    struct hw_error error = { 0 };
    struct cli_lun lun = { 0 };
    int rc, status;

    if (view == NULL) {
        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
        return hw_fail(call, &error);
    }
    rc = cli_lun_open(call, hw_argument(call, 0), CLI_LUN_READ_ONLY, &lun, &error);
    if (rc == 0)
        rc = cli_view_gather(&lun, hw_argument(call, 0), true, view, &error);
    cli_lun_close(&lun);
    if (rc < 0) {
        status = hw_fail(call, &error);
    } else if (hw_option_given(call, "json")) {
        status = cli_print_json(call, cli_view_json(view));
    } else {
        print_facts(call->out, view);
        print_owner(call->out, view);
        print_layout(call->out, view);
        if (view->meta_read)
            print_meta(call->out, &view->meta);
        status = 0;
    }
    free(view);
    return status;
}
