/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_step, clusterd/core/core_step_event, clusterd/core/core_step_log,
 * clusterd/core/core_step_local, clusterd/core/core_lead, clusterd/core/core_lead_vm: whole cores
 * in a world of their own (tests/sim/core_world), in the order in which an admin would see things.
 * Letters and numbers are the holes of the protocol's review. The random ones are
 * tests/sim/sim_core. (over 400: one story for each part that works with the others.)
 */
#include <config.h>

#include "clusterd/core/core_step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clusterd/core/core_config.h"
#include "clusterd/core/core_executor.h"
#include "tests/sim/core_world.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

static struct core_world world;

static void start_with(size_t count, bool agents, uint32_t lease)
{
    core_world_make(&world, count, agents, lease, 11);
    for (uint32_t id = 1; id <= count; id++)
        core_world_power(&world, id, true);
    core_world_run(&world, 4000);
}

static void start(size_t count, uint32_t lease)
{
    start_with(count, false, lease);
}

static void end(void)
{
    CU_ASSERT_STRING_EQUAL(world.broken, "");
    core_world_end(&world);
}

static const struct core_state *state_of(uint32_t id)
{
    return core_state_of(core_world_host(&world, id)->core);
}

static size_t executing(void)
{
    size_t all = 0;

    for (uint32_t vm = 1; vm <= CORE_VMS; vm++)
        all += core_world_executing(&world, vm);
    return all;
}

static size_t executing_on(uint32_t id)
{
    const struct core_host *host = core_world_host(&world, id);
    size_t all = 0;

    for (size_t i = 0; i < host->processes.count; i++)
        all += host->processes.items[i].executes;
    return all;
}

static void split_off(uint32_t id)
{
    uint32_t part[CORE_NODES_MAX] = { 0 };

    if (id != 0)
        part[id - 1] = 1;
    core_world_partition(&world, part);
}

static void want(uint32_t at, const char *vm, uint32_t value)
{
    struct core_order order = { .kind = CORE_ORDER_WANT, .value = value };

    (void)core_name_set(order.object, vm);
    core_world_command(&world, at, &order);
}

static void vms_start(void)
{
    start(3, CORE_LEASE_MEMBER);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    for (uint32_t id = 1; id <= 3; id++) {
        CU_ASSERT(core_is_current(core_world_host(&world, id)->core));
        CU_ASSERT_EQUAL(core_vm_find(state_of(id), "a")->phase, CORE_VM_RUNNING);
        CU_ASSERT_EQUAL(core_node_find(state_of(id), "n2")->state, CORE_NODE_ONLINE);
    }
    end();
}

/* The host of the most VMs; it has one at least. */
static uint32_t busiest(void)
{
    uint32_t best = 1;

    for (uint32_t id = 2; id <= world.count; id++) {
        if (executing_on(id) > executing_on(best))
            best = id;
    }
    CU_ASSERT(executing_on(best) > 0);
    return best;
}

static void a_host_dies(uint32_t lease)
{
    uint32_t id;

    start(3, lease);
    id = busiest();
    core_world_power(&world, id, false);
    CU_ASSERT(executing() < CORE_VMS);
    core_world_run(&world, 6000);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    core_world_power(&world, id, true); /* it comes back, and takes nothing */
    core_world_run(&world, 4000);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    CU_ASSERT_EQUAL(executing_on(id), 0);
    CU_ASSERT_EQUAL(core_node_by_id(state_of(id), id)->state, CORE_NODE_ONLINE);
    end();
}

static void a_host_dies_member(void)
{
    a_host_dies(CORE_LEASE_MEMBER);
}

static void a_host_dies_storage(void)
{
    a_host_dies(CORE_LEASE_STORAGE);
}

/* A10: of a host that is fenced nothing is left, whatever its leases; what is given to it comes
 * after that. One that cannot be fenced is proven by its lease. */
static void a_host_is_fenced(void)
{
    const struct core_node *node;
    uint64_t fenced;
    uint32_t id;

    start_with(3, true, CORE_LEASE_MEMBER);
    world.fail_agents = 0;
    id = busiest();
    split_off(id);
    for (node = core_node_by_id(state_of(id % 3 + 1), id);
         node->fence_order == 0 && world.now_ms < 20000;
         node = core_node_by_id(state_of(id % 3 + 1), id))
        core_world_run(&world, CORE_TICK_MS);
    CU_ASSERT_EQUAL(node->state, CORE_NODE_FENCING);
    core_world_run(&world, 8000);
    fenced = world.fenced; /* more than once, if its result met a change of leaders */
    CU_ASSERT(fenced >= 1);
    CU_ASSERT(!core_world_host(&world, id)->up);
    node = core_node_by_id(state_of(id % 3 + 1), id);
    CU_ASSERT(node->state == CORE_NODE_LOST && node->fence_order == 0);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    split_off(0);
    core_world_power(&world, id, true);
    core_world_run(&world, 4000);
    CU_ASSERT_EQUAL(core_node_by_id(state_of(1), id)->state, CORE_NODE_ONLINE);
    world.fail_agents = 100;
    id = busiest();
    split_off(id);
    core_world_run(&world, 9000);
    CU_ASSERT_EQUAL(world.fenced, fenced);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    CU_ASSERT(core_world_host(&world, id)->up);
    end();
}

/* Cut off with its SAN: its guests stop by themselves before they go on elsewhere. */
static void a_host_is_cut_off(void)
{
    uint32_t id;

    start(3, CORE_LEASE_MEMBER);
    id = busiest();
    split_off(id);
    core_world_run(&world, 8000);
    CU_ASSERT_EQUAL(executing_on(id), 0);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    CU_ASSERT(core_world_host(&world, id)->processes.count > 0); /* it cannot know yet */
    split_off(0);
    core_world_run(&world, 5000);
    CU_ASSERT_EQUAL(core_world_host(&world, id)->processes.count, 0); /* ends what is not its own */
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    end();
}

/* A2 in one term: its main thread hangs, its beats go on. Unfit, and its VMs go elsewhere. */
static void a_main_thread_hangs(void)
{
    struct core_host *host;
    uint32_t id;

    start(3, CORE_LEASE_MEMBER);
    id = busiest();
    host = core_world_host(&world, id);
    host->hung_ms = world.now_ms + 20000;
    core_world_run(&world, 15000);
    CU_ASSERT_EQUAL(executing_on(id), 0);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    CU_ASSERT(core_world_leader(&world) != NULL && core_world_leader(&world)->id != id);
    core_world_run(&world, 10000);
    CU_ASSERT_EQUAL(core_node_by_id(state_of(1), id)->state, CORE_NODE_ONLINE);
    CU_ASSERT_EQUAL(host->processes.count, executing_on(id));
    end();
}

/* H3: a clusterd that is back in time finds its VMs running, and no other is started for them. */
static void a_clusterd_restarts(void)
{
    uint64_t starts;
    uint32_t id;

    start(3, CORE_LEASE_MEMBER);
    id = busiest();
    starts = world.starts;
    core_world_clusterd(&world, id, false);
    core_world_run(&world, 300);
    core_world_clusterd(&world, id, true);
    core_world_run(&world, 5000);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    CU_ASSERT_EQUAL(world.starts, starts);
    end();
}

/* What an earlier life was granted and had not started is not started by a later one. */
static void old_grants_do_not_start(void)
{
    struct core_host *host;
    const struct core_vm *vm;

    core_world_make(&world, 1, false, CORE_LEASE_MEMBER, 3);
    core_world_power(&world, 1, true);
    host = core_world_host(&world, 1);
    while (host->processes.count == 0 && world.now_ms < 4000)
        core_world_run(&world, CORE_TICK_MS);
    vm = core_vm_find(state_of(1), "a");
    CU_ASSERT_EQUAL(vm->generation, 1);
    core_world_clusterd(&world, 1, false); /* the grant is on its disk */
    core_world_clusterd(&world, 1, true);
    core_world_run(&world, 4000);
    vm = core_vm_find(state_of(1), "a");
    CU_ASSERT(vm->generation > 1);
    CU_ASSERT_EQUAL(vm->phase, CORE_VM_RUNNING);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    end();
}

static void admins_are_answered(void)
{
    start(3, CORE_LEASE_MEMBER);
    want(2, "b", CORE_WANT_STOPPED);
    want(2, "nobody", CORE_WANT_STOPPED);
    core_world_run(&world, 2000);
    CU_ASSERT_EQUAL(world.told_commands, 2);
    CU_ASSERT_EQUAL(world.told_result, -ENOENT);
    CU_ASSERT_EQUAL(executing(), CORE_VMS - 1);
    CU_ASSERT_EQUAL(core_vm_find(state_of(3), "b")->phase, CORE_VM_STOPPED);
    want(3, "b", CORE_WANT_RUNNING);
    core_world_run(&world, 3000);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    CU_ASSERT_EQUAL(world.told_result, 0);
    split_off(2); /* no answer without a majority; it comes when there is one */
    core_world_run(&world, 4000);
    want(2, "a", CORE_WANT_STOPPED);
    core_world_run(&world, 4000);
    CU_ASSERT_EQUAL(world.told_commands, 3);
    split_off(0);
    core_world_run(&world, 5000);
    CU_ASSERT_EQUAL(world.told_commands, 4);
    CU_ASSERT_EQUAL(executing(), CORE_VMS - 1);
    end();
}

static int command(uint32_t at, uint64_t number, const struct core_order *order)
{
    struct core_host *host = core_world_host(&world, at);
    struct core_event event;

    memset(&event, 0, sizeof(event));
    event.type = CORE_EVENT_COMMAND;
    event.command.number = number;
    event.command.order = order;
    core_world_event(&world, host, &event);
    return world.last_rc;
}

static void cancel(uint32_t at, uint64_t number)
{
    struct core_event event;

    memset(&event, 0, sizeof(event));
    event.type = CORE_EVENT_CANCEL;
    event.cancel = number;
    core_world_event(&world, core_world_host(&world, at), &event);
}

static void commands_are_judged(void)
{
    const struct core_order lost = { .kind = CORE_ORDER_LOST, .node = 1 };
    const struct core_order fine = { .kind = CORE_ORDER_WANT, .object = "a" };

    start(3, CORE_LEASE_MEMBER);
    split_off(1);
    core_world_run(&world, 3000);
    CU_ASSERT_EQUAL(command(1, 1, &lost), -EINVAL); /* the leader's own */
    CU_ASSERT_EQUAL(command(1, 2, &fine), 0);
    CU_ASSERT_EQUAL(command(1, 2, &fine), 0); /* the same, once more */
    CU_ASSERT_EQUAL(command(1, 1, &fine), -EINVAL);
    for (uint64_t number = 3; number < 3 + 63; number++)
        CU_ASSERT_EQUAL(command(1, number, &fine), 0);
    CU_ASSERT_EQUAL(command(1, 100, &fine), -EBUSY);
    cancel(1, 2);
    cancel(1, 50);
    cancel(1, 50);
    CU_ASSERT_EQUAL(command(1, 100, &fine), 0);
    split_off(0); /* one after the other, but those that nobody waits for */
    core_world_run(&world, 20000);
    CU_ASSERT_EQUAL(world.told_commands, 63);
    CU_ASSERT_EQUAL(world.told_result, 0);
    end();
}

/* Away with what they have in memory, and home again. */
static void standby_moves_vms(void)
{
    struct core_order order = { .kind = CORE_ORDER_MODE, .value = CORE_MODE_STANDBY };
    size_t there;

    start(3, CORE_LEASE_MEMBER);
    world.fail_saves = 0;
    order.node = busiest();
    there = executing_on(order.node);
    core_world_command(&world, 1, &order);
    core_world_run(&world, 6000);
    CU_ASSERT_EQUAL(executing_on(order.node), 0);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    CU_ASSERT_EQUAL(world.saves, there);
    CU_ASSERT_EQUAL(world.restores, there);
    order.value = CORE_MODE_ONLINE;
    core_world_command(&world, 1, &order);
    core_world_run(&world, 6000);
    CU_ASSERT_EQUAL(executing_on(order.node), there);
    CU_ASSERT_EQUAL(world.restores, 2 * there);
    CU_ASSERT_STRING_EQUAL(core_vm_find(state_of(1), "a")->home, "");
    end();
}

static void move(uint32_t to, uint32_t via)
{
    struct core_order order = { .kind = CORE_ORDER_MOVE, .node = to, .value = via, .object = "a" };

    core_world_command(&world, 1, &order);
}

static uint32_t where(void)
{
    const struct core_vm *vm = core_vm_find(state_of(1), "a");

    return vm->node[0] != '\0' ? core_node_find(state_of(1), vm->node)->id : 0;
}

static void an_admin_moves_a_vm(void)
{
    uint32_t from, to;

    start(3, CORE_LEASE_MEMBER);
    world.fail_saves = 0;
    from = where();
    to = from % 3 + 1;
    move(from, CORE_VIA_AUTO);
    core_world_run(&world, 1000);
    CU_ASSERT_EQUAL(world.told_result, -EALREADY);
    move(to, CORE_VIA_AUTO);
    core_world_run(&world, 4000);
    CU_ASSERT_EQUAL(world.told_result, 0);
    CU_ASSERT_EQUAL(where(), to);
    CU_ASSERT_EQUAL(world.restores, 1);
    move(from, CORE_VIA_RESTART);
    core_world_run(&world, 7000);
    CU_ASSERT_EQUAL(where(), from);
    CU_ASSERT_EQUAL(world.saves, 1);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    end();
}

/* What cannot be saved runs on where it is; its host may die in the middle. */
static void a_move_fails(void)
{
    uint64_t starts;
    uint32_t from;

    start(3, CORE_LEASE_MEMBER);
    world.fail_saves = 100;
    from = where();
    starts = world.starts;
    move(from % 3 + 1, CORE_VIA_AUTO);
    core_world_run(&world, 3000);
    CU_ASSERT_EQUAL(where(), from);
    CU_ASSERT_EQUAL(core_vm_find(state_of(1), "a")->phase, CORE_VM_RUNNING);
    CU_ASSERT_STRING_EQUAL(core_vm_find(state_of(1), "a")->target, "");
    CU_ASSERT_EQUAL(world.starts, starts);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    move(from % 3 + 1, CORE_VIA_AUTO);
    while (core_vm_find(state_of(1), "a")->phase != CORE_VM_MOVING && world.now_ms < 20000)
        core_world_run(&world, CORE_TICK_MS);
    core_world_power(&world, from, false);
    core_world_run(&world, 8000);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    end();
}

static void guests_end(void)
{
    start(3, CORE_LEASE_MEMBER);
    core_world_guest(&world, 1, CORE_STOP_CRASHED);
    core_world_guest(&world, 2, CORE_STOP_SHUTDOWN);
    core_world_run(&world, 5000);
    CU_ASSERT_EQUAL(core_world_executing(&world, 1), 1);
    CU_ASSERT_EQUAL(core_world_executing(&world, 2), 0); /* that was the admin inside */
    end();
}

static void configure(uint32_t at, const char *from, const char *to)
{
    struct core_order order = { .kind = CORE_ORDER_CONFIG };
    char *text, changed[2048], *place;

    CU_ASSERT_EQUAL_FATAL(core_config_print(state_of(at), &text), 0);
    place = strstr(text, from);
    CU_ASSERT_PTR_NOT_NULL_FATAL(place);
    CU_ASSERT_FATAL(strlen(text) + strlen(to) < sizeof(changed));
    memcpy(changed, text, (size_t)(place - text));
    (void)strcpy(changed + (place - text), to);
    (void)strcat(changed, place + strlen(from));
    order.index = state_of(at)->cluster.revision;
    order.text = changed;
    order.text_size = (uint32_t)strlen(changed);
    core_world_command(&world, at, &order);
    free(text);
}

/* A4: votes follow the configuration, one at a time. */
static void votes_follow(void)
{
    const struct core_vote_map *map;

    start(3, CORE_LEASE_MEMBER);
    configure(1, "node n2 id=2", "node n2 id=2 votes=3");
    core_world_run(&world, 3000);
    CU_ASSERT_EQUAL(world.told_result, 0);
    map = core_log_map(core_log_of(core_world_host(&world, 3)->core));
    CU_ASSERT_EQUAL(core_vote_map_votes(map, 2), 3);
    CU_ASSERT_EQUAL(core_vote_map_votes(map, 1), 1);
    split_off(2); /* 2 of 5 votes are no majority; one of 3 nodes is none for corosync */
    core_world_run(&world, 9000);
    CU_ASSERT_EQUAL(executing(), 0);
    split_off(0);
    core_world_run(&world, 5000);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    configure(1, " votes=3", " votes=1");
    core_world_run(&world, 3000);
    map = core_log_map(core_log_of(core_world_host(&world, 3)->core));
    CU_ASSERT_EQUAL(core_vote_map_votes(map, 2), 1);
    end();
}

/* A host that was away for a thousand entries, and one without a store, are loaded by a snapshot.
 */
static void snapshots(void)
{
    struct core_host *host;

    start(3, CORE_LEASE_MEMBER);
    core_world_power(&world, 3, false);
    core_world_run(&world, 6000);
    for (unsigned i = 0; i < 1100; i++) {
        want(1, "a", CORE_WANT_RUNNING);
        if (i % 50 == 49)
            core_world_run(&world, 4000);
    }
    CU_ASSERT(core_world_host(&world, 1)->store.base.index > 500);
    host = core_world_host(&world, 3);
    core_world_power(&world, 3, true);
    core_world_run(&world, 4000);
    CU_ASSERT_EQUAL(core_state_of(host->core)->index, state_of(1)->index);
    core_world_power(&world, 3, false);
    host->store.blank = true;
    core_world_power(&world, 3, true);
    core_world_run(&world, 4000);
    CU_ASSERT_EQUAL(core_state_of(host->core)->index, state_of(1)->index);
    CU_ASSERT(!host->store.blank);
    end();
}

/* The n-th allocation of step number k fails: later, all is as if it had not. */
static uint64_t fail_step;
static unsigned fail_nth;
static bool failed;

static void before(struct core_world *at)
{
    if (at->steps == fail_step)
        fail_alloc_arm(fail_nth);
}

static void after(struct core_world *at, int rc)
{
    if (at->steps != fail_step)
        return;
    failed = fail_alloc_disarm();
    CU_ASSERT(rc == 0 || (failed && rc == -ENOMEM));
}

static uint64_t without_memory(uint64_t step, unsigned nth)
{
    uint64_t steps;

    core_world_make(&world, 1, false, CORE_LEASE_MEMBER, 7);
    fail_step = step;
    fail_nth = nth;
    failed = false;
    world.before_step = before;
    world.after_step = after;
    core_world_power(&world, 1, true);
    core_world_run(&world, 300);
    configure(1, "memory=512M", "memory=256M");
    steps = world.steps;
    core_world_run(&world, 2700);
    CU_ASSERT_EQUAL(executing(), CORE_VMS);
    CU_ASSERT_STRING_EQUAL(world.broken, "");
    core_world_end(&world);
    return steps;
}

static void memory_fails_anywhere(void)
{
    uint64_t steps = without_memory(0, 0);
    unsigned failures = 0;

    CU_ASSERT(steps > 30);
    for (uint64_t step = 1; step <= steps; step++) {
        for (unsigned nth = 0;; nth++) {
            (void)without_memory(step, nth);
            if (!failed)
                break;
            failures++;
        }
    }
    CU_ASSERT(failures > 50);
}

static void starts_are_judged(void)
{
    struct core_state state;
    struct core_start begin;
    struct core *core;

    core_state_init(&state);
    memset(&begin, 0, sizeof(begin));
    begin.log.self = 1;
    begin.log.blank = true;
    begin.state = &state; /* of an empty store */
    CU_ASSERT_EQUAL(core_new(&begin, &core), -EINVAL);
    begin.log.blank = false;
    begin.log.base = (struct core_position) { 1, 5 };
    CU_ASSERT_EQUAL(core_vote_map_set(&begin.log.map, 1, 1), 0);
    CU_ASSERT_EQUAL(core_new(&begin, &core), -EINVAL); /* not the state of that entry */
    state.index = 5;
    begin.life.incarnation = 4;
    CU_ASSERT_EQUAL(core_new(&begin, &core), -EINVAL);
    begin.log.incarnation = 4;
    CU_ASSERT_EQUAL(core_new(&begin, &core), 0);
    core_free(core);
    core_free(NULL);
    core_state_free(&state);
}

const struct unit_case unit_cases[] = {
    { "VMs start", vms_start },
    { "a host dies (member lease)", a_host_dies_member },
    { "a host dies (storage lease)", a_host_dies_storage },
    { "A10: a host is fenced", a_host_is_fenced },
    { "a host is cut off", a_host_is_cut_off },
    { "A2: a main thread hangs, and its beats go on", a_main_thread_hangs },
    { "H3: a clusterd restarts", a_clusterd_restarts },
    { "R6: old grants do not start", old_grants_do_not_start },
    { "admins are answered", admins_are_answered },
    { "commands are judged", commands_are_judged },
    { "standby moves VMs", standby_moves_vms },
    { "an admin moves a VM", an_admin_moves_a_vm },
    { "a move fails", a_move_fails },
    { "guests end", guests_end },
    { "A4: votes follow the configuration", votes_follow },
    { "snapshots load who was away", snapshots },
    { "memory fails anywhere", memory_fails_anywhere },
    { "starts are judged", starts_are_judged },
    { NULL, NULL },
};
