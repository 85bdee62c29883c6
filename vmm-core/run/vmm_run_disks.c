/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --disk vhost:SOCKET.
 */
#include "config.h"

#include "vmm-core/run/vmm_run_disks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm-core/virtio/vmm_vhost.h"

static const char scheme[] = "vhost:";

static const char *socket_of(const char *value)
{
    const size_t length = sizeof(scheme) - 1;

    return strncmp(value, scheme, length) == 0 && value[length] != '\0' ? value + length : NULL;
}

static const char *disk_at(const struct hw_call *call, size_t i)
{
    return hw_option_value(call, "disk", i);
}

/* Two links to one disk would be two guests to its server. */
static bool is_again(const struct hw_call *call, size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (strcmp(disk_at(call, before), disk_at(call, i)) == 0)
            return true;
    return false;
}

int run_disks_check(const struct hw_call *call, struct hw_error *error)
{
    const char *value;

    for (size_t i = 0; (value = disk_at(call, i)) != NULL; i++) {
        if (i == VMM_MACHINE_DISKS)
            return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--disk",
                                "is given more than 16 times", "give the guest fewer disks");
        if (socket_of(value) == NULL)
            return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, "--disk",
                                 "give vhost: and the path of a server's socket",
                                 "\"%s\" is no disk that is known here", value);
        if (is_again(call, i))
            return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, "--disk", "give it once",
                                 "\"%s\" is there twice", value);
    }
    return 0;
}

static void waiting(const char *path)
{
    (void)fprintf(stderr, "hawser-vmm: %s: the disk's server is not ready yet; waiting for it\n",
                  path);
}

int run_disks_open(const struct hw_call *call, unsigned cpus, struct run_disks *disks,
                   struct hw_error *error)
{
    const char *value;
    int rc = 0;

    while (rc == 0 && (value = disk_at(call, disks->count)) != NULL) {
        rc = vmm_vhost_open(socket_of(value), cpus, waiting, &disks->links[disks->count], error);
        disks->count += rc == 0;
    }
    return rc;
}

void run_disks_close(struct run_disks *disks)
{
    while (disks->count > 0)
        vmm_vhost_close(disks->links[--disks->count]);
}
