/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries out the probe's steps over two LUN handles, one for each identity. Unit attentions and
 * BUSY are stepped over; every other end goes to the machine, which judges it.
 */
#include "config.h"

#include "storage/sto_probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_tool.h"

struct runner {
    struct sto_lun *luns[2];
    uint32_t timeout_ms;
    uint8_t *data;
    size_t data_bytes;
};

static void run_op(struct runner *runner, enum sto_probe_who who, struct sto_op *op,
                   struct sto_probe_result *result)
{
    op->timeout_ms = runner->timeout_ms;
    if (sto_tool_run(runner->luns[who], op) < 0)
        op->result = (struct sto_result) { .rc = STO_NOT_SENT };
    *result = (struct sto_probe_result) { .rc = op->result.rc,
                                          .tmf_response = op->result.tmf_response,
                                          .data = runner->data,
                                          .data_bytes = (size_t)op->result.transferred_bytes };
}

static void run_scsi(struct runner *runner, const struct sto_probe *probe,
                     const struct sto_probe_command *command, struct sto_probe_result *result)
{
    struct iovec iov = { .iov_base = runner->data, .iov_len = command->data_bytes };
    struct sto_op op = {
        .kind = STO_OP_SCSI, .direction = command->direction, .iov = &iov, .iov_count = 1
    };

    memset(runner->data, 0, runner->data_bytes);
    switch (command->action) {
    case STO_PROBE_DO_READ_KEYS:
        op.cdb_bytes = sto_pr_in_cdb(STO_PR_READ_KEYS, (uint16_t)iov.iov_len, op.cdb);
        break;
    case STO_PROBE_DO_READ_RESERVATION:
        op.cdb_bytes = sto_pr_in_cdb(STO_PR_READ_RESERVATION, (uint16_t)iov.iov_len, op.cdb);
        break;
    case STO_PROBE_DO_CAPABILITIES:
        op.cdb_bytes = sto_pr_in_cdb(STO_PR_REPORT_CAPABILITIES, (uint16_t)iov.iov_len, op.cdb);
        break;
    case STO_PROBE_DO_PR_OUT:
        op.direction = STO_DIRECTION_OUT;
        iov.iov_len = STO_PR_OUT_PARAMETER_BYTES;
        op.cdb_bytes = sto_pr_out_encode(&command->request, op.cdb, runner->data);
        break;
    default:
        memcpy(op.cdb, command->cdb, sizeof(op.cdb));
        op.cdb_bytes = command->cdb_bytes;
        if (command->direction == STO_DIRECTION_OUT)
            sto_probe_fill(probe, command, runner->data);
        break;
    }
    run_op(runner, command->who, &op, result);
}

static void run_command(struct runner *runner, const struct sto_probe *probe,
                        const struct sto_probe_command *command, struct sto_probe_result *result)
{
    struct sto_op reset = { .kind = STO_OP_LUN_RESET, .session = STO_SESSION_CONTROL };
    struct sto_op login = { .kind = STO_OP_LOGIN, .session = STO_SESSION_DATA };

    switch (command->action) {
    case STO_PROBE_DO_RESET:
        run_op(runner, command->who, &reset, result);
        break;
    case STO_PROBE_DO_RELOGIN:
        sto_lun_drop(runner->luns[command->who], STO_SESSION_DATA);
        run_op(runner, command->who, &login, result);
        break;
    default:
        run_scsi(runner, probe, command, result);
        break;
    }
}

int sto_probe_run(struct sto_lun *a, struct sto_lun *b, const struct sto_probe_config *config,
                  uint32_t timeout_ms, struct sto_probe_report *ret_report, struct hw_error *error)
{
    struct runner runner = { .luns = { a, b }, .timeout_ms = timeout_ms };
    const struct sto_facts *facts = sto_lun_facts(a);
    struct sto_probe_command command;
    struct sto_probe probe;

    if (facts == NULL || !facts->scsi)
        return hw_error_set(error, HW_ERROR_REFUSED, ENOTSUP, sto_lun_name(a),
                            "cannot be probed: it takes no SCSI commands",
                            "reservations exist on iSCSI LUNs and SCSI block devices");
    runner.data_bytes = (size_t)STO_PROBE_BLOCKS * config->block_bytes;
    if (runner.data_bytes < STO_PR_KEYS_ANSWER_BYTES)
        runner.data_bytes = STO_PR_KEYS_ANSWER_BYTES;
    runner.data = malloc(runner.data_bytes);
    if (runner.data == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, sto_lun_name(a), "out of memory", "");
    sto_probe_begin(&probe, config);
    while (sto_probe_next(&probe, &command)) {
        struct sto_probe_result result;

        run_command(&runner, &probe, &command, &result);
        sto_probe_result(&probe, &result);
    }
    free(runner.data);
    *ret_report = probe.report;
    return 0;
}
