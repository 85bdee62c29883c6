/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ownership machine: its state, its legal moves, and where each event goes. What to do is
 * decided in sto_own_decide.c and done in sto_own_claim.c, _hold.c and _leave.c.
 */
#include "config.h"

#include "storage/sto_own_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TO(name) (1u << STO_OWN_##name)
static const unsigned legal_moves[STO_OWN_STATE_COUNT] = {
#define MOVES(name, moves) [STO_OWN_##name] = (moves),
    STO_OWN_STATES(MOVES)
#undef MOVES
};

const char *sto_own_state_name(enum sto_own_state state)
{
    static const char *const names[STO_OWN_STATE_COUNT] = {
        [STO_OWN_LEFT] = "left",           [STO_OWN_CONNECTING] = "connecting",
        [STO_OWN_SETTLING] = "settling",   [STO_OWN_LOOKING] = "looking",
        [STO_OWN_CHANGING] = "changing",   [STO_OWN_BARRIER] = "barrier",
        [STO_OWN_RECORDING] = "recording", [STO_OWN_OWNED] = "owned",
        [STO_OWN_DRAINING] = "draining",   [STO_OWN_HANDING] = "handing",
        [STO_OWN_HANDED] = "handed",       [STO_OWN_RELEASING] = "releasing",
        [STO_OWN_UNDOING] = "undoing",     [STO_OWN_LOST] = "lost",
    };

    return state < STO_OWN_STATE_COUNT ? names[state] : "?";
}

struct sto_own *sto_own_new(const struct sto_own_config *config)
{
    struct sto_own *own = calloc(1, sizeof(*own));

    if (own == NULL)
        return NULL;
    own->config = *config;
    if (own->config.check_ms == 0)
        own->config.check_ms = 500;
    if (own->config.barrier_ms == 0)
        own->config.barrier_ms = 15000;
    if (own->config.command_ms == 0)
        own->config.command_ms = 5000;
    if (own->config.fresh_ms == 0)
        own->config.fresh_ms = 1500;
    own->cluster_hash = sto_key_cluster_hash(config->cluster_uuid);
    own->prng = hw_prng_seeded(config->seed);
    own->state = STO_OWN_LEFT;
    return own;
}

void sto_own_free(struct sto_own *own)
{
    free(own);
}

/* OWNED is where the gate may be open: our key was seen as holder's, behind a barrier. */
static void check_invariant(const struct sto_own *own)
{
    if (own->state == STO_OWN_OWNED || own->state == STO_OWN_DRAINING) {
        assert(own->key != 0 && own->key_used);
        assert(own->barrier_done || !OWN_USE_BARRIER);
        assert(!own->config.use_record || own->record_known || !OWN_USE_VERIFY);
    }
}

void own_move(struct sto_own *own, enum sto_own_state to)
{
    assert(legal_moves[own->state] & 1u << to);
    own->state = to;
    check_invariant(own);
}

struct sto_own_action *own_emit(struct sto_own *own, enum sto_own_action_kind kind)
{
    struct sto_own_action *action;

    assert(own->actions->count < STO_OWN_ACTIONS);
    action = &own->actions->items[own->actions->count++];
    memset(action, 0, sizeof(*action));
    action->kind = kind;
    return action;
}

void own_notice(struct sto_own *own, enum sto_own_notice notice, enum sto_own_reason reason,
                uint64_t key, uint32_t generation)
{
    struct sto_own_action *action = own_emit(own, STO_OWN_ACTION_NOTICE);

    action->notice = notice;
    action->reason = reason;
    action->key = key;
    action->generation = generation;
}

void own_timer(struct sto_own *own, int64_t at_ns)
{
    own_emit(own, STO_OWN_ACTION_TIMER)->at_ns = at_ns;
}

void own_send(struct sto_own *own)
{
    own->command.id = ++own->next_id;
    if (own->command.timeout_ms == 0)
        own->command.timeout_ms = own->config.command_ms;
    own->command_out = true;
    own->command_waits = false;
    own_emit(own, STO_OWN_ACTION_COMMAND)->command = own->command;
}

void own_send_simple(struct sto_own *own, enum sto_own_command_kind kind, enum sto_session session)
{
    memset(&own->command, 0, sizeof(own->command));
    own->command.kind = kind;
    own->command.session = session;
    own_send(own);
}

void own_send_later(struct sto_own *own, unsigned attempt)
{
    int64_t wait_ms = OWN_BACKOFF_FIRST_MS;

    while (attempt-- > 1 && wait_ms < OWN_BACKOFF_LAST_MS)
        wait_ms *= 2;
    if (wait_ms > OWN_BACKOFF_LAST_MS)
        wait_ms = OWN_BACKOFF_LAST_MS;
    wait_ms += (int64_t)hw_prng_below(&own->prng, (uint64_t)wait_ms / 5 + 1);
    own->command_out = false;
    own->command_waits = true;
    own_timer(own, own->now_ns + wait_ms * 1000000);
}

void own_send_busy(struct sto_own *own)
{
    if (++own->busy % OWN_BUSY_MAX == 0)
        own_notice(own, STO_OWN_NOTICE_HELD_UP, STO_OWN_REASON_BUSY, 0, own->generation);
    own_send_later(own, own->busy);
}

uint32_t own_block_last(const struct sto_own *own)
{
    uint32_t last = own->grant.generation + STO_GENERATION_BLOCK - 1;

    return last < STO_GENERATION_MAX ? last : STO_GENERATION_MAX;
}

void own_set_generation(struct sto_own *own, uint32_t generation)
{
    own->generation = generation;
    own->key = sto_key_make(&(struct sto_key_parts) {
        .cluster_hash = own->cluster_hash, .node = own->config.node, .generation = generation });
    own->key_used = own->may_hold = own->record_written = false;
    own->conflicts = 0;
    own->barrier_done = false;
    own->register_try = 0;
    own->register_refused = 0;
}

static bool leaving(enum sto_own_state state)
{
    return state == STO_OWN_DRAINING || state == STO_OWN_HANDING || state == STO_OWN_RELEASING;
}

/* An ownership that a new grant goes on with: it is held, on its way back after a disturbance, or
 * ended for want of generations only. */
static bool is_unbroken(const struct sto_own *own)
{
    if (own->state == STO_OWN_LOST)
        return own->end_reason == STO_OWN_REASON_GENERATIONS_USED;
    return own->reclaim && own->granted && own->wish == OWN_WISH_HOLD &&
           own->state != STO_OWN_LEFT && own->state != STO_OWN_HANDED;
}

static int start(struct sto_own *own, const struct sto_own_grant *grant)
{
    bool unbroken = is_unbroken(own);

    if (own->state != STO_OWN_LEFT && own->state != STO_OWN_HANDED && !unbroken)
        return -EALREADY;
    if (grant->generation == 0 || grant->generation > STO_GENERATION_MAX ||
        (own->generation != 0 && grant->generation <= own->generation))
        return -ERANGE;
    if (own->generation != 0)
        own_emit(own, unbroken ? STO_OWN_ACTION_GATE_HOLD : STO_OWN_ACTION_GATE_RESET);
    own->command_out = own->command_waits = false;
    own->grant = *grant;
    own->granted = true;
    /* what is unanswered may only go on if nobody owned it meanwhile */
    own->reclaim = unbroken && OWN_USE_RECLAIM;
    own->wish = OWN_WISH_HOLD;
    own->released = false;
    own->changes = own->logins = own->barriers = 0;
    own->record_checked = false;
    own->registered_ns = own->verified_ns = 0;
    own_emit(own, STO_OWN_ACTION_DROP); /* whatever sessions there are: not of this incarnation */
    own_set_generation(own, grant->generation);
    if (!unbroken) {
        own->tenure_first = grant->generation;
        own->wwid[0] = '\0';
    }
    own_connect(own, false);
    return 0;
}

static void revoke(struct sto_own *own)
{
    own->granted = false;
    if (own->state == STO_OWN_OWNED || own->state == STO_OWN_DRAINING ||
        own->state == STO_OWN_HANDING || own->state == STO_OWN_RELEASING)
        own_lose(own, STO_OWN_REASON_REVOKED, 0, own->generation);
}

static void stop(struct sto_own *own)
{
    own->command_out = own->command_waits = false;
    own_emit(own, STO_OWN_ACTION_GATE_HOLD);
    own_emit(own, STO_OWN_ACTION_DROP);
    if (own->state != STO_OWN_LEFT)
        own_left(own, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_STOPPED, 0, own->generation);
}

static void result(struct sto_own *own, const struct sto_own_result *answer)
{
    if (!own->command_out || answer->id != own->command.id)
        return; /* of a command that was given up with its session */
    own->command_out = false;
    if (!own->granted && own->state != STO_OWN_UNDOING && !leaving(own->state) &&
        own->state != STO_OWN_OWNED)
        own_give_up(own, STO_OWN_REASON_REVOKED, 0, own->generation);
    else if (own->state == STO_OWN_OWNED || own->state == STO_OWN_DRAINING)
        own_hold_result(own, answer);
    else if (leaving(own->state) || own->state == STO_OWN_UNDOING)
        own_leave_result(own, answer);
    else
        own_claim_result(own, answer);
}

static void timer(struct sto_own *own)
{
    if (own->command_waits) {
        own->command_waits = false;
        if (!own->granted && own->state != STO_OWN_UNDOING)
            own_give_up(own, STO_OWN_REASON_REVOKED, 0, own->generation);
        else
            own_send(own);
    } else if ((own->state == STO_OWN_OWNED || own->state == STO_OWN_DRAINING) &&
               !own->command_out) {
        own_hold_timer(own);
    }
}

/* What went wrong outside of our own commands. While a claim is under way the gate holds already
 * and the claim's own commands find out. */
static void disturbed(struct sto_own *own, const struct sto_own_event *event)
{
    bool holding = own->state == STO_OWN_OWNED || leaving(own->state);

    if (event->kind == STO_OWN_EVENT_SESSION_DOWN && event->session == STO_SESSION_CONTROL)
        return; /* needed for the next barrier only, which brings it up again */
    if (holding && event->kind == STO_OWN_EVENT_DATA_CONFLICT)
        own_suspend(own, STO_OWN_REASON_CONFLICTED, false);
    else if (holding && event->kind == STO_OWN_EVENT_DATA_ATTENTION &&
             sto_sense_reservations_changed(event->asc_ascq))
        own_suspend(own, STO_OWN_REASON_CONFLICTED, false);
    else if (holding)
        own_suspend(own, STO_OWN_REASON_UNREACHABLE, true);
    else if (event->kind == STO_OWN_EVENT_SESSION_DOWN && own->command_waits &&
             own->state != STO_OWN_CONNECTING && own->state != STO_OWN_UNDOING)
        own_reincarnate(own); /* nothing is out that would end and tell */
}

int sto_own_step(struct sto_own *own, const struct sto_own_event *event,
                 struct sto_own_actions *actions)
{
    actions->count = 0;
    own->actions = actions;
    own->now_ns = event->now_ns;
    switch (event->kind) {
    case STO_OWN_EVENT_START:
        return start(own, &event->grant);
    case STO_OWN_EVENT_REVOKE:
        revoke(own);
        break;
    case STO_OWN_EVENT_RESULT:
        result(own, &event->result);
        break;
    case STO_OWN_EVENT_TIMER:
        timer(own);
        break;
    case STO_OWN_EVENT_SESSION_DOWN:
    case STO_OWN_EVENT_DATA_CONFLICT:
    case STO_OWN_EVENT_DATA_ATTENTION:
    case STO_OWN_EVENT_DATA_UNKNOWN:
        disturbed(own, event);
        break;
    case STO_OWN_EVENT_DRAINED:
        if (own->state == STO_OWN_DRAINING)
            own_drained(own);
        break;
    case STO_OWN_EVENT_HAND_OVER:
    case STO_OWN_EVENT_RELEASE:
        if (own->state == STO_OWN_LEFT || own->state == STO_OWN_LOST)
            own_notice(own, STO_OWN_NOTICE_LEFT, STO_OWN_REASON_STOPPED, 0, own->generation);
        if (own->state == STO_OWN_LEFT || own->state == STO_OWN_LOST || leaving(own->state) ||
            own->state == STO_OWN_HANDED)
            break; /* nothing to give, or one way out at a time */
        own->wish = event->kind == STO_OWN_EVENT_RELEASE ? OWN_WISH_RELEASE : OWN_WISH_HAND_OVER;
        own->handover_node = event->kind == STO_OWN_EVENT_RELEASE ? 0 : event->node;
        if (own->state == STO_OWN_OWNED)
            own_start_drain(own);
        break;
    case STO_OWN_EVENT_STOP:
        stop(own);
        break;
    }
    return 0;
}

enum sto_own_state sto_own_state(const struct sto_own *own)
{
    return own->state;
}

uint64_t sto_own_key(const struct sto_own *own)
{
    return own->key;
}

uint32_t sto_own_generation(const struct sto_own *own)
{
    return own->generation;
}

const struct sto_record *sto_own_record(const struct sto_own *own)
{
    return own->record_known ? &own->record : NULL;
}

int64_t sto_own_registered_ns(const struct sto_own *own)
{
    return own->registered_ns;
}

int64_t sto_own_verified_ns(const struct sto_own *own)
{
    return own->verified_ns;
}
