/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware is the default where no kernel is named, and its file is where distributions put it.
 */
#include "config.h"

#include "vmm-core/run/vmm_firmware_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm-core/machine/vmm_firmware.h"

enum { LOG_BYTES = 1 << 20 };

static const char *const places[] = { "/usr/share/seabios/bios-256k.bin",
                                      "/usr/share/qemu/bios-256k.bin" };

/* --- options --- */

static int usage(struct hw_error *error, const char *option, const char *reason, const char *remedy)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, option, reason, remedy);
}

static const char *find(void)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

static int check_first(const char *first, struct vmm_machine_firmware *machine,
                       struct hw_error *error)
{
    if (first == NULL || strcmp(first, "disk") == 0)
        return 0;
    machine->network_first = strcmp(first, "net") == 0;
    machine->menu = strcmp(first, "menu") == 0;
    if (!machine->network_first && !machine->menu)
        return usage(error, "--boot", "is none of disk, net and menu", "give one of them");
    return 0;
}

static int check_without(const struct hw_call *call, struct hw_error *error)
{
    static const char *const options[] = { "firmware", "boot", "firmware-log" };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (hw_option_given(call, options[i]))
            return usage(error, "--kernel", "boots without firmware",
                         "leave it away, or --firmware, --boot and --firmware-log");
    return 0;
}

int firmware_file_check(const struct hw_call *call, bool kernel, struct firmware_file *firmware,
                        struct hw_error *error)
{
    *firmware = (struct firmware_file) { .log_fd = -1, .log_bytes = LOG_BYTES };
    if (kernel)
        return check_without(call, error);
    if (hw_option_given(call, "initrd") || hw_option_given(call, "append"))
        return usage(error, "--kernel", "is missing: firmware takes no ramdisk and command line",
                     "name the kernel that they are for");
    firmware->name = hw_option_value(call, "firmware", 0);
    firmware->log_name = hw_option_value(call, "firmware-log", 0);
    if (firmware->name == NULL)
        firmware->name = find();
    if (firmware->name == NULL)
        return usage(error, "--firmware", "is missing, and SeaBIOS is not at its usual places",
                     "install the package seabios, or name a firmware's file or a --kernel");
    return check_first(hw_option_value(call, "boot", 0), &firmware->machine, error);
}

/* --- file and log --- */

int firmware_file_open(struct firmware_file *firmware, const void *image, size_t bytes,
                       struct hw_error *error)
{
    if (!vmm_firmware_is(image, bytes))
        return hw_error_set(error, HW_ERROR_REFUSED, ENOEXEC, firmware->name,
                            "is no firmware of a PC of at most 256 KiB",
                            "name SeaBIOS's bios-256k.bin");
    firmware->machine.image = image;
    firmware->machine.bytes = bytes;
    firmware->machine.line = firmware_file_line;
    firmware->machine.context = firmware;
    if (firmware->log_name == NULL)
        return 0;
    firmware->log_fd =
        open(firmware->log_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
             S_IRUSR | S_IWUSR | S_IRGRP);
    return firmware->log_fd >= 0 ? 0
                                 : hw_error_setf(error, HW_ERROR_FAILED, errno, firmware->log_name,
                                                 "check that it may be written",
                                                 "cannot be written: %s", strerror(errno));
}

/* A line that does not fit is lost, and all behind it. */
void firmware_file_line(void *firmware, const char *text)
{
    struct firmware_file *file = firmware;
    const size_t bytes = strlen(text);
    const struct iovec parts[] = { { (void *)(uintptr_t)text, bytes },
                                   { (void *)(uintptr_t) "\n", 1 } };

    if (file->log_fd < 0 || bytes >= file->log_bytes) {
        file->log_bytes = 0;
        return;
    }
    file->log_bytes -= bytes + 1;
    if (writev(file->log_fd, parts, 2) < 0)
        file->log_bytes = 0;
}

void firmware_file_close(struct firmware_file *firmware)
{
    if (firmware->log_fd >= 0)
        (void)close(firmware->log_fd);
    firmware->log_fd = -1;
}
