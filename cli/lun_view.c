/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathers what can be read of a LUN. A LUN that another node holds refuses reads: then the key of
 * its holder is all that tells who owns it.
 */
#include <config.h>

#include "cli/lun_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int gather_findings(struct cli_lun *lun, struct cli_view *view, struct hw_error *error)
{
    struct sto_edge head, tail;
    int rc = sto_tool_read_edges(lun->lun, STO_OCCUPIED_EDGE_BYTES, &head, &tail, error);

    if (rc == 0) {
        rc = sto_occupied_bytes(&head, &tail, lun->facts.capacity_bytes, lun->facts.block_bytes,
                                NULL, &view->findings);
        free((void *)(uintptr_t)head.data);
        if (rc < 0)
            (void)hw_error_set(error, HW_ERROR_FAILED, -rc, view->name,
                               "what it holds cannot be found out", "");
    }
    return rc;
}

static int gather_layout(struct cli_lun *lun, struct cli_view *view, bool findings,
                         struct hw_error *error)
{
    int rc = sto_tool_read_layout(lun->lun, &view->layout, &view->layout_error);

    view->layout_rc = rc;
    if (rc == 0) {
        rc = sto_tool_read_meta(lun->lun, &view->layout, &view->meta, error);
        view->meta_read = rc == 0;
        return rc;
    }
    if (rc == -ENOENT || rc == -EBADMSG || rc == -EINVAL)
        return findings ? gather_findings(lun, view, error) : 0;
    if (rc == -EBADE)
        return 0;
    if (error != NULL)
        *error = view->layout_error;
    return rc;
}

int cli_view_gather(struct cli_lun *lun, const char *url, bool findings, struct cli_view *ret_view,
                    struct hw_error *error)
{
    struct cli_view *view = ret_view;

    memset(view, 0, sizeof(*view));
    view->url = url;
    view->facts = lun->facts;
    view->file = lun->url.scheme == STO_SCHEME_FILE;
    view->can_reserve = cli_lun_can_reserve(lun);
    view->keys_rc = view->reservation_rc = -ENOTSUP;
    (void)snprintf(view->name, sizeof(view->name), "%s", sto_lun_name(lun->lun));
    if (view->can_reserve) {
        view->keys_rc = sto_tool_read_keys(lun->lun, &view->keys, error);
        if (view->keys_rc == 0)
            view->reservation_rc = sto_tool_read_reservation(lun->lun, &view->reservation, error);
        if (view->keys_rc < 0 || view->reservation_rc < 0)
            return view->keys_rc < 0 ? view->keys_rc : view->reservation_rc;
        if (findings)
            sto_occupied_reservations(&view->keys, &view->reservation, &view->findings);
    }
    return gather_layout(lun, view, findings, error);
}

const char *cli_view_owner_text(const struct cli_view *view, char text[CLI_OWNER_TEXT_BYTES])
{
    struct sto_key_parts parts;

    if (view->reservation_rc == 0 && view->reservation.held) {
        if (sto_key_parse(view->reservation.key, &parts))
            (void)snprintf(text, CLI_OWNER_TEXT_BYTES, "node %u, generation %" PRIu32, parts.node,
                           parts.generation);
        else
            (void)snprintf(text, CLI_OWNER_TEXT_BYTES, "foreign (key 0x%016" PRIx64 ")",
                           view->reservation.key);
    } else if (!view->can_reserve) {
        (void)snprintf(text, CLI_OWNER_TEXT_BYTES, "%s",
                       view->file ? "cannot be fenced (file)" : "cannot be fenced");
    } else if (view->meta_read && view->meta.record_rc == 0 &&
               view->meta.record.state == STO_RECORD_HANDOVER &&
               view->meta.record.handover_node != 0) {
        (void)snprintf(text, CLI_OWNER_TEXT_BYTES,
                       "handed over to node %u by node %u, reservation lost",
                       view->meta.record.handover_node, view->meta.record.node);
    } else if (view->meta_read && view->meta.record_rc == 0 &&
               view->meta.record.state != STO_RECORD_FREE) {
        (void)snprintf(text, CLI_OWNER_TEXT_BYTES,
                       "node %u, generation %" PRIu32 " by its record, reservation lost",
                       view->meta.record.node, view->meta.record.generation);
    } else {
        (void)snprintf(text, CLI_OWNER_TEXT_BYTES, "nobody");
    }
    return text;
}

/* --- JSON --- */

static json_t *window_json(const struct sto_window *window)
{
    return json_pack("{s:I, s:I}", "offset_bytes", (json_int_t)window->offset_bytes, "size_bytes",
                     (json_int_t)window->size_bytes);
}

static json_t *key_json(uint64_t key)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "0x%016" PRIx64, key);
    return json_string(text);
}

static json_t *owner_json(const struct cli_view *view)
{
    char text[CLI_OWNER_TEXT_BYTES];
    struct sto_key_parts parts = { 0 };
    json_t *owner = json_pack("{s:s}", "text", cli_view_owner_text(view, text));

    if (owner == NULL || view->reservation_rc < 0 || !view->reservation.held)
        return owner;
    (void)json_object_set_new(owner, "key", key_json(view->reservation.key));
    (void)json_object_set_new(owner, "type", json_integer(view->reservation.type));
    (void)json_object_set_new(owner, "ours",
                              json_boolean(sto_key_parse(view->reservation.key, &parts)));
    (void)json_object_set_new(owner, "node", json_integer(parts.node));
    (void)json_object_set_new(owner, "generation", json_integer(parts.generation));
    return owner;
}

static json_t *facts_json(const struct sto_facts *facts)
{
    return json_pack(
        "{s:I, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b}", "capacity_bytes",
        (json_int_t)facts->capacity_bytes, "block_bytes", (int)facts->block_bytes,
        "physical_block_bytes", (int)facts->physical_block_bytes, "wwid", facts->wwid, "vendor",
        facts->vendor, "product", facts->product, "revision", facts->revision, "serial",
        facts->serial, "reservations", facts->reservations, "keeps_over_power_loss",
        facts->keeps_over_power_loss, "compare_and_write", facts->max_compare_and_write_blocks > 0,
        "thin", facts->thin, "read_only", facts->read_only, "write_cache", facts->write_cache);
}

static json_t *record_json(const struct sto_record *record)
{
    char cluster[STO_GUID_TEXT_BYTES];

    return json_pack(
        "{s:s, s:s, s:i, s:i, s:I, s:I, s:I}", "state", sto_record_state_name(record->state),
        "cluster", sto_guid_text(record->cluster_uuid, cluster), "node", (int)record->node,
        "handover_node", (int)record->handover_node, "generation", (json_int_t)record->generation,
        "sequence", (json_int_t)record->sequence, "written", (json_int_t)record->written_s);
}

static json_t *meta_json(const struct cli_view *view)
{
    const struct sto_meta *meta = &view->meta.meta;
    char cluster[STO_GUID_TEXT_BYTES], vm[STO_GUID_TEXT_BYTES];

    return json_pack("{s:s, s:s, s:I, s:i, s:i, s:I, s:I, s:s}", "cluster",
                     sto_guid_text(meta->cluster_uuid, cluster), "vm",
                     sto_guid_text(meta->vm_uuid, vm), "max_memory_bytes",
                     (json_int_t)meta->max_memory_bytes, "max_cpus", (int)meta->max_cpus,
                     "probe_bits", (int)meta->probe_bits, "probed", (json_int_t)meta->probed_s,
                     "created", (json_int_t)meta->created_s, "wwid", meta->wwid);
}

static json_t *history_json(const struct cli_view *view)
{
    json_t *history = json_array();

    for (unsigned i = 0; i < view->meta.history_count; i++)
        (void)json_array_append_new(history, record_json(&view->meta.history[i]));
    return history;
}

static json_t *layout_json(const struct cli_view *view)
{
    static const char *const copies[] = { "both", "primary only", "backup only" };
    char guid[STO_GUID_TEXT_BYTES];

    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "guid",
                     sto_guid_text(view->layout.disk_guid, guid), "copies",
                     copies[view->layout.copies], "meta", window_json(&view->layout.meta), "disk",
                     window_json(&view->layout.disk), "state", window_json(&view->layout.state));
}

static json_t *findings_json(const struct sto_findings *findings)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < findings->count; i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:s}", "kind",
                                                    sto_finding_name(findings->items[i].kind),
                                                    "text", findings->items[i].text));
    return list;
}

json_t *cli_view_json(const struct cli_view *view)
{
    json_t *value = json_pack("{s:s, s:o, s:o}", "url", view->url, "facts",
                              facts_json(&view->facts), "owner", owner_json(view));
    json_t *keys = json_array();

    if (value == NULL) {
        json_decref(keys);
        return NULL;
    }
    for (unsigned i = 0; view->keys_rc == 0 && i < view->keys.count; i++)
        (void)json_array_append_new(keys, key_json(view->keys.keys[i]));
    (void)json_object_set_new(value, "keys", keys);
    (void)json_object_set_new(value, "layout",
                              view->layout_rc == 0 ? layout_json(view) : json_null());
    if (view->layout_rc < 0)
        (void)json_object_set_new(value, "layout_reason", json_string(view->layout_error.reason));
    if (view->meta_read) {
        (void)json_object_set_new(value, "description",
                                  view->meta.meta_rc == 0 ? meta_json(view) : json_null());
        (void)json_object_set_new(value, "record",
                                  view->meta.record_rc == 0 ? record_json(&view->meta.record)
                                                            : json_null());
        (void)json_object_set_new(value, "history", history_json(view));
    }
    if (view->findings.count > 0)
        (void)json_object_set_new(value, "holds", findings_json(&view->findings));
    return value;
}
