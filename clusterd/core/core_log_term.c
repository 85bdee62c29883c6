/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a term is opened: hello, who leads, ADOPT, promises.
 */
#include <config.h>

#include "clusterd/core/core_log_priv.h"

#include <string.h>

struct core_log_message *core_log_say(const struct core_log *log, struct core_log_actions *actions,
                                      enum core_log_message_kind kind)
{
    struct core_log_message *message = &core_log_act(actions, CORE_LOG_SEND)->message;

    message->kind = kind;
    message->from = log->self;
    message->blank = log->blank;
    message->leader = log->leader;
    message->term = log->promised;
    message->incarnation = log->incarnation;
    message->view = log->view;
    return message;
}

struct core_log_peer *core_log_peer(struct core_log *log, uint32_t id)
{
    for (size_t i = 0; i < log->peer_count; i++) {
        if (log->peers[i].id == id)
            return &log->peers[i];
    }
    return NULL;
}

void core_log_hello(struct core_log *log, struct core_log_actions *actions)
{
    struct core_log_message *hello = core_log_say(log, actions, CORE_LOG_HELLO);

    hello->leads = log->led != 0 && log->led == log->promised;
    hello->position = core_log_last(log);
}

void core_log_leave(struct core_log *log)
{
    log->role = CORE_LOG_FOLLOWS;
    log->adopted = false;
    log->leader = 0;
    log->matched = 0;
    log->asked = false;
}

void core_log_view(struct core_log *log, const struct core_view_id *id, bool quorate,
                   const uint32_t *members, size_t count, struct core_log_actions *actions)
{
    log->view = *id;
    log->quorate = quorate;
    log->peer_count = 0;
    for (size_t i = 0; i < count && i < CORE_VOTERS_MAX; i++) {
        if (core_log_peer(log, members[i]) == NULL)
            log->peers[log->peer_count++] = (struct core_log_peer) { .id = members[i] };
    }
    core_log_leave(log);
    core_log_hello(log, actions);
}

void core_log_quorate(struct core_log *log, bool quorate)
{
    log->quorate = quorate;
}

void core_log_unfit(struct core_log *log, uint32_t id, bool unfit)
{
    struct core_log_peer *peer = core_log_peer(log, id);

    if (peer == NULL)
        return;
    peer->unfit = unfit;
    if (unfit && log->adopted && id == log->leader) { /* another term, led by another */
        core_log_leave(log);
        for (size_t i = 0; i < log->peer_count; i++)
            log->peers[i].known = false; /* their logs have grown since */
    }
}

static bool counts(void *context, uint32_t id)
{
    const struct core_log_peer *peer = core_log_peer(context, id);

#ifdef CORE_MUTATE_EMPTY_COUNTS
    return peer != NULL && peer->known;
#endif
    return peer != NULL && peer->known && !peer->blank;
}

static bool has_promised(void *context, uint32_t id)
{
    const struct core_log_peer *peer = core_log_peer(context, id);

    return peer != NULL && peer->promised_me;
}

/* The present leader while it is fit and its log is the greatest; else the fit member with the
 * greatest log, then the lowest id. NULL: nobody. */
static const struct core_log_peer *choose(const struct core_log *log)
{
    const struct core_log_peer *best = NULL;

    for (size_t i = 0; i < log->peer_count; i++) {
        const struct core_log_peer *peer = &log->peers[i];
        int order;

        if (!peer->known || peer->blank || peer->unfit ||
            core_vote_map_votes(&log->map, peer->id) == 0 || peer->id == CORE_WITNESS_ID)
            continue;
        order = best == NULL ? 1 : core_position_compare(peer->position, best->position);
        if (order > 0 || (order == 0 && (peer->leads > best->leads ||
                                         (peer->leads == best->leads && peer->id < best->id))))
            best = peer;
    }
    return best;
}

void core_log_consider(struct core_log *log, bool hurry, struct core_log_actions *actions)
{
    const struct core_log_peer *chosen;
    struct core_log_message *adopt;
    uint64_t greatest = log->promised;

    if (log->adopted || log->role != CORE_LOG_FOLLOWS || log->blank || !log->quorate ||
        !core_log_majority(log, core_log_last(log).index, counts, log))
        return;
    for (size_t i = 0; i < log->peer_count; i++) {
        if (!log->peers[i].known && !hurry)
            return;
        if (log->peers[i].known && log->peers[i].promised > greatest)
            greatest = log->peers[i].promised;
    }
    chosen = choose(log);
    if (chosen == NULL || chosen->id != log->self || greatest == UINT64_MAX)
        return;
    log->role = CORE_LOG_OPENS;
    log->opening = greatest + 1;
    adopt = core_log_say(log, actions, CORE_LOG_ADOPT);
    adopt->term = log->opening;
    adopt->position = core_log_last(log);
}

void core_log_take_hello(struct core_log *log, const struct core_log_message *message,
                         struct core_log_actions *actions)
{
    struct core_log_peer *peer = core_log_peer(log, message->from);
    const struct core_log_peer *chosen;

    if (peer == NULL)
        return;
    peer->known = true;
    peer->blank = message->blank;
    peer->leads = message->leads;
    peer->incarnation = message->incarnation;
    peer->promised = message->term;
    peer->position = message->position;
    /* who will not follow says why: a greater promise; or its log makes another one the leader */
    chosen = choose(log);
    if ((log->role == CORE_LOG_OPENS && peer->id != log->self && peer->promised >= log->opening) ||
        (log->role == CORE_LOG_OPENS && (chosen == NULL || chosen->id != log->self)) ||
        (log->role == CORE_LOG_IS_LEADER && peer->promised > log->promised))
        core_log_leave(log);
    core_log_consider(log, false, actions);
}

static void say_promise(struct core_log *log, struct core_log_actions *actions)
{
    struct core_log_message *promise = core_log_say(log, actions, CORE_LOG_PROMISE);

    promise->position = core_log_last(log);
}

void core_log_follow(struct core_log *log, const struct core_log_message *message,
                     struct core_log_actions *actions)
{
    log->promised = message->term;
    log->adopted = true;
    log->leader = message->from;
    log->matched = 0;
    log->asked = false;
    if (message->from != log->self)
        log->role = CORE_LOG_FOLLOWS;
    for (size_t i = 0; i < log->peer_count; i++) {
        log->peers[i].acked = 0;
        log->peers[i].promised_me = false;
    }
    core_log_act(actions, CORE_LOG_STORE_PROMISE)->term = log->promised;
#ifdef CORE_MUTATE_PROMISE_BEFORE_DISK
    core_log_say(log, actions, CORE_LOG_PROMISE)->position = core_log_last(log);
#endif
}

/* A promise is given once for each term, and never to a leader whose log is less than this one:
 * what a majority has on disk is in the log of everybody whom a majority follows. */
void core_log_take_adopt(struct core_log *log, const struct core_log_message *message,
                         struct core_log_actions *actions)
{
    if (log->adopted && message->term == log->promised && message->from == log->leader) {
        if (log->promise_stored == log->promised)
            say_promise(log, actions);
        return;
    }
    if (message->term <= log->promised || message->from == CORE_WITNESS_ID ||
        core_position_compare(message->position, core_log_last(log)) < 0 ||
        (message->from == log->self &&
         (log->role != CORE_LOG_OPENS || message->term != log->opening))) {
        core_log_hello(log, actions);
        return;
    }
    core_log_follow(log, message, actions);
}

static int elected(struct core_log *log, struct core_log_actions *actions)
{
    struct core_entry open = { .term = log->promised,
                               .index = core_log_last(log).index + 1,
                               .kind = CORE_ENTRY_OPEN };
    struct core_log_action *send;
    int rc;

    (void)core_log_hash(log, open.index - 1, &open.previous);
    rc = core_log_append(log, &open, actions);
    if (rc < 0)
        return rc;
    log->role = CORE_LOG_IS_LEADER;
    log->led = log->promised;
    send = core_log_act(actions, CORE_LOG_SEND_ENTRIES);
    send->from = send->to = open.index;
    return 0;
}

int core_log_take_promise(struct core_log *log, const struct core_log_message *message,
                          struct core_log_actions *actions)
{
    struct core_log_peer *peer = core_log_peer(log, message->from);

    if (peer == NULL || log->role != CORE_LOG_OPENS || !log->adopted ||
        message->leader != log->self || message->term != log->promised)
        return 0;
    peer->known = true;
    peer->blank = message->blank;
    peer->incarnation = message->incarnation;
    peer->promised = message->term;
    peer->promised_me = !message->blank; /* an empty store counts for nothing */
#ifdef CORE_MUTATE_EMPTY_COUNTS
    peer->promised_me = true;
#endif
#ifdef CORE_MUTATE_NO_PROMISES
    if (!has_promised(log, message->from))
#else
    if (!core_log_majority(log, core_log_last(log).index, has_promised, log))
#endif
        return 0;
    return elected(log, actions);
}

int core_log_promise_stored(struct core_log *log, uint64_t term, struct core_log_actions *actions)
{
    if (term != log->promised)
        return 0;
    log->promise_stored = term;
    if (log->adopted)
        say_promise(log, actions);
    return 0;
}
