/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to ownership, once connected (sto_own_connect.c): settle unit attentions, look, change
 * one thing, look again ... barrier, settle, look, record. The same way is taken by a first claim,
 * a takeover, and an own reconnect (`reclaim`), which differ only in what own_decide() allows.
 */
#include "config.h"

#include "storage/sto_own_priv.h"

#include <errno.h>
#include <string.h>

void own_start_look(struct sto_own *own, bool suspect)
{
    if (own->state != STO_OWN_LOOKING)
        own_move(own, STO_OWN_LOOKING);
    own->suspect = suspect;
    own_send_simple(own, STO_OWN_READ_RESERVATION, STO_SESSION_DATA);
}

void own_give_up(struct sto_own *own, enum sto_own_reason reason, uint64_t key, uint32_t generation)
{
    if (own->reclaim) {
        own_lose(own, reason, key, generation);
        return;
    }
    if (own->may_hold || own->state == STO_OWN_CONNECTING || !own->key_used) {
        /* A reservation that may be ours stays: without one, writes of every earlier owner that
         * are still under way would be let in. The next owner preempts it. */
        own_emit(own, STO_OWN_ACTION_DROP);
        own_left(own, STO_OWN_NOTICE_REFUSED, reason, key, generation);
        return;
    }
    own_undo(own, reason, key, generation);
}

/* `attempt` 0: at once; else after the back-off of that attempt. */
static void send_pr_out(struct sto_own *own, enum sto_pr_out action, uint64_t key,
                        uint64_t service_key, unsigned attempt)
{
    if (++own->changes > OWN_CHANGES_MAX) {
        own_give_up(own, STO_OWN_REASON_UNSETTLED, 0, own->generation);
        return;
    }
    own_move(own, STO_OWN_CHANGING);
    memset(&own->command, 0, sizeof(own->command));
    own->command.kind = STO_OWN_PR_OUT;
    own->command.session = STO_SESSION_DATA;
    own->command.request = (struct sto_pr_out_request) {
        .action = action,
        .type = OWN_TYPE,
        .key = key,
        .service_key = service_key,
        .aptpl = action == STO_PR_REGISTER && own->aptpl,
    };
    if (attempt == 0)
        own_send(own);
    else
        own_send_later(own, attempt);
}

static void send_register(struct sto_own *own)
{
    unsigned attempt = 0;
    uint64_t old_key = own->register_try == 0 ? 0 : own_register_candidate(own, own->register_try);

    if (own->register_try != 0 && old_key == 0) {
        /* Registered with a key that nobody shows. Others may be changing keys just now: try
         * again for some seconds, then say so. */
        if (++own->register_refused > OWN_REGISTER_MAX) {
            own_give_up(own, STO_OWN_REASON_REGISTERED_ELSEHOW, 0, own->generation);
            return;
        }
        own->register_try = 0;
        old_key = 0;
        attempt = own->register_refused;
    }
    own->key_used = true;
    own->may_hold |= old_key != 0; /* a holder that changes its key stays the holder */
    if (own->registered_ns == 0)
        own->registered_ns = own->now_ns;
    send_pr_out(own, STO_PR_REGISTER, old_key, own->key, attempt);
}

static void send_record(struct sto_own *own, enum sto_own_command_kind kind)
{
    if (own->state != STO_OWN_RECORDING)
        own_move(own, STO_OWN_RECORDING);
    own_send_simple(own, kind, STO_SESSION_DATA);
}

/* The generations below are taken: go on with a higher one, on the same sessions. */
static void raise_generation(struct sto_own *own, uint32_t generation)
{
    own_set_generation(own, generation);
    own_start_look(own, false);
}

static void send_barrier(struct sto_own *own)
{
    own_move(own, STO_OWN_BARRIER);
    memset(&own->command, 0, sizeof(own->command));
    own->command.kind = STO_OWN_LUN_RESET;
    own->command.session = STO_SESSION_CONTROL;
    own->command.timeout_ms = own->config.barrier_ms;
    own_send(own);
}

static void act_on(struct sto_own *own, const struct own_decision *decision)
{
    switch (decision->verdict) {
    case OWN_DO_REGISTER:
        send_register(own);
        break;
    case OWN_DO_RESERVE:
        own->barrier_done = own->record_written = false;
        own->may_hold = true;
        send_pr_out(own, STO_PR_RESERVE, own->key, 0, 0);
        break;
    case OWN_DO_PREEMPT:
        if (own->look.reservation.held && own->look.reservation.key == decision->key) {
            own->barrier_done = own->record_written = false;
            own->may_hold = true;
        }
        send_pr_out(own, STO_PR_PREEMPT, own->key, decision->key, 0);
        break;
    case OWN_DO_RAISE:
        raise_generation(own, decision->generation);
        break;
    case OWN_DO_BARRIER:
        send_barrier(own);
        break;
    case OWN_DO_RECORD:
        own->verified_ns = own->now_ns;
        own->confirmed_ns = own->look.sent_ns;
        if (own->config.use_record && !own->record_written)
            send_record(own, STO_OWN_READ_RECORD);
        else
            own_enter_owned(own);
        break;
    case OWN_DO_GIVE_UP:
        own_give_up(own, decision->reason, decision->key, decision->generation);
        break;
    }
}

/* Everything that can be read without changing the LUN was read: what next? */
static void looked(struct sto_own *own)
{
    struct own_decision decision;

    if (own->wish == OWN_WISH_RELEASE && own->released &&
        !(own->look.reservation.held && own_is_tenure_key(own, own->look.reservation.key))) {
        own_emit(own, STO_OWN_ACTION_DROP);
        own_left(own, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED, 0, own->generation);
        return;
    }
    if (own->suspect) {
        /* Nobody dropped our sessions, yet something said "not yours". If the LUN still says
         * "yours" the way of a reconnect proves it; else it is lost, and claiming it again is
         * not this machine's to decide. */
        if (own->look.reservation.held && own->look.reservation.key == own->key &&
            sto_pr_keys_have(&own->look.keys, own->key))
            own_reincarnate(own);
        else
            own_lose(own, STO_OWN_REASON_CONFLICTED,
                     own->look.reservation.held ? own->look.reservation.key : 0, 0);
        return;
    }
    decision = own_decide(own);
    if (decision.verdict == OWN_DO_REGISTER && own->config.use_record && !own->key_used &&
        !own->look.reservation.held && !own->record_checked) {
        /* A free LUN can be read: a stale order is refused before it touches anything. */
        own_send_simple(own, STO_OWN_READ_RECORD, STO_SESSION_DATA);
        return;
    }
    act_on(own, &decision);
}

static enum sto_own_reason record_reason(int decode)
{
    if (decode == -ENOENT)
        return STO_OWN_REASON_NO_RECORD;
    return decode == -EPROTONOSUPPORT ? STO_OWN_REASON_NEWER_RECORD : STO_OWN_REASON_BAD_RECORD;
}

/* True if the record that was read allows to go on. */
static bool record_allows(struct sto_own *own, const struct sto_own_result *result)
{
    struct own_decision decision;

    if (result->decode < 0) {
        own_give_up(own, record_reason(result->decode), 0, 0);
        return false;
    }
    own->record = *result->record;
    own->record_known = true;
    decision = own_judge_record(own, result->record);
    if (decision.verdict == OWN_DO_RECORD)
        return true;
    if (decision.verdict == OWN_DO_RAISE)
        raise_generation(own, decision.generation);
    else
        own_give_up(own, decision.reason, decision.key, decision.generation);
    return false;
}

static bool too_many_conflicts(struct sto_own *own)
{
    if (++own->conflicts <= OWN_CONFLICTS_MAX)
        return false;
    own_give_up(own, STO_OWN_REASON_UNSETTLED, 0, own->generation);
    return true;
}

static void looking_result(struct sto_own *own, const struct sto_own_result *result)
{
    if (result->rc == STO_CONFLICT) {
        /* Reading the record raced with a claim; or an SPC-2 reservation refuses even PR IN. */
        if (too_many_conflicts(own))
            return;
        memset(&own->command, 0, sizeof(own->command));
        own->command.kind = STO_OWN_READ_RESERVATION;
        own_send_later(own, own->conflicts);
        return;
    }
    if (result->rc != STO_OK || (own->command.kind != STO_OWN_READ_RECORD && result->decode < 0)) {
        own_give_up(own,
                    own->command.kind == STO_OWN_READ_RECORD ? STO_OWN_REASON_BAD_RECORD
                                                             : STO_OWN_REASON_BAD_ANSWER,
                    0, own->generation);
        return;
    }
    if (own->command.kind == STO_OWN_READ_RESERVATION) {
        own->look.reservation = *result->reservation;
        own->may_hold |= own->look.reservation.held && own->look.reservation.key == own->key;
        own->look.sent_ns = result->sent_ns;
        own_send_simple(own, STO_OWN_READ_KEYS, STO_SESSION_DATA);
    } else if (own->command.kind == STO_OWN_READ_KEYS) {
        own->look.keys = *result->keys;
        looked(own);
    } else if (record_allows(own, result)) {
        own->record_checked = true;
        own_send_simple(own, STO_OWN_READ_RESERVATION, STO_SESSION_DATA);
    }
}

static void changing_result(struct sto_own *own, const struct sto_own_result *result)
{
    enum sto_pr_out action = own->command.request.action;
    bool took = result->rc == STO_OK && (action == STO_PR_PREEMPT || action == STO_PR_RESERVE);

    if (result->rc == STO_OK || result->rc == STO_CONFLICT) {
        if (action == STO_PR_REGISTER && result->rc == STO_CONFLICT)
            own->register_try++;
        if (took && !OWN_USE_VERIFY)
            send_barrier(own);
        else
            own_start_look(own, false);
    } else if (action == STO_PR_REGISTER && own->aptpl &&
               (result->rc == STO_ILLEGAL || result->rc == STO_UNSUPPORTED)) {
        own->aptpl = false;
        own->command.request.aptpl = false;
        own_send(own);
    } else {
        own_give_up(own, STO_OWN_REASON_REFUSED_BY_TARGET, 0, own->generation);
    }
}

static void barrier_result(struct sto_own *own, const struct sto_own_result *result)
{
    if (result->rc == STO_OK) {
        own->barrier_done = true;
        own->attentions = own->busy = 0;
        own_settle(own, STO_SESSION_DATA);
        return;
    }
    own->barriers++;
    if (result->rc == STO_UNSUPPORTED || result->rc == STO_ILLEGAL ||
        (own->config.barrier_attempts != 0 && own->barriers >= own->config.barrier_attempts)) {
        own_give_up(own, STO_OWN_REASON_NOT_PROVEN, 0, own->generation);
        return;
    }
    own_notice(own, STO_OWN_NOTICE_HELD_UP, STO_OWN_REASON_NOT_PROVEN, 0, own->generation);
    own_emit(own, STO_OWN_ACTION_DROP_CONTROL);
    own_move(own, STO_OWN_CONNECTING);
    own->only_control = true;
    memset(&own->command, 0, sizeof(own->command));
    own->command.kind = STO_OWN_LOGIN;
    own->command.session = STO_SESSION_CONTROL;
    own_send_later(own, own->barriers);
}

static void recording_result(struct sto_own *own, const struct sto_own_result *result)
{
    if (result->rc == STO_CONFLICT) {
        if (!too_many_conflicts(own))
            own_start_look(own, false);
    } else if (result->rc == STO_READ_ONLY) {
        own_give_up(own, STO_OWN_REASON_READ_ONLY, 0, own->generation);
    } else if (result->rc != STO_OK) {
        own_give_up(own,
                    own->command.kind == STO_OWN_WRITE_RECORD ? STO_OWN_REASON_REFUSED_BY_TARGET
                                                              : STO_OWN_REASON_BAD_RECORD,
                    0, own->generation);
    } else if (own->command.kind == STO_OWN_WRITE_RECORD) {
        own->record = own->command.record;
        own->record_known = own->record_written = true;
        own_enter_owned(own);
    } else if (record_allows(own, result)) {
        memset(&own->command, 0, sizeof(own->command));
        own->command.record = own_next_record(own);
        own->command.kind = STO_OWN_WRITE_RECORD;
        own_send(own);
    }
}

/* Only in a mutated test binary: what PREEMPT answered is taken for what it did. */
static void believe(struct sto_own *own)
{
    own_move(own, STO_OWN_LOOKING);
    own_enter_owned(own);
}

/* A unit attention was taken: the same again, unless it says that what was seen is outdated. */
static void attended(struct sto_own *own, const struct sto_own_result *result)
{
    bool endless = ++own->attentions > OWN_ATTENTIONS_MAX;

    if (endless && !own->reclaim) {
        own_give_up(own, STO_OWN_REASON_UNSETTLED, 0, own->generation);
        return;
    }
    if (own->attentions % OWN_ATTENTIONS_MAX == 0)
        own_notice(own, STO_OWN_NOTICE_HELD_UP, STO_OWN_REASON_UNSETTLED, 0, own->generation);
    if (endless)
        own_send_later(own, own->attentions);
    else if (own->state == STO_OWN_RECORDING && own_outdates_look(result))
        own_start_look(own, false);
    else
        own_send(own);
}

/* Answers that say "not executed" or "nobody knows": the same for each command of a claim. */
static bool common_result(struct sto_own *own, const struct sto_own_result *result)
{
    if (own->state == STO_OWN_CONNECTING || own->state == STO_OWN_BARRIER)
        return false;
    if (result->rc == STO_BUSY) {
        if (own->busy < OWN_BUSY_MAX || own->reclaim)
            own_send_busy(own);
        else
            own_give_up(own, STO_OWN_REASON_BUSY, 0, own->generation);
        return true;
    }
    if (result->rc == STO_UNIT_ATTENTION) {
        attended(own, result);
        return true;
    }
    if (result->rc == STO_UNKNOWN || result->rc == STO_NOT_SENT) {
        own_reincarnate(own);
        return true;
    }
    own->attentions = own->busy = 0;
    return false;
}

void own_claim_result(struct sto_own *own, const struct sto_own_result *result)
{
    if (common_result(own, result))
        return;
    switch (own->state) {
    case STO_OWN_CONNECTING:
        own_connecting_result(own, result);
        break;
    case STO_OWN_SETTLING: /* anything but the above says that no attention is left */
        if (own->command.session == STO_SESSION_DATA)
            own_settle(own, STO_SESSION_CONTROL);
        else if (own->barrier_done && !OWN_USE_VERIFY)
            believe(own);
        else
            own_start_look(own, false);
        break;
    case STO_OWN_LOOKING:
        looking_result(own, result);
        break;
    case STO_OWN_CHANGING:
        changing_result(own, result);
        break;
    case STO_OWN_BARRIER:
        barrier_result(own, result);
        break;
    case STO_OWN_RECORDING:
        recording_result(own, result);
        break;
    default:
        break;
    }
}
