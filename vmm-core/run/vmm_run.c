/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-vmm run: a machine, and the main loop until it ends. A guest that resets itself gets a new
 * machine with what it was started with. What its command line says is in vmm_run_options.c, what
 * its control socket is told in vmm_run_orders.c.
 */
#include "config.h"

#include "vmm-core/run/vmm_run_priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/hw_call.h"
#include "common/hw_clock.h"
#include "common/hw_socket.h"
#include "common/hw_text.h"
#include "vmm-core/kvm/vmm_kvm.h"

static int exit_status(enum run_end why)
{
    static const int statuses[] = {
#define RUN_END_STATUS(name, word, status) [RUN_##name] = (status),
        RUN_ENDS(RUN_END_STATUS)
#undef RUN_END_STATUS
    };

    return statuses[why];
}

/* --- the machine --- */

static bool put(void *context, uint8_t byte)
{
    return vmm_console_put(((struct run *)context)->console, byte);
}

static void was_read(void *context)
{
    vmm_console_read(((struct run *)context)->console);
}

static void ended(void *context, enum vmm_machine_end end, const char *text)
{
    struct run *run = context;

    run->end = end;
    (void)snprintf(run->text, sizeof(run->text), "%s", text);
    (void)eventfd_write(run->ended_fd, 1);
}

static void panicked(void *context)
{
    (void)eventfd_write(((struct run *)context)->panicked_fd, 1);
}

static void disk_told(void *context, const char *text)
{
    (void)context;
    (void)fprintf(stderr, "hawser-vmm: %s\n", text);
}

static int32_t alarm_due(int32_t fd, int32_t revents, void *data)
{
    (void)fd;
    (void)revents;
    vmm_machine_alarm(((struct run *)data)->machine);
    return 0;
}

/* Firmware begins by itself. */
int run_boot(struct run *run)
{
    return run->boot.name == NULL ? 0 : vmm_machine_boot_pvh(run->machine, &run->boot, run->error);
}

void run_begin(struct run *run)
{
    vmm_outside_set_machine(run->outside, run->machine);
    if (!run->paused)
        vmm_machine_run(run->machine);
}

/* With a state area it begins when that says so; but a guest that has reset itself begins at once.
 */
static int start(struct run *run)
{
    const struct vmm_machine_callbacks callbacks = { put, was_read, ended, panicked, run };
    const bool at_once = run->state.socket == NULL || run->begun;
    int rc = vmm_machine_new(run->kvm_fd, &run->config, &callbacks, &run->machine, run->error);

    if (rc == 0 && run->state.socket != NULL)
        rc = run_begin_life(run);
    if (rc == 0 && at_once)
        rc = run_boot(run);
    if (rc == 0)
        rc = qb_loop_poll_add(run->loop, QB_LOOP_MED, vmm_machine_alarm_fd(run->machine), POLLIN,
                              run, alarm_due);
    if (rc < 0)
        return rc;
    run->told_panic = false;
    if (at_once)
        run_begin(run);
    return 0;
}

static void stop(struct run *run)
{
    run_end_life(run);
    vmm_machine_keep(run->machine, &run->config);
    vmm_machine_count(run->machine, &run->counts);
    vmm_outside_set_machine(run->outside, NULL);
    (void)qb_loop_poll_del(run->loop, vmm_machine_alarm_fd(run->machine));
    vmm_machine_free(run->machine);
    run->machine = NULL;
}

void run_finish(struct run *run, enum run_end why, const char *text)
{
    static const char *const names[] = {
#define RUN_END_NAME(name, word, status) [RUN_##name] = (word),
        RUN_ENDS(RUN_END_NAME)
#undef RUN_END_NAME
    };

    if (run->ends)
        return;
    run->ends = true;
    run->why = why;
    run_console_wrote(run);
    vmm_api_event(run->api, "ended",
                  json_pack("{s:s, s:o, s:i}", "reason", names[why], "text", hw_text(text),
                            "status", exit_status(why)));
    qb_loop_stop(run->loop);
}

/* Once: the guest goes on, and may say it again. */
static void tell_panic(struct run *run)
{
    eventfd_t count;

    if (eventfd_read(run->panicked_fd, &count) < 0 || run->told_panic)
        return;
    (void)fprintf(stderr, "hawser-vmm: the guest's kernel has panicked\n");
    run->told_panic = true;
    vmm_api_event(run->api, "panicked", NULL);
    if (run->on_panic == RUN_PANIC_PAUSES)
        run_pause(run);
    else if (run->on_panic == RUN_PANIC_ENDS)
        run_finish(run, RUN_PANIC, "the guest's kernel has panicked");
}

static int32_t guest_panicked(int32_t fd, int32_t revents, void *data)
{
    (void)fd;
    (void)revents;
    tell_panic(data);
    return 0;
}

/* The next machine, in place of this one. */
static int restart(struct run *run, const char *text)
{
    stop(run);
    run->resets++;
    (void)snprintf(run->last_reset, sizeof(run->last_reset), "%s", text);
    vmm_api_event(run->api, "reset", json_pack("{s:o}", "text", hw_text(text)));
    if (start(run) == 0)
        return 0;
    run_finish(run, RUN_FAILED, "the machine cannot be made again");
    return -EIO;
}

void run_end_machine(struct run *run)
{
    if (run->end == VMM_MACHINE_DISK_LOST) {
        (void)hw_error_set(run->error, HW_ERROR_FAILED, EIO, "VM", run->text,
                           "check the disk, then start the VM again");
        run_finish(run, RUN_DISK_LOST, run->text);
    } else if (run->end == VMM_MACHINE_BROKEN) {
        (void)hw_error_set(run->error, HW_ERROR_FAILED, EIO, "VM", run->text,
                           "see the kernel's log");
        run_finish(run, RUN_BROKEN, run->text);
    } else if (run->end == VMM_MACHINE_POWER_OFF) {
        run_finish(run, RUN_POWER_OFF, run->text);
    } else if (!run->reboots) {
        run_finish(run, RUN_RESET, run->text);
    } else if (!run->ends) {
        (void)restart(run, run->text);
    }
}

static int32_t machine_ended(int32_t fd, int32_t revents, void *data)
{
    struct run *run = data;
    eventfd_t count;

    (void)revents;
    if (eventfd_read(fd, &count) < 0)
        return 0;
    tell_panic(run); /* before it may be too late */
    if (run->life != NULL)
        vmm_life_machine_ended(run->life, run->end);
    else
        run_end_machine(run);
    return 0;
}

int run_reset(struct run *run, struct hw_error *error)
{
    struct pollfd ended = { .fd = run->ended_fd, .events = POLLIN };

    if (run->ends)
        return hw_error_set(error, HW_ERROR_REFUSED, ESRCH, "VM", "has ended", "");
    if (run->life != NULL && !run->begun)
        return hw_error_set(error, HW_ERROR_REFUSED, EAGAIN, "VM", "has not begun yet", "");
    vmm_machine_pause(run->machine); /* no more end comes behind this */
    if (poll(&ended, 1, 0) > 0)
        return run->end == VMM_MACHINE_RESET && run->reboots
                   ? 0 /* the loop does it next */
                   : hw_error_set(error, HW_ERROR_REFUSED, ESRCH, "VM", "has ended", "");
    if (restart(run, "by order") == 0)
        return 0;
    *error = *run->error;
    return -EIO;
}

void run_pause(struct run *run)
{
    if (run->paused)
        return;
    run->paused = true;
    vmm_machine_pause(run->machine);
    vmm_api_event(run->api, "paused", NULL);
}

void run_resume(struct run *run)
{
    if (!run->paused)
        return;
    run->paused = false;
    vmm_api_event(run->api, "resumed", NULL);
    if (run->life == NULL || run->begun) /* else it begins when it may */
        vmm_machine_run(run->machine);
}

static void quit_key(void *context)
{
    run_finish(context, RUN_QUIT, "by its terminal");
}

static int32_t signalled(int32_t number, void *data)
{
    run_finish(data, RUN_SIGNAL, number == SIGINT ? "SIGINT" : "SIGTERM");
    return 0;
}

/* --- the loop --- */

static int no_memory(struct hw_error *error)
{
    return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
}

static int make_loop(struct run *run)
{
    qb_loop_signal_handle handle;

    run->loop = qb_loop_create();
    run->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    run->panicked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run->loop == NULL || run->ended_fd < 0 || run->panicked_fd < 0 ||
        qb_loop_poll_add(run->loop, QB_LOOP_HIGH, run->ended_fd, POLLIN, run, machine_ended) < 0 ||
        qb_loop_poll_add(run->loop, QB_LOOP_HIGH, run->panicked_fd, POLLIN, run, guest_panicked) <
            0 ||
        qb_loop_signal_add(run->loop, QB_LOOP_HIGH, SIGTERM, run, signalled, &handle) < 0 ||
        qb_loop_signal_add(run->loop, QB_LOOP_HIGH, SIGINT, run, signalled, &handle) < 0)
        return no_memory(run->error);
    if (vmm_outside_new(run->loop, &run->outside_options, quit_key, run, &run->config,
                        &run->outside, run->error) < 0)
        return -1;
    run->console = vmm_outside_serial(run->outside);
    return 0;
}

static int open_api(struct run *run)
{
    const struct vmm_api_owner owner = { run_commands, run_console_wrote, run };
    int listener, rc;

    if (run->api_path == NULL)
        return 0;
    rc = hw_socket_listen(run->api_path, SOCK_STREAM, geteuid(), &listener, run->error);
    if (rc == 0 && vmm_api_new(run->loop, listener, &owner, &run->api) < 0)
        rc = no_memory(run->error);
    return rc;
}

static int open_disks(const struct hw_call *call, struct run *run)
{
    const int rc = run_disks_open(call, run->config.cpus, &run->disks, run->error);

    run->config.disks = run->disks.links;
    run->config.disk_count = run->disks.count;
    run->config.disk_told = disk_told;
    return rc;
}

static void run_all(const struct hw_call *call, struct run *run)
{
    if (open_disks(call, run) < 0) /* before SIGTERM has a loop to end: it may wait */
        return;
    run->begun_ns = hw_clock_now_ns(hw_clock_boottime());
    run->kvm_fd = vmm_kvm_open(run->error);
    if (run->kvm_fd < 0 || make_loop(run) < 0 || open_api(run) < 0 || start(run) < 0)
        return;
    qb_loop_run(run->loop);
    if (run->machine != NULL)
        stop(run);
    vmm_outside_flush(run->outside);
}

static void end_all(struct run *run)
{
    if (run->outside != NULL && run->machine != NULL)
        stop(run);
    vmm_api_free(run->api);
    vmm_outside_free(run->outside);
    firmware_file_close(&run->firmware);
    if (run->ended_fd >= 0)
        (void)close(run->ended_fd);
    if (run->panicked_fd >= 0)
        (void)close(run->panicked_fd);
    if (run->loop != NULL)
        qb_loop_destroy(run->loop);
    if (run->kvm_fd >= 0)
        (void)close(run->kvm_fd);
    run_disks_close(&run->disks);
    free(run->kernel.bytes);
    free(run->initrd.bytes);
}

static int run_verb(struct hw_call *call, enum vmm_life_start start)
{
    struct hw_error error = { 0 };
    struct run run = {
        .firmware.log_fd = -1, .kvm_fd = -1, .ended_fd = -1, .panicked_fd = -1, .error = &error
    };
    int status = 0;

    run.state.start = start;
    (void)signal(SIGPIPE, SIG_IGN);
    if (run_read_options(call, &run, &error) == 0 && run_read_files(call, &run, &error) == 0)
        run_all(call, &run);
    end_all(&run);
    if (error.kind != HW_ERROR_NONE)
        status = hw_fail(call, &error);
    return run.ends && run.why != RUN_FAILED ? exit_status(run.why) : status;
}

int vmm_verb_run(struct hw_call *call)
{
    return run_verb(call, VMM_LIFE_COLD);
}

int vmm_verb_restore(struct hw_call *call)
{
    return run_verb(call, VMM_LIFE_RESTORE);
}
