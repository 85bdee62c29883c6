/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LUNs of one VM, owned all or none. They are sorted by WWID on every node alike; the first is
 * the lead: whoever owns it goes on to the others, one after another, so that two nodes never each
 * win a part. Pure: the owners' notices in, orders to the owners out. No gate opens before all are
 * owned. When one is lost all are held, and the one that is on its way is undone, unless only a
 * grant was used up: all go on under the next one. When one is refused those that were won are
 * given back by hand-over, lead last, which keeps them reserved against writes of earlier owners.
 */
#ifndef STO_SET_H
#define STO_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/sto_own.h"

enum { STO_SET_LUNS = 16 };

/* clang-format off */
#define STO_SET_STATES(X) \
    X(IDLE,     TO(CLAIMING)) \
    X(CLAIMING, TO(OWNED) | TO(GIVING) | TO(LOST) | TO(IDLE)) \
    X(OWNED,    TO(GIVING) | TO(LOST) | TO(IDLE)) \
    X(GIVING,   TO(IDLE) | TO(LOST)) \
    X(LOST,     TO(IDLE))
/* clang-format on */

enum sto_set_state {
#define STO_SET_STATE_ENUM(name, moves) STO_SET_##name,
    STO_SET_STATES(STO_SET_STATE_ENUM)
#undef STO_SET_STATE_ENUM
        STO_SET_STATE_COUNT
};

struct sto_set {
    unsigned count;
    unsigned order[STO_SET_LUNS]; /* lead first: index as the caller counts */
    enum sto_set_state state;
    unsigned won;  /* the first so many of `order` are owned */
    bool starting; /* order[won] was told to start */
    bool release;  /* GIVING: release instead of hand over */
    uint16_t node; /* GIVING: for this node */
    enum sto_own_reason reason;
    unsigned culprit; /* whose reason it is, as the caller counts */
};

enum sto_set_action_kind {
    STO_SET_START,     /* owner `lun`: sto_owner_start() */
    STO_SET_REVOKE,    /* owner `lun`: sto_owner_revoke(), it is on its way */
    STO_SET_HAND_OVER, /* owner `lun`: sto_owner_hand_over(node) */
    STO_SET_RELEASE,   /* owner `lun`: sto_owner_release() */
    STO_SET_OPEN,      /* every owner: sto_owner_allow(true) */
    STO_SET_HOLD,      /* every owner: sto_owner_allow(false) */
    STO_SET_TELL,      /* the caller: `state` is reached, `reason` and `lun` say why */
};

struct sto_set_action {
    enum sto_set_action_kind kind;
    unsigned lun;
    uint16_t node;
    enum sto_set_state state;
    enum sto_own_reason reason;
};

enum { STO_SET_ACTIONS = 4 };

struct sto_set_actions {
    unsigned count;
    struct sto_set_action items[STO_SET_ACTIONS];
};

/*
 * A set in state IDLE of `count` LUNs (1 to STO_SET_LUNS) with these WWIDs (not kept). -EINVAL for
 * a wrong count, -EEXIST if two WWIDs are the same: the same LUN twice.
 */
int sto_set_init(struct sto_set *set, const char *const *wwids, unsigned count);
/* Claim all. -EALREADY unless IDLE. */
int sto_set_start(struct sto_set *set, struct sto_set_actions *actions);
/* What the owner of LUN `lun` said. */
void sto_set_notice(struct sto_set *set, unsigned lun, enum sto_own_notice notice,
                    enum sto_own_reason reason, struct sto_set_actions *actions);
/* Give all up, by hand-over for `node` (0 = any) or by release; the lead last. Ignored unless
 * OWNED. */
void sto_set_give(struct sto_set *set, bool release, uint16_t node,
                  struct sto_set_actions *actions);

#endif
