/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verbs of `hawser lun` do (cmd_lun_*.c). Each takes a parsed call, prints its result to
 * call->out and returns the exit status; errors go through hw_fail().
 */
#ifndef CLI_CMD_LUN_H
#define CLI_CMD_LUN_H

#include "common/hw_call.h"

int cmd_lun_scan(struct hw_call *call);     /* targets and LUNs behind a portal */
int cmd_lun_init(struct hw_call *call);     /* write the layout of hawser onto an empty LUN */
int cmd_lun_import(struct hw_call *call);   /* copy a disk image into the guest disk */
int cmd_lun_show(struct hw_call *call);     /* everything about one LUN */
int cmd_lun_list(struct hw_call *call);     /* one line for each LUN */
int cmd_lun_verify(struct hw_call *call);   /* is the LUN fit for hawser */
int cmd_lun_claim(struct hw_call *call);    /* own a free LUN */
int cmd_lun_takeover(struct hw_call *call); /* own a LUN instead of its present owner */
int cmd_lun_handover(struct hw_call *call); /* the owner lets another node take over */
int cmd_lun_release(struct hw_call *call);  /* the owner gives the LUN up */
int cmd_lun_serve(struct hw_call *call);    /* hand the guest's disk to a QEMU */
int cmd_lun_bench(struct hw_call *call);    /* throughput of a LUN */

#endif
