/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All LUNs of a VM or none: see the head of sto_set.h. It sends nothing itself and keeps no time:
 * what an owner does about its own LUN (retries, reconnects) is that owner's business.
 */
#include "config.h"

#include "storage/sto_set.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define TO(name) (1u << STO_SET_##name)
static const unsigned legal_moves[STO_SET_STATE_COUNT] = {
#define MOVES(name, moves) [STO_SET_##name] = (moves),
    STO_SET_STATES(MOVES)
#undef MOVES
};

static void move(struct sto_set *set, enum sto_set_state to)
{
    assert(legal_moves[set->state] & 1u << to);
    set->state = to;
    assert(to != STO_SET_OWNED || set->won == set->count);
}

static struct sto_set_action *emit(struct sto_set_actions *actions, enum sto_set_action_kind kind,
                                   unsigned lun)
{
    struct sto_set_action *action;

    assert(actions->count < STO_SET_ACTIONS);
    action = &actions->items[actions->count++];
    memset(action, 0, sizeof(*action));
    action->kind = kind;
    action->lun = lun;
    return action;
}

static void tell(const struct sto_set *set, struct sto_set_actions *actions)
{
    struct sto_set_action *action = emit(actions, STO_SET_TELL, set->culprit);

    action->state = set->state;
    action->reason = set->reason;
}

int sto_set_init(struct sto_set *set, const char *const *wwids, unsigned count)
{
    if (count == 0 || count > STO_SET_LUNS)
        return -EINVAL;
    memset(set, 0, sizeof(*set));
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;

        for (; at > 0; at--) {
            int order = strcmp(wwids[set->order[at - 1]], wwids[i]);

            if (order == 0)
                return -EEXIST;
            if (order < 0)
                break;
            set->order[at] = set->order[at - 1];
        }
        set->order[at] = i;
    }
    set->count = count;
    return 0;
}

static void start_next(struct sto_set *set, struct sto_set_actions *actions)
{
    set->starting = true;
    (void)emit(actions, STO_SET_START, set->order[set->won]);
}

int sto_set_start(struct sto_set *set, struct sto_set_actions *actions)
{
    actions->count = 0;
    if (set->state != STO_SET_IDLE)
        return -EALREADY;
    move(set, STO_SET_CLAIMING);
    set->won = 0;
    set->reason = STO_OWN_REASON_NONE;
    (void)emit(actions, STO_SET_HOLD, 0);
    start_next(set, actions);
    return 0;
}

/* The last one that was won goes first, the lead last: nobody else starts before all are given. */
static void give_next(struct sto_set *set, struct sto_set_actions *actions)
{
    if (set->won == 0) {
        move(set, STO_SET_IDLE);
        tell(set, actions);
        return;
    }
    emit(actions, set->release ? STO_SET_RELEASE : STO_SET_HAND_OVER, set->order[set->won - 1])
        ->node = set->node;
}

static void give(struct sto_set *set, bool release, uint16_t node, struct sto_set_actions *actions)
{
    set->release = release;
    set->node = node;
    set->starting = false;
    move(set, STO_SET_GIVING);
    give_next(set, actions);
}

static void lose(struct sto_set *set, struct sto_set_actions *actions)
{
    move(set, STO_SET_LOST);
    (void)emit(actions, STO_SET_HOLD, 0);
    if (set->starting && set->reason != STO_OWN_REASON_GENERATIONS_USED)
        (void)emit(actions, STO_SET_REVOKE, set->order[set->won]); /* it would keep others out */
    set->starting = false;
    tell(set, actions);
}

static void owned(struct sto_set *set, unsigned lun, struct sto_set_actions *actions)
{
    if (set->state != STO_SET_CLAIMING || !set->starting || set->order[set->won] != lun)
        return; /* back after a reconnect of its own */
    set->starting = false;
    set->won++;
    if (set->won < set->count) {
        start_next(set, actions);
        return;
    }
    move(set, STO_SET_OWNED);
    (void)emit(actions, STO_SET_OPEN, 0);
    tell(set, actions);
}

static void gone(struct sto_set *set, unsigned lun, enum sto_own_reason reason,
                 struct sto_set_actions *actions)
{
    if (set->state == STO_SET_GIVING && set->won > 0 && set->order[set->won - 1] == lun) {
        set->won--;
        give_next(set, actions);
        return;
    }
    if (set->state != STO_SET_CLAIMING && set->state != STO_SET_OWNED)
        return; /* the first reason counts */
    set->reason = reason;
    set->culprit = lun;
    if (set->starting && set->order[set->won] == lun)
        give(set, false, 0, actions);
    else
        lose(set, actions);
}

void sto_set_notice(struct sto_set *set, unsigned lun, enum sto_own_notice notice,
                    enum sto_own_reason reason, struct sto_set_actions *actions)
{
    actions->count = 0;
    switch (notice) {
    case STO_OWN_NOTICE_OWNED:
        owned(set, lun, actions);
        break;
    case STO_OWN_NOTICE_REFUSED:
    case STO_OWN_NOTICE_LOST:
    case STO_OWN_NOTICE_HANDED:
    case STO_OWN_NOTICE_LEFT:
        gone(set, lun, reason, actions);
        break;
    case STO_OWN_NOTICE_HELD_UP:
    case STO_OWN_NOTICE_SUSPENDED:
        break; /* that owner's own business */
    }
}

void sto_set_give(struct sto_set *set, bool release, uint16_t node, struct sto_set_actions *actions)
{
    actions->count = 0;
    if (set->state != STO_SET_OWNED)
        return;
    set->reason = STO_OWN_REASON_NONE;
    give(set, release, node, actions);
}
