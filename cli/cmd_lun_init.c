/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser lun init: lays out a LUN. Looks at what it holds, probes its reservations with two
 * identities, then owns it for as long as it writes. The partition table goes last, and of it the
 * head: a LUN whose init was cut off is not taken for a hawser LUN.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include "cli/lun_owner.h"
#include "cli/lun_probe.h"
#include "common/hw_values.h"
#include "storage/sto_bulk.h"
#include "storage/sto_occupied.h"
#include "storage/sto_state_area.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FINDINGS_LINE_BYTES = 300, NODE_DEFAULT = 65535, WIPE_BYTES = 1024 * 1024 };
enum { ZERO_DEPTH = 8, ZERO_BYTES = 1024 * 1024 };

struct init {
    struct hw_call *call;
    struct cli_identity identity;
    uint64_t max_memory_bytes;
    uint64_t max_cpus;
    uint64_t state_bytes;
    bool force;
    struct cli_lun lun;
    char name[STO_URL_BYTES];
    struct sto_findings findings;
    struct sto_layout layout;
    struct sto_layout_image image;
    uint32_t probe_bits;
    struct cli_owner owner; /* none for a file */
    struct sto_lun *target; /* of the writes: the owner's LUN, or the file */
};

/* --- what is wanted --- */

static int read_options(struct init *init, struct hw_error *error)
{
    const struct hw_call *call = init->call;
    const char *cluster = hw_option_value(call, "cluster", 0);
    uint64_t node = NODE_DEFAULT, generation = 1;
    int rc;

    init->force = hw_option_given(call, "force");
    init->max_cpus = 1;
    rc = hw_option_size(call, "max-memory", 1, STO_STATE_MEMORY_MAX_BYTES, &init->max_memory_bytes,
                        error);
    if (rc == 0)
        rc = hw_option_number(call, "max-cpus", 1, STO_STATE_CPUS_MAX, &init->max_cpus, error);
    if (rc == 0)
        rc = hw_option_number(call, "node", 1, UINT16_MAX, &node, error);
    if (rc == 0)
        rc = hw_option_number(call, "generation", 1, STO_GENERATION_MAX, &generation, error);
    if (rc < 0)
        return rc;
    if (init->max_memory_bytes == 0)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--max-memory", "is missing",
                            "say how much memory the VM will ever have, such as 256M");
    if (cluster == NULL)
        return hw_error_set(error, HW_ERROR_REFUSED, EPERM, call->verb->path,
                            "nobody says which cluster the LUN is for: clusterd is not part of "
                            "this version yet",
                            "give --cluster UUID");
    if (!sto_guid_parse(cluster, init->identity.cluster_uuid))
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, "--cluster",
                             "give it as 6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11",
                             "\"%s\" is not a UUID", cluster);
    init->identity.node = (uint16_t)node;
    init->identity.generation = (uint32_t)generation;
    return sto_state_area_bytes(init->max_memory_bytes, (unsigned)init->max_cpus,
                                &init->state_bytes);
}

/* --- what is there --- */

/*
 * Whoever owns the LUN may have a VM on it, whatever the generation: he gives it up first. What an
 * init of this very node left behind when it was cut off is judged once it can be read.
 */
static int want_no_owner(struct init *init, const struct sto_pr_reservation *held,
                         struct hw_error *error)
{
    struct sto_key_parts parts;

    if (init->force && held->held && sto_key_parse(held->key, &parts) &&
        parts.node == init->identity.node &&
        parts.cluster_hash == sto_key_cluster_hash(init->identity.cluster_uuid))
        return 0;
    return cli_owner_want_none(init->name, held, error);
}

static int look_at_reservations(struct init *init, struct hw_error *error)
{
    struct sto_pr_reservation held = { 0 };
    struct sto_pr_keys keys = { 0 };
    int rc = sto_tool_read_keys(init->lun.lun, &keys, error);

    if (rc == 0)
        rc = sto_tool_read_reservation(init->lun.lun, &held, error);
    if (rc == 0)
        rc = want_no_owner(init, &held, error);
    if (rc == 0)
        sto_occupied_reservations(&keys, &held, &init->findings);
    return rc;
}

/* A LUN that another holds cannot be read: then the reservation is what was found. */
static int look_at_bytes(struct init *init, struct hw_error *error)
{
    struct sto_edge head, tail;
    int rc = sto_tool_read_edges(init->lun.lun, STO_OCCUPIED_EDGE_BYTES, &head, &tail, error);

    if (rc == -EBADE && init->findings.count > 0) {
        hw_error_clear(error);
        return 0;
    }
    if (rc < 0)
        return rc;
    rc = sto_occupied_bytes(&head, &tail, init->lun.facts.capacity_bytes,
                            init->lun.facts.block_bytes, init->identity.cluster_uuid,
                            &init->findings);
    free((void *)(uintptr_t)head.data);
    if (rc < 0)
        return hw_error_set(error, HW_ERROR_FAILED, -rc, init->name,
                            "what it holds cannot be found out", "");
    return 0;
}

/* A record that says so is that of an owner, even where the target has lost the reservation. */
static int want_no_record(const struct init *init, struct sto_lun *lun, struct hw_error *error)
{
    struct sto_layout layout;
    struct sto_tool_meta meta;

    if (sto_tool_read_layout(lun, &layout, NULL) < 0 ||
        sto_tool_read_meta(lun, &layout, &meta, NULL) < 0 || meta.record_rc < 0 ||
        meta.record.state == STO_RECORD_FREE ||
        strcmp(meta.record.wwid, init->lun.facts.wwid) != 0 ||
        memcmp(meta.record.cluster_uuid, init->identity.cluster_uuid, STO_GUID_BYTES) != 0)
        return 0;
    return hw_error_setf(error, HW_ERROR_REFUSED, EBUSY, init->name,
                         "release it first: 'hawser lun release' on that node",
                         "node %u owns it (generation %" PRIu32 ")", meta.record.node,
                         meta.record.generation);
}

static int want_usable(struct init *init, struct hw_error *error)
{
    if (init->lun.facts.read_only)
        return hw_error_set(error, HW_ERROR_REFUSED, EROFS, init->name, "the LUN is read-only",
                            "make it writable on the target, or use another LUN");
    if (cli_lun_can_reserve(&init->lun) || init->lun.url.scheme == STO_SCHEME_FILE)
        return 0;
    return hw_error_set(error, HW_ERROR_REFUSED, EOPNOTSUPP, init->name,
                        "its target offers no persistent reservations",
                        "use a LUN of a target that offers them");
}

static int look(struct init *init, struct hw_error *error)
{
    char line[FINDINGS_LINE_BYTES];
    uint8_t guid[STO_GUID_BYTES];
    int rc = want_usable(init, error);

    if (rc == 0)
        rc = cli_random_guid(guid);
    if (rc == 0)
        rc =
            sto_layout_plan(init->name, init->lun.facts.capacity_bytes, init->lun.facts.block_bytes,
                            init->state_bytes, guid, &init->layout, error);
    if (rc == 0 && cli_lun_can_reserve(&init->lun))
        rc = look_at_reservations(init, error);
    if (rc == 0 && cli_lun_can_reserve(&init->lun))
        rc = want_no_record(init, init->lun.lun, error);
    if (rc == 0)
        rc = look_at_bytes(init, error);
    if (rc < 0 || init->findings.count == 0 || init->force)
        return rc;
    sto_findings_line(&init->findings, line, sizeof(line));
    return hw_error_setf(error, HW_ERROR_REFUSED, EEXIST, init->name,
                         "use an empty LUN, or --force to overwrite it",
                         "is not empty: it holds %s", line);
}

/* The probe needs a LUN without keys; with --force over somebody's keys it is left for later. */
static int probe(struct init *init, struct hw_error *error)
{
    for (unsigned i = 0; i < init->findings.count; i++) {
        if (init->findings.items[i].kind == STO_FINDING_RESERVATION ||
            init->findings.items[i].kind == STO_FINDING_KEYS) {
            (void)fprintf(
                init->call->err,
                "hawser: %s: not probed, since others are registered; run 'hawser lun verify "
                "--probe' later\n",
                init->name);
            return 0;
        }
    }
    return cli_lun_probe(&init->lun, init->layout.meta.offset_bytes, &init->identity, NULL,
                         &init->probe_bits, error);
}

/* --- writing --- */

struct zeroing {
    uint64_t at, end;
    struct cli_progress progress;
};

static bool next_zero(void *context, uint64_t *offset_bytes, size_t *bytes)
{
    struct zeroing *zeroing = context;

    if (zeroing->at >= zeroing->end)
        return false;
    if (zeroing->end - zeroing->at < *bytes)
        *bytes = (size_t)(zeroing->end - zeroing->at);
    *offset_bytes = zeroing->at;
    zeroing->at += *bytes;
    return true;
}

static void zeroed(void *context, uint64_t done_bytes)
{
    struct zeroing *zeroing = context;

    cli_progress_show(&zeroing->progress, done_bytes);
}

/* Real writes, not WRITE SAME: they make a thin LUN reserve the space. */
static int zero(struct init *init, uint64_t offset, uint64_t bytes, const char *what,
                struct hw_error *error)
{
    struct zeroing zeroing = { .at = offset, .end = offset + bytes };
    const struct sto_bulk bulk = { .lun = init->target,
                                   .owner = init->owner.owner,
                                   .write = true,
                                   .depth = ZERO_DEPTH,
                                   .io_bytes = ZERO_BYTES,
                                   .verb = "write",
                                   .next = next_zero,
                                   .progress = zeroed,
                                   .context = &zeroing };
    int rc;

    cli_progress_begin(&zeroing.progress, init->call->err, what, bytes);
    rc = sto_bulk_run(&bulk, NULL, error);
    cli_progress_end(&zeroing.progress);
    return rc;
}

/* Nothing old may be read as ours later: signatures before and behind, meta, state headers; on a
 * thin LUN the whole state area, so that a save never runs out of space. */
static int wipe(struct init *init, struct hw_error *error)
{
    const struct sto_layout *layout = &init->layout;
    uint64_t state_end = layout->state.offset_bytes + layout->state.size_bytes;
    bool thin = init->lun.facts.thin || init->lun.url.scheme == STO_SCHEME_FILE;
    int rc = zero(init, 0, layout->disk.offset_bytes + WIPE_BYTES, "wiping", error);

    if (rc == 0)
        rc = zero(init, state_end, layout->capacity_bytes - state_end, "wiping", error);
    if (rc == 0)
        rc = zero(init, layout->state.offset_bytes, thin ? layout->state.size_bytes : WIPE_BYTES,
                  "reserving the state area", error);
    return rc < 0 ? rc : sto_tool_flush(init->target, error);
}

static int write_meta(struct init *init, struct hw_error *error)
{
    struct sto_record record = { .state = STO_RECORD_FREE,
                                 .sequence = 1,
                                 .written_s = (uint64_t)time(NULL) };
    struct sto_meta meta = { .max_memory_bytes = init->max_memory_bytes,
                             .max_cpus = (uint32_t)init->max_cpus,
                             .probe_bits = init->probe_bits,
                             .created_s = record.written_s,
                             .probed_s = init->probe_bits != 0 ? record.written_s : 0,
                             .sequence = 1 };
    int rc;

    memcpy(record.cluster_uuid, init->identity.cluster_uuid, STO_GUID_BYTES);
    memcpy(meta.cluster_uuid, init->identity.cluster_uuid, STO_GUID_BYTES);
    memcpy(record.wwid, init->lun.facts.wwid, sizeof(record.wwid));
    memcpy(meta.wwid, init->lun.facts.wwid, sizeof(meta.wwid));
    rc = sto_tool_write_meta(init->target, &init->layout, &meta, error);
    if (rc == 0)
        rc = sto_tool_write_first_record(init->target, &init->layout, &record, error);
    return rc;
}

static int write_table(struct init *init, struct hw_error *error)
{
    int rc = sto_tool_write(init->target, init->image.tail_offset_bytes, init->image.tail,
                            sizeof(init->image.tail), error);

    if (rc == 0)
        rc = sto_tool_flush(init->target, error);
    if (rc == 0)
        rc = sto_tool_write(init->target, 0, init->image.head, sizeof(init->image.head), error);
    return rc < 0 ? rc : sto_tool_flush(init->target, error);
}

static int write_all(struct init *init, struct hw_error *error)
{
    const struct cli_owner_wish wish = { &init->identity, init->force, init->force, true };
    int rc = 0;

    init->target = init->lun.lun;
    if (cli_lun_can_reserve(&init->lun)) {
        rc = cli_owner_claim(&init->lun, &wish, &init->owner, error);
        if (rc < 0)
            return rc;
        init->target = sto_owner_lun(init->owner.owner);
        rc = want_no_record(init, init->target, error);
        if (rc < 0) { /* its key stays */
            cli_owner_close(&init->owner);
            return rc;
        }
    }
    rc = wipe(init, error);
    if (rc == 0)
        rc = write_meta(init, error);
    if (rc == 0)
        rc = write_table(init, error);
    return cli_owner_end(&init->owner, rc, error);
}

/* --- the verb --- */

static int say(const struct init *init)
{
    char disk[STO_SIZE_TEXT_BYTES], state[STO_SIZE_TEXT_BYTES];
    const struct sto_layout *layout = &init->layout;

    if (hw_option_given(init->call, "json"))
        return cli_print_json(
            init->call,
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:b}", "url", hw_argument(init->call, 0), "result",
                      "initialised", "disk_bytes", (json_int_t)layout->disk.size_bytes,
                      "state_bytes", (json_int_t)layout->state.size_bytes, "capacity_bytes",
                      (json_int_t)layout->capacity_bytes, "probed", init->probe_bits != 0));
    (void)fprintf(init->call->out, "%s: laid out: disk %s, %s reserved for the saved state\n",
                  init->name, sto_size_text(layout->disk.size_bytes, disk),
                  sto_size_text(layout->state.size_bytes, state));
    if (!init->lun.facts.scsi)
        (void)fprintf(init->call->err,
                      "hawser: %s: a file cannot be fenced by reservations; use it for development "
                      "or on a single host only\n",
                      init->name);
    return 0;
}

static int run(struct init *init, struct hw_error *error)
{
    int rc = read_options(init, error);

    if (rc == 0)
        rc = cli_lun_open(init->call, hw_argument(init->call, 0), CLI_LUN_SLOW, &init->lun, error);
    if (rc < 0)
        return rc;
    (void)snprintf(init->name, sizeof(init->name), "%s", sto_lun_name(init->lun.lun));
    rc = look(init, error);
    if (rc == 0)
        rc = sto_layout_write(init->name, &init->layout, &init->image, error);
    if (rc == 0 && cli_lun_can_reserve(&init->lun))
        rc = probe(init, error);
    if (rc == 0)
        rc = write_all(init, error);
    cli_lun_close(&init->lun);
    return rc;
}

int cmd_lun_init(struct hw_call *call)
{
    struct hw_error error = { 0 };
    struct init *init = calloc(1, sizeof(*init));
    int status;

    if (init == NULL) {
        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
        return hw_fail(call, &error);
    }
    init->call = call;
    status = run(init, &error) < 0 ? hw_fail(call, &error) : say(init);
    free(init);
    return status;
}
