/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guests of the ownership world: one request a block at a time, stamped with the grant and a
 * number that only grows.
 */
#include "config.h"

#include "own_world.h"

#include <string.h>

static void issue_one(struct world *world, struct world_node *node, struct world_block *slot)
{
    slot->writes = !hw_prng_chance(&world->prng, 1, 4);
    memset(&slot->request, 0, sizeof(slot->request));
    if (slot->writes) {
        slot->tenure = node->grant;
        slot->number = ++world->numbers;
        world_stamp(slot->data, slot->tenure, slot->number);
        world->stats.writes++;
    } else { /* remember what was acknowledged before the read was asked for */
        slot->tenure = world->acked[slot->block].tenure;
        slot->number = world->acked[slot->block].number;
        world->stats.reads++;
    }
    slot->iov = (struct iovec) { .iov_base = slot->data, .iov_len = sizeof(slot->data) };
    slot->request.op.kind = slot->writes ? STO_OP_WRITE : STO_OP_READ;
    slot->request.op.offset_bytes =
        ((uint64_t)WORLD_META_BLOCKS + slot->block) * STO_MODEL_BLOCK_BYTES;
    slot->request.op.iov = &slot->iov;
    slot->request.op.iov_count = 1;
    slot->request.op.timeout_ms = 3000;
    slot->request.done = world_request_done;
    slot->request.context = slot;
    slot->out = true;
    slot->abandoned = false;
    if (sto_owner_submit(node->owner, &slot->request) < 0)
        slot->out = false;
}

void world_issue(struct world *world, struct world_node *node)
{
    for (unsigned i = 0; i < WORLD_DATA_BLOCKS && node->owner != NULL && !world->quiet; i++) {
        struct world_block *slot = &node->blocks[i];

        if (!slot->out && hw_prng_chance(&world->prng, 1, 2)) {
            issue_one(world, node, slot);
        } else if (slot->out && !slot->abandoned && hw_prng_chance(&world->prng, 1, 20)) {
            slot->abandoned = true;
            sto_owner_abandon(node->owner, &slot->request);
        }
    }
}
