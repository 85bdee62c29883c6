/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A foreign initiator for the lab: foreign URL KEY registers the key (hexadecimal), reserves with
 * exclusive access and ends without a word. Uses libiscsi's simplest calls and none of hawser's
 * code. Only for a target on the test's own network.
 */
#include <config.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_EXCLUSIVE_ACCESS = 3 };

static int pr_out(struct iscsi_context *context, int lun, int action, uint64_t key,
                  uint64_t service_key)
{
    struct scsi_persistent_reserve_out_basic parameters;
    struct scsi_task *task;
    int status;

    memset(&parameters, 0, sizeof(parameters));
    parameters.reservation_key = key;
    parameters.service_action_reservation_key = service_key;
    task = iscsi_persistent_reserve_out_sync(context, lun, action, 0, TYPE_EXCLUSIVE_ACCESS,
                                             &parameters);
    if (task == NULL)
        return -1;
    status = task->status;
    scsi_free_scsi_task(task);
    return status;
}

int main(int argc, char **argv)
{
    struct iscsi_context *context = iscsi_create_context("iqn.2026-11.lab:foreign");
    struct iscsi_url *url;
    uint64_t key;
    int status;

    if (argc != 3 || context == NULL || (url = iscsi_parse_full_url(context, argv[1])) == NULL) {
        (void)fputs("usage: foreign URL KEY\n", stderr);
        return 2;
    }
    key = strtoull(argv[2], NULL, 16);
    iscsi_set_session_type(context, ISCSI_SESSION_NORMAL);
    iscsi_set_noautoreconnect(context, 1);
    iscsi_set_timeout(context, 10);
    if (iscsi_full_connect_sync(context, url->portal, url->lun) != 0) {
        (void)fprintf(stderr, "foreign: %s\n", iscsi_get_error(context));
        return 1;
    }
    status = pr_out(context, url->lun, SCSI_PERSISTENT_RESERVE_REGISTER, 0, key);
    if (status == SCSI_STATUS_GOOD)
        status = pr_out(context, url->lun, SCSI_PERSISTENT_RESERVE_RESERVE, key, 0);
    iscsi_destroy_url(url);
    iscsi_destroy_context(context);
    return status == SCSI_STATUS_GOOD ? 0 : 1;
}
