/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world under the decision core; see core_world.h. Hosts, network, events, oracle.
 */
#include <config.h>

#include "tests/sim/core_world.h"

#include "clusterd/core/core_snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void core_world_require(bool condition)
{
    if (!condition)
        abort(); /* no memory, or a world that is used wrongly */
}

void core_world_break(struct core_world *world, uint32_t id, const char *what, uint64_t number)
{
    if (world->broken[0] == '\0')
        (void)snprintf(world->broken, sizeof(world->broken),
                       "at %" PRId64 " ms n%" PRIu32 ": %s %" PRIu64, world->now_ms, id, what,
                       number);
}

struct core_host *core_world_host(struct core_world *world, uint32_t id)
{
    core_world_require(id >= 1 && id <= world->count);
    return &world->hosts[id - 1];
}

int64_t core_world_clock(const struct core_world *world, const struct core_host *host)
{
    return host->clock_ms + world->now_ms;
}

void core_world_packet_free(struct core_packet *packet)
{
    free(packet->bytes);
    packet->bytes = NULL;
}

static struct core_packet packet_copy(const struct core_packet *packet)
{
    struct core_packet copy = *packet;

    if (packet->bytes != NULL) {
        copy.bytes = malloc(packet->size);
        core_world_require(copy.bytes != NULL);
        memcpy(copy.bytes, packet->bytes, packet->size);
    }
    return copy;
}

static bool reaches(const struct core_world *world, const struct core_host *left,
                    const struct core_host *right)
{
    return left == right ||
           (left->up && right->up && world->part[left->id - 1] == world->part[right->id - 1]);
}

/* Behind what is under way to this host. */
static void push(struct core_world *world, struct core_host *host, const struct core_packet *packet)
{
    struct core_packet copy = packet_copy(packet);

    copy.at_ms = world->now_ms + (int64_t)hw_prng_below(&world->prng, 2) * CORE_TICK_MS;
    if (host->stream.count > 0 && host->stream.items[host->stream.count - 1].at_ms > copy.at_ms)
        copy.at_ms = host->stream.items[host->stream.count - 1].at_ms;
    core_world_require(hw_vector_push(&host->stream, copy) == 0);
}

void core_world_post(struct core_world *world, struct core_host *host, struct core_packet *packet)
{
    for (size_t i = 0; host->view.ring_sequence != 0 && i < world->count; i++) {
        struct core_host *to = &world->hosts[i];

        if (to->core != NULL && core_view_id_equal(&to->view, &host->view) &&
            reaches(world, host, to))
            push(world, to, packet);
    }
    if (packet->size >= 4 && memcmp(packet->bytes, "HCBT", 4) == 0) { /* beats are many */
        core_world_packet_free(packet);
        return;
    }
    core_world_packet_free(&host->last);
    host->last = *packet;
    packet->bytes = NULL;
}

static void post_bytes(struct core_world *world, struct core_host *host, uint8_t *bytes,
                       size_t size)
{
    struct core_packet packet;

    memset(&packet, 0, sizeof(packet));
    packet.what = CORE_PACKET_BYTES;
    packet.bytes = bytes;
    packet.size = size;
    core_world_post(world, host, &packet);
}

static uint8_t *room(size_t size)
{
    uint8_t *bytes = malloc(size);

    core_world_require(bytes != NULL);
    return bytes;
}

static void send_log(struct core_world *world, struct core_host *host,
                     const struct core_log_message *message)
{
    size_t size = core_log_message_size(message);
    uint8_t *bytes = room(size);

    core_log_message_encode(message, bytes);
    post_bytes(world, host, bytes, size);
}

static void send_snapshot(struct core_world *world, struct core_host *host, uint64_t to)
{
    const struct core_log *log = core_log_of(host->core);
    struct core_packet packet;

    memset(&packet, 0, sizeof(packet));
    packet.what = CORE_PACKET_SNAPSHOT;
    packet.term = core_log_term(log);
    packet.position = (struct core_position) { core_state_of(host->core)->term, to };
    packet.map = *core_log_map(log);
    core_world_require(core_state_of(host->core)->index == to);
    core_world_require(core_log_hash(log, to, &packet.hash) == 0);
    core_world_require(core_state_encode(core_state_of(host->core), &packet.bytes, &packet.size) ==
                       0);
    core_world_post(world, host, &packet);
}

static void act_log(struct core_world *world, struct core_host *host,
                    const struct core_action *action)
{
    struct core_log_message message;

    switch (action->log.kind) {
    case CORE_LOG_SEND:
        send_log(world, host, &action->log.message);
        break;
    case CORE_LOG_SEND_ENTRIES:
        for (uint64_t index = action->log.from; index <= action->log.to; index++) {
            if (core_log_entry_message(core_log_of(host->core), index, &message) == 0)
                send_log(world, host, &message);
        }
        break;
    case CORE_LOG_SEND_SNAPSHOT:
        send_snapshot(world, host, action->log.to);
        break;
    case CORE_LOG_DIVERGED:
        core_world_break(world, host->id, "diverged at entry", action->log.to);
        break;
    default:
        core_world_queue(world, host, action);
        break;
    }
}

static void send_message(struct core_world *world, struct core_host *host,
                         const struct core_message *message)
{
    size_t size = core_message_size(message);
    uint8_t *bytes = room(size);

    core_message_encode(message, bytes);
    post_bytes(world, host, bytes, size);
}

static void give_table(struct core_host *host)
{
    const struct core_beat_table *table = core_table(host->core);

    free(host->feeds);
    host->feeds = (void *)room((table->feed_count + 1) * sizeof(*host->feeds));
    if (table->feed_count > 0)
        memcpy(host->feeds, table->feeds, table->feed_count * sizeof(*host->feeds));
    host->table = *table;
    host->table.feeds = host->feeds;
    core_beat_set_table(&host->beats, &host->table);
}

static void act(struct core_world *world, struct core_host *host, const core_actions *actions)
{
    struct core_message message;

    for (size_t i = 0; i < actions->count; i++) {
        const struct core_action *action = &actions->items[i];

        switch (action->type) {
        case CORE_ACTION_LOG:
            act_log(world, host, action);
            break;
        case CORE_ACTION_REPORT:
            core_report(host->core, &message);
            send_message(world, host, &message);
            break;
        case CORE_ACTION_REQUEST:
            if (core_request(host->core, &message) == 0)
                send_message(world, host, &message);
            break;
        case CORE_ACTION_TABLE:
            give_table(host);
            break;
        case CORE_ACTION_TIMER:
            host->timer_ms = world->now_ms + (int64_t)action->after_ms;
            break;
        case CORE_ACTION_STORE_STATE:
            core_world_queue(world, host, action);
            break;
        case CORE_ACTION_FENCE:
            core_world_fence(world, host, action->node, action->index);
            break;
        case CORE_ACTION_TELL:
            world->told_result = action->result;
            world->told_commands++;
            if (action->result == 0 &&
                core_state_of(host->core)->cluster.revision > world->told_revision) {
                world->told_revision = core_state_of(host->core)->cluster.revision;
                world->told_index = core_state_of(host->core)->index;
            }
            break;
        default:
            if (world->trace)
                printf("# %" PRId64 " n%" PRIu32 " action %d vm%" PRIu32 " generation %" PRIu32
                       "\n",
                       world->now_ms, host->id, (int)action->type, action->vm, action->generation);
            core_world_order(world, host, action);
            break;
        }
    }
}

/* Members that have applied equally many entries have equal states, now and for ever. */
static void compare_states(struct core_world *world, struct core_host *host)
{
    const struct core_state *state = core_state_of(host->core);
    uint64_t hash;

    if (state->index == 0)
        return;
    core_world_require(core_state_hash(state, &hash) == 0);
    while (world->hashes.count <= state->index)
        core_world_require(hw_vector_push(&world->hashes, 0) == 0);
    if (world->hashes.items[state->index] == 0)
        world->hashes.items[state->index] = hash;
    else if (world->hashes.items[state->index] != hash)
        core_world_break(world, host->id, "another state after entry", state->index);
    if (state->index >= world->told_index && state->cluster.revision < world->told_revision)
        core_world_break(world, host->id, "lost what was acknowledged, revision",
                         world->told_revision);
}

/* Who else says it again? */
static bool is_local(const struct core_event *event)
{
    return event->type != CORE_EVENT_LOG && event->type != CORE_EVENT_BEAT &&
           event->type != CORE_EVENT_MESSAGE && event->type != CORE_EVENT_SNAPSHOT;
}

void core_world_event(struct core_world *world, struct core_host *host,
                      const struct core_event *event)
{
    core_actions actions = HW_VECTOR_INIT;
    struct core_event timed = *event;
    uint64_t before = core_state_of(host->core)->index;

    timed.now_ms = (uint64_t)core_world_clock(world, host);
    world->steps++;
    if (world->before_step != NULL)
        world->before_step(world);
    world->last_rc = core_step(host->core, &timed, &actions);
    if (world->after_step != NULL)
        world->after_step(world, world->last_rc);
    act(world, host, &actions);
    hw_vector_free(&actions);
    if (core_state_of(host->core)->index != before)
        compare_states(world, host);
    if (world->last_rc == -ENOMEM && is_local(event))
        core_world_event(world, host, event);
}

static void take_bytes(struct core_world *world, struct core_host *host,
                       const struct core_packet *packet)
{
    static struct core_report_item items[CORE_REPORT_ITEMS_MAX];
    struct core_log_message log;
    struct core_message message;
    struct core_event event;
    struct core_beat beat;

    memset(&event, 0, sizeof(event));
    if (core_log_message_decode(packet->bytes, packet->size, &log) == 0) {
        event.type = CORE_EVENT_LOG;
        event.log = &log;
    } else if (core_beat_decode(packet->bytes, packet->size, &beat) == 0) {
        event.type = CORE_EVENT_BEAT;
        event.beat = &beat;
    } else {
        core_world_require(core_message_decode(packet->bytes, packet->size, items, &message) == 0);
        event.type = CORE_EVENT_MESSAGE;
        event.message = &message;
    }
    core_world_event(world, host, &event);
}

static void take_packet(struct core_world *world, struct core_host *host,
                        const struct core_packet *packet)
{
    struct core_event event;

    memset(&event, 0, sizeof(event));
    if (packet->what == CORE_PACKET_BYTES) {
        take_bytes(world, host, packet);
        return;
    }
    if (packet->what == CORE_PACKET_VIEW) {
        event.type = CORE_EVENT_VIEW;
        event.view.id = packet->view;
        event.view.quorate = packet->quorate;
        event.view.members = packet->members;
        event.view.count = packet->count;
        event.view.ring = packet->ring;
        event.view.ring_count = packet->ring_count;
    } else {
        event.type = CORE_EVENT_SNAPSHOT;
        event.snapshot.term = packet->term;
        event.snapshot.position = packet->position;
        event.snapshot.hash = packet->hash;
        event.snapshot.map = &packet->map;
        event.snapshot.state = packet->bytes;
        event.snapshot.size = packet->size;
    }
    core_world_event(world, host, &event);
}

/* The real-time thread: beats for itself, everything on to the main thread. */
void core_world_dispatch(struct core_world *world, struct core_host *host)
{
    while (host->stream.count > 0 && host->stream.items[0].at_ms <= world->now_ms) {
        struct core_packet packet = host->stream.items[0];
        struct core_beat beat;

        hw_vector_remove(&host->stream, 0);
        if (packet.what == CORE_PACKET_VIEW)
            core_beat_members(&host->beats, packet.members, packet.count);
        else if (packet.what == CORE_PACKET_BYTES &&
                 core_beat_decode(packet.bytes, packet.size, &beat) == 0)
            (void)core_beat_receive(&host->beats, &beat, core_world_clock(world, host) * 1000000);
        core_world_require(hw_vector_push(&host->inbox, packet) == 0);
    }
    if (world->now_ms >= host->beat_ms) {
        struct core_beat beat;
        uint8_t *bytes;

        core_beat_send(&host->beats, core_world_clock(world, host) * 1000000, &beat);
        bytes = room(core_beat_size(&beat));
        core_beat_encode(&beat, bytes);
        post_bytes(world, host, bytes, core_beat_size(&beat));
        host->beat_ms = world->now_ms + world->timing.beat_ms;
    }
}

/* The main thread. */
void core_world_work(struct core_world *world, struct core_host *host)
{
    struct core_event timer;

    while (host->inbox.count > 0) {
        struct core_packet packet = host->inbox.items[0];

        hw_vector_remove(&host->inbox, 0);
        take_packet(world, host, &packet);
        core_world_packet_free(&packet);
    }
    while (core_world_take_write(world, host))
        continue;
    if (world->now_ms < host->timer_ms)
        return;
    memset(&timer, 0, sizeof(timer));
    timer.type = CORE_EVENT_TIMER;
    core_world_event(world, host, &timer);
}
