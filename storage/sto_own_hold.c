/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While the LUN is owned: the steady check, and what happens when something disturbs it. The gate
 * is shut first and questions are asked afterwards; it opens again only behind a barrier.
 */
#include "config.h"

#include "storage/sto_own_priv.h"

void own_next_check(struct sto_own *own)
{
    if (own->config.steady_check)
        own_timer(own, own->now_ns + (int64_t)own->config.check_ms * 1000000);
}

void own_enter_owned(struct sto_own *own)
{
    if (own->now_ns - own->confirmed_ns > (int64_t)own->config.fresh_ms * 1000000 &&
        OWN_USE_VERIFY) {
        /* we stood still meanwhile, or the target is slow: what was seen proves nothing */
        if (++own->stale_looks % OWN_STALE_LOOKS == 0)
            own_notice(own, STO_OWN_NOTICE_HELD_UP, STO_OWN_REASON_BUSY, 0, own->generation);
        own_start_look(own, false);
        return;
    }
    own->stale_looks = 0;
    own->reclaim = true;
    own->changes = own->logins = own->barriers = 0;
    if (!own->config.steady_check)
        own->reconnects = 0;
    own_emit(own, STO_OWN_ACTION_CONFIRMED)->at_ns = own->confirmed_ns;
    if (own->wish != OWN_WISH_HOLD) {
        own_start_drain(own); /* finishes what is unanswered, lets nothing new pass */
        return;
    }
    own_move(own, STO_OWN_OWNED);
    own_emit(own, STO_OWN_ACTION_GATE_OPEN);
    own_notice(own, STO_OWN_NOTICE_OWNED, STO_OWN_REASON_NONE, own->key, own->generation);
    own_next_check(own);
}

void own_hold_timer(struct sto_own *own)
{
    own_send_simple(own, STO_OWN_READ_RESERVATION, STO_SESSION_DATA);
}

void own_suspend(struct sto_own *own, enum sto_own_reason reason, bool reconnect)
{
    own->command_out = own->command_waits = false;
    own_emit(own, STO_OWN_ACTION_GATE_HOLD);
    own_notice(own, STO_OWN_NOTICE_SUSPENDED, reason, 0, own->generation);
    if (reconnect)
        own_reincarnate(own);
    else
        own_start_look(own, true);
}

void own_lose(struct sto_own *own, enum sto_own_reason reason, uint64_t key, uint32_t generation)
{
    own->command_out = own->command_waits = false;
    own->end_reason = reason;
    own_move(own, STO_OWN_LOST);
    own_emit(own, STO_OWN_ACTION_GATE_HOLD);
    own_emit(own, STO_OWN_ACTION_DROP); /* nothing that waits in a socket may follow */
    own_notice(own, STO_OWN_NOTICE_LOST, reason, key, generation);
}

void own_hold_result(struct sto_own *own, const struct sto_own_result *result)
{
    const struct sto_pr_reservation *reservation = result->reservation;

    if (result->rc == STO_UNIT_ATTENTION && !sto_sense_was_reset(result->asc_ascq) &&
        !sto_sense_reservations_changed(result->asc_ascq)) {
        own_send(own); /* nothing to do with ownership */
    } else if (result->rc == STO_UNIT_ATTENTION) {
        /* 2Ah: reservations changed. 29h, 2Fh: somebody reset; commands may have vanished. */
        if (sto_sense_reservations_changed(result->asc_ascq))
            own_suspend(own, STO_OWN_REASON_CONFLICTED, false);
        else
            own_suspend(own, STO_OWN_REASON_UNREACHABLE, true);
    } else if (result->rc == STO_BUSY) {
        own_send_busy(own);
    } else if (result->rc != STO_OK) {
        own_suspend(own, STO_OWN_REASON_UNREACHABLE, true);
    } else if (result->decode < 0 || !reservation->held || reservation->key != own->key ||
               reservation->type != OWN_TYPE) {
        own_suspend(own, STO_OWN_REASON_CONFLICTED, false);
    } else {
        own->busy = own->reconnects = 0;
        own->confirmed_ns = result->sent_ns;
        own_emit(own, STO_OWN_ACTION_CONFIRMED)->at_ns = result->sent_ns;
        own_next_check(own);
    }
}
