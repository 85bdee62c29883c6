/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks that hawser-vmm is told of on its command line.
 */
#ifndef VMM_RUN_DISKS_H
#define VMM_RUN_DISKS_H

#include "common/hw_call.h"
#include "vmm-core/run/vmm_machine.h"

struct run_disks {
    unsigned count;
    struct vmm_vhost *links[VMM_MACHINE_DISKS];
};

/* What --disk says can be understood; nothing is looked at. 0 or -EINVAL with the error. */
int run_disks_check(const struct hw_call *call, struct hw_error *error);
/*
 * Connect to the servers of `call`'s disks, each for a guest of `cpus` processors, and wait until
 * each has said what the disk is. 0 or -errno with the error; disks_close() in any case.
 */
int run_disks_open(const struct hw_call *call, unsigned cpus, struct run_disks *disks,
                   struct hw_error *error);
void run_disks_close(struct run_disks *disks);

#endif
