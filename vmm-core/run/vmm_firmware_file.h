/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware that hawser-vmm is told of on its command line: its file in memory, and its log.
 */
#ifndef VMM_FIRMWARE_FILE_H
#define VMM_FIRMWARE_FILE_H

#include "common/hw_call.h"
#include "vmm-core/run/vmm_machine.h"

struct firmware_file {
    struct vmm_machine_firmware machine; /* for a machine's config, once it is open */
    const char *name, *log_name;         /* NULL: none */
    int log_fd;
    size_t log_bytes; /* that it may still get */
};

/* What the command line says of firmware can be understood; its file is looked for. With `kernel`,
 * nothing may be said of it. 0 or -EINVAL with the error. */
int firmware_file_check(const struct hw_call *call, bool kernel, struct firmware_file *firmware,
                        struct hw_error *error);
/* `bytes` of the file, which live as long, are firmware; open the log. 0 or -errno with the error;
 * firmware_file_close() in any case. */
int firmware_file_open(struct firmware_file *firmware, const void *image, size_t bytes,
                       struct hw_error *error);
/* A line of the firmware's, into the log, until that has had 1 MiB: a guest can reset itself for
 * ever. From one thread at a time; never blocks for long. */
void firmware_file_line(void *firmware, const char *text);
void firmware_file_close(struct firmware_file *firmware); /* twice is allowed */

#endif
