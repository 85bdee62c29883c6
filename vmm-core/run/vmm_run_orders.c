/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the control socket of a VM can be told: a function each, and a row each in the table at the
 * end. hawser-vmm(8) lists them for people (vmm_words.c).
 */
#include "config.h"

#include "vmm-core/run/vmm_run_priv.h"

#include <errno.h>
#include <unistd.h>

#include "common/hw_clock.h"
#include "common/hw_text.h"

static struct run *run_of(const struct vmm_api_call *call)
{
    return call->context;
}

static const char *state_of(const struct run *run)
{
    if (run->machine == NULL || run->ends)
        return "ended";
    if (run->life != NULL && !run->begun)
        return "beginning";
    return run->paused ? "paused" : "running";
}

static json_t *status_of(const struct run *run)
{
    json_t *body = json_pack("{s:s, s:b, s:i, s:I, s:i, s:i, s:s}", "state", state_of(run),
                             "panicked", run->told_panic, "cpus", (int)run->config.cpus,
                             "memory-bytes", (json_int_t)run->config.memory_bytes, "resets",
                             (int)run->resets, "pid", (int)getpid(), "version", PACKAGE_VERSION);

    if (body != NULL && run->last_reset[0] != '\0')
        (void)json_object_set_new(body, "last-reset", hw_text(run->last_reset));
    if (body != NULL && vmm_api_under_way(run->api) != NULL)
        (void)json_object_set_new(body, "under-way", json_string(vmm_api_under_way(run->api)));
    return body;
}

/* `body` is the answer, if there was memory for it. */
static int answer(json_t *body, json_t **ret_body, struct hw_error *error)
{
    *ret_body = body;
    return body != NULL
               ? 0
               : hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "ask again");
}

static int answer_status(const struct run *run, json_t **ret_body, struct hw_error *error)
{
    return answer(status_of(run), ret_body, error);
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

static int reset(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    int rc = run_of(call)->machine == NULL ? refuse_ended(error) : run_reset(run_of(call), error);

    return rc < 0 ? rc : answer_status(run_of(call), ret_body, error);
}

/* It is the last thing that its asker hears, but for the event. */
static int quit(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    (void)ret_body;
    (void)error;
    run_finish(run_of(call), RUN_QUIT, "by order");
    return 0;
}

static json_t *balloon_of(struct vmm_machine *machine)
{
    static const char *const names[VMM_VIRTIO_BALLOON_STATS] = {
        [VMM_VIRTIO_BALLOON_SWAP_IN] = "swap-in-bytes",
        [VMM_VIRTIO_BALLOON_SWAP_OUT] = "swap-out-bytes",
        [VMM_VIRTIO_BALLOON_MAJOR_FAULTS] = "major-faults",
        [VMM_VIRTIO_BALLOON_MINOR_FAULTS] = "minor-faults",
        [VMM_VIRTIO_BALLOON_FREE] = "free-bytes",
        [VMM_VIRTIO_BALLOON_TOTAL] = "total-bytes",
        [VMM_VIRTIO_BALLOON_AVAILABLE] = "available-bytes",
        [VMM_VIRTIO_BALLOON_CACHES] = "caches-bytes",
    };
    struct vmm_virtio_balloon_status status;
    json_t *body;

    vmm_machine_balloon_status(machine, &status);
    body = json_pack("{s:I, s:I}", "target-bytes", (json_int_t)status.target_bytes, "actual-bytes",
                     (json_int_t)status.actual_bytes);
    for (unsigned i = 0; body != NULL && i < VMM_VIRTIO_BALLOON_STATS; i++)
        if ((status.known & 1U << i) != 0 && names[i] != NULL)
            (void)json_object_set_new(body, names[i], json_integer((json_int_t)status.stats[i]));
    return body;
}

/* The answer has what the guest has said so far; it is asked for what the next one will have. */
static int balloon(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    const json_t *bytes = json_object_get(call->order, "bytes");
    struct run *run = run_of(call);

    if (run->machine == NULL)
        return refuse_ended(error);
    if (bytes != NULL && (!json_is_integer(bytes) || json_integer_value(bytes) < 0))
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "bytes", "is no number of bytes",
                            "give one from 0 on");
    if (bytes != NULL)
        vmm_outside_set_balloon(run->outside, (uint64_t)json_integer_value(bytes));
    vmm_machine_balloon_ask(run->machine);
    return answer(balloon_of(run->machine), ret_body, error);
}

/* --- metrics --- */

static json_t *vcpu_metrics(const struct vmm_machine_counts *counts, unsigned vcpu)
{
    static const char *const names[] = {
#define EXIT_NAME(name, word) word,
        VMM_EXITS(EXIT_NAME)
#undef EXIT_NAME
    };
    json_t *exits = json_object();

    for (unsigned kind = 0; kind < VMM_EXIT_COUNT; kind++)
        (void)json_object_set_new(exits, names[kind],
                                  json_integer((json_int_t)counts->exits[vcpu][kind]));
    return json_pack("{s:I, s:o}", "cpu-ns", (json_int_t)counts->cpu_ns[vcpu], "exits", exits);
}

static int metrics(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    struct run *run = run_of(call);
    struct vmm_machine_counts counts = run->counts;
    const struct vmm_console_counts console = vmm_console_count(run->console);
    json_t *vcpus = json_array(), *body;

    if (run->machine != NULL)
        vmm_machine_count(run->machine, &counts);
    for (unsigned i = 0; i < run->config.cpus; i++)
        (void)json_array_append_new(vcpus, vcpu_metrics(&counts, i));
    body = json_pack("{s:I, s:i, s:o, s:{s:I, s:I}}", "up-ms",
                     (json_int_t)((hw_clock_now_ns(hw_clock_boottime()) - run->begun_ns) / 1000000),
                     "resets", (int)run->resets, "vcpus", vcpus, "console", "out-bytes",
                     (json_int_t)console.out_bytes, "in-bytes", (json_int_t)console.in_bytes);
    return answer(body, ret_body, error);
}

static const char *const balloon_keys[] = { "bytes", NULL };
static const char *const console_keys[] = { "bytes", "attach", "input", NULL };

static const char *const live_keys[] = { "downtime-ms", "budget-ms", "bandwidth", NULL };

const struct vmm_api_command run_commands[] = {
    { .name = "status", .any_time = true, .run = status },
    { .name = "events", .any_time = true, .run = status }, /* as hawser-lun: each is told them */
    { .name = "pause", .run = pause_vm },
    { .name = "resume", .run = resume },
    { .name = "powerdown", .any_time = true, .run = power_down },
    { .name = "reset", .run = reset },
    { .name = "metrics", .any_time = true, .run = metrics },
    { .name = "console", .keys = console_keys, .any_time = true, .run = run_console },
    { .name = "balloon", .keys = balloon_keys, .run = balloon },
    { .name = "save", .takes_time = true, .run = run_order_save },
    { .name = "save-live", .keys = live_keys, .takes_time = true, .run = run_order_save_live },
    { .name = "cancel", .any_time = true, .run = run_order_cancel },
    { .name = "quit", .any_time = true, .run = quit },
    { .name = NULL },
};
