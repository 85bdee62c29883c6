/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this node has of VMs: a record for each generation that it was granted and that is not
 * proven away, or whose process is here. Orders follow from the committed state; the record says
 * how far the shell was told to go, so that each order is given once.
 */
#include <config.h>

#include "clusterd/core/core_step_priv.h"

#include "clusterd/core/core_executor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t place(const struct core *core, uint32_t vm, uint32_t generation)
{
    size_t low = 0, high = core->locals.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct core_local *local = &core->locals.items[middle];

        if (local->vm < vm || (local->vm == vm && local->generation < generation))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct core_local *find(struct core *core, uint32_t vm, uint32_t generation)
{
    size_t at = place(core, vm, generation);
    struct core_local *local = at < core->locals.count ? &core->locals.items[at] : NULL;

    return local != NULL && local->vm == vm && local->generation == generation ? local : NULL;
}

static struct core_local *make(struct core *core, uint32_t vm, uint32_t generation, uint32_t run)
{
    const struct core_local local = { .vm = vm, .generation = generation, .run = run };
    size_t at = place(core, vm, generation);

    if (hw_vector_insert(&core->locals, at, local) < 0)
        return NULL;
    core->report_news = true;
    return &core->locals.items[at];
}

/* Forward only: STOPPED is for good, and what was told to stop says nothing else any more. */
int core_local_told(struct core *core, const struct core_event *event)
{
    struct core_local *local = find(core, event->vm.vm, event->vm.generation);

    if (event->vm.run >= CORE_RUN_COUNT || event->vm.stop >= CORE_STOP_COUNT ||
        event->vm.generation == 0)
        return 0;
    if (local == NULL) { /* found here; nothing is left of one that stopped */
        if (event->vm.run == CORE_RUN_STOPPED)
            return 0;
        local = make(core, event->vm.vm, event->vm.generation, event->vm.run);
        if (local == NULL)
            return -ENOMEM;
    }
    core->report_news = true;
    if (event->vm.seen > local->seen)
        local->seen = event->vm.seen;
    if (event->vm.run == CORE_RUN_RUNNING && local->run == CORE_RUN_SAVING)
        local->run = CORE_RUN_RUNNING;
    if (event->vm.run <= local->run)
        return 0;
    local->run = event->vm.run;
    if (local->run >= CORE_RUN_CLAIMED && local->claimed_ms == 0)
        local->claimed_ms = event->now_ms;
    if (local->run == CORE_RUN_STOPPED)
        local->stop = event->vm.stop;
    return 0;
}

static int order_vm(struct core *core, struct core_local *local, enum core_action_type type,
                    uint32_t run, const struct core_vm *vm, core_actions *actions)
{
    struct core_action *action = core_act(actions, type);

    if (action == NULL)
        return -ENOMEM;
    action->vm = local->vm;
    action->generation = local->generation;
    action->name = vm != NULL ? vm->name : "";
    local->run = run;
    core->report_news = true;
    return 0;
}

static bool others_are_revoked(const struct core_vm *vm, const struct core_executor *but)
{
    for (size_t i = 0; i < vm->executors.count; i++) {
        if (&vm->executors.items[i] != but && vm->executors.items[i].revoked == 0)
            return false;
    }
    return true;
}

static bool may_start(const struct core_vm *vm, const struct core_executor *executor)
{
#ifdef CORE_MUTATE_START_WITHOUT_PROOF
    return executor->revoked == 0;
#endif
    return core_executor_may_start(vm, executor->node_id, executor->generation);
}

/* What comes next for a generation that is granted and not revoked. What an earlier life began and
 * did not end is not gone on with: only what runs is adopted. */
static int go_on(struct core *core, struct core_local *local, const struct core_vm *vm,
                 const struct core_executor *executor, core_actions *actions)
{
    size_t at = actions->count;
    int rc = 0;

    if (executor->granted <= core->joined && local->run < CORE_RUN_RUNNING)
        rc = order_vm(core, local, CORE_ACTION_STOP, CORE_RUN_STOPPING, vm, actions);
    else if (local->run == CORE_RUN_PREPARED && others_are_revoked(vm, executor))
        rc = order_vm(core, local, CORE_ACTION_CLAIM, CORE_RUN_CLAIMING, vm, actions);
    else if (local->run == CORE_RUN_CLAIMED && may_start(vm, executor))
        rc = order_vm(core, local, CORE_ACTION_START, CORE_RUN_STARTING, vm, actions);
    else if (local->run == CORE_RUN_RUNNING && vm->phase == CORE_VM_MOVING &&
             local->moved != vm->moved)
        rc = order_vm(core, local, CORE_ACTION_SAVE, CORE_RUN_SAVING, vm, actions);
    if (local->run == CORE_RUN_SAVING)
        local->moved = vm->moved; /* once for each order */
    if (rc == 0 && actions->count > at) {
        actions->items[at].lease = executor->lease;
        actions->items[at].deadman_ms = executor->deadman_ms;
        actions->items[at].store_ms = executor->store_ms;
    }
    return rc;
}

static int run_executor(struct core *core, const struct core_vm *vm,
                        const struct core_executor *executor, core_actions *actions)
{
    struct core_local *local = find(core, vm->number, executor->generation);

    if (local == NULL) {
        /* Of an earlier life, and its process is not here; or revoked before it was begun. It never
         * starts: this record says so as long as the state names it, and after that nothing does.
         */
        bool never = executor->granted <= core->joined || executor->revoked != 0;

        local = make(core, vm->number, executor->generation,
                     never ? CORE_RUN_STOPPED : CORE_RUN_PREPARING);
        if (local == NULL)
            return -ENOMEM;
        if (never) {
            local->stop = CORE_STOP_NEVER; /* and is reported so */
            return 0;
        }
        if (order_vm(core, local, CORE_ACTION_PREPARE, CORE_RUN_PREPARING, vm, actions) < 0) {
            hw_vector_remove(&core->locals, place(core, vm->number, executor->generation));
            return -ENOMEM;
        }
        return 0;
    }
    if (executor->revoked != 0)
        return local->run < CORE_RUN_STOPPING
                   ? order_vm(core, local, CORE_ACTION_STOP, CORE_RUN_STOPPING, vm, actions)
                   : 0;
    return go_on(core, local, vm, executor, actions);
}

static int run_granted(struct core *core, core_actions *actions)
{
    int rc = 0;

    for (size_t i = 0; i < core->state.vms.count; i++) {
        const struct core_vm *vm = &core->state.vms.items[i];

        for (size_t k = 0; rc == 0 && k < vm->executors.count; k++) {
            if (vm->executors.items[k].node_id == core->self)
                rc = run_executor(core, vm, &vm->executors.items[k], actions);
        }
    }
    return rc;
}

static const struct core_vm *vm_of(const struct core *core, const struct core_local *local)
{
    for (size_t i = 0; i < core->state.vms.count; i++) {
        if (core->state.vms.items[i].number == local->vm)
            return &core->state.vms.items[i];
    }
    return NULL;
}

static bool is_granted(const struct core *core, const struct core_local *local)
{
    const struct core_vm *vm = vm_of(core, local);

    for (size_t i = 0; vm != NULL && i < vm->executors.count; i++) {
        if (vm->executors.items[i].node_id == core->self &&
            vm->executors.items[i].generation == local->generation)
            return true;
    }
    return false;
}

/* Records that the state does not name any more: end what is there, forget what is not. */
static int end_others(struct core *core, bool all, core_actions *actions)
{
    for (size_t i = core->locals.count; i > 0; i--) {
        struct core_local *local = &core->locals.items[i - 1];

        if (!all && is_granted(core, local))
            continue;
        if (local->run < CORE_RUN_STOPPING) {
            if (order_vm(core, local, CORE_ACTION_STOP, CORE_RUN_STOPPING, vm_of(core, local),
                         actions) < 0)
                return -ENOMEM;
        } else if (local->run == CORE_RUN_STOPPED && !all) {
            hw_vector_remove(&core->locals, i - 1);
            core->report_news = true;
        }
    }
    return 0;
}

int core_local_run(struct core *core, core_actions *actions)
{
    int rc;

    if (core->diverged) { /* without asking anybody; what a majority says comes later */
        rc = end_others(core, true, actions);
        core->diverged = rc < 0;
        return rc;
    }
    if (!core_is_current(core))
        return 0; /* frozen by its leases; neither begun nor ended */
    rc = run_granted(core, actions);
    return rc < 0 ? rc : end_others(core, false, actions);
}

static int compare_feeds(const void *left, const void *right)
{
    const struct core_beat_feed *l = left, *r = right;

    return l->vm < r->vm ? -1 : l->vm > r->vm ? 1 : 0;
}

static int collect_feeds(struct core *core)
{
    int rc = 0;

    core->feeds.count = 0;
    for (size_t i = 0; i < core->state.vms.count; i++) {
        const struct core_vm *vm = &core->state.vms.items[i];

        for (size_t k = 0; rc == 0 && k < vm->executors.count; k++) {
            const struct core_executor *executor = &vm->executors.items[k];

            if (executor->node_id == core->self && executor->revoked == 0)
                rc = hw_vector_push(&core->feeds,
                                    (struct core_beat_feed) { vm->number, executor->generation });
        }
    }
    if (core->feeds.count > 1)
        qsort(core->feeds.items, core->feeds.count, sizeof(core->feeds.items[0]), compare_feeds);
    return rc;
}

#ifdef CORE_MUTATE_BARS_END
static bool is_unproven(const struct core *core, uint32_t node)
{
    for (size_t i = 0; i < core->state.vms.count; i++) {
        for (size_t k = 0; k < core->state.vms.items[i].executors.count; k++) {
            if (core->state.vms.items[i].executors.items[k].node_id == node)
                return true;
        }
    }
    return false;
}
#endif

static void collect_bars(const struct core *core, struct core_beat_table *table)
{
    for (size_t i = 0; i < core->state.nodes.count && table->bar_count < CORE_VOTERS_MAX; i++) {
        const struct core_node *node = &core->state.nodes.items[i];

#ifdef CORE_MUTATE_BARS_END /* with the proof */
        if (!is_unproven(core, node->id))
            continue;
#endif
        if (node->revoked != 0)
            table->bars[table->bar_count++] = (struct core_beat_bar) { node->id, node->revoked };
    }
}

int core_local_table(struct core *core, core_actions *actions)
{
    bool current = core_is_current(core);
    struct core_beat_table *table = &core->table;
    int rc;

    if (table->current == current && table->term == core_log_term(core->log) &&
        table->index == core->state.index)
        return 0;
    rc = hw_vector_reserve(actions, actions->count + 1);
    if (rc == 0)
        rc = collect_feeds(core);
    if (rc < 0) {
        core->feeds.count = 0; /* nothing is fed by half a table */
        table->feed_count = 0;
        return rc;
    }
    memset(table, 0, sizeof(*table));
    table->current = current;
    table->term = core_log_term(core->log);
    table->index = core->state.index;
    table->deadman_ms = core->state.cluster.deadman_ms;
    table->store_ms = core->state.cluster.store_ms;
    table->map = *core_log_map(core->log);
    collect_bars(core, table);
    table->feeds = core->feeds.items;
    table->feed_count = core->feeds.count;
    (void)core_act(actions, CORE_ACTION_TABLE);
    return 0;
}

int core_local_report(struct core *core, uint64_t now_ms, bool timer, core_actions *actions)
{
    core->report_ticks += timer;
    if (!core->seen_view || (!core->report_news && core->report_ticks < CORE_REPORT_TICKS) ||
        (core->report_news && !timer && core->report_ticks == 0))
        return 0;
    core->report.count = 0;
    for (size_t i = 0; i < core->locals.count && i < CORE_REPORT_ITEMS_MAX; i++) {
        const struct core_local *local = &core->locals.items[i];
        const struct core_report_item item = {
            .vm = local->vm,
            .generation = local->generation,
            .run = local->run,
            .stop = local->stop,
            .seen = local->seen,
            .since_ms = local->claimed_ms != 0 ? now_ms - local->claimed_ms : 0,
        };

        if (hw_vector_push(&core->report, item) < 0)
            return -ENOMEM;
    }
    if (core_act(actions, CORE_ACTION_REPORT) == NULL)
        return -ENOMEM;
    core->report_news = false;
    core->report_ticks = 0;
    return 0;
}
