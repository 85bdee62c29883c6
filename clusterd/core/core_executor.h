/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may execute a VM (timing.md, Executors and generations; Proofs of stop). Each VM has the set
 * of (node, generation) that may still execute. A committed grant adds to it, only a committed
 * proof takes out, and a start needs the set to be the starter alone. These functions apply entries
 * that are committed, and judge what may be proposed; they decide nothing by themselves.
 *
 * Indices are those of log entries: what came before what is told by them, never by a clock.
 */
#ifndef CORE_EXECUTOR_H
#define CORE_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_state.h"
#include "clusterd/core/core_timing.h"
#include "clusterd/core/core_votes.h"

/*
 * The first generation of the block that the next grant of this VM takes: above what was granted
 * and what was seen on its LUNs. 0, -ERANGE: the numbers are used up (they never wrap), -ENOENT: a
 * LUN of the VM is not in the state.
 */
int core_generation_next(const struct core_state *state, const struct core_vm *vm,
                         uint32_t *ret_first);
/*
 * A generation was seen on a LUN (key or record): greater than what was granted after a power loss
 * with lost stores, or a restored backup. The greatest is kept. 0; -ENOENT: no such LUN; -ERANGE.
 */
int core_generation_seen(struct core_state *state, const char *lun, uint32_t generation);

/*
 * Entry `index` grants block `first` to a node: it may execute from now on. 0; -EINVAL: `first` is
 * not what core_generation_next() gives; -ENOENT: no such node; -EPERM: the node is being fenced;
 * -ENOSPC; -ENOMEM. Unchanged on errors.
 */
int core_executor_grant(struct core_state *state, struct core_vm *vm, uint32_t node_id,
                        uint32_t first, uint64_t index);
/*
 * Entry `index` revokes: all of the VM's executors but `keep_generation` (0: all). Those who were
 * revoked before stay as they are: what was read after the first REVOKE counts. Returns how many
 * are new.
 */
size_t core_executor_revoke(struct core_vm *vm, uint32_t keep_generation, uint64_t index);
/*
 * Longer T_deadman or T_store came into force: executors that could be fed under it count with it.
 * A shorter one changes nothing until they are granted anew.
 */
void core_executor_lengthen(struct core_vm *vm, uint32_t node_id, uint32_t deadman_ms,
                            uint32_t store_ms);

/*
 * A proof of this kind, for executor (node, generation), as an entry would commit it. 0: it
 * proves; -ENOENT: no such executor; -EPERM: not the lease that this executor is armed with, or not
 * a proof for it (a lease's before its REVOKE; a fence agent's for a grant after the order);
 * -EINVAL: no proof.
 */
int core_executor_check(const struct core_state *state, const struct core_vm *vm, uint32_t node_id,
                        uint32_t generation, enum core_proof proof);
/* Check and take out. Errors as core_executor_check(). */
int core_executor_prove(const struct core_state *state, struct core_vm *vm, uint32_t node_id,
                        uint32_t generation, enum core_proof proof);
/*
 * One proof for all executors of this VM on a node: takes out those that it proves (as
 * core_executor_check()) and that were granted, and for a lease also revoked, by entry `until` or
 * before: what came after is not what was judged. Returns how many.
 */
size_t core_executor_prove_node(const struct core_state *state, struct core_vm *vm,
                                uint32_t node_id, enum core_proof proof, uint64_t until);
/* True if (node, generation of the block granted last) alone may execute, and is not revoked. */
bool core_executor_may_start(const struct core_vm *vm, uint32_t node_id, uint32_t generation);

/* A member's answer: how old the newest beat is that it processed from the node. */
struct core_age {
    uint32_t from;
    uint64_t age_ms;    /* when it was read; never more than the member's own uptime */
    uint64_t delivered; /* index of the last entry that was delivered there then */
    uint64_t since_ms;  /* since the answer came, on the asker's clock */
};

/*
 * Proof (c): when it is due. `ages` of the members that have answered about the executor's node;
 * those that were read before the REVOKE was delivered do not count, nor does the node's own. 0
 * with ret_wait_ms (0: due now); -EAGAIN: members with a majority of the map have not answered.
 */
int core_executor_member_due(const struct core_timing *timing, const struct core_vote_map *map,
                             const struct core_executor *executor, const struct core_age *ages,
                             size_t count, uint64_t *ret_wait_ms);

#endif
