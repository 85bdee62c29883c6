/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes in, each for the part that it is for: views, messages, snapshots, finished writes,
 * timers, commands.
 */
#include <config.h>

#include "clusterd/core/core_step_priv.h"

#include "clusterd/core/core_snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_in(const uint32_t *ids, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* Those who are in neither group nor state any more make room. */
static void forget_peers(struct core *core)
{
    for (size_t i = core->peers.count; i > 0; i--) {
        struct core_peer *peer = &core->peers.items[i - 1];

        if (peer->in_group || core_node_by_id(&core->state, peer->id) != NULL)
            continue;
        hw_vector_free(&peer->items);
        hw_vector_remove(&core->peers, i - 1);
    }
}

static int take_view(struct core *core, const struct core_event *event, core_actions *actions)
{
    struct core_log_actions from = { 0 };

    if (core->first_ms == 0)
        core->first_ms = event->now_ms;
    forget_peers(core);
    for (size_t i = 0; i < event->view.count; i++) {
        if (core_peer_make(core, event->view.members[i]) == NULL)
            return -ENOMEM;
    }
    if (core_log_room(actions) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < core->peers.count; i++) {
        struct core_peer *peer = &core->peers.items[i];
        bool was = peer->in_group;

        peer->in_group = is_in(event->view.members, event->view.count, peer->id);
        peer->in_ring = is_in(event->view.ring, event->view.ring_count, peer->id);
        if (was && !peer->in_group)
            peer->absent_ms = event->now_ms;
        if (peer->in_group)
            peer->beat_ms = peer->report_ms = peer->current_ms = event->now_ms;
        peer->has_report = peer->unfit = false;
    }
    core->view = event->view.id;
    core->view_ms = event->now_ms;
    core->seen_view = core->report_news = true;
    core_log_view(core->log, &event->view.id, event->view.quorate, event->view.members,
                  event->view.count, &from);
    core_log_pass(core, &from, actions);
    return 0;
}

static int take_log(struct core *core, const struct core_event *event, core_actions *actions)
{
    struct core_log_actions from = { 0 };
    uint64_t term = core_log_term(core->log);
    int rc = core_log_room(actions);

    if (rc < 0)
        return rc;
    rc = core_log_receive(core->log, event->log, &from);
    core_log_pass(core, &from, actions);
    if (core_log_term(core->log) != term) { /* what was reported was for another leader's term */
        for (size_t i = 0; i < core->peers.count; i++) {
            core->peers.items[i].has_report = false;
            core->peers.items[i].current_ms = event->now_ms;
        }
        core->report_news = true;
    }
    return rc;
}

static void take_beat(struct core *core, const struct core_event *event)
{
    struct core_peer *peer = core_peer_find(core, event->beat->from);

    if (peer == NULL || !peer->in_group)
        return;
    peer->has_beat = true;
    peer->beat = *event->beat;
    peer->beat_ms = event->now_ms;
}

/* Of this view and term only (S7): what was said in another may have been overtaken. */
static int take_report(struct core *core, const struct core_message *message, uint64_t now_ms)
{
    struct core_peer *peer = core_peer_find(core, message->from);

    if (peer == NULL || !peer->in_group)
        return 0;
    peer->report_ms = now_ms;
    if (message->term != core_log_term(core->log))
        return 0;
    if (message->count > 0 && hw_vector_reserve(&peer->items, message->count) < 0)
        return -ENOMEM;
    peer->items.count = message->count;
    if (message->count > 0)
        memcpy(peer->items.items, message->items, message->count * sizeof(message->items[0]));
    peer->has_report = true;
    peer->incarnation = message->incarnation;
    peer->applied = message->applied;
    if (peer->applied >= core->opened)
        peer->current_ms = now_ms;
    return 0;
}

bool core_is_command(uint32_t kind)
{
    return kind == CORE_ORDER_CONFIG || kind == CORE_ORDER_WANT || kind == CORE_ORDER_MODE ||
           kind == CORE_ORDER_CLEAR || kind == CORE_ORDER_MOVE;
}

/* Proposed at once, if it is not under way: what is committed meanwhile is seen when it is applied.
 */
static int take_request(struct core *core, const struct core_message *message,
                        core_actions *actions)
{
    struct core_order order = message->order;
    int rc;

    order.from = message->from;
    order.incarnation = message->incarnation;
    if (!core_may_decide(core) || !core_is_command(order.kind))
        return 0;
    rc = core_propose(core, &order, actions);
    return rc == -ENOMEM ? rc : 0;
}

static int take_message(struct core *core, const struct core_event *event, core_actions *actions)
{
    const struct core_message *message = event->message;

    if (!core->seen_view || !core_view_id_equal(&message->view, &core->view))
        return 0;
    if (message->kind == CORE_MESSAGE_REPORT)
        return take_report(core, message, event->now_ms);
    return take_request(core, message, actions);
}

static int take_snapshot(struct core *core, const struct core_event *event, core_actions *actions)
{
    struct core_log_actions from = { 0 };
    struct core_state state;
    int rc = core_log_room(actions);

    if (rc < 0)
        return rc;
    rc = core_state_decode(event->snapshot.state, event->snapshot.size, &state);
    if (rc < 0)
        return rc == -ENOMEM ? rc : 0;
    if (state.index != event->snapshot.position.index ||
        core_log_install(core->log, event->snapshot.term, event->snapshot.position,
                         event->snapshot.hash, event->snapshot.map, &from) < 0) {
        core_state_free(&state);
        return 0;
    }
    core_state_free(&core->state);
    core->state = state;
    core->opened = core->mapped = state.index;
    core->storing = 0;
    core_log_pass(core, &from, actions);
    return 0;
}

static int take_stored(struct core *core, const struct core_event *event, core_actions *actions)
{
    struct core_log_actions from = { 0 };
    int rc = core_log_room(actions);

    if (rc < 0)
        return rc;
    switch (event->stored.what) {
    case CORE_STORED_PROMISE:
        rc = core_log_promise_stored(core->log, event->stored.term, &from);
        break;
    case CORE_STORED_ENTRIES:
        core_log_stored(core->log, event->stored.index, event->stored.hash, &from);
        break;
    case CORE_STORED_STATE:
        if (event->stored.index == core->storing) {
            (void)core_log_compact(core->log, core->storing); /* else at the next time */
            core->storing = 0;
        }
        break;
    }
    core_log_pass(core, &from, actions);
    return rc;
}

bool core_is_silent(const struct core *core, const struct core_peer *peer, uint64_t now_ms)
{
    uint64_t beat_ms = peer->beat_ms, report_ms = peer->report_ms;

    if (beat_ms < core->awake_ms)
        beat_ms = core->awake_ms;
    if (report_ms < core->awake_ms)
        report_ms = core->awake_ms;
    return now_ms - beat_ms >= core_timing_deadman_ms(&core->timing) ||
           now_ms - report_ms >= core->timing.rejoin_ms;
}

static int take_timer(struct core *core, const struct core_event *event, core_actions *actions)
{
    struct core_log_actions from = { 0 };
    struct core_action *again;
    int rc = core_log_room(actions);

    for (size_t i = 0; i < core->peers.count; i++) {
        struct core_peer *peer = &core->peers.items[i];
        bool silent =
            peer->in_group && peer->id != core->self && core_is_silent(core, peer, event->now_ms);

        if (silent != peer->unfit)
            core_log_unfit(core->log, peer->id, silent);
        peer->unfit = silent;
    }
    if (rc < 0)
        return rc;
    rc = core_log_timer(core->log, &from);
    core_log_pass(core, &from, actions);
    if (core->asked.count > 0 && core_log_leader(core->log) != 0 &&
        core_act(actions, CORE_ACTION_REQUEST) == NULL)
        rc = -ENOMEM;
    again = core_act(actions, CORE_ACTION_TIMER);
    if (again == NULL)
        return -ENOMEM;
    again->after_ms = core->timing.beat_ms;
    return rc;
}

static int take_command(struct core *core, const struct core_event *event)
{
    const struct core_order *order = event->command.order;
    struct core_asked asked = { event->command.number, *order };
    char *text = NULL;
    int rc;

    if (event->command.number == core->last_number && core->last_number != 0)
        return 0; /* given again, for want of memory behind it */
    if (event->command.number <= core->last_number || !core_is_command(order->kind) ||
        core_order_size(order) > CORE_ENTRY_BYTES_MAX)
        return -EINVAL;
    if (core->asked.count == CORE_REQUESTS_MAX)
        return -EBUSY;
    if (order->text_size > 0) {
        text = malloc(order->text_size);
        if (text == NULL)
            return -ENOMEM;
        memcpy(text, order->text, order->text_size);
    }
    asked.order.text = text;
    asked.order.from = core->self;
    asked.order.incarnation = core->life.incarnation;
    asked.order.request = event->command.number;
    rc = hw_vector_push(&core->asked, asked);
    if (rc < 0)
        free(text);
    else
        core->last_number = event->command.number;
    return rc;
}

static void take_cancel(struct core *core, uint64_t number)
{
    for (size_t i = core->asked.count; i > 0; i--) {
        if (core->asked.items[i - 1].number != number)
            continue;
        free((char *)(uintptr_t)core->asked.items[i - 1].order.text);
        hw_vector_remove(&core->asked, i - 1);
    }
}

int core_take(struct core *core, const struct core_event *event, core_actions *actions)
{
    switch (event->type) {
    case CORE_EVENT_VIEW:
        return take_view(core, event, actions);
    case CORE_EVENT_QUORATE:
        core_log_quorate(core->log, event->quorate);
        return 0;
    case CORE_EVENT_LOG:
        return take_log(core, event, actions);
    case CORE_EVENT_BEAT:
        take_beat(core, event);
        return 0;
    case CORE_EVENT_MESSAGE:
        return take_message(core, event, actions);
    case CORE_EVENT_SNAPSHOT:
        return take_snapshot(core, event, actions);
    case CORE_EVENT_STORED:
        return take_stored(core, event, actions);
    case CORE_EVENT_TIMER:
        return take_timer(core, event, actions);
    case CORE_EVENT_VM:
        return core_local_told(core, event);
    case CORE_EVENT_FENCED:
        return core_take_fenced(core, event, actions);
    case CORE_EVENT_COMMAND:
        return take_command(core, event);
    case CORE_EVENT_CANCEL:
        take_cancel(core, event->cancel);
        return 0;
    }
    return 0;
}
