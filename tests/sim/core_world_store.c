/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store of a host of core_world: writes in order, each on disk some time after it was handed
 * over; a crash loses those that are not.
 */
#include <config.h>

#include "tests/sim/core_world.h"

#include "clusterd/core/core_snapshot.h"

#include <stdlib.h>
#include <string.h>

static void cut(struct core_store *store, uint64_t to)
{
    uint64_t keep = to > store->base.index ? to - store->base.index : 0;

    while (store->entries.count > keep)
        core_entry_free(&store->entries.items[--store->entries.count]);
}

static void write_free(struct core_write *write)
{
    core_entry_free(&write->entry);
    free(write->bytes);
}

/* What is not on disk is lost. */
void core_world_store_free(struct core_host *host)
{
    for (size_t i = 0; i < host->writes.count; i++)
        write_free(&host->writes.items[i]);
    hw_vector_free(&host->writes);
}

static void push(struct core_world *world, struct core_host *host, struct core_write write)
{
    int64_t after =
        host->writes.count > 0 ? host->writes.items[host->writes.count - 1].at_ms : world->now_ms;

    write.at_ms = after + (int64_t)hw_prng_below(&world->prng, 3) * CORE_TICK_MS;
    core_world_require(hw_vector_push(&host->writes, write) == 0);
}

static void queue_state(struct core_world *world, struct core_host *host, uint64_t index)
{
    const struct core_log *log = core_log_of(host->core);
    const struct core_entry *entry = core_log_entry(log, index);
    struct core_write write = { .is_state = true, .to = index, .map = *core_log_map(log) };

    core_world_require(entry != NULL && core_log_hash(log, index, &write.hash) == 0);
    write.position = (struct core_position) { entry->term, index };
    core_world_require(core_state_encode(core_state_of(host->core), &write.bytes, &write.size) ==
                       0);
    push(world, host, write);
}

static void queue_log(struct core_world *world, struct core_host *host,
                      const struct core_log_action *action)
{
    const struct core_log *log = core_log_of(host->core);
    struct core_write write = { .kind = action->kind, .term = action->term, .to = action->to };

    switch (action->kind) {
    case CORE_LOG_STORE_ENTRIES:
        for (uint64_t index = action->from; index <= action->to; index++) {
            write.to = index;
            core_world_require(core_log_hash(log, index, &write.hash) == 0);
            core_world_require(core_entry_copy(core_log_entry(log, index), &write.entry) == 0);
            push(world, host, write);
        }
        break;
    case CORE_LOG_STORE_SNAPSHOT: /* in place of all that is to be written yet */
        core_world_require(core_log_hash(log, action->to, &write.hash) == 0);
        write.map = *core_log_map(log);
        write.position = (struct core_position) { core_state_of(host->core)->term, action->to };
        core_world_require(
            core_state_encode(core_state_of(host->core), &write.bytes, &write.size) == 0);
        push(world, host, write);
        break;
    default:
        push(world, host, write);
        break;
    }
}

void core_world_queue(struct core_world *world, struct core_host *host,
                      const struct core_action *action)
{
    if (action->type == CORE_ACTION_STORE_STATE)
        queue_state(world, host, action->index);
    else
        queue_log(world, host, &action->log);
}

static void replace_state(struct core_store *store, struct core_write *write)
{
    core_state_free(&store->state);
    core_world_require(core_state_decode(write->bytes, write->size, &store->state) == 0);
    store->base = write->position;
    store->base_hash = write->hash;
    store->map = write->map;
}

/* Entries up to the state's go; those behind it stay. */
static void put_state(struct core_store *store, struct core_write *write)
{
    size_t drop = (size_t)(write->to - store->base.index);

    if (write->to <= store->base.index || drop > store->entries.count)
        return; /* truncated, or replaced meanwhile */
    for (size_t i = 0; i < drop; i++)
        core_entry_free(&store->entries.items[i]);
    store->entries.count -= drop;
    memmove(store->entries.items, store->entries.items + drop,
            store->entries.count * sizeof(store->entries.items[0]));
    replace_state(store, write);
}

static bool put(struct core_store *store, struct core_write *write, struct core_event *event)
{
    event->type = CORE_EVENT_STORED;
    event->stored.index = write->to;
    event->stored.hash = write->hash;
    event->stored.term = write->term;
    if (write->is_state) {
        put_state(store, write);
        event->stored.what = CORE_STORED_STATE;
        return true;
    }
    switch (write->kind) {
    case CORE_LOG_STORE_PROMISE:
        store->promised = write->term;
        event->stored.what = CORE_STORED_PROMISE;
        return true;
    case CORE_LOG_TRUNCATE:
        cut(store, write->to);
        return false;
    case CORE_LOG_WHOLE:
        store->blank = false;
        return false;
    case CORE_LOG_DIVERGED:
        store->blank = true;
        return false;
    case CORE_LOG_STORE_SNAPSHOT:
        cut(store, 0);
        replace_state(store, write);
        event->stored.what = CORE_STORED_ENTRIES;
        return true;
    default:
        event->stored.what = CORE_STORED_ENTRIES;
        if (write->to != store->base.index + store->entries.count + 1)
            return false;
        core_world_require(hw_vector_push(&store->entries, write->entry) == 0);
        write->entry = (struct core_entry) { 0 };
        return true;
    }
}

bool core_world_take_write(struct core_world *world, struct core_host *host)
{
    struct core_event event;
    struct core_write write;
    bool tell;

    if (host->writes.count == 0 || host->writes.items[0].at_ms > world->now_ms)
        return false;
    memset(&event, 0, sizeof(event));
    write = host->writes.items[0];
    hw_vector_remove(&host->writes, 0);
    tell = put(&host->store, &write, &event);
    write_free(&write);
    if (tell)
        core_world_event(world, host, &event);
    return true;
}

/* A core over what is on disk. */
void core_world_load(struct core_world *world, struct core_host *host)
{
    struct core_store *store = &host->store;
    struct core_start start;

    memset(&start, 0, sizeof(start));
    if (store->blank) {
        cut(store, 0);
        core_state_free(&store->state);
        store->base = (struct core_position) { 0, 0 };
    }
    start.life.incarnation = ++host->lives;
    start.life.boot_id[0] = (uint8_t)host->id;
    start.log = (struct core_log_start) { .self = host->id,
                                          .incarnation = start.life.incarnation,
                                          .blank = store->blank,
                                          .promised = store->promised,
                                          .base = store->base,
                                          .base_hash = store->base_hash,
                                          .map = store->map };
    start.timing = world->timing;
    start.state = store->blank ? NULL : &store->state;
    core_world_require(core_new(&start, &host->core) == 0);
    for (size_t i = 0; i < store->entries.count; i++)
        core_world_require(core_restore(host->core, &store->entries.items[i]) == 0);
    core_beat_start(&host->beats, host->id, &start.life, core_world_clock(world, host) * 1000000);
}
