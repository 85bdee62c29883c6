/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The save of a machine. Pausing waits for its devices by looking again each millisecond, for a
 * bounded time; a storage server that stays away before anything could be restored ends the save,
 * for the guest must not stand for it.
 */
#include "config.h"

#include "vmm-core/run/vmm_saver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/hw_clock.h"

#define NS_PER_MS UINT64_C(1000000)

enum { DRAIN_MS = 2000 /* T_drain */, AWAY_MS = 5000, RETRY_MS = 500 };

/* A timer of the loop that is set or not. */
struct timer {
    bool set;
    qb_loop_timer_handle handle;
};

struct vmm_saver {
    qb_loop_t *loop;
    struct vmm_machine *machine;
    struct vmm_saver_callbacks callbacks;
    struct vmm_save *save;
    struct timer wake, drain, away, retry;
    int64_t drain_until_ns;
    bool over, wanted_back; /* `wanted_back`: the guest is to run here after all */
    struct hw_error error;  /* of the machine's state */
};

/* --- timers --- */

static void clear(struct vmm_saver *saver, struct timer *timer)
{
    if (timer->set)
        (void)qb_loop_timer_del(saver->loop, timer->handle);
    timer->set = false;
}

/* False: there is no memory for it. */
static bool set(struct vmm_saver *saver, struct timer *timer, uint64_t in_ns,
                void (*due)(void *data))
{
    clear(saver, timer);
    timer->set =
        qb_loop_timer_add(saver->loop, QB_LOOP_MED, in_ns, saver, due, &timer->handle) == 0;
    return timer->set;
}

static uint64_t now_ns(void *context)
{
    (void)context;
    return (uint64_t)hw_clock_now_ns(hw_clock_boottime());
}

static void wake_due(void *data)
{
    struct vmm_saver *saver = data;

    saver->wake.set = false;
    vmm_save_wake(saver->save);
}

static void wake(void *context, uint64_t at_ns)
{
    struct vmm_saver *saver = context;
    const uint64_t now = now_ns(NULL);

    if (!set(saver, &saver->wake, at_ns > now ? at_ns - now : 0, wake_due))
        vmm_save_cancel(saver->save, -ENOMEM);
}

/* --- the guest --- */

static int track(void *context, bool on)
{
    return vmm_machine_track(((struct vmm_saver *)context)->machine, on);
}

static int dirty(void *context, uint64_t *bitmap)
{
    return vmm_machine_dirty(((struct vmm_saver *)context)->machine, bitmap);
}

/* A machine that ended meanwhile is not saved: whoever holds it is told so, too. */
static void look_whether_drained(void *data)
{
    struct vmm_saver *saver = data;

    saver->drain.set = false;
    if (vmm_machine_has_ended(saver->machine))
        vmm_save_paused(saver->save, -ECANCELED);
    else if (vmm_machine_drained(saver->machine))
        vmm_save_paused(saver->save, 0);
    else if (hw_clock_now_ns(hw_clock_boottime()) >= saver->drain_until_ns)
        vmm_save_paused(saver->save, -ETIMEDOUT);
    else if (!set(saver, &saver->drain, NS_PER_MS, look_whether_drained))
        vmm_save_paused(saver->save, -ENOMEM);
}

static void stop(void *context)
{
    struct vmm_saver *saver = context;

    saver->callbacks.stops(saver->callbacks.context);
    vmm_machine_pause(saver->machine);
    saver->drain_until_ns = hw_clock_now_ns(hw_clock_boottime()) + (int64_t)(DRAIN_MS * NS_PER_MS);
    look_whether_drained(saver);
}

static void resume(void *context)
{
    struct vmm_saver *saver = context;

    saver->callbacks.resumes(saver->callbacks.context);
}

/* Not offered yet: vmm_saver_start() does not let it. */
static void throttle(void *context, unsigned percent)
{
    (void)context;
    (void)percent;
}

static int state(void *context, struct vmm_save_tlv_writer *writer)
{
    struct vmm_saver *saver = context;

    return vmm_machine_put(saver->machine, writer, &saver->error);
}

static bool unloaded(void *context, uint64_t block, struct vmm_save_carried *ret_carried)
{
    (void)context;
    (void)block;
    (void)ret_carried;
    return false;
}

/* --- its end --- */

static const char *words_of(int rc)
{
    switch (rc) {
    case -ECANCELED:
        return "was cancelled";
    case -EBUSY:
        return "is refused: a state that waits to be restored is there";
    case -ESTALE:
        return "is lost: another owner of the LUN has taken the state";
    case -EPROTONOSUPPORT:
        return "is refused: the headers there are of another version of hawser";
    case -ETIME:
        return "did not converge: the guest writes faster than the LUN";
    case -ETIMEDOUT:
        return "failed: the guest's disks or the state area did not answer in time";
    case -ENOSPC:
        return "failed: the state does not fit its area";
    case -EIO:
        return "failed: the state area cannot be read or written";
    default:
        return strerror(-rc);
    }
}

static struct hw_error error_of(const struct vmm_saver *saver, int rc)
{
    struct hw_error error = saver->error;

    if (rc < 0)
        (void)hw_error_set(&error, rc == -EBUSY ? HW_ERROR_REFUSED : HW_ERROR_FAILED, -rc, "save",
                           words_of(rc), rc == -EBUSY ? "discard it first" : "");
    return error;
}

static void ended(void *context, enum vmm_save_outcome outcome, int rc)
{
    struct vmm_saver *saver = context;
    const bool given_up = outcome == VMM_SAVE_RESUMED && rc == 0 && !saver->wanted_back;
    const struct hw_error error = error_of(saver, given_up ? -EIO : rc);

    saver->over = true;
    clear(saver, &saver->wake);
    clear(saver, &saver->away);
    clear(saver, &saver->retry);
    saver->callbacks.ended(saver->callbacks.context, outcome, &error);
}

static void retry_due(void *data)
{
    struct vmm_saver *saver = data;

    saver->retry.set = false;
    vmm_save_retry(saver->save);
}

static void frozen(void *context, int rc)
{
    struct vmm_saver *saver = context;
    const struct hw_error error = error_of(saver, rc);

    (void)set(saver, &saver->retry, RETRY_MS * NS_PER_MS, retry_due);
    saver->callbacks.frozen(saver->callbacks.context, &error);
}

/* --- from outside --- */

static int begin(struct vmm_saver *saver, const struct vmm_identity *who,
                 const struct vmm_saver_order *order, const struct vmm_place *place)
{
    const struct vmm_save_guest guest = { track,    dirty, stop,   resume, throttle, state,
                                          unloaded, ended, frozen, now_ns, wake,     saver };
    struct vmm_save_needs needs = { .count = 0 };
    struct vmm_save_memory memory;
    struct vmm_save_options options = {
        .node = who->node,
        .owner_generation = who->generation,
        .area_bytes = place->area_bytes,
        .saved_s = (uint64_t)time(NULL),
        .live = order->live,
        .downtime_ms = order->downtime_ms,
        .budget_ms = order->budget_ms,
        .bandwidth_bytes_per_s = order->bandwidth_bytes_per_s,
        .needs = &needs,
    };
    int rc = vmm_machine_needs(saver->machine, &needs);

    memcpy(options.vm_uuid, who->vm_uuid, sizeof(options.vm_uuid));
    vmm_machine_pages(saver->machine, &memory);
    options.cpus = vmm_machine_cpus(saver->machine);
    return rc < 0 ? rc
                  : vmm_save_start(&options, &memory, place->part, &place->queue, &guest,
                                   &saver->save);
}

int vmm_saver_start(qb_loop_t *loop, struct vmm_machine *machine, const struct vmm_identity *who,
                    const struct vmm_saver_order *order, const struct vmm_place *place,
                    const struct vmm_saver_callbacks *callbacks, struct vmm_saver **ret_saver,
                    struct hw_error *error)
{
    struct vmm_saver *saver = calloc(1, sizeof(*saver));
    int rc;

    if (saver == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    saver->loop = loop;
    saver->machine = machine;
    saver->callbacks = *callbacks;
    rc = begin(saver, who, order, place);
    if (rc < 0) {
        free(saver);
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "save", words_of(rc), "");
    }
    *ret_saver = saver;
    return 0;
}

void vmm_saver_free(struct vmm_saver *saver)
{
    if (saver == NULL)
        return;
    clear(saver, &saver->wake);
    clear(saver, &saver->drain);
    clear(saver, &saver->away);
    clear(saver, &saver->retry);
    vmm_save_free(saver->save);
    free(saver);
}

void vmm_saver_cancel(struct vmm_saver *saver, int rc)
{
    vmm_save_cancel(saver->save, rc);
}

void vmm_saver_power_off(struct vmm_saver *saver)
{
    vmm_save_power_off(saver->save);
}

int vmm_saver_resume(struct vmm_saver *saver)
{
    saver->over = false;
    saver->wanted_back = true;
    hw_error_clear(&saver->error);
    return vmm_save_resume(saver->save);
}

static void away_due(void *data)
{
    struct vmm_saver *saver = data;

    saver->away.set = false;
    vmm_save_cancel(saver->save, -ETIMEDOUT);
}

void vmm_saver_storage(struct vmm_saver *saver, bool back)
{
    if (saver->over)
        return;
    if (back) {
        clear(saver, &saver->away);
        vmm_save_retry(saver->save);
    } else if (!saver->away.set) {
        (void)set(saver, &saver->away, AWAY_MS * NS_PER_MS, away_due);
    }
}

void vmm_saver_progress(const struct vmm_saver *saver, struct vmm_save_progress *ret_progress)
{
    vmm_save_progress(saver->save, ret_progress);
}
