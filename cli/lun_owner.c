/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives an owner to where a verb wants it, and turns its reasons into messages. Decides nothing
 * about ownership: that is sto_own's.
 */
#include <config.h>

#include "cli/lun_owner.h"

#include "cli/lun_wait.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/sto_presence.h"

enum { BARRIER_MS = 15000, GRACE_MS = 10000, TELL_MS = 2000 };

int cli_owner_fail(const char *name, const struct cli_owner *owner, struct hw_error *error)
{
    char detail[STO_DETAIL_BYTES];

    (void)snprintf(detail, sizeof(detail), "%s", owner->detail);
    if (owner->reason == STO_OWN_REASON_STALE && owner->key == 0 && owner->generation != 0)
        (void)snprintf(detail, sizeof(detail), "generation %" PRIu32 " was there",
                       owner->generation);
    return sto_own_reason_error(name, owner->reason, owner->key, detail, error);
}

int cli_owner_want_none(const char *name, const struct sto_pr_reservation *held,
                        struct hw_error *error)
{
    struct sto_key_parts parts;

    if (!held->held || !sto_key_parse(held->key, &parts))
        return 0;
    return hw_error_setf(error, HW_ERROR_REFUSED, EBUSY, name,
                         "release it first: 'hawser lun release' on that node",
                         "node %u owns it (generation %" PRIu32 ")", parts.node, parts.generation);
}

/* What it waits for; the same once in a while. */
static void tell_wait(struct cli_owner *owner, const struct sto_owner_notice *notice)
{
    char text[sizeof(owner->said.text)];

    (void)snprintf(text, sizeof(text), "%s%s%s", sto_own_reason_text(notice->reason),
                   notice->detail[0] != '\0' ? ": " : "", notice->detail);
    if (!cli_said_lately(&owner->said, text))
        (void)fprintf(owner->err, "%s: waiting for at most %" PRId64 " s: %s\n", owner->name,
                      owner->wait_ms / 1000, text);
}

static void noticed(void *context, const struct sto_owner_notice *notice)
{
    struct cli_owner *owner = context;

    owner->told = true;
    owner->notice = notice->notice;
    owner->reason = notice->reason;
    owner->key = notice->key;
    owner->generation = notice->generation;
    (void)snprintf(owner->detail, sizeof(owner->detail), "%s", notice->detail);
    if (owner->err != NULL &&
        (notice->notice == STO_OWN_NOTICE_HELD_UP || notice->notice == STO_OWN_NOTICE_SUSPENDED))
        tell_wait(owner, notice);
}

/* Something that ends a wait: "held up" is only on the way. */
static bool settled(void *context)
{
    const struct cli_owner *owner = context;

    return owner->told && owner->notice != STO_OWN_NOTICE_HELD_UP &&
           owner->notice != STO_OWN_NOTICE_SUSPENDED;
}

/* Wait for `notice`, which may have come already from the order itself (owner->told, cleared before
 * it); anything else is a failure with its words. */
static int wait_for(struct cli_owner *owner, enum sto_own_notice notice, int64_t wait_ms,
                    struct hw_error *error)
{
    struct cli_wait wait;
    int rc;

    owner->wait_ms = wait_ms;
    cli_wait_begin(&wait, owner->err, owner->name,
                   notice == STO_OWN_NOTICE_OWNED ? "ownership"
                                                  : "its writes to end and its key to go",
                   TELL_MS, wait_ms);
    rc = sto_owner_run(owner->owner, settled, owner, (uint32_t)wait_ms);
    cli_wait_end(&wait);

    if (rc < 0 && (!owner->told || owner->reason == STO_OWN_REASON_NONE))
        return hw_error_setf(error, HW_ERROR_TIMED_OUT, ETIMEDOUT, owner->name,
                             "see with 'hawser lun show' how far it came",
                             "not done within %" PRId64 " s", wait_ms / 1000);
    if (rc == 0 && owner->notice == notice)
        return 0;
    return cli_owner_fail(owner->name, owner, error);
}

static void give_names(struct cli_owner *owner)
{
    (void)close(owner->presence_fd);
    if (owner->wwid_fd >= 0)
        (void)close(owner->wwid_fd);
}

/* This node's names on the LUN: by its URL, and by its WWID. */
static int take_names(const struct cli_lun *lun, const struct cli_identity *identity,
                      struct cli_owner *owner, struct hw_error *error)
{
    int rc = sto_presence_take(&lun->url, identity->cluster_uuid, identity->node,
                               &owner->presence_fd, error);

    if (rc < 0)
        return rc;
    owner->wwid_fd = rc = sto_presence_socket(error);
    if (rc >= 0)
        rc = sto_presence_take_wwid(&lun->url, lun->facts.wwid, identity->cluster_uuid,
                                    identity->node, owner->wwid_fd, error);
    if (rc < 0)
        give_names(owner);
    return rc < 0 ? rc : 0;
}

int cli_owner_claim(struct cli_lun *lun, const struct cli_owner_wish *wish,
                    struct cli_owner *ret_owner, struct hw_error *error)
{
    const struct sto_owner_callbacks callbacks = { .notice = noticed, .context = ret_owner };
    struct sto_owner_config config = { 0 };
    const struct sto_own_grant grant = { .generation = wish->identity->generation,
                                         .takeover = wish->takeover,
                                         .force_foreign = wish->force };
    struct sto_lun *own_lun;
    int rc;

    memset(ret_owner, 0, sizeof(*ret_owner));
    ret_owner->err = lun->err;
    rc = take_names(lun, wish->identity, ret_owner, error);
    if (rc < 0)
        return rc;
    memcpy(config.own.cluster_uuid, wish->identity->cluster_uuid, STO_GUID_BYTES);
    sto_presence_boot_id(config.own.boot_id);
    config.own.node = wish->identity->node;
    config.own.use_record = !wish->raw;
    config.own.new_line = true;
    config.own.barrier_ms = BARRIER_MS;
    config.own.command_ms = lun->timeout_ms;
    config.own.barrier_attempts = 2;
    config.own.login_attempts = 1;
    config.own.seed = (uint64_t)hw_clock_now_ns(hw_clock_boottime());
    /* the owner brings its own sessions up: those of the look before are ended in order */
    cli_lun_close(lun);
    rc = sto_lun_open(&lun->url, &lun->options, &own_lun, error);
    if (rc == 0) {
        rc = sto_owner_new(own_lun, &config, &callbacks, &ret_owner->owner);
        if (rc < 0) {
            sto_lun_close(own_lun);
            (void)hw_error_set(error, HW_ERROR_FAILED, -rc, "memory", "ran out", "");
        }
    }
    if (rc < 0) {
        give_names(ret_owner);
        return rc;
    }
    ret_owner->name = sto_lun_name(sto_owner_lun(ret_owner->owner));
    rc = sto_owner_start(ret_owner->owner, &grant);
    if (rc < 0)
        rc = hw_error_set(error, HW_ERROR_USAGE, -rc, "--generation", "is not a generation", "");
    else
        rc = wait_for(ret_owner, STO_OWN_NOTICE_OWNED,
                      (int64_t)lun->timeout_ms * 4 + 2 * BARRIER_MS + GRACE_MS, error);
    if (rc < 0)
        cli_owner_close(ret_owner);
    return rc;
}

static bool is_lost(const struct cli_owner *owner)
{
    return owner->told && owner->notice == STO_OWN_NOTICE_LOST;
}

/* Give it up by this order. What was lost meanwhile cannot be given, and that is what is told. */
static int give(struct cli_owner *owner, bool release, uint16_t node, struct hw_error *error)
{
    int rc;

    if (is_lost(owner)) {
        rc = cli_owner_fail(owner->name, owner, error);
        cli_owner_close(owner);
        return rc;
    }
    owner->told = false;
    if (release)
        sto_owner_release(owner->owner);
    else
        sto_owner_hand_over(owner->owner, node);
    rc = wait_for(owner, release ? STO_OWN_NOTICE_LEFT : STO_OWN_NOTICE_HANDED,
                  BARRIER_MS + GRACE_MS, error);
    cli_owner_close(owner);
    return rc;
}

int cli_owner_release(struct cli_owner *owner, struct hw_error *error)
{
    return owner->owner == NULL ? 0 : give(owner, true, 0, error);
}

int cli_owner_end(struct cli_owner *owner, int rc, struct hw_error *error)
{
    if (rc == 0)
        return cli_owner_release(owner, error);
    /* why it was lost says more than how that looked to a single write; it was not by ourselves */
    if (is_lost(owner) && owner->reason != STO_OWN_REASON_REVOKED) {
        hw_error_clear(error);
        rc = cli_owner_fail(owner->name, owner, error);
    }
    (void)cli_owner_release(owner, NULL);
    return rc;
}

int cli_owner_hand_over(struct cli_owner *owner, uint16_t node, struct hw_error *error)
{
    return give(owner, false, node, error);
}

void cli_owner_close(struct cli_owner *owner)
{
    if (owner->owner == NULL)
        return;
    sto_owner_free(owner->owner);
    owner->owner = NULL;
    give_names(owner);
}
