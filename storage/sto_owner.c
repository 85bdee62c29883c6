/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driver of the ownership machine: events in, actions out, notices to the caller. One step runs at
 * a time; what happens meanwhile is queued behind it.
 */
#include "config.h"

#include "storage/sto_owner_priv.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void session_down(void *context, enum sto_session session, const char *why)
{
    struct sto_owner *owner = context;
    struct sto_own_event event = { .kind = STO_OWN_EVENT_SESSION_DOWN };

    owner_set_detail(owner, why);
    event.session = session;
    owner_step(owner, &event);
}

static void gate_event(void *context, enum sto_gate_event kind, uint16_t asc_ascq)
{
    struct sto_owner *owner = context;
    struct sto_own_event event = { .kind = STO_OWN_EVENT_DATA_UNKNOWN };

    switch (kind) {
    case STO_GATE_CONFLICT:
        event.kind = STO_OWN_EVENT_DATA_CONFLICT;
        break;
    case STO_GATE_ATTENTION:
        event.kind = STO_OWN_EVENT_DATA_ATTENTION;
        event.asc_ascq = asc_ascq;
        break;
    case STO_GATE_DRAINED:
        event.kind = STO_OWN_EVENT_DRAINED;
        break;
    case STO_GATE_UNKNOWN:
        owner_set_detail(owner, "a request ended without an answer");
        break;
    case STO_GATE_EXPIRED:
        owner_set_detail(owner, "the storage lease is over");
        break;
    }
    owner_step(owner, &event);
}

static void kill_gate_if_lost(struct sto_owner *owner, const struct sto_own_action *action)
{
    /* Somebody else may own it now: what waits here must never be written any more. Used-up
     * generations are no loss: a new grant goes on where this one stopped. */
    if (action->notice == STO_OWN_NOTICE_LOST && action->reason != STO_OWN_REASON_GENERATIONS_USED)
        sto_gate_kill(owner->gate);
}

/* Its words are kept with it: a command of the same step may forget them. */
static void keep_notice(struct sto_owner *owner, const struct sto_own_action *action)
{
    struct owner_kept *kept;

    if (owner->notice_count == OWNER_NOTICES) /* the newest say more */
        memmove(owner->notices, owner->notices + 1,
                --owner->notice_count * sizeof(owner->notices[0]));
    kept = &owner->notices[owner->notice_count++];
    kept->notice = (struct sto_owner_notice) { .notice = action->notice,
                                               .reason = action->reason,
                                               .key = action->key,
                                               .generation = action->generation };
    memcpy(kept->detail, owner->detail, sizeof(kept->detail));
}

static void act(struct sto_owner *owner, const struct sto_own_action *action)
{
    switch (action->kind) {
    case STO_OWN_ACTION_COMMAND:
        owner_command(owner, &action->command);
        break;
    case STO_OWN_ACTION_DROP:
        sto_lun_drop(owner->lun, STO_SESSION_DATA);
        sto_lun_drop(owner->lun, STO_SESSION_CONTROL);
        break;
    case STO_OWN_ACTION_DROP_CONTROL:
        sto_lun_drop(owner->lun, STO_SESSION_CONTROL);
        break;
    case STO_OWN_ACTION_GATE_OPEN:
        owner->gate_wanted = true;
        if (!owner->forbidden)
            sto_gate_open(owner->gate);
        break;
    case STO_OWN_ACTION_GATE_RESET:
        owner->gate_wanted = false;
        sto_gate_reset(owner->gate);
        break;
    case STO_OWN_ACTION_GATE_HOLD:
        owner->gate_wanted = false;
        sto_gate_hold(owner->gate);
        break;
    case STO_OWN_ACTION_DRAIN:
        owner->gate_wanted = false;
#ifdef STO_MUTATE_DRAIN_FORBIDDEN /* only ever in test binaries */
        sto_gate_drain(owner->gate, true);
#else
        sto_gate_drain(owner->gate, !owner->forbidden);
#endif
        break;
    case STO_OWN_ACTION_CONFIRMED:
        owner->confirmed_ns = action->at_ns;
        if (owner->config.lease_ms != 0)
            sto_gate_set_lease(owner->gate,
                               action->at_ns + (int64_t)owner->config.lease_ms * 1000000);
        break;
    case STO_OWN_ACTION_NOTICE:
        kill_gate_if_lost(owner, action);
        keep_notice(owner, action);
        break;
    case STO_OWN_ACTION_TIMER:
        owner->timer_ns = action->at_ns;
        break;
    }
}

static int one_step(struct sto_owner *owner, struct sto_own_event *event)
{
    struct sto_own_actions actions;
    int rc;

    event->now_ns = hw_clock_now_ns(sto_lun_clock(owner->lun));
    rc = sto_own_step(owner->own, event, &actions);
    for (unsigned i = 0; rc == 0 && i < actions.count; i++)
        act(owner, &actions.items[i]);
    return rc;
}

static void tell(struct sto_owner *owner)
{
    while (owner->notice_count > 0) {
        struct owner_kept kept = owner->notices[0];

        memmove(owner->notices, owner->notices + 1,
                --owner->notice_count * sizeof(owner->notices[0]));
        kept.notice.detail = kept.detail;
        if (owner->callbacks.notice != NULL)
            owner->callbacks.notice(owner->callbacks.context, &kept.notice);
    }
}

static int step_and_tell(struct sto_owner *owner, struct sto_own_event *event)
{
    int rc;

    owner->stepping = true;
    rc = one_step(owner, event);
    while (owner->queued > 0) {
        struct sto_own_event next = owner->queue[0];

        memmove(owner->queue, owner->queue + 1, --owner->queued * sizeof(owner->queue[0]));
        (void)one_step(owner, &next);
    }
    owner->stepping = false;
    tell(owner);
    return rc;
}

void owner_step(struct sto_owner *owner, const struct sto_own_event *event)
{
    struct sto_own_event copy = *event;

    if (!owner->stepping) {
        (void)step_and_tell(owner, &copy);
        return;
    }
    assert(owner->queued < OWNER_QUEUE); /* one result, one drain, two sessions, gate once a hold */
    owner->queue[owner->queued++] = copy;
}

static bool allocate(struct sto_owner *owner)
{
    size_t bytes = STO_RECORD_AREA_BYTES;

    for (unsigned i = 0; i < OWNER_SLOTS; i++) {
        owner->slots[i].owner = owner;
        owner->slots[i].area = aligned_alloc(STO_RECORD_PAGE_BYTES, bytes);
        if (owner->slots[i].area == NULL)
            return false;
    }
    owner->area = aligned_alloc(STO_RECORD_PAGE_BYTES, bytes);
    if (owner->area == NULL)
        return false;
    memset(owner->area, 0, bytes);
    return true;
}

static void free_parts(struct sto_owner *owner)
{
    sto_gate_free(owner->gate);
    sto_own_free(owner->own);
    for (unsigned i = 0; i < OWNER_SLOTS; i++)
        free(owner->slots[i].area);
    free(owner->area);
    free(owner);
}

int sto_owner_new(struct sto_lun *lun, const struct sto_owner_config *config,
                  const struct sto_owner_callbacks *callbacks, struct sto_owner **ret_owner)
{
    struct sto_owner *owner = calloc(1, sizeof(*owner));

    if (owner == NULL)
        return -ENOMEM;
    owner->lun = lun;
    owner->config = *config;
    if (callbacks != NULL)
        owner->callbacks = *callbacks;
    owner->timer_ns = INT64_MAX;
    if (owner->config.own.instance == 0 &&
        getrandom(&owner->config.own.instance, sizeof(owner->config.own.instance), 0) < 0)
        owner->config.own.instance = (uint32_t)getpid();
    if (owner->config.own.line == 0 &&
        getrandom(&owner->config.own.line, sizeof(owner->config.own.line), 0) < 0)
        owner->config.own.line = owner->config.own.seed;
    owner->own = sto_own_new(&owner->config.own);
    owner->gate = sto_gate_new(lun, gate_event, owner);
    if (owner->own == NULL || owner->gate == NULL || !allocate(owner)) {
        free_parts(owner);
        return -ENOMEM;
    }
    sto_lun_set_notify(lun,
                       &(struct sto_lun_notify) { .session_down = session_down, .context = owner });
    *ret_owner = owner;
    return 0;
}

void sto_owner_free(struct sto_owner *owner)
{
    if (owner == NULL)
        return;
    owner->callbacks.notice = NULL;
    sto_owner_stop(owner);
    sto_gate_kill(owner->gate);
    sto_lun_close(owner->lun); /* ends what is in flight: slots and requests are called here */
    free_parts(owner);
}

int sto_owner_start(struct sto_owner *owner, const struct sto_own_grant *grant)
{
    struct sto_own_event event = { .kind = STO_OWN_EVENT_START };

    event.grant = *grant;
    if (owner->stepping)
        return -EBUSY;
    return step_and_tell(owner, &event);
}

void sto_owner_revoke(struct sto_owner *owner)
{
    owner_step(owner, &(struct sto_own_event) { .kind = STO_OWN_EVENT_REVOKE });
}

void sto_owner_hand_over(struct sto_owner *owner, uint16_t node)
{
    owner_step(owner, &(struct sto_own_event) { .kind = STO_OWN_EVENT_HAND_OVER, .node = node });
}

void sto_owner_release(struct sto_owner *owner)
{
    owner_step(owner, &(struct sto_own_event) { .kind = STO_OWN_EVENT_RELEASE });
}

void sto_owner_stop(struct sto_owner *owner)
{
    owner_step(owner, &(struct sto_own_event) { .kind = STO_OWN_EVENT_STOP });
}

void sto_owner_allow(struct sto_owner *owner, bool allowed)
{
    owner->forbidden = !allowed;
    if (sto_gate_state(owner->gate) == STO_GATE_DRAINING) /* what waits goes out, or stays */
        sto_gate_drain(owner->gate, allowed);
    else if (allowed && owner->gate_wanted)
        sto_gate_open(owner->gate);
    else if (!allowed && owner->gate_wanted)
        sto_gate_hold(owner->gate);
}

int sto_owner_submit(struct sto_owner *owner, struct sto_request *request)
{
    return sto_gate_submit(owner->gate, request);
}

void sto_owner_abandon(struct sto_owner *owner, struct sto_request *request)
{
    sto_gate_abandon(owner->gate, request);
}

void sto_owner_set_deadline(struct sto_owner *owner, const _Atomic int64_t *until_ns)
{
    sto_gate_set_deadline(owner->gate, until_ns);
}

int sto_owner_fd(const struct sto_owner *owner)
{
    return sto_lun_fd(owner->lun);
}

short sto_owner_events(const struct sto_owner *owner)
{
    return sto_lun_events(owner->lun);
}

int64_t sto_owner_next_ns(const struct sto_owner *owner)
{
    int64_t gate_ns = sto_gate_next_ns(owner->gate);

    return gate_ns < owner->timer_ns ? gate_ns : owner->timer_ns;
}

int sto_owner_timeout_ms(const struct sto_owner *owner)
{
    int64_t next_ns = sto_owner_next_ns(owner);
    int64_t left_ns = next_ns - hw_clock_now_ns(sto_lun_clock(owner->lun));

    if (next_ns == INT64_MAX)
        return -1;
    if (left_ns <= 0)
        return 0;
    return left_ns / 1000000 >= 60000 ? 60000 : (int)(left_ns / 1000000) + 1;
}

/* Guests' requests find the target busy, again and again: a word every OWNER_BUSY_MS. */
static void tell_if_busy(struct sto_owner *owner)
{
    const struct sto_own_action held_up = { .notice = STO_OWN_NOTICE_HELD_UP,
                                            .reason = STO_OWN_REASON_BUSY,
                                            .generation = sto_own_generation(owner->own) };
    int64_t since_ns = sto_gate_stats(owner->gate).busy_since_ns;
    int64_t now_ns = hw_clock_now_ns(sto_lun_clock(owner->lun));

    if (since_ns == 0)
        return;
    if (since_ns < owner->busy_told_ns)
        since_ns = owner->busy_told_ns;
    if (now_ns - since_ns < (int64_t)OWNER_BUSY_MS * 1000000)
        return;
    owner->busy_told_ns = now_ns;
    keep_notice(owner, &held_up);
    tell(owner);
}

void sto_owner_service(struct sto_owner *owner, short revents)
{
    sto_lun_service(owner->lun, revents);
    if (owner->timer_ns <= hw_clock_now_ns(sto_lun_clock(owner->lun))) {
        owner->timer_ns = INT64_MAX;
        owner_step(owner, &(struct sto_own_event) { .kind = STO_OWN_EVENT_TIMER });
    }
    sto_gate_service(owner->gate);
    tell_if_busy(owner);
}

struct sto_lun *sto_owner_lun(struct sto_owner *owner)
{
    return owner->lun;
}

const struct sto_own *sto_owner_machine(const struct sto_owner *owner)
{
    return owner->own;
}

struct sto_gate_stats sto_owner_gate_stats(const struct sto_owner *owner)
{
    return sto_gate_stats(owner->gate);
}

int sto_owner_run(struct sto_owner *owner, bool (*until)(void *context), void *context,
                  uint32_t timeout_ms)
{
    const struct hw_clock *clock = sto_lun_clock(owner->lun);
    int64_t end_ns = hw_clock_now_ns(clock) + (int64_t)timeout_ms * 1000000;

    while (!until(context)) {
        struct pollfd fd = { .fd = sto_owner_fd(owner), .events = sto_owner_events(owner) };
        int64_t left_ms = (end_ns - hw_clock_now_ns(clock)) / 1000000;
        int wait_ms = sto_owner_timeout_ms(owner);

        if (left_ms <= 0)
            return -ETIMEDOUT;
        if (wait_ms < 0 || wait_ms > left_ms)
            wait_ms = (int)left_ms;
        (void)poll(&fd, 1, wait_ms);
        sto_owner_service(owner, fd.revents);
    }
    return 0;
}
