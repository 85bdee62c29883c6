/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What third parties do to the target of the ownership world.
 */
#include "config.h"

#include "own_world.h"

#include <string.h>

struct world_node *world_any_node(struct world *world)
{
    return &world->nodes[hw_prng_below(&world->prng, WORLD_NODES)];
}

void world_attention(struct world *world)
{
    static const uint16_t codes[] = { 0x2900, 0x2903, 0x2907, 0x2a01, 0x2a03,
                                      0x2a04, 0x2a05, 0x2f00, 0x3f0e, 0x2809 };
    struct world_node *node = world_any_node(world);
    unsigned count = 1 + (unsigned)hw_prng_below(&world->prng, 10);

    for (unsigned i = 0; i < count && node->lun != NULL; i++) {
        int nexus = sto_model_lun_nexus(
            node->lun, hw_prng_chance(&world->prng, 1, 4) ? STO_SESSION_CONTROL : STO_SESSION_DATA);

        sto_model_attention(world->model, nexus,
                            codes[hw_prng_below(&world->prng, sizeof(codes) / sizeof(codes[0]))]);
    }
}

static void reset_done(struct sto_model_command *command, const struct sto_model_reply *reply)
{
    (void)command;
    (void)reply;
}

void world_reset(struct world *world)
{
    struct sto_model_command *command = &world->resets[world->reset_count++ % WORLD_RESETS];

    memset(command, 0, sizeof(*command));
    command->nexus = sto_model_login(world->model, 900 + world->reset_count % 8);
    command->reset = true;
    command->done = reset_done;
    if (command->nexus >= 0)
        (void)sto_model_submit(world->model, world->now_ns, command);
}

void world_rogue(struct world *world)
{
    uint8_t parameters[STO_PR_OUT_PARAMETER_BYTES], data[STO_MODEL_BLOCK_BYTES] = { 0 };
    struct sto_model_command *command = &world->rogue;
    uint64_t key;
    int nexus;

    memset(command, 0, sizeof(*command));
    if (world->opened <= 1 || !sto_model_holder(world->model, &key, &nexus))
        return;
    command->nexus = sto_model_login(world->model, 800);
    command->done = reset_done;
    if (command->nexus < 0)
        return;
    (void)sto_model_submit(world->model, world->now_ns, command); /* takes the unit attention */
    sto_model_advance(world->model, world->now_ns);
    (void)sto_pr_out_encode(
        &(struct sto_pr_out_request) { .action = STO_PR_REGISTER,
                                       .service_key = (key & ~0xffffffull) | 1 },
        command->cdb, parameters);
    command->data = parameters;
    command->data_bytes = sizeof(parameters);
    (void)sto_model_submit(world->model, world->now_ns, command);
    sto_model_advance(world->model, world->now_ns);
    memset(command->cdb, 0, sizeof(command->cdb));
    command->cdb[0] = 0x2a; /* WRITE(10), one block, stamped with grant 0 */
    command->cdb[5] = WORLD_META_BLOCKS;
    command->cdb[8] = 1;
    command->data = data;
    command->data_bytes = sizeof(data);
    (void)sto_model_submit(world->model, world->now_ns, command);
    sto_model_advance(world->model, world->now_ns);
}
