/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world under the replicated log; see log_world.h. (over 400: members, group, store and oracle
 * act on each other at every step.)
 */
#include <config.h>

#include "tests/sim/log_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_SETTLE_TURNS = 3000 };

static void require(bool condition)
{
    if (!condition)
        abort(); /* no memory, or a world that is used wrongly */
}

struct log_node *log_world_node(struct log_world *world, uint32_t id)
{
    require(id >= 1 && id <= world->count);
    return &world->nodes[id - 1];
}

static void broken(struct log_world *world, const struct log_node *node, uint64_t index,
                   const char *what)
{
    if (world->broken[0] == '\0')
        (void)snprintf(world->broken, sizeof(world->broken), "n%" PRIu32 " entry %" PRIu64 ": %s",
                       node->id, index, what);
}

static struct log_packet packet_copy(const struct log_packet *packet)
{
    struct log_packet copy = *packet;

    if (packet->bytes != NULL) {
        copy.bytes = malloc(packet->size);
        require(copy.bytes != NULL);
        memcpy(copy.bytes, packet->bytes, packet->size);
    }
    return copy;
}

static void drop_writes(struct log_node *node)
{
    for (size_t i = 0; i < node->writes.count; i++)
        core_entry_free(&node->writes.items[i].entry);
    node->writes.count = 0;
}

static void store_cut(struct log_store *store, uint64_t to)
{
    uint64_t keep = to > store->base.index ? to - store->base.index : 0;

    while (store->entries.count > keep)
        core_entry_free(&store->entries.items[--store->entries.count]);
}

void log_world_make(struct log_world *world, size_t count, uint64_t seed)
{
    struct core_vote_map map = { 0 };

    memset(world, 0, sizeof(*world));
    world->prng = hw_prng_seeded(seed);
    world->count = count;
    require(hw_vector_push(&world->committed, 77) == 0);
    for (uint32_t id = 1; id <= count; id++)
        require(core_vote_map_set(&map, id, 1) == 0);
    for (uint32_t id = 1; id <= count; id++) {
        struct log_node *node = log_world_node(world, id);

        node->id = id;
        node->view = SIZE_MAX;
        node->store.base = (struct core_position) { 1, 1 };
        node->store.base_hash = 77;
        node->store.promised = 1;
        node->store.map = map;
    }
}

void log_world_end(struct log_world *world)
{
    for (uint32_t id = 1; id <= world->count; id++) {
        struct log_node *node = log_world_node(world, id);

        core_log_free(node->log);
        drop_writes(node);
        hw_vector_free(&node->writes);
        store_cut(&node->store, 0);
        hw_vector_free(&node->store.entries);
    }
    for (size_t v = 0; v < world->views.count; v++) {
        for (size_t i = 0; i < world->views.items[v].packets.count; i++)
            free(world->views.items[v].packets.items[i].bytes);
        hw_vector_free(&world->views.items[v].packets);
    }
    hw_vector_free(&world->views);
    hw_vector_free(&world->committed);
}

void log_world_start(struct log_world *world, uint32_t id)
{
    struct log_node *node = log_world_node(world, id);
    struct core_log_start start = { .self = id,
                                    .incarnation = ++node->incarnation,
                                    .blank = node->store.blank,
                                    .promised = node->store.promised,
                                    .base = node->store.base,
                                    .base_hash = node->store.base_hash,
                                    .map = node->store.map };

    if (node->log != NULL)
        return;
    if (node->store.blank) {
        store_cut(&node->store, 0);
        node->store.base = start.base = (struct core_position) { 0, 0 };
    }
    require(core_log_new(&start, &node->log) == 0);
    for (size_t i = 0; i < node->store.entries.count; i++)
        require(core_log_restore(node->log, &node->store.entries.items[i]) == 0);
    node->view = SIZE_MAX;
    node->seen = core_log_committed(node->log);
}

void log_world_crash(struct log_world *world, uint32_t id)
{
    struct log_node *node = log_world_node(world, id);

    core_log_free(node->log);
    node->log = NULL;
    node->view = SIZE_MAX;
    drop_writes(node);
}

void log_world_lose_store(struct log_world *world, uint32_t id)
{
    struct log_node *node = log_world_node(world, id);

    require(node->log == NULL);
    store_cut(&node->store, 0);
    node->store.blank = true;
    node->store.promised = 0;
    node->store.base = (struct core_position) { 0, 0 };
    node->store.map = (struct core_vote_map) { 0 };
}

static void post(struct log_world *world, struct log_node *node, struct log_packet packet)
{
    if (node->view == SIZE_MAX) {
        free(packet.bytes);
        return;
    }
    packet.from = node->id;
    require(hw_vector_push(&world->views.items[node->view].packets, packet) == 0);
}

static void post_message(struct log_world *world, struct log_node *node,
                         const struct core_log_message *message)
{
    struct log_packet packet = { .size = core_log_message_size(message) };

    packet.bytes = malloc(packet.size);
    require(packet.bytes != NULL);
    core_log_message_encode(message, packet.bytes);
    if (world->trace)
        printf("# n%" PRIu32 " says %d term %" PRIu64 " position %" PRIu64 ".%" PRIu64
               " entry %" PRIu64 ".%" PRIu64 "\n",
               node->id, (int)message->kind, message->term, message->position.term,
               message->position.index, message->entry.term, message->entry.index);
    post(world, node, packet);
}

/* What the oracle holds against everybody: an entry is committed once, with one content. */
static void told_committed(struct log_world *world, struct log_node *node, uint64_t to)
{
    if (world->trace)
        printf("# n%" PRIu32 " committed %" PRIu64 "\n", node->id, to);
    if (to < node->seen)
        broken(world, node, to, "went back");
    for (uint64_t index = node->seen + 1; index <= to; index++) {
        uint64_t hash;

        if (core_log_hash(node->log, index, &hash) < 0)
            continue; /* under a snapshot */
        while (world->committed.count < index)
            require(hw_vector_push(&world->committed, 0) == 0);
        if (world->committed.items[index - 1] == 0)
            world->committed.items[index - 1] = hash;
        else if (world->committed.items[index - 1] != hash)
            broken(world, node, index, "committed as another one elsewhere");
    }
    node->seen = to;
}

static void send_entries(struct log_world *world, struct log_node *node, uint64_t from, uint64_t to)
{
    struct core_log_message message;

    for (uint64_t index = from; index <= to; index++) {
        if (core_log_entry_message(node->log, index, &message) == 0)
            post_message(world, node, &message);
    }
}

static void send_snapshot(struct log_world *world, struct log_node *node, uint64_t to)
{
    const struct core_entry *entry = core_log_entry(node->log, to);
    struct log_packet packet = { .snapshot = true, .term = core_log_term(node->log) };

    packet.position = entry != NULL ? (struct core_position) { entry->term, to }
                                    : node->store.base; /* nothing above the base */
    require(core_log_hash(node->log, to, &packet.hash) == 0);
    packet.map = *core_log_map(node->log);
    post(world, node, packet);
}

static void queue_entries(struct log_node *node, const struct core_log_action *action)
{
    for (uint64_t index = action->from; index <= action->to; index++) {
        const struct core_entry *entry = core_log_entry(node->log, index);
        struct log_write write = { .kind = CORE_LOG_STORE_ENTRIES, .to = index };

        require(entry != NULL && core_log_hash(node->log, index, &write.hash) == 0);
        require(core_entry_copy(entry, &write.entry) == 0);
        require(hw_vector_push(&node->writes, write) == 0);
    }
}

static void act(struct log_world *world, struct log_node *node,
                const struct core_log_actions *actions)
{
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct core_log_action *action = &actions->items[i];
        struct log_write write = { .kind = action->kind, .term = action->term, .to = action->to };

        switch (action->kind) {
        case CORE_LOG_SEND:
            post_message(world, node, &action->message);
            break;
        case CORE_LOG_SEND_ENTRIES:
            send_entries(world, node, action->from, action->to);
            break;
        case CORE_LOG_SEND_SNAPSHOT:
            send_snapshot(world, node, action->to);
            break;
        case CORE_LOG_STORE_SNAPSHOT:
            break; /* queued where it came */
        case CORE_LOG_STORE_ENTRIES:
            queue_entries(node, action);
            break;
        case CORE_LOG_COMMITTED:
            told_committed(world, node, action->to);
            break;
        case CORE_LOG_DIVERGED:
            broken(world, node, action->to, "diverged");
            break;
        case CORE_LOG_STORE_PROMISE:
        case CORE_LOG_TRUNCATE:
        case CORE_LOG_WHOLE:
            require(hw_vector_push(&node->writes, write) == 0);
            break;
        }
    }
}

bool log_world_write(struct log_world *world, uint32_t id)
{
    struct log_node *node = log_world_node(world, id);
    struct core_log_actions actions = { 0 };
    struct log_store *store = &node->store;
    struct log_write write;

    if (node->log == NULL || node->writes.count == 0)
        return false;
    write = node->writes.items[0];
    node->writes.count--;
    memmove(node->writes.items, node->writes.items + 1, node->writes.count * sizeof(write));
    switch (write.kind) {
    case CORE_LOG_STORE_PROMISE:
        store->promised = write.term;
        (void)core_log_promise_stored(node->log, write.term, &actions);
        break;
    case CORE_LOG_TRUNCATE:
        store_cut(store, write.to);
        break;
    case CORE_LOG_WHOLE:
        store->blank = false;
        break;
    case CORE_LOG_STORE_SNAPSHOT:
        store_cut(store, 0);
        store->base = write.snapshot.position;
        store->base_hash = write.snapshot.hash;
        store->map = write.snapshot.map;
        core_log_stored(node->log, store->base.index, store->base_hash, &actions);
        break;
    default:
        if (write.to == store->base.index + store->entries.count + 1) {
            require(hw_vector_push(&store->entries, write.entry) == 0);
            write.entry = (struct core_entry) { 0 };
            core_log_stored(node->log, write.to, write.hash, &actions);
        }
        break;
    }
    core_entry_free(&write.entry);
    act(world, node, &actions);
    return true;
}

static void take_snapshot(struct log_node *node, const struct log_packet *packet,
                          struct core_log_actions *actions)
{
    struct log_write write = { .kind = CORE_LOG_STORE_SNAPSHOT, .snapshot = *packet };

    if (packet->from == node->id || core_log_install(node->log, packet->term, packet->position,
                                                     packet->hash, &packet->map, actions) < 0)
        return;
    require(hw_vector_push(&node->writes, write) == 0);
}

bool log_world_deliver(struct log_world *world, uint32_t id)
{
    struct log_node *node = log_world_node(world, id);
    struct core_log_actions actions = { 0 };
    struct core_log_message message;
    struct log_packet packet;

    if (node->log == NULL || node->view == SIZE_MAX ||
        node->next >= world->views.items[node->view].packets.count)
        return false;
    packet = packet_copy(&world->views.items[node->view].packets.items[node->next++]);
    if (packet.snapshot) {
        take_snapshot(node, &packet, &actions);
    } else {
        require(core_log_message_decode(packet.bytes, packet.size, &message) == 0);
        (void)core_log_receive(node->log, &message, &actions);
    }
    act(world, node, &actions);
    free(packet.bytes);
    return true;
}

void log_world_timer(struct log_world *world, uint32_t id)
{
    struct log_node *node = log_world_node(world, id);
    struct core_log_actions actions = { 0 };

    if (node->log == NULL)
        return;
    (void)core_log_timer(node->log, &actions);
    act(world, node, &actions);
}

void log_world_view(struct log_world *world, const uint32_t *ids, bool holes)
{
    struct log_view view = { .id = { .ring_sequence = ++world->next_ring, .ring_node = ids[0] } };
    struct core_log_actions actions;
    size_t at;

    for (; *ids != 0; ids++) {
        struct log_node *node = log_world_node(world, *ids);

        if (node->log == NULL)
            continue;
        view.members[view.count++] = *ids;
        for (bool more = true; more;) {
            more =
                node->view != SIZE_MAX && node->next < world->views.items[node->view].packets.count;
            if (more && holes && hw_prng_chance(&world->prng, 1, 3))
                node->next++;
            else if (more)
                (void)log_world_deliver(world, *ids);
        }
    }
    require(hw_vector_push(&world->views, view) == 0);
    at = world->views.count - 1;
    for (size_t i = 0; i < view.count; i++) {
        struct log_node *node = log_world_node(world, view.members[i]);

        node->view = at;
        node->next = 0;
    }
    for (size_t i = 0; i < view.count; i++) {
        actions.count = 0;
        core_log_view(log_world_node(world, view.members[i])->log, &view.id, true, view.members,
                      view.count, &actions);
        act(world, log_world_node(world, view.members[i]), &actions);
    }
}

void log_world_settle(struct log_world *world, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        bool more = true;

        for (unsigned turn = 0; more; turn++) {
            if (turn == LOG_SETTLE_TURNS) { /* they talk for ever */
                broken(world, &world->nodes[0], 0, "stuck: no end of messages");
                return;
            }
            more = false;
            for (uint32_t id = 1; id <= world->count; id++)
                more = log_world_deliver(world, id) || log_world_write(world, id) || more;
        }
        for (uint32_t id = 1; id <= world->count && round + 1 < rounds; id++)
            log_world_timer(world, id);
    }
}

int log_world_propose(struct log_world *world, uint32_t id, uint16_t kind, const void *bytes,
                      size_t size)
{
    struct log_node *node = log_world_node(world, id);
    struct core_log_actions actions = { 0 };
    uint64_t index;
    int rc = core_log_propose(node->log, kind, bytes, size, &actions, &index);

    act(world, node, &actions);
    world->proposed += rc == 0;
    return rc;
}

void log_world_replay(struct log_world *world, uint32_t id)
{
    struct log_node *node = log_world_node(world, id);
    const struct log_view *from;

    if (node->log == NULL || node->view == SIZE_MAX)
        return;
    from = &world->views.items[hw_prng_below(&world->prng, world->views.count)];
    if (from->packets.count > 0) {
        struct log_packet packet =
            packet_copy(&from->packets.items[hw_prng_below(&world->prng, from->packets.count)]);
        uint32_t sender = packet.from;

        require(hw_vector_push(&world->views.items[node->view].packets, packet) == 0);
        world->views.items[node->view]
            .packets.items[world->views.items[node->view].packets.count - 1]
            .from = sender;
    }
}

void log_world_compact(struct log_world *world, uint32_t id)
{
    struct log_node *node = log_world_node(world, id);
    uint64_t to = node->log != NULL ? core_log_committed(node->log) : 0;
    const struct core_entry *entry = to > 0 ? core_log_entry(node->log, to) : NULL;
    struct core_position base;
    uint64_t hash;
    size_t drop = to - node->store.base.index;

    /* the store takes the snapshot first; it must have all of it */
    if (entry == NULL || node->store.base.index + node->store.entries.count < to ||
        node->writes.count > 0)
        return;
    base = (struct core_position) { entry->term, entry->index };
    require(core_log_hash(node->log, to, &hash) == 0);
    if (core_log_compact(node->log, to) < 0)
        return;
    for (size_t i = 0; i < drop; i++)
        core_entry_free(&node->store.entries.items[i]);
    node->store.entries.count -= drop;
    memmove(node->store.entries.items, node->store.entries.items + drop,
            node->store.entries.count * sizeof(struct core_entry));
    node->store.base = base;
    node->store.base_hash = hash;
    node->store.map = *core_log_map(node->log);
}

uint32_t log_world_leader(const struct log_world *world)
{
    uint32_t leader = 0;
    uint64_t term = 0;

    for (size_t i = 0; i < world->count; i++) {
        const struct log_node *node = &world->nodes[i];

        if (node->log != NULL && core_log_leads(node->log) && core_log_term(node->log) > term) {
            leader = node->id;
            term = core_log_term(node->log);
        }
    }
    return leader;
}
