/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the cluster keeps its promise (`cluster ... losses=K`): would every VM that is wanted
 * still have a node if any K of the nodes that are online died? Asked before a change that could
 * break it.
 */
#ifndef CORE_CAPACITY_H
#define CORE_CAPACITY_H

#include <stdint.h>

#include "clusterd/core/core_state.h"
#include "common/hw_error.h"

/* Most work of one question: combinations of nodes, times VMs, times nodes. One loss of 64 nodes
 * with 8000 VMs is 33 million: some seconds, so never asked within a step of the core. */
enum { CORE_CAPACITY_WORK = 40000000 };

/*
 * Try each combination of `losses` nodes (0: as it is now). What VMs failed where is not looked at.
 * 0: every VM has a node in each. -ENOSPC: one has none, with a message of kind HW_ERROR_REFUSED
 * that names the first such VM and the nodes of that case; -E2BIG, likewise, where that is more
 * than CORE_CAPACITY_WORK (known beforehand, nothing is tried then), or for too many nodes;
 * -ENOMEM.
 */
int core_capacity_check(const struct core_state *state, uint32_t losses, struct hw_error *error);

#endif
