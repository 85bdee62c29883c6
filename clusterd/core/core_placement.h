/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement: from the state, a node for each VM that is wanted, with the reason for each node that
 * was not chosen. A function, nothing else: it orders nothing, and asks neither clock nor chance.
 *
 * VMs that are somewhere come first, so that nothing moves for the sake of what is not running yet;
 * among them, and among the rest: greater priority, more memory, name. A VM stays where it is while
 * that node is allowed to it, unless its home (where a drain or a failure took it from) is allowed
 * again and it fails back. Else the allowed node with the greatest score; of equal ones that with
 * the most free memory, then the first by name. The score is what `prefer` gives, less what rules
 * that are not strict are worth (CORE_PLACEMENT_RULE each). Memory is not asked of who is there
 * already: it has it until it is somewhere else.
 */
#ifndef CORE_PLACEMENT_H
#define CORE_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_state.h"

enum { CORE_PLACEMENT_NOWHERE = UINT16_MAX, CORE_PLACEMENT_RULE = 1000 };

/* Why a node was not chosen, or was; in the order in which they are looked for. */
/* clang-format off */
#define CORE_VERDICTS(X) \
    X(CHOSEN, "chosen") \
    X(NOT_WANTED, "the VM is not wanted") \
    X(NODE_DOWN, "the node is not online") \
    X(NODE_MODE, "the node takes no VMs: it is in standby, drained or under maintenance") \
    X(FAILED, "the VM has failed there too often") \
    X(AVOID, "a strict rule keeps it away") \
    X(NOT_PREFERRED, "a strict rule names other nodes only") \
    X(APART, "a strict rule keeps it apart from a VM there") \
    X(TOGETHER, "a strict rule keeps it with a VM elsewhere") \
    X(MEMORY, "too little memory is free") \
    X(CPUS, "the node has fewer CPUs than the VM") \
    X(STAYS, "allowed, but the VM stays where it is, or goes home") \
    X(SCORE, "allowed, but another node has a greater score") \
    X(FREE, "allowed, but another node has more free memory") \
    X(NAME, "allowed, but another node comes first by name")
/* clang-format on */
#define CORE_VERDICT_ENUM(name, text) CORE_VERDICT_##name,
enum core_verdict { CORE_VERDICTS(CORE_VERDICT_ENUM) CORE_VERDICT_COUNT };

struct core_placement {
    size_t vms, nodes;
    uint16_t *node;    /* of each VM, by its place in the state: a node's, or NOWHERE */
    uint8_t *verdicts; /* enum core_verdict of VM v and node n: [v * nodes + n] */
};

/* Place all VMs. 0 with a placement for core_placement_free(); -E2BIG: too many nodes; -ENOMEM. */
int core_placement_make(const struct core_state *state, struct core_placement *ret_placement);
/* Give the memory back. */
void core_placement_free(struct core_placement *placement);
/* The words of a verdict, "?" for none. */
const char *core_verdict_text(uint32_t verdict);
/*
 * One line "NODE: why" for each node of VM number `vm`, into `text` (always ended; cut if it does
 * not fit). Returns the length written.
 */
size_t core_placement_explain(const struct core_state *state,
                              const struct core_placement *placement, size_t vm, char *text,
                              size_t size);

#endif
