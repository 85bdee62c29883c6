/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a committed entry does to the state. Each order is judged here again, against the state as
 * it is when the entry's turn comes: the leader that proposed it saw an earlier one, or was another
 * leader. The judgement follows from state and entry alone, so that all members come to the same
 * state. One that is refused changes nothing but the state's index.
 */
#ifndef CORE_APPLY_H
#define CORE_APPLY_H

#include <stddef.h>

#include "clusterd/core/core_entry.h"
#include "clusterd/core/core_order.h"
#include "clusterd/core/core_state.h"

/*
 * Apply the entry behind state->index. 0 with ret_result: 0, or why the order was refused (a
 * negative errno); and ret_order: what it said (its text belongs to the entry), of kind 0 if it was
 * no order. -ENOMEM: nothing changed, to be tried again. -EPROTONOSUPPORT: it is of a newer
 * release; nothing changed, and nothing behind it can be applied.
 */
int core_apply(struct core_state *state, const struct core_entry *entry,
               struct core_order *ret_order, int *ret_result);

/*
 * Replace the configuration by what `text` says, and keep what became of the objects. 0; -EINVAL:
 * not a configuration; -EBUSY: it takes away or gives other disks to a VM that may execute, or a
 * node that is not lost; -EPERM: another id for a node; -E2BIG: more than CORE_VOTERS_MAX nodes;
 * -ENOMEM. The state is unchanged on errors.
 */
int core_apply_config(struct core_state *state, const char *text, size_t size);

#endif
