/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-vmm run: files into memory, a machine, and the main loop until it ends. A guest that
 * resets itself gets a new machine with what it was started with.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "common/hw_values.h"
#include "vmm-core/kvm/vmm_kvm.h"
#include "vmm-core/run/vmm_console.h"
#include "vmm-core/run/vmm_words.h"

#define FILE_MAX_BYTES UINT64_C(0x40000000) /* 1 GiB: larger is no kernel */

struct file {
    uint8_t *bytes;
    size_t count;
};

struct run {
    struct vmm_machine_config config;
    struct vmm_pvh_boot boot;
    struct file kernel, initrd;
    bool serial, reboots, told_panic;
    int kvm_fd;
    qb_loop_t *loop;
    struct vmm_console *console;
    struct vmm_machine *machine;
    int ended_fd, panicked_fd;
    /* written once by a vCPU's thread, before ended_fd */
    enum vmm_machine_end end;
    char text[128];
    bool quits;
    struct hw_error *error;
    int status;
};

/* --- options --- */

static int cannot_read(const char *path, int code, struct hw_error *error)
{
    return hw_error_setf(error, HW_ERROR_FAILED, code, path,
                         "check that it is there and may be read", "cannot be read: %s",
                         strerror(code));
}

static int read_all(int fd, const char *path, struct file *file, struct hw_error *error)
{
    size_t have = 0;

    while (have < file->count) {
        const ssize_t got = read(fd, file->bytes + have, file->count - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return cannot_read(path, got < 0 ? errno : EBADMSG, error);
        have += (size_t)got;
    }
    return 0;
}

/* The caller frees file->bytes. */
static int read_file(const char *path, struct file *file, struct hw_error *error)
{
    hw_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return cannot_read(path, errno, error);
    if (!S_ISREG(status.st_mode) || status.st_size == 0 ||
        (uint64_t)status.st_size > FILE_MAX_BYTES)
        return hw_error_set(error, HW_ERROR_REFUSED, EINVAL, path, "is no file of 1 byte to 1 GiB",
                            "name another file");
    file->count = (size_t)status.st_size;
    file->bytes = malloc(file->count);
    if (file->bytes == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    return read_all(fd, path, file, error);
}

static int usage(struct hw_error *error, const char *option, const char *reason, const char *remedy)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, option, reason, remedy);
}

static int read_options(const struct hw_call *call, struct run *run, struct hw_error *error)
{
    const char *kernel = hw_option_value(call, "kernel", 0);
    const char *serial = hw_option_value(call, "serial", 0);
    const char *append = hw_option_value(call, "append", 0);
    uint64_t cpus = 1;

    run->config.memory_bytes = 128 << 20;
    if (hw_option_size(call, "memory", VMM_MEMORY_MIN_BYTES, VMM_MEMORY_MAX_BYTES,
                       &run->config.memory_bytes, error) < 0 ||
        hw_option_number(call, "cpus", 1, VMM_MACHINE_CPUS, &cpus, error) < 0)
        return -EINVAL;
    run->config.cpus = (unsigned)cpus;
    if (!hw_option_given(call, "no-state"))
        return usage(error, "--no-state", "is missing: this version cannot save a VM yet",
                     "give it, if the VM's memory may be lost");
    if (kernel == NULL)
        return usage(error, "--kernel", "is missing: there is no firmware yet",
                     "name a kernel: a bzImage, or a vmlinux with CONFIG_PVH");
    if (serial != NULL && strcmp(serial, "stdio") != 0 && strcmp(serial, "none") != 0)
        return usage(error, "--serial", "is neither stdio nor none", "give one of them");
    run->serial = serial != NULL && strcmp(serial, "stdio") == 0;
    run->reboots = !hw_option_given(call, "no-reboot");
    run->boot.name = kernel;
    run->boot.command = append != NULL ? append : "";
    return 0;
}

static int read_files(const struct hw_call *call, struct run *run, struct hw_error *error)
{
    const char *initrd = hw_option_value(call, "initrd", 0);
    int rc = read_file(run->boot.name, &run->kernel, error);

    if (rc == 0 && initrd != NULL)
        rc = read_file(initrd, &run->initrd, error);
    run->boot.kernel = run->kernel.bytes;
    run->boot.kernel_bytes = run->kernel.count;
    run->boot.initrd = run->initrd.bytes;
    run->boot.initrd_bytes = run->initrd.count;
    return rc;
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

static int32_t alarm_due(int32_t fd, int32_t revents, void *data)
{
    (void)fd;
    (void)revents;
    vmm_machine_alarm(((struct run *)data)->machine);
    return 0;
}

static int start(struct run *run)
{
    const struct vmm_machine_callbacks callbacks = { put, was_read, ended, panicked, run };
    int rc = vmm_machine_new(run->kvm_fd, &run->config, &callbacks, &run->machine, run->error);

    if (rc == 0)
        rc = vmm_machine_boot_pvh(run->machine, &run->boot, run->error);
    if (rc == 0)
        rc = qb_loop_poll_add(run->loop, QB_LOOP_MED, vmm_machine_alarm_fd(run->machine), POLLIN,
                              run, alarm_due);
    if (rc < 0)
        return rc;
    run->told_panic = false;
    vmm_console_set_machine(run->console, run->machine);
    vmm_machine_run(run->machine);
    return 0;
}

static void stop(struct run *run)
{
    vmm_console_set_machine(run->console, NULL);
    (void)qb_loop_poll_del(run->loop, vmm_machine_alarm_fd(run->machine));
    vmm_machine_free(run->machine);
    run->machine = NULL;
}

/* Once: the guest goes on, and may say it again. */
static void tell_panic(struct run *run)
{
    eventfd_t count;

    if (eventfd_read(run->panicked_fd, &count) < 0 || run->told_panic)
        return;
    (void)fprintf(stderr, "hawser-vmm: the guest's kernel has panicked\n");
    run->told_panic = true;
}

static int32_t guest_panicked(int32_t fd, int32_t revents, void *data)
{
    (void)fd;
    (void)revents;
    tell_panic(data);
    return 0;
}

static int32_t machine_ended(int32_t fd, int32_t revents, void *data)
{
    struct run *run = data;
    eventfd_t count;

    (void)revents;
    (void)eventfd_read(fd, &count);
    tell_panic(run); /* before it may be too late */
    vmm_machine_keep(run->machine, &run->config);
    stop(run);
    if (run->end == VMM_MACHINE_RESET && run->reboots) {
        if (start(run) < 0)
            qb_loop_stop(run->loop);
        return 0;
    }
    if (run->end == VMM_MACHINE_BROKEN)
        (void)hw_error_set(run->error, HW_ERROR_FAILED, EIO, "VM", run->text,
                           "see the kernel's log");
    qb_loop_stop(run->loop);
    return 0;
}

static void quit(void *context)
{
    qb_loop_stop(((struct run *)context)->loop);
}

static int32_t signalled(int32_t number, void *data)
{
    (void)number;
    quit(data);
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
        qb_loop_signal_add(run->loop, QB_LOOP_HIGH, SIGINT, run, signalled, &handle) < 0 ||
        vmm_console_new(run->loop, run->serial ? STDIN_FILENO : -1,
                        run->serial ? STDOUT_FILENO : -1, quit, run, &run->console) < 0)
        return no_memory(run->error);
    return 0;
}

static void run_all(struct run *run)
{
    run->kvm_fd = vmm_kvm_open(run->error);
    if (run->kvm_fd < 0 || make_loop(run) < 0 || start(run) < 0)
        return;
    qb_loop_run(run->loop);
    if (run->machine != NULL)
        stop(run);
    vmm_console_flush(run->console);
}

static void end_all(struct run *run)
{
    if (run->console != NULL && run->machine != NULL)
        stop(run);
    vmm_console_free(run->console);
    if (run->ended_fd >= 0)
        (void)close(run->ended_fd);
    if (run->panicked_fd >= 0)
        (void)close(run->panicked_fd);
    if (run->loop != NULL)
        qb_loop_destroy(run->loop);
    if (run->kvm_fd >= 0)
        (void)close(run->kvm_fd);
    free(run->kernel.bytes);
    free(run->initrd.bytes);
}

int vmm_verb_run(struct hw_call *call)
{
    struct hw_error error = { 0 };
    struct run run = { .kvm_fd = -1, .ended_fd = -1, .panicked_fd = -1, .error = &error };

    (void)signal(SIGPIPE, SIG_IGN);
    if (read_options(call, &run, &error) == 0 && read_files(call, &run, &error) == 0)
        run_all(&run);
    end_all(&run);
    return error.kind != HW_ERROR_NONE ? hw_fail(call, &error) : 0;
}
