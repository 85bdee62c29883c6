/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ownership world: clock and nodes. What guests ask for is in own_guest.c, what may happen
 * to a write is judged in own_oracle.c.
 */
#include "config.h"

#include "own_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t cluster_uuid[16] = { 0x5a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

void world_say(const struct world *world, const char *format, ...)
{
    va_list arguments;

    if (!world->trace)
        return;
    (void)printf("# %10.3f ", (double)world->now_ns / 1e6);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
}

void world_break(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (world->broken)
        return;
    world->broken = true;
    va_start(arguments, format);
    (void)vsnprintf(world->why, sizeof(world->why), format, arguments);
    va_end(arguments);
    world_say(world, "BROKEN: %s", world->why);
}

static int64_t world_now(void *context)
{
    return ((const struct world *)context)->now_ns;
}

/* --- nodes --- */

/* A gate opens under this generation: whatever another process was asked for before is too late
 * from now on. Processes of one grant have generations of their own, too. */
static void note_turn(struct world *world, const struct world_node *node, uint32_t generation)
{
    if (generation <= world->opened_generation)
        return; /* it stood still behind its last look */
    if (world->opener != node->process)
        world->turn = world->numbers;
    world->opener = node->process;
    world->opened_generation = generation;
}

static void noticed(void *context, const struct sto_owner_notice *notice)
{
    struct world_node *node = context;
    struct world *world = node->world;
    struct world_stats *stats = &world->stats;

    world_say(world, "n%u notice %d %s key %llx generation %u", node->id, (int)notice->notice,
              sto_own_reason_name(notice->reason), (unsigned long long)notice->key,
              notice->generation);
    world_judge_reason(world, node, notice->reason);
    switch (notice->notice) {
    case STO_OWN_NOTICE_OWNED:
        stats->owned++;
        node->open = true;
        note_turn(world, node, notice->generation);
        if (node->grant <= world->opened)
            break; /* it stood still behind its last look: the target refuses what it writes */
        world->given_up = false;
        world->opened = node->grant;
        break;
    case STO_OWN_NOTICE_REFUSED:
        stats->refused++;
        node->open = false;
        break;
    case STO_OWN_NOTICE_LOST:
        stats->lost++;
        node->open = false;
        break;
    case STO_OWN_NOTICE_HANDED:
        stats->handed++;
        node->open = false;
        break;
    case STO_OWN_NOTICE_LEFT:
        stats->released += notice->reason == STO_OWN_REASON_RELEASED;
        node->open = false;
        break;
    case STO_OWN_NOTICE_HELD_UP:
        stats->not_proven += notice->reason == STO_OWN_REASON_NOT_PROVEN;
        stats->busy += notice->reason == STO_OWN_REASON_BUSY;
        break;
    case STO_OWN_NOTICE_SUSPENDED:
        stats->suspended++;
        break;
    }
}

uint32_t world_grant(struct world *world)
{
    uint32_t generation = world->next_generation;

    world->next_generation += STO_GENERATION_BLOCK;
    return generation;
}

void world_kill(struct world *world, struct world_node *node)
{
    if (node->owner == NULL)
        return;
    world_say(world, "n%u dies", node->id);
    node->resets = true;
    sto_owner_free(node->owner);
    node->owner = NULL;
    node->lun = NULL;
    node->open = node->resets = false;
    node->right_count = 0;
}

void world_start(struct world *world, struct world_node *node, uint32_t generation, bool takeover)
{
    struct sto_owner_config config = { .meta_at_start = true };
    struct sto_owner_callbacks callbacks = { .notice = noticed, .context = node };
    struct sto_own_grant grant = { .generation = generation, .takeover = takeover };

    world_kill(world, node);
    world_say(world, "n%u starts under grant %u%s", node->id, generation,
              takeover ? ", takeover" : "");
    node->incarnation++;
    memcpy(config.own.cluster_uuid, cluster_uuid, 16);
    config.own.node = (uint16_t)node->id;
    config.own.boot_id[0] = (uint8_t)node->id;
    config.own.instance = node->process = ++world->processes;
    config.own.use_record = true;
    config.own.steady_check = true;
    config.own.command_ms = 2000;
    config.own.barrier_ms = 6000;
    config.own.seed = world->seed * 31 + node->incarnation;
    config.lease_ms = world->lease_ms;
    node->lun = sto_model_lun_new(world->net, node->port);
    if (node->lun == NULL || sto_owner_new(node->lun, &config, &callbacks, &node->owner) < 0) {
        sto_lun_close(node->lun);
        world_break(world, "out of memory");
        return;
    }
    sto_model_lun_cut(node->lun, node->cut);
    node->grant = generation;
    sto_owner_allow(node->owner, !node->forbidden);
    sto_owner_set_deadline(node->owner, &node->deadline_ns);
    world_note_right(node);
    if (sto_owner_start(node->owner, &grant) < 0)
        world_break(world, "a fresh machine refused grant %u", generation);
}

static bool flip(void *context)
{
    return hw_prng_chance(context, 1, 2);
}

void world_restart_target(struct world *world)
{
    world_say(world, "target restarts");
    sto_model_restart(world->model, world->now_ns, flip, &world->prng);
    for (unsigned i = 0; i < WORLD_NODES; i++) {
        if (world->nodes[i].lun != NULL)
            sto_model_lun_target_gone(world->nodes[i].lun);
    }
}

/* --- time --- */

static bool runs(const struct world *world, const struct world_node *node)
{
    return node->owner != NULL && node->stalled_until_ns <= world->now_ns;
}

static int64_t node_next_ns(const struct world *world, const struct world_node *node)
{
    int64_t next = INT64_MAX;

    if (node->owner == NULL)
        return next;
    next = sto_model_lun_next_ns(node->lun);
    if (sto_owner_next_ns(node->owner) < next)
        next = sto_owner_next_ns(node->owner);
    if (node->open && node->issue_ns < next)
        next = node->issue_ns;
    if (next < node->stalled_until_ns)
        next = node->stalled_until_ns;
    return next < world->now_ns ? world->now_ns : next;
}

static void service_nodes(struct world *world)
{
    for (unsigned i = 0; i < WORLD_NODES; i++) {
        struct world_node *node = &world->nodes[i];

        if (runs(world, node) && node_next_ns(world, node) <= world->now_ns)
            sto_owner_service(node->owner, 0);
        world_note_right(node);
        if (runs(world, node) && node->open && node->issue_ns <= world->now_ns) {
            world_issue(world, node);
            node->issue_ns = world->now_ns + (int64_t)hw_prng_below(&world->prng, 30) * WORLD_MS;
        }
    }
}

static int64_t next_ns(const struct world *world)
{
    int64_t next = sto_model_net_next_ns(world->net);

    for (unsigned i = 0; i < WORLD_NODES; i++) {
        int64_t at = node_next_ns(world, &world->nodes[i]);

        if (at < next)
            next = at;
    }
    return next;
}

/* One event. False: nothing happens before `until_ns`. */
static bool run_one(struct world *world, int64_t until_ns)
{
    int64_t next = next_ns(world);

    if (next > until_ns)
        return false;
    if (next > world->now_ns)
        world->now_ns = next;
    sto_model_net_advance(world->net);
    service_nodes(world);
    return true;
}

void world_run(struct world *world, int64_t until_ns)
{
    unsigned long spins = 0;
    int64_t at_ns = -1;

    while (!world->broken && run_one(world, until_ns)) {
        spins = world->now_ns == at_ns ? spins + 1 : 0;
        at_ns = world->now_ns;
        if (spins > 100000)
            world_break(world, "live lock: time does not pass");
    }
    if (world->now_ns < until_ns)
        world->now_ns = until_ns;
}

void world_allow(struct world_node *node, bool allowed)
{
    node->forbidden = !allowed;
    if (node->owner != NULL)
        sto_owner_allow(node->owner, allowed);
    world_note_right(node);
}

void world_feed(struct world_node *node, bool fed)
{
    node->deadline_ns = fed ? INT64_MAX : node->world->now_ns;
    world_note_right(node);
    if (fed && node->owner != NULL)
        sto_owner_service(node->owner, 0); /* whoever is fed looks at once */
}

bool world_run_until_open(struct world *world, const struct world_node *node, int64_t limit_ns)
{
    int64_t end_ns = world->now_ns + limit_ns;

    while (!world->broken && !node->open && run_one(world, end_ns))
        continue;
    return node->open;
}

/* --- making --- */

static int64_t takes_ns(void *context, const uint8_t cdb[16], bool reset)
{
    struct world *world = context;
    int64_t ns = (int64_t)hw_prng_below(&world->prng, 300000);

    (void)cdb;
    if (!reset && world->slow != 0 && hw_prng_chance(&world->prng, 1, world->slow))
        ns += (int64_t)hw_prng_below(&world->prng, (uint64_t)world->slow_ns);
    return ns;
}

static bool disturbs(void *context, const uint8_t cdb[16], struct sto_model_reply *reply,
                     bool *executed)
{
    struct world *world = context;

    (void)cdb;
    if (world->disturbed == 0 || !hw_prng_chance(&world->prng, 1, world->disturbed))
        return false;
    *executed = false;
    switch (hw_prng_below(&world->prng, 3)) {
    case 0:
        reply->status = 0x08; /* BUSY */
        break;
    case 1:
        reply->status = 0x28; /* TASK SET FULL */
        break;
    default: /* ABORTED COMMAND, sometimes after the fact */
        *reply = (struct sto_model_reply) { .status = 0x02, .sense_key = 0x0b };
        *executed = hw_prng_chance(&world->prng, 1, 2);
        break;
    }
    return true;
}

static void draw(struct world *world)
{
    static const int64_t slow_ms[] = { 50, 500, 3000, 9000 };
    static const unsigned disturbed[] = { 0, 0, 8, 40 };

    world->quirks.persists = hw_prng_chance(&world->prng, 1, 2);
    world->quirks.by_session = hw_prng_chance(&world->prng, 1, 2);
    world->quirks.reset_aborts = hw_prng_chance(&world->prng, 1, 3);
    world->quirks.preempts_wrong = hw_prng_chance(&world->prng, 1, 16);
    world->slow = (unsigned)hw_prng_below(&world->prng, 4) * 12;
    world->slow_ns = slow_ms[hw_prng_below(&world->prng, 4)] * WORLD_MS;
    world->quirks.unregister_uncounted = hw_prng_chance(&world->prng, 1, 2);
    world->quirks.hides_capacity = hw_prng_chance(&world->prng, 1, 2);
    world->quirks.names_reset = hw_prng_chance(&world->prng, 1, 2);
    world->lease_ms = hw_prng_chance(&world->prng, 1, 2) ? 1500 : 0;
    world->disturbed = disturbed[hw_prng_below(&world->prng, 4)];
}

static bool write_first_record(struct world *world)
{
    struct sto_record record = { .state = STO_RECORD_FREE, .sequence = 1 };
    uint8_t sector[STO_RECORD_BYTES];

    memcpy(record.cluster_uuid, cluster_uuid, 16);
    sto_record_encode(&record, sector);
    return sto_model_poke(world->model, 0, sector) &&
           sto_model_poke(world->model, STO_RECORD_PAGE_BYTES / STO_MODEL_BLOCK_BYTES, sector);
}

bool world_init(struct world *world, uint64_t seed, bool trace)
{
    struct sto_model_config model = { .blocks = WORLD_META_BLOCKS + WORLD_DATA_BLOCKS,
                                      .landed = world_landed,
                                      .disturbs = disturbs,
                                      .context = world };
    struct sto_model_net_config net = {
        .takes_ns = takes_ns, .context = world, .latency_ns = 50000, .late_ns = 4000 * WORLD_MS
    };

    memset(world, 0, sizeof(*world));
    world->seed = seed;
    world->trace = trace;
    world->prng = hw_prng_seeded(seed);
    world->now_ns = 1000 * WORLD_MS;
    world->clock = (struct hw_clock) { .now_ns = world_now, .context = world };
    world->next_generation = 1;
    draw(world);
    model.quirks = world->quirks;
    world->model = sto_model_new(&model);
    net.model = world->model;
    net.clock = &world->clock;
    net.prng = &world->prng;
    world->net = sto_model_net_new(&net);
    for (unsigned i = 0; i < WORLD_NODES; i++) {
        world->nodes[i].world = world;
        world->nodes[i].id = i + 1;
        world->nodes[i].port = (uint64_t)(i + 1) * 16;
        world->nodes[i].deadline_ns = INT64_MAX;
        for (unsigned block = 0; block < WORLD_DATA_BLOCKS; block++) {
            world->nodes[i].blocks[block].node = &world->nodes[i];
            world->nodes[i].blocks[block].block = block;
        }
    }
    return world->model != NULL && world->net != NULL && write_first_record(world);
}

void world_fini(struct world *world)
{
    world->broken = true; /* what ends now is not judged */
    for (unsigned i = 0; i < WORLD_NODES; i++)
        world_kill(world, &world->nodes[i]);
    sto_model_net_free(world->net);
    sto_model_free(world->model);
}
