/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders as functions, for core_apply.c and core_apply_vm.c. Each returns 0, -ENOMEM, or why it is
 * refused; the state is unchanged then.
 */
#ifndef CORE_APPLY_PRIV_H
#define CORE_APPLY_PRIV_H

#include "clusterd/core/core_apply.h"

/* Nobody who may go on has it: where it stands follows from what is wanted, and what is left. */
void core_apply_settle(struct core_vm *vm);
/* What a node has of this VM is revoked by entry `index`. Returns how much. */
size_t core_apply_revoke_on(struct core_vm *vm, uint32_t node, uint64_t index);
/* A node from which entry `index` took something has to know of it before its beats count again. */
void core_apply_note_revoked(struct core_state *state, uint64_t index);

int core_apply_want(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_grant(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_revoke(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_stopped(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_running(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_prove(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_seen(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_clear(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_forgive(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_move(struct core_state *state, uint64_t index, const struct core_order *order);
int core_apply_stays(struct core_state *state, uint64_t index, const struct core_order *order);

#endif
