/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LUN of own_machine.h. Written from SPC-4, as little of it as one initiator sees.
 */
#include <config.h>

#include "tests/unit/own_machine.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 20000 };

static const uint8_t cluster[16] = { 0x11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

void machine_init(struct machine *m)
{
    memset(m, 0, sizeof(*m));
    memcpy(m->config.cluster_uuid, cluster, 16);
    m->config.boot_id[0] = 9;
    m->config.node = MACHINE_NODE;
    m->config.use_record = true;
    m->config.steady_check = true;
    m->config.seed = 1;
    m->now_ns = 1000000000;
    m->wwid = "naa.1";
    m->record.state = STO_RECORD_FREE;
    m->record.sequence = 1;
    memcpy(m->record.cluster_uuid, cluster, 16);
}

void machine_fini(struct machine *m)
{
    sto_own_free(m->own);
}

uint64_t machine_key(uint16_t node, uint32_t generation)
{
    return sto_key_make(&(struct sto_key_parts) {
        .cluster_hash = sto_key_cluster_hash(cluster), .node = node, .generation = generation });
}

void machine_held_by(struct machine *m, uint64_t key)
{
    if (m->holds)
        m->holds = false;
    m->held = true;
    m->holder = key;
    m->type = STO_PR_EXCLUSIVE_ACCESS;
    m->others[m->other_count++] = key;
}

void machine_clear(struct machine *m)
{
    m->other_count = 0;
    m->mine = 0;
    m->held = m->holds = false;
}

/* --- the LUN --- */

static uint64_t holder_key(const struct machine *m)
{
    return m->holds ? m->mine : m->holder;
}

static void drop_nexus(struct machine *m)
{
    if (m->mine != 0) {
        CU_ASSERT_FATAL(m->other_count < 32);
        m->others[m->other_count++] = m->mine;
    }
    if (m->holds)
        m->holder = m->mine;
    m->holds = false;
    m->mine = 0;
}

static bool remove_other(struct machine *m, uint64_t key)
{
    bool found = false;

    for (unsigned i = m->other_count; i > 0; i--) {
        if (m->others[i - 1] != key)
            continue;
        memmove(&m->others[i - 1], &m->others[i], (m->other_count - i) * sizeof(m->others[0]));
        m->other_count--;
        found = true;
    }
    return found;
}

static enum sto_rc preempt(struct machine *m, const struct sto_pr_out_request *request)
{
    bool takes = m->held && holder_key(m) == request->service_key;
    bool known = remove_other(m, request->service_key) || request->service_key == m->mine;

    if (!known && !takes)
        return STO_CONFLICT;
    if (takes) {
        m->holds = true;
        m->type = (uint8_t)request->type;
    }
    return STO_OK;
}

static enum sto_rc pr_out(struct machine *m, const struct sto_pr_out_request *request)
{
    if (request->key != m->mine)
        return STO_CONFLICT;
    switch (request->action) {
    case STO_PR_REGISTER:
        if (request->aptpl && m->no_aptpl)
            return STO_ILLEGAL;
        if (request->service_key == 0 && m->holds)
            m->held = m->holds = false;
        m->mine = request->service_key;
        return STO_OK;
    case STO_PR_RESERVE:
        if (m->held && !m->holds)
            return STO_CONFLICT;
        m->held = m->holds = true;
        m->type = (uint8_t)request->type;
        return STO_OK;
    case STO_PR_RELEASE:
        if (m->holds)
            m->held = m->holds = false;
        return STO_OK;
    case STO_PR_PREEMPT:
        return preempt(m, request);
    default:
        CU_FAIL("an action that the machine never uses");
        return STO_ILLEGAL;
    }
}

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static void list_keys(struct machine *m)
{
    m->keys.count = 0;
    for (unsigned i = 0; i < m->other_count; i++)
        m->keys.keys[m->keys.count++] = m->others[i];
    if (m->mine != 0)
        m->keys.keys[m->keys.count++] = m->mine;
    qsort(m->keys.keys, m->keys.count, sizeof(m->keys.keys[0]), compare_keys);
}

/* What the command does and says. */
static struct sto_own_result execute(struct machine *m)
{
    struct sto_own_result result = { .id = m->command.id, .rc = STO_OK, .sent_ns = m->now_ns };

    switch (m->command.kind) {
    case STO_OWN_IDENTIFY:
        result.reservations = result.aptpl = true;
        result.wwid = m->wwid;
        break;
    case STO_OWN_READ_KEYS:
        list_keys(m);
        result.keys = &m->keys;
        break;
    case STO_OWN_READ_RESERVATION:
        m->reservation = (struct sto_pr_reservation) { .held = m->held,
                                                       .key = m->held ? holder_key(m) : 0,
                                                       .type = m->held ? m->type : 0 };
        result.reservation = &m->reservation;
        break;
    case STO_OWN_PR_OUT:
        result.rc = pr_out(m, &m->command.request);
        break;
    case STO_OWN_READ_RECORD:
        result.rc = m->held && !m->holds ? STO_CONFLICT : STO_OK;
        result.decode = m->record_decode;
        result.record = &m->record;
        break;
    case STO_OWN_WRITE_RECORD:
        result.rc = m->held && !m->holds ? STO_CONFLICT : STO_OK;
        if (result.rc == STO_OK)
            m->record = m->command.record;
        break;
    case STO_OWN_LOGIN:
    case STO_OWN_TEST_UNIT:
    case STO_OWN_LUN_RESET:
    case STO_OWN_FLUSH:
    case STO_OWN_LOGOUT:
        break;
    }
    return result;
}

/* --- the machine --- */

static void act(struct machine *m, const struct sto_own_action *action)
{
    switch (action->kind) {
    case STO_OWN_ACTION_COMMAND:
        CU_ASSERT_FALSE(m->out); /* one at a time */
        m->command = action->command;
        m->out = true;
        m->commands++;
        break;
    case STO_OWN_ACTION_DROP:
        drop_nexus(m);
        m->out = false;
        m->drops++;
        break;
    case STO_OWN_ACTION_DROP_CONTROL:
        m->control_drops++;
        break;
    case STO_OWN_ACTION_GATE_OPEN:
        CU_ASSERT_TRUE(m->held && m->holds && m->mine == sto_own_key(m->own));
        m->open = true;
        break;
    case STO_OWN_ACTION_GATE_RESET:
    case STO_OWN_ACTION_GATE_HOLD:
        m->resets += action->kind == STO_OWN_ACTION_GATE_RESET;
        m->open = false;
        m->out = false; /* the command that is out is forgotten with it */
        break;
    case STO_OWN_ACTION_DRAIN:
        m->open = false;
        m->drains = true;
        m->out = false;
        break;
    case STO_OWN_ACTION_CONFIRMED:
        m->confirmed_ns = action->at_ns;
        break;
    case STO_OWN_ACTION_NOTICE:
        m->last = *action;
        m->notices[action->notice]++;
        break;
    case STO_OWN_ACTION_TIMER:
        m->timer_ns = action->at_ns;
        break;
    }
}

int machine_event(struct machine *m, struct sto_own_event event)
{
    int rc;

    event.now_ns = m->now_ns;
    rc = sto_own_step(m->own, &event, &m->actions);
    for (unsigned i = 0; rc == 0 && i < m->actions.count; i++)
        act(m, &m->actions.items[i]);
    return rc;
}

void machine_tell(struct machine *m, enum sto_own_event_kind kind)
{
    CU_ASSERT_EQUAL(machine_event(m, (struct sto_own_event) { .kind = kind }), 0);
}

int machine_grant(struct machine *m, const struct sto_own_grant *grant)
{
    if (m->own == NULL)
        m->own = sto_own_new(&m->config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m->own);
    return machine_event(m,
                         (struct sto_own_event) { .kind = STO_OWN_EVENT_START, .grant = *grant });
}

int machine_start(struct machine *m, uint32_t generation, bool takeover)
{
    return machine_grant(
        m, &(struct sto_own_grant) { .generation = generation, .takeover = takeover });
}

void machine_answer(struct machine *m, const struct machine_answer *answer)
{
    struct sto_own_result result = { .id = m->command.id };
    struct sto_own_result good = { 0 };

    CU_ASSERT_TRUE_FATAL(m->out);
    if (answer->executed)
        good = execute(m);
    result.rc = answer->rc;
    result.asc_ascq = answer->asc_ascq;
    result.decode = answer->decode;
    result.sent_ns = m->now_ns;
    result.keys = good.keys;
    result.reservation = good.reservation;
    result.record = good.record;
    m->out = false;
    m->now_ns += 1000000;
    CU_ASSERT_EQUAL(
        machine_event(m, (struct sto_own_event) { .kind = STO_OWN_EVENT_RESULT, .result = result }),
        0);
}

bool machine_next(struct machine *m)
{
    struct sto_own_event event = { .kind = STO_OWN_EVENT_RESULT };

    if (m->out) {
        event.result = execute(m);
        m->out = false;
        m->now_ns += 1000000;
    } else if (m->drains) {
        m->drains = false;
        event.kind = STO_OWN_EVENT_DRAINED;
    } else if (m->timer_ns != 0) {
        m->now_ns = m->timer_ns > m->now_ns ? m->timer_ns : m->now_ns;
        m->timer_ns = 0;
        event.kind = STO_OWN_EVENT_TIMER;
    } else {
        return false;
    }
    CU_ASSERT_EQUAL(machine_event(m, event), 0);
    return true;
}

bool machine_until(struct machine *m, enum sto_own_command_kind kind)
{
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        if (m->out && m->command.kind == kind)
            return true;
        if (!machine_next(m))
            return false;
    }
    CU_FAIL("the machine does not end");
    return false;
}

bool machine_until_pr(struct machine *m, enum sto_pr_out action)
{
    while (machine_until(m, STO_OWN_PR_OUT)) {
        if (m->command.request.action == action)
            return true;
        (void)machine_next(m);
    }
    return false;
}

void machine_run(struct machine *m)
{
    unsigned steps = 0;

    while (sto_own_state(m->own) != STO_OWN_OWNED && steps < STEPS_MAX && machine_next(m))
        steps++;
    CU_ASSERT_TRUE(steps < STEPS_MAX);
}

bool machine_is_sound(const struct machine *m)
{
    return sto_own_state(m->own) == STO_OWN_OWNED && m->open && m->held && m->holds &&
           m->mine == sto_own_key(m->own) && m->type == STO_PR_EXCLUSIVE_ACCESS &&
           (!m->config.use_record ||
            (m->record.state == STO_RECORD_OWNED && m->record.node == MACHINE_NODE &&
             m->record.generation == sto_own_generation(m->own)));
}

bool machine_ended(const struct machine *m, enum sto_own_notice notice, enum sto_own_reason reason)
{
    enum sto_own_state state = sto_own_state(m->own);

    return (state == STO_OWN_LEFT || state == STO_OWN_LOST || state == STO_OWN_HANDED) &&
           !m->open && m->last.notice == notice && m->last.reason == reason;
}
