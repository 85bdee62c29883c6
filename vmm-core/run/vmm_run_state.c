/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-vmm run and restore: what becomes of the machine with its state area (vmm_life.h), and the
 * orders that save it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

#include "common/hw_text.h"
#include "common/hw_values.h"
#include "vmm-core/run/vmm_run_priv.h"

#define PROGRESS_NS UINT64_C(500000000)

/* --- its command line --- */

static int usage(struct hw_error *error, const char *option, const char *reason, const char *remedy)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, option, reason, remedy);
}

static int read_identity(const struct hw_call *call, struct vmm_identity *who,
                         struct hw_error *error)
{
    const char *uuid = hw_option_value(call, "uuid", 0);
    uint64_t node = 0, generation = 0;

    if (uuid != NULL && uuid_parse(uuid, who->vm_uuid) < 0)
        return usage(error, "--uuid", "is no UUID", "give the VM's");
    if (hw_option_number(call, "node", 1, UINT16_MAX, &node, error) < 0 ||
        hw_option_number(call, "generation", 1, UINT32_MAX, &generation, error) < 0)
        return -EINVAL;
    who->node = (uint16_t)node;
    who->generation = (uint32_t)generation;
    return 0;
}

int run_read_state(const struct hw_call *call, struct run *run, struct hw_error *error)
{
    static const char scheme[] = "vhost:";
    const char *state = hw_option_value(call, "state", 0);
    const bool restores = run->state.start == VMM_LIFE_RESTORE;

    if (restores && (hw_option_given(call, "no-state") || hw_option_given(call, "discard-state")))
        return usage(error, "restore", "takes neither --no-state nor --discard-state",
                     "use run to start cold");
    if (state == NULL && (restores || !hw_option_given(call, "no-state")))
        return usage(error, "--state", "is missing: the VM could not be saved",
                     restores ? "name the area that it was saved to"
                              : "give it, or --no-state if the VM's memory may be lost");
    if (state == NULL)
        return 0;
    if (hw_option_given(call, "no-state"))
        return usage(error, "--no-state", "contradicts --state", "give one of them");
    if (strncmp(state, scheme, strlen(scheme)) != 0)
        return usage(error, "--state", "is no vhost:SOCKET", "name hawser-lun's socket of it");
    run->state.socket = state + strlen(scheme);
    if (hw_option_given(call, "discard-state"))
        run->state.start = VMM_LIFE_DISCARD;
    return read_identity(call, &run->state.who, error);
}

/* --- what it is told --- */

static void begins(void *context)
{
    struct run *run = context;
    int rc = 0;

    if (run->state.start != VMM_LIFE_RESTORE)
        rc = run_boot(run);
    run->begun = true;
    if (rc < 0)
        run_finish(run, RUN_FAILED, run->error->reason);
    else
        run_begin(run);
}

static void stops(void *context)
{
    vmm_outside_set_machine(((struct run *)context)->outside, NULL);
}

static void resumes(void *context)
{
    run_begin(context);
}

static void refused(void *context, const struct hw_error *error)
{
    struct run *run = context;

    *run->error = *error;
    run_finish(run, RUN_FAILED, error->reason);
}

static void told(void *context, const char *text)
{
    struct run *run = context;

    (void)fprintf(stderr, "hawser-vmm: %s\n", text);
    vmm_api_event(run->api, "state", json_pack("{s:o}", "text", hw_text(text)));
}

static json_t *progress_of(const struct run *run)
{
    struct vmm_save_progress progress;

    if (vmm_life_progress(run->life, &progress) < 0)
        return NULL;
    return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I}", "phase", progress.phase, "round",
                     (int)progress.round, "written-bytes", (json_int_t)progress.written_bytes,
                     "left-pages", (json_int_t)progress.left_pages, "pause-us",
                     (json_int_t)(progress.pause_ns / 1000), "elapsed-us",
                     (json_int_t)(progress.elapsed_ns / 1000));
}

static void stop_timer(struct run *run)
{
    if (run->telling)
        (void)qb_loop_timer_del(run->loop, run->teller);
    run->telling = false;
}

static void save_ended(void *context, enum vmm_save_outcome outcome, const struct hw_error *error)
{
    struct run *run = context;

    stop_timer(run);
    switch (outcome) {
    case VMM_SAVE_SAVED:
        vmm_api_done(run->api, progress_of(run), NULL);
        run_finish(run, RUN_SAVED, "by order");
        return;
    case VMM_SAVE_LOST:
        *run->error = *error;
        break;
    case VMM_SAVE_RUNS_ON:
    case VMM_SAVE_RESUMED:
    case VMM_SAVE_OFF:
        break;
    }
    vmm_api_done(run->api, NULL, error);
    if (outcome == VMM_SAVE_LOST)
        run_finish(run, RUN_FAILED, error->reason);
}

static void settled(void *context)
{
    run_end_machine(context);
}

int run_begin_life(struct run *run)
{
    const struct vmm_life_callbacks callbacks = { begins,     stops, resumes, refused,
                                                  save_ended, told,  settled, run };

    if (run->begun) /* what was there is consumed, and nobody but this VM wrote since */
        run->state.start = VMM_LIFE_GOES_ON;
    return vmm_life_new(run->loop, run->machine, &run->state, &callbacks, &run->life, run->error);
}

void run_end_life(struct run *run)
{
    stop_timer(run);
    vmm_life_free(run->life);
    run->life = NULL;
}

/* --- orders --- */

static void tell(void *data)
{
    struct run *run = data;

    vmm_api_progress(run->api, progress_of(run));
    run->telling =
        qb_loop_timer_add(run->loop, QB_LOOP_LOW, PROGRESS_NS, run, tell, &run->teller) == 0;
}

static int begin_save(const struct vmm_api_call *call, const struct vmm_saver_order *order,
                      struct hw_error *error)
{
    struct run *run = call->context;
    int rc;

    if (run->life == NULL)
        return hw_error_set(error, HW_ERROR_REFUSED, ENOTSUP, "save",
                            "this VM has no state area: it was started with --no-state",
                            "start it with --state");
    rc = vmm_life_save(run->life, order, error);
    if (rc == 0)
        run->telling =
            qb_loop_timer_add(run->loop, QB_LOOP_LOW, PROGRESS_NS, run, tell, &run->teller) == 0;
    return rc;
}

int run_order_save(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    const struct vmm_saver_order order = { .live = false };

    (void)ret_body;
    return begin_save(call, &order, error);
}

/* A number that may be left out. */
static int take_number(const json_t *order, const char *key, uint64_t most, uint64_t *ret_value,
                       struct hw_error *error)
{
    const json_t *value = json_object_get(order, key);

    if (value == NULL)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        (uint64_t)json_integer_value(value) > most)
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, key, VMM_API_REMEDY,
                             "is no number from 1 to %llu", (unsigned long long)most);
    *ret_value = (uint64_t)json_integer_value(value);
    return 0;
}

int run_order_save_live(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    uint64_t downtime = 0, budget = 0, bandwidth = 0;
    struct vmm_saver_order order = { .live = true };

    (void)ret_body;
    if (take_number(call->order, "downtime-ms", 3600000, &downtime, error) < 0 ||
        take_number(call->order, "budget-ms", 86400000, &budget, error) < 0 ||
        take_number(call->order, "bandwidth", UINT64_C(1) << 40, &bandwidth, error) < 0)
        return -EINVAL;
    order.downtime_ms = (uint32_t)downtime;
    order.budget_ms = (uint32_t)budget;
    order.bandwidth_bytes_per_s = bandwidth;
    return begin_save(call, &order, error);
}

int run_order_cancel(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    const struct run *run = call->context;

    (void)ret_body;
    if (run->life != NULL && vmm_life_cancel(run->life) == 0)
        return 0;
    return hw_error_set(error, HW_ERROR_REFUSED, ENOENT, "cancel", "nothing is under way", "");
}
