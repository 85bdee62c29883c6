/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes once a term is opened: entries, acknowledgements, requests for what is missing, and
 * the leader's own proposals.
 */
#include <config.h>

#include "clusterd/core/core_log_priv.h"

#include <errno.h>

static bool map_pending(const struct core_log *log)
{
    uint64_t last = core_log_last(log).index;

    for (uint64_t index = log->committed + 1; index <= last; index++) {
        const struct core_entry *entry = core_log_entry(log, index);

        if (entry != NULL && entry->kind == CORE_ENTRY_MAP)
            return true;
    }
    return false;
}

static int check_map(const struct core_log *log, const uint8_t *bytes, size_t size)
{
    struct core_vote_map map;

    if (!core_log_is_current(log) || map_pending(log))
        return -EBUSY;
    if (core_vote_map_decode(bytes, size, &map) < 0 || map.count == 0 ||
        !core_vote_map_one_step(&log->map, &map))
        return -EINVAL;
    return 0;
}

int core_log_propose(struct core_log *log, uint16_t kind, const uint8_t *bytes, size_t size,
                     struct core_log_actions *actions, uint64_t *ret_index)
{
    struct core_entry entry = { .term = log->promised,
                                .index = core_log_last(log).index + 1,
                                .kind = kind,
                                .size = (uint32_t)size,
                                .bytes = (uint8_t *)(uintptr_t)bytes };
    struct core_log_action *send;
    int rc = 0;

    if (log->role != CORE_LOG_IS_LEADER)
        return -ENOTCONN;
    if (size > CORE_ENTRY_BYTES_MAX)
        return -EFBIG;
    if (kind == CORE_ENTRY_MAP)
        rc = check_map(log, bytes, size);
    else if (kind < CORE_ENTRY_USER)
        rc = -EINVAL;
    if (rc == 0)
        rc = core_log_hash(log, entry.index - 1, &entry.previous);
    if (rc == 0)
        rc = core_log_append(log, &entry, actions);
    if (rc < 0)
        return rc;
    send = core_log_act(actions, CORE_LOG_SEND_ENTRIES);
    send->from = send->to = entry.index;
    *ret_index = entry.index;
    return 0;
}

int core_log_entry_message(const struct core_log *log, uint64_t index,
                           struct core_log_message *ret_message)
{
    const struct core_entry *entry = core_log_entry(log, index);

    if (log->role != CORE_LOG_IS_LEADER)
        return -ENOTCONN;
    if (entry == NULL)
        return -ENOENT;
    *ret_message = (struct core_log_message) { .kind = CORE_LOG_ENTRY,
                                               .from = log->self,
                                               .leader = log->self,
                                               .term = log->promised,
                                               .incarnation = log->incarnation,
                                               .view = log->view,
                                               .entry = *entry };
    return 0;
}

/* From the first entry that may differ: what is committed here is the leader's too. */
static void say_need(struct core_log *log, struct core_log_actions *actions)
{
    uint64_t known = log->committed > log->matched ? log->committed : log->matched;

    if (log->asked)
        return; /* each of many entries that are sent again would ask for all of them again */
    log->asked = true;
    core_log_say(log, actions, CORE_LOG_NEED)->position.index = known + 1;
}

static void say_ack(struct core_log *log, struct core_log_actions *actions)
{
    core_log_say(log, actions, CORE_LOG_ACK)->position.index = core_log_own_ack(log);
}

static void diverged(struct core_log *log, uint64_t index, struct core_log_actions *actions)
{
    core_log_act(actions, CORE_LOG_DIVERGED)->to = index;
    core_log_forget(log);
    say_need(log, actions);
}

/* An entry that this log has, or whose place the snapshot covers. True: nothing is left to do. */
static bool have_already(struct core_log *log, const struct core_entry *entry, uint64_t hash,
                         struct core_log_actions *actions)
{
    uint64_t here;

    if (entry->index < log->base.index)
        return true;
    if (core_log_hash(log, entry->index, &here) < 0)
        return false;
    if (here == hash) {
        if (log->matched < entry->index) {
            log->matched = entry->index;
            say_ack(log, actions);
            core_log_advance(log, actions);
        }
        return true;
    }
    if (entry->index <= log->committed) {
        diverged(log, entry->index, actions);
        return true;
    }
    return false;
}

static bool well_formed(const struct core_log *log, const struct core_entry *entry)
{
    struct core_vote_map map;

    if (entry->term > log->promised || (entry->kind == CORE_ENTRY_OPEN && entry->size > 0))
        return false;
    return entry->kind != CORE_ENTRY_MAP ||
           (core_vote_map_decode(entry->bytes, entry->size, &map) == 0 && map.count > 0);
}

/*
 * Taken only behind an entry that is known to be the leader's predecessor: the hash covers
 * everything before, so one equal hash makes the logs equal up to there.
 */
static int take_entry(struct core_log *log, const struct core_log_message *message,
                      struct core_log_actions *actions)
{
    const struct core_entry *entry = &message->entry;
    uint64_t hash = core_entry_hash(entry), previous;

    if (message->from != log->leader || message->from == log->self || !well_formed(log, entry) ||
        have_already(log, entry, hash, actions))
        return 0;
    if (core_log_hash(log, entry->index - 1, &previous) < 0) {
        say_need(log, actions); /* a gap, or an empty store */
        return 0;
    }
#ifdef CORE_MUTATE_NO_CHAIN
    previous = entry->previous;
#endif
    if (previous != entry->previous) {
        if (entry->index - 1 <= log->committed)
            diverged(log, entry->index - 1, actions);
        else
            say_need(log, actions);
        return 0;
    }
    if (core_log_last(log).index >= entry->index)
        core_log_truncate(log, entry->index - 1, actions);
    return core_log_append(log, entry, actions);
}

static void take_ack(struct core_log *log, const struct core_log_message *message,
                     struct core_log_actions *actions)
{
    struct core_log_peer *peer = core_log_peer(log, message->from);

    if (peer == NULL || message->leader != log->leader)
        return;
    if (peer->known && peer->incarnation != message->incarnation)
        return;
    peer->known = true;
    peer->incarnation = message->incarnation;
    if (peer->acked >= message->position.index)
        return;
    peer->acked = message->position.index;
    core_log_advance(log, actions);
}

static void take_need(const struct core_log *log, const struct core_log_message *message,
                      struct core_log_actions *actions)
{
    struct core_log_action *send;
    uint64_t from = message->position.index;

    if (log->role != CORE_LOG_IS_LEADER || message->leader != log->self)
        return;
    if (from <= log->base.index) {
        core_log_act(actions, CORE_LOG_SEND_SNAPSHOT)->to = log->committed;
        from = log->committed + 1;
    }
    if (from > core_log_last(log).index)
        return;
    send = core_log_act(actions, CORE_LOG_SEND_ENTRIES);
    send->from = from;
    send->to = core_log_last(log).index;
}

int core_log_receive(struct core_log *log, const struct core_log_message *message,
                     struct core_log_actions *actions)
{
    if (!core_view_id_equal(&message->view, &log->view))
        return 0; /* queued since before: nothing in it holds any more */
    if (message->kind == CORE_LOG_HELLO) {
        core_log_take_hello(log, message, actions);
        return 0;
    }
    if (message->kind == CORE_LOG_ADOPT) {
        core_log_take_adopt(log, message, actions);
        return 0;
    }
    /* an entry is of somebody whom a majority has promised its term: followed without asking, even
     * by a member whose log is longer */
    if (message->kind == CORE_LOG_ENTRY && message->term > log->promised)
        core_log_follow(log, message, actions);
    if (!log->adopted || message->term != log->promised)
        return 0;
    switch (message->kind) {
    case CORE_LOG_PROMISE:
        return core_log_take_promise(log, message, actions);
    case CORE_LOG_ENTRY:
        return take_entry(log, message, actions);
    case CORE_LOG_ACK:
        take_ack(log, message, actions);
        return 0;
    case CORE_LOG_NEED:
        take_need(log, message, actions);
        return 0;
    default:
        return 0;
    }
}

static bool behind(const struct core_log *log)
{
    if (log->matched == 0 || log->matched < log->committed)
        return true;
    for (size_t i = 0; i < log->peer_count; i++) {
        if (log->peers[i].acked > log->matched)
            return true;
    }
    return false;
}

int core_log_timer(struct core_log *log, struct core_log_actions *actions)
{
    struct core_log_message *again;
    struct core_log_action *send;

    if (log->peer_count == 0)
        return 0;
    log->asked = false;
    if (!log->adopted) {
        core_log_hello(log, actions);
        if (log->role == CORE_LOG_OPENS) {
            again = core_log_say(log, actions, CORE_LOG_ADOPT);
            again->term = log->opening;
            again->position = core_log_last(log);
        }
        core_log_consider(log, true, actions);
        return 0;
    }
    if (log->promise_stored == log->promised) {
        again = core_log_say(log, actions, CORE_LOG_PROMISE);
        again->position = core_log_last(log);
    }
    if (log->role == CORE_LOG_OPENS) { /* some have not heard it */
        again = core_log_say(log, actions, CORE_LOG_ADOPT);
        again->position = core_log_last(log);
    }
    if (log->matched > 0)
        say_ack(log, actions);
    if (log->role == CORE_LOG_IS_LEADER) {
        send = core_log_act(actions, CORE_LOG_SEND_ENTRIES);
        send->to = core_log_last(log).index;
        send->from = send->to;
    } else if (behind(log)) {
        say_need(log, actions);
    }
    return 0;
}
