/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an operation to libiscsi's task: the CDB, the direction and the buffers; the LUN's number.
 * Copies no data.
 */
#include "config.h"

#include "storage/sto_iscsi_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_op_cdb.h"

enum { ZERO_BLOCK_BYTES = 4096 };
enum { LUN_FLAT = 0x4000, LUN_PERIPHERAL_MAX = 255 };

int sto_iscsi_lun_number(const struct sto_iscsi *lun)
{
    return lun->url.lun > LUN_PERIPHERAL_MAX ? LUN_FLAT | lun->url.lun : lun->url.lun;
}

static int libiscsi_direction(enum sto_direction direction)
{
    if (direction == STO_DIRECTION_IN)
        return SCSI_XFER_READ;
    return direction == STO_DIRECTION_OUT ? SCSI_XFER_WRITE : SCSI_XFER_NONE;
}

/* Our copy of the caller's iovecs, without empty ones, which libiscsi stumbles over. */
static int copy_iov(struct sto_iscsi_task *task, const struct sto_op *op, unsigned *ret_count)
{
    unsigned count = 0;

    if (op->iov_count > task->iov_room) {
        struct scsi_iovec *room = calloc(op->iov_count, sizeof(*room));

        if (room == NULL)
            return -ENOMEM;
        task->iov = room;
        task->iov_room = op->iov_count;
    }
    for (unsigned i = 0; i < op->iov_count; i++) {
        if (op->iov[i].iov_len == 0)
            continue;
        task->iov[count].iov_base = op->iov[i].iov_base;
        task->iov[count].iov_len = op->iov[i].iov_len;
        count++;
    }
    *ret_count = count;
    return 0;
}

static int attach_data(struct sto_iscsi_task *task, const struct sto_op *op,
                       const struct sto_op_command *command)
{
    static const uint8_t zeroes[ZERO_BLOCK_BYTES];
    unsigned count = 1;

    if (command->data == STO_OP_DATA_ZEROES) {
        task->iov[0].iov_base = (void *)(uintptr_t)zeroes; /* only ever read */
        task->iov[0].iov_len = command->data_bytes;
    } else if (command->data == STO_OP_DATA_PARAMETERS) {
        memcpy(task->parameters, command->parameters, sizeof(task->parameters));
        task->iov[0].iov_base = task->parameters;
        task->iov[0].iov_len = command->data_bytes;
    } else if (copy_iov(task, op, &count) < 0) {
        return -ENOMEM;
    }
    if (count == 0 || command->data_bytes == 0)
        return 0;
    if (command->direction == STO_DIRECTION_IN)
        scsi_task_set_iov_in(task->scsi, task->iov, (int)count);
    else
        scsi_task_set_iov_out(task->scsi, task->iov, (int)count);
    return 0;
}

int sto_iscsi_build(const struct sto_iscsi_session *session, struct sto_iscsi_task *task,
                    const struct sto_op *op)
{
    struct sto_op_command command;
    int rc = sto_op_command(op, session->lun->lun.facts.block_bytes, &command);

    if (rc < 0)
        return rc;
    if (command.data == STO_OP_DATA_ZEROES && command.data_bytes > ZERO_BLOCK_BYTES)
        return -EINVAL;
    task->asked_bytes = command.data_bytes;
    task->scsi = scsi_create_task(command.cdb_bytes, command.cdb,
                                  libiscsi_direction(command.direction), (int)command.data_bytes);
    if (task->scsi == NULL)
        return -ENOMEM;
    return attach_data(task, op, &command);
}
