/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first part of the way to ownership: both sessions up, the LUN identified as the right one,
 * unit attentions taken. Every new pair of sessions is a new incarnation with a generation of its
 * own, since the same key proves nothing about which of our nexuses holds it.
 */
#include "config.h"

#include "storage/sto_own_priv.h"

#include <string.h>

void own_connect(struct sto_own *own, bool only_control)
{
    own_move(own, STO_OWN_CONNECTING);
    own->only_control = only_control;
    own->attentions = own->busy = 0;
    own_send_simple(own, STO_OWN_LOGIN, only_control ? STO_SESSION_CONTROL : STO_SESSION_DATA);
}

void own_reincarnate(struct sto_own *own)
{
    own->command_out = own->command_waits = false;
    own_emit(own, STO_OWN_ACTION_DROP);
    if (own->key_used && OWN_USE_ROTATE) {
        if (own->generation >= own_block_last(own)) {
            if (own->reclaim)
                own_lose(own, STO_OWN_REASON_GENERATIONS_USED, own->key, own->generation);
            else
                own_left(own, STO_OWN_NOTICE_REFUSED, STO_OWN_REASON_GENERATIONS_USED, own->key,
                         own->generation);
            return;
        }
        own_set_generation(own, own->generation + 1);
    }
    own->barrier_done = false;
    own->record_checked = false;
    if (own->reconnects++ == 0) {
        own_connect(own, false);
        return;
    }
    own_move(own, STO_OWN_CONNECTING); /* a target that drops every session is not hammered */
    own->only_control = false;
    own->attentions = own->busy = 0;
    memset(&own->command, 0, sizeof(own->command));
    own->command.kind = STO_OWN_LOGIN;
    own->command.session = STO_SESSION_DATA;
    own_send_later(own, own->reconnects - 1);
}

void own_settle(struct sto_own *own, enum sto_session session)
{
    if (own->state != STO_OWN_SETTLING)
        own_move(own, STO_OWN_SETTLING);
    own_send_simple(own, STO_OWN_TEST_UNIT, session);
}

static void login_failed(struct sto_own *own, const struct sto_own_result *result)
{
    bool refused = result->rc == STO_LOGIN_REFUSED;
    enum sto_own_reason reason =
        refused ? STO_OWN_REASON_LOGIN_REFUSED : STO_OWN_REASON_UNREACHABLE;

    own->logins++;
    if (own->only_control && own->config.barrier_attempts != 0 &&
        ++own->barriers >= own->config.barrier_attempts) {
        own_give_up(own, STO_OWN_REASON_NOT_PROVEN, 0, own->generation);
        return;
    }
    if (!own->reclaim && !own->only_control &&
        (refused ||
         (own->config.login_attempts != 0 && own->logins >= own->config.login_attempts))) {
        own_give_up(own, reason, 0, own->generation);
        return;
    }
    own_notice(own, STO_OWN_NOTICE_HELD_UP, reason, 0, own->generation);
    if (!own->only_control) { /* both sessions anew, from the first */
        own_emit(own, STO_OWN_ACTION_DROP);
        memset(&own->command, 0, sizeof(own->command));
        own->command.kind = STO_OWN_LOGIN;
        own->command.session = STO_SESSION_DATA;
    }
    own_send_later(own, own->logins);
}

static void identified(struct sto_own *own, const struct sto_own_result *result)
{
    const char *wwid = result->wwid == NULL ? "" : result->wwid;

    if (!result->reservations) {
        own_give_up(own, STO_OWN_REASON_NO_RESERVATIONS, 0, 0);
    } else if (result->read_only) {
        own_give_up(own, STO_OWN_REASON_READ_ONLY, 0, 0);
    } else if (own->wwid[0] != '\0' && strncmp(own->wwid, wwid, sizeof(own->wwid) - 1) != 0) {
        own_give_up(own, STO_OWN_REASON_COPY, 0, 0); /* another LUN answers at this address */
    } else {
        memset(own->wwid, 0, sizeof(own->wwid));
        memcpy(own->wwid, wwid, strnlen(wwid, sizeof(own->wwid) - 1));
        own->aptpl = result->aptpl;
        own_settle(own, STO_SESSION_DATA);
    }
}

void own_connecting_result(struct sto_own *own, const struct sto_own_result *result)
{
    if (result->rc != STO_OK) {
        login_failed(own, result);
    } else if (own->command.kind == STO_OWN_IDENTIFY) {
        own->logins = 0;
        identified(own, result);
    } else if (own->command.session == STO_SESSION_DATA) {
        own_send_simple(own, STO_OWN_LOGIN, STO_SESSION_CONTROL);
    } else if (own->only_control) {
        own_settle(own, STO_SESSION_DATA);
    } else {
        own_send_simple(own, STO_OWN_IDENTIFY, STO_SESSION_DATA);
    }
}
