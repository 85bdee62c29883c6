/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an operation to libiscsi's task: the CDB, the direction and the buffers. Copies no data.
 */
#include "config.h"

#include "storage/sto_iscsi_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ZERO_BLOCK_BYTES = 4096 };

static uint8_t whole_cdb(const struct sto_iscsi_session *session, const struct sto_op *op,
                         uint8_t cdb[STO_CDB_BYTES], uint8_t parameters[STO_UNMAP_RANGE_BYTES])
{
    uint32_t block = session->lun->lun.facts.block_bytes;
    uint64_t lba;
    uint64_t blocks;

    if (op->kind == STO_OP_FLUSH)
        return sto_cdb_synchronize_cache(cdb, 0, 0);
    if (op->kind == STO_OP_SCSI) {
        memcpy(cdb, op->cdb, STO_CDB_BYTES);
        return op->cdb_bytes;
    }
    if (block == 0)
        return 0;
    lba = op->offset_bytes / block;
    blocks = op->length_bytes / block;
    if (blocks > UINT32_MAX)
        return 0;
    switch (op->kind) {
    case STO_OP_READ:
        return sto_cdb_read(cdb, lba, (uint32_t)blocks);
    case STO_OP_WRITE:
        return sto_cdb_write(cdb, lba, (uint32_t)blocks, (op->flags & STO_FUA) != 0);
    case STO_OP_COMPARE_AND_WRITE:
        return sto_cdb_compare_and_write(cdb, lba, (uint8_t)(blocks / 2),
                                         (op->flags & STO_FUA) != 0);
    case STO_OP_WRITE_ZEROES:
        return block > ZERO_BLOCK_BYTES ? 0 : sto_cdb_write_same(cdb, lba, (uint32_t)blocks, false);
    case STO_OP_DISCARD:
        return sto_cdb_unmap(cdb, parameters, lba, (uint32_t)blocks);
    default:
        return 0;
    }
}

static int direction_of(const struct sto_op *op)
{
    switch (op->kind) {
    case STO_OP_READ:
        return SCSI_XFER_READ;
    case STO_OP_WRITE:
    case STO_OP_COMPARE_AND_WRITE:
    case STO_OP_WRITE_ZEROES:
    case STO_OP_DISCARD:
        return SCSI_XFER_WRITE;
    case STO_OP_SCSI:
        if (op->direction == STO_DIRECTION_IN)
            return SCSI_XFER_READ;
        return op->direction == STO_DIRECTION_OUT ? SCSI_XFER_WRITE : SCSI_XFER_NONE;
    default:
        return SCSI_XFER_NONE;
    }
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

static int attach_data(struct sto_iscsi_task *task, const struct sto_op *op)
{
    static const uint8_t zeroes[ZERO_BLOCK_BYTES];
    unsigned count = 1;

    if (op->kind == STO_OP_WRITE_ZEROES) {
        task->iov[0].iov_base = (void *)(uintptr_t)zeroes; /* only ever read */
        task->iov[0].iov_len = (size_t)task->asked_bytes;
    } else if (op->kind == STO_OP_DISCARD) {
        task->iov[0].iov_base = task->parameters;
        task->iov[0].iov_len = sizeof(task->parameters);
    } else if (copy_iov(task, op, &count) < 0) {
        return -ENOMEM;
    }
    if (count == 0 || task->asked_bytes == 0)
        return 0;
    if (task->scsi->xfer_dir == SCSI_XFER_READ)
        scsi_task_set_iov_in(task->scsi, task->iov, (int)count);
    else
        scsi_task_set_iov_out(task->scsi, task->iov, (int)count);
    return 0;
}

static uint64_t data_bytes(const struct sto_iscsi_session *session, const struct sto_op *op)
{
    if (op->kind == STO_OP_FLUSH)
        return 0;
    if (op->kind == STO_OP_WRITE_ZEROES)
        return session->lun->lun.facts.block_bytes;
    return op->kind == STO_OP_DISCARD ? STO_UNMAP_RANGE_BYTES : op->length_bytes;
}

int sto_iscsi_build(const struct sto_iscsi_session *session, struct sto_iscsi_task *task,
                    const struct sto_op *op)
{
    uint8_t cdb[STO_CDB_BYTES];
    uint8_t cdb_bytes = whole_cdb(session, op, cdb, task->parameters);

    if (cdb_bytes == 0)
        return -EINVAL;
    task->asked_bytes = data_bytes(session, op);
    task->scsi = scsi_create_task(cdb_bytes, cdb, direction_of(op), (int)task->asked_bytes);
    if (task->scsi == NULL)
        return -ENOMEM;
    return attach_data(task, op);
}
