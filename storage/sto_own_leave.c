/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving a LUN up in order: drain, flush, say so in the record; then wait for the next owner's
 * PREEMPT (hand-over), or let the reservation go (release). And undoing a claim that failed. A
 * command with unknown outcome is never repeated blindly: new sessions, look, decide.
 */
#include "config.h"

#include "storage/sto_own_priv.h"

#include <string.h>

void own_left(struct sto_own *own, enum sto_own_notice notice, enum sto_own_reason reason,
              uint64_t key, uint32_t generation)
{
    own->command_out = own->command_waits = false;
    own->reclaim = false;
    own_move(own, STO_OWN_LEFT);
    own_notice(own, notice, reason, key, generation);
}

void own_start_drain(struct sto_own *own)
{
    own->command_out = own->command_waits = false;
    own_move(own, STO_OWN_DRAINING);
    own_emit(own, STO_OWN_ACTION_DRAIN);
    own_next_check(own); /* a drain may be long: the lease goes on */
}

void own_drained(struct sto_own *own)
{
    own_move(own, own->wish == OWN_WISH_RELEASE ? STO_OWN_RELEASING : STO_OWN_HANDING);
    own_send_simple(own, STO_OWN_FLUSH, STO_SESSION_DATA);
}

static void send_unregister(struct sto_own *own)
{
    memset(&own->command, 0, sizeof(own->command));
    own->command.kind = STO_OWN_PR_OUT;
    own->command.request = (struct sto_pr_out_request) {
        .action = STO_PR_REGISTER, .type = OWN_TYPE, .key = own->key, .service_key = 0
    };
    own_send(own);
}

void own_undo(struct sto_own *own, enum sto_own_reason reason, uint64_t key, uint32_t generation)
{
    own->end_reason = reason;
    own->end_key = key;
    own->end_generation = generation;
    own->attentions = 0;
    own_move(own, STO_OWN_UNDOING);
    send_unregister(own);
}

static void send_leaving_record(struct sto_own *own)
{
    struct sto_record record = own->record;

    record.state = own->wish == OWN_WISH_RELEASE ? STO_RECORD_FREE : STO_RECORD_HANDOVER;
    record.handover_node = own->handover_node;
    record.sequence++;
    memset(&own->command, 0, sizeof(own->command));
    own->command.kind = STO_OWN_WRITE_RECORD;
    own->command.record = record;
    own_send(own);
}

static void send_release(struct sto_own *own)
{
    memset(&own->command, 0, sizeof(own->command));
    own->command.kind = STO_OWN_PR_OUT;
    own->command.request =
        (struct sto_pr_out_request) { .action = STO_PR_RELEASE, .type = OWN_TYPE, .key = own->key };
    own->released = true;
    own_send(own);
}

static void handed(struct sto_own *own)
{
    own_move(own, STO_OWN_HANDED);
    own_notice(own, STO_OWN_NOTICE_HANDED, STO_OWN_REASON_NONE, own->key, own->generation);
}

static void record_left(struct sto_own *own)
{
    if (own->wish == OWN_WISH_RELEASE)
        send_release(own);
    else
        handed(own);
}

/* The command was executed: the next one. */
static void next_command(struct sto_own *own)
{
    switch (own->command.kind) {
    case STO_OWN_FLUSH:
        if (own->config.use_record)
            send_leaving_record(own);
        else
            record_left(own);
        break;
    case STO_OWN_WRITE_RECORD:
        own->record = own->command.record;
        record_left(own);
        break;
    case STO_OWN_PR_OUT:
        if (own->command.request.action == STO_PR_RELEASE)
            send_unregister(own);
        else
            own_send_simple(own, STO_OWN_LOGOUT, STO_SESSION_DATA);
        break;
    default: /* LOGOUT: whatever came of it */
        own_emit(own, STO_OWN_ACTION_DROP);
        own_left(own, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_RELEASED, 0, own->generation);
        break;
    }
}

static void undone(struct sto_own *own, const struct sto_own_result *result)
{
    if (result->rc == STO_UNIT_ATTENTION && ++own->attentions <= OWN_ATTENTIONS_MAX) {
        own_send(own);
        return;
    }
    if (result->rc == STO_BUSY && ++own->busy <= OWN_BUSY_MAX) {
        own_send_later(own, own->busy);
        return;
    }
    /* Unknown or refused: the key stays registered without the reservation, which lets nobody
     * write; a later owner preempts it. */
    own_emit(own, STO_OWN_ACTION_DROP);
    own_left(own, STO_OWN_NOTICE_REFUSED, own->end_reason, own->end_key, own->end_generation);
}

void own_leave_result(struct sto_own *own, const struct sto_own_result *result)
{
    if (own->state == STO_OWN_UNDOING) {
        undone(own, result);
    } else if (own->command.kind == STO_OWN_LOGOUT || result->rc == STO_OK) {
        next_command(own);
    } else if (result->rc == STO_UNIT_ATTENTION && !sto_sense_was_reset(result->asc_ascq) &&
               !sto_sense_reservations_changed(result->asc_ascq)) {
        own_send(own);
    } else if (result->rc == STO_BUSY) {
        own_send_busy(own);
    } else if (result->rc == STO_CONFLICT || (result->rc == STO_UNIT_ATTENTION &&
                                              sto_sense_reservations_changed(result->asc_ascq))) {
        own_suspend(own, STO_OWN_REASON_CONFLICTED, false);
    } else {
        own_suspend(own, STO_OWN_REASON_UNREACHABLE, true);
    }
}
