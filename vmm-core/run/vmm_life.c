/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Begin, save, end. What has ended is freed later, by a job of the loop, since the machines of
 * vmm-core/save may not be freed from within their callbacks.
 */
#include "config.h"

#include "vmm-core/run/vmm_life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/run/vmm_area.h"

/* How long a server may take to be there at the start; one that is there and not ready is waited
 * for. */
#define START_NS UINT64_C(5000000000)

enum phase { CONNECTING, BEGINNING, RUNNING, OVER };

struct vmm_life {
    qb_loop_t *loop;
    struct vmm_machine *machine;
    struct vmm_life_config config;
    struct vmm_life_callbacks callbacks;
    enum phase phase;
    struct vmm_area *area;
    char trouble[128]; /* why the area is not there */
    bool waits;        /* the timer is set */
    qb_loop_timer_handle timer;
    struct vmm_restorer *restorer;
    struct vmm_saver *saver;
    bool saving, tidies; /* a save is under way; a job will free what has ended */
    bool ended;          /* the machine has */
};

/* --- jobs --- */

static void tidy(void *data)
{
    struct vmm_life *life = data;

    life->tidies = false;
    if (life->phase != BEGINNING) {
        vmm_restorer_free(life->restorer);
        life->restorer = NULL;
    }
    if (!life->saving) {
        vmm_saver_free(life->saver);
        life->saver = NULL;
        if (life->ended)
            life->callbacks.settled(life->callbacks.context);
    }
}

static void tidy_later(struct vmm_life *life)
{
    if (!life->tidies)
        life->tidies = qb_loop_job_add(life->loop, QB_LOOP_MED, life, tidy) == 0;
}

static void stop_timer(struct vmm_life *life)
{
    if (life->waits)
        (void)qb_loop_timer_del(life->loop, life->timer);
    life->waits = false;
}

/* --- begin --- */

static void refuse(struct vmm_life *life, const struct hw_error *error)
{
    stop_timer(life);
    life->phase = OVER;
    tidy_later(life);
    life->callbacks.refused(life->callbacks.context, error);
}

static void ready(void *context)
{
    struct vmm_life *life = context;

    life->phase = RUNNING;
    life->callbacks.begins(life->callbacks.context);
}

static void begin_ended(void *context, const struct hw_error *error)
{
    struct vmm_life *life = context;

    if (error != NULL)
        refuse(life, error);
    tidy_later(life);
}

static void begin_frozen(void *context, const struct hw_error *error)
{
    struct vmm_life *life = context;
    char line[HW_ERROR_LINE_BYTES];

    (void)hw_error_line(error, line, sizeof(line));
    life->callbacks.told(life->callbacks.context, line);
}

static void make_place(struct vmm_life *life, struct vmm_place *ret_place)
{
    vmm_area_queue(life->area, &ret_place->queue);
    ret_place->part = vmm_area_part(life->area);
    ret_place->area_bytes = vmm_area_bytes(life->area);
}

/* A state that could not be saved is told before there is one. */
static int check_size(const struct vmm_life *life, struct hw_error *error)
{
    const uint64_t memory_bytes = vmm_machine_memory(life->machine)->bytes;
    const uint64_t here = vmm_area_bytes(life->area);
    struct vmm_save_geometry geometry;
    int rc = vmm_save_geometry_plan(memory_bytes, vmm_machine_cpus(life->machine), here, &geometry);

    if (rc == -ENOSPC)
        return hw_error_setf(error, HW_ERROR_REFUSED, ENOSPC, "state area",
                             "make a larger one (hawser lun init --max-memory), or give --no-state",
                             "has %llu MiB, and %llu MiB are needed to save this VM",
                             (unsigned long long)(here >> 20),
                             (unsigned long long)(geometry.area.total_bytes >> 20));
    return rc;
}

static void begin(struct vmm_life *life)
{
    const struct vmm_restorer_callbacks callbacks = { ready, begin_ended, begin_frozen, life };
    const enum vmm_restore_mode mode = life->config.start == VMM_LIFE_RESTORE ? VMM_RESTORE_EAGER
                                       : life->config.start == VMM_LIFE_DISCARD
                                           ? VMM_RESTORE_DISCARD
                                           : VMM_RESTORE_COLD;
    struct hw_error error = { 0 };
    struct vmm_place place;
    int rc = check_size(life, &error);

    stop_timer(life);
    if (rc == 0) {
        make_place(life, &place);
        life->phase = BEGINNING;
        rc = vmm_restorer_start(life->loop, life->machine, mode, &life->config.who, &place,
                                &callbacks, &life->restorer, &error);
    }
    if (rc < 0)
        refuse(life, &error);
}

static void start_due(void *data)
{
    struct vmm_life *life = data;
    struct hw_error error = { 0 };

    life->waits =
        vmm_area_is_near(life->area) &&
        qb_loop_timer_add(life->loop, QB_LOOP_MED, START_NS, life, start_due, &life->timer) == 0;
    if (life->waits)
        return;
    (void)hw_error_setf(&error, HW_ERROR_FAILED, ETIMEDOUT, life->config.socket,
                        "start hawser-lun with --state there, or give --no-state",
                        "no state area is served there: %s", life->trouble);
    refuse(life, &error);
}

/* --- the area --- */

static void went(struct vmm_life *life, const char *text)
{
    char line[192];

    if (life->saver != NULL)
        vmm_saver_storage(life->saver, false);
    if (strcmp(life->trouble, text) == 0)
        return;
    (void)snprintf(life->trouble, sizeof(life->trouble), "%s", text);
    if (life->phase == CONNECTING)
        return;
    (void)snprintf(line, sizeof(line), "the state area is not served: %s", text);
    life->callbacks.told(life->callbacks.context, line);
}

static void came(struct vmm_life *life)
{
    life->trouble[0] = '\0';
    if (life->phase == CONNECTING)
        begin(life);
    else if (life->phase == BEGINNING)
        vmm_restorer_retry(life->restorer);
    else if (life->saver != NULL)
        vmm_saver_storage(life->saver, true);
}

static void changed(void *context, bool up, const char *text)
{
    if (up)
        came(context);
    else
        went(context, text);
}

/* --- save --- */

static void save_ended(void *context, enum vmm_save_outcome outcome, const struct hw_error *error)
{
    struct vmm_life *life = context;

    life->saving = false;
    if (outcome == VMM_SAVE_SAVED || outcome == VMM_SAVE_LOST)
        life->phase = OVER;
    tidy_later(life);
    life->callbacks.save_ended(life->callbacks.context, outcome, error);
}

static void stops(void *context)
{
    struct vmm_life *life = context;

    life->callbacks.stops(life->callbacks.context);
}

static void resumes(void *context)
{
    struct vmm_life *life = context;

    life->callbacks.resumes(life->callbacks.context);
}

int vmm_life_save(struct vmm_life *life, const struct vmm_saver_order *order,
                  struct hw_error *error)
{
    const struct vmm_saver_callbacks callbacks = { stops, resumes, save_ended, begin_frozen, life };
    struct vmm_place place;
    int rc;

    if (life->phase != RUNNING || life->ended)
        return hw_error_set(error, HW_ERROR_REFUSED, EAGAIN, "save", "the VM does not run", "");
    if (life->saver != NULL)
        return hw_error_set(error, HW_ERROR_REFUSED, EBUSY, "save", "one is under way",
                            "wait for its end, or cancel it");
    if (!vmm_area_is_up(life->area))
        return hw_error_set(error, HW_ERROR_FAILED, ENOTCONN, "save",
                            "the state area is not served", "see hawser-lun");
    rc = check_size(life, error);
    if (rc < 0)
        return rc;
    make_place(life, &place);
    rc = vmm_saver_start(life->loop, life->machine, &life->config.who, order, &place, &callbacks,
                         &life->saver, error);
    life->saving = rc == 0;
    return rc;
}

int vmm_life_cancel(struct vmm_life *life)
{
    if (!life->saving)
        return -ENOENT;
    vmm_saver_cancel(life->saver, -ECANCELED);
    return 0;
}

int vmm_life_progress(const struct vmm_life *life, struct vmm_save_progress *ret_progress)
{
    if (life->saver == NULL)
        return -ENOENT;
    vmm_saver_progress(life->saver, ret_progress);
    return 0;
}

void vmm_life_machine_ended(struct vmm_life *life, enum vmm_machine_end end)
{
    life->ended = true;
    tidy_later(life);
    if (!life->saving)
        return;
    if (end == VMM_MACHINE_POWER_OFF)
        vmm_saver_power_off(life->saver);
    else
        vmm_saver_cancel(life->saver, -ECANCELED);
}

/* --- making it --- */

int vmm_life_new(qb_loop_t *loop, struct vmm_machine *machine, const struct vmm_life_config *config,
                 const struct vmm_life_callbacks *callbacks, struct vmm_life **ret_life,
                 struct hw_error *error)
{
    const struct vmm_memory *memory = vmm_machine_memory(machine);
    struct vmm_life *life = calloc(1, sizeof(*life));
    const struct vmm_area_callbacks area = { changed, life };
    int rc;

    if (life == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    life->loop = loop;
    life->machine = machine;
    life->config = *config;
    life->callbacks = *callbacks;
    life->phase = config->start == VMM_LIFE_GOES_ON ? RUNNING : CONNECTING;
    rc = vmm_area_new(loop, config->socket, memory,
                      vmm_save_needed_bytes(memory->bytes, vmm_machine_cpus(machine)), &area,
                      &life->area, error);
    if (rc == 0 && life->phase == CONNECTING) {
        life->waits =
            qb_loop_timer_add(loop, QB_LOOP_MED, START_NS, life, start_due, &life->timer) == 0;
        rc = life->waits ? 0 : -ENOMEM;
    }
    if (rc < 0) {
        vmm_life_free(life);
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "memory", "ran out", "");
    }
    *ret_life = life;
    return 0;
}

void vmm_life_free(struct vmm_life *life)
{
    if (life == NULL)
        return;
    stop_timer(life);
    if (life->tidies)
        (void)qb_loop_job_del(life->loop, QB_LOOP_MED, life, tidy);
    vmm_restorer_free(life->restorer);
    vmm_saver_free(life->saver);
    vmm_area_free(life->area);
    free(life);
}
