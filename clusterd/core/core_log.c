/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log's entries, and what of them is committed.
 */
#include <config.h>

#include "clusterd/core/core_log_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct core_log_action *core_log_act(struct core_log_actions *actions,
                                     enum core_log_action_kind kind)
{
    struct core_log_action *action;

    if (actions->count == CORE_LOG_ACTIONS_MAX)
        abort(); /* no event gives so many */
    action = &actions->items[actions->count++];
    memset(action, 0, sizeof(*action));
    action->kind = kind;
    return action;
}

int core_log_new(const struct core_log_start *start, struct core_log **ret_log)
{
    struct core_log *log;

    if (start->self == 0 || start->self >= CORE_WITNESS_ID ||
        (!start->blank && (start->base.index == 0 || start->map.count == 0)))
        return -EINVAL;
    log = calloc(1, sizeof(*log));
    if (log == NULL)
        return -ENOMEM;
    log->self = start->self;
    log->incarnation = start->incarnation;
    log->blank = start->blank;
    log->promised = log->promise_stored = start->promised;
    if (!start->blank) {
        log->base = start->base;
        log->base_hash = start->base_hash;
        log->map = start->map;
        log->durable = log->committed = start->base.index;
        if (log->promised < start->base.term)
            log->promised = log->promise_stored = start->base.term;
    }
    *ret_log = log;
    return 0;
}

static void drop_items(struct core_log *log, uint64_t keep)
{
    while (log->items.count > keep)
        core_entry_free(&log->items.items[--log->items.count].entry);
}

void core_log_free(struct core_log *log)
{
    if (log == NULL)
        return;
    drop_items(log, 0);
    hw_vector_free(&log->items);
    free(log);
}

const struct core_entry *core_log_entry(const struct core_log *log, uint64_t index)
{
    if (index <= log->base.index || index - log->base.index > log->items.count)
        return NULL;
    return &log->items.items[index - log->base.index - 1].entry;
}

int core_log_hash(const struct core_log *log, uint64_t index, uint64_t *ret_hash)
{
    if (index == log->base.index && index > 0) {
        *ret_hash = log->base_hash;
        return 0;
    }
    if (core_log_entry(log, index) == NULL)
        return -ENOENT;
    *ret_hash = log->items.items[index - log->base.index - 1].hash;
    return 0;
}

struct core_position core_log_last(const struct core_log *log)
{
    struct core_position last = log->base;

    if (log->items.count > 0) {
        const struct core_entry *entry = &log->items.items[log->items.count - 1].entry;

        last = (struct core_position) { entry->term, entry->index };
    }
    return last;
}

static int push(struct core_log *log, const struct core_entry *entry)
{
    struct core_log_item item = { .hash = core_entry_hash(entry) };
    int rc = core_entry_copy(entry, &item.entry);

    if (rc < 0)
        return rc;
    rc = hw_vector_push(&log->items, item);
    if (rc < 0)
        core_entry_free(&item.entry);
    return rc;
}

int core_log_restore(struct core_log *log, const struct core_entry *entry)
{
    struct core_position last = core_log_last(log);
    uint64_t hash;
    int rc;

    if (core_log_hash(log, last.index, &hash) < 0 || entry->index != last.index + 1 ||
        entry->term < last.term || entry->previous != hash)
        return -EBADMSG;
    rc = push(log, entry);
    if (rc < 0)
        return rc;
    log->durable = entry->index;
    if (log->promised < entry->term) /* it was promised before it was stored */
        log->promised = log->promise_stored = entry->term;
    return 0;
}

int core_log_append(struct core_log *log, const struct core_entry *entry,
                    struct core_log_actions *actions)
{
    struct core_log_action *store;
    int rc = push(log, entry);

    if (rc < 0)
        return rc;
    store = core_log_act(actions, CORE_LOG_STORE_ENTRIES);
    store->from = store->to = entry->index;
    log->matched = entry->index;
    return 0;
}

void core_log_truncate(struct core_log *log, uint64_t to, struct core_log_actions *actions)
{
    core_log_act(actions, CORE_LOG_TRUNCATE)->to = to;
    drop_items(log, to - log->base.index);
    if (log->durable > to)
        log->durable = to;
    if (log->matched > to)
        log->matched = to;
}

void core_log_forget(struct core_log *log)
{
    drop_items(log, 0);
    log->blank = true;
    log->base = (struct core_position) { 0, 0 };
    log->base_hash = 0;
    log->durable = log->committed = log->matched = 0;
    log->map = (struct core_vote_map) { 0 };
    if (log->role != CORE_LOG_FOLLOWS)
        log->role = CORE_LOG_FOLLOWS;
}

bool core_log_majority(struct core_log *log, uint64_t to, bool (*has)(void *context, uint32_t id),
                       void *context)
{
    bool enough = core_vote_map_majority(&log->map, has, context);

#ifdef CORE_MUTATE_NEW_MAP_ALONE
    for (uint64_t index = to; index > log->committed; index--) {
        const struct core_entry *entry = core_log_entry(log, index);
        struct core_vote_map map;

        if (entry != NULL && entry->kind == CORE_ENTRY_MAP &&
            core_vote_map_decode(entry->bytes, entry->size, &map) == 0)
            return core_vote_map_majority(&map, has, context);
    }
#endif
    for (uint64_t index = log->committed + 1; enough && index <= to; index++) {
        const struct core_entry *entry = core_log_entry(log, index);
        struct core_vote_map map;

        if (entry == NULL || entry->kind != CORE_ENTRY_MAP)
            continue;
        enough = core_vote_map_decode(entry->bytes, entry->size, &map) == 0 &&
                 core_vote_map_majority(&map, has, context);
    }
    return enough;
}

uint64_t core_log_own_ack(const struct core_log *log)
{
#ifdef CORE_MUTATE_ACK_BEFORE_DISK
    return log->matched;
#endif
    return log->durable < log->matched ? log->durable : log->matched;
}

struct acked {
    struct core_log *log;
    uint64_t index;
};

static bool has_on_disk(void *context, uint32_t id)
{
    const struct acked *acked = context;
    const struct core_log_peer *peer = core_log_peer(acked->log, id);

    if (id == acked->log->self)
        return core_log_own_ack(acked->log) >= acked->index;
    return peer != NULL && peer->acked >= acked->index;
}

static void commit(struct core_log *log, uint64_t to, struct core_log_actions *actions)
{
    for (uint64_t index = log->committed + 1; index <= to; index++) {
        const struct core_entry *entry = core_log_entry(log, index);

        /* judged when it was appended */
        if (entry->kind == CORE_ENTRY_MAP)
            (void)core_vote_map_decode(entry->bytes, entry->size, &log->map);
    }
    log->committed = to;
    core_log_act(actions, CORE_LOG_COMMITTED)->to = to;
}

/*
 * Down from the newest: an entry of an earlier term is committed only through one of this term that
 * follows it. (Its copies alone prove nothing: a leader who has not seen them may be elected, and
 * replace them.)
 */
void core_log_advance(struct core_log *log, struct core_log_actions *actions)
{
    const struct core_entry *entry;

    if (!log->adopted)
        return;
    for (uint64_t index = log->matched; index > log->committed; index--) {
        struct acked acked = { log, index };

        entry = core_log_entry(log, index);
#ifdef CORE_MUTATE_EARLIER_TERMS
        if (entry == NULL)
#else
        if (entry == NULL || entry->term != log->promised)
#endif
            break;
        if (core_log_majority(log, index, has_on_disk, &acked)) {
            commit(log, index, actions);
            break;
        }
    }
    /* loaded: the first entry of this term is committed, and everything before it is on this disk
     */
    if (log->blank && core_log_is_current(log) && log->durable >= log->committed) {
        log->blank = false;
        core_log_act(actions, CORE_LOG_WHOLE);
    }
}

void core_log_stored(struct core_log *log, uint64_t index, uint64_t hash,
                     struct core_log_actions *actions)
{
    uint64_t now, before = core_log_own_ack(log);

    /* truncated or replaced since: what is on disk is not this log's */
    if (core_log_hash(log, index, &now) < 0 || now != hash || index <= log->durable)
        return;
    log->durable = index;
    if (!log->adopted || core_log_own_ack(log) == before)
        return;
    core_log_say(log, actions, CORE_LOG_ACK)->position.index = core_log_own_ack(log);
    core_log_advance(log, actions);
}

int core_log_compact(struct core_log *log, uint64_t index)
{
    const struct core_entry *entry = core_log_entry(log, index);
    struct core_position base;
    size_t drop = index - log->base.index;

    if (entry == NULL || index > log->committed || index > log->durable)
        return -EINVAL;
    base = (struct core_position) { entry->term, entry->index };
    log->base_hash = log->items.items[drop - 1].hash;
    for (size_t i = 0; i < drop; i++)
        core_entry_free(&log->items.items[i].entry);
    log->items.count -= drop;
    memmove(log->items.items, log->items.items + drop,
            log->items.count * sizeof(*log->items.items));
    log->base = base;
    return 0;
}

int core_log_install(struct core_log *log, uint64_t term, struct core_position position,
                     uint64_t hash, const struct core_vote_map *map,
                     struct core_log_actions *actions)
{
    if (!log->adopted || term != log->promised || log->leader == log->self || position.index == 0 ||
        position.term > term || position.index <= log->committed ||
        position.index <= log->matched) /* never in place of entries that were acknowledged */
        return -ESTALE;
    drop_items(log, 0);
    log->base = position;
    log->base_hash = hash;
    log->map = *map;
    log->durable = 0;
    log->committed = log->matched = position.index;
    core_log_act(actions, CORE_LOG_STORE_SNAPSHOT)->to = position.index;
    core_log_act(actions, CORE_LOG_COMMITTED)->to = position.index;
    return 0;
}

bool core_log_is_blank(const struct core_log *log)
{
    return log->blank;
}

bool core_log_leads(const struct core_log *log)
{
    return log->role == CORE_LOG_IS_LEADER;
}

uint32_t core_log_leader(const struct core_log *log)
{
    return log->adopted ? log->leader : 0;
}

uint64_t core_log_term(const struct core_log *log)
{
    return log->promised;
}

uint64_t core_log_committed(const struct core_log *log)
{
    return log->committed;
}

bool core_log_is_current(const struct core_log *log)
{
    const struct core_entry *entry = core_log_entry(log, log->committed);
    uint64_t term = entry != NULL ? entry->term : log->base.term;

    return log->adopted && log->committed > 0 && log->matched >= log->committed &&
           term == log->promised;
}

const struct core_vote_map *core_log_map(const struct core_log *log)
{
    return &log->map;
}
