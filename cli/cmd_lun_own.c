/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser lun claim, takeover, handover, release: ownership by hand, for tests and rescue. The
 * ownership machine does all of it; here are only words.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include "cli/lun_owner.h"
#include "common/hw_values.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* How a verb comes to own the LUN: nobody has it; in another's place; as its owner so far. */
enum entry { CLAIM, TAKEOVER, RETURN };

/* A LUN that reservations cannot fence has no owner that hawser could enforce. */
static int want_reservations(const struct cli_lun *lun, struct hw_error *error)
{
    if (cli_lun_can_reserve(lun))
        return 0;
    if (lun->url.scheme == STO_SCHEME_FILE)
        return hw_error_set(error, HW_ERROR_REFUSED, EOPNOTSUPP, sto_lun_name(lun->lun),
                            "a file cannot be fenced by reservations: it has no owner",
                            "use files for development or a single host only");
    return hw_error_set(error, HW_ERROR_REFUSED, EOPNOTSUPP, sto_lun_name(lun->lun),
                        "its target offers no persistent reservations",
                        "use a LUN of a target that offers them");
}

/* A LUN without room for a record would never be owned. A LUN that another holds cannot be read. */
static int want_layout(struct cli_lun *lun, struct hw_error *error)
{
    struct sto_layout layout;
    int rc = sto_tool_read_layout(lun->lun, &layout, error);

    if (rc == -EBADE) {
        hw_error_clear(error);
        return 0;
    }
    return rc;
}

/* A record that says OWNED by another node, or handed over to one, while nobody holds the
 * reservation: the target lost it. Only a takeover goes on over that. */
static int respect_record(struct cli_lun *lun, const struct cli_identity *identity,
                          struct hw_error *error)
{
    struct sto_pr_reservation held = { 0 };
    struct sto_tool_meta meta;
    struct sto_layout layout;

    if (sto_tool_read_reservation(lun->lun, &held, NULL) < 0 || held.held ||
        sto_tool_read_layout(lun->lun, &layout, NULL) < 0 ||
        sto_tool_read_meta(lun->lun, &layout, &meta, NULL) < 0 || meta.record_rc < 0)
        return 0; /* the ownership machine judges what it finds */
    if (meta.record.state == STO_RECORD_FREE || meta.record.node == identity->node ||
        memcmp(meta.record.cluster_uuid, identity->cluster_uuid, STO_GUID_BYTES) != 0)
        return 0;
    if (meta.record.state == STO_RECORD_HANDOVER)
        return meta.record.handover_node == 0 || meta.record.handover_node == identity->node
                   ? 0
                   : hw_error_setf(error, HW_ERROR_REFUSED, EBUSY, sto_lun_name(lun->lun),
                                   "leave it to that node; 'hawser lun takeover' takes it away",
                                   "handed over to node %u by node %u", meta.record.handover_node,
                                   meta.record.node);
    return hw_error_setf(
        error, HW_ERROR_REFUSED, EBUSY, sto_lun_name(lun->lun),
        "'hawser lun takeover' takes it away, if you are sure that its VM does not run",
        "owned by node %u (generation %" PRIu32
        ") by its record, though the target has lost the reservation",
        meta.record.node, meta.record.generation);
}

/* Giving up or handing over needs something to give: our key as the holder, or our record. */
static int want_ours(struct cli_lun *lun, const struct cli_identity *identity, const char *verb,
                     struct hw_error *error)
{
    struct sto_pr_reservation held = { 0 };
    struct sto_tool_meta meta;
    struct sto_layout layout;
    struct sto_key_parts parts;
    char remedy[64];
    int rc = sto_tool_read_reservation(lun->lun, &held, error);

    if (rc == 0 && held.held && sto_key_parse(held.key, &parts) && parts.node != identity->node) {
        (void)snprintf(remedy, sizeof(remedy), "%s it on node %u", verb, parts.node);
        return hw_error_setf(error, HW_ERROR_REFUSED, EBUSY, sto_lun_name(lun->lun), remedy,
                             "node %u does not own it: node %u does (generation %" PRIu32 ")",
                             identity->node, parts.node, parts.generation);
    }
    if (rc < 0 || held.held)
        return rc; /* another cluster's holder is refused by the ownership machine */
    rc = sto_tool_read_layout(lun->lun, &layout, error);
    if (rc == 0)
        rc = sto_tool_read_meta(lun->lun, &layout, &meta, error);
    if (rc < 0)
        return rc;
    if (meta.record_rc == 0 && meta.record.state != STO_RECORD_FREE &&
        meta.record.node == identity->node)
        return 0;
    return hw_error_setf(error, HW_ERROR_REFUSED, ENOENT, sto_lun_name(lun->lun),
                         "see its owner with 'hawser lun show'", "node %u does not own it",
                         identity->node);
}

/* Open the LUN and own it. On success the caller closes `ret_owner`. */
static int own(struct hw_call *call, enum entry entry, struct cli_identity *ret_identity,
               struct cli_owner *ret_owner, struct hw_error *error)
{
    const bool force = entry == TAKEOVER && hw_option_given(call, "force");
    const struct cli_owner_wish wish = { ret_identity, entry == TAKEOVER, force, false };
    struct cli_lun lun = { 0 };
    int rc = cli_lun_identity(call, ret_identity, error);

    if (rc == 0)
        rc = cli_lun_open(call, hw_argument(call, 0), 0, &lun, error);
    if (rc == 0)
        rc = want_reservations(&lun, error);
    if (rc == 0)
        rc = want_layout(&lun, error);
    if (rc == 0 && entry == CLAIM)
        rc = respect_record(&lun, ret_identity, error);
    if (rc == 0 && entry == RETURN)
        rc = want_ours(&lun, ret_identity, strrchr(call->verb->path, ' ') + 1, error);
    if (rc == 0)
        rc = cli_owner_claim(&lun, &wish, ret_owner, error);
    cli_lun_close(&lun);
    return rc;
}

static int say(struct hw_call *call, const char *did, const struct cli_identity *identity,
               uint64_t key, uint32_t generation)
{
    const char *url = hw_argument(call, 0);
    char text[STO_KEY_TEXT_BYTES];

    if (hw_option_given(call, "json")) {
        (void)snprintf(text, sizeof(text), "0x%016" PRIx64, key);
        return cli_print_json(call, json_pack("{s:s, s:s, s:i, s:I, s:s}", "url", url, "result",
                                              did, "node", (int)identity->node, "generation",
                                              (json_int_t)generation, "key", text));
    }
    (void)fprintf(call->out, "%s: %s, node %u, generation %" PRIu32 ", key %s\n", url, did,
                  identity->node, generation, sto_key_text(key, text));
    return 0;
}

/* A LUN that was another cluster's, or a copy of another: its description says what it is now. */
static int adopt(const struct cli_owner *owner, const struct cli_identity *identity,
                 struct hw_error *error)
{
    struct sto_lun *lun = sto_owner_lun(owner->owner);
    const struct sto_facts *facts = sto_lun_facts(lun);
    struct sto_tool_meta found;
    struct sto_layout layout;
    struct sto_meta *meta = &found.meta;
    int rc = sto_tool_read_layout(lun, &layout, error);
    bool copy;

    if (rc == 0)
        rc = sto_tool_read_meta(lun, &layout, &found, error);
    if (rc < 0 || found.meta_rc < 0)
        return rc; /* damaged: 'hawser lun verify' says so */
    copy = strcmp(meta->wwid, facts->wwid) != 0;
    if (!copy && memcmp(meta->cluster_uuid, identity->cluster_uuid, STO_GUID_BYTES) == 0)
        return 0;
    if (copy) { /* what was probed was another LUN */
        meta->probe_bits = 0;
        meta->probed_s = 0;
    }
    memcpy(meta->cluster_uuid, identity->cluster_uuid, STO_GUID_BYTES);
    memcpy(meta->wwid, facts->wwid, sizeof(meta->wwid));
    meta->sequence++;
    return sto_tool_write_meta(lun, &layout, meta, error);
}

/* The record before ours, which could not be read before: was it meant for somebody else? */
static void tell_whom_it_was_for(const struct hw_call *call, const struct cli_owner *owner,
                                 const struct cli_identity *identity)
{
    struct sto_lun *lun = sto_owner_lun(owner->owner);
    struct sto_tool_meta meta;
    const struct sto_record *before = &meta.history[0];
    struct sto_layout layout;

    if (sto_tool_read_layout(lun, &layout, NULL) < 0 ||
        sto_tool_read_meta(lun, &layout, &meta, NULL) < 0 || meta.history_count == 0 ||
        before->state != STO_RECORD_HANDOVER || before->handover_node == 0 ||
        before->handover_node == identity->node)
        return;
    (void)fprintf(call->err,
                  "hawser: %s: warning: node %u had handed it over to node %u, not to node %u; see "
                  "that no VM of it starts there\n",
                  owner->name, before->node, before->handover_node, identity->node);
}

static int claim(struct hw_call *call, bool takeover)
{
    struct cli_identity identity;
    struct cli_owner owner;
    struct hw_error error = { 0 };
    uint64_t key;
    uint32_t generation;
    int rc = 0;

    if (own(call, takeover ? TAKEOVER : CLAIM, &identity, &owner, &error) < 0)
        return hw_fail(call, &error);
    key = sto_own_key(sto_owner_machine(owner.owner));
    generation = sto_own_generation(sto_owner_machine(owner.owner));
    if (takeover)
        tell_whom_it_was_for(call, &owner, &identity);
    if (takeover && hw_option_given(call, "force"))
        rc = adopt(&owner, &identity, &error);
    cli_owner_close(&owner); /* hard: key and reservation stay */
    if (rc < 0)
        return hw_fail(call, &error);
    return say(call, takeover ? "taken over" : "claimed", &identity, key, generation);
}

int cmd_lun_claim(struct hw_call *call)
{
    return claim(call, false);
}

int cmd_lun_takeover(struct hw_call *call)
{
    return claim(call, true);
}

int cmd_lun_handover(struct hw_call *call)
{
    struct cli_identity identity;
    struct cli_owner owner;
    struct hw_error error = { 0 };
    uint64_t to = 0, key;
    uint32_t generation;
    char did[64];

    if (hw_option_number(call, "to", 1, UINT16_MAX, &to, &error) < 0)
        return hw_fail(call, &error);
    if (to == 0) {
        (void)hw_error_set(&error, HW_ERROR_USAGE, EINVAL, "--to", "is missing",
                           "say which node takes over");
        return hw_fail(call, &error);
    }
    if (own(call, RETURN, &identity, &owner, &error) < 0)
        return hw_fail(call, &error);
    key = sto_own_key(sto_owner_machine(owner.owner));
    generation = sto_own_generation(sto_owner_machine(owner.owner));
    if (cli_owner_hand_over(&owner, (uint16_t)to, &error) < 0)
        return hw_fail(call, &error);
    (void)snprintf(did, sizeof(did), "ready to be taken over by node %u", (unsigned)to);
    return say(call, hw_option_given(call, "json") ? "ready to be taken over" : did, &identity, key,
               generation);
}

int cmd_lun_release(struct hw_call *call)
{
    struct cli_identity identity;
    struct cli_owner owner;
    struct hw_error error = { 0 };
    uint64_t key;
    uint32_t generation;

    if (own(call, RETURN, &identity, &owner, &error) < 0)
        return hw_fail(call, &error);
    key = sto_own_key(sto_owner_machine(owner.owner));
    generation = sto_own_generation(sto_owner_machine(owner.owner));
    if (cli_owner_release(&owner, &error) < 0)
        return hw_fail(call, &error);
    return say(call, "released", &identity, key, generation);
}
