/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core's side of the log: its actions go on to the shell, committed entries into the state. An
 * entry that could not be applied for want of memory is tried again at the next event.
 */
#include <config.h>

#include "clusterd/core/core_step_priv.h"

#include "clusterd/core/core_apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct core_action *core_act(core_actions *actions, enum core_action_type type)
{
    struct core_action action;

    memset(&action, 0, sizeof(action));
    action.type = type;
    if (hw_vector_push(actions, action) < 0)
        return NULL;
    return &actions->items[actions->count - 1];
}

int core_log_room(core_actions *actions)
{
    return hw_vector_reserve(actions, actions->count + CORE_LOG_ACTIONS_MAX);
}

void core_log_pass(struct core *core, const struct core_log_actions *from, core_actions *actions)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct core_action *action;

        if (from->items[i].kind == CORE_LOG_COMMITTED)
            continue; /* core_catch_up() looks for itself */
        if (from->items[i].kind == CORE_LOG_SEND_SNAPSHOT && core->state.index != from->items[i].to)
            continue; /* the state is behind for want of memory: it is asked for again */
        if (from->items[i].kind == CORE_LOG_DIVERGED)
            core->diverged = true;
        action = core_act(actions, CORE_ACTION_LOG);
        if (action == NULL)
            abort(); /* core_log_room() was called */
        action->log = from->items[i];
    }
}

/* A command of this life of ours was applied, or refused. The room for the answer comes first. */
static struct core_asked *answered(struct core *core, const struct core_order *order)
{
    if (order->kind == 0 || order->from != core->self || core->asked.count == 0 ||
        order->incarnation != core->life.incarnation ||
        order->request != core->asked.items[0].number)
        return NULL;
    return &core->asked.items[0];
}

static void tell(struct core *core, int result, core_actions *actions)
{
    struct core_action *action = core_act(actions, CORE_ACTION_TELL);

    if (action == NULL)
        abort(); /* there was room */
    action->index = core->asked.items[0].number;
    action->result = result;
    free((char *)(uintptr_t)core->asked.items[0].order.text);
    hw_vector_remove(&core->asked, 0);
}

/* When this leader saw a VM fail, or run, for the first time. */
static void note_times(struct core *core, const struct core_order *order, uint64_t now_ms)
{
    const struct core_vm *vm = core_vm_find(&core->state, order->object);

    if (vm == NULL)
        return;
    if (order->kind == CORE_ORDER_STOPPED && vm->number < core->failed_ms.count)
        core->failed_ms.items[vm->number] = now_ms;
    if (order->kind == CORE_ORDER_STAYS && vm->number < core->move_ms.count)
        core->move_ms.items[vm->number] = now_ms + core->timing.backoff_most_ms;
    if (order->kind == CORE_ORDER_RUNNING && vm->number < core->running_ms.count)
        core->running_ms.items[vm->number] = now_ms;
}

int core_catch_up(struct core *core, uint64_t now_ms, core_actions *actions)
{
#ifdef CORE_MUTATE_UNCOMMITTED
    while (core->state.index < core_log_last(core->log).index) {
#else
    while (core->state.index < core_log_committed(core->log)) {
#endif
        const struct core_entry *entry = core_log_entry(core->log, core->state.index + 1);
        struct core_order order;
        int rc, result;

        if (entry == NULL)
            abort(); /* a snapshot comes with its state */
        rc = hw_vector_reserve(actions, actions->count + 1);
        if (rc == 0)
            rc = core_apply(&core->state, entry, &order, &result);
        if (rc < 0)
            return rc;
        if (entry->kind == CORE_ENTRY_OPEN)
            core->opened = entry->index;
        if (entry->kind == CORE_ENTRY_MAP)
            core->mapped = entry->index;
        if (answered(core, &order) != NULL)
            tell(core, result, actions);
        if (result == 0)
            note_times(core, &order, now_ms);
    }
    if (core->joined == 0 && core_is_current(core))
        core->joined = core->opened;
    return 0;
}

int core_keep_state(struct core *core, core_actions *actions)
{
    struct core_action *action;
    uint64_t hash;

    /* the map that goes with it is that of the last committed entry */
    if (core->storing != 0 || core->state.index != core_log_committed(core->log) ||
        core->state.index < CORE_KEEP_ENTRIES ||
        core_log_entry(core->log, core->state.index - CORE_KEEP_ENTRIES) == NULL ||
        core_log_hash(core->log, core->state.index, &hash) < 0)
        return 0;
    action = core_act(actions, CORE_ACTION_STORE_STATE);
    if (action == NULL)
        return -ENOMEM;
    action->index = core->storing = core->state.index;
    return 0;
}

int core_propose(struct core *core, const struct core_order *order, core_actions *actions)
{
    struct core_log_actions from = { 0 };
    size_t size = core_order_size(order);
    uint8_t *bytes;
    uint64_t index;
    int rc = core_log_room(actions);

    if (rc < 0)
        return rc;
    bytes = malloc(size);
    if (bytes == NULL)
        return -ENOMEM;
    core_order_encode(order, bytes);
    rc = core_log_propose(core->log, order->kind, bytes, size, &from, &index);
    free(bytes);
    core_log_pass(core, &from, actions);
    return rc;
}
