/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the control socket of a VM can be told: a function each, and a row each in the table at the
 * end. hawser-vmm(8) lists them for people (vmm_words.c).
 */
#include "config.h"

#include "vmm-core/run/vmm_run_priv.h"

#include <errno.h>
#include <unistd.h>

static struct run *run_of(const struct vmm_api_call *call)
{
    return call->context;
}

static const char *state_of(const struct run *run)
{
    if (run->machine == NULL)
        return "ended";
    return run->paused ? "paused" : "running";
}

static json_t *status_of(const struct run *run)
{
    json_t *body = json_pack("{s:s, s:b, s:i, s:I, s:i, s:i, s:s}", "state", state_of(run),
                             "panicked", run->told_panic, "cpus", (int)run->config.cpus,
                             "memory-bytes", (json_int_t)run->config.memory_bytes, "resets",
                             (int)run->resets, "pid", (int)getpid(), "version", PACKAGE_VERSION);

    if (body != NULL && vmm_api_under_way(run->api) != NULL)
        (void)json_object_set_new(body, "under-way", json_string(vmm_api_under_way(run->api)));
    return body;
}

static int answer_status(struct run *run, json_t **ret_body, struct hw_error *error)
{
    *ret_body = status_of(run);
    return *ret_body != NULL
               ? 0
               : hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "ask again");
}

static int status(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    return answer_status(run_of(call), ret_body, error);
}

static int refuse_ended(struct hw_error *error)
{
    return hw_error_set(error, HW_ERROR_REFUSED, ESRCH, "VM", "has ended", "");
}

static int pause_vm(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    if (run_of(call)->machine == NULL)
        return refuse_ended(error);
    run_pause(run_of(call));
    return answer_status(run_of(call), ret_body, error);
}

static int resume(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    if (run_of(call)->machine == NULL)
        return refuse_ended(error);
    run_resume(run_of(call));
    return answer_status(run_of(call), ret_body, error);
}

static int power_down(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    if (run_of(call)->machine == NULL)
        return refuse_ended(error);
    vmm_machine_power_button(run_of(call)->machine);
    return answer_status(run_of(call), ret_body, error);
}

static int quit(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    (void)ret_body;
    (void)error;
    run_quit(run_of(call));
    return 0;
}

const struct vmm_api_command run_commands[] = {
    { .name = "status", .any_time = true, .run = status },
    { .name = "events", .any_time = true, .run = status }, /* as hawser-lun: each is told them */
    { .name = "pause", .run = pause_vm },
    { .name = "resume", .run = resume },
    { .name = "powerdown", .any_time = true, .run = power_down },
    { .name = "quit", .any_time = true, .run = quit },
    { .name = NULL },
};
