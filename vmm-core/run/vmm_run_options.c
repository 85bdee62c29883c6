/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-vmm run: what its command line says, and files into memory.
 */
#include "config.h"

#include "vmm-core/run/vmm_run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "common/hw_values.h"

#define FILE_MAX_BYTES UINT64_C(0x40000000) /* 1 GiB: larger is no kernel */

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

static int read_on_panic(const struct hw_call *call, struct run *run, struct hw_error *error)
{
    static const char *const words[] = {
        [RUN_PANIC_GOES_ON] = "go-on", [RUN_PANIC_PAUSES] = "pause", [RUN_PANIC_ENDS] = "end"
    };
    const char *word = hw_option_value(call, "on-panic", 0);

    for (unsigned i = 0; word != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        run->on_panic = (enum run_on_panic)i;
        if (strcmp(word, words[i]) == 0)
            return 0;
    }
    run->on_panic = RUN_PANIC_GOES_ON;
    return word == NULL
               ? 0
               : usage(error, "--on-panic", "is none of go-on, pause and end", "give one of them");
}

int run_read_options(const struct hw_call *call, struct run *run, struct hw_error *error)
{
    const char *kernel = hw_option_value(call, "kernel", 0);
    const char *append = hw_option_value(call, "append", 0);
    const char *api = hw_option_value(call, "api", 0);
    uint64_t cpus = 1;

    run->config.memory_bytes = 128 << 20;
    if (hw_option_size(call, "memory", VMM_MEMORY_MIN_BYTES, VMM_MEMORY_MAX_BYTES,
                       &run->config.memory_bytes, error) < 0 ||
        hw_option_number(call, "cpus", 1, VMM_MACHINE_CPUS, &cpus, error) < 0)
        return -EINVAL;
    run->config.cpus = (unsigned)cpus;
    if (run_read_state(call, run, error) < 0)
        return -EINVAL;
    if (firmware_file_check(call, kernel != NULL, &run->firmware, error) < 0)
        return -EINVAL;
    if (api != NULL && hw_parse_socket(api, "--api", &run->api_path, error) < 0)
        return -EINVAL;
    if (read_on_panic(call, run, error) < 0)
        return -EINVAL;
    run->reboots = !hw_option_given(call, "no-reboot");
    run->boot.name = kernel;
    run->boot.command = append != NULL ? append : "";
    if (vmm_outside_options(call, &run->outside_options, error) < 0)
        return -EINVAL;
    return run_disks_check(call, error);
}

int run_read_files(const struct hw_call *call, struct run *run, struct hw_error *error)
{
    const char *initrd = hw_option_value(call, "initrd", 0);
    const char *name = run->boot.name != NULL ? run->boot.name : run->firmware.name;
    int rc = read_file(name, &run->kernel, error);

    if (rc == 0 && run->boot.name == NULL) {
        run->config.firmware = &run->firmware.machine;
        return firmware_file_open(&run->firmware, run->kernel.bytes, run->kernel.count, error);
    }
    if (rc == 0 && initrd != NULL)
        rc = read_file(initrd, &run->initrd, error);
    run->boot.kernel = run->kernel.bytes;
    run->boot.kernel_bytes = run->kernel.count;
    run->boot.initrd = run->initrd.bytes;
    run->boot.initrd_bytes = run->initrd.count;
    return rc;
}
